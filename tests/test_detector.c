/* tests/test_detector.c -- detections depend only on the image; scoring of a model. */
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "policy.h"
#include "runtime/detector.h"
#include "tiny_net.h"
#include "train/evaluate.h"
#include <math.h>

/* ---- detecting ---- */

static void open_scene(struct synth_scene *scene, int index, struct error *err)
{
    const struct synth_config scenes = { .width = 96, .height = 96, .objects_min = 2, .objects_max = 6, .scale = 8 };
    must(synth_draw(scene, &scenes, index, err), err);
}

/* The detections of an image do not depend on earlier calls or on the number of threads. */
static void test_detections_depend_only_on_the_image(void **state)
{
    static const char *const overrides[] = { "data.val.resize=keep" };
    struct net n;
    struct detector one = {0}, many = {0};
    (void)state;
    net_open(&n, overrides, 1);
    must(detector_init(&one, &n.model, n.model.params.value, policy_under_test(1), &n.err), &n.err);
    must(detector_init(&many, &n.model, n.model.params.value, policy_under_test(3), &n.err), &n.err);
    one.rules.score_thr = many.rules.score_thr = 0.01;
    int found = 0;
    for (int i = 0; i < 24; i++) {                              /* more sizes than the cache holds */
        struct synth_scene scene = {0};
        open_scene(&scene, i % 3, &n.err);
        scene.image.height = 16 + i % 12 * 7;
        must(detector_detect_image(&many, &scene.image, &n.err), &n.err);
        if (i % 5 == 0) {
            must(detector_detect_image(&one, &scene.image, &n.err), &n.err);
            assert_int_equal(one.count[0], many.count[0]);
            assert_memory_equal(one.detections, many.detections, (size_t)one.count[0] * sizeof *one.detections);
            found += one.count[0];
        }
        for (int k = 0; k < many.count[0]; k++)
            assert_true(many.detections[k].box[0] >= 0 && many.detections[k].box[2] <= 96
                        && many.detections[k].box[3] <= (float)scene.image.height);
        synth_free(&scene);
    }
    assert_true(found > 0 && many.cache.packed_weights.filled);
    for (int i = 0; i < many.cache.count; i++)                  /* all sizes read the same packed weights */
        assert_ptr_equal(many.cache.list[i].graph.packed_weights, &many.cache.packed_weights);
    detector_free(&one);
    detector_free(&many);
    net_close(&n);
}

static void set_class_bias(struct net *n, int level, real bias)
{
    char name[40];
    snprintf(name, sizeof name, "head.gfl_cls.%d.bias", level);
    const struct param *p = &n->model.params.list[params_find(&n->model.params, name)];
    for (int c = 0; c < 5; c++)
        n->model.params.value[p->offset + c] = bias;
}

/* Its finest level finds objects anywhere, which are small enough to lie inside of a tile. */
static void open_finder(struct net *n, const char *const *overrides, int count)
{
    net_open(n, overrides, count);
    set_class_bias(n, 0, 0);
}

static void detect(struct net *n, int threads, const struct image *image, struct detector *d)
{
    must(detector_init(d, &n->model, n->model.params.value, policy_under_test(threads), &n->err), &n->err);
    d->rules.score_thr = 0.01;
    must(detector_detect_image(d, image, &n->err), &n->err);
}

static void same_detections(const struct detector *a, const struct detector *b, bool same)
{
    const size_t bytes = (size_t)a->count[0] * sizeof *a->detections;
    const bool equal = a->count[0] == b->count[0] && memcmp(a->detections, b->detections, bytes) == 0;
    assert_true(a->count[0] > 0 && equal == same);
}

/* Tiles: for any number of threads the same; an image that a tile covers is seen as without them. */
static void test_tiles(void **state)
{
    static const char *const tiles[] = { "data.val.tiles.size=[40, 33]" }, *const large[] = {
        "data.val.tiles.size=96" }, *const fine[] = { "data.val.tiles.size=[40, 33]", "data.val.tiles.coarse=false" };
    struct net plain, tiled, covered, alone;
    struct detector a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
    struct synth_scene scene = {0};
    (void)state;
    open_finder(&plain, NULL, 0);
    open_finder(&tiled, tiles, 1);
    open_finder(&covered, large, 1);
    open_finder(&alone, fine, 2);
    open_scene(&scene, 0, &plain.err);
    detect(&plain, 1, &scene.image, &a);
    detect(&tiled, 1, &scene.image, &b);
    detect(&tiled, 4, &scene.image, &c);
    detect(&covered, 2, &scene.image, &d);
    detect(&alone, 3, &scene.image, &e);
    same_detections(&b, &c, true);
    same_detections(&a, &d, true);
    same_detections(&a, &b, false);
    same_detections(&b, &e, false);
    for (int k = 0; k < b.count[0]; k++)
        assert_true(b.detections[k].box[0] >= 0 && b.detections[k].box[2] <= 96 && b.detections[k].box[3] <= 96);
    struct detector *const all[] = { &a, &b, &c, &d, &e };
    for (int i = 0; i < 5; i++)
        detector_free(all[i]);
    synth_free(&scene);
    struct net *const nets[] = { &plain, &tiled, &covered, &alone };
    for (int i = 0; i < 4; i++)
        net_close(nets[i]);
}

static void test_non_finite_values_are_reported(void **state)
{
    struct net n;
    struct detector d = {0};
    struct synth_scene scene = {0};
    (void)state;
    net_open(&n, NULL, 0);
    const int norm = params_find(&n.model.params, "backbone.conv1.1.running_var");
    n.model.params.value[n.model.params.list[norm].offset] = -1;
    must(detector_init(&d, &n.model, n.model.params.value, policy_under_test(1), &n.err), &n.err);
    open_scene(&scene, 0, &n.err);
    assert_false(detector_detect_image(&d, &scene.image, &n.err));
    assert_non_null(strstr(n.err.text, "first layer whose output is not finite is backbone."));
    synth_free(&scene);
    detector_free(&d);
    net_close(&n);
}

/* ---- evaluation ---- */

static void evaluate(struct net *n, struct evaluation *e, const struct progress_callback *watcher, bool works)
{
    struct evaluator *evaluator = evaluator_open(&n->model, policy_under_test(2), &n->err);
    must(evaluator, &n->err);
    assert_int_equal(evaluator_dataset(evaluator)->image_count, 5);
    assert_int_equal(evaluator_run(evaluator, n->model.params.value, watcher, e, &n->err), works);
    if (works)
        assert_int_equal(e->score.class_count, 5);
    evaluator_close(evaluator);
}

static bool count_images(void *context, int images, int all)
{
    assert_int_equal(all, 5);
    *(int *)context = images;
    return images < 4;
}

static void test_a_model_is_scored(void **state)
{
    static const char *const batch[] = { "device.batchsize_per_gpu=5" }, *const wrong[] = {
        "model.arch.head.num_classes=3", "model.arch.aux_head.num_classes=3", "class_names=[a, b, c]" };
    struct net n, other;
    struct evaluation a, b;
    int count = 0;
    (void)state;
    net_open(&n, NULL, 0);
    net_open(&other, batch, 1);
    evaluate(&n, &a, NULL, true);
    evaluate(&other, &b, NULL, true);
    assert_int_equal(a.detections.count, b.detections.count);
    for (int i = 0; i < a.detections.count; i++) {
        assert_int_equal(a.detections.list[i].image, b.detections.list[i].image);
        assert_int_equal(a.detections.list[i].category, b.detections.list[i].category);
        assert_true(fabs(a.detections.list[i].score - b.detections.list[i].score) < 1e-5);
    }
    for (int i = 0; i < COCO_FIGURES; i++)
        assert_true(a.score.figures[i] >= -1 && a.score.figures[i] <= 1);
    evaluation_free(&a);
    evaluation_free(&b);
    evaluate(&n, &a, &(struct progress_callback){ count_images, &count }, false);
    assert_int_equal(count, 4);
    evaluation_free(&a);
    net_close(&other);
    net_open(&other, wrong, 3);
    assert_null(evaluator_open(&other.model, policy_under_test(1), &other.err));
    assert_int_equal(other.err.exit, 2);
    net_close(&other);
    net_close(&n);
}

/* With tiles, each with the cache or without it; all images are seen. */
static void test_a_model_is_scored_with_tiles(void **state)
{
    static const char *const tiles[] = { "data.val.tiles.size=48", "data.val.cache_mb=1" };
    struct net n, cached;
    struct evaluation a, b;
    int count = 0;
    (void)state;
    open_finder(&n, tiles, 1);
    open_finder(&cached, tiles, 2);
    evaluate(&n, &a, NULL, true);
    evaluate(&cached, &b, NULL, true);
    assert_true(a.detections.count > 0 && a.detections.list[a.detections.count - 1].image == 4);
    assert_int_equal(a.detections.count, b.detections.count);
    assert_memory_equal(a.score.figures, b.score.figures, sizeof a.score.figures);
    evaluation_free(&a);
    evaluation_free(&b);
    evaluate(&n, &a, &(struct progress_callback){ count_images, &count }, false);
    assert_int_equal(count, 4);
    evaluation_free(&a);
    net_close(&cached);
    net_close(&n);
}

static void test_an_empty_list_scores_zero(void **state)
{
    struct net n;
    struct evaluation e;
    (void)state;
    net_open(&n, NULL, 0);
    for (int level = 0; level < 4; level++)                     /* no class is likely anywhere */
        set_class_bias(&n, level, -1000);
    evaluate(&n, &e, NULL, true);
    assert_int_equal(e.detections.count, 0);
    assert_true(e.score.figures[0] == 0);
    evaluation_free(&e);
    net_close(&n);
}

static void test_an_unreadable_image_refuses_an_evaluation(void **state)
{
    struct net n;
    struct bytes kept;
    struct string_list names = {0};
    (void)state;
    net_open(&n, NULL, 0);
    must(folder_list(&names, in_folder("data/images/val"), &n.err), &n.err);
    char *path = path_join(in_folder("data/images/val"), names.list[2], &n.err);
    must(file_read(&kept, path, &n.err) && file_write(path, kept.p, 100, &n.err), &n.err);
    assert_null(evaluator_open(&n.model, policy_under_test(2), &n.err));
    assert_int_equal(n.err.exit, 1);
    assert_non_null(strstr(n.err.text, names.list[2]));
    n.err = (struct error){0};
    must(file_write(path, kept.p, kept.size, &n.err), &n.err);
    bytes_free(&kept);
    string_list_free(&names);
    free(path);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detections_depend_only_on_the_image),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_non_finite_values_are_reported),
        cmocka_unit_test(test_a_model_is_scored),
        cmocka_unit_test(test_a_model_is_scored_with_tiles),
        cmocka_unit_test(test_an_empty_list_scores_zero),
        cmocka_unit_test(test_an_unreadable_image_refuses_an_evaluation) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
