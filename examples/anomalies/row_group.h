/** Rows of one kind, and how likely a model takes them to be. */
#ifndef EXAMPLES_ROW_GROUP_H
#define EXAMPLES_ROW_GROUP_H

#include <flowmatch/flowmatch.h>

struct row_group {
    const char *name;
    int64_t n;
    float *rows;         /**< [n, dim] */
    double *log_density; /**< [n] */
    double area;         /**< see row_group_compare */
};

/** Without rows and densities. To be destroyed in any case. */
fmatch_status row_group_create(struct row_group *group, const char *name, int64_t n, int32_t dim);
void row_group_destroy(struct row_group *group);

/**
 * The area under the curve of true over false alarms, if the lowest scores raise one: the chance
 * that an odd row has a lower score than a normal one, ties counting half. 0.5 is guessing.
 */
double area_under_curve(int64_t n, const double *normal, int64_t m, const double *odd);

/** Fill in the area of each of n groups by their log-densities; the first of them is the normal
 * one. */
void row_groups_compare(int n, struct row_group *groups);

#endif
