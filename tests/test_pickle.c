/* tests/test_pickle.c -- pickles of PyTorch: values are read, nothing is executed. */
#include "interop/pickle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>                             /* last: it makes macros of fail and others */
#include <stdlib.h>
#include <string.h>

#define P(text) { (unsigned char *)(text), sizeof(text) - 1 }

static void runs_pickles(void **state)
{
    static const struct bytes numbers[] = {
        P("\x80\2K\xfe."), P("\x80\2M\xfe\xff."), P("\x80\2J\xfe\xff\xff\xff."), P("\x80\2\x8a\1\xfe."), P("\x88."),
        P("\x80\2\x8a\2\xfe\0."), P("\x8a\0."), P("(K\1K\2" "1K\3."), P("K\4q\0K\5" "0h\0.") };
    static const int64_t want[] = { 254, 65534, -2, -2, 1, 254, 0, 3, 4 };
    static const struct { struct bytes in; const char *says; } cases[] = {
        { P(""), "ends too early" },
        { P("\x80\2"), "ends too early" },
        { P("."), "takes more from the stack" },
        { P("\x80\6N."), "protocol is not known" },
        { P("NR."), "takes more from the stack" },
        { P("N(\x85."), "takes more from the stack" },
        { P("t."), "no mark" },
        { P("h\0."), "no such place" },
        { P("Nr\xff\xff\xff\x7f."), "memo has gaps" },
        { P("X\xff\xff\xff\xff" "a."), "ends too early" },
        { P("\x8d\xff\xff\xff\xff\xff\xff\xff\xff" "a."), "ends too early" },
        { P("cos\nsystem"), "ends too early" },
        { P("}N(e."), "value that is not a container" },
        { P("})a."), "value that is not a container" },
        { P("}(Nu."), "value that is not a container" },
        { P("I1\n."), "an opcode that PyTorch does not write" },
        { P("\x82\1."), "an opcode that PyTorch does not write" } };
    struct error err = {0};
    struct pickle p;
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(pickle_read(&p, numbers[i], "x", &err));
        assert_int_equal(p.nodes[p.root].kind, PICKLE_NUMBER);
        assert_int_equal(p.nodes[p.root].number, want[i]);
        pickle_free(&p);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(pickle_read(&p, cases[i].in, "x", &err));
        if (!strstr(err.text, cases[i].says))
            fail_msg("case %zu: %s", i, err.text);
        pickle_free(&p);
    }
}

static void runs_nothing_of_a_pickle(void **state)
{
    static const struct bytes in = P("cos\nsystem\n(X\4\0\0\0exittR}X\1\0\0\0aK\7sb.rest");
    struct error err = {0};
    struct pickle p;
    (void)state;
    assert_true(pickle_read(&p, in, "x", &err));
    const struct pickle_node *call = &p.nodes[p.root];
    assert_int_equal(call->kind, PICKLE_CALL);
    assert_true(pickle_is_global(&p, pickle_item(&p, call, 0), "os", "system"));
    assert_true(pickle_is_text(pickle_item(&p, pickle_item(&p, call, 1), 0), "exit"));
    assert_int_equal(p.size, in.size - 4);
    assert_null(pickle_item(&p, call, 2));
    assert_null(pickle_item(&p, NULL, 0));
    assert_null(pickle_value(&p, call, "a"));
    pickle_free(&p);
}

static void stops_at_a_million_opcodes(void **state)
{
    struct error err = {0};
    struct pickle p;
    struct bytes in = { malloc(3 << 20), 3 << 20 };
    (void)state;
    assert_non_null(in.p);
    memset(in.p, '(', in.size);
    assert_false(pickle_read(&p, in, "x", &err));
    assert_non_null(strstr(err.text, "more than a million opcodes"));
    pickle_free(&p);
    bytes_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_pickles),
        cmocka_unit_test(runs_nothing_of_a_pickle),
        cmocka_unit_test(stops_at_a_million_opcodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
