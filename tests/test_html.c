/* tests/test_html.c -- pages: escaping, tables, embedded images and charts. */
#include "html_page.h"
#include "report/html.h"
#include "report/html_chart.h"
#include <math.h>
#include <stdlib.h>

#define HOSTILE "<script>alert(1)</script>&amp;\"'><img src=x onerror=y>\x1b[2J\xff\xe2\x80\xae"

static void read_page(struct page_content *c, struct strbuf *page)
{
    assert_true(strbuf_check(page, NULL));
    page_read(c, "page", page->s, page->size);
    strbuf_free(page);
}

static void text_is_escaped(void **state)
{
    struct strbuf t = {0};
    (void)state;
    html_text(&t, "a<b & \"c\" 'd'>\n\x1b\xff\xc3\xa9");
    assert_string_equal(t.s, "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;\\n\\x1b\\xff\xc3\xa9");
    strbuf_free(&t);
}

static void hostile_names_stay_text(void **state)
{
    const struct html_column columns[] = { { HOSTILE, true }, { HOSTILE, false } };
    const struct html_figure figure = { HOSTILE, HOSTILE };
    const double zero_one[2] = { 0, 1 };
    const struct html_line line = { HOSTILE, zero_one, zero_one, 2, false };
    const struct html_axes axes = { HOSTILE, HOSTILE, HOSTILE, 1, 1, 0.5 };
    const char *const names[] = { HOSTILE };
    const int number = 3;
    const struct html_bar bar = { HOSTILE, 1, HOSTILE };
    struct strbuf page = {0};
    struct page_content seen;
    (void)state;
    html_begin(&page, HOSTILE);
    html_heading(&page, HOSTILE);
    html_paragraph(&page, "%s", HOSTILE);
    html_figures(&page, &figure, 1);
    html_table(&page, HOSTILE, columns, 2);
    html_row(&page, HOSTILE);
    html_text_cell(&page, HOSTILE);
    html_cell(&page, "%s", HOSTILE);
    html_shaded_cell(&page, 2, "%s", HOSTILE);
    html_row_end(&page);
    html_table_end(&page);
    html_line_chart(&page, &axes, &line, 1);
    html_bar_chart(&page, HOSTILE, &bar, 1);
    html_histogram(&page, HOSTILE, HOSTILE, &bar, 1);
    html_matrix(&page, HOSTILE, names, 1, &number);
    html_end(&page);
    read_page(&seen, &page);
    assert_int_equal(page_count(&seen, "th"), 3);
    assert_int_equal(page_count(&seen, "td"), 3);
    assert_int_equal(page_count(&seen, "svg"), 4);
    assert_int_equal(page_count(&seen, "title"), 6);            /* of the page, of each chart, of a cell */
    assert_non_null(strstr(seen.text.s, "<script>alert(1)</script>&amp;\"'>"));
    assert_null(strchr(seen.text.s, '\x1b'));
    page_free(&seen);
}

/* Decodes base64 to at most max bytes. */
static size_t decode(const char *s, unsigned char *out, size_t max)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, held = 0;
    size_t size = 0;
    for (const char *digit; *s && (digit = strchr(digits, *s)) != NULL; s++) {
        bits = bits << 6 | (unsigned)(digit - digits);
        held += 6;
        if (held >= 8 && size < max)
            out[size++] = (unsigned char)(bits >> (held -= 8));
    }
    return size;
}

/* Two views embed one image, reduced to the means of its pixels. */
static void images_are_embedded_once(void **state)
{
    const struct html_box boxes[] = { { { 1, 2, 30, 40 }, BOX_RIGHT, "car<" }, { { 90, 9, 9, -1 }, BOX_MISSED, NULL } };
    const struct html_view views[] = { { "truth", "two objects", boxes, 2 }, { "found", "one object", boxes, 1 } };
    unsigned char jpeg[4000];
    struct strbuf page = {0};
    struct image image, back;
    struct page_content seen;
    (void)state;
    assert_true(image_new(&image, 200, 100, NULL));
    for (int i = 0; i < 200 * 100; i++)                 /* stripes of 50 and 150, one pixel wide: their mean is 100 */
        memset(image.p + 3 * i, i % 2 ? 150 : 50, 3);
    html_begin(&page, "images");
    assert_true(html_image(&page, &image, 100, views, 2, NULL));
    html_end(&page);
    read_page(&seen, &page);
    assert_int_equal(page_count(&seen, "svg"), 2);
    assert_int_equal(page_count(&seen, "image"), 1);
    assert_int_equal(page_count(&seen, "use"), 1);
    assert_int_equal(page_count(&seen, "rect"), 3);
    assert_non_null(strstr(seen.text.s, "two objects"));
    assert_non_null(strstr(seen.text.s, "car<"));
    const char *data = strstr(seen.attributes.s, "base64,");
    assert_non_null(data);
    const size_t size = decode(data + 7, jpeg, sizeof jpeg);
    assert_true(image_decode(&back, jpeg, size, "embedded", NULL));
    assert_int_equal(back.width, 100);
    assert_int_equal(back.height, 50);
    for (int i = 0; i < 3 * 100 * 50; i++)
        assert_true(abs(back.p[i] - 100) <= 2);
    image_free(&back);
    image_free(&image);
    page_free(&seen);
}

/* Undefined points interrupt a curve: no coordinate is NaN. */
static void undefined_points_are_left_out(void **state)
{
    const double x[] = { 0, 0.25, 0.5, 0.75, 1 }, y[] = { 0.5, -1, NAN, 0.5, 1 };
    const struct html_line lines[] = { { "a", x, y, 5, false }, { "mean", x, y, 5, true }, { NULL, x, y, 5, false } };
    const struct html_axes axes = { "title", "x", "y", 1, 1, 0 };
    const struct html_bar none[] = { { "none", 0, "0" }, { "", -1, "-" } };
    struct strbuf page = {0};
    struct page_content seen;
    (void)state;
    html_begin(&page, "chart");
    html_line_chart(&page, &axes, lines, 3);
    html_line_chart(&page, &axes, NULL, 0);
    html_bar_chart(&page, "bars", none, 2);
    html_bar_chart(&page, "bars", NULL, 0);
    html_histogram(&page, "bars", "x", none, 2);
    html_histogram(&page, "bars", "x", NULL, 0);
    html_end(&page);
    read_page(&seen, &page);
    assert_null(strstr(seen.attributes.s, "nan"));
    assert_null(strstr(seen.attributes.s, "inf"));
    assert_non_null(strstr(seen.attributes.s, "class=strong\nd=M56.0 174.0M422.0 174.0L544.0 40.0\n"));
    page_free(&seen);
}

static void figures_below_zero_are_dashes(void **state)
{
    struct strbuf t = {0};
    (void)state;
    html_figure_cell(&t, 2, 0.456);
    html_figure_cell(&t, 2, -1);
    assert_string_equal(t.s, "<td>0.46</td><td>–</td>");
    strbuf_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped), cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(images_are_embedded_once), cmocka_unit_test(undefined_points_are_left_out),
        cmocka_unit_test(figures_below_zero_are_dashes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
