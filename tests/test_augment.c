/* tests/test_augment.c -- geometry, warp, colour, samples and batches, on generated images. */
#include "base/memory.h"
#include "data/sample.h"
#include "data/warp.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TRIALS = 20000 };
static const uint64_t seed = 20;

static const struct data_config plain = {
    .input_size = { 64, 48 }, .multi_scale = { 1, 1 },
    .pipeline = { .scale = { 1, 1 }, .stretch = {{ 1, 1 }, { 1, 1 }}, .contrast = { 1, 1 }, .saturation = { 1, 1 },
                  .normalize = {{ 103.53, 116.28, 123.675 }, { 57.375, 57.12, 58.395 }} },
};
static const struct pipeline_config wild = {
    .perspective = 0.001, .scale = { 0.5, 1.5 }, .stretch = {{ 0.8, 1.2 }, { 0.7, 1.1 }}, .rotation = 20, .shear = 10,
    .translate = 0.2, .flip = 0.25, .brightness = 0.2, .contrast = { 0.6, 1.4 }, .saturation = { 0.5, 1.2 },
    .normalize = {{ 103.53, 116.28, 123.675 }, { 57.375, 57.12, 58.395 }},
};

static struct image noise(int width, int height, struct random *r)
{
    struct image p;
    struct error err = {0};
    if (!image_new(&p, width, height, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 3 * width * height; i++)
        p.p[i] = (unsigned char)random_below(r, 256);
    return p;
}

/* Every draw as one array: perspective 0 1, scale 2, stretch 3 4, rotation 5, shear 6 7, translate 8 9, flip 10. */
static void flatten(const struct draws *d, double out[11])
{
    const double v[11] = { d->perspective[0], d->perspective[1], d->scale, d->stretch[0], d->stretch[1], d->rotation,
                           d->shear[0], d->shear[1], d->translate[0], d->translate[1], d->flip };
    memcpy(out, v, sizeof v);
}

static void draws_fill_their_ranges(void **state)
{
    static const double range[10][2] = { { -0.001, 0.001 }, { -0.001, 0.001 }, { 0.5, 1.5 }, { 0.8, 1.2 }, { 0.7, 1.1 },
                                         { -20, 20 }, { -10, 10 }, { -10, 10 }, { 0.3, 0.7 }, { 0.3, 0.7 } };
    struct random r = random_of(seed, 0, 0);
    double sum[11] = {0}, square[11] = {0}, v[11];
    (void)state;
    for (int t = 0; t < TRIALS; t++) {
        const struct draws d = geometry_draw(&wild, false, &r);
        flatten(&d, v);
        for (int i = 0; i < 10; i++)
            assert_true(v[i] >= range[i][0] && v[i] <= range[i][1]);
        for (int i = 0; i < 11; i++) {
            sum[i] += v[i] / TRIALS;
            square[i] += v[i] * v[i] / TRIALS;
        }
    }
    for (int i = 0; i < 10; i++) {              /* mean and variance of a uniform distribution, to 5 deviations */
        const double width = range[i][1] - range[i][0], middle = (range[i][0] + range[i][1]) / 2;
        assert_true(fabs(sum[i] - middle) < 5 * width / sqrt(12.0 * TRIALS));
        assert_true(fabs(square[i] - sum[i] * sum[i] - width * width / 12) < 0.02 * width * width / 12);
    }
    assert_true(fabs(sum[10] - 0.25) < 5 * sqrt(0.25 * 0.75 / TRIALS));
}

/* In the older pipeline each step except the flip has its own coin; the two values of a step share one. */
static void coins_skip_steps(void **state)
{
    struct random r = random_of(seed, 1, 0);
    double none[11], v[11];
    int kept[11] = {0}, both = 0;
    (void)state;
    flatten(&draws_none, none);
    for (int t = 0; t < TRIALS; t++) {
        const struct draws d = geometry_draw(&wild, true, &r);
        flatten(&d, v);
        for (int i = 0; i < 11; i++)
            kept[i] += v[i] == none[i];
        both += v[2] == none[2] && v[5] == none[5];
        assert_int_equal(v[3] == none[3], v[4] == none[4]);
        assert_int_equal(v[8] == none[8], v[9] == none[9]);
    }
    for (int i = 0; i < 10; i++)
        assert_true(fabs(kept[i] / (double)TRIALS - 0.5) < 5 * 0.5 / sqrt(TRIALS));
    assert_true(fabs(kept[10] / (double)TRIALS - 0.75) < 0.02);
    assert_true(fabs(both / (double)TRIALS - 0.25) < 0.02);
}

static void colour_draws_follow_coins(void **state)
{
    struct random r = random_of(seed, 2, 0);
    int kept[3] = {0};
    double sum[3] = {0};
    (void)state;
    for (int t = 0; t < TRIALS; t++) {
        const struct colour_jitter d = colour_draw(&wild, &r);
        assert_true(fabsf(d.brightness) <= 0.2f && d.contrast >= 0.6f && d.contrast <= 1.4f && d.saturation >= 0.5f
                    && d.saturation <= 1.2f);
        kept[0] += d.brightness == 0;
        kept[1] += d.contrast == 1;
        kept[2] += d.saturation == 1;
        sum[0] += d.brightness;
        sum[1] += d.contrast;
        sum[2] += d.saturation;
    }
    for (int i = 0; i < 3; i++)
        assert_true(fabs(kept[i] / (double)TRIALS - 0.5) < 0.02);
    assert_true(fabs(sum[0] / TRIALS) < 0.005 && fabs(sum[1] / TRIALS - 1) < 0.01);
    assert_true(fabs(sum[2] / TRIALS - (1 + 0.85) / 2) < 0.01);
}

static void inverses_invert(void **state)
{
    struct random r = random_of(seed, 3, 0);
    struct matrix inverse = {{{ 7 }}};
    const struct matrix singular = {{{ 1, 2, 3 }, { 2, 4, 6 }, { 0, 0, 1 }}};
    const struct matrix bad = {{{ NAN, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}};
    (void)state;
    for (int t = 0; t < 100; t++) {
        const struct draws d = geometry_draw(&wild, false, &r);
        const struct matrix m = geometry_matrix(&d, RESIZE_STRETCH, (struct image_size){ 64, 48 },
                                                (struct image_size){ 32, 40 });
        assert_true(matrix_inverse(&inverse, &m));
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                double sum = 0;
                for (int k = 0; k < 3; k++)
                    sum += m.m[i][k] * inverse.m[k][j];
                assert_true(fabs(sum - (i == j)) < 1e-9);
            }
    }
    inverse.m[0][0] = 7;
    assert_false(matrix_inverse(&inverse, &singular));
    assert_false(matrix_inverse(&inverse, &bad));
    assert_true(inverse.m[0][0] == 7);
}

static const struct box_case {
    struct matrix m;
    float in[4], out[4];
} box_cases[] = {                               /* into an output of 20 x 10 */
    { {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}},    { 1, 2, 3, 4 },     { 1, 2, 3, 4 } },
    { {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}},    { -5, 2, 30, 40 },  { 0, 2, 20, 10 } },
    { {{{ 1, 0, 30 }, { 0, 1, 0 }, { 0, 0, 1 }}},   { 1, 2, 3, 4 },     { 20, 2, 20, 4 } },     /* moved out: empty */
    { {{{ -1, 0, 20 }, { 0, 1, 0 }, { 0, 0, 1 }}},  { 1, 2, 3, 4 },     { 17, 2, 19, 4 } },     /* flipped */
    { {{{ 0, -1, 10 }, { 1, 0, 0 }, { 0, 0, 1 }}},  { 1, 2, 3, 4 },     { 6, 1, 8, 3 } },       /* a quarter turn */
    { {{{ 2, 0, 0 }, { 0, 2, 0 }, { 0, 0, 4 }}},    { 2, 2, 8, 8 },     { 1, 1, 4, 4 } },       /* divided by w */
    { {{{ 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 }}},    { 2, 2, 8, 8 },     { 0, 0, 0, 0 } },       /* 0 / 0 */
};

static void boxes_move_with_the_image(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof box_cases / sizeof *box_cases; i++) {
        const struct box_case *c = &box_cases[i];
        float box[1][4];
        warp_boxes(&c->m, (struct image_size){ 20, 10 }, 1, &c->in, box);
        for (int k = 0; k < 4; k++)
            if (box[0][k] != c->out[k])
                fail_msg("box case %zu: coordinate %d is %g, not %g", i, k, box[0][k], c->out[k]);
    }
}

static double pixel(const struct image *s, int x, int y, int c)
{
    const bool inside = x >= 0 && y >= 0 && x < s->width && y < s->height;
    return inside ? s->p[3 * ((ptrdiff_t)y * s->width + x) + c] : 0;
}

/* The definition, in double. */
static double bilinear(const struct image *s, const struct matrix *inverse, int x, int y, int c)
{
    double p[3];
    for (int i = 0; i < 3; i++)
        p[i] = inverse->m[i][0] * x + inverse->m[i][1] * y + inverse->m[i][2];
    const double u = p[0] / p[2], v = p[1] / p[2];
    if (!(fabs(u) < 1e6 && fabs(v) < 1e6))
        return 0;
    const int i = (int)floor(v), j = (int)floor(u);
    const double a = u - j, b = v - i;
    return (1 - b) * ((1 - a) * pixel(s, j, i, c) + a * pixel(s, j + 1, i, c))
         + b * ((1 - a) * pixel(s, j, i + 1, c) + a * pixel(s, j + 1, i + 1, c));
}

static void warp_is_bilinear(void **state)
{
    static const struct image_size sizes[] = { { 1, 1 }, { 2, 1 }, { 5, 7 }, { 64, 48 }, { 97, 33 } };
    struct random r = random_of(seed, 4, 0);
    static unsigned char out[3 * 101 * 67];
    (void)state;
    for (int t = 0; t < 100; t++) {
        const struct image_size source = sizes[t % 5],
                                to = t % 2 ? (struct image_size){ 101, 67 } : (struct image_size){ 64, 3 };
        const enum resize mode = t % 3 ? RESIZE_STRETCH : RESIZE_LETTERBOX;
        const struct draws d = geometry_draw(&wild, false, &r);
        const struct matrix m = geometry_matrix(&d, mode, source, to);
        struct image p = noise(source.width, source.height, &r);
        struct matrix inverse;
        assert_true(matrix_inverse(&inverse, &m));
        warp(&p, &m, to, out);
        for (int i = 0; i < 3 * to.width * to.height; i++) {
            const double want = bilinear(&p, &inverse, i / 3 % to.width, i / 3 / to.width, i % 3);
            if (!(fabs(out[i] - want) <= 0.51))
                fail_msg("trial %d, byte %d: %d, not %.4f; SEED=%d", t, i, out[i], want, (int)seed);
        }
        image_free(&p);
    }
}

static void warp_copies_shifts_and_rounds(void **state)
{
    unsigned char pixels[3 * 2 * 2] = { 1, 10, 100, 2, 13, 101, 3, 20, 200, 4, 21, 203 }, out[3 * 3 * 2];
    const struct image p = { .p = pixels, .width = 2, .height = 2 };
    const struct matrix same = {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}};
    const struct matrix right = {{{ 1, 0, 1 }, { 0, 1, 0 }, { 0, 0, 1 }}};
    const struct matrix half = {{{ 1, 0, -0.5 }, { 0, 1, 0 }, { 0, 0, 1 }}}, none = {{{0}}};
    const struct matrix nan = {{{ NAN, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}};
    static const unsigned char black[sizeof out], halves[6] = { 2, 12, 100, 1, 6, 50 };
    (void)state;
    warp(&p, &same, (struct image_size){ 2, 2 }, out);
    assert_memory_equal(out, pixels, sizeof pixels);
    warp(&p, &right, (struct image_size){ 3, 2 }, out);
    assert_memory_equal(out, black, 3);
    assert_memory_equal(out + 3, pixels, 6);
    warp(&p, &half, (struct image_size){ 2, 1 }, out);  /* 1.5 to 2, 11.5 to 12, 100.5 to 100; black beyond the edge */
    assert_memory_equal(out, halves, 6);
    warp(&p, &none, (struct image_size){ 3, 2 }, out);
    assert_memory_equal(out, black, sizeof out);
    warp(&p, &nan, (struct image_size){ 3, 2 }, out);
    assert_memory_equal(out, black, sizeof out);
}

/* To HSV and back, by the formulas of the hexcone model. */
static void hexcone(const double in[3], double saturation, double out[3])
{
    const double e = 0x1p-23, b = in[0], g = in[1], r = in[2];
    const double v = fmax(b, fmax(g, r)), low = fmin(b, fmin(g, r)), k = 60 / (v - low + e);
    double h = v == r ? (g - b) * k : v == g ? (b - r) * k + 120 : (r - g) * k + 240;
    h = (h < 0 ? h + 360 : h) / 60;
    const double s = (v - low) / (fabs(v) + e) * saturation, f = h - floor(h);
    const double p = v * (1 - s), q = v * (1 - s * f), t = v * (1 - s * (1 - f));
    const double rgb[6][3] = { { v, t, p }, { q, v, p }, { p, v, t }, { p, q, v }, { t, p, v }, { v, p, q } };
    for (int i = 0; i < 3; i++)
        out[i] = rgb[(int)h % 6][2 - i];
}

static void saturation_uses_the_hexcone_model(void **state)
{
    struct pipeline_config config = plain.pipeline;
    struct random r = random_of(seed, 5, 0);
    struct colour_map map;
    (void)state;
    for (int i = 0; i < 3; i++) {
        config.normalize[0][i] = 0;
        config.normalize[1][i] = 255;
    }
    for (int t = 0; t < TRIALS; t++) {
        const struct colour_jitter jitter = colour_draw(&wild, &r);
        unsigned char in[1][3];
        float out[1][3];
        double want[3];
        for (int i = 0; i < 3; i++) {
            in[0][i] = (unsigned char)(t % 3 ? random_below(&r, 256) : 250 + random_below(&r, 6));
            want[i] = (in[0][i] / 255.0 + jitter.brightness) * jitter.contrast;
        }
        if (jitter.saturation != 1)
            hexcone(want, jitter.saturation, want);
        colour_map(&map, &config, &jitter);
        colour_row(&map, 1, in, out);
        for (int i = 0; i < 3; i++)
            if (!(fabs(out[0][i] - want[i]) <= 1e-5))
                fail_msg("trial %d, channel %d: %.8f, not %.8f; SEED=%d", t, i, out[0][i], want[i], (int)seed);
    }
}

static void pixels_of_a_row_are_coloured_alike(void **state)
{
    enum { PIXELS = 150 };
    const struct colour_jitter jitter = { 0.1f, 1.2f, 0.7f };
    struct random r = random_of(seed, 6, 0);
    struct image p = noise(PIXELS, 1, &r);
    struct colour_map map;
    float row[PIXELS + 1][3], one[1][3];
    (void)state;
    colour_map(&map, &plain.pipeline, &jitter);
    for (int n = 0; n <= PIXELS; n++) {
        row[n][0] = 77;
        colour_row(&map, n, (const void *)p.p, row);
        assert_true(row[n][0] == 77);
        for (int i = 0; i < n; i++) {
            colour_row(&map, 1, (const void *)(p.p + 3 * i), one);
            assert_memory_equal(row[i], one[0], sizeof one);
        }
    }
    image_free(&p);
}

static void normalisation_as_upstream(void **state)
{
    struct colour_map map;
    const unsigned char in[2][3] = { { 0, 128, 255 }, { 104, 116, 124 } };
    float out[2][3];
    (void)state;
    colour_map(&map, &plain.pipeline, &no_colour_jitter);
    colour_row(&map, 2, in, out);
    for (int i = 0; i < 6; i++) {
        const double *mean = plain.pipeline.normalize[0], *std = plain.pipeline.normalize[1];
        assert_true(fabs(out[i / 3][i % 3] - (in[i / 3][i % 3] - mean[i % 3]) / std[i % 3]) < 4e-7);
    }
}

static void sizes_are_truncated(void **state)
{
    const struct image_size zero = scaled_size((struct image_size){ 320, 1 }, 0.5);
    const struct image_size huge = scaled_size((struct image_size){ 320, 2 }, 1e300);
    const struct image_size nan = scaled_size((struct image_size){ 320, 320 }, NAN),
                            thin = scaled_size((struct image_size){ 0, 320 }, 1);
    const struct image_size long_side = { 3, 1000 }, square = { 320, 320 };
    const struct image_size tall = resize_size(RESIZE_KEEP, long_side, square, 0);
    const struct image_size whole = resize_size(RESIZE_KEEP, long_side, square, 32);
    (void)state;
    assert_true(zero.width == 160 && zero.height == 1);
    assert_true(huge.width == huge.height && huge.width > 320);
    assert_true(nan.width == 1 && nan.height == 1 && thin.width == 1 && thin.height == 320);
    assert_true(tall.width == 0 && tall.height == 320);
    assert_true(whole.width == 32 && whole.height == 320);
}

/* An extreme image makes a side of 0 out of resize_size; a sample has no such side. */
static void samples_have_at_least_one_pixel(void **state)
{
    struct data_config config = plain;
    struct random r = random_of(seed, 6, 0);
    struct image p = noise(1, 500, &r);
    struct sample s = {0};
    struct error err = {0};
    (void)state;
    config.resize = RESIZE_KEEP;
    assert_true(sample_make(&s, &config, &p, &r, &err));
    assert_true(s.input.width == 1 && s.input.height == 48 && s.source.height == 500);
    config.pipeline.divisible = 32;
    assert_true(sample_make(&s, &config, &p, &r, &err));
    assert_true(s.input.width == 32 && s.input.height == 64);
    sample_free(&s);
    image_free(&p);
}

static void objects_are_sorted_by_kind(void **state)
{
    struct annotation annotations[] = {
        { .box = { 0, 0, 9, 9 }, .area = 81 },                              /* of the image before */
        { .image = 1, .category = 1, .box = { 10, 8, 20, 16 }, .area = 320 },
        { .image = 1, .category = 0, .box = { 0, 0, 8, 8 }, .area = 64 },                       /* no class: out */
        { .image = 1, .category = 0, .box = { 0, 0, 8, 8 }, .area = 64, .ignore = true },
        { .image = 1, .category = 2, .box = { 4, 4, 8, 8 }, .area = 64, .ignore = true, .crowd = true },
        { .image = 1, .category = 2, .box = { 4, 4, 0.5, 8 }, .area = 4 },                      /* narrow: out */
        { .image = 1, .category = 2, .box = { 4, 4, 8, 8 }, .area = 0 },                        /* no area: out */
        { .image = 1, .category = 2, .box = { 900, 4, 8, 8 }, .area = 64 },                     /* outside: empty */
    };
    struct image_record images[] = { { .first = 0, .count = 1 }, { .first = 1, .count = 7 } };
    const struct dataset dataset = { .images = images, .image_count = 2, .annotations = annotations,
                                     .annotation_count = 8 };
    const int label[] = { -1, 0, 1 };
    struct random r = random_of(seed, 7, 0);
    struct image p = noise(128, 96, &r);
    struct sample s = {0};
    struct error err = {0};
    (void)state;
    assert_true(sample_make(&s, &plain, &p, &r, &err));
    assert_true(sample_objects(&s, &dataset, 0, label, &err));
    assert_true(s.objects.count == 0 && s.objects.ignored == 0);
    assert_true(sample_objects(&s, &dataset, 1, label, &err));
    assert_int_equal(s.objects.count, 2);
    assert_int_equal(s.objects.ignored, 2);
    const float box[4] = { 5, 4, 15, 12 }, empty[4] = { 64, 2, 64, 6 }, ignore[4] = { 2, 2, 6, 6 };
    assert_memory_equal(s.objects.box[0], box, sizeof box);
    assert_memory_equal(s.objects.box[1], empty, sizeof empty);
    assert_memory_equal(s.objects.ignore[1], ignore, sizeof ignore);
    assert_true(s.objects.label[0] == 0 && s.objects.label[1] == 1);
    sample_free(&s);
    image_free(&p);
}

/* Samples of 64 x 24 and 36 x 48 in a batch of 64 x 64: each at the top left, 0 around it. */
static void batches_are_padded(void **state)
{
    struct data_config config = plain;
    struct random r = random_of(seed, 8, 0);
    struct image p[2] = { noise(128, 48, &r), noise(72, 96, &r) };
    struct batch b = {0};
    struct error err = {0};
    float row[64][3];
    (void)state;
    config.resize = RESIZE_KEEP;
    for (int round = 0; round < 2; round++) {           /* the second in memory that the first has dirtied */
        assert_true(batch_resize(&b, 2, &err));
        for (int i = 0; i < 2; i++)
            assert_true(sample_make(&b.samples[i], &config, &p[round ? 1 - i : i], &r, &err));
        assert_true(batch_stack(&b, &config.pipeline, &err));
        assert_true(b.n == 2 && b.h == 64 && b.w == 64);
        for (int i = 0; i < 2; i++)
            for (int y = 0; y < 64; y++) {
                const struct sample *s = &b.samples[i];
                struct colour_map map;
                memset(row, 0, sizeof row);
                colour_map(&map, &config.pipeline, &s->jitter);
                if (y < s->input.height)
                    colour_row(&map, s->input.width, (const void *)(s->pixels + 3 * y * s->input.width), row);
                assert_memory_equal(b.image + 3 * 64 * (64 * i + y), row, sizeof row);
            }
    }
    batch_free(&b);
    image_free(&p[0]);
    image_free(&p[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_fill_their_ranges),
        cmocka_unit_test(coins_skip_steps),
        cmocka_unit_test(colour_draws_follow_coins),
        cmocka_unit_test(inverses_invert),
        cmocka_unit_test(boxes_move_with_the_image),
        cmocka_unit_test(warp_is_bilinear),
        cmocka_unit_test(warp_copies_shifts_and_rounds),
        cmocka_unit_test(saturation_uses_the_hexcone_model),
        cmocka_unit_test(pixels_of_a_row_are_coloured_alike),
        cmocka_unit_test(normalisation_as_upstream),
        cmocka_unit_test(sizes_are_truncated),
        cmocka_unit_test(samples_have_at_least_one_pixel),
        cmocka_unit_test(objects_are_sorted_by_kind),
        cmocka_unit_test(batches_are_padded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
