#include "train/history.h"

#include "base/status.h"
#include "format/output_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEPS_AHEAD = 65536, STEPS_FIRST = 8192, VALIDATIONS_FIRST = 256 };

/* ---- memory ---- */

static int64_t capacity_for(int64_t needed, int64_t before, int64_t first)
{
    const int64_t doubled = 2 * before;
    const int64_t least = doubled > first ? doubled : first;
    return needed > least ? needed : least;
}

fmatch_status history_reserve(struct history *h, const fmatch_allocator *allocator, int64_t steps,
                              int64_t ahead)
{
    const int64_t needed = steps + (ahead < STEPS_AHEAD ? ahead : STEPS_AHEAD);
    if (needed <= h->capacity)
        return FMATCH_OK;
    const int64_t capacity = capacity_for(needed, h->capacity, STEPS_FIRST);
    double *block = allocation_create(allocator, HISTORY_COLUMNS * capacity, sizeof *block);
    if (!block)
        return status_no_memory(HISTORY_COLUMNS * (size_t)capacity * sizeof *block);
    double *before = h->column[0];
    for (int c = 0; c < HISTORY_COLUMNS; c++) {
        double *column = block + c * capacity;
        if (steps > 0)
            memcpy(column, h->column[c], (size_t)steps * sizeof *column);
        h->column[c] = column;
    }
    allocation_destroy(allocator, before);
    h->capacity = capacity;
    return FMATCH_OK;
}

fmatch_status history_reserve_validation(struct history *h, const fmatch_allocator *allocator)
{
    if (h->validations < h->validation_capacity)
        return FMATCH_OK;
    const int64_t capacity =
        capacity_for(h->validations + 1, h->validation_capacity, VALIDATIONS_FIRST);
    struct history_validation *more = allocation_create(allocator, capacity, sizeof *more);
    if (!more)
        return status_no_memory((size_t)capacity * sizeof *more);
    if (h->validations > 0)
        memcpy(more, h->validation, (size_t)h->validations * sizeof *more);
    allocation_destroy(allocator, h->validation);
    h->validation = more;
    h->validation_capacity = capacity;
    return FMATCH_OK;
}

fmatch_status history_create(struct history *history, const fmatch_allocator *allocator,
                             int64_t steps, int64_t validations)
{
    double *block = allocation_create(allocator, HISTORY_COLUMNS * (steps + 1), sizeof *block);
    struct history_validation *validation =
        allocation_create(allocator, validations + 1, sizeof *validation);
    *history = (struct history){.capacity = steps + 1,
                                .validations = validations,
                                .validation_capacity = validations + 1,
                                .validation = validation};
    for (int c = 0; c < HISTORY_COLUMNS; c++)
        history->column[c] = block ? block + c * history->capacity : NULL;
    if (block && validation)
        return FMATCH_OK;
    history_destroy(history, allocator);
    return status_no_memory(HISTORY_COLUMNS * (size_t)(steps + 1) * sizeof *block);
}

void history_destroy(struct history *history, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, history->column[0]);
    allocation_destroy(allocator, history->validation);
    *history = (struct history){0};
}

/* ---- records ---- */

void history_record(struct history *h, int64_t step, const struct history_step *record)
{
    h->column[HISTORY_LOSS][step] = record->loss;
    h->column[HISTORY_RATE][step] = record->learning_rate;
    h->column[HISTORY_NORM][step] = record->gradient_norm;
}

void history_record_validation(struct history *h, int64_t step, double loss)
{
    h->validation[h->validations++] = (struct history_validation){.step = step, .loss = loss};
}

struct history_step history_last(const struct history *h, int64_t steps)
{
    if (steps == 0)
        return (struct history_step){NAN, NAN, NAN};
    return (struct history_step){.loss = h->column[HISTORY_LOSS][steps - 1],
                                 .learning_rate = h->column[HISTORY_RATE][steps - 1],
                                 .gradient_norm = h->column[HISTORY_NORM][steps - 1]};
}

/* ---- files ---- */

/* What stands around the rows and before each number. */
static const struct notation {
    const char *begin, *first, *next, *column[HISTORY_COLUMNS + 1], *absent, *row_end, *end;
} notations[] = {
    [FMATCH_HISTORY_CSV] = {.begin = "step,loss,learning_rate,gradient_norm,validation_loss\n",
                            .first = "",
                            .next = "",
                            .column = {",", ",", ",", ","},
                            .absent = "",
                            .row_end = "\n",
                            .end = ""},
    [FMATCH_HISTORY_JSON] = {.begin = "[",
                             .first = "\n{\"step\": ",
                             .next = ",\n{\"step\": ",
                             .column = {", \"loss\": ", ", \"learning_rate\": ",
                                        ", \"gradient_norm\": ", ", \"validation_loss\": "},
                             .absent = "null",
                             .row_end = "}",
                             .end = "\n]\n"},
};

/* The four numbers of a row; a loss that is not finite is none. */
static fmatch_status write_row(struct output_file *file, const struct notation *as, int64_t step,
                               const double *numbers)
{
    char text[512];
    int length =
        snprintf(text, sizeof text, "%s%lld", step > 1 ? as->next : as->first, (long long)step);
    for (int c = 0; c <= HISTORY_COLUMNS; c++)
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "%s%s%s", as->column[c],
                     isfinite(numbers[c]) ? number_text_of_digits(numbers[c], 17).text : as->absent,
                     c < HISTORY_COLUMNS ? "" : as->row_end);
    return output_file_write(file, text, (size_t)length);
}

static fmatch_status write_rows(const struct history *h, int64_t steps, struct output_file *file,
                                const struct notation *as)
{
    RETURN_IF_FAILED(output_file_write(file, as->begin, strlen(as->begin)));
    int64_t v = 0;
    for (int64_t i = 0; i < steps; i++) {
        const bool validated = v < h->validations && h->validation[v].step == i + 1;
        const double numbers[] = {h->column[HISTORY_LOSS][i], h->column[HISTORY_RATE][i],
                                  h->column[HISTORY_NORM][i],
                                  validated ? h->validation[v].loss : NAN};
        v += validated;
        RETURN_IF_FAILED(write_row(file, as, i + 1, numbers));
    }
    return output_file_write(file, as->end, strlen(as->end));
}

fmatch_status history_save(const struct history *history, int64_t steps, const char *path,
                           int32_t format)
{
    struct output_file file;
    RETURN_IF_FAILED(output_file_open(&file, path));
    return output_file_close(&file, write_rows(history, steps, &file, &notations[format]));
}
