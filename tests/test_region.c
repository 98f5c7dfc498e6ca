/* Decoding no more of a picture than is read: the same pixels there as in the whole, the same files refused, and the
 * warp reads nothing else. */
#include "base/random.h"
#include "data/sample.h"
#include "data/warp.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jpeglib.h>

enum { REGIONS = 40 };
static const uint64_t seed = 8;

static const struct kind {
    const char *name;
    J_COLOR_SPACE from, to;
    int across, down;                           /* luma samples for one of chroma */
    bool progressive, arithmetic;
    unsigned restart;                           /* blocks */
} kinds[] = {
    { "4:4:4", JCS_EXT_BGR, JCS_YCbCr, 1, 1, .restart = 0 },
    { "4:2:2", JCS_EXT_BGR, JCS_YCbCr, 2, 1, .restart = 0 },
    { "4:2:0", JCS_EXT_BGR, JCS_YCbCr, 2, 2, .restart = 0 },
    { "4:4:0", JCS_EXT_BGR, JCS_YCbCr, 1, 2, .restart = 0 },
    { "4:1:1", JCS_EXT_BGR, JCS_YCbCr, 4, 1, .restart = 0 },
    { "4:1:0", JCS_EXT_BGR, JCS_YCbCr, 4, 2, .restart = 0 },
    { "3 x 1", JCS_EXT_BGR, JCS_YCbCr, 3, 1, .restart = 0 },
    { "restarts", JCS_EXT_BGR, JCS_YCbCr, 2, 2, .restart = 3 },
    { "grey", JCS_GRAYSCALE, JCS_GRAYSCALE, 1, 1, .restart = 0 },
    { "grey, 2 x 2", JCS_GRAYSCALE, JCS_GRAYSCALE, 2, 2, .restart = 0 },
    { "BGR", JCS_EXT_BGR, JCS_RGB, 1, 1, .restart = 0 },
    { "CMYK", JCS_CMYK, JCS_CMYK, 1, 1, .restart = 0 },
    { "YCCK", JCS_CMYK, JCS_YCCK, 2, 2, .restart = 0 },
    { "progressive", JCS_EXT_BGR, JCS_YCbCr, 2, 2, .progressive = true },
    { "arithmetic", JCS_EXT_BGR, JCS_YCbCr, 2, 2, .arithmetic = true },
};

/* Waves and noise: no two blocks are alike. */
static struct bytes encode(const struct kind *k, int width, int height, struct random *r)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr messages;
    struct bytes file = {0};
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&messages);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &file.p, &size);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = k->from == JCS_GRAYSCALE ? 1 : k->from == JCS_CMYK ? 4 : 3;
    jpeg.in_color_space = k->from;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, k->to);
    jpeg_set_quality(&jpeg, 30 + random_below(r, 70), TRUE);
    jpeg.comp_info[0].h_samp_factor = k->across;
    jpeg.comp_info[0].v_samp_factor = k->down;
    jpeg.restart_interval = k->restart;
    jpeg.arith_code = k->arithmetic;
    if (k->progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    unsigned char *row = malloc((size_t)width * 4);
    assert_non_null(row);
    while (jpeg.next_scanline < jpeg.image_height) {
        const int y = (int)jpeg.next_scanline;
        for (int x = 0; x < width * jpeg.input_components; x++)
            row[x] = (unsigned char)(x * 5 + y * (3 + x % 3) + random_below(r, 40));
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    free(row);
    jpeg_finish_compress(&jpeg);
    file.size = size;
    jpeg_destroy_compress(&jpeg);
    return file;
}

static void draw_span(struct random *r, int extent, int *from, int *to)
{
    *from = random_below(r, 4) ? random_below(r, extent) : 0;
    *to = random_below(r, 4) ? *from + 1 + random_below(r, extent - *from) : extent;
}

static struct region draw_region(struct random *r, int width, int height)
{
    struct region region;
    draw_span(r, width, &region.left, &region.right);
    draw_span(r, height, &region.top, &region.bottom);
    return region;
}

/* Of whole.p NULL: the file is refused. */
static void assert_same_region(const struct picture *whole, const struct region *g, struct bytes file, const char *name)
{
    struct picture part;
    if (picture_decode_region(&part, g, file.p, file.size, name, NULL) != (whole->p != NULL))
        fail_msg("%s: %s, but not its region", name, whole->p ? "read" : "refused");
    for (int y = g->top; part.p && y < g->bottom; y++) {
        const size_t at = 3 * ((size_t)y * (size_t)part.width + (size_t)g->left);
        if (memcmp(part.p + at, whole->p + at, 3 * (size_t)(g->right - g->left)) != 0)
            fail_msg("%s, %d x %d, columns %d to %d, rows %d to %d: row %d differs", name, whole->width, whole->height,
                     g->left, g->right, g->top, g->bottom, y);
    }
    picture_free(&part);
}

static void pixels_are_those_of_the_whole(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int t = 0; t < 24; t++) {
            struct random r = random_of(seed, k, (uint64_t)t);
            const int most = t % 2 ? 300 : 40, width = 1 + random_below(&r, most), height = 1 + random_below(&r, most);
            struct bytes file = encode(&kinds[k], width, height, &r);
            struct picture whole;
            assert_true(picture_decode(&whole, file.p, file.size, kinds[k].name, NULL));
            for (int i = 0; i < REGIONS; i++) {
                const struct region region = draw_region(&r, width, height);
                assert_same_region(&whole, &region, file, kinds[k].name);
            }
            picture_free(&whole);
            bytes_free(&file);
        }
}

/* Cut, or with bytes replaced, of which some are markers. */
static void damage(struct bytes *file, struct random *r)
{
    if (random_below(r, 2))
        file->size -= (size_t)random_below(r, 60);
    for (int n = random_below(r, 3); n > 0; n--)
        file->p[20 + random_below(r, (int)file->size - 20)] = (unsigned char)(random_below(r, 3) ? random_below(r, 256)
                                                                                               : 0xff);
}

static void damaged_files_are_refused_alike(void **state)
{
    int refused = 0, trials = 3000;
    (void)state;
    for (int t = 0; t < trials; t++) {
        struct random r = random_of(seed, 100, (uint64_t)t);
        const struct kind *kind = &kinds[random_below(&r, (int)(sizeof kinds / sizeof *kinds))];
        struct bytes file = encode(kind, 50, 70, &r);
        struct picture whole;
        int width, height;
        damage(&file, &r);
        refused += !picture_decode(&whole, file.p, file.size, kind->name, NULL);
        if (picture_decode_size(file.p, file.size, kind->name, &width, &height, NULL)) {
            const struct region region = draw_region(&r, width, height);
            assert_same_region(&whole, &region, file, kind->name);
        }
        picture_free(&whole);
        bytes_free(&file);
    }
    assert_in_range(refused, trials / 10, trials * 9 / 10);
}

static void blacken_outside(struct picture *p, const struct region *g)
{
    for (int i = 0; i < p->width * p->height; i++) {
        const int x = i % p->width, y = i / p->width;
        if (x < g->left || x >= g->right || y < g->top || y >= g->bottom)
            memset(p->p + 3 * i, 0, 3);
    }
}

/* Black where the region says that nothing is read, a picture gives the same sample. */
static void samples_read_no_more_than_their_region(void **state)
{
    static const double turns[] = { 0, 25 }, perspectives[] = { 0, 0.002 };
    struct data_config config = {
        .input_size = { 48, 40 }, .multi_scale = { 0.7, 1.3 },
        .pipeline = { .scale = { 0.3, 5 }, .stretch = {{ 0.8, 1.2 }, { 0.8, 1.2 }}, .translate = 0.6, .flip = 0.5,
                      .contrast = { 1, 1 }, .saturation = { 1, 1 } } };
    long left_out = 0;
    (void)state;
    for (int t = 0; t < 2000; t++) {
        struct random r = random_of(seed, 200, (uint64_t)t);
        const struct size size = { 1 + random_below(&r, 130), 1 + random_below(&r, 90) };
        struct sample want = {0}, got = {0};
        struct picture p;
        assert_true(picture_new(&p, size.width, size.height, NULL));
        for (int i = 0; i < 3 * size.width * size.height; i++)
            p.p[i] = (unsigned char)(1 + random_below(&r, 255));
        config.resize = (enum resize)(t % 3);
        config.pipeline.rotation = config.pipeline.shear = turns[t / 3 % 2];
        config.pipeline.perspective = perspectives[t / 6 % 2];
        const struct region g = sample_region(&config, size, r);
        struct random again = r;
        assert_true(g.left >= 0 && g.left < g.right && g.right <= size.width);
        assert_true(g.top >= 0 && g.top < g.bottom && g.bottom <= size.height);
        left_out += size.width * size.height - (g.right - g.left) * (g.bottom - g.top);
        assert_true(sample_make(&want, &config, &p, &r, NULL));
        blacken_outside(&p, &g);
        assert_true(sample_make(&got, &config, &p, &again, NULL));
        assert_memory_equal(got.pixels, want.pixels, 3 * (size_t)want.input.width * (size_t)want.input.height);
        sample_free(&want);
        sample_free(&got);
        picture_free(&p);
    }
    assert_true(left_out > 1000000);
}

static void odd_matrices_have_a_region(void **state)
{
    static const double values[] = { 0, 1, -1, 1e-30, 1e30, 1e300, -1e300, (double)INFINITY, (double)NAN };
    enum { VALUES = sizeof values / sizeof *values };
    const struct size source = { 17, 9 }, output = { 20, 3 };
    unsigned char want[3 * 20 * 3], got[sizeof want];
    struct picture p;
    (void)state;
    for (int t = 0; t < 20000; t++) {
        struct random r = random_of(seed, 300, (uint64_t)t);
        struct matrix m = {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}};
        for (int i = 0; i < 2; i++)
            m.m[random_below(&r, 3)][random_below(&r, 3)] = values[random_below(&r, VALUES)];
        assert_true(picture_new(&p, source.width, source.height, NULL));
        for (int i = 0; i < 3 * source.width * source.height; i++)
            p.p[i] = (unsigned char)(1 + random_below(&r, 255));
        const struct region g = warp_region(source, &m, output);
        assert_true(g.left >= 0 && g.left < g.right && g.right <= source.width);
        assert_true(g.top >= 0 && g.top < g.bottom && g.bottom <= source.height);
        warp(&p, &m, output, want);
        blacken_outside(&p, &g);
        warp(&p, &m, output, got);
        assert_memory_equal(got, want, sizeof want);
        picture_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_those_of_the_whole),
        cmocka_unit_test(damaged_files_are_refused_alike),
        cmocka_unit_test(samples_read_no_more_than_their_region),
        cmocka_unit_test(odd_matrices_have_a_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
