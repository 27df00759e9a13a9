/* Every row under way has a slot of a lane, where it is at a point of its own: at its start, at the
 * probe for its first step, or at some stage of a step. A round takes the field at the points of
 * all slots in one product, and moves each row on to its next point. A row that has arrived makes
 * room for the next one, so that products are full until the last rows.
 *
 * The state and the time of a row are doubles; the model is asked in floats. Where the divergence
 * is followed too, its integrals, one for each term, are columns behind those of x.
 *
 * Where guidance begins or ends, the field jumps, which an estimate of the error may not see: steps
 * end there, and all stages of a step are guided or none. */
#include "sample/adaptive.h"

#include "base/finite.h"
#include "base/status.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Points before stage 1. */
enum { POINT_START = -1, POINT_PROBE = 0 };

/* Bounds of the factor from one step to the next, and the share of the best guess that is taken. */
static const double SLOWEST = 0.2, FASTEST = 10.0, SAFETY = 0.9;

struct slot {
    struct row_record *record;
    int64_t row;         /* of the call */
    int64_t output;      /* next time of the trajectory */
    double t, h;         /* where the row is; length of the step that is tried */
    double uncut;        /* what it was before it was cut to end where the row's stretch does */
    double end;          /* of that step */
    double stop;         /* up to which the field is smooth */
    double error_before; /* of the last accepted step, in units of the tolerance */
    int32_t point;       /* a stage, or one of the above */
    bool guided;
    bool rejected; /* the step before was */
};

struct lane {
    const struct flow *flow;
    int32_t dim, slopes;
    int32_t width; /* dim, and a column for each term of the divergence */
    double way;    /* 1 or -1 */
    int64_t active;
    struct slot *slot;  /* [rows] */
    double *y, *y_next; /* [rows, width] */
    float *x, *v, *t;   /* [rows, dim], [rows] of the points */
    bool *guided;       /* [rows] */
    float *k;           /* [rows, slopes, width] */
    float *condition;   /* [rows, columns] */
    float *begin;       /* [rows, dim] of the rows that have been fetched */
    struct field_rows rows;
    int64_t fetched, fetched_end; /* of them, those that have no slot yet */
    int64_t fetched_first;        /* where `begin` begins */
};

static int64_t slot_floats(void)
{
    return (int64_t)(sizeof(struct slot) / sizeof(float));
}

static int32_t terms_of(const struct flow *f)
{
    return f->field.divergence ? divergence_terms(f->field.divergence) : 0;
}

int64_t adaptive_lane_size(const struct flow *f, int64_t rows)
{
    const fmatch_model *model = f->field.view.model;
    const int64_t terms = terms_of(f), slopes = f->solver->stages + 1;
    const int64_t of_width = 2 * 2 + slopes, of_dim = 3 + (f->field.guidance.scale != 1.0);
    const int64_t of_divergence = terms > 0 ? 2 * (terms + 2) : 0;
    const int64_t floats = rows * (of_width * (model->dim + terms) + of_dim * model->dim +
                                   of_divergence + model->condition.columns + 2 + slot_floats());
    return (floats + 15) / 16 * 16 + field_scratch_size(&f->field, rows);
}

static struct lane lane_in(const struct flow *f, int64_t number)
{
    const fmatch_model *model = f->field.view.model;
    const int64_t rows = f->lane_rows, cells = rows * model->dim;
    struct lane l = {.flow = f,
                     .dim = model->dim,
                     .slopes = f->solver->stages + 1,
                     .width = model->dim + terms_of(f),
                     .way = f->grid->end < f->grid->start ? -1.0 : 1.0};
    float *room = f->room + number * f->lane_size;
    l.rows.scratch = room;
    room += field_scratch_size(&f->field, rows);
    l.slot = (struct slot *)(void *)room; /* aligned for any type */
    room += rows * slot_floats();
    l.y = (double *)(void *)room;
    l.y_next = l.y + rows * l.width;
    l.x = (float *)(l.y_next + rows * l.width);
    if (f->field.divergence) {
        double *weight = (double *)(void *)l.x;
        l.rows.weight = 1.0;
        l.rows.divergence = (struct divergence){.method = f->field.divergence,
                                                .row = (int64_t *)(void *)(weight + rows),
                                                .weight = weight,
                                                .terms = weight + 2 * rows,
                                                .stride = rows};
        l.x += 2 * rows * (2 + terms_of(f));
    }
    l.v = l.x + cells;
    l.begin = l.v + cells;
    l.k = l.begin + cells;
    l.condition = l.k + l.slopes * rows * l.width;
    l.rows.t = l.t = l.condition + rows * model->condition.columns;
    l.rows.guided = l.guided = (bool *)(l.t + rows);
    l.rows.null_velocity = f->field.guidance.scale != 1.0 ? l.t + 2 * rows : NULL;
    l.rows.x = l.x;
    l.rows.condition = f->passage.condition ? l.condition : NULL;
    return l;
}

/* ---- what a slot holds ---- */

static double tolerance_of(const struct step_control *control, double one, double other)
{
    return control->absolute + control->relative * fmax(fabs(one), fabs(other));
}

static float *slope_of(const struct lane *l, const struct slot *s, int32_t i)
{
    return l->k + ((s - l->slot) * l->slopes + i) * l->width;
}

static double *row_of(const struct lane *l, const struct slot *s, double *array)
{
    return array + (s - l->slot) * l->width;
}

/* to = y + h sum over the first n of weights[j] k[j] */
static void combine(const struct lane *l, const struct slot *s, double h, int32_t n,
                    const double *weights, double *to)
{
    const float *k = slope_of(l, s, 0);
    memcpy(to, row_of(l, s, l->y), (size_t)l->width * sizeof *to);
    for (int32_t j = 0; j < n; j++, k += l->width) {
        const double scale = h * weights[j];
        for (int32_t d = 0; d < l->width; d++)
            to[d] += scale * k[d];
    }
}

/* Root of the mean square of h sum of weights[j] k[j], in units of the tolerance, which is for the
 * larger one of two states. The integral of the divergence, which is the mean of its columns, has
 * the tolerance to itself, so that it counts the same in many dimensions: the larger one of x's
 * norm and its own is what counts. */
static double norm_of(const struct lane *l, const struct slot *s, double h, int32_t n,
                      const double *weights, const double *other)
{
    const struct step_control *control = l->flow->control;
    const double *y = row_of(l, s, l->y);
    const float *k = slope_of(l, s, 0);
    double sum = 0.0, mean_error = 0.0, mean = 0.0, other_mean = 0.0;
    const int32_t terms = l->width - l->dim;
    for (int32_t d = 0; d < l->width; d++) {
        double error = 0.0;
        for (int32_t j = 0; j < n; j++)
            error += weights[j] * k[j * l->width + d];
        if (d >= l->dim) {
            mean_error += error / terms;
            mean += y[d] / terms;
            other_mean += other[d] / terms;
            continue;
        }
        const double part = h * error / tolerance_of(control, y[d], other[d]);
        sum += part * part;
    }
    return fmax(sqrt(sum / l->dim), fabs(h * mean_error) / tolerance_of(control, mean, other_mean));
}

/* ---- what comes out ---- */

/* The state at a share of the step from y to y_next: the quartic that has their values and slopes,
 * and the value that the solver knows in the middle. */
static void interpolate(const struct lane *l, const struct slot *s, double share, float *x)
{
    const struct solver *solver = l->flow->solver;
    const double h = s->end - s->t;
    const double *y = row_of(l, s, l->y), *next = row_of(l, s, l->y_next);
    const double *middle = solver_middle_row(solver);
    const float *k = slope_of(l, s, 0);
    for (int32_t d = 0; d < l->dim; d++) {
        double rise = 0.0;
        for (int32_t j = 0; j < l->slopes; j++)
            rise += middle[j] * k[j * l->width + d];
        const double half = h * rise, whole = next[d] - y[d];
        const double first = h * k[d], last = h * k[(l->slopes - 1) * l->width + d];
        const double a4 = 2.0 * (last - first) - 8.0 * whole + 16.0 * half;
        const double a3 = 5.0 * first - 3.0 * last + 14.0 * whole - 32.0 * half;
        const double a2 = last - 4.0 * first - 5.0 * whole + 16.0 * half;
        x[d] = (float)(y[d] + share * (first + share * (a2 + share * (a3 + share * a4))));
    }
}

static void narrow(int32_t dim, const double *y, float *x)
{
    for (int32_t d = 0; d < dim; d++)
        x[d] = (float)y[d];
}

/* Times of the trajectory up to the end of the step, or at the start. */
static void put_outputs(const struct lane *l, struct slot *s)
{
    const struct flow *f = l->flow;
    const struct passage *p = &f->passage;
    for (; p->trajectory && s->output <= f->grid->steps; s->output++) {
        const double t = grid_time(f->grid, s->output);
        if (l->way * t > l->way * s->end)
            return;
        float *x = p->trajectory + (s->output * p->n + s->row) * l->dim;
        if (t == s->end)
            narrow(l->dim, row_of(l, s, l->y_next), x);
        else
            interpolate(l, s, (t - s->t) / (s->end - s->t), x);
    }
}

/* The row's way ends here; times of the trajectory that it has not reached are nan. */
static void finish(const struct lane *l, struct slot *s, enum row_outcome outcome)
{
    const struct flow *f = l->flow;
    const struct passage *p = &f->passage;
    s->record->outcome = (int32_t)outcome;
    s->record->t = s->t;
    if (p->x_end)
        narrow(l->dim, row_of(l, s, l->y), p->x_end + s->row * l->dim);
    if (p->integral) {
        const struct divergence d = {
            .method = f->field.divergence, .terms = row_of(l, s, l->y) + l->dim, .stride = 1};
        divergence_mean(&d, 1, p->integral + s->row,
                        p->standard_error ? p->standard_error + s->row : NULL);
    }
    for (; p->trajectory && s->output <= f->grid->steps; s->output++)
        for (int32_t d = 0; d < l->dim; d++)
            p->trajectory[(s->output * p->n + s->row) * l->dim + d] = NAN;
}

/* ---- control ---- */

/* The next stretch of the row's way on which it is guided, or not, all along. Under the null
 * condition nothing is, and the field is smooth to the end. */
static void begin_stretch(const struct lane *l, struct slot *s)
{
    const struct guidance *g = &l->flow->field.guidance;
    const int32_t columns = l->flow->field.view.model->condition.columns;
    const float *condition = l->flow->passage.condition;
    s->stop = l->flow->grid->end;
    if (!condition || condition_is_null(condition + s->row * columns))
        return;
    s->stop = guidance_stretch(g, s->t, s->stop);
    s->guided = guidance_acts(g, 0.5 * (s->t + s->stop));
}

static double smallest_step(const struct lane *l)
{
    return fmax(l->flow->control->smallest, 4.0 * DBL_EPSILON); /* of times up to 1 */
}

/* Brings a guess to what is allowed, and cuts it to what is left. */
static void try_step(const struct lane *l, struct slot *s, double h)
{
    const struct step_control *control = l->flow->control;
    const double left = fabs(s->stop - s->t);
    h = fmin(fmax(h, smallest_step(l)), control->largest);
    const bool last = 1.01 * h >= left; /* rather than a sliver for the next one */
    s->uncut = h;
    s->h = last ? left : h;
    s->end = last ? s->stop : s->t + l->way * h;
    s->point = 1;
    if (s->record->accepted + s->record->rejected >= control->steps_max)
        finish(l, s, ROW_STEP_LIMIT);
}

static void reject(const struct lane *l, struct slot *s, double factor, bool overflowed)
{
    s->record->rejected++;
    s->rejected = true;
    if (s->h > smallest_step(l))
        try_step(l, s, factor * s->h);
    else
        finish(l, s, overflowed ? ROW_NOT_FINITE : ROW_STEP_LIMIT);
}

static void accept(const struct lane *l, struct slot *s, double factor)
{
    struct row_record *record = s->record;
    record->accepted++;
    record->smallest = record->accepted == 1 ? s->h : fmin(record->smallest, s->h);
    put_outputs(l, s);
    memcpy(row_of(l, s, l->y), row_of(l, s, l->y_next), (size_t)l->width * sizeof *l->y);
    memcpy(slope_of(l, s, 0), slope_of(l, s, l->slopes - 1), (size_t)l->width * sizeof *l->k);
    s->t = s->end;
    s->rejected = false;
    if (s->t == l->flow->grid->end) {
        finish(l, s, ROW_ARRIVED);
    } else if (s->t == s->stop) {
        begin_stretch(l, s);
        s->h = s->h < s->uncut ? s->uncut : factor * s->h; /* of a cut one the error says little */
        s->point = POINT_START;
    } else {
        try_step(l, s, factor * s->h);
    }
}

/* PI control with the constants of Hairer and Wanner, "Solving Ordinary Differential Equations II",
 * IV.2: beta is 0.3 / q, 0.06 of a pair 5(4), where the error is of order h^q. */
static void judge(const struct lane *l, struct slot *s)
{
    const struct solver *solver = l->flow->solver;
    const double q = solver->error_order + 1.0, beta = 0.3 / q;
    const double error =
        norm_of(l, s, s->end - s->t, l->slopes, solver_error_row(solver), row_of(l, s, l->y_next));
    const double guess = SAFETY * pow(error, 0.75 * beta - 1.0 / q);
    if (!(error <= 1.0)) {
        reject(l, s, fmax(guess, SLOWEST), false);
        return;
    }
    const double highest = s->rejected ? 1.0 : FASTEST;
    const double factor = guess * pow(s->error_before, beta);
    s->error_before = fmax(error, 1e-4);
    accept(l, s, fmin(fmax(factor, SLOWEST), highest));
}

/* ---- the first step, as Hairer, Norsett, Wanner, volume I, II.4, choose it ---- */

static void begin_probe(const struct lane *l, struct slot *s)
{
    const struct step_control *control = l->flow->control;
    const double *y = row_of(l, s, l->y);
    const double one = 1.0;
    double sum = 0.0;
    for (int32_t d = 0; d < l->dim; d++)
        sum += pow(y[d] / tolerance_of(control, y[d], y[d]), 2.0);
    const double size = sqrt(sum / l->dim), slope = norm_of(l, s, 1.0, 1, &one, y);
    const double h = size < 1e-5 || slope < 1e-5 ? 1e-6 : 0.01 * size / slope;
    s->h = fmin(h, fabs(s->stop - s->t));
    s->point = POINT_PROBE;
}

static void end_probe(const struct lane *l, struct slot *s)
{
    const double q = l->flow->solver->error_order + 1.0;
    const double *y = row_of(l, s, l->y);
    const double differences[] = {-1.0 / s->h, 1.0 / s->h}, one = 1.0;
    const double slope = norm_of(l, s, 1.0, 1, &one, y);
    const double bend = norm_of(l, s, 1.0, 2, differences, y);
    const double most = fmax(slope, bend);
    const double h = most <= 1e-15 ? fmax(1e-6, 1e-3 * s->h) : pow(0.01 / most, 1.0 / q);
    try_step(l, s, fmin(100.0 * s->h, h));
}

/* ---- from point to point ---- */

/* The field at the slot's point. */
static void receive(const struct lane *l, struct slot *s)
{
    const int64_t i = s - l->slot;
    const struct flow *f = l->flow;
    const int32_t point = s->point, slope = point == POINT_START   ? 0
                                            : point == POINT_PROBE ? 1
                                                                   : point;
    float *k = slope_of(l, s, slope);
    memcpy(k, l->v + i * l->dim, (size_t)l->dim * sizeof *k);
    for (int32_t j = 0; j < l->width - l->dim; j++)
        k[l->dim + j] = (float)l->rows.divergence.terms[j * l->rows.divergence.stride + i];
    s->record->evaluations += 1 + s->guided;
    if (!finite_all(l->width, k)) {
        if (point == POINT_START)
            finish(l, s, ROW_NOT_FINITE);
        else if (point == POINT_PROBE)
            try_step(l, s, 0.1 * s->h);
        else
            reject(l, s, SLOWEST, true);
        return;
    }
    if (point == POINT_START && s->h > 0.0)
        try_step(l, s, s->h);
    else if (point == POINT_START)
        begin_probe(l, s);
    else if (point == POINT_PROBE)
        end_probe(l, s);
    else if (point == f->solver->stages)
        judge(l, s);
    else
        s->point++;
}

/* Writes the slot's point to where the field is taken; false if it is no row of floats. */
static bool put_point(const struct lane *l, const struct slot *s)
{
    static const double one = 1.0;
    const int64_t i = s - l->slot;
    double *y = row_of(l, s, l->y_next);
    if (s->point > 0) {
        const double *row = solver_row(l->flow->solver, s->point);
        combine(l, s, s->end - s->t, s->point, row + 1, y);
        l->t[i] = (float)(row[0] == 1.0 ? s->end : s->t + row[0] * (s->end - s->t));
    } else {
        const double h = s->point == POINT_PROBE ? l->way * s->h : 0.0;
        combine(l, s, h, s->point == POINT_PROBE, &one, y);
        l->t[i] = (float)(s->t + h);
    }
    l->guided[i] = s->guided;
    narrow(l->dim, y, l->x + i * l->dim);
    return finite_all(l->dim, l->x + i * l->dim);
}

static void point_at_next(const struct lane *l, struct slot *s)
{
    while (s->record->outcome == ROW_UNDER_WAY && !put_point(l, s)) {
        if (s->point == POINT_PROBE)
            try_step(l, s, 0.1 * s->h);
        else
            reject(l, s, SLOWEST, true);
    }
}

/* ---- slots ---- */

/* Rows of the call that lanes share. */
struct call {
    const struct flow *flow;
    atomic_int_fast64_t next;    /* row that nobody has fetched */
    struct lane_failure failure; /* of a lane that is not of its rows; its place is the lane's */
};

static fmatch_status fetch(struct call *call, struct lane *l)
{
    const int64_t n = call->flow->passage.n;
    while (l->fetched < l->fetched_end || l->fetched_end < n) {
        for (; l->fetched < l->fetched_end; l->fetched++)
            if (call->flow->records[l->fetched].outcome == ROW_UNDER_WAY)
                return FMATCH_OK;
        const int64_t first = atomic_fetch_add(&call->next, l->flow->lane_rows);
        l->fetched = l->fetched_first = first < n ? first : n;
        l->fetched_end = n - l->fetched < l->flow->lane_rows ? n : first + l->flow->lane_rows;
        if (l->fetched < l->fetched_end)
            RETURN_IF_FAILED(
                flow_begin_rows(l->flow, l->fetched, l->fetched_end - l->fetched, l->begin));
    }
    return FMATCH_OK;
}

/* The next row that has been fetched. */
static void start_row(struct lane *l, struct slot *s)
{
    const struct flow *f = l->flow;
    const int64_t row = l->fetched++, i = s - l->slot;
    const int32_t columns = f->field.view.model->condition.columns;
    f->records[row] = (struct row_record){.t = f->grid->start};
    *s = (struct slot){.record = &f->records[row],
                       .row = row,
                       .t = f->grid->start,
                       .h = f->control->first,
                       .end = f->grid->start,
                       .error_before = 1e-4,
                       .point = POINT_START};
    for (int32_t d = 0; d < l->width; d++)
        l->y[i * l->width + d] = l->y_next[i * l->width + d] =
            d < l->dim ? l->begin[(row - l->fetched_first) * l->dim + d] : 0.0;
    if (f->field.divergence)
        l->rows.divergence.row[i] = f->passage.first_probe + row;
    if (f->passage.condition)
        memcpy(l->condition + i * columns, f->passage.condition + row * columns,
               (size_t)columns * sizeof *l->condition);
    begin_stretch(l, s);
    put_outputs(l, s);
    put_point(l, s);
}

static void move_slot(struct lane *l, int64_t from, int64_t to)
{
    const int32_t dim = l->dim, width = l->width;
    const int32_t columns = l->flow->field.view.model->condition.columns;
    l->slot[to] = l->slot[from];
    l->t[to] = l->t[from];
    l->guided[to] = l->guided[from];
    if (l->rows.divergence.row)
        l->rows.divergence.row[to] = l->rows.divergence.row[from];
    memcpy(l->y + to * width, l->y + from * width, (size_t)width * sizeof *l->y);
    memcpy(l->y_next + to * width, l->y_next + from * width, (size_t)width * sizeof *l->y);
    memcpy(l->x + to * dim, l->x + from * dim, (size_t)dim * sizeof *l->x);
    memcpy(l->k + to * l->slopes * width, l->k + from * l->slopes * width,
           (size_t)(l->slopes * width) * sizeof *l->k);
    memcpy(l->condition + to * columns, l->condition + from * columns,
           (size_t)columns * sizeof *l->condition);
}

/* Slots of rows whose way has ended go to rows that wait, or to the last ones. */
static fmatch_status fill_slots(struct call *call, struct lane *l)
{
    for (int64_t i = 0; i < l->flow->lane_rows; i++) {
        while (i < l->active && l->slot[i].record->outcome != ROW_UNDER_WAY) {
            RETURN_IF_FAILED(fetch(call, l));
            if (l->fetched < l->fetched_end)
                start_row(l, &l->slot[i]);
            else if (--l->active > i)
                move_slot(l, l->active, i);
        }
        if (i < l->active)
            continue;
        RETURN_IF_FAILED(fetch(call, l));
        if (l->fetched == l->fetched_end)
            return FMATCH_OK;
        l->active = i + 1;
        start_row(l, &l->slot[i]);
    }
    return FMATCH_OK;
}

static fmatch_status follow_rows(struct call *call, struct lane *l)
{
    for (;;) {
        RETURN_IF_FAILED(fill_slots(call, l));
        if (l->active == 0 || atomic_load(&call->failure.place) != INT64_MAX)
            return FMATCH_OK;
        l->rows.n = l->active;
        for (int64_t i = 0; i < (l->width - l->dim) * l->flow->lane_rows; i++)
            l->rows.divergence.terms[i] = 0.0;
        RETURN_IF_FAILED(field_evaluate(&l->flow->field, &l->rows, l->v));
        for (int64_t i = 0; i < l->active; i++) {
            receive(l, &l->slot[i]);
            point_at_next(l, &l->slot[i]);
        }
    }
}

static void run_lane(void *argument, int64_t number)
{
    struct call *call = argument;
    struct lane l = lane_in(call->flow, number);
    const fmatch_status status = follow_rows(call, &l);
    if (status != FMATCH_OK)
        lane_failure_keep(&call->failure, number, status);
}

/* As the first row that has not arrived. */
static fmatch_status judge_rows(const struct flow *f)
{
    int64_t first = -1, count = 0;
    for (int64_t i = f->passage.n - 1; i >= 0; i--)
        if (f->records[i].outcome != ROW_ARRIVED) {
            first = i;
            count++;
        }
    if (count == 0)
        return FMATCH_OK;
    const struct row_record *r = &f->records[first];
    const long long row = (long long)(f->passage.first_row + first);
    if (r->outcome == ROW_NOT_FINITE)
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "row %lld: velocity%s is not finite at t = %s, or however small a step "
                           "from there; %lld rows of %lld did not arrive",
                           row, f->field.divergence ? " or divergence" : "", NUMBER(r->t),
                           (long long)count, (long long)f->passage.n);
    const int32_t tried = r->accepted + r->rejected;
    return status_fail(
        FMATCH_ERROR_STEP_LIMIT,
        "row %lld: %s at t = %s after %d steps; %lld rows of %lld did not arrive", row,
        tried >= f->control->steps_max ? "config->steps_max is reached" : "the step is too small",
        NUMBER(r->t), (int)tried, (long long)count, (long long)f->passage.n);
}

fmatch_status adaptive_run(const struct flow *f)
{
    struct call call = {.flow = f, .failure = {.place = INT64_MAX, .busy = ATOMIC_FLAG_INIT}};
    const fmatch_model *model = f->field.view.model;
    for (int64_t i = 0; i < f->passage.n; i++)
        f->records[i] = (struct row_record){.t = f->grid->start};
    const int32_t lanes = model_blocks_lanes(model, f->passage.n);
    context_run(model->context, lanes, run_lane, &call);
    const fmatch_status failed = lane_failure_tell(&call.failure);
    return failed != FMATCH_OK ? failed : judge_rows(f);
}
