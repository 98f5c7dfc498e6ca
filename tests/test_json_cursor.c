/* tests/test_json_cursor.c -- JSON read in one pass: numbers, elements, syntax errors and where they are. */
#include "base/json_cursor.h"
#include "base/random.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json_cursor over(const char *text)
{
    return cursor_of((struct bytes){ (unsigned char *)(uintptr_t)text, strlen(text) }, "f");
}

static bool number_of(const char *text, double *out)
{
    struct json_cursor c = over(text);
    return cursor_number(&c, out) && cursor_end(&c);
}

static void same_as_strtod(const char *text)
{
    double v = 0;
    if (!number_of(text, &v) || memcmp(&v, &(double){ strtod(text, NULL) }, sizeof v) != 0)
        fail_msg("%s was read as %.17g", text, v);
}

static void test_numbers(void **state)
{
    static const char *const good[] = {
        "0", "-0", "7", "0.1", "-12.75", "1e22", "1e23", "1E-22", "1e-23", "9007199254740992", "9007199254740993",
        "123456789012345678901234567890", "0.000000000000000000000000000000000001", "1.7976931348623157e308", "5e-324",
        "2.2250738585072011e-308", "1e-400", "0e9999999999999999999", "12345678901234567890e-20", "0.5e+3" };
    static const char *const bad[] = {
        "", "-", "+1", "01", ".5", "1.", "1e", "1e+", "nan", "inf", "0x10", "1e400", "1 2" };
    const uint64_t seed = 1;
    struct random random = random_of(seed, 0, 0);
    char text[64];
    double v;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        same_as_strtod(good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (number_of(bad[i], &v))
            fail_msg("'%s' was read as %.17g", bad[i], v);
    for (int i = 0; i < 20000; i++) {
        const double x = random_range(&random, -2000, 2000) * pow(10, random_below(&random, 40) - 20);
        snprintf(text, sizeof text, random_below(&random, 2) ? "%.*g" : "%.*f", 1 + random_below(&random, 17), x);
        same_as_strtod(text);
    }
}

/* Appends the structure of a value: its keys, strings, numbers and brackets. */
static void list(struct json_cursor *c, struct strbuf *out)
{
    struct strbuf text = {0};
    struct json_span key;
    double v;
    const char token = cursor_peek(c);
    if (token == '[' || token == '{') {
        cursor_enter(c, token);
        strbuf_addf(out, "%c", token);
        while (cursor_next(c, token == '{' ? &key : NULL)) {
            if (token == '{')
                strbuf_addf(out, "%.*s=", (int)key.size, key.p);
            list(c, out);
            strbuf_addf(out, " ");
        }
        strbuf_addf(out, "%c", token + 2);
    } else if (token == '"' && cursor_text(c, &text))
        strbuf_addf(out, "%s", text.s);
    else if (token != '"' && cursor_number(c, &v))
        strbuf_addf(out, "%g", v);
    strbuf_free(&text);
}

static void test_elements(void **state)
{
    struct json_cursor c = over(" {\"a\": [1, [ ], [{}, 2.5]],\n\"b\\\"\" :{ \"c\":\"x\\u00e9\\n\"} , \"d\" : 3}\n ");
    struct strbuf out = {0};
    double box[2];
    (void)state;
    list(&c, &out);
    assert_string_equal(out.s, "{a=[1 [] [{} 2.5 ] ] b\\\"={c=x\u00e9\n } d=3 }");
    assert_true(cursor_end(&c));
    strbuf_free(&out);
    c = over("[[1, 2], [1], [1, 2, 3]]");
    assert_true(cursor_enter(&c, '[') && cursor_next(&c, NULL) && cursor_numbers(&c, box, 2) && box[1] == 2);
    assert_true(cursor_next(&c, NULL));
    struct json_cursor before = c;
    assert_false(cursor_numbers(&c, box, 2));
    assert_true(c.failed && !cursor_next(&c, NULL) && !cursor_skip(&c) && !cursor_end(&c));
    c = before;
    assert_true(cursor_skip(&c) && cursor_next(&c, NULL) && !cursor_numbers(&c, box, 2));
}

/* An element with an error inside is refused; the next one is read.  Elements whose brackets do not match end it. */
static void test_records(void **state)
{
    struct json_cursor c = over("[{\"a\": 1},\n {\"a\": tru, 2}\n, [\"]\"], {\"b\": [}]");
    struct error err = {0};
    (void)state;
    assert_true(cursor_enter(&c, '[') && cursor_next(&c, NULL));
    cJSON *json = cursor_parse(&c, &err);
    assert_int_equal(cJSON_GetObjectItem(json, "a")->valueint, 1);
    cJSON_Delete(json);
    assert_true(cursor_next(&c, NULL));
    assert_int_equal(cursor_line(&c), 2);
    assert_null(cursor_parse(&c, &err));
    assert_string_equal(err.text, "f:2: byte 8: not valid JSON: unexpected text at 'tru, 2}?, [\"]\"], {\"b'");
    assert_true(!c.failed && cursor_next(&c, NULL));
    assert_int_equal(cursor_line(&c), 3);
    json = cursor_parse(&c, &err);
    assert_int_equal(cJSON_GetArraySize(json), 1);
    cJSON_Delete(json);
    assert_true(cursor_next(&c, NULL));
    assert_null(cursor_parse(&c, &err));
    assert_true(c.failed && strstr(err.text, "f:3: not valid JSON: the file ends within a value"));
}

static void test_errors(void **state)
{
    static const struct { const char *text, *says; } cases[] = {
        { "", "f:1: not valid JSON: the file ends" }, { "[1\n,\n", "f:3: not valid JSON: the file ends" },
        { "\n[1 2]", "f:2: byte 4: not valid JSON: unexpected text at '2]'" },
        { "[1,]", "f:1: byte 4: not valid JSON: a comma without a value at ']'" },
        { "{\"a\" 1}", "f:1: byte 6: not valid JSON: unexpected text at '1}'" },
        { "{'a': 1}", "f:1: byte 2: not valid JSON: single quotes" },
        { "[NaN]", "f:1: byte 2: not valid JSON: a word" },
        { "{\"a\": \"x\n\n", "f:1: not valid JSON: the file ends" }, { "[01]", "f:1: byte 2: not valid JSON" },
        { "[\"\\", "f:1: not valid JSON: the file ends" }, { "[1] ]", "f:1: byte 5: not valid JSON" } };
    char deep[200] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_cursor c = over(cases[i].text);
        struct error err = {0};
        if ((cursor_skip(&c) && cursor_end(&c)) || cursor_error(&c, &err) || !strstr(err.text, cases[i].says))
            fail_msg("%s: says '%s', not '%s'", cases[i].text, err.text, cases[i].says);
    }
    for (int depth = 64; depth <= 65; depth++) {
        memset(deep, '[', (size_t)depth);
        memset(deep + depth, ']', (size_t)depth);
        struct json_cursor c = over(deep);
        assert_int_equal(cursor_skip(&c), depth == 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
