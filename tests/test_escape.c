/* tests/test_escape.c -- escaping of text from files: the result cannot control a terminal. */
#include "base/error.h"
#include "base/escape.h"
#include "base/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct { const char *text, *shown; } cases[] = {
    { "a cat.jpg", "a cat.jpg" }, { "", "" },
    { "caf\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x90\x88", "caf\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x90\x88" },
    { "\x1b]0;x\x07\x1b[2J", "\\x1b]0;x\\x07\\x1b[2J" }, { "a\nb\tc\rd\x7f", "a\\nb\\tc\\x0dd\\x7f" },
    { "\x9b" "31m", "\\x9b31m" }, { "\xc2\x9b" "31m", "\\u009b31m" },              /* C1, raw and in UTF-8 */
    { "a\xe2\x80\xae" "b\xe2\x81\xa6\xe2\x80\xa8", "a\\u202eb\\u2066\\u2028" }, { "\xe2\x80\x93", "\xe2\x80\x93" },
    { "\xc3", "\\xc3" }, { "\xc0\xaf\xed\xa0\x80\xf5", "\\xc0\\xaf\\xed\\xa0\\x80\\xf5" } };   /* no UTF-8 */

static void controls_are_escaped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char shown[200], *printed = NULL;
        size_t size;
        escape_text(shown, sizeof shown, cases[i].text);
        assert_string_equal(shown, cases[i].shown);
        FILE *out = open_memstream(&printed, &size);
        print_escaped(out, cases[i].text);
        fclose(out);
        assert_string_equal(printed, cases[i].shown);
        free(printed);
        struct strbuf text = {0};
        strbuf_add_escaped(&text, cases[i].text);
        assert_string_equal(text.s ? text.s : "", cases[i].shown);
        strbuf_free(&text);
        out = open_memstream(&printed, &size);
        print_line(out, "%s|%s", cases[i].text, "\n");
        fclose(out);
        assert_memory_equal(printed, cases[i].shown, strlen(cases[i].shown));
        assert_string_equal(printed + strlen(cases[i].shown), "|\\n\n");
        struct error err;
        (fail)(&err, "%s", cases[i].text);              /* in brackets: cmocka has a macro of this name */
        assert_string_equal(err.text, cases[i].shown);
        free(printed);
    }
}

static void long_texts_are_cut_between_characters(void **state)
{
    char shown[6];
    (void)state;
    escape_text(shown, sizeof shown, "ab\x1b" "c");
    assert_string_equal(shown, "ab");
    escape_text(shown, sizeof shown, "abc\xc3\xa9\xc3\xa9");
    assert_string_equal(shown, "abc\xc3\xa9");
    escape_text(shown, 1, "abc");
    assert_string_equal(shown, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(controls_are_escaped),
                                        cmocka_unit_test(long_texts_are_cut_between_characters) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
