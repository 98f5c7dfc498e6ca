/* tests/op_check.h -- rows of cases (op_trial.h): forward against the plain definition, backward against central
 * differences, both with 1, 2 and 3 threads. */
#ifndef TESTS_OP_CHECK_H
#define TESTS_OP_CHECK_H
#include "op_trial.h"
#include "sample.h"
#include "seed.h"
#include <stdio.h>

/* Shapes. */
#define MAP(N, H, W, C) { .n = N, .h = H, .w = W, .c = C }
#define VECTOR(C)       MAP(1, 1, 1, C)

static const struct op_case *first_case;        /* of the table being checked */

/* forward: the error of y, relative to 1 + |y| or, in float, to 1 + the largest |y|, because Winograd's transforms
 * spread its rounding.  step: of the difference quotients, rounding eps / step against truncation step^2.  backward:
 * the error of a gradient relative to 1 + |gradient|; 0: the case's own tolerance.  evaluations: how many elements of y
 * are computed per operand at most, where the differences are those of the definition. */
static const struct limits { double forward, step, backward; ptrdiff_t evaluations; } limits =
#ifdef REAL_IS_DOUBLE
    { 1e-10, 1e-5, 0, PTRDIFF_MAX };
#else
    { 5e-6, 0x1p-10, 1e-4, 20000 };
#endif

static inline bool report(const struct op_case *row, const char *what, int i, ptrdiff_t e, double got, double want)
{
    printf("FAIL case %td %s: %s, operand %d[%td]: %.12g, should be %.12g; SEED=%" PRIu64 "\n", row - first_case,
           row->op->name, what, i, e, got, want, seed());
    return false;
}

static inline bool check_forward(struct trial *t)
{
    const struct view y = t->call.y[0];
    for (int i = 0; i < t->node.in; i++)
        buffer_copy(t->x[i], t->start[i]);
    double *want = malloc((size_t)(pixels(y) * y.c) * sizeof *want);
    double largest = 0;
    for (ptrdiff_t e = 0; e < pixels(y) * y.c; e++) {
        want[e] = t->row->want(t, e / y.c, (int)(e % y.c));
        largest = fmax(largest, fabs(want[e]));
    }
    bool ok = true;
    for (t->team.threads = 1; ok && t->team.threads <= THREADS; t->team.threads++) {
        trial_forward(t);
        for (ptrdiff_t e = 0; ok && e < pixels(y) * y.c; e++) {
            const double got = value_at(read_only(y), t->call.y_deferred[0], e / y.c, (int)(e % y.c));
            const double scale = sizeof(real) == sizeof(double) ? fabs(want[e]) : largest;
            ok = fabs(got - want[e]) <= limits.forward * (1 + scale)
              || report(t->row, "forward", -1, e, got, want[e]);
        }
    }
    free(want);
    return ok;
}

/* d value / d p of an element of an operand: 1 unless it is deferred. */
static inline double chain(const struct trial *t, int i, ptrdiff_t e)
{
    const struct const_view x = t->call.x[i];
    const struct deferred d = t->call.x_deferred[i];
    ptrdiff_t within;
    if (!d.scale)
        return 1;
    const ptrdiff_t k = (ptrdiff_t)image_and_pixel(x, e / x.c, &within) * d.ld + e % x.c;
    const double z = d.scale[k] * x.p[place(x, e)] + d.shift[k], h = 1e-5;
    return d.scale[k] * (plain_act(d.act, d.slope, z + h) - plain_act(d.act, d.slope, z - h)) / (2 * h);
}

/* One run of forward and backward: kept, or compared bit by bit with what was kept. */
static inline bool run(struct trial *t, unsigned wanted, bool add, int threads, struct buffer *kept, bool keep)
{
    t->team.threads = threads;
    trial_forward(t);
    trial_backward(t, wanted, add);
    bool ok = guards_intact(t) || report(t->row, "wrote out of bounds", -1, 0, NAN, NAN);
    for (int i = 0; ok && i < t->node.in; i++) {
        if (keep)
            buffer_copy(kept[i], t->dx[i]);
        else if (wanted >> i & 1)
            ok = memcmp(kept[i].p, t->dx[i].p, (size_t)kept[i].elements * sizeof(real)) == 0
              || report(t->row, "other bits", i, 0, threads, add);
    }
    return ok;
}

static inline bool check_operand(struct trial *t, int i, const struct buffer *set, const struct buffer *added)
{
    const ptrdiff_t outputs = pixels(t->call.y[0]) * t->call.y[0].c;
    const ptrdiff_t step = SAMPLE * ((t->count[i] < 2000 ? 1 : 61) + t->count[i] * outputs / limits.evaluations);
    bool ok = true;
    t->team.threads = 1;
    for (int k = 0; k < t->node.in; k++)
        buffer_copy(t->x[k], t->start[k]);
    for (ptrdiff_t e = 0; ok && e < t->count[i]; e += step) {
        const ptrdiff_t at_e = place(t->call.x[i], e);
        const double want = trial_slope(t, i, e, limits.step), factor = chain(t, i, e);
        const double got = factor * set[i].p[at_e], more = factor * (added[i].p[at_e] - t->before[i].p[at_e]);
        const double limit = (limits.backward > 0 ? limits.backward : t->row->tolerance) * (1 + fabs(want));
        ok = (fabs(got - want) <= limit || report(t->row, "dx set", i, e, got, want))     /* so written, NaN fails */
          && (fabs(more - want) <= limit || report(t->row, "dx added", i, e, more, want));
    }
    return ok;
}

/* Every element of every operand, or a sample where there are many; the same bits whatever else is wanted and for any
 * number of threads. */
static inline bool check_backward(struct trial *t)
{
    struct buffer kept[2][OP_IN];               /* dx set, dx added */
    const unsigned all = ((1u << t->node.in) - 1) & ~t->row->idle;
    bool ok = true;
    for (int i = 0; i < t->node.in; i++)
        for (int add = 0; add < 2; add++)
            kept[add][i] = buffer_like(t->call.x[i]);
    for (int add = 0; add < 2; add++) {
        ok = ok && run(t, all, add, 1, kept[add], true);
        for (int threads = 2; threads <= THREADS; threads++)
            ok = ok && run(t, all, add, threads, kept[add], false);
        for (int i = 0; i < t->node.in; i++)
            ok = ok && run(t, all & 1u << i, add, 1, kept[add], false);
    }
    for (int i = 0; ok && i < t->node.in; i++)
        ok = !(all >> i & 1) || check_operand(t, i, kept[0], kept[1]);
    for (int i = 0; i < t->node.in; i++)
        for (int add = 0; add < 2; add++)
            free(kept[add][i].p);
    return ok;
}

/* Number of failed rows. */
static inline int check_cases(const struct op_case *cases)
{
    int failed = 0;
    first_case = cases;
    for (const struct op_case *row = cases; row->op; row++) {
        struct error err = {0};
        struct trial *t = trial_new(row, seed(), &err);
        if (!t)
            printf("FAIL case %td %s: %s\n", row - cases, row->op->name, err.text);
        failed += !t || !check_forward(t) || !check_backward(t);
        if (t)
            trial_free(t);
    }
    return failed;
}
#endif
