/* tests/test_errors.c -- outcomes of detections, TIDE's errors, curves, calibration and confusions. */
#include "eval/analysis.h"
#include "scores.h"
#include <math.h>
#include <stdlib.h>

enum { CROWD = -1, OBJECT = 1 };

struct found { struct dataset gt; struct detections dets; struct outcomes outcomes; };

static void open_found(struct found *f, const struct box *truth, int objects, const struct box *list, int count)
{
    f->gt = make_truth(3, truth, objects, 1);
    f->dets = make_found(list, count);
    assert_true(outcomes_find(&f->outcomes, &f->gt, &f->dets, NULL));
}

static void close_found(struct found *f)
{
    outcomes_free(&f->outcomes);
    detections_free(&f->dets);
    dataset_free(&f->gt);
}

static void assert_near(const char *what, double value, double wanted)
{
    if (!(fabs(value - wanted) <= 1e-9))
        fail_msg("%s is %.12f, not %.12f", what, value, wanted);
}

/* ---- outcomes ---- */

static void the_best_score_takes_the_nearest_object(void **state)
{
    static const struct box truth[] = {
        { 0, 1, { 10, 10, 20, 20 }, OBJECT }, { 0, 1, { 14, 10, 20, 20 }, OBJECT },
        { 0, 2, { 10, 10, 20, 20 }, OBJECT }, { 0, 1, { 100, 100, 50, 50 }, CROWD },
        { 1, 1, { 0, 0, 10, 10 }, OBJECT } };
    static const struct box list[] = {
        { 0, 1, { 13, 10, 20, 20 }, 0.5 },      /* takes the second object, though the first is free, too */
        { 0, 1, { 13, 10, 20, 20 }, 0.4 },      /* the first is left */
        { 0, 1, { 13, 10, 20, 20 }, 0.4 },      /* none is left */
        { 0, 1, { 110, 110, 10, 10 }, 0.9 },    /* in the crowd box */
        { 0, 2, { 110, 110, 10, 10 }, 0.8 },    /* of another class */
        { 0, -1, { 10, 10, 20, 20 }, 0.7 },     /* of no category */
        { 1, 1, { 0, 0, 10, 5 }, 0.1 } };       /* an IoU of exactly 0.5 */
    static const struct outcome wanted[] = { { 3, 1, false }, { 4, 0, false }, { 5, -1, false }, { 0, -1, true },
                                             { 1, -1, false }, { 2, -1, true }, { 0, 4, false } };
    struct found f;
    (void)state;
    open_found(&f, truth, 5, list, 7);
    for (int i = 0; i < 7; i++) {
        const struct outcome *o = &f.outcomes.list[i];
        if (o->rank != wanted[i].rank || o->object != wanted[i].object || o->ignored != wanted[i].ignored)
            fail_msg("%d: rank %d, object %d, ignored %d", i, o->rank, o->object, o->ignored);
    }
    assert_int_equal(f.outcomes.taken[1], 0);
    assert_int_equal(f.outcomes.taken[2], -1);
    close_found(&f);
}

/* ---- TIDE ---- */

struct tide_case { double ap50; struct { int count; double cost; } errors[TIDE_ERRORS]; double fp, fn; };

static void check_tide(const struct found *f, const struct tide_case *c)
{
    struct tide t;
    assert_true(tide_find(&t, &f->gt, &f->dets, &f->outcomes, NULL));
    assert_near("AP50", t.ap50, c->ap50);
    for (int e = 0; e < TIDE_ERRORS; e++) {
        assert_near(tide_error_name((enum tide_error)e), t.errors[e].cost, c->errors[e].cost);
        if (t.errors[e].count != c->errors[e].count)
            fail_msg("%s: %d, not %d", tide_error_name((enum tide_error)e), t.errors[e].count, c->errors[e].count);
    }
    assert_near("false positives", t.false_positives, c->fp);
    assert_near("false negatives", t.false_negatives, c->fn);
    tide_free(&t);
}

/* One error of each kind.  Class 1 has two objects and its first detection is right, so its AP is 51 / 101, that of a
 * recall of 0.5; the AP of classes 2 and 3 is 0.  Without missed objects class 1 has one object. */
static void each_kind_of_error(void **state)
{
    static const struct box truth[] = {
        { 0, 1, { 10, 10, 20, 20 }, OBJECT },   { 0, 2, { 60, 60, 20, 20 }, OBJECT },
        { 0, 3, { 100, 100, 20, 20 }, OBJECT }, { 0, 1, { 150, 10, 20, 20 }, OBJECT },
        { 0, 3, { 10, 100, 20, 20 }, OBJECT } };
    static const struct box list[] = {
        { 0, 1, { 10, 10, 20, 20 }, 0.9 },      { 0, 1, { 10, 10, 20, 20 }, 0.8 },
        { 0, 2, { 70, 60, 20, 20 }, 0.7 },      { 0, 1, { 100, 100, 20, 20 }, 0.6 },
        { 0, 2, { 160, 10, 20, 20 }, 0.5 },     { 0, 1, { 10, 150, 20, 20 }, 0.4 } };
    static const struct tide_case wanted = {
        51 / 303., { [TIDE_LOCALISATION] = { 1, 1 / 3. }, [TIDE_CLASSIFICATION] = { 1, 51 / 303. },
                     [TIDE_DUPLICATE] = { 1, 0 }, [TIDE_BACKGROUND] = { 1, 0 }, [TIDE_BOTH] = { 1, 0 },
                     [TIDE_MISSED] = { 2, 50 / 303. } }, 0, 1 / 2. - 51 / 303. };
    struct found f;
    (void)state;
    open_found(&f, truth, 5, list, 6);
    check_tide(&f, &wanted);
    close_found(&f);
}

/* A detection of another class on an object that is found: correcting it must not find the object again.  Class 2 has
 * nothing else and no longer counts then. */
static void a_found_object_is_not_found_again(void **state)
{
    static const struct box truth[] = { { 0, 1, { 10, 10, 20, 20 }, OBJECT }, { 0, 1, { 60, 60, 20, 20 }, OBJECT } };
    static const struct box list[] = {
        { 0, 1, { 10, 10, 20, 20 }, 0.9 }, { 0, 1, { 150, 10, 20, 20 }, 0.85 }, { 0, 2, { 10, 10, 20, 20 }, 0.8 } };
    static const struct tide_case wanted = {
        51 / 202., { [TIDE_CLASSIFICATION] = { 1, 51 / 202. }, [TIDE_BACKGROUND] = { 1, 0 },
                     [TIDE_MISSED] = { 1, 50 / 202. } }, 0, 50 / 202. };
    struct found f;
    (void)state;
    open_found(&f, truth, 2, list, 3);
    check_tide(&f, &wanted);
    close_found(&f);
}

/* A random case with crowd boxes; the numbers are those of tidecv 1.0.1. */
static void the_figures_of_tidecv(void **state)
{
    static const struct box truth[] = {
        { 0, 3, { 55, 92, 48, 35 }, OBJECT },  { 0, 3, { 80, 21, 42, 23 }, OBJECT },
        { 0, 3, { 114, 41, 23, 23 }, OBJECT }, { 0, 1, { 133, 50, 49, 19 }, CROWD },
        { 0, 3, { 9, 70, 48, 29 }, OBJECT },   { 1, 1, { 96, 125, 24, 14 }, OBJECT },
        { 1, 1, { 50, 117, 30, 25 }, CROWD },  { 1, 1, { 135, 43, 46, 47 }, OBJECT },
        { 2, 2, { 138, 29, 27, 47 }, OBJECT }, { 2, 1, { 69, 1, 33, 36 }, OBJECT },
        { 2, 1, { 36, 102, 25, 13 }, OBJECT }, { 2, 2, { 108, 20, 38, 29 }, OBJECT },
        { 2, 2, { 138, 45, 45, 46 }, OBJECT } };
    static const struct box list[] = {
        { 0, 3, { 58, 96, 47, 35 }, 0.42 },  { 0, 3, { 79, 22, 42, 22 }, 0.15 },  { 0, 3, { 125, 47, 14, 23 }, 0.07 },
        { 0, 1, { 135, 52, 45, 17 }, 0.80 }, { 0, 3, { 4, 81, 37, 34 }, 0.44 },   { 0, 2, { 23, 88, 30, 30 }, 0.59 },
        { 1, 2, { 96, 126, 24, 13 }, 0.53 }, { 1, 1, { 97, 115, 34, 22 }, 0.72 }, { 1, 1, { 51, 114, 42, 30 }, 0.50 },
        { 1, 1, { 132, 34, 34, 55 }, 0.21 }, { 1, 1, { 136, 44, 46, 46 }, 0.29 }, { 1, 1, { 20, 86, 30, 30 }, 0.39 },
        { 2, 2, { 69, 0, 34, 36 }, 0.61 },   { 2, 1, { 37, 104, 26, 13 }, 0.06 }, { 2, 2, { 34, 104, 21, 15 }, 0.33 },
        { 2, 3, { 104, 30, 28, 29 }, 0.63 }, { 2, 1, { 109, 20, 37, 30 }, 0.08 }, { 2, 2, { 138, 44, 44, 46 }, 0.18 },
        { 2, 2, { 139, 46, 45, 45 }, 0.97 }, { 2, 2, { 20, 70, 30, 30 }, 0.68 } };
    static const struct tide_case wanted = {
        0.25247524752475253,
        { [TIDE_LOCALISATION] = { 3, 0.3084708470847078 }, [TIDE_CLASSIFICATION] = { 3, 0.10561056105610579 },
          [TIDE_DUPLICATE] = { 2, 0.011221122112211112 }, [TIDE_BACKGROUND] = { 4, 0.019801980198019677 },
          [TIDE_BOTH] = { 3, 0.02805280528052805 }, [TIDE_MISSED] = { 1, 0.0561056105610561 } },
        0.1963696369636963, 0.35863586358635857 };
    struct found f;
    (void)state;
    open_found(&f, truth, 13, list, 20);
    check_tide(&f, &wanted);
    close_found(&f);
}

/* The 101st detection of an image neither counts nor takes its object. */
static void a_hundred_detections_count(void **state)
{
    enum { COUNT = 101 };
    static const struct box truth[] = { { 0, 1, { 10, 10, 20, 20 }, OBJECT } };
    struct box list[COUNT];
    struct tide_case wanted = { 0, { [TIDE_BACKGROUND] = { 100, 0 }, [TIDE_MISSED] = { 1, 0 } }, 0, 0 };
    struct found f;
    (void)state;
    for (int i = 0; i < COUNT; i++)
        list[i] = (struct box){ 0, 1, { i < 100 ? 150 : 10, 10, 20, 20 }, 1 - 0.001 * i };
    open_found(&f, truth, 1, list, COUNT);
    assert_int_equal(f.outcomes.list[100].object, 0);
    check_tide(&f, &wanted);
    close_found(&f);
    open_found(&f, truth, 1, list + 1, 100);
    wanted = (struct tide_case){ 0.01, { [TIDE_BACKGROUND] = { 99, 0.99 } }, 0.99, 0 };
    check_tide(&f, &wanted);
    close_found(&f);
    open_found(&f, NULL, 0, NULL, 0);
    wanted = (struct tide_case){0};
    check_tide(&f, &wanted);
    close_found(&f);
}

/* ---- curves ---- */

static const struct box curve_truth[] = {
    { 0, 1, { 0, 0, 10, 10 }, OBJECT }, { 0, 1, { 50, 0, 10, 10 }, OBJECT }, { 0, 2, { 0, 50, 10, 10 }, OBJECT },
    { 1, 1, { 0, 0, 10, 10 }, OBJECT } };
static const struct box curve_list[] = {
    { 0, 1, { 0, 0, 10, 10 }, 0.9 }, { 0, 1, { 90, 90, 10, 10 }, 0.4 }, { 1, 1, { 0, 0, 10, 10 }, 0.3 },
    { 0, 2, { 0, 50, 10, 10 }, 0.6 }, { 1, 2, { 0, 0, 10, 10 }, 0.2 }, { 0, 3, { 0, 0, 10, 10 }, 0.7 } };

/* Class 1: F1 is 2 2 / (3 + 3) = 2/3 below 0.3, 2 1 / (3 + 2) below 0.4, 2 1 / (3 + 1) = 1/2 below 0.9.  Class 2: 2/3
 * below 0.2, 1 below 0.6.  The mean is best, 5/6, from 0.2 to 0.299.  Class 3 has no object. */
static void the_threshold_of_the_best_f1(void **state)
{
    struct curves c;
    struct found f;
    (void)state;
    open_found(&f, curve_truth, 4, curve_list, 6);
    assert_true(curves_find(&c, &f.gt, &f.dets, &f.outcomes, NULL));
    const struct class_curve *one = &c.classes[1], *two = &c.classes[2], *three = &c.classes[3];
    assert_int_equal(one->objects, 3);
    assert_near("F1", one->best.of[CURVE_F1], 2 / 3.);
    assert_near("threshold", one->best.threshold, 0.149);
    assert_near("precision", one->best.of[CURVE_PRECISION], 2 / 3.);
    assert_near("a score equal to the threshold", one->curve.of[CURVE_RECALL][300], 1 / 3.);
    assert_near("a score above it", one->curve.of[CURVE_RECALL][299], 2 / 3.);
    assert_near("threshold", two->best.threshold, 0.399);
    assert_near("no detection", one->curve.of[CURVE_PRECISION][950], -1);
    assert_near("no object", three->curve.of[CURVE_F1][0], -1);
    assert_near("no object", three->best.threshold, -1);
    assert_near("precision without objects", three->curve.of[CURVE_PRECISION][0], 0);
    assert_near("mean F1", c.best.of[CURVE_F1], 5 / 6.);
    assert_near("best threshold", c.best.threshold, 0.249);
    assert_near("mean precision", c.mean.of[CURVE_PRECISION][650], 1);
    curves_free(&c);
    close_found(&f);
}

static void scores_at_the_bounds(void **state)
{
    static const struct box truth[] = { { 0, 1, { 0, 0, 10, 10 }, OBJECT } };
    struct curves c;
    struct found f;
    (void)state;
    for (double score = -1; score <= 2; score += 0.5) {
        const struct box one = { 0, 1, { 0, 0, 10, 10 }, score };
        open_found(&f, truth, 1, &one, 1);
        assert_true(curves_find(&c, &f.gt, &f.dets, &f.outcomes, NULL));
        assert_near("recall", c.mean.of[CURVE_RECALL][0], score > 0);
        assert_near("recall", c.mean.of[CURVE_RECALL][CURVE_POINTS - 1], score > 0.999);
        assert_true(c.best.threshold >= 0 ? score > c.best.threshold : score <= 0);
        curves_free(&c);
        close_found(&f);
    }
}

static void scores_are_calibrated(void **state)
{
    struct found f;
    (void)state;
    open_found(&f, curve_truth, 4, curve_list, 6);
    const struct calibration c = calibration_of(&f.dets, &f.outcomes);
    assert_int_equal(c.bins[2].count + c.bins[3].count + c.bins[4].count + c.bins[9].count, 4);
    assert_near("score", c.bins[9].score, 0.9);
    assert_near("right", c.bins[9].right, 1);
    assert_near("an empty bin", c.bins[0].right, -1);
    assert_near("error", c.error, (0.1 + 0.4 + 0.7 + 0.4 + 0.2 + 0.7) / 6);
    const struct calibration none = calibration_of(&(struct detections){0}, &f.outcomes);
    assert_near("no detection", none.error, -1);
    close_found(&f);
}

/* ---- confusions ---- */

static void classes_are_confused(void **state)
{
    static const struct { int truth, prediction, count; } wanted[] = {
        { 1, 1, 1 }, { 1, 2, 1 }, { 12, 1, 1 }, { 3, 12, 1 }, { 2, 12, 1 } };
    static const struct box truth[] = {
        { 0, 1, { 0, 0, 10, 10 }, OBJECT }, { 0, 1, { 50, 0, 10, 10 }, OBJECT }, { 0, 3, { 0, 50, 10, 10 }, OBJECT },
        { 0, 2, { 100, 100, 50, 50 }, CROWD }, { 1, 2, { 0, 0, 10, 10 }, OBJECT } };
    static const struct box list[] = {
        { 0, 2, { 0, 0, 10, 10 }, 0.9 },        /* on an object that its own class takes: the next one is free */
        { 0, 1, { 0, 0, 10, 10 }, 0.8 },
        { 0, 2, { 51, 0, 10, 10 }, 0.7 },       /* taken for class 2 */
        { 0, 1, { 0, 53, 10, 3 }, 0.6 },        /* IoU below 0.5: background */
        { 0, 2, { 110, 110, 10, 10 }, 0.6 },    /* in a crowd box */
        { 1, 2, { 0, 0, 10, 10 }, 0.5 } };      /* not above the threshold */
    struct confusion c;
    struct found f;
    int all = 0;
    (void)state;
    open_found(&f, truth, 5, list + 1, 5);
    assert_true(confusion_find(&c, &f.gt, &f.dets, &f.outcomes, 0.5, NULL));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (*confusion_cell(&c, wanted[i].truth, wanted[i].prediction) != wanted[i].count)
            fail_msg("%zu: %d", i, *confusion_cell(&c, wanted[i].truth, wanted[i].prediction));
    for (int i = 0; i < 13 * 13; i++)
        all += c.count[i];
    assert_int_equal(all, 5);
    confusion_free(&c);
    close_found(&f);
    open_found(&f, truth, 5, list, 6);
    assert_true(confusion_find(&c, &f.gt, &f.dets, &f.outcomes, 0.5, NULL));
    assert_int_equal(*confusion_cell(&c, 1, 1), 1);
    assert_int_equal(*confusion_cell(&c, 12, 2), 1);
    confusion_free(&c);
    close_found(&f);
}

static void the_worst_images_come_first(void **state)
{
    struct analysis a;
    struct curves c;
    struct found f;
    (void)state;
    open_found(&f, curve_truth, 4, curve_list, 6);
    assert_true(curves_find(&c, &f.gt, &f.dets, &f.outcomes, NULL)
                && analysis_find(&a, &f.gt, &f.dets, &f.outcomes, &c, NULL));
    assert_near("threshold", a.threshold, 0.249);
    assert_int_equal(a.objects, 4);
    assert_int_equal(a.objects_of[0], 4);
    assert_int_equal(a.worst_count, 1);         /* image 1 has no error above the threshold */
    assert_int_equal(a.worst[0].image, 0);
    assert_int_equal(a.worst[0].wrong, 2);
    assert_int_equal(a.worst[0].missed, 1);
    analysis_free(&a);
    curves_free(&c);
    close_found(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_score_takes_the_nearest_object), cmocka_unit_test(each_kind_of_error),
        cmocka_unit_test(a_found_object_is_not_found_again), cmocka_unit_test(the_figures_of_tidecv),
        cmocka_unit_test(a_hundred_detections_count),
        cmocka_unit_test(the_threshold_of_the_best_f1), cmocka_unit_test(scores_at_the_bounds),
        cmocka_unit_test(scores_are_calibrated), cmocka_unit_test(classes_are_confused),
        cmocka_unit_test(the_worst_images_come_first) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
