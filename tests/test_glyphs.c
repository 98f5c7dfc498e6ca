/* tests/test_glyphs.c -- letters: the built-in font, which is equal in every build, and the machine's fonts. */
#include "base/file.h"
#include "data/image.h"
#include "folder.h"
#include "report/canvas.h"
#include "report/chart.h"
#include "report/font.h"
#include "report/glyphs.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { WIDTH = 400, HEIGHT = 80, BYTES = WIDTH * HEIGHT * 3, PAPER = 255 };
static unsigned char first[BYTES], second[BYTES];
static struct font *font;

static void draw(unsigned char *bgr, double x, double y, double size, const char *text)
{
    struct error err = {0};
    struct canvas c;
    memset(bgr, PAPER, BYTES);
    assert_true(canvas_open(&c, bgr, WIDTH, HEIGHT, font, &err));
    canvas_text(&c, x, y, size, 0x000000ff, text);
    canvas_close(&c);
}

/* The columns from the first to the last that has ink. */
static void find_ink(const unsigned char *bgr, int *left, int *right)
{
    *left = WIDTH;
    *right = -1;
    for (int i = 0; i < BYTES; i++)
        if (bgr[i] < PAPER / 2) {
            const int x = i / 3 % WIDTH;
            *left = x < *left ? x : *left;
            *right = x > *right ? x : *right;
        }
}

/* All glyphs are different, also from the box of characters without a glyph. */
static void every_character_has_different_strokes(void **state)
{
    enum { COUNT = '~' - ' ' + 64 };
    static unsigned char images[COUNT][BYTES];
    char text[3];
    (void)state;
    draw(second, 20, 40, 30, "\x01");
    for (int i = 0; i < COUNT; i++) {
        const int code = i < '~' - ' ' ? '!' + i : 0xc0 + i - ('~' - ' ');
        snprintf(text, sizeof text, code < 0x80 ? "%c" : "%c%c", code < 0x80 ? code : 0xc0 | code >> 6,
                 0x80 | (code & 0x3f));
        draw(images[i], 20, 40, 30, text);
        assert_memory_not_equal(images[i], second, BYTES);
        for (int k = 0; k < i; k++)
            if (memcmp(images[i], images[k], BYTES) == 0)
                fail_msg("%d looks like %d", i, k);
    }
}

static void other_characters_are_boxes(void **state)
{
    static const char *const others[] = { "\x1b", "\x7f", "\xff", "\xc3", "\xc2\x9b", "\xe4\xba\xba",
                                          "\xf0\x9f\x9a\x97" };
    (void)state;
    draw(first, 20, 40, 30, "a\x01z");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[8];
        snprintf(text, sizeof text, "a%sz", others[i]);
        draw(second, 20, 40, 30, text);
        assert_memory_equal(first, second, BYTES);
    }
}

static void text_width_is_exact(void **state)
{
    int left, right;
    (void)state;
    for (double size = 6; size < 42; size += 1.7) {
        const double width = glyphs_trace("Hall 0.01 (B)", size, 0, 0, NULL, NULL);
        draw(first, 10, 50, size, "Hall 0.01 (B)");
        find_ink(first, &left, &right);
        assert_true(left >= 9 && left <= 12);
        if (fabs(right + 1 - left - width) > 2)
            fail_msg("size %g: %d pixels, not %g", size, right + 1 - left, width);
    }
    assert_true(glyphs_trace("", 20, 0, 0, NULL, NULL) == 0);
}

/* Stems have a column of pixels to themselves, wherever the text begins. */
static void stems_are_crisp(void **state)
{
    (void)state;
    for (double x = 20; x < 21; x += 0.1) {
        int dark = 0, grey = 0;
        draw(first, x, 40.3, 13, "HIH");
        for (int i = 3 * WIDTH * 38; i < 3 * WIDTH * 39; i += 3) {
            dark += first[i] < 30;
            grey += first[i] >= 30 && first[i] < 200;
        }
        assert_int_equal(dark, 5);
        assert_int_equal(grey, 0);
    }
}

static void text_is_clipped(void **state)
{
    static const double places[][3] = { { -30, 40, 20 }, { WIDTH - 30, 40, 20 }, { 20, 5, 30 }, { 20, HEIGHT + 5, 30 },
                                        { 1e9, -1e9, 20 }, { NAN, NAN, 20 }, { 0, 40, 1e-3 }, { -5, HEIGHT, 300 } };
    struct canvas c;
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        draw(first, places[i][0], places[i][1], places[i][2], "Text \xc3\x9f");
    assert_true(canvas_open(&c, first, WIDTH, HEIGHT, NULL, &err));
    canvas_line(&c, (const double[2][2]){ { -1e9, 1e9 }, { 1e9, -1e9 } }, 2, 3, 0xff);
    canvas_fill(&c, (double[]){ -1e9, -1e9, 2e9, 2e9 }, 0xff);
    canvas_frame(&c, (double[]){ 1e9, 1e9, 1e9, 1e9 }, 3, 0xff);
    canvas_close(&c);
    for (int i = 0; i < BYTES; i++)
        assert_int_equal(first[i], 0);
}

/* Translucent strokes do not add up where they meet. */
static void a_line_has_one_colour(void **state)
{
    struct canvas c;
    struct error err = {0};
    (void)state;
    memset(first, PAPER, BYTES);
    assert_true(canvas_open(&c, first, WIDTH, HEIGHT, NULL, &err));
    canvas_line(&c, (const double[3][2]){ { 10, 20 }, { 50, 20 }, { 10, 20 } }, 3, 6, 0x00000080);
    canvas_close(&c);
    assert_int_equal(first[3 * (20 * WIDTH + 30)], 127);
    assert_int_equal(first[3 * (20 * WIDTH + 50)], 127);
}

/* The sum of FNV-1a over the pixels is written here, so that it is the same with and without cairo. */
static void curves_look_the_same_in_every_build(void **state)
{
    struct error err = {0};
    struct image p = {0};
    uint32_t sum = 2166136261u;
    char metrics[300], eval[300];
    (void)state;
    snprintf(metrics, sizeof metrics, "%s", in_folder("metrics.csv"));
    snprintf(eval, sizeof eval, "%s", in_folder("eval.csv"));
    static const char rows[] = "step,epoch,lr,loss,loss_qfl\n1,1,0.1,2,1\n2,1,0.1,1.5,0.5\n3,2,0.05,1.25,0.25\n";
    static const char scores[] = "epoch,AP,AP50\n1,0.25,0.5\n2,0.375,0.625\n";
    assert_true(file_write(metrics, rows, sizeof rows - 1, &err) && file_write(eval, scores, sizeof scores - 1, &err));
    assert_true(chart_write(in_folder("curves.png"), metrics, eval, &err));
    assert_true(image_read(&p, in_folder("curves.png"), &err));
    for (size_t i = 0; i < 3 * (size_t)p.width * (size_t)p.height; i++)
        sum = (sum ^ p.p[i]) * 16777619u;
    image_free(&p);
    assert_int_equal(sum, 0xe98e30f4);
}

/* The machine's font draws text where our glyphs draw it. */
static void fonts_draw_at_the_same_place(void **state)
{
    int left, right;
    (void)state;
    font = font_open(NULL, 0);
    if (!font)
        skip();
    draw(first, 100, 50, 30, "Hello");
    find_ink(first, &left, &right);
    const double width = font_width(font, 30, "Hello");
    font_close(font);
    font = NULL;
    draw(second, 100, 50, 30, "Hello");
    assert_memory_not_equal(first, second, BYTES);
    assert_true(left >= 100 && left < 106);
    assert_true(fabs(right - 100 - width) < 5);
}

static void a_font_has_ascii_and_the_characters_of_the_texts(void **state)
{
    int box[4];
    (void)state;
    struct font *of_names = font_open((const char *const[]){ "caf\303\251", "caf\377" }, 2);
    if (!of_names)
        skip();
    assert_true(font_width(of_names, 20, " ~\303\251") > 0);
    assert_true(font_width(of_names, 20, "\303\250") < 0);
    assert_true(font_width(of_names, 20, "\377") < 0);
    assert_null(font_mask(of_names, 20, "a\303\250", 0, 0, box));
    assert_int_equal(box[2], 0);
    unsigned char *mask = font_mask(of_names, 20, "a\303\251", 0, 0, box);
    assert_non_null(mask);
    assert_true(fabs(box[2] - font_width(of_names, 20, "a\303\251")) < 5);
    free(mask);
    font_close(of_names);
}

static void without_fonts_there_is_no_font(void **state)
{
    char path[300], text[400];
    struct error err = {0};
    (void)state;
    snprintf(path, sizeof path, "%s", in_folder("fonts.conf"));
    snprintf(text, sizeof text, "<fontconfig><dir>%s</dir></fontconfig>", in_folder("none"));
    assert_true(file_write(path, text, strlen(text), &err));
    setenv("FONTCONFIG_FILE", path, 1);
    assert_null(font_open(NULL, 0));
    assert_true(font_width(NULL, 20, "a") < 0);
    assert_null(font_mask(NULL, 20, "a", 0, 0, (int[4]){0}));
    unsetenv("FONTCONFIG_FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_has_different_strokes), cmocka_unit_test(other_characters_are_boxes),
        cmocka_unit_test(text_width_is_exact), cmocka_unit_test(stems_are_crisp),
        cmocka_unit_test(text_is_clipped), cmocka_unit_test(a_line_has_one_colour),
        cmocka_unit_test(curves_look_the_same_in_every_build), cmocka_unit_test(without_fonts_there_is_no_font),
        cmocka_unit_test(fonts_draw_at_the_same_place),
        cmocka_unit_test(a_font_has_ascii_and_the_characters_of_the_texts) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
