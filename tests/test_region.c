/* tests/test_region.c -- partial and reduced decoding of images: equal pixels in the region, equal errors, and no
 * reads of the warp outside the region. */
#include "base/file.h"
#include "base/random.h"
#include "data/sample.h"
#include "data/warp.h"
#include "synth/synth.h"
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

static int halved_side(int side, int halved)
{
    return (side + (1 << halved) - 1) >> halved;
}

static struct region all_of(int width, int height, int halved)
{
    return (struct region){ 0, 0, halved_side(width, halved), halved_side(height, halved), halved };
}

static struct region draw_region(struct random *r, int width, int height, int halved)
{
    struct region region = { .halved = halved };
    width = halved_side(width, halved);
    height = halved_side(height, halved);
    draw_span(r, width, &region.left, &region.right);
    draw_span(r, height, &region.top, &region.bottom);
    return region;
}

/* whole.p NULL: the file must be refused. */
static void assert_same_region(const struct image *whole, const struct region *g, struct bytes file, const char *name)
{
    struct image part;
    if (image_decode_region(&part, g, file.p, file.size, name, NULL) != (whole->p != NULL))
        fail_msg("%s: %s, but not its region", name, whole->p ? "read" : "refused");
    for (int y = g->top; part.p && y < g->bottom; y++) {
        const size_t at = 3 * ((size_t)y * (size_t)part.width + (size_t)g->left);
        if (memcmp(part.p + at, whole->p + at, 3 * (size_t)(g->right - g->left)) != 0)
            fail_msg("%s, %d x %d, columns %d to %d, rows %d to %d: row %d differs", name, whole->width, whole->height,
                     g->left, g->right, g->top, g->bottom, y);
    }
    image_free(&part);
}

static void region_pixels_equal_full_decoding(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int t = 0; t < 24; t++) {
            struct random r = random_of(seed, k, (uint64_t)t);
            const int most = t % 2 ? 300 : 40, width = 1 + random_below(&r, most), height = 1 + random_below(&r, most);
            const int halved = t / 2 % (HALVINGS + 1);
            const struct region all = all_of(width, height, halved);
            struct bytes file = encode(&kinds[k], width, height, &r);
            struct image whole;
            assert_true(image_decode_region(&whole, &all, file.p, file.size, kinds[k].name, NULL));
            assert_true(whole.width == all.right && whole.height == all.bottom && whole.halved == halved);
            assert_true(halved == 0 || (whole.whole_width == width && whole.whole_height == height));
            for (int i = 0; i < REGIONS; i++) {
                const struct region region = draw_region(&r, width, height, halved);
                assert_same_region(&whole, &region, file, kinds[k].name);
            }
            image_free(&whole);
            bytes_free(&file);
        }
}

/* Cut, or with bytes replaced, of which some are markers. */
static void damage(struct bytes *file, struct random *r)
{
    if (random_below(r, 2))
        file->size -= (size_t)random_below(r, 60);
    for (int n = random_below(r, 8); n > 0; n--)
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
        struct image whole, halved;
        int width, height;
        damage(&file, &r);
        refused += !image_decode(&whole, file.p, file.size, kind->name, NULL);
        if (image_decode_size(file.p, file.size, kind->name, &width, &height, NULL)) {
            const struct region region = draw_region(&r, width, height, 0);
            const struct region all = all_of(width, height, t % HALVINGS + 1);
            const bool ok = image_decode_region(&halved, &all, file.p, file.size, kind->name, NULL);
            assert_same_region(&whole, &region, file, kind->name);
            assert_true(ok == (whole.p != NULL));
            image_free(&halved);
        }
        image_free(&whole);
        bytes_free(&file);
    }
    assert_in_range(refused, trials / 10, trials * 9 / 10);
}

static void blacken_outside(struct image *p, const struct region *g)
{
    for (int i = 0; i < p->width * p->height; i++) {
        const int x = i % p->width, y = i / p->width;
        if (x < g->left || x >= g->right || y < g->top || y >= g->bottom)
            memset(p->p + 3 * i, 0, 3);
    }
}

/* Black where the region says that nothing is read, an image gives the same sample, or quarter of a mosaic. */
static void samples_read_only_their_region(void **state)
{
    static const double turns[] = { 0, 25 }, perspectives[] = { 0, 0.002 };
    struct data_config config = {
        .input_size = { 48, 40 }, .multi_scale = { 0.7, 1.3 },
        .pipeline = { .scale = { 0.3, 5 }, .stretch = {{ 0.8, 1.2 }, { 0.8, 1.2 }}, .translate = 0.6, .flip = 0.5,
                      .contrast = { 1, 1 }, .saturation = { 1, 1 } } };
    long left_out[2] = {0};                             /* pixels, of whole samples and of quarters */
    (void)state;
    for (int t = 0; t < 2000; t++) {
        struct random r = random_of(seed, 200, (uint64_t)t);
        const struct image_size size = { 1 + random_below(&r, 130), 1 + random_below(&r, 90) };
        struct sample want = {0}, got = {0};
        struct image p;
        assert_true(image_new(&p, size.width, size.height, NULL));
        for (int i = 0; i < 3 * size.width * size.height; i++)
            p.p[i] = (unsigned char)(1 + random_below(&r, 255));
        config.resize = (enum resize)(t % 3);
        config.pipeline.rotation = config.pipeline.shear = turns[t / 3 % 2];
        config.pipeline.perspective = perspectives[t / 6 % 2];
        const struct quarter quarter = { t / 12 % 4, { random_unit(&r), random_unit(&r) }, { 30, 1 + t % 40 } };
        const struct quarter *part = t / 48 % 2 ? &quarter : NULL;
        config.tiles = (struct train_tiles){ { t / 12 % 2, { 50 } }, 0.2 };
        const struct region g = sample_region(&config, size, part, r);
        struct random again = r;
        assert_true(g.left >= 0 && g.left < g.right && g.right <= size.width);
        assert_true(g.top >= 0 && g.top < g.bottom && g.bottom <= size.height);
        left_out[part != NULL] += size.width * size.height - (g.right - g.left) * (g.bottom - g.top);
        assert_true(sample_quarter(&want, &config, &p, part, &r, NULL));
        blacken_outside(&p, &g);
        assert_true(sample_quarter(&got, &config, &p, part, &again, NULL));
        assert_memory_equal(got.pixels, want.pixels, 3 * (size_t)want.input.width * (size_t)want.input.height);
        sample_free(&want);
        sample_free(&got);
        image_free(&p);
    }
    assert_true(left_out[0] > 900000 && left_out[1] > 1400000);
}

/* The image halved as a mean of pixels. */
static struct image averaged(const struct image *p, int halved)
{
    const int f = 1 << halved;
    struct image mean;
    assert_true(image_new(&mean, halved_side(p->width, halved), halved_side(p->height, halved), NULL));
    mean.halved = halved;
    mean.whole_width = p->width;
    mean.whole_height = p->height;
    for (int i = 0; i < 3 * mean.width * mean.height; i++) {
        const int x = i / 3 % mean.width * f, y = i / 3 / mean.width * f;
        int sum = 0, n = 0;
        for (int v = y; v < y + f && v < p->height; v++)
            for (int u = x; u < x + f && u < p->width; u++, n++)
                sum += p->p[3 * (v * p->width + u) + i % 3];
        mean.p[i] = (unsigned char)((sum + n / 2) / n);
    }
    return mean;
}

static double mean_difference(const struct data_config *config, const struct image *a, const struct image *b,
                              struct random r)
{
    struct sample x = {0}, y = {0};
    struct random again = r;
    double sum = 0;
    assert_true(sample_make(&x, config, a, &r, NULL) && sample_make(&y, config, b, &again, NULL));
    assert_memory_equal(&x.matrix, &y.matrix, sizeof x.matrix);
    const int count = 3 * x.input.width * x.input.height;
    for (int i = 0; i < count; i++)
        sum += abs(x.pixels[i] - y.pixels[i]);
    sample_free(&x);
    sample_free(&y);
    return sum / count;
}

/* Averaging does not change a ramp. */
static void reduced_pixels_have_correct_centres(void **state)
{
    enum { WIDTH = 160, HEIGHT = 104 };
    const struct data_config config = {
        .input_size = { 40, 26 }, .multi_scale = { 1, 1 },
        .pipeline = { .rotation = 20, .scale = { 2, 3 }, .stretch = {{ 1, 1 }, { 1, 1 }}, .flip = 0.5,
                      .contrast = { 1, 1 }, .saturation = { 1, 1 } } };
    struct image ramp;
    (void)state;
    assert_true(image_new(&ramp, WIDTH, HEIGHT, NULL));
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const int x = i % WIDTH, y = i / WIDTH;
        ramp.p[3 * i] = (unsigned char)(3 * x / 2);
        ramp.p[3 * i + 1] = (unsigned char)(2 * y);
        ramp.p[3 * i + 2] = (unsigned char)(x + y / 2);
    }
    for (int t = 0; t < 60; t++) {
        struct image mean = averaged(&ramp, t % (HALVINGS + 1));
        assert_true(mean_difference(&config, &ramp, &mean, random_of(seed, 500, (uint64_t)t)) < 0.5);
        image_free(&mean);
    }
    image_free(&ramp);
}

/* A halved image is the mean of its pixels.  The warp of the full image reads few of these, so it differs by the
 * detail of the scene. */
static void reduced_images_give_similar_samples(void **state)
{
    static const double most_of_whole[HALVINGS + 1] = { 0, 4, 8, 8 };
    struct data_config config = {
        .input_size = { 160, 96 }, .multi_scale = { 1, 1 }, .scaled_decode = true,
        .pipeline = { .rotation = 30, .scale = { 0.5, 5 }, .stretch = {{ 0.9, 1.1 }, { 0.9, 1.1 }}, .translate = 0.2,
                      .contrast = { 1, 1 }, .saturation = { 1, 1 } } };
    const struct synth_config scenes = { .width = 1279, .height = 719, .objects_min = 20, .objects_max = 60,
                                         .scale = 6 };
    const struct image_size size = { scenes.width, scenes.height };
    struct synth_scene scene = {0};
    struct bytes file;
    struct image whole;
    double times[HALVINGS + 1] = {0}, of_whole[HALVINGS + 1] = {0}, of_mean[HALVINGS + 1] = {0};
    (void)state;
    assert_true(synth_draw(&scene, &scenes, 0, NULL) && image_encode_jpeg(&scene.image, 90, &file, NULL));
    assert_true(image_decode(&whole, file.p, file.size, "scene", NULL));
    for (int t = 0; t < 40; t++) {
        const struct random r = random_of(seed, 400, (uint64_t)t);
        const struct region region = sample_region(&config, size, NULL, r);
        struct image halved, mean = averaged(&whole, region.halved);
        assert_true(image_decode_region(&halved, &region, file.p, file.size, "scene", NULL));
        times[region.halved]++;
        of_whole[region.halved] += mean_difference(&config, &whole, &halved, r);
        of_mean[region.halved] += mean_difference(&config, &mean, &halved, r);
        image_free(&halved);
        image_free(&mean);
    }
    for (int h = 0; h <= HALVINGS; h++)
        if (!(of_whole[h] / times[h] <= most_of_whole[h] && of_mean[h] / times[h] <= (h > 0 ? 0.5 : 0)))
            fail_msg("halved %d times: differs by %g from the whole, %g from the means", h, of_whole[h] / times[h],
                     of_mean[h] / times[h]);
    image_free(&whole);
    bytes_free(&file);
    synth_free(&scene);
}

static void odd_matrices_have_a_region(void **state)
{
    static const double values[] = { 0, 1, -1, 1e-30, 1e30, 1e300, -1e300, (double)INFINITY, (double)NAN };
    enum { VALUES = sizeof values / sizeof *values };
    const struct image_size source = { 17, 9 }, output = { 20, 3 };
    unsigned char want[3 * 20 * 3], got[sizeof want];
    struct image p;
    (void)state;
    for (int t = 0; t < 20000; t++) {
        struct random r = random_of(seed, 300, (uint64_t)t);
        struct matrix m = {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}};
        for (int i = 0; i < 2; i++)
            m.m[random_below(&r, 3)][random_below(&r, 3)] = values[random_below(&r, VALUES)];
        assert_true(image_new(&p, source.width, source.height, NULL));
        for (int i = 0; i < 3 * source.width * source.height; i++)
            p.p[i] = (unsigned char)(1 + random_below(&r, 255));
        const struct region g = warp_region(source, &m, output);
        assert_true(g.left >= 0 && g.left < g.right && g.right <= source.width);
        assert_true(g.top >= 0 && g.top < g.bottom && g.bottom <= source.height);
        warp(&p, &m, output, want);
        blacken_outside(&p, &g);
        warp(&p, &m, output, got);
        assert_memory_equal(got, want, sizeof want);
        image_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(region_pixels_equal_full_decoding),
        cmocka_unit_test(damaged_files_are_refused_alike),
        cmocka_unit_test(samples_read_only_their_region),
        cmocka_unit_test(reduced_pixels_have_correct_centres),
        cmocka_unit_test(reduced_images_give_similar_samples),
        cmocka_unit_test(odd_matrices_have_a_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
