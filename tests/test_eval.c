/* tests/test_eval.c -- the COCO and the VisDrone protocol, reports. */
#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "eval/ignored_regions.h"
#include "eval/score_report.h"
#include "scores.h"
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
    { "a crowd box takes two and is not an object", 1,
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

/* The figures of pycocotools 2.0.11, with its limits and with 1, 2, 5. */
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
    struct strbuf json = {0}, table = {0};
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
    assert_true(strbuf_check(&table, NULL));
    assert_non_null(strstr(table.s, last_figure));
    cJSON_Delete(parsed);
    strbuf_free(&json);
    strbuf_free(&table);
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
