/* tests/test_op_builder.c -- the graph builder: names, and errors with the name of the layer. */
#include "layers.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void too_deep(struct builder *b, value in)
{
    for (int i = 0; i < 100; i++)
        enter_index(b, "stage", i);
    graph_output(b, "y", conv(b, "y", in, 1, 1));
    for (int i = 0; i < 100; i++)
        leave(b);
    assert_string_equal(b->scope, "");
}

static void weight_misfits(struct builder *b, value in)
{
    enter(b, "stage");
    const value w = graph_param(b, "weight", (struct shape){ 2, 1, 1, 5, {0} }, 4, PARAM_TRAINED, (struct init){0});
    graph_output(b, "y", graph_node(b, &op_conv, "layer", (value[]){ in, w }, 2,
                                    &(struct conv_attr){ .stride = 1, .groups = 1 }));
    leave(b);
}

static void sizes_differ(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 2), y = one(b, &op_upsample2x, x);
    enter(b, "neck");
    graph_output(b, "y", concat(b, x, y));
    leave(b);
}

static void channels_missing(struct builder *b, value in) { channels(b, in, 2, 4); }

static void two_shapes(struct builder *b, value in)
{
    conv(b, "x", in, 2, 1);
    graph_output(b, "y", conv(b, "x", in, 3, 1));
}

static void operands_missing(struct builder *b, value in) { graph_output(b, "y", one(b, &op_add, in)); }

static void operands_too_many(struct builder *b, value in)
{
    value all[OP_IN + 1];
    for (int i = 0; i <= OP_IN; i++)
        all[i] = in;
    graph_output(b, "y", graph_node(b, &op_concat, "all", all, OP_IN + 1, NULL));
}

static void levels_unasked(struct builder *b, value in)
{
    graph_output(b, "y", one(b, &op_upsample2x, two(b, &op_stack, in, in)));
}

static void grows_without_end(struct builder *b, value in)
{
    for (int i = 0; i < 40; i++)
        in = one(b, &op_upsample2x, in);
    graph_output(b, "y", in);
}

static void input_too_large(struct builder *b, value in)
{
    (void)in;
    graph_output(b, "y", one(b, &op_upsample2x, graph_input(b, (struct shape){ 1, INT_MAX, 1, 1, {0} })));
}

static const struct refused {
    const char *name;
    void (*build)(struct builder *, value in);
    const char *say[2];                 /* both stand in the message */
} refused[] = {
    { "names", too_deep, { "too deep", "stage.0.stage.1" } },
    { "a weight's channels", weight_misfits, { "stage.layer", "3 channels" } },
    { "sizes", sizes_differ, { "neck.concat", "" } },
    { "channels", channels_missing, { "channels", "2 to 4 of 3" } },
    { "two shapes", two_shapes, { "x.weight", "two shapes" } },
    { "too few operands", operands_missing, { "add", "1 operand" } },
    { "too many operands", operands_too_many, { "all", "9 operands" } },
    { "levels", levels_unasked, { "upsample2x", "one level" } },
    { "size", grows_without_end, { "upsample2x", "too large" } },
    { "an input's size", input_too_large, { "input", "too large" } },
    {0} };

static void test_refusals(void **state)
{
    (void)state;
    for (const struct refused *row = refused; row->name; row++) {
        struct graph g = {0};
        struct params params = {0};
        struct error err = {0};
        struct builder b = { .graph = &g, .params = &params, .training = true };
        row->build(&b, graph_input(&b, image));
        if (graph_build(&b, &err) || !strstr(err.text, row->say[0]) || !strstr(err.text, row->say[1]))
            fail_msg("%s: '%s' does not say '%s' and '%s'", row->name, err.text, row->say[0], row->say[1]);
        assert_null(g.nodes);
        params_free(&params);
    }
}

static void test_scopes(void **state)
{
    struct builder b = {0};
    char name[400];
    (void)state;
    enter(&b, "stage4.conv5.0");
    assert_string_equal(b.scope, "stage4.conv5.0.");
    enter_index(&b, "blocks", 3);
    enter(&b, "0");
    assert_string_equal(b.scope, "stage4.conv5.0.blocks.3.0.");
    leave(&b);
    assert_string_equal(b.scope, "stage4.conv5.0.blocks.3.");
    leave(&b);
    leave(&b);
    assert_string_equal(b.scope, "");
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    enter(&b, name);
    assert_int_equal(b.error.exit, 0);
    enter(&b, name);
    assert_int_equal(b.error.exit, 2);
    leave(&b);
    leave(&b);
    assert_string_equal(b.scope, "");
}

/* A graph cannot use a parameter that is not in the model's layout. */
static void test_late_parameter(void **state)
{
    struct params params = {0};
    struct error err = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct graph g = {0};
        struct builder b = { .graph = &g, .params = &params };
        graph_output(&b, "y", conv(&b, i ? "stranger" : "x", graph_input(&b, image), 2, 1));
        assert_int_equal(graph_build(&b, &err), i == 0);
        assert_true(i > 0 || params_layout(&params, NULL, 0, &err));
        graph_free(&g);
    }
    assert_non_null(strstr(err.text, "stranger.weight"));
    params_free(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_late_parameter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
