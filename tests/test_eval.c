/* Detections, the COCO and the VisDrone protocol, reports. */
#include "base/memory.h"
#include "base/random.h"
#include "data/dataset_builder.h"
#include "eval/ignored_regions.h"
#include "eval/scan.h"
#include "eval/score_report.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct team alone = { 1 };
static const int usual[3] = { 1, 10, 100 };
enum { AP, AP50, AP75, APS, APM, APL, AR1, AR10, AR100, ARS, ARM, ARL };

struct box { int image, category; double box[4]; double score; };       /* of truth: score -1 is a crowd box, ignored */

/* Images of 200 x 200 with the given ids, categories with ids 0 to 11, of which each is its own index. */
static struct dataset make_truth(int images, const struct box *list, int count, int first_id)
{
    struct dataset_builder b = {0};
    struct dataset truth = {0};
    bool ok = true;
    for (int i = 0; i < 12; i++)
        ok = build_category(&b, i, "class", NULL) && ok;
    for (int i = 0; i < images; i++)
        ok = build_image(&b, i, "a.jpg", 200, 200, NULL) && ok;
    for (int i = 0; i < count; i++) {
        struct annotation a = { .id = first_id + i, .crowd = list[i].score < 0, .ignore = list[i].score < 0 };
        memcpy(a.box, list[i].box, sizeof a.box);
        a.area = a.box[2] * a.box[3];
        ok = build_annotation(&b, &a, list[i].image, list[i].category, "test", NULL) && ok;
    }
    assert_true(ok && build_end(&b, &truth, "test", NULL));
    build_free(&b);
    return truth;
}

static struct detections make_found(const struct box *list, int count)
{
    struct detections found = {0};
    for (int i = 0; i < count; i++) {
        struct detection d = { .image = list[i].image, .category = list[i].category, .score = list[i].score };
        memcpy(d.box, list[i].box, sizeof d.box);
        assert_true(detections_add(&found, d, NULL));
    }
    return found;
}

/* ---- numbers and files ---- */

static bool scan_text(const char *text, double *out)
{
    struct scan s = { text, text + strlen(text) };
    return scan_number(&s, out) && scan_end(&s);
}

static void same_as_strtod(const char *text)
{
    double v = 0;
    if (!scan_text(text, &v) || memcmp(&v, &(double){ strtod(text, NULL) }, sizeof v) != 0)
        fail_msg("%s was read as %.17g", text, v);
}

static void test_numbers(void **state)
{
    static const char *const good[] = {
        "0", "-0", "7", "0.1", "-12.75", "1e22", "1e23", "1E-22", "1e-23", "9007199254740992", "9007199254740993",
        "123456789012345678901234567890", "0.000000000000000000000000000000000001", "1.7976931348623157e308", "5e-324",
        "2.2250738585072011e-308", "1e-400", "0e9999999999999999999", "12345678901234567890e-20", "0.5e+3" };
    static const char *const bad[] = {
        "", "-", "+1", "01", ".5", "1.", "1e", "1e+", "nan", "inf", "0x10", "1e400", "1 2" };
    const uint64_t seed = 1;
    struct random random = random_of(seed, 0, 0);
    char text[64];
    double v;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        same_as_strtod(good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (scan_text(bad[i], &v))
            fail_msg("'%s' was read as %.17g", bad[i], v);
    for (int i = 0; i < 20000; i++) {
        const double x = random_range(&random, -2000, 2000) * pow(10, random_below(&random, 40) - 20);
        snprintf(text, sizeof text, random_below(&random, 2) ? "%.*g" : "%.*f", 1 + random_below(&random, 17), x);
        same_as_strtod(text);
    }
}

static const struct box one_object[] = { { 0, 1, { 10, 10, 20, 20 }, 1 } };

static bool parse(const char *text, struct detections *found, const struct dataset *truth, struct error *err)
{
    *found = (struct detections){0};
    return detections_parse(found, (struct bytes){ (unsigned char *)(uintptr_t)text, strlen(text) }, "f", truth, err);
}

static void test_parse(void **state)
{
    static const char text[] =
        " [ {\"image_id\": 0, \"category_id\" :1,\"bbox\":[1,2.5,3e0,4],\"score\":0.25},\n"
        "{\"segmentation\":[[1,{\"a\":\"]\\\"\"}],true,null,-1.5],\"score\":1,\"bbox\":[0,0,1,1],\"category_id\":99.0,"
        "\"image_id\":1}]\n";
    struct dataset truth = make_truth(2, one_object, 1, 1);
    struct detections found;
    struct error err = {0};
    (void)state;
    assert_true(parse(text, &found, &truth, &err));
    assert_int_equal(found.count, 2);
    assert_int_equal(found.list[0].category, 1);
    assert_true(found.list[0].box[1] == 2.5 && found.list[0].box[2] == 3 && found.list[0].score == 0.25);
    assert_int_equal(found.list[1].image, 1);
    assert_int_equal(found.list[1].category, -1);
    detections_free(&found);
    assert_true(parse("[]", &found, &truth, &err));
    assert_int_equal(found.count, 0);
    detections_free(&found);
    dataset_free(&truth);
}

#define REST "\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":0.5"

static void test_parse_refuses(void **state)
{
    static const struct { const char *text, *says; } cases[] = {
        { "", "f: not a list" }, { "{}", "not a list" }, { "[", "detection 1" }, { "[1]", "detection 1" },
        { "[] 1", "something follows" }, { "[{}]", "detection 1" }, { "[{\"image_id\":0," REST "},]", "detection 2" },
        { "[{\"image_id\":0," REST "}", "after detection 1" }, { "[{\"image_id\":0," REST "}]]", "after detection 1" },
        { "[{\"image_id\":7," REST "}]", "no image 7" }, { "[{\"image_id\":0.5," REST "}]", "detection 1" },
        { "[{\"image_id\":1e300," REST "}]", "detection 1" }, { "[{\"image_id\":\"0\"," REST "}]", "detection 1" },
        { "[{" REST "}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3],\"score\":1}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3,4,5],\"score\":1}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3,NaN],\"score\":1}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":1e999}]", "detection 1" },
        { "[{\"image_id\":0,\"x\":\"\\", "detection 1" },
        { "[{\"image_id\":0,\"x\":[1,}]," REST "}]", "detection 1" } };
    struct dataset truth = make_truth(1, one_object, 1, 1);
    char deep[400] = "[{\"x\":";
    (void)state;
    memset(deep + strlen(deep), '[', 300);
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        const bool last = i == sizeof cases / sizeof *cases;
        const char *text = last ? deep : cases[i].text, *says = last ? "detection 1" : cases[i].says;
        struct detections found;
        struct error err = {0};
        if (parse(text, &found, &truth, &err) || err.exit != 1 || !strstr(err.text, says))
            fail_msg("%s: says '%s', not '%s'", text, err.text, says);
        detections_free(&found);
    }
    dataset_free(&truth);
}

static void write_text(const char *path, const char *text)
{
    assert_true(file_write(path, text, strlen(text), NULL));
}

static void test_files(void **state)
{
    char folder[] = "/tmp/nanodet_eval_XXXXXX", path[64];
    const struct box list[] = { { 1, 3, { 1.0 / 3, 0.1, 1e-5, 123456.789 }, 0.7 }, { 0, 11, { 0, 0, 1, 1 }, 1e-300 } };
    struct dataset truth = make_truth(2, one_object, 1, 1);
    struct detections found = make_found(list, 2), again;
    struct error err = {0};
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/d.json", folder);
    assert_true(detections_write(&found, path, &truth, &err) && detections_read(&again, path, &truth, &err));
    assert_int_equal(again.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(again.list[i].image, list[i].image);
        assert_int_equal(again.list[i].category, list[i].category);
        assert_true(memcmp(again.list[i].box, list[i].box, sizeof list[i].box) == 0);
        assert_true(again.list[i].score == list[i].score);
    }
    detections_free(&again);
    assert_false(detections_read(&again, "/nowhere.json", &truth, &err));
    unlink(path);
    snprintf(path, sizeof path, "%s/a.txt", folder);                    /* both images are called a.jpg */
    write_text(path, "1,2,3,4,0.5,1,-1,-1\r\n\n5 6 7 8 0.25 12\n");
    assert_true(detections_read(&again, folder, &truth, &err));
    assert_int_equal(again.count, 4);
    assert_true(again.list[0].score == 0.5 && again.list[3].box[3] == 8 && again.list[3].image == 1);
    assert_int_equal(again.list[1].category, -1);
    detections_free(&again);
    write_text(path, "1,2,3,4,0.5,1\n1,2,3,4,0.5\n");
    assert_false(detections_read(&again, folder, &truth, &err));
    assert_non_null(strstr(err.text, "a.txt:2"));
    assert_int_equal(again.count, 0);
    unlink(path);
    assert_false(detections_read(&again, folder, &truth, &err));
    rmdir(folder);
    detections_free(&found);
    dataset_free(&truth);
}

/* ---- COCO, by hand ---- */

/* Precision 1 - 2^-52 comes of pycocotools' guard against 0 / 0. */
enum { MOST = 6 };
static const struct coco_case {
    const char *name;
    int first_id;
    struct box truth[MOST], found[MOST];
    double figures[COCO_FIGURES];
} coco_cases[] = {
    { "nothing at all", 1, {{0}}, {{0}}, { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { "nothing found", 1, {{ 0, 1, { 0, 0, 10, 10 }, 1 }}, {{0}}, { 0, 0, 0, 0, -1, -1, 0, 0, 0, 0, -1, -1 } },
    { "nothing there", 1, {{0}}, {{ 0, 1, { 0, 0, 10, 10 }, 1 }}, { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { "hit, miss, hit: precision 1 up to recall 1/2, then 2/3", 1,
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }, { 1, 1, { 0, 0, 40, 40 }, 1 }},
      {{ 0, 1, { 0, 0, 40, 40 }, .9 }, { 0, 1, { 90, 90, 40, 40 }, .8 }, { 1, 1, { 0, 0, 40, 40 }, .7 }},
      { 253 / 303., 253 / 303., 253 / 303., -1, 253 / 303., -1, 1, 1, 1, -1, 1, -1 } },
    { "IoU exactly 3/4 reaches six thresholds", 1,
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }}, {{ 0, 1, { 0, 0, 40, 30 }, .9 }},
      { .6, 1, 1, -1, .6, -1, .6, .6, .6, -1, .6, -1 } },
    { "area 32 x 32 is small and medium", 1,
      {{ 0, 1, { 0, 0, 32, 32 }, 1 }}, {{ 0, 1, { 0, 0, 32, 32 }, .9 }},
      { 1, 1, 1, 1, 1, -1, 1, 1, 1, 1, 1, -1 } },
    { "a crowd box takes two and is no object", 1,
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }, { 0, 1, { 50, 50, 90, 90 }, -1 }},
      {{ 0, 1, { 60, 60, 10, 10 }, .9 }, { 0, 1, { 60, 80, 10, 10 }, .8 }, { 0, 1, { 0, 0, 40, 40 }, .7 }},
      { 1, 1, 1, -1, 1, -1, 0, 1, 1, -1, 1, -1 } },
    { "of equals the later object is taken, so the second finds the first", 1,
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }, { 0, 1, { 20, 0, 40, 40 }, 1 }},
      {{ 0, 1, { 10, 0, 40, 40 }, .9 }, { 0, 1, { 0, 0, 40, 40 }, .8 }},
      { (3 * 1 + 7 * 51 / 2. / 101) / 10, 1, 51 / 202., -1, (3 * 1 + 7 * 51 / 2. / 101) / 10, -1,
        .15, .65, .65, -1, .65, -1 } },
    { "whoever takes the annotation with id 0 has missed", 0,
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }}, {{ 0, 1, { 0, 0, 40, 40 }, .9 }},
      { 0, 0, 0, -1, 0, -1, 0, 0, 0, -1, 0, -1 } },
    { "an unknown category and a box of no width are nobody's hits", 1,
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }},
      {{ 0, -1, { 0, 0, 40, 40 }, .9 }, { 0, 1, { 5, 5, 0, 9 }, .8 }, { 0, 1, { 0, 0, 40, 40 }, .7 }},
      { .5, .5, .5, -1, 1, -1, 0, 1, 1, -1, 1, -1 } },
};

static int length(const struct box list[MOST])
{
    int n = 0;
    while (n < MOST && list[n].score != 0)
        n++;
    return n;
}

static void test_coco_by_hand(void **state)
{
    (void)state;
    for (const struct coco_case *c = coco_cases; c < coco_cases + sizeof coco_cases / sizeof *coco_cases; c++) {
        struct dataset truth = make_truth(2, c->truth, length(c->truth), c->first_id);
        struct detections found = make_found(c->found, length(c->found));
        struct coco_score score;
        assert_true(coco_eval(&score, &truth, &found, usual, &alone, NULL));
        for (int i = 0; i < COCO_FIGURES; i++)
            if (!(fabs(score.figures[i] - c->figures[i]) <= 1e-12))
                fail_msg("%s: %s is %.17g, not %.17g", c->name, coco_figure_name(i), score.figures[i], c->figures[i]);
        coco_score_free(&score);
        detections_free(&found);
        dataset_free(&truth);
    }
}

static void test_coco_limits(void **state)
{
    const struct box objects[] = { { 0, 1, { 0, 0, 40, 40 }, 1 } };
    const struct box list[] = { { 0, 1, { 90, 0, 40, 40 }, .9 }, { 0, 1, { 0, 0, 40, 40 }, .9 } };
    static const struct { int max_dets[3]; double ap, ar1, ar100; } cases[] = {
        { { 1, 10, 100 }, .5, 0, 1 }, { { 1, 10, 500 }, -1, 0, 1 }, { { 100, 2, 1 }, .5, 0, 1 },
        { { 2, 100, 500 }, .5, 1, 1 }, { { 1, 1, 1 }, -1, 0, 0 } };
    struct dataset truth = make_truth(1, objects, 1, 1);
    struct detections found = make_found(list, 2);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct coco_score score;
        assert_true(coco_eval(&score, &truth, &found, cases[i].max_dets, &alone, NULL));
        assert_true(fabs(score.figures[AP] - cases[i].ap) < 1e-12);
        assert_true(score.figures[AR1] == cases[i].ar1 && score.figures[AR100] == cases[i].ar100);
        coco_score_free(&score);
    }
    detections_free(&found);
    dataset_free(&truth);
}

/* ---- VisDrone, by hand ---- */

static void test_regions(void **state)
{
    static const struct { double box[4]; bool covered; } cases[] = {
        { { 10, 10, 10, 10 }, true }, { { 15, 10, 10, 10 }, true }, { { 16, 10, 10, 10 }, false },
        { { 100, 100, 5, 5 }, false }, { { -50, -50, 1, 1 }, false }, { { 1e9, 1e9, 1e9, 1e9 }, false },
        { { 180, 180, 30, 30 }, false }, { { 180, 180, 28, 28 }, true } };
    struct regions r;
    (void)state;
    assert_true(regions_init(&r, 200, 200, NULL));
    regions_mark(&r, (const double[4]){ 11, 11, 9, 9 });
    regions_mark(&r, (const double[4]){ 11, 11, 9, 9 });                /* twice marked counts once */
    regions_mark(&r, (const double[4]){ 150, 150, 1e9, 1e9 });
    regions_mark(&r, (const double[4]){ 1e9, 5, 1, 1 });
    regions_close(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (regions_cover(&r, cases[i].box) != cases[i].covered)
            fail_msg("box %zu", i);
    regions_free(&r);
}

static const struct visdrone_case {
    const char *name;
    struct box truth[MOST], found[MOST];
    double figures[VISDRONE_FIGURES], class_mean_ap;
} visdrone_cases[] = {
    { "nothing at all", {{0}}, {{0}}, { -1, -1, -1, -1, -1, -1, -1 }, -1 },
    { "a class in two images weighs twice",
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }, { 1, 1, { 0, 0, 40, 40 }, 1 }, { 1, 2, { 90, 0, 40, 40 }, 1 }},
      {{ 0, 1, { 0, 0, 40, 40 }, .9 }, { 1, 1, { 0, 0, 40, 40 }, .9 }},
      { 2 / 3., 2 / 3., 2 / 3., 2 / 3., 2 / 3., 2 / 3., 2 / 3. }, .5 },
    { "others use up places, by row and not by score",
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }}, {{ 0, 11, { 0, 0, 40, 40 }, .1 }, { 0, 1, { 0, 0, 40, 40 }, .9 }},
      { 1, 1, 1, 0, 1, 1, 1 }, 1 },
    { "an ignored object takes any number and makes recall smaller",
      {{ 0, 1, { 0, 0, 40, 40 }, 1 }, { 0, 1, { 100, 100, 50, 50 }, -1 }},
      {{ 0, 1, { 110, 110, 9, 9 }, .9 }, { 0, 1, { 120, 110, 9, 9 }, .8 }, { 0, 1, { 0, 0, 40, 40 }, .7 }},
      { .5, .5, .5, 0, .5, .5, .5 }, .5 },
    { "what lies in an ignored region is not there",
      {{ 0, 0, { 100, 100, 60, 60 }, -1 }, { 0, 1, { 110, 110, 20, 20 }, 1 }, { 0, 1, { 0, 0, 40, 40 }, 1 }},
      {{ 0, 1, { 120, 120, 20, 20 }, .9 }, { 0, 1, { 0, 0, 40, 40 }, .8 }},
      { 1, 1, 1, 1, 1, 1, 1 }, 1 },
};

static void test_visdrone_by_hand(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof visdrone_cases / sizeof *visdrone_cases; n++) {
        const struct visdrone_case *c = &visdrone_cases[n];
        struct dataset truth = make_truth(2, c->truth, length(c->truth), 1);
        struct detections found = make_found(c->found, length(c->found));
        struct visdrone_score score;
        assert_true(visdrone_eval(&score, &truth, &found, &alone, NULL));
        for (int i = 0; i < VISDRONE_FIGURES; i++)
            if (!(fabs(score.figures[i] - c->figures[i]) <= 1e-12))
                fail_msg("%s: %s is %.17g, not %.17g", c->name, visdrone_figure_name(i), score.figures[i],
                         c->figures[i]);
        assert_true(fabs(score.class_mean[0] - c->class_mean_ap) <= 1e-12);
        visdrone_score_free(&score);
        detections_free(&found);
        dataset_free(&truth);
    }
}

static void test_visdrone_refuses(void **state)
{
    const struct box region[] = { { 0, 0, { 1, 1, 5, 5 }, -1 } };
    struct dataset truth = make_truth(1, region, 1, 1);
    const struct detections none = {0};
    struct visdrone_score score;
    struct error err = {0};
    (void)state;
    truth.images[0].width = 0;
    assert_false(visdrone_eval(&score, &truth, &none, &alone, &err));
    assert_non_null(strstr(err.text, "a.jpg"));
    truth.images[0].width = INT32_MAX;
    assert_false(visdrone_eval(&score, &truth, &none, &alone, &err));
    truth.images[0].width = 200;
    truth.categories[11].id = 12;
    assert_false(visdrone_eval(&score, &truth, &none, &alone, &err));
    assert_non_null(strstr(err.text, "12"));
    dataset_free(&truth);
}

/* ---- a generated set ---- */

enum { IMAGES = 60, CLASSES = 5, OBJECTS = 600, FOUND = 3000 };

/* Places and sizes are whole, scores sixteenths, so that much is equal; some boxes are crowds or regions. */
static void generate(struct dataset *truth, struct detections *found)
{
    struct random random = random_of(7, 0, 0);
    struct box *objects = new_array(OBJECTS, sizeof *objects, NULL), *list = new_array(FOUND, sizeof *list, NULL);
    assert_true(objects && list);
    for (int i = 0; i < OBJECTS; i++) {
        const double w = 4 + random_below(&random, 120), h = 4 + random_below(&random, 120);
        objects[i] = (struct box){ random_below(&random, IMAGES), 1 + random_below(&random, CLASSES),
                                   { random_below(&random, 80), random_below(&random, 80), w, h },
                                   random_below(&random, 12) ? 1 : -1 };
    }
    for (int i = 0; i < FOUND; i++) {
        list[i] = objects[random_below(&random, OBJECTS)];
        for (int k = 0; k < 4; k++)
            list[i].box[k] += random_below(&random, 9) - 4;
        if (random_below(&random, 3) == 0)
            list[i].image = random_below(&random, IMAGES);
        list[i].score = (1 + random_below(&random, 16)) / 16.;
    }
    *truth = make_truth(IMAGES, objects, OBJECTS, 1);
    *found = make_found(list, FOUND);
    free(objects);
    free(list);
}

/* What pycocotools 2.0.11 says of it, with its limits and with 1, 2, 5. */
static void test_coco_generated(void **state)
{
    static const struct { int max_dets[3]; double figures[COCO_FIGURES]; } cases[] = {
        { { 1, 10, 100 },
          { 0.23410716564907727, 0.39920557968940945, 0.24277526182445655, 0.10555773739740507, 0.2964664248332284,
            0.4353499186741326, 0.17099795374606994, 0.6368441636149109, 0.7014620940319461, 0.4156083771301162,
            0.7690398967634092, 0.8892380952380953 } },
        { { 1, 2, 5 },
          { -1, 0.3500518782974466, 0.19486311516340227, 0.08195838821734851, 0.2540860136470841, 0.36612955093262933,
            0.17099795374606994, 0.2864719197849654, 0.49327371588047086, 0.25160037426341775, 0.5526943267521898,
            0.6459523809523808 } } };
    struct dataset truth;
    struct detections found;
    (void)state;
    generate(&truth, &found);
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct coco_score score;
        assert_true(coco_eval(&score, &truth, &found, cases[n].max_dets, &alone, NULL));
        for (int i = 0; i < COCO_FIGURES; i++)
            if (!(fabs(score.figures[i] - cases[n].figures[i]) <= 1e-9))
                fail_msg("%s is %.17g, not %.17g", coco_figure_name(i), score.figures[i], cases[n].figures[i]);
        coco_score_free(&score);
    }
    detections_free(&found);
    dataset_free(&truth);
}

static void test_threads(void **state)
{
    struct dataset truth;
    struct detections found;
    struct coco_score coco[3];
    struct visdrone_score visdrone[3];
    (void)state;
    generate(&truth, &found);
    for (int i = 0; i < 3; i++) {
        const struct team team = { i + 1 };
        assert_true(coco_eval(&coco[i], &truth, &found, usual, &team, NULL));
        assert_true(visdrone_eval(&visdrone[i], &truth, &found, &team, NULL));
        assert_memory_equal(coco[i].figures, coco[0].figures, sizeof coco[0].figures);
        assert_memory_equal(coco[i].classes, coco[0].classes, (size_t)coco[0].class_count * sizeof *coco[0].classes);
        assert_memory_equal(visdrone[i].figures, visdrone[0].figures, sizeof visdrone[0].figures);
        for (int c = 0; c < VISDRONE_CLASSES; c++) {
            const struct visdrone_class *have = &visdrone[i].classes[c], *want = &visdrone[0].classes[c];
            assert_memory_equal(have->ap, want->ap, sizeof want->ap);
            assert_memory_equal(have->ar, want->ar, sizeof want->ar);
        }
    }
    for (int i = 0; i < 3; i++) {
        coco_score_free(&coco[i]);
        visdrone_score_free(&visdrone[i]);
    }
    detections_free(&found);
    dataset_free(&truth);
}

/* ---- reports ---- */

/* cJSON leaves out digits that make less than 2^-52 of a number. */
static void assert_number(const cJSON *object, const char *name, double want)
{
    const cJSON *number = cJSON_GetObjectItem(object, name);
    assert_true(cJSON_IsNumber(number) && fabs(number->valuedouble - want) <= 1e-15);
}

static void check_report(struct score_report *report, int classes, const char *last_figure)
{
    struct text json = {0}, table = {0};
    assert_true(report_json(report, &json, NULL));
    cJSON *parsed = cJSON_Parse(json.s);
    for (int i = 0; i < report->figure_count; i++)
        assert_number(parsed, report->names[i], report->figures[i]);
    assert_non_null(cJSON_GetObjectItem(parsed, last_figure));
    assert_true(cJSON_HasObjectItem(parsed, "class_mean") == report->has_class_mean);
    const cJSON *list = cJSON_GetObjectItem(parsed, "per_class"), *first = cJSON_GetArrayItem(list, 1);
    assert_int_equal(cJSON_GetArraySize(list), classes);
    assert_string_equal(cJSON_GetObjectItem(first, "name")->valuestring, "class");
    assert_number(first, "AP", report->classes[1].ap);
    assert_number(first, "AP50", report->classes[1].ap50);
    report_table(report, &table);
    assert_true(text_ok(&table, NULL));
    assert_non_null(strstr(table.s, last_figure));
    cJSON_Delete(parsed);
    text_free(&json);
    text_free(&table);
    report_free(report);
}

static void test_reports(void **state)
{
    struct dataset truth;
    struct detections found;
    struct coco_score coco;
    struct visdrone_score visdrone;
    struct score_report report;
    (void)state;
    generate(&truth, &found);
    assert_true(coco_eval(&coco, &truth, &found, usual, &alone, NULL) && report_coco(&report, &coco, NULL));
    check_report(&report, 12, "ARl");
    assert_true(visdrone_eval(&visdrone, &truth, &found, &alone, NULL)
                && report_visdrone(&report, &visdrone, NULL));
    check_report(&report, 10, "AR500");
    coco_score_free(&coco);
    visdrone_score_free(&visdrone);
    detections_free(&found);
    dataset_free(&truth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_coco_by_hand),
        cmocka_unit_test(test_coco_limits),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_visdrone_by_hand),
        cmocka_unit_test(test_visdrone_refuses),
        cmocka_unit_test(test_coco_generated),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
