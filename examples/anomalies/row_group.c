#include "row_group.h"

#include <stdlib.h>

fmatch_status row_group_create(struct row_group *group, const char *name, int64_t n, int32_t dim)
{
    *group = (struct row_group){.name = name, .n = n};
    group->rows = malloc((size_t)(n * dim + 1) * sizeof *group->rows); /* of none as well */
    group->log_density = malloc((size_t)(n + 1) * sizeof *group->log_density);
    return group->rows && group->log_density ? FMATCH_OK : FMATCH_ERROR_NO_MEMORY;
}

void row_group_destroy(struct row_group *group)
{
    free(group->rows);
    free(group->log_density);
    *group = (struct row_group){0};
}

double area_under_curve(int64_t n, const double *normal, int64_t m, const double *odd)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++)
            sum += odd[j] < normal[i] ? 1 : odd[j] == normal[i] ? 0.5 : 0;
    return sum / ((double)n * (double)m);
}

void row_groups_compare(int n, struct row_group *groups)
{
    for (int k = 0; k < n; k++)
        groups[k].area = area_under_curve(groups[0].n, groups[0].log_density, groups[k].n,
                                          groups[k].log_density);
}
