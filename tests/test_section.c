/* tests/test_section.c -- a section of the model read by a table: every type of key, unknown keys, and null. */
#include "small_config.h"

/* A section of the model, with the types that no key of the room itself has. */
struct part { int out_stages[3]; struct ints strides; const char *pretrain; struct string_rows rows; double slope; };
static const struct key part_keys[] = {
    { "out_stages", FIELD(part, out_stages), "[2, 3, 4]", 1, 8, "stages" },
    { "strides",    FIELD(part, strides), "[8, 16, 32]", 1, 128, "strides" },
    { "pretrain",   FIELD(part, pretrain), "", 0, 0, "weights" },
    { "rows",       FIELD(part, rows), "[]", 0, 0, "layers" },
    { "loss.slope", FIELD(part, slope), "1", 0, 0, "any number" },
    {0} };

static bool read_part(struct config *config, struct part *part, const char *override, struct error *err)
{
    read_minimal(config, override);
    return section_read(config, "model.arch.fpn", part_keys, part, err);
}

static void test_section(void **state)
{
    static const char *const wrong[][2] = {
        { "model.arch.fpn.stride=[8]",
          "command line: model.arch.fpn.stride: no such key; did you mean model.arch.fpn.strides?" },
        { "model.arch.fpn.rows={a: 3}",
          "command line: model.arch.fpn.rows must be a list of lists of strings, not a section of 1 key" },
        { "model.arch.fpn.strides=[8, 500]",
          "command line: model.arch.fpn.strides must be a list of whole numbers from 1 to 128, "
          "not a list of 2 items" } };
    struct config config = {0};
    struct error err = {0};
    struct part part = {0};
    (void)state;
    assert_true(read_part(&config, &part, "model.arch.fpn.rows=[[Conv, 3, 32], [MaxPool], Conv, [[3]], []]", &err));
    assert_int_equal(part.out_stages[2], 4);
    assert_int_equal(part.strides.count, 3);
    assert_string_equal(part.pretrain, "");
    assert_true(part.slope == 1);
    assert_int_equal(part.rows.count, 5);
    assert_int_equal(part.rows.at[0].count, 3);
    assert_string_equal(part.rows.at[0].at[2], "32");
    assert_string_equal(part.rows.at[1].at[0], "MaxPool");
    for (int i = 2; i < 5; i++)                         /* no list of texts, or an empty one */
        assert_int_equal(part.rows.at[i].count, 0);
    assert_string_equal(tree_find(&config.root, "model.arch.fpn.strides.2")->text, "32");
    config_free(&config);

    assert_true(read_part(&config, &part, "model.arch.fpn.loss.slope=-1e300", &err));
    assert_true(part.slope == -1e300);
    config_free(&config);

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(read_part(&config, &part, wrong[i][0], &err));
        assert_string_equal(err.text, wrong[i][1]);
        assert_int_equal(err.exit, 2);
        config_free(&config);
    }
}

/* A written null is the word `none` of keys that have one, as Python's None is upstream. */
static void test_null(void **state)
{
    enum norm { NORM_BATCH, NORM_NONE };
    struct layer { enum norm norm; int groups; };
    static const struct word words[] = { { "BN", NORM_BATCH }, { "none", NORM_NONE }, {0} };
    static const struct key keys[] = {
        { "norm.type",   WORDS(layer, norm, words), "BN", 0, 0, "normalisation" },
        { "norm.groups", FIELD(layer, groups), "32", 1, 64, "groups" },
        { "unused",      .type = KEY_IGNORED, .help = "no effect" },
        {0} };
    static const struct { const char *override; enum norm norm; } rows[] = {
        { "seed=1", NORM_BATCH }, { "model.arch.fpn.norm=null", NORM_NONE }, { "model.arch.fpn.norm={}", NORM_BATCH },
        { "model.arch.fpn.norm={type: null}", NORM_NONE }, { "model.arch.fpn.norm.type=~", NORM_NONE },
        { "model.arch.fpn.norm.groups=null", NORM_BATCH }, { "model.arch.fpn.unused=null", NORM_BATCH } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config config = {0};
        read_minimal(&config, rows[i].override);
        const int before = config.ignored.count;
        for (int again = 0; again < 2; again++) {       /* what was read once stands there as it was understood */
            struct layer layer = {0};
            struct error err = {0};
            if (!section_read(&config, "model.arch.fpn", keys, &layer, &err))
                fail_msg("%s: %s", rows[i].override, err.text);
            if (layer.norm != rows[i].norm || layer.groups != 32)
                fail_msg("%s: %u, %d groups", rows[i].override, layer.norm, layer.groups);
        }
        assert_int_equal(config.ignored.count - before, strstr(rows[i].override, "unused") ? 1 : 0);
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_section), cmocka_unit_test(test_null) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
