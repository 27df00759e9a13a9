#include "nearest_digits.h"

#include <math.h>
#include <stdlib.h>

enum { NEIGHBOURS = 3 };

struct neighbour {
    int64_t row;
    float square;
};

static float square_distance(const float *a, const float *b)
{
    float sum = 0;

    for (int j = 0; j < PIXELS; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

/** Into a list that is sorted, nearest first, and loses its last. */
static void insert(struct neighbour list[NEIGHBOURS], struct neighbour new)
{
    for (int k = 0; k < NEIGHBOURS; k++)
        if (new.square < list[k].square) {
            struct neighbour farther = list[k];
            list[k] = new;
            new = farther;
        }
}

static struct nearest_digit find(const struct digit_rows *real, const float *image)
{
    struct neighbour list[NEIGHBOURS];
    float label[NEIGHBOURS];

    for (int k = 0; k < NEIGHBOURS; k++)
        list[k] = (struct neighbour){.square = INFINITY};
    for (int64_t i = 0; i < real->n; i++)
        insert(list, (struct neighbour){i, square_distance(image, real->pixels + i * PIXELS)});
    for (int k = 0; k < NEIGHBOURS; k++)
        label[k] = real->labels[list[k].row];
    return (struct nearest_digit){
        .row = list[0].row, .distance = sqrt(list[0].square), .label = label[label[1] == label[2]]};
}

void nearest_digits_find(const struct digit_rows *real, int64_t n, const float *images,
                         struct nearest_digit *nearest)
{
    for (int64_t i = 0; i < n; i++)
        nearest[i] = find(real, images + i * PIXELS);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double nearest_digits_median_distance(int64_t n, const struct nearest_digit *nearest)
{
    double *distances = malloc((size_t)n * sizeof *distances), median = NAN;

    if (!distances)
        return median;
    for (int64_t i = 0; i < n; i++)
        distances[i] = nearest[i].distance;
    qsort(distances, (size_t)n, sizeof *distances, compare);
    median = 0.5 * (distances[(n - 1) / 2] + distances[n / 2]);
    free(distances);
    return median;
}

double nearest_digits_share(int64_t n, const struct nearest_digit *nearest, const float *labels)
{
    int64_t recognised = 0;

    for (int64_t i = 0; i < n; i++)
        recognised += nearest[i].label == labels[i];
    return (double)recognised / (double)n;
}
