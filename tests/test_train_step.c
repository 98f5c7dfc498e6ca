/* tests/test_train_step.c -- training steps of a small model: batches of several sizes, accumulated gradients,
 * frozen parameters, and the names in errors of values that are not finite. */
#include "base/strbuf.h"
#include "policy.h"
#include "small_model.h"
#include "train/train_step.h"
#include "weights/fold.h"

enum { IMAGES = 3, SIDE = 96 };

static float image[IMAGES * SIDE * SIDE * 3];
static const float boxes[2][4] = { { 3, 5, 30, 28 }, { 10, 2, 24, 31 } };
static const int labels[2] = { 2, 0 };
static const struct ground_truth truth[IMAGES] = { { .objects = 2, .box = boxes, .label = labels },
                                            { .objects = 1, .box = boxes, .label = labels }, {0} };

static struct input_batch batch(int n, int h, int w)
{
    fill(image, IMAGES * SIDE * SIDE * 3, 1, 9);
    return (struct input_batch){ image, n, h, w, truth };
}

/* Forward and backward of a batch: the loss, and the gradient in l->optimizer.gradient. */
static double learn(struct train_step *l, struct input_batch in, int epoch, bool accumulate)
{
    struct losses losses;
    struct cached_graph *cached;
    struct error err = {0};
    if (!train_step_forward(l, &in, epoch, &losses, &cached, &err))
        fail_msg("%d x %d x %d: %s", in.n, in.h, in.w, err.text);
    graph_backward(&cached->graph, accumulate);
    return losses_total(&losses);
}

static void open_learner(struct train_step *l, struct fixture *f, int threads)
{
    struct error err = {0};
    if (!train_step_init(l, &f->model, policy_under_test(threads), &err))
        fail_msg("%s", err.text);
}

/* More sizes than the cache holds, small and large alternating, then the first again; both kinds of epochs. */
static void test_sizes_in_turn(void **state)
{
    struct fixture f, g;
    struct train_step turn;
    (void)state;
    open_model(&f, NULL);
    open_learner(&turn, &f, 2);
    const size_t bytes = (size_t)f.model.params.trained * sizeof(float);
    for (int i = 0; i < 27; i++) {
        const int size = i * 7 % 18, epoch = i % 2;
        const struct input_batch in = batch(1 + size % 3, 32 * (1 + size / 3 % 3), 32 * (1 + size / 9));
        struct train_step fresh;
        open_model(&g, NULL);
        open_learner(&fresh, &g, 1);
        memcpy(f.model.params.value, g.model.params.value, (size_t)g.model.params.total * sizeof(float));
        const double want = learn(&fresh, in, epoch, false), got = learn(&turn, in, epoch, false);
        if (got != want || memcmp(turn.optimizer.gradient, fresh.optimizer.gradient, bytes) != 0)
            fail_msg("%d x %d x %d: loss %.9g, should be %.9g", in.n, in.h, in.w, got, want);
        assert_memory_equal(f.model.params.value, g.model.params.value, (size_t)g.model.params.total * sizeof(float));
        train_step_free(&fresh);
        close_model(&g);
    }
    assert_int_equal(turn.cache.count, GRAPH_CACHE_SIZE);
    train_step_free(&turn);
    close_model(&f);
}

static void test_accumulate(void **state)
{
    struct fixture f;
    struct train_step l;
    (void)state;
    open_model(&f, NULL);
    open_learner(&l, &f, 2);
    const size_t bytes = (size_t)f.model.params.trained * sizeof(float);
    float *sum = malloc(bytes), *both = malloc(bytes);
    const struct input_batch one = batch(2, 64, 96), other = batch(1, 96, 64);
    learn(&l, one, 0, false);
    memcpy(sum, l.optimizer.gradient, bytes);
    learn(&l, other, 0, false);
    for (ptrdiff_t i = 0; i < f.model.params.trained; i++)
        sum[i] += l.optimizer.gradient[i];
    learn(&l, one, 0, false);
    learn(&l, other, 0, true);
    memcpy(both, l.optimizer.gradient, bytes);
    const char *where = "";
    const double off = gradient_distance(&f.model.params, both, sum, "", &where);
    if (!(off < 1e-5))
        fail_msg("%s: %.3g off", where, off);
    free(sum);
    free(both);
    train_step_free(&l);
    close_model(&f);
}

static void test_frozen_is_unchanged(void **state)
{
    struct fixture f;
    struct train_step l;
    struct error err = {0};
    (void)state;
    open_model(&f, "model.freeze=[backbone]");
    open_learner(&l, &f, 1);
    const struct params *params = &f.model.params;
    const size_t bytes = (size_t)params->total * sizeof(float);
    float *before = malloc(bytes);
    memcpy(before, params->value, bytes);
    for (int step = 0; step < 3; step++) {
        double norm;
        optimizer_rate(&l.optimizer);
        learn(&l, batch(2, 64, 64), 0, false);
        assert_true(train_step_update(&l, &norm, &err) && norm > 0);
    }
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        const bool frozen = starts_with(p->name, "backbone.");
        const bool same = memcmp(before + p->offset, params->value + p->offset, (size_t)p->count * sizeof(float)) == 0;
        if (same != frozen || (frozen && p->kind == PARAM_TRAINED))
            fail_msg("%s: %s", p->name, same ? "stayed as it was" : "changed");
    }
    free(before);
    train_step_free(&l);
    close_model(&f);
}

/* The first layer with an output that is not finite is named, even if the image's memory was reused. */
static void test_non_finite_layers_are_named(void **state)
{
    static const char *const freeze[] = { "model.freeze=[backbone]", NULL };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        struct train_step l;
        struct losses losses;
        struct cached_graph *cached;
        struct error err = {0};
        const struct input_batch in = batch(1, 64, 64);
        open_model(&f, freeze[i]);
        open_learner(&l, &f, 1);
        *param(&f, "fpn.reduce_layers.1.conv.weight") = INFINITY;
        assert_false(train_step_forward(&l, &in, 0, &losses, &cached, &err));
        if (!strstr(err.text, " fpn.reduce_layers.1.conv"))
            fail_msg("%s", err.text);
        train_step_free(&l);
        close_model(&f);
    }
}

static void test_gradient_not_finite(void **state)
{
    struct fixture f;
    struct train_step l;
    struct error err = {0};
    double norm;
    (void)state;
    open_model(&f, NULL);
    open_learner(&l, &f, 1);
    learn(&l, batch(1, 64, 64), 0, false);
    const int i = params_find(&f.model.params, "head.gfl_cls.1.weight");
    l.optimizer.gradient[f.model.params.list[i].offset + 3] = NAN;
    const float before = *param(&f, "fpn.reduce_layers.1.conv.weight");
    assert_false(train_step_update(&l, &norm, &err));
    assert_non_null(strstr(err.text, "head.gfl_cls.1.weight"));
    assert_true(before == *param(&f, "fpn.reduce_layers.1.conv.weight") && l.optimizer.step == 0);
    train_step_free(&l);
    close_model(&f);
}

static double largest_difference(const float *a, const float *b, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)a[i] - b[i]));
    return largest;
}

/* The main predictions of the training graph. */
static const float *training_forward(struct train_step *l, struct input_batch in)
{
    struct losses losses;
    struct cached_graph *cached;
    struct error err = {0};
    assert_true(train_step_forward(l, &in, 0, &losses, &cached, &err));
    return graph_view(&cached->graph, graph_output_named(&cached->graph, "main")).p;
}

/* The parameters that unfolding may change, all norms and their statistics, do change; the others do not. */
static void assert_unfolded(const struct params *params, const struct inference *needs, const real *before)
{
    for (int i = 0; i < needs->fold_count; i++) {
        const struct param *gamma = &params->list[needs->folds[i].gamma];
        assert_memory_not_equal(params->value + gamma->offset, before + gamma->offset,
                                (size_t)gamma->count * sizeof *before);
    }
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        if (!p->is_norm && p->kind != PARAM_BUFFER)
            assert_memory_equal(params->value + p->offset, before + p->offset, (size_t)p->count * sizeof *before);
    }
}

/* Unfolding changes the predictions neither of inference nor of training; without it, training computes others. */
static void test_unfolds_norms(void **state)
{
    const size_t count = IMAGES * (144 + 36 + 9 + 4) * (3 + 32);
    struct fixture f;
    struct train_step l;
    struct predictor inference;
    struct inference needs;
    struct shared_block block = {0};
    struct error err = {0};
    (void)state;
    open_model(&f, NULL);
    const struct params *params = &f.model.params;
    const size_t bytes = (size_t)params->total * sizeof *params->value;
    real *before = malloc(bytes), *once = malloc(bytes);
    float *want = malloc(count * sizeof *want);
    assert_true(inference_of(&needs, &f.model, &err));
    fold_norms(&needs, params, params->value, params->value);
    memcpy(before, params->value, bytes);
    open_learner(&l, &f, 2);
    assert_true(predictor_init(&inference, &f.model, params->value, &l.policy, &l.team, &block, &err));
    const struct input_batch in = batch(IMAGES, SIDE, SIDE);
    memcpy(want, predictor_run(&inference, &in, &err), count * sizeof *want);
    assert_true(largest_difference(training_forward(&l, in), want, count) > 1);

    memcpy(params->value, before, bytes);
    assert_true(train_step_unfold_norms(&l, &in, &err));
    assert_unfolded(params, &needs, before);
    assert_memory_equal(l.optimizer.average, params->value, bytes);
    assert_true(largest_difference(predictor_run(&inference, &in, &err), want, count) < 1e-3);
    memcpy(once, params->value, bytes);
    assert_true(train_step_unfold_norms(&l, &in, &err));
    assert_memory_equal(params->value, once, bytes);
    assert_true(largest_difference(training_forward(&l, in), want, count) < 0.2);
    predictor_free(&inference);
    shared_block_free(&block);
    inference_free(&needs);
    train_step_free(&l);
    close_model(&f);
    free(before);
    free(once);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_in_turn),
        cmocka_unit_test(test_accumulate),
        cmocka_unit_test(test_frozen_is_unchanged),
        cmocka_unit_test(test_non_finite_layers_are_named),
        cmocka_unit_test(test_gradient_not_finite),
        cmocka_unit_test(test_unfolds_norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
