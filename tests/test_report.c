/* tests/test_report.c -- CSV, curves, log and TensorBoard events. */
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "folder.h"
#include "report/chart.h"
#include "report/csv.h"
#include "report/events.h"
#include "report/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <sys/ioctl.h>

static void assert_holds(const char *path, const char *want)
{
    struct error err = {0};
    struct bytes file = {0};
    if (!file_read(&file, path, &err))
        fail_msg("%s", err.text);
    assert_string_equal((char *)file.p, want);
    bytes_free(&file);
}

static void write_file(const char *path, const char *text)
{
    struct error err = {0};
    assert_true(file_write(path, text, strlen(text), &err));
}

static void csv_writes_numbers(void **state)
{
    static const struct { double v; const char *want; } cases[] = {
        { 0, "0" }, { -0.0, "0" }, { 12345678, "12345678" }, { 0.001, "0.001" }, { 0.1f, "0.1" }, { -1, "-1" },
        { 1 / 3.0, "0.33333333" }, { 1e-30, "1e-30" }, { NAN, "nan" }, { INFINITY, "inf" }, { 1e20, "1e+20" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char want[60];
        snprintf(want, sizeof want, "\"a,\"\"b\"\"\"\n%s\n", cases[i].want);
        unlink(in_folder("n.csv"));
        assert_true(csv_append(in_folder("n.csv"), (const char *[]){ "a,\"b\"" }, &cases[i].v, 1, &err));
        assert_holds(in_folder("n.csv"), want);
    }
}

/* A written table is read back, including names with commas and quotes. */
static void csv_reads_what_it_wrote(void **state)
{
    const char *const columns[] = { "step", "a,\"b\"", "new\nline" };
    const double rows[2][3] = { { 1, 0.5, -1 }, { 2, 0.25, NAN } };
    struct error err = {0};
    struct csv t = {0};
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_true(csv_append(in_folder("r.csv"), columns, rows[i], 3, &err));
    assert_true(csv_read(&t, in_folder("r.csv"), &err));
    assert_int_equal(t.rows, 2);
    assert_int_equal(csv_column(&t, "a,\"b\""), 1);
    assert_int_equal(csv_column(&t, "new\\nline"), 2);
    assert_int_equal(csv_column(&t, "none"), -1);
    for (int i = 0; i < 5; i++)
        assert_true(t.values[i] == rows[i / 3][i % 3]);
    assert_true(isnan(t.values[5]));
    csv_free(&t);
}

static void csv_truncates(void **state)
{
    static const struct { const char *before; double value; const char *after; } cases[] = {
        { "step,x\n1,a\n2,b\n3,c\n", 2, "step,x\n1,a\n2,b\n" },
        { "step,x\n1,a\n2,b\n3,c\n", 0, "step,x\n" },
        { "step,x\n1,a\n2,b\n3,c\n", 9, "step,x\n1,a\n2,b\n3,c\n" },
        { "x,step\na,1\nb,2\nc,", 9, "x,step\na,1\nb,2\n" },            /* a line that was never finished */
        { "step,x\nnan,a\n,b\n1,c\n", 9, "step,x\n1,c\n" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        write_file(in_folder("c.csv"), cases[i].before);
        assert_true(csv_cut_after(in_folder("c.csv"), "step", cases[i].value, &err));
        assert_holds(in_folder("c.csv"), cases[i].after);
    }
}

static void csv_refuses(void **state)
{
    struct error err = {0};
    struct csv t;
    (void)state;
    assert_true(csv_cut_after(in_folder("not there.csv"), "step", 1, &err));
    assert_false(file_exists(in_folder("not there.csv")));
    write_file(in_folder("begun.csv"), "step,");
    assert_true(csv_cut_after(in_folder("begun.csv"), "step", 1, &err));
    assert_false(file_exists(in_folder("begun.csv")));
    write_file(in_folder("bad.csv"), "step,x\n1,2\n1,2,3\n");
    assert_false(csv_read(&t, in_folder("bad.csv"), &err));
    assert_non_null(strstr(err.text, "bad.csv:3: 3 fields"));
    assert_false(csv_cut_after(in_folder("bad.csv"), "step", 1, &err));
    assert_holds(in_folder("bad.csv"), "step,x\n1,2\n1,2,3\n");
    write_file(in_folder("bad.csv"), "step,x\n1,2\n");
    assert_false(csv_cut_after(in_folder("bad.csv"), "epoch", 1, &err));
    assert_non_null(strstr(err.text, "no column epoch"));
    assert_false(csv_append(in_folder("no/such/folder.csv"), (const char *[]){ "a" }, &(double){ 1 }, 1, &err));
}

/* A spreadsheet computes what begins with one of "=+-@", and no terminal is controlled by a table. */
static void csv_names_are_text(void **state)
{
    static const struct { const char *name, *written, *read; } cases[] = {
        { "=1+1", "'=1+1", "=1+1" }, { "+a", "'+a", "+a" }, { "-a", "'-a", "-a" }, { "@a", "'@a", "@a" },
        { "'=a", "''=a", "'=a" }, { "'a'", "'a'", "'a'" }, { "a=b", "a=b", "a=b" },
        { "=\"a\",", "\"'=\"\"a\"\",\"", "=\"a\"," },
        { "\t=a", "\\t=a", "\\t=a" }, { "\r@", "\\x0d@", "\\x0d@" },
        { "\x1b[2J\xc2\x9b", "\\x1b[2J\\u009b", "\\x1b[2J\\u009b" },
        { "\xe9", "\\xe9", "\\xe9" }, { "", "", "" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct csv t = {0};
        char want[60];
        snprintf(want, sizeof want, "%s,b\n0,-1\n", cases[i].written);
        unlink(in_folder("names.csv"));
        assert_true(csv_append(in_folder("names.csv"), (const char *[]){ cases[i].name, "b" }, (double[]){ 0, -1 }, 2,
                               &err));
        assert_holds(in_folder("names.csv"), want);
        assert_true(csv_read(&t, in_folder("names.csv"), &err));
        assert_string_equal(t.columns.list[0], cases[i].read);
        csv_free(&t);
    }
}

static uint32_t big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void chart_is_a_png(void **state)
{
    static const char *const inputs[][2] = {                    /* metrics.csv, eval.csv; NULL: not there */
        { NULL, NULL },
        { "step,epoch,lr,loss\n", "epoch,AP\n" },
        { "step,epoch,lr,loss,loss_qfl\n1,1,0.1,2,1\n2,1,0.1,nan,0.5\n3,2,0.1,1e300,0.2\n",
          "epoch,AP,APs\n1,0.5,-1\n" },
        { "step,epoch,lr,loss\nnan,nan,nan,nan\n", "AP\n0.5\n" } };
    (void)state;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct error err = {0};
        struct bytes png = {0};
        const char *names[2] = { in_folder("metrics.csv"), in_folder("eval.csv") };
        for (int k = 0; k < 2; k++) {
            unlink(names[k]);
            if (inputs[i][k])
                write_file(names[k], inputs[i][k]);
        }
        if (!chart_write(in_folder("curves.png"), names[0], names[1], &err))
            fail_msg("%zu: %s", i, err.text);
        assert_true(file_read(&png, in_folder("curves.png"), &err));
        assert_true(png.size > 2000);
        assert_memory_equal(png.p, "\x89PNG\r\n\x1a\n", 8);
        assert_int_equal(big32(png.p + 16), CHART_WIDTH);
        assert_int_equal(big32(png.p + 20), CHART_HEIGHT);
        bytes_free(&png);
    }
}

/* Long runs are averaged into few points. */
static void chart_of_many_rows(void **state)
{
    struct error err = {0};
    struct strbuf t = {0};
    (void)state;
    strbuf_addf(&t, "step,epoch,lr,loss\n");
    for (int i = 0; i < 5001; i++)
        strbuf_addf(&t, "%d,%d,0.001,%g\n", i, 1 + i / 700, 1 + exp(-i / 500.0));
    assert_true(file_write(in_folder("many.csv"), t.s, t.size, &err));
    if (!chart_write(in_folder("many.png"), in_folder("many.csv"), in_folder("none.csv"), &err))
        fail_msg("%s", err.text);
    strbuf_free(&t);
}

static uint32_t little32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* 0xe3069283 is the CRC-32C of "123456789" (RFC 3720, appendix B.4, has its like). */
static void crc_is_castagnoli(void **state)
{
    const uint32_t crc = 0xe3069283u;
    (void)state;
    assert_int_equal(events_masked_crc("123456789", 9), (crc >> 15 | crc << 17) + 0xa282ead8u);
}

/* Walks the records: sums fit, and the third one ends with the messages expected. */
static void events_are_records(void **state)
{
    static const unsigned char want[] = {                       /* Event: step 7, summary of two values */
        2 << 3, 7, 5 << 3 | 2, 20, 1 << 3 | 2, 8, 1 << 3 | 2, 1, 'a', 2 << 3 | 5, 0, 0, 0x80, 0x3f,
        1 << 3 | 2, 8, 1 << 3 | 2, 1, 'b', 2 << 3 | 5, 0, 0, 0, 0xc0 };
    struct error err = {0};
    struct events e;
    struct string_list names;
    struct bytes file = {0};
    size_t at = 0, records = 0, last = 0, length = 0;
    (void)state;
    assert_true(make_folders(in_folder("tb"), &err));
    assert_true(events_open(&e, in_folder("tb"), 7, &err));
    assert_true(events_scalars(&e, 7, (const char *[]){ "a", "b" }, (double[]){ 1, -2 }, 2, &err));
    assert_true(events_close(&e, &err));
    assert_true(folder_list(&names, in_folder("tb"), &err));
    assert_int_equal(names.count, 1);
    assert_non_null(strstr(names.list[0], "events.out.tfevents."));
    char *path = path_join(in_folder("tb"), names.list[0], &err);
    assert_true(file_read(&file, path, &err));
    for (; at < file.size; at += length + 16, records++) {
        assert_true(file.size - at >= 16);
        length = little32(file.p + at);
        last = at;
        assert_int_equal(little32(file.p + at + 4), 0);
        assert_true(length <= file.size - at - 16);
        assert_int_equal(little32(file.p + at + 8), events_masked_crc(file.p + at, 8));
        assert_int_equal(little32(file.p + at + 12 + length), events_masked_crc(file.p + at + 12, length));
    }
    assert_int_equal(records, 3);
    assert_int_equal(length, 9 + sizeof want);                  /* wall time first */
    assert_memory_equal(file.p + last + 12 + 9, want, sizeof want);
    bytes_free(&file);
    string_list_free(&names);
    free(path);
}

static void log_has_plain_lines(void **state)
{
    const struct progress p = { .epoch = 2, .epochs = 3, .step = 5, .steps = 10, .lr = 0.001, .images_per_second = 20,
                                .seconds_left = 3765, .names = (const char *[]){ "loss" }, .losses = (double[]){ 1.25 },
                                .count = 1 };
    struct error err = {0};
    struct log log, nothing = {0};
    struct bytes file = {0};
    char *screen = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&screen, &size);
    (void)state;
    assert_true(log_open(&log, in_folder("train.log"), NULL, false, &err));
    log.screen = f;
    log_line(&log, "%s", "hello");
    log_progress(&log, &p, true);
    assert_true(log_close(&log, &err));
    fclose(f);
    assert_string_equal(screen, "hello\nepoch 2/3  step 5/10  1:02:45 left  20.0 images/s  lr 0.001  loss 1.25\n");
    assert_true(file_read(&file, in_folder("train.log"), &err));
    assert_non_null(strstr((char *)file.p, "  hello\n"));
    assert_non_null(strstr((char *)file.p, "  1:02:45 left  "));
    log_line(&nothing, "into the void");
    log_progress(&nothing, &p, true);
    assert_true(log_close(&nothing, &err));
    assert_false(log_open(&log, in_folder("no/such/train.log"), NULL, false, &err));
    bytes_free(&file);
    free(screen);
}

/* The output on a terminal of that width: a line of progress, a message above it, and the line again. */
static void draw_on_terminal(int width, char *shown, size_t size)
{
    const struct progress p = { .epoch = 2, .epochs = 30, .step = 5, .steps = 10, .images_per_second = 35.1,
                                .seconds_left = 3765, .names = (const char *[]){ "loss" }, .losses = (double[]){ 1.25 },
                                .count = 1, .figure = "AP", .best = 0.3214 };
    const int keyboard = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(keyboard >= 0 && grantpt(keyboard) == 0 && unlockpt(keyboard) == 0);
    FILE *screen = fopen(ptsname(keyboard), "w");
    assert_non_null(screen);
    assert_int_equal(ioctl(keyboard, TIOCSWINSZ, &(struct winsize){ .ws_col = (unsigned short)width }), 0);
    struct log log = { .screen = screen, .terminal = true };
    log_progress(&log, &p, true);
    log_line(&log, "message");
    log_progress(&log, &p, false);
    log_counter(&log, "evaluating images", 3, 6);
    assert_true(log_close(&log, NULL));
    fclose(screen);
    size_t count = 0;
    for (ssize_t got; count < size - 1 && (got = read(keyboard, shown + count, size - 1 - count)) > 0; )
        count += (size_t)got;
    shown[count] = 0;
    close(keyboard);
}

static int cells(const char *s, const char *end)
{
    int count = 0;
    for (; s < end; s++)
        count += (*s & 0xc0) != 0x80;                           /* not the continuation of a character */
    return count;
}

/* One line rewrites itself.  It is never as wide as the terminal, and what matters least is left out first. */
static void a_terminal_has_one_line_of_progress(void **state)
{
    static const struct { int width; const char *line; } cases[] = {
        { 120, "\r\033[K████████████░░░░░░░░░░░░  epoch 2/30  5/10  loss 1.25  35.1 images/s  1:02:45 left  "
               "best AP 0.321\r" },
        { 80, "\r\033[Kepoch 2/30  5/10  loss 1.25  35.1 images/s  1:02:45 left  best AP 0.321\r" },
        { 70, "\r\033[K██████░░░░░  epoch 2/30  5/10  loss 1.25  35.1 images/s  1:02:45 left\r" },
        { 40, "\r\033[K█████░░░░░  epoch 2/30  5/10  loss 1.25\r" },
        { 30, "\r\033[Kepoch 2/30  5/10  loss 1.25\r" }, { 10, "\r\033[K\r" } };
    char shown[4000];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        draw_on_terminal(cases[i].width, shown, sizeof shown);
        if (!strstr(shown, cases[i].line))
            fail_msg("width %d: %s", cases[i].width, shown);
        assert_true(cells(cases[i].line + 4, cases[i].line + strlen(cases[i].line) - 1) < cases[i].width);
        assert_non_null(strstr(shown, "\r\033[Kmessage\r\n"));
        assert_null(strstr(shown, "step"));                     /* the plain line of the file */
    }
    draw_on_terminal(80, shown, sizeof shown);
    assert_non_null(strstr(shown, "████████████░░░░░░░░░░░░  evaluating images 3/6\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_writes_numbers), cmocka_unit_test(csv_reads_what_it_wrote),
        cmocka_unit_test(csv_truncates), cmocka_unit_test(csv_refuses), cmocka_unit_test(csv_names_are_text),
        cmocka_unit_test(chart_is_a_png), cmocka_unit_test(chart_of_many_rows),
        cmocka_unit_test(crc_is_castagnoli),
        cmocka_unit_test(events_are_records), cmocka_unit_test(log_has_plain_lines),
        cmocka_unit_test(a_terminal_has_one_line_of_progress) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
