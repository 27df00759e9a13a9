import gc
import weakref

import flowmatch as fm
import numpy as np
import pytest


def test_normal_has_the_moments_of_a_normal():
    x = fm.Source.normal(3).draw(100000, seed=2)
    assert x.shape == (100000, 3) and x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(x.T), np.eye(3), atol=0.02)


def test_mixture_has_its_exact_moments(target):
    mean, std = target.moments()
    assert mean.shape == std.shape == (1,)
    np.testing.assert_allclose([mean[0], std[0]**2], [0.2075, 1.62731875], rtol=1e-5)


def test_mixture_in_two_dimensions():
    source = fm.Source.gaussian_mixture([1, 1], [[0, 10], [0, -10]], np.ones((2, 2)))
    assert source.dim == 2 and source.count == 0
    mean, std = source.moments()
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    np.testing.assert_allclose(std, [1, np.sqrt(101)], rtol=1e-6)


def test_rows_do_not_depend_on_how_they_are_drawn(target):
    whole = target.draw(100, seed=7)
    parts = [target.draw(30, seed=7), target.draw(70, seed=7, first_row=30)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, target.draw(100, seed=8))


@pytest.mark.parametrize('copy', [True, False])
def test_array_keeps_its_rows(two_columns, copy):
    wanted = two_columns.copy()
    source = fm.Source.array(two_columns, order='sequential', copy=copy)
    if copy:
        two_columns[:] = -1
    assert (source.dim, source.count) == (2, 6)
    assert np.array_equal(source.rows(), wanted)
    assert np.array_equal(source.rows(4, 1), wanted[4:5])
    assert np.array_equal(source.draw(8), np.concatenate([wanted, wanted[:2]]))


def test_a_borrowed_array_lives_as_long_as_its_source():
    rows = np.ones((4, 2), np.float32)
    alive = weakref.ref(rows)
    source = fm.Source.array(rows, copy=False)
    del rows
    gc.collect()
    assert alive() is not None and source.count == 4
    rows = alive()
    rows[0, 0] = 5
    assert source.rows()[0, 0] == 5, 'copy=False made a copy'
    del rows, source
    gc.collect()
    assert alive() is None


def test_shuffled_array_gives_every_row_once(two_columns):
    drawn = fm.Source.array(two_columns).draw(6, seed=1)
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, two_columns))


@pytest.mark.parametrize('make', [
    lambda a: a.astype(np.float64), lambda a: a.astype(int), np.asfortranarray,
    lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a.tolist(), lambda a: a.astype('>f4'),
])
def test_what_is_not_float32_in_c_order_is_converted(two_columns, make):
    assert np.array_equal(fm.Source.array(make(two_columns)).rows(), two_columns)


def test_unaligned_rows(two_columns):
    unaligned = np.frombuffer(b'x' + two_columns.tobytes(), np.float32, offset=1).reshape(6, 2)
    assert not unaligned.flags.aligned
    assert np.array_equal(fm.Source.array(unaligned, copy=False).rows(), two_columns)


def test_csv(tmp_path):
    path = tmp_path / 'data.csv'
    path.write_text('a,b\n1,2\n3,4.5\n')
    assert np.array_equal(fm.Source.csv(path).rows(), [[1, 2], [3, 4.5]])
    path.write_text('1,2\n3,x\n')
    with pytest.raises(fm.FileFormatError, match=r'data.csv:2'):
        fm.Source.csv(str(path))
    with pytest.raises(OSError, match='nowhere.csv') as caught:
        fm.Source.csv(tmp_path / 'nowhere.csv')
    assert caught.value.name == 'FMATCH_ERROR_IO'
    with pytest.raises(ValueError, match='null character'):
        fm.Source.csv('data\0.csv')


def test_callback_gets_reproducible_numbers():
    def draw(random, first_row, n):
        x = random.normal(n, 2)
        return x + random.integers(n, 1, 2) * 10 + random.uniform(n, 1)
    source = fm.Source.callback(2, draw)
    whole = source.draw(50, seed=3)
    assert whole.shape == (50, 2) and np.all(np.isfinite(whole))
    assert np.array_equal(whole[20:], source.draw(30, seed=3, first_row=20))


def test_callback_row_by_row():
    def draw(random, first_row, n):
        rows = []
        for i in range(n):
            random.set_row(i)
            count = int(random.integers(1, 1, 4)[0, 0])
            rows.append(random.normal(1, count + 1).sum())
        return rows  # one-dimensional: a column
    source = fm.Source.callback(1, draw)
    assert np.array_equal(source.draw(9, seed=1)[4:], source.draw(5, seed=1, first_row=4))


def test_generator_numbers():
    seen = {}

    def draw(random, first_row, n):
        seen['normal'] = random.normal(n, 2)
        seen['uniform'] = random.uniform(n)
        seen['integers'] = random.integers(n, 3, 5)
        return seen['normal']
    fm.Source.callback(2, draw).draw(20000)
    normal = seen['normal'][:]
    assert normal.dtype == np.float32 and normal.shape[1] == 2
    assert abs(normal.std() - 1) < 0.05 and abs(normal.mean()) < 0.05
    assert 0 <= seen['uniform'].min() and seen['uniform'].max() < 1
    assert seen['uniform'].shape == (len(normal), 1) and abs(seen['uniform'].mean() - 0.5) < 0.05
    assert seen['integers'].dtype == np.int32 and set(np.unique(seen['integers'])) == set(range(5))


def test_generator_is_lent_for_the_call_alone():
    kept = []
    fm.Source.callback(1, lambda random, first_row, n: kept.append(random) or np.zeros(n)).draw(3)
    with pytest.raises(RuntimeError, match='only during the call'):
        kept[0].normal(1)


@pytest.mark.parametrize('use, message', [
    (lambda random, n: random.normal(n + 1), r'n is 5; it must be between 0 and 4'),
    (lambda random, n: (random.set_row(0), random.normal(2))[1], r'between 0 and 1'),
    (lambda random, n: random.integers(n, 1, 0), 'bound is 0'),
    (lambda random, n: random.integers(n, 1, 2**24 + 1), 'bound is 16777217'),
])
def test_generator_misuse(use, message):
    source = fm.Source.callback(1, lambda random, first_row, n: use(random, n))
    with pytest.raises(fm.FlowmatchError, match=message):
        source.draw(4)


@pytest.mark.parametrize('returned, message', [
    (lambda n: np.zeros((n, 3)), r'what draw returned has shape \(4, 3\); it must be \(n, 2\)'),
    (lambda n: np.zeros((n + 1, 2)), r'what draw returned has shape \(5, 2\); it must be \(4, 2\)'),
    (lambda n: np.zeros(n), r'what draw returned has shape \(4,\)'),
])
def test_callback_returns_a_wrong_shape(returned, message):
    with pytest.raises(fm.ShapeError, match=message):
        fm.Source.callback(2, lambda random, first_row, n: returned(n)).draw(4)


def test_callback_returns_a_nan():
    def draw(random, first_row, n):
        return np.where(np.arange(n) == 2, np.nan, 0)
    with pytest.raises(fm.NotFiniteError, match='row 2'):
        fm.Source.callback(1, draw).draw(4)


@pytest.mark.parametrize('make, error, message', [
    (lambda: fm.Source.normal(0), fm.ArgumentError, 'dim is 0'),
    (lambda: fm.Source.normal(2**40), fm.ArgumentError, 'dim is 1099511627776'),
    (lambda: fm.Source.normal('1'), TypeError, 'str'),
    (lambda: fm.Source.array(np.zeros((2, 2, 2))), fm.ShapeError, r'rows has shape \(2, 2, 2\)'),
    (lambda: fm.Source.array(np.zeros((2, 2), complex)), TypeError, 'complex128'),
    (lambda: fm.Source.array(['a']), TypeError, 'real numbers'),
    (lambda: fm.Source.array([[1.0, np.inf]]), fm.NotFiniteError, 'column 1'),
    (lambda: fm.Source.array([1e300]), fm.NotFiniteError, 'row 0'),
    (lambda: fm.Source.array([1.0], order='random'), fm.ArgumentError, "'random'.*'shuffled'"),
    (lambda: fm.Source.gaussian_mixture([1, 1], [0], [1]), fm.ShapeError, 'means has shape'),
    (lambda: fm.Source.gaussian_mixture([1], [[0, 0]], [1]), fm.ShapeError, 'stds has shape'),
    (lambda: fm.Source.gaussian_mixture([1], [0], [-1]), fm.ArgumentError, 'stds'),
    (lambda: fm.Source.normal(1).draw(-1), fm.ArgumentError, 'n is -1'),
    (lambda: fm.Source.normal(1).draw(1, seed=-1), fm.ArgumentError, 'seed is -1'),
    (lambda: fm.Source.normal(1).rows(), fm.UnsupportedError, ''),
])
def test_misuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_no_rows_are_a_valid_number_of_rows(target):
    assert target.draw(0).shape == (0, 1)


def test_a_function_lives_as_long_as_its_source():
    def draw(random, first_row, n):
        return random.normal(n)
    alive = weakref.ref(draw)
    source = fm.Source.callback(1, draw)
    del draw
    gc.collect()
    assert alive() is not None and source.draw(3).shape == (3, 1)
    del source
    gc.collect()
    assert alive() is None


@pytest.fixture
def labelled():
    random = np.random.default_rng(3)
    return (random.normal(size=(50, 2)).astype(np.float32),
            random.integers(0, 3, size=50).astype(np.float32),
            random.uniform(size=50).astype(np.float32))


def expect_rows_of(source, labelled):
    """One epoch is every row once, with its own label and weight."""
    x, label, weight = labelled
    drawn = source.draw_rows(50, seed=4)
    assert np.array_equal(drawn.x, source.draw(50, seed=4))
    place = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in drawn.x]
    assert sorted(place) == list(range(50)) and place != sorted(place)
    assert np.array_equal(drawn.condition, label[place, None])
    assert np.array_equal(drawn.weight, weight[place])
    assert np.array_equal(source.conditions(), label[:, None])
    assert np.array_equal(source.weights(5, 10), weight[5:15])
    assert (source.dim, source.condition_dim, source.weighted) == (2, 1, True)


@pytest.mark.parametrize('copy', [True, False])
def test_array_with_conditions_and_weights(labelled, copy):
    x, label, weight = labelled
    expect_rows_of(fm.Source.array(x, copy=copy, conditions=label, weights=weight), labelled)
    with pytest.raises(fm.ShapeError, match='conditions'):
        fm.Source.array(x, conditions=label[1:])
    with pytest.raises(fm.ShapeError, match='weights'):
        fm.Source.array(x, weights=weight[1:])
    with pytest.raises(fm.ArgumentError, match='every row is 0'):
        fm.Source.array(x, weights=np.zeros(50))


@pytest.mark.parametrize('dtype', ['<f4', '>f4', '<f8'])
def test_columns_of_files(tmp_path, labelled, dtype):
    x, label, weight = labelled
    table = np.column_stack([label, x[:, 0], weight, x[:, 1]]).astype(dtype)
    np.save(tmp_path / 'table.npy', table)
    np.savetxt(tmp_path / 'table.csv', table, delimiter=',', fmt='%.9g')
    for make, path in (fm.Source.npy, 'table.npy'), (fm.Source.csv, 'table.csv'):
        expect_rows_of(make(tmp_path / path, condition_columns=[0], weight_column=2), labelled)
        turned = make(tmp_path / path, columns=[3, 1], order='sequential')
        assert np.array_equal(turned.draw(50), x[:, ::-1])
        assert turned.condition_dim == 0 and not turned.weighted
        assert np.array_equal(turned.draw_rows(2).weight, [1, 1])
        with pytest.raises(fm.ArgumentError, match='column 1 is named twice'):
            make(tmp_path / path, columns=[1, 1])


@pytest.mark.parametrize('dtype', ['<f4', '>f4', '<f8', 'i1', '<i2', '>i4', '<i8', 'u1', '<u2',
                                   '>u4', '<u8', '?'])
def test_npy_reads_what_numpy_saves(tmp_path, dtype):
    values = np.random.default_rng(1).integers(0, 100, size=(30, 3)).astype(dtype)
    for array in values, values[:, 0]:
        np.save(tmp_path / 'a.npy', array)
        rows = fm.Source.npy(tmp_path / 'a.npy').rows()
        assert np.array_equal(rows, array.reshape(30, -1).astype(np.float32))


def test_npy_refuses_with_a_reason(tmp_path):
    path = tmp_path / 'a.npy'
    np.save(path, np.asfortranarray(np.ones((3, 2), np.float32)))
    with pytest.raises(fm.UnsupportedError, match='Fortran order'):
        fm.Source.npy(path)
    np.save(path, np.ones((3, 2, 2), np.float32))
    with pytest.raises(fm.UnsupportedError, match='3 dimensions'):
        fm.Source.npy(path)
    np.save(path, np.array([[1, 2], [3, np.nan]]))
    with pytest.raises(fm.NotFiniteError, match=r'a.npy: row 1, column 1 is nan'):
        fm.Source.npy(path).draw(2)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(fm.FileFormatError, match='31 bytes'):
        fm.Source.npy(path)


def test_callback_with_conditions_and_weights():
    def draw(random, first_row, n):
        x = random.normal(n, 2)
        return x, np.sign(x[:, :1]), np.abs(x[:, 1])
    source = fm.Source.callback(2, draw, condition_dim=1, weighted=True)
    rows = source.draw_rows(40, seed=1)
    assert np.array_equal(rows.x, source.draw(40, seed=1))
    assert np.array_equal(rows.condition, np.sign(rows.x[:, :1]))
    assert np.array_equal(rows.weight, np.abs(rows.x[:, 1]))
    labelled = fm.Source.callback(1, lambda random, first_row, n: (random.normal(n), np.ones(n)),
                                  condition_dim=1)
    assert np.array_equal(labelled.draw_rows(3).condition, np.ones((3, 1)))
    with pytest.raises(fm.ShapeError, match='x and condition'):
        fm.Source.callback(1, lambda random, first_row, n: random.normal(n),
                           condition_dim=1).draw(2)


def test_log_density(target):
    x = np.linspace(-6, 6, 12001)
    density = np.exp(target.log_density(x))
    assert density.dtype == np.float64 and abs(density.sum() * (x[1] - x[0]) - 1) < 1e-6
    with pytest.raises(fm.UnsupportedError):
        fm.Source.array([1, 2, 3]).log_density([1])


def test_toys():
    source = fm.Source.toy('two_moons', 'ffjord', labels=True)
    assert (source.dim, source.condition_dim, source.count) == (2, 1, 0)
    rows = source.draw_rows(20000, seed=2)
    assert set(np.unique(rows.condition)) == {0, 1}
    upper = rows.condition[:, 0] == 0
    assert abs(upper.mean() - 0.5) < 0.02
    np.testing.assert_allclose(rows.x[upper].mean(axis=0), [-1, 4 / np.pi - 0.2], atol=0.06)
    np.testing.assert_allclose(rows.x.std(axis=0), source.moments()[1], rtol=0.02)
    np.testing.assert_allclose(fm.Source.toy('circles', noise=0).draw(2).shape, (2, 2))
    board = fm.Source.toy('checkerboard', 'ffjord')
    np.testing.assert_allclose(board.log_density(board.draw(100)), -np.log(32))
    assert board.log_density([[-3, 3]]) == -np.inf
    with pytest.raises(fm.UnsupportedError):
        source.log_density([[0, 0]])
    with pytest.raises(fm.ArgumentError, match='two_spirals'):
        fm.Source.toy('three_moons')
    with pytest.raises(fm.ArgumentError, match='convention'):
        fm.Source.toy('s_curve', 'ffjord')


@pytest.mark.parametrize('kind', fm.source.TOYS)
def test_every_plain_toy_fits_its_moments(kind):
    source = fm.Source.toy(kind)
    x = source.draw(20000, seed=1)
    mean, std = source.moments()
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(x.std(axis=0), std, rtol=0.03)
