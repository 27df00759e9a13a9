#include "model/condition.h"

#include "base/status.h"

#include <math.h>
#include <string.h>

int32_t condition_plain_columns(const struct condition *c)
{
    return c->columns - (c->classes > 0);
}

int32_t condition_width(const struct condition *c)
{
    return c->embedding + condition_plain_columns(c);
}

bool condition_is_null(const float *row)
{
    return !row || isnan(row[0]);
}

static fmatch_status check_row(const struct condition *c, const char *name, int64_t i,
                               const float *row)
{
    if (condition_is_null(row)) {
        if (c->null)
            return FMATCH_OK;
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "%s: row %lld is nan, the null condition, which the model does not have",
                           name, (long long)i);
    }
    if (c->classes > 0 && !(row[0] >= 0 && row[0] < (float)c->classes && row[0] == floorf(row[0])))
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "%s: row %lld has label %s; it must be a whole number between 0 and %d",
                           name, (long long)i, NUMBER(row[0]), (int)c->classes - 1);
    for (int32_t j = c->classes > 0; j < c->columns; j++)
        if (!isfinite(row[j]))
            return status_fail(FMATCH_ERROR_NOT_FINITE, "%s: row %lld, column %d is %s", name,
                               (long long)i, (int)j, NUMBER(row[j]));
    return FMATCH_OK;
}

fmatch_status condition_check(const struct condition *c, const char *name, int64_t n,
                              const float *condition)
{
    if (c->columns == 0)
        return condition ? status_fail(FMATCH_ERROR_ARGUMENT,
                                       "%s is not NULL; the model has no condition", name)
                         : FMATCH_OK;
    if (!condition)
        return c->null || n == 0 ? FMATCH_OK
                                 : status_fail(FMATCH_ERROR_ARGUMENT,
                                               "%s is NULL; the model has no null condition", name);
    for (int64_t i = 0; i < n; i++)
        RETURN_IF_FAILED(check_row(c, name, i, condition + i * c->columns));
    return FMATCH_OK;
}

/* ---- the vectors ---- */

/* Where a row's label has its vector. */
static int64_t label_vector(const struct condition *c, const float *row)
{
    const int32_t label = condition_is_null(row) ? c->classes : (int32_t)row[0];
    return c->label_vectors + (int64_t)label * c->embedding;
}

static const float *row_of(const struct condition *c, const float *condition, int64_t i)
{
    return condition ? condition + i * c->columns : NULL;
}

/* Columns that are no label, of a row that is not the null condition. */
static void embed_plain(const struct condition *c, const float *row, float *to)
{
    const int32_t label = c->classes > 0;
    if (!c->mean) {
        memcpy(to, row + label, (size_t)condition_plain_columns(c) * sizeof *to);
        return;
    }
    for (int32_t j = label; j < c->columns; j++)
        to[j - label] = (row[j] - c->mean[j]) / c->std[j];
}

void condition_embed(const struct condition *c, const float *parameters, int64_t n,
                     const float *condition, float *to, int64_t step)
{
    const size_t plain = (size_t)condition_plain_columns(c);
    for (int64_t i = 0; i < n; i++, to += step) {
        const float *row = row_of(c, condition, i);
        if (c->classes > 0)
            memcpy(to, parameters + label_vector(c, row), (size_t)c->embedding * sizeof *to);
        if (!condition_is_null(row))
            embed_plain(c, row, to + c->embedding);
        else if (plain > 0)
            memcpy(to + c->embedding, parameters + c->null_vector, plain * sizeof *to);
    }
}

static void add(int32_t n, const float *from, float *to)
{
    for (int32_t j = 0; j < n; j++)
        to[j] += from[j];
}

void condition_embed_gradient(const struct condition *c, int64_t n, const float *condition,
                              const float *from, int64_t step, float *gradient)
{
    for (int64_t i = 0; i < n; i++, from += step) {
        const float *row = row_of(c, condition, i);
        if (c->classes > 0)
            add(c->embedding, from, gradient + label_vector(c, row));
        if (condition_is_null(row))
            add(condition_plain_columns(c), from + c->embedding, gradient + c->null_vector);
    }
}
