/* tests/test_detect_assign.c -- priors, overlaps and both assigners against plain implementations.  A failing
 * random case prints its seed. */
#include "base/random.h"
#include "detect/atss_assigner.h"
#include "detect/box.h"
#include "detect/dsl_assigner.h"
#include "detect/prior.h"
#include "dsl_background.h"
#include "tables.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OBJECTS = 40, CLASSES = 5, CANDIDATES = 1100 };

/* A scene: boxes on a half-pixel raster so that priors lie on edges, some twice, some empty, some outside. */
struct scene { float box[OBJECTS][4]; int label[OBJECTS]; struct ground_truth truth; };

static void draw(struct scene *s, struct random *r, int objects, int width, int height)
{
    for (int i = 0; i < objects; i++) {
        const double x = random_below(r, 2 * width) / 2.0 - 20, y = random_below(r, 2 * height) / 2.0 - 20;
        const double w = random_below(r, 3) ? random_below(r, 60) / 2.0 : random_below(r, width);
        const double h = random_below(r, 3) ? random_below(r, 60) / 2.0 : random_below(r, height);
        const float box[4] = { (float)x, (float)y, (float)(x + w), (float)(y + h) };
        memcpy(s->box[i], i > 0 && random_below(r, 5) == 0 ? s->box[i - 1] : box, sizeof box);
        s->label[i] = random_below(r, CLASSES);
    }
    s->truth = (struct ground_truth){ .objects = objects, .box = (const float (*)[4])s->box, .label = s->label };
}

static void test_priors(void **state)
{
    (void)state;
    struct prior_grid grid;
    struct error err = {0};
    assert_true(prior_grid_init(&grid, (int[]){ 8, 16, 3 }, 3, 0.5, 2, 33, 50, &err));
    assert_int_equal(prior_count(&grid), 5 * 7 + 3 * 4 + 11 * 17);
    assert_true(prior_at(&grid, 0).x == 4 && prior_at(&grid, 8).y == 12);
    assert_int_equal(prior_row(&grid, 0, 3), 3);
    assert_int_equal(prior_row(&grid, 1, 3), 35 + 3);                   /* behind image 0 of the same level */
    assert_int_equal(prior_row(&grid, 0, 35), 70);
    assert_int_equal(prior_row(&grid, 1, 36), 70 + 12 + 1);

    assert_false(prior_grid_init(&grid, (int[]){ 8, 0 }, 2, 0, 1, 32, 32, &err));
    assert_int_equal(err.exit, 2);
    assert_false(prior_grid_init(&grid, (int[]){ 8 }, 9, 0, 1, 32, 32, &err));
    assert_false(prior_grid_init(&grid, (int[]){ 1 }, 1, 0, 1, 1 << 16, 1 << 16, &err));
    assert_false(prior_grid_init(&grid, (int[]){ 8 }, 1, 0, 1 << 30, 32, 32, &err));
}

static bool lies_inside(struct prior p, const float box[4])
{
    return p.x > box[0] && p.y > box[1] && p.x < box[2] && p.y < box[3];
}

static void test_inside(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct random r = random_of(seed, 1, 0);
        struct prior_grid grid;
        struct scene s;
        bool inside[CANDIDATES];
        assert_true(prior_grid_init(&grid, (int[]){ 8, 12, 32 }, 3, seed % 2 ? 0.5 : 0, 1, 72, 100, NULL));
        draw(&s, &r, random_below(&r, 6), 100, 72);
        if (s.truth.objects > 1)
            s.box[0][0] = -1e30f, s.box[0][2] = 1e30f, s.box[1][1] = 3e38f;
        priors_inside(&grid, s.truth.objects, s.truth.box, inside);
        for (int i = 0; i < prior_count(&grid); i++) {
            bool want = false;
            for (int g = 0; g < s.truth.objects; g++)
                want |= lies_inside(prior_at(&grid, i), s.box[g]);
            if (inside[i] != want)
                fail_msg("prior %d is %d; SEED=%d", i, inside[i], (int)seed);
        }
    }
}

/* ---- Dynamic soft labels: matrices written out, as the formula says. */

struct twin {
    double cost[CANDIDATES][OBJECTS], iou[CANDIDATES][OBJECTS], overlap[CANDIDATES][OBJECTS];
    bool chosen[CANDIDATES][OBJECTS];
};

static double pair_cost(const float *logit, int label, double u, double overlap, double factor)
{
    double sum = 0;
    for (int c = 0; c < CLASSES; c++) {
        const double x = logit[c], p = 1 / (1 + exp(-x)), y = c == label ? u : 0;
        sum += (y - p) * (y - p) * (fmax(x, 0) - x * y + log1p(exp(-fabs(x))));
    }
    return sum - factor * log(overlap + 1e-7);
}

/* The index of the smallest (sign 1) or largest (-1) not yet taken of a column; the lowest of equals. */
static int extreme(double (*column)[OBJECTS], int n, int g, int sign, const bool *taken)
{
    int best = -1;
    for (int v = 0; v < n; v++)
        if (!taken[v] && (best < 0 || sign * column[v][g] < sign * column[best][g]))
            best = v;
    return best;
}

static void choose(struct twin *t, int n, int g, int topk)
{
    bool taken[CANDIDATES] = {0};
    double sum = 0;
    for (int i = 0; i < topk && i < n; i++) {
        const int v = extreme(t->overlap, n, g, -1, taken);
        taken[v] = true;
        sum += t->overlap[v][g];
    }
    memset(taken, 0, sizeof taken);
    for (int i = 0; i < n && i < fmax(1, trunc(sum)); i++) {
        const int v = extreme(t->cost, n, g, 1, taken);
        taken[v] = t->chosen[v][g] = true;
    }
}

static int resolve(const struct twin *t, int v, int objects)
{
    int takers = 0, last = MATCH_BACKGROUND, cheapest = 0;
    for (int g = 0; g < objects; g++) {
        if (t->chosen[v][g]) {
            takers++;
            last = g;
        }
        if (t->cost[v][g] < t->cost[v][cheapest])
            cheapest = g;
    }
    return takers > 1 ? cheapest : last;
}

static double centre_distance(const double a[4], const double b[4])
{
    return hypot((a[0] + a[2]) / 2 - (b[0] + b[2]) / 2, (a[1] + a[3]) / 2 - (b[1] + b[3]) / 2);
}

/* The overlap with a weight of the normalised Wasserstein distance. */
static double overlap_of(const double a[4], const double b[4], double weight, double scale)
{
    const double half[2] = { (a[2] - a[0]) / 2 - (b[2] - b[0]) / 2, (a[3] - a[1]) / 2 - (b[3] - b[1]) / 2 };
    const double distance = hypot(centre_distance(a, b), hypot(half[0], half[1]));
    return (1 - weight) * box_iou(a, b) + weight * exp(-distance / scale);
}

static void dsl_case(uint64_t seed, int n, int objects, int topk, double nwd)
{
    static struct twin twin;
    static double box[CANDIDATES][4], iou[CANDIDATES], stride[CANDIDATES], background[CANDIDATES];
    static float logit[CANDIDATES][CLASSES];
    static const float *row[CANDIDATES];
    static int match[CANDIDATES];
    struct random r = random_of(seed, 2, 0);
    struct scene s;
    const double factor = (const double[]){ 3, 3, 3, 0.25, 0 }[seed % 5];
    const struct dsl_config config = { topk, factor, -1, seed % 2 ? 1.5 : 0, 2, nwd, 6 };
    struct arena tmp;
    memset(&twin, 0, sizeof twin);
    draw(&s, &r, objects, 100, 72);
    for (int v = 0; v < n; v++) {
        const float *near = objects ? s.box[random_below(&r, objects)] : (const float[4]){ 0 };
        for (int i = 0; i < 4; i++)
            box[v][i] = near[i] + (random_below(&r, 4) ? random_range(&r, -8, 8) : 0);
        for (int c = 0; c < CLASSES; c++)
            logit[v][c] = (float)(random_below(&r, 10) ? random_range(&r, -6, 3) : random_range(&r, -80, 80));
        row[v] = logit[v];
        background[v] = dsl_background(row[v], CLASSES);
        stride[v] = 8 << v % 3;
    }
    for (int v = 0; v < n; v++)
        for (int g = 0; g < objects; g++) {
            const double object[4] = { s.box[g][0], s.box[g][1], s.box[g][2], s.box[g][3] };
            twin.iou[v][g] = box_iou(box[v], object);
            twin.overlap[v][g] = nwd > 0 ? overlap_of(box[v], object, nwd, 6) : twin.iou[v][g];
            twin.cost[v][g] = pair_cost(logit[v], s.label[g], twin.iou[v][g], twin.overlap[v][g], factor);
            if (config.dis_alpha > 0)
                twin.cost[v][g] += pow(1.5, centre_distance(box[v], object) / stride[v] - 2);
        }
    for (int g = 0; g < objects; g++)
        choose(&twin, n, g, topk);
    assert_true(arena_init(&tmp, dsl_bytes(&config, n), NULL));
    const struct dsl_candidates candidates = { n, CLASSES, (const double (*)[4])box, row, stride, background,
                                               table_under_test() };
    assert_true(dsl_assign(&config, &candidates, &s.truth, &tmp, match, iou));
    assert_int_equal(tmp.used, 0);
    for (int v = 0; v < n; v++) {
        const int want = objects ? resolve(&twin, v, objects) : MATCH_BACKGROUND;
        if (match[v] != want || fabs(iou[v] - (want < 0 ? 0 : twin.iou[v][want])) > 1e-12)
            fail_msg("candidate %d of %d matched to %d, not %d of %d objects, topk %d; SEED=%d", v, n, match[v], want,
                     objects, topk, (int)seed);
    }
    arena_free(&tmp);
}

static void test_dsl_twin(void **state)
{
    (void)state;
    static const struct { int candidates, objects, topk; } cases[] = {
        { 0, 3, 13 }, { 1, 1, 13 }, { 1, 5, 13 }, { 5, 2, 13 }, { 50, 0, 13 }, { 60, 40, 1 }, { 200, 12, 13 },
        { 300, 40, 13 }, { 40, 40, 60 }, { 1100, 30, 13 },
    };
    for (uint64_t seed = 0; seed < 60; seed++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            dsl_case(seed, cases[i].candidates, cases[i].objects, cases[i].topk, 0);
            if (seed < 20)
                dsl_case(seed, cases[i].candidates, cases[i].objects, cases[i].topk, seed % 3 ? 0.5 : 1);
        }
}

/* By hand: centres 3 and 4 apart, half sides 7 and 15.  Apart, a tiny box still has an overlap. */
static void test_wasserstein_overlap(void **state)
{
    const struct dsl_config off = {0}, half = { .nwd = 0.5, .nwd_scale = 13 }, all = { .nwd = 1, .nwd_scale = 13 };
    const double small[4] = { 0, 0, 10, 10 }, large[4] = { -4, -11, 20, 29 }, tiny[4] = { 100, 100, 102, 102 };
    const double next[4] = { 103, 100, 105, 102 };
    (void)state;
    assert_true(dsl_overlap(&off, 0.25, small, large) == 0.25);
    const double distance = sqrt(9 + 16 + 49 + 225);
    assert_true(fabs(dsl_overlap(&all, 0.25, small, large) - exp(-distance / 13)) < 1e-12);
    assert_true(fabs(dsl_overlap(&half, 0.25, small, large) - 0.125 - exp(-distance / 13) / 2) < 1e-12);
    assert_true(fabs(dsl_overlap(&all, 0, tiny, next) - exp(-3.0 / 13)) < 1e-12);
    assert_true(dsl_overlap(&all, 1, tiny, tiny) == 1);
}

/* Costs are between the bounds of the kernels within the stated error of overlaps, also for extreme logits and
 * backgrounds. */
static void test_cost_bounds(void **state)
{
    (void)state;
    enum { MANY = 5 };
    static struct focal_terms pairs;
    const struct kernels *kernels = table_under_test();
    int bounded = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct random r = random_of(seed, 4, 0);
        const struct dsl_config config = { .iou_factor = (const double[]){ 3, 0.25, 0, 1000 }[seed % 4] };
        const int n = MANY + random_below(&r, FOCAL_TERMS - MANY + 1);
        double cost[FOCAL_TERMS];
        int within = 0;
        for (int i = 0; i < n; i++) {
            const double size = pow(10, random_range(&r, -1, seed % 10 ? 2 : 37));
            const double iou = random_below(&r, 4) ? random_range(&r, 0, 1) : pow(10, random_range(&r, -9, 0));
            pairs.u_error[i] = (float)(random_below(&r, 4) ? random_range(&r, 0, 1e-3) : 0);
            pairs.u[i] = (float)fmax(0, iou + pairs.u_error[i] * random_range(&r, -0.99, 0.99));
            pairs.x[i] = (float)(size * random_range(&r, -1, 1));
            pairs.rest[i] = (float)(dsl_background(&pairs.x[i], 1) + size * random_range(&r, 0, 1));
            cost[i] = dsl_cost(&config, pairs.rest[i], pairs.x[i], iou, iou);
        }
        const double most = kernels->bound_focal_terms((float)config.iou_factor, n, &pairs, MANY);
        for (int i = 0; i < n; i++) {
            within += cost[i] <= most;
            bounded += pairs.low[i] > -INFINITY;
            if (!(pairs.low[i] <= cost[i]))
                fail_msg("%.9g is not a bound of the cost %.9g; SEED=%d", (double)pairs.low[i], cost[i], (int)seed);
        }
        if (within < MANY)
            fail_msg("%d costs, not %d, are within %.9g; SEED=%d", within, MANY, most, (int)seed);
    }
    assert_true(bounded > 100000);                      /* enough cases have a bound */
}

/* All candidates equal: an object takes the first ones, and of equal objects the first keeps them. */
static void test_dsl_ties(void **state)
{
    (void)state;
    const double box[4][4] = { { 0, 0, 10, 10 }, { 0, 0, 10, 10 }, { 0, 0, 10, 10 }, { 0, 0, 10, 10 } };
    const float logit[CLASSES] = { 1 }, object[2][4] = { { 0, 0, 10, 8 }, { 0, 0, 10, 8 } };
    const float ignore[1][4] = { { 0, 0, 10, 4 } }, *row[4] = { logit, logit, logit, logit };
    const double all = dsl_background(logit, CLASSES), background[4] = { all, all, all, all };
    const int label[2] = { 0, 0 };
    struct ground_truth truth = { .objects = 2, .box = object, .label = label, .ignored = 1, .ignore = ignore };
    struct dsl_config config = { .topk = 3, .iou_factor = 3, .ignore_iof_thr = -1 };
    struct arena tmp;
    int match[4];
    double iou[4];
    assert_true(arena_init(&tmp, dsl_bytes(&config, 4), NULL));
    const struct dsl_candidates c = { 4, CLASSES, box, row, NULL, background, table_under_test() };
    assert_true(dsl_assign(&config, &c, &truth, &tmp, match, iou));     /* trunc(3 x 0.8) = 2 */
    const int want[4] = { 0, 0, MATCH_BACKGROUND, MATCH_BACKGROUND };
    assert_memory_equal(match, want, sizeof want);
    assert_true(fabs(iou[0] - 0.8) < 1e-15 && iou[2] == 0);

    config.ignore_iof_thr = 0.4;                                        /* 0.4 does not exceed it */
    assert_true(dsl_assign(&config, &c, &truth, &tmp, match, iou));
    assert_memory_equal(match, want, sizeof want);
    config.ignore_iof_thr = 0.39;
    assert_true(dsl_assign(&config, &c, &truth, &tmp, match, iou));
    for (int v = 0; v < 4; v++)
        assert_int_equal(match[v], MATCH_IGNORED);

    match[0] = 7;
    assert_false(dsl_assign(&config, &c, &truth, &(struct arena){ tmp.p, 64, 0 }, match, iou));
    assert_int_equal(match[0], 7);
    arena_free(&tmp);
}

/* ---- Adaptive training sample selection, one object at a time and written out. */

static int by_distance(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* The candidates of an object: IoU, prior. */
static int atss_candidates(const struct atss_config *config, const struct prior_grid *grid, const double object[4],
                           double (*picked)[2])
{
    int count = 0;
    for (int l = 0; l < grid->levels; l++) {
        double near[CANDIDATES][2];                                     /* distance, prior */
        const int n = grid->first[l + 1] - grid->first[l];
        for (int i = 0; i < n; i++) {
            const struct prior p = prior_at(grid, grid->first[l] + i);
            near[i][0] = sqrt(pow(p.x - (object[0] + object[2]) / 2, 2) + pow(p.y - (object[1] + object[3]) / 2, 2));
            near[i][1] = grid->first[l] + i;
        }
        qsort(near, (size_t)n, sizeof *near, by_distance);
        for (int i = 0; i < n && i < config->topk; i++) {
            double anchor[4];
            atss_anchor(config, prior_at(grid, (int)near[i][1]), anchor);
            picked[count][0] = box_iou(anchor, object);
            picked[count++][1] = near[i][1];
        }
    }
    return count;
}

static void atss_twin(const struct atss_config *config, const struct prior_grid *grid, const struct scene *s,
                      int *match)
{
    double best[CANDIDATES];
    for (int i = 0; i < prior_count(grid); i++) {
        match[i] = MATCH_BACKGROUND;
        best[i] = -1;
    }
    for (int g = 0; g < s->truth.objects; g++) {
        const double object[4] = { s->box[g][0], s->box[g][1], s->box[g][2], s->box[g][3] };
        double picked[CANDIDATES][2], mean = 0, variance = 0;
        const int count = atss_candidates(config, grid, object, picked);
        for (int i = 0; i < count; i++)
            mean += picked[i][0] / count;
        for (int i = 0; i < count; i++)
            variance += pow(picked[i][0] - mean, 2) / (count - 1);
        for (int i = 0; i < count; i++) {
            const int v = (int)picked[i][1];
            const struct prior p = prior_at(grid, v);
            if (picked[i][0] >= mean + sqrt(variance) && p.x - object[0] > 0.01 && p.y - object[1] > 0.01
                && object[2] - p.x > 0.01 && object[3] - p.y > 0.01 && picked[i][0] > best[v]) {
                best[v] = picked[i][0];
                match[v] = g;
            }
        }
    }
}

static void test_atss_twin(void **state)
{
    (void)state;
    int positives = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct random r = random_of(seed, 3, 0);
        const struct atss_config config = { 1 + random_below(&r, 9), 5, -1 };
        struct prior_grid grid;
        struct scene s;
        struct arena tmp;
        int match[CANDIDATES], want[CANDIDATES];
        double iou[CANDIDATES];
        assert_true(prior_grid_init(&grid, (int[]){ 8, 16, 64 }, 3, 0.5, 1, 72, 100, NULL));
        draw(&s, &r, random_below(&r, 8), 100, 72);
        assert_true(arena_init(&tmp, atss_bytes(&config, &grid), NULL));
        assert_true(atss_assign(&config, &grid, &s.truth, &tmp, match, iou));
        atss_twin(&config, &grid, &s, want);
        for (int i = 0; i < prior_count(&grid); i++) {
            positives += want[i] >= 0;
            if (match[i] != want[i])
                fail_msg("prior %d matched to %d, not %d; SEED=%d", i, match[i], want[i], (int)seed);
        }
        arena_free(&tmp);
    }
    assert_true(positives > 100);                       /* the cases say something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_priors), cmocka_unit_test(test_inside), cmocka_unit_test(test_dsl_twin),
        cmocka_unit_test(test_cost_bounds),
        cmocka_unit_test(test_wasserstein_overlap), cmocka_unit_test(test_dsl_ties), cmocka_unit_test(test_atss_twin),
    };
    return cmocka_run_group_tests_name("detect: assignment", tests, NULL, NULL);
}
