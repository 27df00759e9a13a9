#include "compute/instruction_set.h"

#include "flowmatch/context.h"

#include <stddef.h>

#if defined(__x86_64__)

static const struct vector_kernels *avx2_kernels(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &vector_kernels_avx2
                                                                           : NULL;
}

#else

static const struct vector_kernels *avx2_kernels(void)
{
    return NULL;
}

#endif

int32_t instruction_set_best(void)
{
    return avx2_kernels() ? FMATCH_INSTRUCTION_SET_AVX2 : FMATCH_INSTRUCTION_SET_BASELINE;
}

const struct vector_kernels *instruction_set_kernels(int32_t set)
{
    switch (set == FMATCH_INSTRUCTION_SET_AUTO ? instruction_set_best() : set) {
    case FMATCH_INSTRUCTION_SET_BASELINE:
        return &vector_kernels_baseline;
    case FMATCH_INSTRUCTION_SET_AVX2:
        return avx2_kernels();
    default:
        return NULL;
    }
}
