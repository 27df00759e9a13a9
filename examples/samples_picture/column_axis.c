#include "column_axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** 1, or a power of a thousand that spares the axis long numbers. */
static int exponent_of(double largest)
{
    if (largest == 0 || (largest >= 1e-2 && largest < 1e6))
        return 0;
    return 3 * (int)floor(log10(largest) / 3);
}

/** In front of a power of ten, a name needs no more room than this. */
enum { LONGEST_NAME = 40 };

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/** An asterisk would begin slanted text, so it is written as the operator that looks like it. */
static void copy_name(const char *name, char *label)
{
    int length = 0;

    for (; *name && length < LONGEST_NAME; length++) {
        if (*name == '*') {
            memcpy(label, "∗", sizeof "∗" - 1);
            label += sizeof "∗" - 1;
            name++;
            continue;
        }
        do
            *label++ = *name++;
        while (continues(*name));
    }
    strcpy(label, *name ? "…" : "");
}

static void write_label(struct column_axis *column, const char *name, int exponent)
{
    static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    int digits = abs(exponent);

    copy_name(name, column->label);
    if (exponent == 0)
        return;
    size_t length = strlen(column->label);
    snprintf(column->label + length, sizeof column->label - length, "  (10%s%s%s)",
             exponent < 0 ? "⁻" : "", digits < 10 ? "" : raised[digits / 10], raised[digits % 10]);
}

static void find_range(struct column_axis *column, int64_t n)
{
    const double *sides[] = {column->data, column->samples};

    column->low = INFINITY;
    column->high = -INFINITY;
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < n; i++) {
            column->low = fmin(column->low, sides[s][i]);
            column->high = fmax(column->high, sides[s][i]);
        }
    /* A column that hardly varies beside its size would get numbers of many digits. */
    double least = 1e-5 * fmax(fabs(column->low), fabs(column->high));
    double room = fmax(0.04 * (column->high - column->low), least > 0 ? least : 1);
    column->low -= room;
    column->high += room;
}

static void fill_shares(struct column_axis *column, int64_t n, const double *values, double *share)
{
    for (int64_t i = 0; i < n; i++) {
        double position = (values[i] - column->low) / (column->high - column->low);
        int bin = (int)(position * column->bins);
        share[bin] += 1 / (double)n;
        column->highest = fmax(column->highest, share[bin]);
    }
}

bool column_axis_create(struct column_axis *column, const struct samples_picture *picture,
                        int32_t index)
{
    int64_t n = picture->n;
    double largest = 0;

    *column = (struct column_axis){.data = malloc((size_t)n * sizeof(double)),
                                   .samples = malloc((size_t)n * sizeof(double))};
    if (!column->data || !column->samples)
        return false;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(picture->data[i * picture->dim + index]));
    int exponent = exponent_of(largest);
    column->unit = pow(10, exponent);
    for (int64_t i = 0; i < n; i++) {
        column->data[i] = picture->data[i * picture->dim + index] / column->unit;
        column->samples[i] = picture->samples[i * picture->dim + index] / column->unit;
    }
    find_range(column, n);
    /* Few rows in many bins show nothing but chance. */
    column->bins = (int)fmax(8, fmin(1.5 * sqrt((double)n), COLUMN_BINS));
    fill_shares(column, n, column->data, column->data_share);
    fill_shares(column, n, column->samples, column->samples_share);
    write_label(column, picture->names[index], exponent);
    return true;
}

void column_axis_destroy(struct column_axis *column)
{
    free(column->data);
    free(column->samples);
}

struct axis column_axis_of_panel(const struct column_axis *column, int ticks)
{
    return (struct axis){
        .low = column->low, .high = column->high, .ticks = ticks, .label = column->label};
}
