/* How a network sees a condition: a class label as a learned vector, other columns standardised,
 * and the null condition, which stands for all conditions together, as learned vectors of its own.
 */
#ifndef MODEL_CONDITION_H
#define MODEL_CONDITION_H

#include <flowmatch/status.h>

/* Named arrays that a condition adds to a network's. */
enum { CONDITION_TENSORS_MAX = 2 };

/* A row of `columns`: the label first, if there are classes, then the others. A row that begins
 * with nan is the null condition. */
struct condition {
    int32_t columns;
    int32_t classes;   /* 0: no column is a label */
    int32_t embedding; /* length of a label's vector */
    bool null;         /* the null condition can be asked for */
    /* [columns], of which a label's is not used; NULL: 0 and 1. The network sees other columns as
     * (value - mean) / std. */
    const float *mean, *std;
    /* Where the parameters are in the flat array of all: vectors of the labels [classes, embedding]
     * with the null condition's behind them, and the one that stands for the other columns. */
    int64_t label_vectors, null_vector;
};

/* Columns that are no label. */
int32_t condition_plain_columns(const struct condition *c);

/* Numbers that the network sees of a row. */
int32_t condition_width(const struct condition *c);

/* A row, or NULL. */
bool condition_is_null(const float *row);

/* Rows that the caller gave, by name: labels are whole and known, other columns are finite. NULL
 * is n null conditions. */
fmatch_status condition_check(const struct condition *c, const char *name, int64_t n,
                              const float *condition);

/* What the network sees of n rows, at to[i step]; NULL: of the null condition. */
void condition_embed(const struct condition *c, const float *parameters, int64_t n,
                     const float *condition, float *to, int64_t step);

/* Gradient with respect to the vectors, added to `gradient`, from that with respect to what
 * condition_embed wrote. */
void condition_embed_gradient(const struct condition *c, int64_t n, const float *condition,
                              const float *from, int64_t step, float *gradient);

#endif
