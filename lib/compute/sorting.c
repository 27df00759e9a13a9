#include "compute/sorting.h"

#include <string.h>

/* Least significant digit first, in four passes of eight bits: Knuth, "The Art of Computer
 * Programming" 3, 5.2.5. */

/* Bits whose unsigned order is the order of the floats: all flipped for negative ones, else the
 * sign. */
static uint32_t key_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | UINT32_C(0x80000000);
}

static void sort_by_digit(int64_t n, const float *from, float *to, int shift)
{
    int64_t begin[257] = {0};
    for (int64_t i = 0; i < n; i++)
        begin[(key_of(from[i]) >> shift & 255) + 1]++;
    for (int digit = 0; digit < 256; digit++)
        begin[digit + 1] += begin[digit];
    for (int64_t i = 0; i < n; i++)
        to[begin[key_of(from[i]) >> shift & 255]++] = from[i];
}

void sorting_ascending(int64_t n, float *x, float *scratch)
{
    for (int shift = 0; shift < 32; shift += 16) {
        sort_by_digit(n, x, scratch, shift);
        sort_by_digit(n, scratch, x, shift + 8);
    }
}
