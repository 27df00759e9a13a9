"""The shared library: where it is found, its structs, and one table of its functions."""

import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_int32, c_int64,
                    c_size_t, c_uint32, c_uint64, c_void_p)
from pathlib import Path
from typing import Any, Dict, List, Tuple

#: Number of the binary interface that the structs and the table below describe.
ABI_VERSION = 0

STATUS = c_int32
#: Handles and data travel as plain addresses; the names in the table say what they point to.
HANDLE = NEW_HANDLE_VALUE = FLOATS = DOUBLES = INTEGERS = c_void_p
NEW_HANDLE = POINTER(c_void_p)

TASK = CFUNCTYPE(None, c_void_p, c_int64)
RUN_TASKS = CFUNCTYPE(None, c_void_p, c_int64, TASK, c_void_p)
WRITE_LOG = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
DRAW = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_int64, c_int64, c_void_p)
DRAW_ROWS = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p)
SCHEDULE = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
WEIGH = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p, c_void_p)
PAIR = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_int64, c_int32, c_void_p, c_void_p, c_int32, c_void_p,
                 c_void_p, c_void_p)
DIFFUSION = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p, c_void_p)
RATE = CFUNCTYPE(c_int32, c_void_p, c_int64, POINTER(c_double))
JACOBIAN_VECTOR = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p,
                            c_void_p, c_void_p)
LOG_DENSITY = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p, c_void_p)
EVALUATE = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p)

#: What the library may call after the call that handed it over.
KEPT_CALLBACKS = (WRITE_LOG, DRAW, DRAW_ROWS, EVALUATE, JACOBIAN_VECTOR, SCHEDULE, WEIGH, PAIR,
                  RATE, DIFFUSION)


class BuildInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('blas_threads', c_int32), ('version', c_char_p),
                ('blas_name', c_char_p), ('blas_version', c_char_p), ('blas_core', c_char_p),
                ('blas_threading', c_char_p), ('instruction_set', c_char_p)]


class LogSink(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('write', WRITE_LOG),
                ('destroy', c_void_p), ('user', c_void_p)]


class Executor(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('run', RUN_TASKS),
                ('destroy', c_void_p), ('user', c_void_p)]


class ContextConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('threads', c_int32), ('allocator', c_void_p),
                ('log', POINTER(LogSink)), ('executor', c_void_p), ('instruction_set', c_int32),
                ('matmul', c_int32)]


class ArrayConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('dim', c_int32), ('n', c_int64), ('rows', FLOATS),
                ('memory', c_int32), ('order', c_int32), ('destroy', c_void_p),
                ('user', c_void_p), ('conditions', FLOATS), ('weights', FLOATS),
                ('condition_dim', c_int32), ('flags', c_uint32)]


class CsvConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('order', c_int32), ('columns', INTEGERS),
                ('condition_columns', INTEGERS), ('dim', c_int32), ('condition_dim', c_int32),
                ('weight_column', c_int32), ('flags', c_uint32)]


class NpyConfig(Structure):
    _fields_ = CsvConfig._fields_


class ToyConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('kind', c_int32), ('convention', c_int32),
                ('labels', c_int32), ('noise', c_double)]


class SourceCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('draw', DRAW),
                ('destroy', c_void_p), ('user', c_void_p), ('draw_rows', DRAW_ROWS),
                ('condition_dim', c_int32), ('weighted', c_int32)]


class ScheduleCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('evaluate', SCHEDULE),
                ('destroy', c_void_p), ('user', c_void_p)]


class PathConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('kind', c_int32), ('noise', c_double),
                ('exponent', c_double), ('beta_min', c_double), ('beta_max', c_double),
                ('sigma_min', c_double), ('diffusion', c_double),
                ('schedule', POINTER(ScheduleCallbacks))]


class PathRows(Structure):
    _fields_ = [('struct_size', c_uint32), ('dim', c_int32), ('n', c_int64), ('t', FLOATS),
                ('x0', FLOATS), ('x1', FLOATS), ('z', FLOATS)]


class TimeCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('draw', DRAW),
                ('destroy', c_void_p), ('user', c_void_p)]


class TimeConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('kind', c_int32), ('stratified', c_int32),
                ('grid_count', c_int32), ('margin_start', c_double), ('margin_end', c_double),
                ('mean', c_double), ('deviation', c_double), ('scale', c_double),
                ('exponent', c_double), ('grid', DOUBLES), ('callbacks', POINTER(TimeCallbacks))]


class LossCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('weigh', WEIGH),
                ('destroy', c_void_p), ('user', c_void_p)]


class LossConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('kind', c_int32), ('huber_c', c_double),
                ('weight', c_int32), ('flags', c_uint32), ('adaptive_c', c_double),
                ('adaptive_exponent', c_double), ('callbacks', POINTER(LossCallbacks))]


class SinkhornConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('epsilon_unit', c_int32), ('epsilon', c_double),
                ('tolerance', c_double), ('rho', c_double), ('iterations', c_int64)]


class SemidiscreteConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('batch', c_int32), ('seed', c_uint64),
                ('steps', c_int64), ('learning_rate', c_double), ('averaging', c_double),
                ('tolerance', c_double)]


class CouplingCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('pair', PAIR),
                ('destroy', c_void_p), ('user', c_void_p)]


class CouplingConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('kind', c_int32), ('pairing', c_int32),
                ('batch', c_int32), ('sinkhorn', POINTER(SinkhornConfig)),
                ('semidiscrete', POINTER(SemidiscreteConfig)),
                ('callbacks', POINTER(CouplingCallbacks)),
                ('condition', c_int32), ('flags', c_uint32), ('condition_weight', c_double),
                ('condition_rate', c_double)]


class CouplingRows(Structure):
    _fields_ = [('struct_size', c_uint32), ('dim', c_int32), ('n', c_int64), ('noise', FLOATS),
                ('target', FLOATS), ('condition', FLOATS), ('condition_dim', c_int32),
                ('classes', c_int32)]


class MlpConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('dim', c_int32), ('hidden_layers', c_int32),
                ('hidden_width', c_int32), ('hidden_widths', INTEGERS), ('activation', c_int32),
                ('prediction', c_int32), ('seed', c_uint64), ('data_mean', FLOATS),
                ('data_std', FLOATS), ('noise', HANDLE), ('condition_dim', c_int32),
                ('classes', c_int32), ('embedding_dim', c_int32), ('null_condition', c_int32),
                ('path', POINTER(PathConfig)), ('data', HANDLE), ('condition_mean', FLOATS),
                ('condition_std', FLOATS), ('activations', INTEGERS), ('time_features', c_int32),
                ('time_frequencies', c_int32), ('residual_layers', c_int32),
                ('normalisation', c_int32), ('output_init', c_int32), ('baseline', c_int32)]


class VelocityCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('evaluate', EVALUATE),
                ('destroy', c_void_p), ('user', c_void_p), ('condition_dim', c_int32),
                ('null_condition', c_int32), ('jacobian_vector', JACOBIAN_VECTOR)]


class DivergenceConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('method', c_int32), ('probe', c_int32),
                ('probes', c_int32), ('seed', c_uint64), ('finite_difference', c_double)]


class TensorInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('rank', c_int32), ('shape', c_int64 * 2),
                ('name', c_char_p)]


class TensorMap(Structure):
    _fields_ = [('struct_size', c_uint32), ('renamed', c_int32), ('prefix', c_char_p),
                ('model_names', POINTER(c_char_p)), ('file_names', POINTER(c_char_p))]


class AdamConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('learning_rate', c_double),
                ('beta1', c_double), ('beta2', c_double), ('epsilon', c_double),
                ('weight_decay', c_double)]


class SgdConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('nesterov', c_int32), ('learning_rate', c_double),
                ('momentum', c_double), ('weight_decay', c_double)]


class RateCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('evaluate', RATE),
                ('destroy', c_void_p), ('user', c_void_p)]


class RateConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('kind', c_int32), ('steps', c_int64),
                ('warmup', c_int64), ('end', c_double), ('exponent', c_double),
                ('decay', c_double), ('every', c_int64), ('callbacks', POINTER(RateCallbacks))]


class ValidationConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('patience', c_int32), ('rows', c_int64),
                ('every', c_int64), ('seed', c_uint64), ('source', HANDLE)]


class TrainerConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('batch', c_int32), ('seed', c_uint64),
                ('time', POINTER(TimeConfig)), ('loss', POINTER(LossConfig)),
                ('coupling', POINTER(CouplingConfig)), ('condition_dropout', c_double),
                ('rate', POINTER(RateConfig)), ('steps', c_int64), ('clip_norm', c_double),
                ('average_decay', c_double), ('publish', c_int32), ('accumulate', c_int32),
                ('validation', POINTER(ValidationConfig))]


class ProgressInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('step', c_int64),
                ('steps', c_int64), ('loss', c_double), ('learning_rate', c_double),
                ('seconds', c_double), ('steps_per_second', c_double), ('seconds_left', c_double),
                ('gradient_norm', c_double), ('validation_loss', c_double)]


class TrainerInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('stopped', c_int32), ('steps', c_int64),
                ('rows', c_int64), ('loss', c_double), ('learning_rate', c_double),
                ('gradient_norm', c_double), ('validation_loss', c_double),
                ('best_loss', c_double), ('best_step', c_int64)]


REPORT = CFUNCTYPE(c_int32, c_void_p, POINTER(ProgressInfo))


class ProgressCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('every', c_int64),
                ('report', REPORT), ('user', c_void_p)]


class Batch(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('n', c_int64),
                ('target', FLOATS), ('noise', FLOATS), ('t', FLOATS), ('condition', FLOATS),
                ('weight', FLOATS)]


class StochasticConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('eta', c_double),
                ('diffusion', DIFFUSION), ('user', c_void_p)]


class SamplerConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('solver', c_int32), ('steps', c_int64),
                ('t_start', c_double), ('t_end', c_double), ('guidance_strength', c_double),
                ('guidance_t_start', c_double), ('guidance_t_end', c_double),
                ('guidance', c_int32), ('flags', c_uint32), ('grid', c_int32),
                ('steps_max', c_int32), ('shift', c_double), ('times', DOUBLES),
                ('times_count', c_int64), ('tolerance_absolute', c_double),
                ('tolerance_relative', c_double), ('step_first', c_double),
                ('step_smallest', c_double), ('step_largest', c_double),
                ('stochastic', POINTER(StochasticConfig)), ('inpainting_strength', c_double),
                ('inpainting_t_end', c_double)]


class SamplerInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('rows', c_int64),
                ('stopped', c_int64), ('evaluations', c_int64), ('accepted', c_int64),
                ('rejected', c_int64), ('step_smallest', c_double)]


class SamplerRows(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('t', DOUBLES),
                ('step_smallest', DOUBLES), ('evaluations', INTEGERS), ('accepted', INTEGERS),
                ('rejected', INTEGERS)]


class DensityCallbacks(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('log_density', LOG_DENSITY),
                ('user', c_void_p)]


class LikelihoodConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('solver', c_int32), ('steps', c_int64),
                ('t', c_double), ('divergence', POINTER(DivergenceConfig)),
                ('base', POINTER(DensityCallbacks)), ('guidance_strength', c_double),
                ('guidance_t_start', c_double), ('guidance_t_end', c_double),
                ('guidance', c_int32), ('flags', c_uint32), ('tolerance_absolute', c_double),
                ('tolerance_relative', c_double), ('step_first', c_double),
                ('step_smallest', c_double), ('step_largest', c_double), ('steps_max', c_int64),
                ('rows', POINTER(SamplerRows))]


class MmdConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('estimator', c_int32), ('sigmas', DOUBLES),
                ('count', c_int32), ('flags', c_uint32)]


class SinkhornInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('iterations', c_int64),
                ('epsilon', c_double), ('marginal_error', c_double), ('transport_cost', c_double),
                ('regularised_cost', c_double), ('mass', c_double)]


class SemidiscreteConfig(Structure):
    _fields_ = [('struct_size', c_uint32), ('batch', c_int32), ('seed', c_uint64),
                ('steps', c_int64), ('learning_rate', c_double), ('averaging', c_double),
                ('tolerance', c_double)]

class SemidiscreteInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('flags', c_uint32), ('steps', c_int64),
                ('marginal_error', c_double), ('cost', c_double)]


#: C name of every struct that is mirrored; fmatch_allocator alone is not, as Python has no use
#: for it.
STRUCTS = {
    'fmatch_build_info': BuildInfo,
    'fmatch_log_sink': LogSink,
    'fmatch_executor': Executor,
    'fmatch_context_config': ContextConfig,
    'fmatch_array_config': ArrayConfig,
    'fmatch_csv_config': CsvConfig,
    'fmatch_npy_config': NpyConfig,
    'fmatch_toy_config': ToyConfig,
    'fmatch_source_callbacks': SourceCallbacks,
    'fmatch_schedule_callbacks': ScheduleCallbacks,
    'fmatch_path_config': PathConfig,
    'fmatch_path_rows': PathRows,
    'fmatch_time_callbacks': TimeCallbacks,
    'fmatch_time_config': TimeConfig,
    'fmatch_loss_callbacks': LossCallbacks,
    'fmatch_loss_config': LossConfig,
    'fmatch_coupling_callbacks': CouplingCallbacks,
    'fmatch_coupling_config': CouplingConfig,
    'fmatch_coupling_rows': CouplingRows,
    'fmatch_mlp_config': MlpConfig,
    'fmatch_velocity_callbacks': VelocityCallbacks,
    'fmatch_divergence_config': DivergenceConfig,
    'fmatch_tensor_info': TensorInfo,
    'fmatch_tensor_map': TensorMap,
    'fmatch_adam_config': AdamConfig,
    'fmatch_sgd_config': SgdConfig,
    'fmatch_rate_callbacks': RateCallbacks,
    'fmatch_rate_config': RateConfig,
    'fmatch_validation_config': ValidationConfig,
    'fmatch_trainer_config': TrainerConfig,
    'fmatch_trainer_info': TrainerInfo,
    'fmatch_progress_info': ProgressInfo,
    'fmatch_progress': ProgressCallbacks,
    'fmatch_batch': Batch,
    'fmatch_sampler_config': SamplerConfig,
    'fmatch_stochastic_config': StochasticConfig,
    'fmatch_sampler_info': SamplerInfo,
    'fmatch_sampler_rows': SamplerRows,
    'fmatch_density_callbacks': DensityCallbacks,
    'fmatch_likelihood_config': LikelihoodConfig,
    'fmatch_mmd_config': MmdConfig,
    'fmatch_semidiscrete_config': SemidiscreteConfig,
    'fmatch_semidiscrete_info': SemidiscreteInfo,
    'fmatch_sinkhorn_config': SinkhornConfig,
    'fmatch_sinkhorn_info': SinkhornInfo,
}

#: Every function of the library: its result, then its parameters.
FUNCTIONS: Dict[str, List[Any]] = {
    'fmatch_version_get_abi': [c_int32],
    'fmatch_version_get_text': [c_char_p],
    'fmatch_build_get_info': [None, POINTER(BuildInfo)],
    'fmatch_blas_set_threads': [STATUS, c_int32],
    'fmatch_status_get_name': [c_char_p, STATUS],
    'fmatch_status_get_text': [c_char_p, STATUS],
    'fmatch_error_detail': [c_char_p],
    'fmatch_error_callback_code': [c_int32],

    'fmatch_context_config_init_sized': [None, POINTER(ContextConfig), c_size_t],
    'fmatch_context_create': [STATUS, NEW_HANDLE, POINTER(ContextConfig)],
    'fmatch_context_destroy': [None, NEW_HANDLE],
    'fmatch_context_get_instruction_set': [c_int32, HANDLE],
    'fmatch_context_get_threads': [c_int32, HANDLE],

    'fmatch_random_draw_integer': [None, HANDLE, c_int64, c_int32, c_int32, INTEGERS],
    'fmatch_random_draw_normal': [None, HANDLE, c_int64, c_int32, FLOATS],
    'fmatch_random_draw_uniform': [None, HANDLE, c_int64, c_int32, FLOATS],
    'fmatch_random_set_row': [None, HANDLE, c_int64],

    'fmatch_array_config_init_sized': [None, POINTER(ArrayConfig), c_size_t],
    'fmatch_csv_config_init_sized': [None, POINTER(CsvConfig), c_size_t],
    'fmatch_npy_config_init_sized': [None, POINTER(NpyConfig), c_size_t],
    'fmatch_toy_config_init_sized': [None, POINTER(ToyConfig), c_size_t],
    'fmatch_source_count_rows': [c_int64, HANDLE],
    'fmatch_source_create_array': [STATUS, NEW_HANDLE, HANDLE, POINTER(ArrayConfig)],
    'fmatch_source_create_callback': [STATUS, NEW_HANDLE, HANDLE, c_int32,
                                      POINTER(SourceCallbacks)],
    'fmatch_source_create_csv': [STATUS, NEW_HANDLE, HANDLE, c_char_p, POINTER(CsvConfig)],
    'fmatch_source_create_gaussian_mixture': [STATUS, NEW_HANDLE, HANDLE, c_int32, c_int32, FLOATS,
                                              FLOATS, FLOATS],
    'fmatch_source_create_normal': [STATUS, NEW_HANDLE, HANDLE, c_int32],
    'fmatch_source_create_npy': [STATUS, NEW_HANDLE, HANDLE, c_char_p, POINTER(NpyConfig)],
    'fmatch_source_create_toy': [STATUS, NEW_HANDLE, HANDLE, POINTER(ToyConfig)],
    'fmatch_source_destroy': [None, NEW_HANDLE],
    'fmatch_source_draw': [STATUS, HANDLE, c_uint64, c_int64, c_int64, FLOATS],
    'fmatch_source_draw_rows': [STATUS, HANDLE, c_uint64, c_int64, c_int64, FLOATS, FLOATS, FLOATS],
    'fmatch_source_evaluate_log_density': [STATUS, HANDLE, c_int64, FLOATS, DOUBLES],
    'fmatch_source_evaluate_moments': [STATUS, HANDLE, FLOATS, FLOATS],
    'fmatch_source_get_condition_dim': [c_int32, HANDLE],
    'fmatch_source_get_conditions': [STATUS, HANDLE, c_int64, c_int64, FLOATS],
    'fmatch_source_get_dim': [c_int32, HANDLE],
    'fmatch_source_get_rows': [STATUS, HANDLE, c_int64, c_int64, FLOATS],
    'fmatch_source_get_weighted': [c_int32, HANDLE],
    'fmatch_source_get_weights': [STATUS, HANDLE, c_int64, c_int64, FLOATS],

    'fmatch_path_config_init_sized': [None, POINTER(PathConfig), c_size_t],
    'fmatch_path_evaluate': [STATUS, POINTER(PathConfig), POINTER(PathRows), FLOATS, FLOATS],
    'fmatch_path_evaluate_inverse_ratio': [STATUS, POINTER(PathConfig), c_int64, DOUBLES, DOUBLES],
    'fmatch_path_evaluate_prediction': [STATUS, POINTER(PathConfig), c_int32, c_int32, c_int32,
                                        c_int64, FLOATS, FLOATS, FLOATS, FLOATS],
    'fmatch_path_evaluate_schedule': [STATUS, POINTER(PathConfig), c_int64, DOUBLES, DOUBLES,
                                      DOUBLES, DOUBLES, DOUBLES],
    'fmatch_time_config_init_sized': [None, POINTER(TimeConfig), c_size_t],
    'fmatch_time_draw': [STATUS, HANDLE, POINTER(TimeConfig), c_uint64, c_int64, c_int64, c_int64,
                         FLOATS],
    'fmatch_loss_config_init_sized': [None, POINTER(LossConfig), c_size_t],
    'fmatch_coupling_config_init_sized': [None, POINTER(CouplingConfig), c_size_t],
    'fmatch_coupling_solve': [STATUS, HANDLE, POINTER(CouplingConfig), c_uint64,
                              POINTER(CouplingRows), INTEGERS, INTEGERS, DOUBLES],

    'fmatch_mlp_config_init_sized': [None, POINTER(MlpConfig), c_size_t, c_int32],
    'fmatch_model_count_classes': [c_int32, HANDLE],
    'fmatch_model_count_parameters': [c_int64, HANDLE],
    'fmatch_model_count_tensors': [c_int32, HANDLE],
    'fmatch_model_create_callback': [STATUS, NEW_HANDLE, HANDLE, c_int32,
                                     POINTER(VelocityCallbacks), HANDLE],
    'fmatch_model_create_closed_form': [STATUS, NEW_HANDLE, HANDLE, HANDLE],
    'fmatch_model_create_copy': [STATUS, NEW_HANDLE, HANDLE],
    'fmatch_model_create_mlp': [STATUS, NEW_HANDLE, HANDLE, POINTER(MlpConfig)],
    'fmatch_model_create_rescheduled': [STATUS, NEW_HANDLE, HANDLE, POINTER(PathConfig)],
    'fmatch_model_destroy': [None, NEW_HANDLE],
    'fmatch_model_evaluate': [STATUS, HANDLE, c_int64, FLOATS, FLOATS, FLOATS, FLOATS],
    'fmatch_model_evaluate_density': [STATUS, HANDLE, c_int64, FLOATS, FLOATS, DOUBLES],
    'fmatch_model_evaluate_divergence': [STATUS, HANDLE, POINTER(DivergenceConfig), c_int64, FLOATS,
                                         FLOATS, FLOATS, c_int64, FLOATS, DOUBLES, DOUBLES],
    'fmatch_model_evaluate_irreducible_loss': [STATUS, HANDLE, DOUBLES, DOUBLES],
    'fmatch_model_evaluate_log_density': [STATUS, HANDLE, c_int64, FLOATS, FLOATS, DOUBLES],
    'fmatch_model_evaluate_score': [STATUS, HANDLE, c_int64, FLOATS, FLOATS, FLOATS, FLOATS],
    'fmatch_divergence_config_init_sized': [None, POINTER(DivergenceConfig), c_size_t],
    'fmatch_model_get_condition_dim': [c_int32, HANDLE],
    'fmatch_model_get_dim': [c_int32, HANDLE],
    'fmatch_model_get_noise': [STATUS, HANDLE, POINTER(HANDLE)],
    'fmatch_model_get_tensor': [STATUS, HANDLE, c_char_p, c_int64, FLOATS],
    'fmatch_model_get_tensor_info': [STATUS, HANDLE, c_int32, POINTER(TensorInfo)],
    'fmatch_model_load': [STATUS, NEW_HANDLE, HANDLE, c_char_p],
    'fmatch_model_load_tensors': [STATUS, HANDLE, c_char_p, POINTER(TensorMap)],
    'fmatch_model_save': [STATUS, HANDLE, c_char_p],
    'fmatch_model_set_tensor': [STATUS, HANDLE, c_char_p, c_int64, FLOATS],

    'fmatch_adam_config_init_sized': [None, POINTER(AdamConfig), c_size_t, c_int32],
    'fmatch_optimizer_create_adam': [STATUS, NEW_HANDLE, HANDLE, POINTER(AdamConfig)],
    'fmatch_optimizer_create_sgd': [STATUS, NEW_HANDLE, HANDLE, POINTER(SgdConfig)],
    'fmatch_optimizer_destroy': [None, NEW_HANDLE],
    'fmatch_optimizer_get_learning_rate': [c_double, HANDLE],
    'fmatch_optimizer_set_learning_rate': [STATUS, HANDLE, c_double],
    'fmatch_sgd_config_init_sized': [None, POINTER(SgdConfig), c_size_t, c_int32],

    'fmatch_rate_config_init_sized': [None, POINTER(RateConfig), c_size_t],
    'fmatch_rate_evaluate': [STATUS, POINTER(RateConfig), c_int64, c_int64, c_int64, DOUBLES],

    'fmatch_trainer_config_init_sized': [None, POINTER(TrainerConfig), c_size_t, c_int32],
    'fmatch_trainer_count_steps': [c_int64, HANDLE],
    'fmatch_trainer_create': [STATUS, NEW_HANDLE, HANDLE, HANDLE, HANDLE, POINTER(TrainerConfig)],
    'fmatch_trainer_destroy': [None, NEW_HANDLE],
    'fmatch_trainer_evaluate': [STATUS, HANDLE, c_uint64, c_int64, DOUBLES],
    'fmatch_trainer_evaluate_batch': [STATUS, HANDLE, POINTER(Batch), DOUBLES],
    'fmatch_trainer_get_gradient': [STATUS, HANDLE, c_char_p, c_int64, FLOATS],
    'fmatch_trainer_get_info': [STATUS, HANDLE, POINTER(TrainerInfo)],
    'fmatch_trainer_get_losses': [STATUS, HANDLE, c_int64, c_int64, DOUBLES],
    'fmatch_trainer_load': [STATUS, HANDLE, c_char_p],
    'fmatch_trainer_run': [STATUS, HANDLE, c_int64, POINTER(ProgressCallbacks)],
    'fmatch_trainer_run_batch': [STATUS, HANDLE, POINTER(Batch), DOUBLES],
    'fmatch_trainer_save': [STATUS, HANDLE, c_char_p],
    'fmatch_trainer_save_history': [STATUS, HANDLE, c_char_p, c_int32],
    'fmatch_validation_config_init_sized': [None, POINTER(ValidationConfig), c_size_t],

    'fmatch_sampler_config_init_sized': [None, POINTER(SamplerConfig), c_size_t, c_int32],
    'fmatch_sampler_count_evaluations': [c_int64, HANDLE],
    'fmatch_sampler_count_times': [c_int64, HANDLE],
    'fmatch_sampler_create': [STATUS, NEW_HANDLE, HANDLE, POINTER(SamplerConfig)],
    'fmatch_sampler_destroy': [None, NEW_HANDLE],
    'fmatch_sampler_draw': [STATUS, HANDLE, c_uint64, c_int64, c_int64, FLOATS, FLOATS],
    'fmatch_sampler_draw_inpainted': [STATUS, HANDLE, c_uint64, c_int64, c_int64, FLOATS, FLOATS,
                                      FLOATS, FLOATS],
    'fmatch_sampler_draw_trajectory': [STATUS, HANDLE, c_uint64, c_int64, c_int64, FLOATS, FLOATS],
    'fmatch_sampler_get_info': [STATUS, HANDLE, POINTER(SamplerInfo)],
    'fmatch_sampler_get_rows': [STATUS, HANDLE, c_int64, c_int64, POINTER(SamplerRows)],
    'fmatch_sampler_get_times': [STATUS, HANDLE, DOUBLES],
    'fmatch_sampler_integrate': [STATUS, HANDLE, c_int64, FLOATS, FLOATS, FLOATS],
    'fmatch_sampler_integrate_stochastic': [STATUS, HANDLE, c_uint64, c_int64, c_int64, FLOATS,
                                            FLOATS, FLOATS],
    'fmatch_sampler_integrate_trajectory': [STATUS, HANDLE, c_int64, FLOATS, FLOATS, FLOATS],
    'fmatch_stochastic_config_init_sized': [None, POINTER(StochasticConfig), c_size_t],

    'fmatch_semidiscrete_config_init_sized': [None, POINTER(SemidiscreteConfig), c_size_t],
    'fmatch_sinkhorn_config_init_sized': [None, POINTER(SinkhornConfig), c_size_t],
    'fmatch_transport_draw_columns': [STATUS, HANDLE, c_int64, c_int64, DOUBLES, c_uint64, c_int64,
                                      INTEGERS],
    'fmatch_transport_evaluate_condition_weight': [STATUS, c_int64, DOUBLES, DOUBLES, c_double,
                                                   DOUBLES],
    'fmatch_transport_evaluate_semidiscrete': [STATUS, HANDLE, c_int32, c_int64, FLOATS, c_int64,
                                               FLOATS, DOUBLES, INTEGERS],
    'fmatch_transport_solve_assignment': [STATUS, HANDLE, c_int64, DOUBLES, INTEGERS, DOUBLES],
    'fmatch_transport_solve_assignment_points': [STATUS, HANDLE, c_int32, c_int64, FLOATS, FLOATS,
                                                 INTEGERS, DOUBLES],
    'fmatch_transport_solve_semidiscrete': [STATUS, HANDLE, HANDLE, c_int64, FLOATS, DOUBLES,
                                            POINTER(SemidiscreteConfig), DOUBLES,
                                            POINTER(SemidiscreteInfo)],
    'fmatch_transport_solve_sinkhorn': [STATUS, HANDLE, c_int64, c_int64, DOUBLES, DOUBLES, DOUBLES,
                                        POINTER(SinkhornConfig), DOUBLES, DOUBLES, DOUBLES,
                                        POINTER(SinkhornInfo)],

    'fmatch_likelihood_config_init_sized': [None, POINTER(LikelihoodConfig), c_size_t],
    'fmatch_likelihood_draw': [STATUS, HANDLE, POINTER(LikelihoodConfig), c_uint64, c_int64, c_int64,
                               FLOATS, FLOATS, DOUBLES, DOUBLES],
    'fmatch_likelihood_evaluate': [STATUS, HANDLE, POINTER(LikelihoodConfig), c_int64, FLOATS, FLOATS,
                                   c_int64, DOUBLES, DOUBLES, FLOATS],

    'fmatch_metrics_evaluate_energy_distance': [STATUS, c_int32, c_int64, FLOATS, c_int64, FLOATS,
                                                DOUBLES],
    'fmatch_metrics_evaluate_kolmogorov_smirnov': [STATUS, HANDLE, c_int64, FLOATS, c_int64, FLOATS,
                                                   DOUBLES],
    'fmatch_metrics_evaluate_kolmogorov_smirnov_cdf': [STATUS, HANDLE, c_int64, DOUBLES, DOUBLES],
    'fmatch_metrics_evaluate_mmd': [STATUS, HANDLE, c_int32, c_int64, FLOATS, c_int64, FLOATS,
                                    POINTER(MmdConfig), DOUBLES],
    'fmatch_metrics_evaluate_normalised_path_energy': [STATUS, HANDLE, c_int32, c_int64, DOUBLES,
                                                       c_int64, FLOATS, c_double, DOUBLES],
    'fmatch_metrics_evaluate_path': [STATUS, HANDLE, c_int32, c_int64, DOUBLES, c_int64, FLOATS,
                                     DOUBLES, DOUBLES, DOUBLES],
    'fmatch_metrics_evaluate_sinkhorn_divergence': [STATUS, HANDLE, c_int32, c_int64, FLOATS, c_int64,
                                                    FLOATS, POINTER(SinkhornConfig), DOUBLES,
                                                    DOUBLES],
    'fmatch_metrics_evaluate_sliced_wasserstein': [STATUS, HANDLE, c_int32, c_int64, FLOATS, c_int64,
                                                   FLOATS, c_int64, c_uint64, DOUBLES, DOUBLES],
    'fmatch_metrics_evaluate_wasserstein': [STATUS, HANDLE, c_int32, c_int64, FLOATS, FLOATS, DOUBLES,
                                            DOUBLES, DOUBLES],
    'fmatch_metrics_evaluate_wasserstein_1d': [STATUS, HANDLE, c_int64, FLOATS, c_int64, FLOATS,
                                               DOUBLES, DOUBLES],
    'fmatch_mmd_config_init_sized': [None, POINTER(MmdConfig), c_size_t],
}


def _candidates() -> List[Tuple[str, str]]:
    """Where the library may be, best first, as (what to load, why there)."""
    chosen = os.environ.get('FLOWMATCH_LIBRARY')
    if chosen:
        return [(chosen, 'which FLOWMATCH_LIBRARY names')]
    names = [f'libflowmatch.so.{ABI_VERSION}', f'libflowmatch.{ABI_VERSION}.dylib']
    found = []
    for name in names:
        beside = Path(__file__).resolve().with_name(name)
        if beside.exists():
            found.append((str(beside), 'beside the package'))
    try:
        from ._installed import LIBRARY_FOLDER
        found += [(str(Path(LIBRARY_FOLDER, name)), 'where it was installed') for name in names
                  if Path(LIBRARY_FOLDER, name).exists()]
    except ImportError:
        pass
    return found + [(name, "by the system's search") for name in names]


def _open() -> ctypes.CDLL:
    failures = []
    for name, reason in _candidates():
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            failures.append(f'{name}, {reason}: {error}')
    raise ImportError('libflowmatch cannot be loaded; set FLOWMATCH_LIBRARY to its path. Tried:\n  '
                      + '\n  '.join(failures))


def _load() -> ctypes.CDLL:
    library = _open()
    for name, (result, *parameters) in FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f'{library._name} has no function {name}; it is not the libflowmatch '
                              f'that this package was made for') from None
        function.restype, function.argtypes = result, parameters
    abi = library.fmatch_version_get_abi()
    if abi != ABI_VERSION:
        raise ImportError(f'{library._name} has the binary interface {abi}; this package was made '
                          f'for {ABI_VERSION}')
    return library


library = _load()
#: What was loaded: a path, or the name that the system's search was given.
PATH: str = library._name
