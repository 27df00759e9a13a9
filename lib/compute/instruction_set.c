#include "compute/instruction_set.h"

#include <flowmatch/context.h>

#include <stdbool.h>
#include <stddef.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const struct instruction_set baseline = {.name = "baseline",
                                                .vectors = &vector_kernels_baseline,
                                                .products = &product_kernels_baseline,
                                                .transport = &transport_kernels_baseline,
                                                .pairs = &pair_kernels_baseline};

#if defined(__x86_64__)

/* Whether the processor has AVX2 and FMA, and the system keeps their registers. The compiler's own
 * answer, __builtin_cpu_supports, brings five kilobytes on all other processors' features. */
static bool has_avx2(void)
{
    const unsigned wanted = bit_FMA | bit_AVX | bit_OSXSAVE, kept = 6; /* XMM and YMM */
    unsigned a, b, c, d, enabled, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & wanted) != wanted)
        return false;
    __asm__ volatile("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
    return (enabled & kept) == kept && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & bit_AVX2) != 0;
}

static const struct instruction_set *avx2_if_there(void)
{
    static const struct instruction_set avx2 = {.name = "AVX2",
                                                .vectors = &vector_kernels_avx2,
                                                .products = &product_kernels_avx2,
                                                .transport = &transport_kernels_avx2,
                                                .pairs = &pair_kernels_avx2};
    return has_avx2() ? &avx2 : NULL;
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
