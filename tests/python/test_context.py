"""What computes: threads, products and facts about the build."""

import flowmatch as fm
import numpy as np
import pytest

HAS_BLAS = bool(fm.build_info()['blas_name'])


def drawn(**options):
    """Samples after some steps of training, in a context of these options."""
    context = fm.Context(**options)
    target = fm.Source.normal(2, context=context)
    model = fm.Model.mlp(2, hidden_layers=2, hidden_width=32, seed=1, context=context)
    fm.Trainer(model, fm.Adam(1e-2, context=context), target, batch=300, seed=2).run(5)
    return fm.Sampler(model, steps=3).draw(700, seed=3)


def test_threads_change_no_bit():
    one = drawn(threads=1)
    assert np.isfinite(one).all()
    for threads in (2, 3):
        assert np.array_equal(drawn(threads=threads), one), threads


def test_matmul():
    builtin = drawn(matmul='builtin')
    assert np.array_equal(drawn(matmul='builtin', threads=2), builtin)
    with pytest.raises(fm.ArgumentError, match="matmul is 'gpu'"):
        fm.Context(matmul='gpu')
    if HAS_BLAS:
        np.testing.assert_allclose(drawn(matmul='blas'), builtin, atol=1e-4)
    else:
        with pytest.raises(fm.UnsupportedError, match='BLAS'):
            fm.Context(matmul='blas')


def test_build_info():
    info = fm.build_info()
    assert info['version'] == fm.__version__
    assert info['instruction_set'].lower() == fm.Context().instruction_set
    assert (info['blas_threads'] > 0) == HAS_BLAS == bool(info['blas_version'])
    assert set(info) == {'version', 'blas_name', 'blas_version', 'blas_core', 'blas_threading',
                         'blas_threads', 'instruction_set'}


def test_set_blas_threads():
    for wrong in (0, 1025):
        with pytest.raises(fm.ArgumentError, match=f'threads is {wrong}'):
            fm.set_blas_threads(wrong)
    if not HAS_BLAS:
        with pytest.raises(fm.UnsupportedError, match='BLAS'):
            fm.set_blas_threads(1)
        return
    before = fm.build_info()
    fm.set_blas_threads(1)
    assert fm.build_info()['blas_threads'] == 1
    fm.set_blas_threads(before['blas_threads'])
    assert fm.build_info() == before
