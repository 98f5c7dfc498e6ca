/* tests/test_detect_post.c -- non-maximum suppression against a plain implementation, and post-processing from
 * predictions to boxes in the source image. */
#include "base/random.h"
#include "detect/box.h"
#include "detect/nms.h"
#include "detect/postprocess.h"
#include "detect/prediction.h"
#include "tables.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { BOXES = 120, CLASSES = 3 };

static double iou_of(const float a[4], const float b[4])
{
    double x[4], y[4];
    box_to_double(a, x);
    box_to_double(b, y);
    return box_iou(x, y);
}

/* Repeatedly takes the best remaining box and removes the boxes that it suppresses. */
static int plain_nms(struct scored *list, int count, const float (*box)[4], double threshold, struct scored *kept)
{
    int n = 0;
    for (;;) {
        int best = -1;
        for (int i = 0; i < count; i++)
            if (list[i].label >= 0 && (best < 0 || list[i].score > list[best].score))
                best = i;
        if (best < 0)
            return n;
        kept[n] = list[best];
        for (int i = 0; i < count; i++)
            if (i == best || (list[i].label == kept[n].label
                              && iou_of(box[list[i].box], box[kept[n].box]) > threshold))
                list[i].label = -1;
        n++;
    }
}

/* No quotient of small areas is this threshold, so that rounding to float decides nothing. */
static const double iou_thr = 0.543211;

static void test_nms_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct random r = random_of(seed, 1, 0);
        float box[BOXES][4];
        struct scored list[BOXES * CLASSES], plain[BOXES * CLASSES], want[BOXES * CLASSES];
        int count = 0;
        for (int i = 0; i < BOXES; i++) {                               /* whole numbers, so float is exact */
            box[i][0] = (float)random_below(&r, 40);
            box[i][1] = (float)random_below(&r, 40);
            box[i][2] = box[i][0] + (float)random_below(&r, 30);
            box[i][3] = box[i][1] + (float)random_below(&r, 30);
            for (int c = 0; c < CLASSES; c++)
                if (random_below(&r, 2))
                    list[count++] = (struct scored){ (float)random_below(&r, 20) / 20, i, c };
        }
        memcpy(plain, list, sizeof plain);
        const int all = plain_nms(plain, count, (const float (*)[4])box, iou_thr, want);
        const int max_kept = seed % 2 ? -1 : 10, expected = max_kept < 0 || all < max_kept ? all : max_kept;
        const int kept = nms(list, count, (const float (*)[4])box, iou_thr, false, max_kept);
        if (kept != expected)
            fail_msg("kept %d, not %d; SEED=%d", kept, expected, (int)seed);
        for (int i = 0; i < kept; i++)
            if (list[i].box != want[i].box || list[i].label != want[i].label)
                fail_msg("%d: box %d, not %d; SEED=%d", i, list[i].box, want[i].box, (int)seed);
    }
    assert_int_equal(nms(&(struct scored){0}, 0, NULL, 0.6, false, 100), 0);
}

/* Two boxes of different classes at an IoU of 0.8 and one without overlap. */
static void test_nms_of_all_classes(void **state)
{
    (void)state;
    static const float box[3][4] = { { 0, 0, 10, 10 }, { 0, 0, 10, 8 }, { 20, 20, 30, 30 } };
    static const struct scored found[3] = { { 0.5f, 0, 1 }, { 0.9f, 1, 0 }, { 0.3f, 2, 1 } };
    struct scored list[3];
    memcpy(list, found, sizeof list);
    assert_int_equal(nms(list, 3, box, 0.6, false, 100), 3);
    memcpy(list, found, sizeof list);
    assert_int_equal(nms(list, 3, box, 0.6, true, 100), 2);
    assert_true(list[0].box == 1 && list[0].label == 0 && list[1].box == 2 && list[1].label == 1);
    memcpy(list, found, sizeof list);
    assert_int_equal(nms(list, 3, box, 0.85, true, 100), 3);
}

/* One stride of 8 on 32 x 24 pixels; distributions so sharp that the expectation is a bin. */
enum { REG_MAX = 3, CHANNELS = CLASSES + 4 * (REG_MAX + 1), PRIORS = 12 };

static void predict(float *row, int label, float logit, const int bin[4])
{
    row[label] = logit;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j <= REG_MAX; j++)
            row[CLASSES + i * (REG_MAX + 1) + j] = j == bin[i] ? 200 : 0;
}

static void test_postprocess(void **state)
{
    (void)state;
    const struct postprocess_config config = { CLASSES, REG_MAX, 0.05, 0.6, 2, table_under_test(), false };
    struct prior_grid grid;
    float pred[2 * PRIORS][CHANNELS];
    struct arena tmp;
    struct detected out[2];
    struct error err = {0};
    int count = -1;
    assert_true(prior_grid_init(&grid, (int[]){ 8 }, 1, 0, 2, 24, 32, NULL));
    assert_true(arena_init(&tmp, postprocess_bytes(&config, &grid), NULL));
    for (int i = 0; i < 2 * PRIORS * CHANNELS; i++)
        pred[i / CHANNELS][i % CHANNELS] = -5;
    assert_true(postprocess(&config, &grid, 1, *pred, &tmp, out, &count, &err));
    assert_int_equal(count, 0);

    predict(pred[PRIORS + 6], 2, 1, (int[]){ 1, 0, 2, 3 });             /* image 1, cell (1, 2): prior (16, 8) */
    predict(pred[PRIORS + 7], 2, 0, (int[]){ 2, 0, 1, 3 });             /* the same box, less sure */
    predict(pred[PRIORS + 5], 1, -2, (int[]){ 1, 1, 1, 1 });            /* another class, out at 0.119 */
    predict(pred[PRIORS + 11], 0, -2.9445f, (int[]){ 0, 0, 3, 3 });     /* 0.04999: not enough */
    assert_true(postprocess(&config, &grid, 1, *pred, &tmp, out, &count, &err));
    assert_int_equal(count, 2);
    const float want[2][4] = { { 8, 8, 32, 24 }, { 0, 0, 16, 16 } };    /* the first is cut from 32 to 24 */
    for (int i = 0; i < 2; i++)
        assert_memory_equal(out[i].box, want[i], sizeof want[i]);
    assert_true(out[0].label == 2 && fabs(out[0].score - 0.7310586) < 1e-6 && out[1].label == 1);
    assert_int_equal(tmp.used, 0);

    /* The source is twice as wide and was moved by 4 pixels. */
    const struct matrix to_input = { { { 0.5, 0, 4 }, { 0, 1, 0 }, { 0, 0, 1 } } }, flat = {0};
    assert_true(detected_to_source(out, count, &to_input, (struct image_size){ 50, 20 }, &err));
    const float source[2][4] = { { 8, 8, 50, 20 }, { 0, 0, 24, 16 } };
    for (int i = 0; i < 2; i++)
        assert_memory_equal(out[i].box, source[i], sizeof source[i]);
    assert_false(detected_to_source(out, count, &flat, (struct image_size){ 50, 20 }, &err));

    pred[PRIORS][0] = NAN;
    assert_true(postprocess(&config, &grid, 0, *pred, &tmp, out, &count, &err));
    assert_false(postprocess(&config, &grid, 1, *pred, &tmp, out, &count, &err));
    assert_string_equal(err.text, "image 1 of the batch: a prediction is not finite");
    assert_false(postprocess(&config, &grid, 0, *pred, &(struct arena){ tmp.p, 64, 0 }, out, &count, &err));
    arena_free(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nms_twin), cmocka_unit_test(test_nms_of_all_classes),
        cmocka_unit_test(test_postprocess),
    };
    return cmocka_run_group_tests_name("detect: post-processing", tests, NULL, NULL);
}
