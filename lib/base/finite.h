/* Is every number finite? One pass over the bits, which compilers vectorise. */
#ifndef BASE_FINITE_H
#define BASE_FINITE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool finite_all(int64_t n, const float *x)
{
    const uint32_t exponent = 0x7f800000; /* all ones in an infinity or a nan */
    uint32_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        found |= (bits & exponent) == exponent;
    }
    return found == 0;
}

/* Index of the first number that is not finite, or n. */
static inline int64_t finite_first_not(int64_t n, const float *x)
{
    int64_t i = 0;
    while (i < n && finite_all(1, x + i))
        i++;
    return i;
}

#endif
