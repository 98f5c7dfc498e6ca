/* tests/test_describe.c -- the JSON description of a graph is complete. */
#include "base/json.h"
#include "model/describe.h"
#include "tiny_net.h"

enum { H = 64, W = 96 };

static double number(const cJSON *row, const char *name)
{
    double v = -1;
    json_real(cJSON_GetObjectItemCaseSensitive(row, name), &v);
    return v;
}

/* Every operand is an input, a parameter or the output of an earlier node; every parameter that is needed is there. */
static void test_a_graph_describes_itself(void **state)
{
    struct net n;
    struct graph g = {0};
    bool known[4096] = { false };
    const cJSON *item, *input;
    (void)state;
    net_open(&n, NULL, 0);
    must(model_graph(&n.model, &(struct graph_options){ .n = 1, .h = H, .w = W }, &g, &n.err), &n.err);
    cJSON *json = graph_describe(&g, &n.model.params);
    assert_non_null(json);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "inputs"))
        known[(int)number(item, "id")] = true;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "parameters")) {
        const char *name = cJSON_GetObjectItemCaseSensitive(item, "name")->valuestring;
        assert_true(params_find(&n.model.params, name) >= 0);
        known[(int)number(item, "id")] = true;
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "nodes")) {
        cJSON_ArrayForEach(input, cJSON_GetObjectItemCaseSensitive(item, "inputs"))
            assert_true(known[input->valueint]);
        known[(int)number(item, "output")] = true;
    }
    item = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "outputs"), 0);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(item, "name")->valuestring, "main");
    assert_true(known[(int)number(item, "id")]);
    cJSON_Delete(json);
    graph_free(&g);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_graph_describes_itself) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
