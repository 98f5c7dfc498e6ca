/* tests/test_ranks.c -- sums over processes, which are threads here, and training steps that they share: the bits are
 * those of one process. */
#include "kernel/tables.h"
#include "model_kinds.h"
#include "ranks/exchange.h"
#include "sample.h"
#include "tables.h"
#include "thread_ranks.h"
#include "train/train_step.h"

/* ---- sums ---- */

enum { NUMBERS = 3000 };                        /* more than one message of ranks_add */

struct numbers { double number[NUMBERS]; bool all, none; };

static void add_numbers(const struct ranks *r, void *data)
{
    struct numbers *n = data;
    int sent = rank_of(r) == 0 ? 42 : 0;
    ranks_add(r, n->number, NUMBERS);
    n->all = ranks_all(r, true);
    n->none = ranks_all(r, rank_of(r) != rank_count(r) - 1);
    ranks_broadcast(r, &sent, sizeof sent);
    assert_int_equal(sent, 42);
}

static double random_number(int rank, int i)
{
    struct random random = random_of(seed(), (uint64_t)rank, (uint64_t)i);
    return random_normal(&random);
}

/* The binary tree over the ranks [first, first + count). */
static double tree(int first, int count, int i)
{
    return count == 1 ? random_number(first, i) : tree(first, count / 2, i) + tree(first + count / 2, count / 2, i);
}

static void test_sums(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= RANKS; ranks *= 2) {
        struct numbers *n = calloc(RANKS, sizeof *n);
        for (int r = 0; r < ranks; r++)
            for (int i = 0; i < NUMBERS; i++)
                n[r].number[i] = random_number(r, i);
        run_ranks(ranks, add_numbers, n, sizeof *n);
        for (int r = 0; r < ranks; r++) {
            assert_true(n[r].all);
            assert_false(n[r].none);
            for (int i = 0; i < NUMBERS; i++)
                assert_true(n[r].number[i] == tree(0, ranks, i));
        }
        free(n);
    }
}

/* ---- pieces ---- */

enum { PIECES = 5, LONGEST = 5000 };
static const int lengths[PIECES] = { LONGEST, 1, 3, 0, 777 };

struct summands { float p[PIECES][LONGEST]; bool bf16; };

static void exchange_gradients(const struct ranks *r, void *data)
{
    struct summands *g = data;
    static _Thread_local float wire[PIECES][LONGEST];
    struct exchange e;
    struct error err;
    assert_true(exchange_init(&e, r, g->bf16, &err));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < PIECES; i++) {
            for (int k = 0; k < lengths[i]; k++)
                g->p[i][k] = (float)random_number(rank_of(r), k + i * LONGEST);
            exchange_begin(&e, g->p[i], wire[i], lengths[i]);
            exchange_advance(&e);
        }
        exchange_wait(&e);
        exchange_restart(&e);
    }
    exchange_free(&e);
}

static float float_tree(int first, int count, int i)
{
    return count == 1 ? (float)random_number(first, i)
                      : float_tree(first, count / 2, i) + float_tree(first + count / 2, count / 2, i);
}

static void test_exchange(void **state)
{
    (void)state;
    for (int ranks = 2; ranks <= RANKS; ranks *= 2) {
        struct summands *g = calloc(RANKS, sizeof *g);
        run_ranks(ranks, exchange_gradients, g, sizeof *g);
        for (int r = 0; r < ranks; r++)
            for (int i = 0; i < PIECES; i++)
                for (int k = 0; k < lengths[i]; k++)
                    if (g[r].p[i][k] != float_tree(0, ranks, k + i * LONGEST))
                        fail_msg("%d ranks, rank %d, piece %d, element %d", ranks, r, i, k);
        free(g);
    }
}

/* All processes get the same sums, within the roundings of log2(ranks) halves and of the result, 2^-9 each. */
static void test_rounded_exchange(void **state)
{
    (void)state;
    for (int ranks = 2; ranks <= RANKS; ranks *= 2) {
        struct summands *g = calloc(RANKS, sizeof *g);
        bool rounded = false;
        for (int r = 0; r < ranks; r++)
            g[r].bf16 = true;
        run_ranks(ranks, exchange_gradients, g, sizeof *g);
        for (int i = 0; i < PIECES; i++)
            for (int k = 0; k < lengths[i]; k++) {
                double size = 0;
                for (int r = 0; r < ranks; r++) {
                    assert_true(g[r].p[i][k] == g[0].p[i][k]);
                    size += fabs(random_number(r, k + i * LONGEST));
                }
                const double error = fabs(g[0].p[i][k] - (double)float_tree(0, ranks, k + i * LONGEST));
                assert_true(error <= size * 4 / 512);
                rounded = rounded || error > 0;
            }
        assert_true(rounded);
        free(g);
    }
}

/* ---- training steps ---- */

enum { WIDTH = 96, HEIGHT = 64, STEPS = 2, MOST = 16 };

struct training {
    const char *override;
    int batch, threads;
    const struct amx_kernels *unit;             /* NULL: that of the table */
    float *values; ptrdiff_t count;             /* after the steps */
    double losses[STEPS];
};

static void make_batch(int first, int count, int step, float *pixel, struct ground_truth *truth, float (*box)[4],
                       int *label)
{
    for (int i = 0; i < count; i++) {
        struct random random = random_of(seed(), (uint64_t)step, (uint64_t)(first + i));
        for (int k = 0; k < WIDTH * HEIGHT * 3; k++)
            pixel[i * WIDTH * HEIGHT * 3 + k] = (float)random_normal(&random);
        const float x = (float)random_range(&random, 0, 40), y = (float)random_range(&random, 0, 20);
        memcpy(box[i], (float[]){ x, y, x + 40, y + 30 }, sizeof box[i]);
        label[i] = random_below(&random, 3);
        truth[i] = (struct ground_truth){ .objects = (first + i) % 3 > 0, .box = &box[i], .label = &label[i] };
    }
}

static void train_share(const struct ranks *r, void *data)
{
    static _Thread_local float pixel[MOST * WIDTH * HEIGHT * 3];
    struct training *t = data;
    struct fixture f;
    struct train_step step;
    struct error err = {0};
    open_model(&f, t->override);
    struct kernels kernels = *table_under_test();
    kernels.amx = t->unit ? t->unit : kernels.amx;
    const int threads = t->threads ? t->threads : 1;
    const struct policy policy = { .kernels = &kernels, .bf16_terms = 3, .threads = threads, .ranks = r };
    const struct share share = share_of(r, rank_of(r), t->batch);
    bool ok = train_step_init(&step, &f.model, &policy, &err);
    for (int i = 0; ok && i < STEPS; i++) {
        struct ground_truth truth[MOST];
        float box[MOST][4];
        int label[MOST];
        struct losses losses;
        struct cached_graph *used;
        double norm;
        make_batch(share.first, share.count, i, pixel, truth, box, label);
        const struct input_batch in = { pixel, share.count, HEIGHT, WIDTH, truth };
        optimizer_rate(&step.optimizer);
        ok = train_step_forward(&step, &in, 0, &losses, &used, &err);
        if (ok)
            graph_backward(&used->graph, false);
        ok = ok && train_step_update(&step, &norm, &err);
        t->losses[i] = losses_total(&losses);
    }
    if (!ok)
        fail_msg("rank %d of %d: %s", rank_of(r), rank_count(r), err.text);
    t->count = f.model.params.total;
    t->values = malloc((size_t)t->count * sizeof *t->values);
    memcpy(t->values, f.model.params.value, (size_t)t->count * sizeof *t->values);
    train_step_free(&step);
    close_model(&f);
}

static void same_training(const char *override, int batch, int ranks, const struct training *alone)
{
    struct training shared[RANKS];
    for (int r = 0; r < ranks; r++)
        shared[r] = (struct training){ .override = override, .batch = batch, .unit = alone->unit };
    run_ranks(ranks, train_share, shared, sizeof *shared);
    for (int r = 0; r < ranks; r++) {
        for (int i = 0; i < STEPS; i++)
            if (shared[r].losses[i] != alone->losses[i])
                fail_msg("%s: batch %d, rank %d of %d: loss %d is %.17g, alone %.17g", override, batch, r, ranks, i,
                         shared[r].losses[i], alone->losses[i]);
        if (memcmp(shared[r].values, alone->values, (size_t)alone->count * sizeof *alone->values) != 0)
            fail_msg("%s: batch %d, rank %d of %d has other weights", override, batch, r, ranks);
        free(shared[r].values);
    }
}

static void check_kind_on(const struct amx_kernels *unit, const char *override, int batch, int most)
{
    struct training alone = { .override = override, .batch = batch, .unit = unit };
    run_ranks(1, train_share, &alone, sizeof alone);
    for (int ranks = 2; ranks <= most; ranks *= 2)
        same_training(override, batch, ranks, &alone);
    free(alone.values);
}

static void check_kind(const char *override, int batch, int most) { check_kind_on(NULL, override, batch, most); }

/* The algorithms of a matrix unit, 1x1 convolutions included. */
static void test_matrix_unit(void **state)
{
    (void)state;
    if (SAMPLE > 1)                             /* the plain unit takes minutes */
        skip();
    check_kind_on(&amx_ref, NULL, 8, 2);
    check_kind_on(&amx_ref, model_kinds[2], 8, 4);
}

static void test_training(void **state)
{
    (void)state;
    const int every = getenv("NANODET_ISA") ? MODEL_KINDS : SAMPLE;     /* beside the default table */
    for (int i = 0; i < MODEL_KINDS; i++)
        if (i % every == 0)
            check_kind(model_kinds[i], 8, i ? 2 : 8);
    check_kind("model={guide: average, weight_averager: {name: ExpMovingAverager}, arch: {name: NanoDetPlus, "
               "backbone: {name: ShuffleNetV2, model_size: 0.5x}, fpn: {name: GhostPAN, in_channels: [48, 96, 192], "
               "out_channels: 32, num_extra_level: 1}, head: {name: NanoDetPlusHead, input_channel: 32, "
               "feat_channels: 32, strides: [8, 16, 32, 64], reg_max: 7}}}", 8, 2);
    check_kind(NULL, 16, 2);
    check_kind(NULL, 12, 4);                    /* parts of one and of two images */
    check_kind(NULL, 4, 4);                     /* parts without images */
}

/* Many threads divide the gradients of weights further. */
static void test_many_threads(void **state)
{
    struct training alone = { .batch = 8 }, many = { .batch = 8, .threads = 40 };
    (void)state;
    run_ranks(1, train_share, &alone, sizeof alone);
    run_ranks(1, train_share, &many, sizeof many);
    assert_memory_equal(alone.values, many.values, (size_t)alone.count * sizeof *alone.values);
    free(alone.values);
    free(many.values);
}

/* Masks are those of an image in the whole batch. */
static void test_dropout(void **state)
{
    (void)state;
    check_kind("model.arch={name: OneStageDetector, backbone: {name: ShuffleNetV2, model_size: 0.5x}, "
               "fpn: {name: TAN, in_channels: [48, 96, 192], out_channels: 32, feature_hw: [4, 6], num_heads: 4, "
               "num_encoders: 1, mlp_ratio: 4, dropout_ratio: 0.3}, "
               "head: {name: NanoDetHead, num_classes: 3, input_channel: 32, feat_channels: 32, "
               "strides: [8, 16, 32], reg_max: 7}}", 8, 4);
    check_kind("model.arch={name: NanoDetPlus, backbone: {name: EfficientNetLite, model_name: efficientnet_lite0, "
               "out_stages: [2, 4, 6]}, fpn: {name: GhostPAN, in_channels: [40, 112, 320], out_channels: 32, "
               "num_extra_level: 1}, head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, "
               "feat_channels: 32, strides: [8, 16, 32, 64], reg_max: 7}}", 8, 2);
}

/* With norms of each process's images the result is another one. */
static void test_local_norms(void **state)
{
    const char *const local = "model.sync_norm=false";
    struct training alone = { .override = local, .batch = 8 }, shared[2];
    (void)state;
    run_ranks(1, train_share, &alone, sizeof alone);
    shared[0] = shared[1] = alone;
    run_ranks(2, train_share, shared, sizeof *shared);
    assert_true(shared[0].losses[0] != alone.losses[0]);
    assert_true(fabs(shared[0].losses[0] - alone.losses[0]) < 0.2 * alone.losses[0]);
    assert_true(shared[0].losses[1] == shared[1].losses[1]);
    free(alone.values);
    free(shared[0].values);
    free(shared[1].values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums), cmocka_unit_test(test_exchange), cmocka_unit_test(test_rounded_exchange),
        cmocka_unit_test(test_training), cmocka_unit_test(test_matrix_unit), cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_dropout), cmocka_unit_test(test_local_norms) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
