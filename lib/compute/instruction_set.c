#include "compute/instruction_set.h"

#include <flowmatch/context.h>

#include <stddef.h>

static const struct instruction_set baseline = {.name = "baseline",
                                                .vectors = &vector_kernels_baseline,
                                                .products = &product_kernels_baseline,
                                                .transport = &transport_kernels_baseline,
                                                .pairs = &pair_kernels_baseline};

#if defined(__x86_64__)

static const struct instruction_set *avx2_if_there(void)
{
    static const struct instruction_set avx2 = {.name = "AVX2",
                                                .vectors = &vector_kernels_avx2,
                                                .products = &product_kernels_avx2,
                                                .transport = &transport_kernels_avx2,
                                                .pairs = &pair_kernels_avx2};
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &avx2 : NULL;
}

#else

static const struct instruction_set *avx2_if_there(void)
{
    return NULL;
}

#endif

int32_t instruction_set_best(void)
{
    return avx2_if_there() ? FMATCH_INSTRUCTION_SET_AVX2 : FMATCH_INSTRUCTION_SET_BASELINE;
}

const struct instruction_set *instruction_set_get(int32_t set)
{
    switch (set == FMATCH_INSTRUCTION_SET_AUTO ? instruction_set_best() : set) {
    case FMATCH_INSTRUCTION_SET_BASELINE:
        return &baseline;
    case FMATCH_INSTRUCTION_SET_AVX2:
        return avx2_if_there();
    default:
        return NULL;
    }
}
