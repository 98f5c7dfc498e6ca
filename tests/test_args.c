/* tests/test_args.c -- parsing of the command line: accepted arguments and every kind of error. */
#include "base/file.h"
#include "cli/args.h"
#include "folder.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static bool nothing(const struct args *args, struct error *err)
{
    (void)args, (void)err;
    return true;
}

static const struct option options[] = {
    { "json",  "FILE", NULL,   "write there" },
    { "score", "S",    "0.35", "least score" },
    { "count", "N",    "7",    "how many" },
    { "fp16",  NULL,   NULL,   "half precision" },
    {0} };

static const struct command table[] = {
    { "train",   "CONFIG [KEY=VALUE ...]",           0, 0,    options, nothing, "train" },
    { "test",    "[CONFIG] [KEY=VALUE ...]",         0, 0,    options, nothing, "score" },
    { "predict", "[CONFIG] PATH... [KEY=VALUE ...]", 1, MANY, options, nothing, "detect" },
    { "eval",    "GT DETS",                          2, 2,    options, nothing, "score" },
    {0} };

enum { WORDS = 8 };

static bool parse(struct args *args, const char *const *words, struct error *err)
{
    char *argv[WORDS + 1] = { (char *)"nanodet" };
    int argc = 1;
    while (argc <= WORDS && words[argc - 1]) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    return args_parse(args, table, argc, argv, err);
}

static void test_taken(void **state)
{
    static const char *const words[WORDS] = { "train", "--json", "-", "a.yml", "seed=3", "--fp16", "--threads=2" };
    struct args args;
    struct error err = {0};
    double score = 0;
    int count = 0;
    (void)state;
    assert_true(parse(&args, words, &err));
    assert_string_equal(args.command->name, "train");
    assert_string_equal(args_text(&args, "json"), "-");
    assert_string_equal(args_text(&args, "score"), "0.35");
    assert_true(args_flag(&args, "fp16"));
    assert_false(args_flag(&args, "help"));
    assert_true(args_real(&args, "score", 0, 1, &score, &err) && score == 0.35);
    assert_true(args_int(&args, "count", 1, 9, &count, &err) && count == 7);
    assert_false(args_int(&args, "count", 8, 9, &count, &err));
    assert_string_equal(err.text, "train: --count must be a number from 8 to 9, not '7'");
    assert_int_equal(args.threads, 2);
    assert_string_equal(args.config, "a.yml");
    assert_int_equal(args.rest_count, 0);
    assert_int_equal(args.override_count, 1);
    assert_string_equal(args.overrides[0], "seed=3");
    args_free(&args);
}

/* Distinguishes files and overrides: b=c.jpg exists, seeed=1 does not. */
static void test_overrides(void **state)
{
    static const char *const words[WORDS] = { "predict", "a.yml", "data.val.resize=keep", "b=c.jpg", "../d=e", "--",
                                              "--f", "seeed=1" };
    static const char *const train[WORDS] = { "train", "b=c.jpg", "b=c.jpg" };
    char here[4096], *const before = getcwd(here, sizeof here);
    struct args args;
    struct error err = {0};
    assert_true(before && make_folder(state) == 0 && file_write(in_folder("b=c.jpg"), "", 0, &err)
                && chdir(folder) == 0);
    assert_true(parse(&args, words, &err));
    assert_int_equal(args.override_count, 2);
    assert_string_equal(args.overrides[1], "seeed=1");
    assert_string_equal(args.config, "a.yml");
    assert_int_equal(args.rest_count, 3);
    assert_string_equal(args.rest[0], "b=c.jpg");
    assert_string_equal(args.rest[2], "--f");
    args_free(&args);
    assert_true(parse(&args, train, &err));
    assert_string_equal(args.config, "b=c.jpg");
    assert_string_equal(args.overrides[0], "b=c.jpg");
    args_free(&args);
    assert_true(chdir(here) == 0 && remove_folder(state) == 0);
}

/* The first argument is a CONFIG before images only if its name ends in .yml or .yaml. */
static void test_config(void **state)
{
    static const struct { const char *words[WORDS], *config; int rest; } cases[] = {
        { { "predict", "a.yaml", "b.yml" }, "a.yaml", 1 }, { { "predict", "b.jpg", "a.yml" }, NULL, 2 },
        { { "predict", "yml" }, NULL, 1 },                 { { "test", "a.yml" }, "a.yml", 0 },
        { { "test", "a" }, "a", 0 },                       { { "test", "seed=3" }, NULL, 0 },
        { { "train", "a" }, "a", 0 },                      { { "eval", "a.yml", "b" }, NULL, 2 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct args args;
        struct error err = {0};
        assert_true(parse(&args, cases[i].words, &err));
        assert_true(!args.config == !cases[i].config);
        assert_true(!args.config || strcmp(args.config, cases[i].config) == 0);
        assert_int_equal(args.rest_count, cases[i].rest);
        args_free(&args);
    }
}

static const struct { const char *words[WORDS], *message; } refused[] = {
    { { NULL }, "usage: nanodet COMMAND ...; nanodet --help names the commands" },
    { { "trian" }, "trian: no such command; did you mean train?" },
    { { "train" }, "usage: nanodet train CONFIG [KEY=VALUE ...]" },
    { { "predict" }, "usage: nanodet predict [CONFIG] PATH... [KEY=VALUE ...]" },
    { { "predict", "a.yml" }, "usage: nanodet predict [CONFIG] PATH... [KEY=VALUE ...]" },
    { { "test", "a", "b" }, "test: b: one argument too many" },
    { { "eval", "a", "b", "c" }, "eval: c: one argument too many" },
    { { "eval", "a", "b=c", "seed=3" }, "eval: seed=3: one argument too many" },
    { { "train", "a", "--jsn", "x" }, "train: --jsn: no such option; did you mean --json?" },
    { { "train", "a", "--json" }, "train: --json wants FILE" },
    { { "train", "a", "--fp16=1" }, "train: --fp16 takes no value" },
    { { "train", "a", "-j" }, "train: -j: no such option; they begin with two dashes" },
    { { "train", "a", "--threads", "0" }, "train: --threads must be a number from 1 to 256, not '0'" },
    { { "train", "a", "--threads", "257" }, "train: --threads must be a number from 1 to 256, not '257'" },
    { { "train", "a", "--threads", "2.5" }, "train: --threads must be a whole number, not '2.5'" },
    { { "train", "a", "--threads", "two" }, "train: --threads must be a number from 1 to 256, not 'two'" },
    { { "train", "a", "--threads", "nan" }, "train: --threads must be a number from 1 to 256, not 'nan'" },
    { { "train", "a", "--threads=" }, "train: --threads must be a number from 1 to 256, not ''" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct args args;
        struct error err = {0};
        const bool ok = parse(&args, refused[i].words, &err);
        args_free(&args);
        if (ok || err.exit != 2 || strcmp(err.text, refused[i].message) != 0)
            fail_msg("%zu: %s", i, ok ? "accepted" : err.text);
    }
}

static void test_help(void **state)
{
    static const char *const asked[][WORDS] = { { "--help" }, { "train", "--help" }, { "eval", "-h", "x" } };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct args args;
        struct error err = {0};
        char text[4096] = "";
        assert_true(parse(&args, asked[i], &err) && args.help);
        FILE *out = fmemopen(text, sizeof text, "w");
        assert_non_null(out);
        args_help(&args, table, out);
        fclose(out);
        for (const struct command *command = table; i == 0 && command->name; command++)
            assert_non_null(strstr(text, command->usage));
        for (const struct option *option = options; i > 0 && option->name; option++)
            assert_non_null(strstr(text, option->help));
        args_free(&args);
    }
}

/* The help of a command with an optional CONFIG explains when it is optional. */
static void test_help_explains_optional_config(void **state)
{
    static const char *const names[] = { "test", "train" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct args args;
        struct error err = {0};
        char text[4096] = "";
        FILE *out = fmemopen(text, sizeof text, "w");
        assert_true(out && parse(&args, (const char *const[WORDS]){ names[i], "--help" }, &err));
        args_help(&args, table, out);
        fclose(out);
        assert_true((strstr(text, "Without CONFIG") != NULL) == (i == 0));
        args_free(&args);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_taken), cmocka_unit_test(test_overrides),
                                        cmocka_unit_test(test_config),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_help),
                                        cmocka_unit_test(test_help_explains_optional_config) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
