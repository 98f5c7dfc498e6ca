/* tests/test_configs.c -- every network in configs/: planned memory against the lower bound of all plans, and the
 * optimised graph against the plain one, without deferred values and with separate memory for every value. */
#include "base/path.h"
#include "base/string_list.h"
#include "model_run.h"
#include "policy.h"

enum { H = 96, W = 64 };

/* Calls check with each; returns the number of failures. */
static int each_config(int (*check)(struct fixture *))
{
    struct string_list names = {0};
    struct error err = {0};
    int failed = 0;
    if (!folder_list(&names, "configs", &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < names.count; i++) {
        struct fixture f = {0};
        char *path = path_join("configs", names.list[i], &err);
        if (!path || !config_read(&f.config, path, NULL, 0, &err) || !model_open(&f.model, &f.config, &err))
            fail_msg("%s", err.text);
        const int here = check(&f);
        printf("%s %s\n", here ? "FAIL" : "ok", path);
        failed += here;
        close_model(&f);
        free(path);
    }
    string_list_free(&names);
    return failed;
}

/* A neck with attention has a position embedding of one size. */
static struct graph_options small(const struct fixture *f, bool training)
{
    const bool fixed = strcmp(f->model.neck->name, "TAN") == 0;
    return (struct graph_options){ .n = 2, .h = fixed ? f->config.train.input_size[1] : H,
                                   .w = fixed ? f->config.train.input_size[0] : W, .training = training };
}

/* ---- plans ---- */

static double worst_plan;

static int check_plans(struct fixture *f)
{
    const int w = f->config.train.input_size[0], h = f->config.train.input_size[1];
    const struct graph_options options[] = {
        { .n = 1, .h = h, .w = w }, { .n = 1, .h = h, .w = w, .training = true },
        { .n = f->config.batch_size, .h = h, .w = w, .training = true }, small(f, false), small(f, true) };
    int failed = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct graph g = {0};
        struct error err = {0};
        if (!model_graph(&f->model, &options[i], &g, &err))
            fail_msg("%s", err.text);
        const double over = (double)g.block_size / (double)g.bound;
        failed += !(g.bound > 0 && over >= 1 && over <= 1.05);
        worst_plan = fmax(worst_plan, over);
        graph_free(&g);
    }
    return failed;
}

static void test_plans(void **state)
{
    (void)state;
    const int failed = each_config(check_plans);
    printf("at worst %.4f of the bound\n", worst_plan);
    assert_int_equal(failed, 0);
}

/* ---- fused and plain ---- */

/* Plain is the same arithmetic in another order; measured, the same bits.  Winograd's transforms round differently, by
 * 1.4e-5 of the largest output; gradients are not compared then: where activations have kinks, rounding decides on
 * which side of them a number is (tests/test_model.c compares them in a network without).  So it is with what is run
 * where a graph is made for its kernels: on a matrix unit, and with norms that convolutions end with. */
static const struct { const char *name; bool direct, fast; double outputs, gradients; } others[] = {
    { "plain", false, false, 1e-6, 1e-6 }, { "plain, direct", true, false, 1e-4, INFINITY },
    { "fast", false, true, 1e-4, INFINITY } };

static int check_plain(struct fixture *f)
{
    int failed = 0;
    model_randomise(&f->model);
    for (int training = 0; training < 2; training++) {
        struct variant v = { .options = small(f, training) };
        struct result fused = run(f, &v);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            v.name = others[i].name;
            v.direct = others[i].direct;
            v.options.unfused = v.options.separate = !others[i].fast;
            v.options.policy = others[i].fast ? policy_under_test(1) : NULL;
            failed += !compare(f, &v, &fused, others[i].outputs, others[i].gradients);
        }
        free_result(&fused);
    }
    return failed;
}

static void test_plain(void **state)
{
    (void)state;
    assert_int_equal(each_config(check_plain), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
