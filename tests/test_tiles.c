/* tests/test_tiles.c -- where tiles lie, what a tile shows in training, and detections of tiles joined at seams. */
#include "data/sample.h"
#include "detect/merge.h"
#include "small_config.h"
#include <math.h>
#include <stdlib.h>

/* ---- where tiles lie ---- */

static void axis_is_covered(int extent, int tile, double overlap)
{
    const struct tile_grid g = tile_grid_of((struct image_size){ extent, tile }, (struct image_size){ tile, tile },
                                            overlap);
    assert_int_equal(g.rows, 1);
    for (int i = 0; i < g.columns; i++) {
        const struct tile t = tile_at(&g, i);
        assert_int_equal(t.y, 0);
        assert_true(t.x == 0 ? i == 0 : t.x + tile <= extent);
        if (i > 0)
            assert_true(tile_at(&g, i - 1).x + tile - t.x >= (int)(overlap * tile));
    }
    assert_true(tile_at(&g, g.columns - 1).x + tile >= extent);
    if (g.columns > 2)          /* one fewer would overlap less */
        assert_true((extent - tile) / (g.columns - 2.0) > (int)(tile * (1 - overlap)));
}

static void test_tiles_cover_an_image(void **state)
{
    (void)state;
    for (int extent = 1; extent < 700; extent += 3)
        for (int tile = 32; tile < 300; tile += 67)
            for (int k = 0; k < 10; k++)
                axis_is_covered(extent, tile, 0.1 * k);
    const struct tile_grid g = tile_grid_of((struct image_size){ 1000, 500 }, (struct image_size){ 400, 300 }, 0.25);
    assert_true(g.columns == 3 && g.rows == 2);
    const struct tile t = tile_at(&g, 5);
    assert_true(t.x == 600 && t.y == 200 && t.size.width == 400 && t.size.height == 300);
}

/* Without the fraction of whole images: a tile at a time, all of them inside of the image, and its borders are seen
 * about as often as they would be if tiles could lie across them. */
static void test_drawn_tiles_reach_the_borders(void **state)
{
    enum { DRAWS = 20000, WIDTH = 300, HEIGHT = 120, SIDE = 100 };
    const struct train_tiles tiles = { .size = { 1, { SIDE } }, .whole = 0 }, none = { .whole = 0 };
    const int input[2] = { 64, 64 };
    const struct image_size image = { WIDTH, HEIGHT };
    struct random r = random_of(3, 0, 0);
    int left = 0, right = 0;
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        const struct tile t = tile_draw(&tiles, input, image, &r);
        assert_true(t.x >= 0 && t.x + SIDE <= WIDTH && t.y >= 0 && t.y + SIDE <= HEIGHT && t.size.width == SIDE);
        left += t.x == 0;
        right += t.x + SIDE == WIDTH;
    }
    assert_in_range(left, DRAWS / 6.6, DRAWS / 5.4);             /* half a tile of three */
    assert_in_range(right, DRAWS / 6.6, DRAWS / 5.4);

    const struct random before = r;
    assert_true(tile_draw(&none, input, image, &r).size.width == WIDTH && r.state == before.state);
    const struct train_tiles as_input = { .size = { 2, { 0, 0 } }, .whole = 0 };
    const struct train_tiles some = { .size = { 1, { 50 } }, .whole = 0.3 };
    assert_int_equal(tile_draw(&as_input, input, image, &r).size.width, 64);
    int whole = 0;
    for (int i = 0; i < DRAWS; i++)
        whole += tile_draw(&some, input, image, &r).size.width == WIDTH;
    assert_in_range(whole, 0.28 * DRAWS, 0.32 * DRAWS);
    assert_true(tile_draw(&tiles, input, (struct image_size){ 90, SIDE }, &r).size.width == 90);     /* smaller image */
}

/* ---- in training ---- */

static struct data_config plain_config(int width, int height)
{
    return (struct data_config){ .input_size = { width, height }, .multi_scale = { 1, 1 },
                                 .pipeline = { .scale = { 1, 1 }, .stretch = {{ 1, 1 }, { 1, 1 }}, .contrast = { 1, 1 },
                                               .saturation = { 1, 1 } } };
}

/* A tile of the input's size has the pixels of the image; beyond the image it is black. */
static void test_a_tile_is_a_part_of_the_image(void **state)
{
    const struct data_config config = plain_config(64, 48);
    const struct tile tile = { 30, 0, { 64, 48 } };
    struct random r = random_of(1, 0, 0);
    struct sample s = {0};
    struct image image;
    (void)state;
    assert_true(image_new(&image, 120, 40, NULL));
    for (int i = 0; i < 3 * 120 * 40; i++)
        image.p[i] = (unsigned char)random_below(&r, 256);
    assert_true(sample_make_tile(&s, &config, &image, &tile, &r, NULL));
    assert_true(s.tiled && s.input.width == 64 && s.input.height == 48);
    for (int y = 0; y < 40; y++)
        assert_memory_equal(s.pixels + 3 * 64 * y, image.p + 3 * (120 * y + 30), 3 * 64);
    for (int i = 3 * 64 * 40; i < 3 * 64 * 48; i++)
        assert_int_equal(s.pixels[i], 0);
    float view[4];
    sample_view(&s, view);
    assert_true(fabsf(view[0] - 30) < 1e-4f && fabsf(view[2] - 94) < 1e-4f && view[1] < 1e-4f && view[3] == 40);
    sample_free(&s);
    image_free(&image);
}

static void test_objects_in_a_tile(void **state)
{
    static const double boxes[][4] = { { 110, 110, 20, 20 },    /* inside of the tile from 100 to 164 */
                                       { 90, 110, 20, 20 },     /* half of it */
                                       { 84, 110, 20, 20 },     /* a fifth */
                                       { 84, 84, 20, 20 },      /* a twenty-fifth, at the corner */
                                       { 10, 10, 20, 20 },      /* nothing */
                                       { 100, 90, 30, 30 } };   /* an ignored region */
    enum { COUNT = sizeof boxes / sizeof *boxes };
    struct annotation annotations[COUNT];
    struct image_record record = { .count = COUNT };
    struct category category = { .id = 1 };
    const struct dataset set = { &record, 1, &category, 1, annotations, COUNT, .notes = {{0}} };
    const struct data_config config = plain_config(128, 128);
    const struct tile tile = { 100, 100, { 64, 64 } };
    const float objects[][4] = { { 20, 20, 60, 60 }, { 0, 20, 20, 60 } };
    struct sample s = {0};
    struct image image;
    struct random r = random_of(1, 0, 0);
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        annotations[i] = (struct annotation){ .id = i, .area = 400, .ignore = i + 1 == COUNT };
        memcpy(annotations[i].box, boxes[i], sizeof boxes[i]);
    }
    assert_true(image_new(&image, 300, 200, NULL));
    memset(image.p, 0, 3 * 300 * 200);
    assert_true(sample_make_tile(&s, &config, &image, &tile, &r, NULL));
    assert_true(sample_objects(&s, &set, 0, (int[]){ 0 }, NULL));
    assert_int_equal(s.objects.count, 2);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++)
            assert_true(fabsf(s.objects.box[i][k] - objects[i][k]) < 1e-3f);
    assert_int_equal(s.objects.ignored, 3);
    assert_true(fabsf(s.objects.ignore[0][2] - 8) < 1e-3f && fabsf(s.objects.ignore[2][2] - 60) < 1e-3f);

    assert_true(sample_make(&s, &config, &image, &r, NULL) && sample_objects(&s, &set, 0, (int[]){ 0 }, NULL));
    assert_int_equal(s.objects.count, 5);                       /* of the whole image: all */
    sample_free(&s);
    image_free(&image);
}

/* ---- detections ---- */

enum { OBJECTS = 60, FOUND = 20000 };
struct scene { struct image_size image; float box[OBJECTS][4]; int count; };

/* Objects that do not overlap, of at most `side` pixels; every second one lies at the border of a tile. */
static void place_objects(struct scene *s, const struct tile_grid *g, int side, struct random *r)
{
    s->image = g->image;
    s->count = 0;
    for (int tries = 0; tries < 4 * OBJECTS && s->count < OBJECTS; tries++) {
        const struct tile t = tile_at(g, random_below(r, g->columns * g->rows));
        const int w = 4 + random_below(r, side - 3), h = 4 + random_below(r, side - 3);
        const int at[2] = { t.x + (tries % 4 < 2 ? t.size.width : 0), t.y + (tries % 4 ? t.size.height : 0) };
        int x = tries % 2 ? at[0] - random_below(r, w + 1) : random_below(r, s->image.width);
        int y = tries % 2 ? at[1] - random_below(r, h + 1) : random_below(r, s->image.height);
        x = x < 0 ? 0 : x + w > s->image.width ? s->image.width - w : x;
        y = y < 0 ? 0 : y + h > s->image.height ? s->image.height - h : y;
        const float box[4] = { (float)x, (float)y, (float)(x + w), (float)(y + h) };
        bool clear = true;
        for (int i = 0; i < s->count; i++)
            clear = clear && (box[0] >= s->box[i][2] || box[2] <= s->box[i][0] || box[1] >= s->box[i][3]
                              || box[3] <= s->box[i][1]);
        if (clear)
            memcpy(s->box[s->count++], box, sizeof box);
    }
}

/* A detector that finds the visible part of every object, with an error of a pixel. */
static int detect_tile(const struct scene *s, const struct tile *t, struct random *r, struct detected *list)
{
    const float view[4] = { (float)t->x, (float)t->y, fminf((float)(t->x + t->size.width), (float)s->image.width),
                            fminf((float)(t->y + t->size.height), (float)s->image.height) };
    int count = 0;
    for (int i = 0; i < s->count; i++) {
        struct detected found = { .score = (float)random_range(r, 0.1, 1), .label = 0 };
        for (int k = 0; k < 4; k++) {
            const float error = (float)random_range(r, -0.4, 0.4), low = view[k & 1], high = view[2 + (k & 1)];
            found.box[k] = fminf(fmaxf(s->box[i][k] + error, low), high);
        }
        const bool visible = found.box[2] - found.box[0] > 2 && found.box[3] - found.box[1] > 2;
        if (visible && !box_is_cut(found.box, view, s->image))
            list[count++] = found;
    }
    return count;
}

/* Each object is found once and whole, wherever seams lie, if it fits into the overlap less the margins. */
static void test_objects_at_seams_are_found_once(void **state)
{
    static struct detected list[FOUND];
    long duplicates = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct random r = random_of(seed, 5, 0);
        const struct image_size image = { 250 + random_below(&r, 900), 250 + random_below(&r, 700) };
        const struct tile_grid g = tile_grid_of(image, (struct image_size){ 200, 160 }, 0.25);
        struct scene s;
        int count = 0;
        place_objects(&s, &g, 30, &r);
        for (int i = 0; i < g.columns * g.rows; i++) {
            const struct tile t = tile_at(&g, i);
            count += detect_tile(&s, &t, &r, list + count);
        }
        duplicates += count - s.count;
        const int kept = merge_passes(list, count, 0.6, false, FOUND);
        if (kept != s.count)
            fail_msg("%d detections of %d objects; SEED=%d", kept, s.count, (int)seed);
        for (int i = 0; i < kept; i++) {
            int whole = 0;
            for (int k = 0; k < s.count; k++)
                whole += fabsf(list[i].box[0] - s.box[k][0]) < 1 && fabsf(list[i].box[1] - s.box[k][1]) < 1
                      && fabsf(list[i].box[2] - s.box[k][2]) < 1 && fabsf(list[i].box[3] - s.box[k][3]) < 1;
            if (whole != 1)
                fail_msg("a detection is not one object; SEED=%d", (int)seed);
            assert_true(i == 0 || list[i].score <= list[i - 1].score);
        }
    }
    assert_true(duplicates > 500);
}

static void test_merging(void **state)
{
    const struct detected given[] = {
        { { 0, 0, 10, 10 }, 0.5f, 1 }, { { 2, 2, 8, 8 }, 0.9f, 1 },     /* the second lies inside of the first */
        { { 2, 2, 8, 8 }, 0.8f, 2 },                                    /* of another class */
        { { 6, 2, 12, 8 }, 0.6f, 1 } };                                 /* shares a third with the best */
    struct detected list[4];
    (void)state;
    memcpy(list, given, sizeof given);
    assert_int_equal(merge_passes(list, 4, 0.6, false, 5), 3);
    assert_true(list[0].score == 0.9f && list[1].score == 0.8f && list[2].score == 0.6f);
    memcpy(list, given, sizeof given);
    assert_int_equal(merge_passes(list, 4, 0.6, true, 5), 2);
    assert_true(list[1].score == 0.6f);
    memcpy(list, given, sizeof given);
    assert_int_equal(merge_passes(list, 4, 0.3, false, 5), 2);
    memcpy(list, given, sizeof given);
    assert_int_equal(merge_passes(list, 4, 0.6, false, 1), 1);
    assert_int_equal(merge_passes(list, 0, 0.6, false, 2), 0);
}

static void test_cut_boxes(void **state)
{
    const struct image_size image = { 300, 200 };
    const float view[4] = { 0, 100, 100, 200 };             /* inner borders: top and right; margins of 2 pixels */
    (void)state;
    assert_false(box_is_cut((float[]){ 0, 150, 50, 200 }, view, image));
    assert_false(box_is_cut((float[]){ 10, 103, 97, 120 }, view, image));
    assert_true(box_is_cut((float[]){ 10, 102, 20, 120 }, view, image));
    assert_true(box_is_cut((float[]){ 10, 110, 98.5f, 120 }, view, image));
    assert_true(box_is_cut((float[]){ 0, 100, 100, 200 }, view, image));
    assert_false(box_is_cut((float[]){ 0, 0, 300, 200 }, (float[]){ 0, 0, 300, 200 }, image));
}

/* ---- configuration ---- */

static void test_keys(void **state)
{
    static const struct { const char *override, *message; } wrong[] = {
        { "data.train.tiles.size=[100, 100, 100]", "3 numbers" }, { "data.val.tiles.size=20", "at least 32 pixels" },
        { "data.val.tiles.size=[0, 31]", "at least 32 pixels" },
        { "data.train.tiles.size=9000", "data.train.tiles.size" },
        { "data.val.tiles.whole=1", "data.val.tiles" }, { "data.val.tiles=auto", "is a section of keys" },
        { "data.val.tiles.overlap=0.95", "overlap" } };
    struct config config = {0};
    struct error err = {0};
    (void)state;
    read_minimal(&config, NULL);
    assert_true(config.train.tiles.size.count == 0 && config.val_tiles.size.count == 0 && config.val_tiles.coarse);
    config_free(&config);
    read_minimal(&config, "data.val.tiles={size: [640, 0], overlap: 0.1}");
    assert_true(config.val_tiles.size.count == 2 && config.val_tiles.overlap == 0.1);
    assert_true(config.train.tiles.size.count == 0);
    const struct image_size size = tile_size(&config.val_tiles.size, config.val.input_size);
    assert_true(size.width == 640 && size.height == 256);
    config_free(&config);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(parse(&config, minimal, wrong[i].override, &err));
        if (err.exit != 2 || !strstr(err.text, wrong[i].message))
            fail_msg("%s: %s", wrong[i].override, err.text);
        config_free(&config);
    }
}

static void coarse_grids_double(void **state)
{
    const struct image_size tile = { 400, 300 }, image = { 4000, 2000 };
    const int counts[][2] = { { 13, 9 }, { 1, 1 }, { 7, 5 }, { 3, 2 } };        /* tiles of 400, whole, of 800, 1600 */
    struct tile_grid grids[TILE_GRIDS];
    (void)state;
    assert_int_equal(tile_grids(&(struct test_tiles){ .overlap = 0.25 }, tile, image, grids), 1);
    assert_int_equal(tile_grids(&(struct test_tiles){ .overlap = 0.25, .coarse = true }, tile, image, grids), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(grids[i].columns, counts[i][0]);
        assert_int_equal(grids[i].rows, counts[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coarse_grids_double),
        cmocka_unit_test(test_tiles_cover_an_image),
        cmocka_unit_test(test_drawn_tiles_reach_the_borders),
        cmocka_unit_test(test_a_tile_is_a_part_of_the_image),
        cmocka_unit_test(test_objects_in_a_tile),
        cmocka_unit_test(test_objects_at_seams_are_found_once),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_cut_boxes),
        cmocka_unit_test(test_keys) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
