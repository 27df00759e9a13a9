#include "axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double axis_position(const struct axis *axis, double value)
{
    if (axis->logarithmic)
        return log(value / axis->low) / log(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

/** 1, 2 or 5 times a power of ten: the one that cuts the range into about so many parts. */
static double round_step(double range, int parts, int *decimals)
{
    static const double choices[] = {1, 2, 5, 10};
    double raw = range / parts, power = pow(10, floor(log10(raw))), step = power;
    int best = 0;

    for (int i = 1; i < 4; i++)
        if (fabs(log(choices[i] * power / raw)) < fabs(log(step / raw))) {
            step = choices[i] * power;
            best = i;
        }
    int digits = -(int)floor(log10(power) + 0.5) - (best == 3);
    *decimals = digits > 0 ? digits : 0;
    return step;
}

static void add_tick(struct ticks *ticks, double place)
{
    if (ticks->count == AXIS_TICKS)
        return;
    ticks->number[ticks->count][0] = '\0';
    ticks->place[ticks->count++] = place;
}

/** The number's text, with a real minus sign and thin spaces between thousands. */
static void write_decimal(double value, int decimals, char text[AXIS_NUMBER])
{
    char digits[AXIS_NUMBER];
    double size = fabs(value);

    if (size >= 1e4 && size < 1e6 && decimals == 0)
        snprintf(digits, sizeof digits, "%d\u2009%03d", (int)size / 1000, (int)size % 1000);
    else
        snprintf(digits, sizeof digits, "%.*f", decimals, size);
    snprintf(text, AXIS_NUMBER, "%s%.*s", value < 0 ? "\u2212" : "", AXIS_NUMBER - 5, digits);
}

static void find_linear_ticks(const struct axis *axis, struct ticks *ticks)
{
    int decimals;
    double least = fmin(axis->low, axis->high), most = fmax(axis->low, axis->high);
    double step = round_step(most - least, axis->ticks, &decimals);
    double slack = 1e-9 * step;

    for (double k = ceil((least - slack) / step); k * step <= most + slack; k++) {
        if (k == 0 && axis->no_zero)
            continue;
        add_tick(ticks, k * step);
        write_decimal(k == 0 ? 0 : k * step, decimals, ticks->number[ticks->count - 1]);
    }
}

static void write_power_of_ten(int power, char text[AXIS_NUMBER])
{
    static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};

    snprintf(text, AXIS_NUMBER, "10%s%s", power < 0 ? "⁻" : "", raised[abs(power) % 10]);
}

/** Powers of two where they are few enough to read; else decades, with nine unnumbered steps. */
static void find_logarithmic_ticks(const struct axis *axis, struct ticks *ticks)
{
    double least = fmin(axis->low, axis->high), most = fmax(axis->low, axis->high);

    if (most / least < 300) {
        for (double place = exp2(ceil(log2(least) - 1e-9)); place <= most * 1.000001; place *= 2) {
            add_tick(ticks, place);
            snprintf(ticks->number[ticks->count - 1], AXIS_NUMBER, "%g", place);
        }
        return;
    }
    for (int power = (int)floor(log10(least)); power <= log10(most); power++)
        for (int digit = 1; digit <= 9; digit++) {
            double place = digit * pow(10, power);
            if (place < least * 0.999999 || place > most * 1.000001)
                continue;
            add_tick(ticks, place);
            if (digit == 1)
                write_power_of_ten(power, ticks->number[ticks->count - 1]);
        }
}

void axis_find_ticks(const struct axis *axis, struct ticks *ticks)
{
    ticks->count = 0;
    if (axis->ticks == 0)
        return;
    if (axis->logarithmic)
        find_logarithmic_ticks(axis, ticks);
    else
        find_linear_ticks(axis, ticks);
    if (axis->unnumbered)
        for (int i = 0; i < ticks->count; i++)
            ticks->number[i][0] = '\0';
}
