/* tests/test_loader.c -- the loader: the content of a batch depends only on seed, epoch and step. */
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/loader.h"
#include "data/repeat.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { IMAGES = 11 };
static char folder[] = "/tmp/test_loader_XXXXXX";
static struct image_record images[IMAGES];
static struct annotation annotations[2 * IMAGES];
static struct category categories[2];
static struct dataset dataset = { images, IMAGES, categories, 2, annotations, 2 * IMAGES, .notes = {{0}} };
static const int label[2] = { 0, 1 };

static struct data_config settings(void)
{
    return (struct data_config){
        .img_path = folder, .ann_path = "annotations", .input_size = { 64, 48 }, .multi_scale = { 0.5, 1.5 },
        .pipeline = { .perspective = 0.0005, .scale = { 0.6, 1.4 }, .stretch = {{ 0.8, 1.2 }, { 0.8, 1.2 }},
                      .rotation = 10, .shear = 5, .translate = 0.2, .flip = 0.5, .brightness = 0.2,
                      .contrast = { 0.6, 1.4 }, .saturation = { 0.5, 1.2 },
                      .normalize = {{ 103.53, 116.28, 123.675 }, { 57.375, 57.12, 58.395 }} } };
}

/* Images of several sizes, each with two boxes. */
static int make_images(void **state)
{
    struct random r = random_of(1, 2, 3);
    struct error err = {0};
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    for (int i = 0; i < IMAGES; i++) {
        struct image p;
        char *file = new_array(16, 1, &err), *path;
        if (!file || !image_new(&p, 40 + 9 * i, 90 - 5 * i, &err))
            return -1;
        snprintf(file, 16, i % 2 ? "%d.jpg" : "%d.png", i);
        for (int k = 0; k < 3 * p.width * p.height; k++)
            p.p[k] = (unsigned char)random_below(&r, 256);
        path = path_join(folder, file, &err);
        if (!path || !(i % 2 ? image_write_jpeg(&p, 90, path, &err) : image_write_png(&p, path, &err)))
            return -1;
        free(path);
        image_free(&p);
        images[i] = (struct image_record){ .id = i, .file = file, .first = 2 * i, .count = 2 };
        for (int k = 2 * i; k < 2 * i + 2; k++)
            annotations[k] = (struct annotation){ .id = k, .image = i, .category = k % 2, .box = { 3, 4, 20, 10 + i },
                                                  .area = 200, .ignore = k % 5 == 0 };
    }
    return 0;
}

static int remove_images(void **state)
{
    (void)state;
    for (int i = 0; i < IMAGES; i++) {
        char *path = path_join(folder, images[i].file, NULL);
        if (path)
            remove(path);
        free(path);
        free(images[i].file);
    }
    return rmdir(folder);
}

static void add_augmentation(struct data_config *data)
{
    data->load_mosaic = true;
    data->mosaic.probability = 0.7;
    data->repeat_factor = 1;
    data->pipeline.flip_vertical = data->pipeline.rotate90 = 0.5;
    data->pipeline.copy_paste = 1.5;
}

static uint64_t hash(uint64_t h, const void *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const unsigned char *)p)[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t batch_hash(const struct batch *b)
{
    uint64_t h = hash(UINT64_C(0xcbf29ce484222325), b->image, 3 * sizeof(float) * (size_t)(b->n * b->h * b->w));
    for (int i = 0; i < b->n; i++) {
        const struct sample *s = &b->samples[i];
        h = hash(h, &s->image, sizeof s->image);
        h = hash(h, &s->matrix, sizeof s->matrix);
        h = hash(h, s->objects.box, (size_t)s->objects.count * sizeof *s->objects.box);
        h = hash(h, s->objects.label, (size_t)s->objects.count * sizeof *s->objects.label);
        h = hash(h, s->objects.ignore, (size_t)s->objects.ignored * sizeof *s->objects.ignore);
    }
    return hash(h, (int[]){ b->epoch, b->step, b->n, b->h, b->w }, 5 * sizeof(int));
}

static struct loader *opened(const struct loader_config *config)
{
    struct error err = {0};
    struct loader *l = loader_open(config, &err);
    if (!l)
        fail_msg("%s", err.text);
    return l;
}

static const struct batch *next(struct loader *l)
{
    struct error err = {0};
    const struct batch *b;
    if (!loader_next(l, &b, &err))
        fail_msg("%s", err.text);
    return b;
}

/* Hashes of the first `count` batches. */
static void run(const struct loader_config *config, int count, uint64_t *out)
{
    struct loader *l = opened(config);
    for (int i = 0; i < count; i++)
        out[i] = batch_hash(next(l));
    loader_close(l);
}

/* added: mosaics in the first epoch, copies, right angles and repeats.  A configuration refuses scaled with a
 * cache: pixels would depend on which worker was first. */
static const struct setting {
    enum resize resize; int batch; size_t cache; double perspective; bool scaled, added; int tile;
} settings_of[] = {
    { RESIZE_STRETCH,   4,  0,       0,      .scaled = false }, /* no perspective: what is not read is not decoded */
    { RESIZE_STRETCH,   5,  0,       0,      .scaled = true },
    { RESIZE_KEEP,      3,  1 << 20, 0,      .scaled = false }, /* all of the images */
    { RESIZE_LETTERBOX, 1,  20000,   0,      .scaled = false }, /* some of them */
    { RESIZE_STRETCH,   11, 0,       0.0005, .scaled = false },
    { RESIZE_KEEP,      32, 1 << 20, 0.0005, .scaled = false }, /* a batch is all there is */
    { RESIZE_STRETCH,   3,  0,       0,      .scaled = true,  .added = true },
    { RESIZE_KEEP,      4,  20000,   0,      .scaled = false, .added = true },
    { RESIZE_LETTERBOX, 5,  0,       0.0005, .scaled = false, .added = true },
    { RESIZE_STRETCH,   4,  20000,   0,      .scaled = false, .tile = 33 },
    { RESIZE_KEEP,      5,  0,       0,      .scaled = true,  .tile = 40 },
    { RESIZE_STRETCH,   4,  20000,   0,      .scaled = false, .added = true, .tile = 33 },
    { RESIZE_STRETCH,   4,  0,       0,      .scaled = true,  .added = true, .tile = 33 },
};

static void same_bits_from_any_workers_cache_and_start(void **state)
{
    enum { COUNT = 12 };
    (void)state;
    for (size_t i = 0; i < sizeof settings_of / sizeof *settings_of; i++) {
        const struct setting *s = &settings_of[i];
        struct data_config data = settings();
        struct error err = {0};
        uint64_t want[COUNT], got[COUNT];
        data.resize = s->resize;
        data.pipeline.perspective = s->perspective;
        data.scaled_decode = s->scaled;
        if (s->added)
            add_augmentation(&data);
        data.tiles = (struct train_tiles){ { s->tile > 0, { s->tile } }, 0.3 };
        struct loader_config config = { .dataset = &dataset, .data = &data, .label = label, .train = true,
                                        .batch = s->batch, .workers = 1, .seed = 7, .mosaic_epochs = 1 };
        const int places = count_epoch_places(&dataset, label, data.repeat_factor, NULL, &err);
        const int steps = loader_steps(places, s->batch, true);
        run(&config, COUNT, want);
        for (int workers = 1; workers <= 3; workers++) {
            config.workers = workers;
            config.cache = s->cache ? image_cache_open(IMAGES, s->cache, &err) : NULL;
            for (int start = 0; start < COUNT; start += 5) {
                config.epoch = start / steps;
                config.step = start % steps;
                run(&config, COUNT - start, got);
                if (memcmp(got, want + start, (size_t)(COUNT - start) * sizeof *got))
                    fail_msg("case %zu: %d workers from batch %d differ", i, workers, start);
            }
            image_cache_close(config.cache);
        }
        config.seed = 8;
        config.epoch = config.step = 0;
        config.cache = NULL;
        run(&config, 1, got);
        assert_true(got[0] != want[0]);
        assert_true(want[0] != want[1] && want[0] != want[steps]);
    }
}

/* An epoch has each image once, except for the dropped rest; another epoch has another order. */
static void epochs_are_permutations(void **state)
{
    static const struct { int batch, steps; } cases[] = { { 1, 11 }, { 2, 5 }, { 4, 2 }, { 6, 1 }, { 11, 1 },
                                                          { 12, 1 } };
    struct data_config data = settings();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct loader_config config = { .dataset = &dataset, .data = &data, .train = true, .batch = cases[i].batch,
                                        .workers = 2, .seed = 3 };
        const int n = cases[i].batch < IMAGES ? cases[i].batch : IMAGES;
        int order[2][IMAGES];
        struct loader *l = opened(&config);
        assert_int_equal(loader_steps(IMAGES, cases[i].batch, true), cases[i].steps);
        for (int epoch = 0; epoch < 2; epoch++) {
            int seen[IMAGES] = {0};
            for (int step = 0; step < cases[i].steps; step++) {
                const struct batch *b = next(l);
                assert_true(b->epoch == epoch && b->step == step && b->n == n);
                for (int k = 0; k < n; k++) {
                    order[epoch][step * n + k] = b->samples[k].image;
                    assert_int_equal(seen[b->samples[k].image]++, 0);
                    assert_int_equal(b->samples[k].objects.count, 0);           /* no labels were given */
                }
            }
        }
        assert_true(memcmp(order[0], order[1], (size_t)(n * cases[i].steps) * sizeof(int)) || n == 1);
        loader_close(l);
    }
}

/* Epochs of as many places as count_epoch_places says; an image has one of them, or two if its factor is above 1. */
static void rare_classes_repeat(void **state)
{
    enum { EPOCHS = 400 };
    struct data_config data = settings();
    double end[IMAGES];
    (void)state;
    for (int i = 0; i < IMAGES; i++)            /* class 1 in two images, class 0 in all */
        annotations[2 * i + 1].category = i == 3 || i == 8;
    data.repeat_factor = 0.4;
    const int places = count_epoch_places(&dataset, label, data.repeat_factor, end, NULL);
    struct loader_config config = { .dataset = &dataset, .data = &data, .label = label, .train = true, .batch = 1,
                                    .workers = 2, .seed = 3 };
    struct loader *l = opened(&config);
    int all[IMAGES] = {0};
    assert_int_equal(places, IMAGES + 1);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        int seen[IMAGES] = {0};
        for (int step = 0; step < places; step++) {
            const struct batch *b = next(l);
            assert_true(b->epoch == epoch && b->step == step);
            seen[b->samples[0].image]++;
            all[b->samples[0].image]++;
        }
        for (int i = 0; i < IMAGES; i++)
            assert_in_range(seen[i], 1, 2);
    }
    for (int i = 0; i < IMAGES; i++)            /* factors of 1.48 and 1.003 */
        assert_in_range(all[i], EPOCHS * (i == 3 || i == 8 ? 1.36 : 1), EPOCHS * (i == 3 || i == 8 ? 1.6 : 1.02));
    loader_close(l);
    for (int i = 0; i < IMAGES; i++)
        annotations[2 * i + 1].category = 1;
}

/* Mosaics have four images, at their probability; epochs after the last with mosaics are as without. */
static void mosaics_end(void **state)
{
    enum { EPOCHS = 60 };
    struct data_config data = settings(), mosaic = data;
    struct loader_config config = { .dataset = &dataset, .data = &mosaic, .label = label, .train = true,
                                    .batch = IMAGES, .workers = 2, .mosaic_epochs = EPOCHS };
    struct loader_config without = { .dataset = &dataset, .data = &data, .label = label, .train = true,
                                     .batch = IMAGES, .workers = 2, .epoch = EPOCHS };
    int mosaics = 0, partners[IMAGES] = {0};
    uint64_t want[3];
    (void)state;
    mosaic.load_mosaic = true;
    mosaic.mosaic.probability = 0.4;
    run(&without, 3, want);
    struct loader *l = opened(&config);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        const struct batch *b = next(l);
        for (int i = 0; i < b->n; i++) {
            const bool four = b->samples[i].part.count == QUARTERS;
            mosaics += four;
            for (int k = 0; four && k < QUARTERS - 1; k++)
                partners[b->samples[i].partner[k]]++;
        }
    }
    for (int i = 0; i < 3; i++)
        assert_true(batch_hash(next(l)) == want[i]);
    loader_close(l);
    assert_in_range(mosaics, 0.33 * EPOCHS * IMAGES, 0.47 * EPOCHS * IMAGES);
    for (int i = 0; i < IMAGES; i++)
        assert_in_range(partners[i], mosaics * 3 / IMAGES / 2, mosaics * 3 / IMAGES * 2);
}

static void testing_returns_all_in_order(void **state)
{
    struct data_config data = settings();
    const struct batch *b;
    (void)state;
    for (int batch = 1; batch <= IMAGES + 1; batch++) {
        struct loader_config config = { .dataset = &dataset, .data = &data, .label = label, .batch = batch,
                                        .workers = 3 };
        struct loader *l = opened(&config);
        int seen = 0, steps = 0;
        for (; (b = next(l)); steps++)
            for (int i = 0; i < b->n; i++) {
                assert_int_equal(b->samples[i].image, seen++);
                assert_int_equal(b->samples[i].objects.count + b->samples[i].objects.ignored, 2);
            }
        assert_null(next(l));
        assert_int_equal(seen, IMAGES);
        assert_int_equal(steps, loader_steps(IMAGES, batch, false));
        loader_close(l);
    }
}

/* Sizes of multi_scale: every one between the bounds, truncated; both bounds come near. */
static void sizes_are_drawn_per_sample(void **state)
{
    struct data_config data = settings();
    struct loader_config config = { .dataset = &dataset, .data = &data, .train = true, .batch = 11, .workers = 2 };
    struct loader *l = opened(&config);
    int low = 1000, high = 0;
    (void)state;
    for (int i = 0; i < 40; i++) {
        const struct batch *b = next(l);
        int widest = 0;
        for (int k = 0; k < b->n; k++) {
            const struct image_size s = b->samples[k].input;
            assert_true(s.width >= 32 && s.width < 96 && s.height >= 24 && s.height < 72);
            assert_true(abs(4 * s.height - 3 * s.width) <= 4);
            low = s.width < low ? s.width : low;
            high = s.width > high ? s.width : high;
            widest = s.width > widest ? s.width : widest;
        }
        assert_int_equal(b->w, (widest + 31) / 32 * 32);
    }
    assert_true(low < 35 && high > 92);
    loader_close(l);
}

static bool uses(const struct sample *s, int image)
{
    bool partner = false;
    for (int k = 0; k < s->part.count - 1; k++)
        partner |= s->partner[k] == image;
    return s->image == image || partner;
}

/* The first batches have no image 3 and 8, of which the loader complains once. */
static void assert_replaced(const struct loader_config *config, const uint64_t want[20])
{
    struct loader *l = opened(config);
    struct error err;
    int complaints = 0;
    for (int i = 0; i < 20; i++) {
        const struct batch *b = next(l);
        assert_true(batch_hash(b) == want[i]);
        for (int k = 0; k < b->n; k++)
            assert_false(uses(&b->samples[k], 3) || uses(&b->samples[k], 8));
    }
    for (; loader_complaint(l, &err); complaints++)
        assert_true(strstr(err.text, images[3].file) || strstr(err.text, images[8].file));
    assert_int_equal(complaints, 2);
    loader_close(l);
}

static void unreadable_images_are_replaced_or_refused(void **state)
{
    static char absent[] = "absent.png", broken[] = "meta.txt";
    struct data_config data = settings();
    uint64_t want[20];
    struct image_record kept[IMAGES];
    struct error err = {0};
    const struct batch *b;
    char *path = path_join(folder, broken, &err);
    (void)state;
    memcpy(kept, images, sizeof images);
    assert_true(path && file_write(path, "text", 4, &err));
    images[3].file = absent;
    images[8].file = broken;
    add_augmentation(&data);
    struct loader_config config = { .dataset = &dataset, .data = &data, .label = label, .train = true,
                                    .mosaic_epochs = 3, .batch = 3, .workers = 1 };
    run(&config, 20, want);
    for (config.workers = 2; config.workers <= 3; config.workers++)
        assert_replaced(&config, want);

    config.train = false;                               /* images 0 to 2 are fine, 3 is not */
    config.mosaic_epochs = 0;
    struct loader *l = opened(&config);
    assert_int_equal(next(l)->n, 3);
    assert_false(loader_next(l, &b, &err));
    assert_true(err.exit == 1 && strstr(err.text, absent));
    loader_close(l);

    config.train = true;
    for (int i = 0; i < IMAGES; i++)
        images[i].file = absent;
    l = opened(&config);
    assert_false(loader_next(l, &b, &err));
    assert_int_equal(err.exit, 1);
    loader_close(l);
    memcpy(images, kept, sizeof images);
    remove(path);
    free(path);
}

static void loader_closes_at_any_time(void **state)
{
    struct data_config data = settings();
    struct loader_config config = { .dataset = &dataset, .data = &data, .train = true, .batch = 2, .workers = 3 };
    const struct dataset empty = {0};
    struct error err = {0};
    (void)state;
    loader_close(NULL);
    for (int taken = 0; taken < 8; taken++) {
        struct loader *l = opened(&config);
        for (int i = 0; i < taken; i++)
            next(l);
        loader_close(l);
    }
    config.dataset = &empty;
    assert_null(loader_open(&config, &err));
    assert_int_equal(err.exit, 1);
}

static void cache_keeps_fitting_images(void **state)
{
    struct error err = {0};
    struct image p;
    struct image_cache *c = image_cache_open(3, 100, &err);
    (void)state;
    assert_non_null(c);
    assert_null(image_cache_find(c, 0));
    assert_true(image_new(&p, 4, 8, &err));                   /* 96 bytes */
    p.p[5] = 9;
    assert_true(image_cache_has_space(c, 4, 8));
    assert_false(image_cache_has_space(c, 2, 17));
    assert_true(image_cache_store(c, 1, &p));
    assert_false(image_cache_has_space(c, 4, 8));
    assert_null(p.p);
    assert_int_equal(image_cache_find(c, 1)->p[5], 9);
    assert_true(image_new(&p, 1, 2, &err));
    assert_false(image_cache_store(c, 1, &p));                         /* is there */
    assert_false(image_cache_store(c, 2, &p));                         /* no room: 6 bytes into 4 */
    assert_null(image_cache_find(c, 2));
    assert_false(image_cache_has_space(NULL, 1, 1));
    assert_false(image_cache_store(NULL, 0, &p));
    assert_null(image_cache_find(NULL, 0));
    image_free(&p);
    image_cache_close(c);
}

struct attempts { int failures, made; bool content; };

/* Fails so many times, by the system or because of the file's content. */
static bool read_in_attempts(const void *context, struct image *image, struct error *err)
{
    struct attempts *a = *(struct attempts *const *)context;
    if (a->made++ >= a->failures)
        return image_new(image, 1, 1, err);
    return a->content ? reject(err, "x.jpg: broken") : (fail)(err, "x.jpg: Input/output error");
}

static void system_errors_are_tried_twice(void **state)
{
    const struct { struct attempts attempts; int made; const char *text; } cases[] = {
        { { 0, 0, false }, 1, "" },
        { { 1, 0, false }, 2, "" },
        { { 2, 0, false }, 2, "x.jpg: Input/output error (in two attempts" },
        { { 1, 0, true }, 1, "x.jpg: broken" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attempts attempts = cases[i].attempts, *const context = &attempts;
        struct image own = {0};
        struct error err = {0};
        const struct image *image = image_cache_get(NULL, 0, &(struct image_reader){ read_in_attempts, &context },
                                                    &own, &err);
        assert_int_equal(attempts.made, cases[i].made);
        assert_true(!image == !!*cases[i].text);
        assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
        image_free(&own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_from_any_workers_cache_and_start),
        cmocka_unit_test(epochs_are_permutations),
        cmocka_unit_test(rare_classes_repeat),
        cmocka_unit_test(mosaics_end),
        cmocka_unit_test(testing_returns_all_in_order),
        cmocka_unit_test(sizes_are_drawn_per_sample),
        cmocka_unit_test(unreadable_images_are_replaced_or_refused),
        cmocka_unit_test(loader_closes_at_any_time),
        cmocka_unit_test(cache_keeps_fitting_images),
        cmocka_unit_test(system_errors_are_tried_twice),
    };
    return cmocka_run_group_tests(tests, make_images, remove_images);
}
