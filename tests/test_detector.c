/* tests/test_detector.c -- weights find their parameters or are said not to; folded norms change nothing; detections
 * depend on the image alone; a model is scored; networks cost what the original's do; frames are cut out of streams. */
#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/mjpeg.h"
#include "interop/safetensors.h"
#include "model/criterion.h"
#include "model/describe.h"
#include "model/detector.h"
#include "model/fold.h"
#include "model/load.h"
#include "model/weights.h"
#include "tiny.h"
#include "train/evaluate.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct net { struct config config; struct model model; struct error err; struct names notes; };

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

/* Opens the tiny model; its running statistics are made up, so that norms do something. */
static void net_open(struct net *n, const char *const *overrides, int count)
{
    *n = (struct net){0};
    must(config_read(&n->config, tiny_path("config.yml"), overrides, count, &n->err), &n->err);
    must(model_open(&n->model, &n->config, &n->err), &n->err);
    struct random random = random_of(7, 0, 0);
    for (int i = 0; i < n->model.params.count; i++) {
        const struct param *p = &n->model.params.list[i];
        for (ptrdiff_t k = p->offset; p->kind == PARAM_BUFFER && k < p->offset + p->count; k++)
            n->model.params.value[k] = (real)(strstr(p->name, "running_var") ? random_range(&random, 0.2, 2)
                                                                             : random_range(&random, -0.3, 0.3));
    }
}

static void net_close(struct net *n)
{
    names_free(&n->notes);
    model_free(&n->model);
    config_free(&n->config);
}

static real *zeros(const struct net *n)
{
    real *array = new_array((size_t)n->model.params.total, sizeof *array, NULL);
    assert_non_null(array);
    return array;
}

enum { H = 64, W = 96 };

/* The prediction for made-up pixels, a copy. */
static float *prediction(struct net *n, const real *values, size_t *count)
{
    struct detector d = {0};
    struct prior_grid grid;
    float *pixel = new_array(3 * H * W, sizeof *pixel, NULL);
    struct random random = random_of(1, 2, 3);
    for (int i = 0; i < 3 * H * W; i++)
        pixel[i] = (float)random_normal(&random);
    must(detector_init(&d, &n->model, values, 2, &n->err), &n->err);
    must(criterion_grid(&n->model, 1, H, W, &grid, &n->err), &n->err);
    const float *rows = detector_forward(&d, pixel, 1, H, W, &n->err);
    must(rows, &n->err);
    *count = (size_t)prior_count(&grid) * (5 + 4 * 8);
    float *copy = new_array(*count, sizeof *copy, NULL);
    memcpy(copy, rows, *count * sizeof *copy);
    detector_free(&d);
    free(pixel);
    return copy;
}

static double difference(const float *a, const float *b, size_t count)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        const double off = fabs((double)a[i] - b[i]);
        worst = off <= worst ? worst : off;
    }
    return worst;
}

/* ---- folding ---- */

static void test_folded_norms_change_nothing(void **state)
{
    struct net n;
    struct inference needs;
    size_t count;
    (void)state;
    net_open(&n, NULL, 0);
    real *folded = zeros(&n);
    must(inference_of(&needs, &n.model, &n.err), &n.err);
    assert_true(needs.fold_count > 50);
    for (int i = 0; i < n.model.params.count; i++)
        assert_int_equal(needs.needed[i], strncmp(n.model.params.list[i].name, "aux_", 4) != 0);
    fold_norms(&needs, &n.model.params, n.model.params.value, folded);
    assert_memory_not_equal(folded, n.model.params.value, (size_t)n.model.params.total * sizeof *folded);
    float *plain = prediction(&n, n.model.params.value, &count), *same = prediction(&n, folded, &count);
    assert_true(difference(plain, same, count) < 1e-4);

    struct tensors t = {0};                             /* to a file's tensors and back, to the bit */
    struct weights_report report = {0};
    real *again = zeros(&n);
    memcpy(again, folded, (size_t)n.model.params.total * sizeof *again);
    for (int i = 0; i < n.model.params.count; i++)
        if (needs.needed[i])
            memset(again + n.model.params.list[i].offset, 0xff, (size_t)n.model.params.list[i].count * sizeof *again);
    must(inference_give(&needs, &n.model.params, folded, true, &t, &n.err), &n.err);
    for (int i = 0; i < t.count; i++)
        assert_true(!strstr(t.list[i].name, "running_") && strncmp(t.list[i].name, "aux_", 4) != 0);
    must(inference_unfold(&needs, &n.model.params, &t, "t", &n.err), &n.err);
    must(weights_take(&n.model.params, &t, "", again, &report, &n.err), &n.err);
    assert_memory_equal(again, folded, (size_t)n.model.params.total * sizeof *again);
    weights_report_free(&report);
    tensors_free(&t);
    inference_free(&needs);
    free(folded);
    free(again);
    free(plain);
    free(same);
    net_close(&n);
}

/* ---- loading ---- */

/* The model's tensors, those whose name starts with `without` left out, in a file. */
static void write_weights(struct net *n, const char *name, const char *prefix, const char *without)
{
    struct tensors t = {0};
    int kept = 0;
    must(weights_give(&n->model.params, n->model.params.value, prefix, &t, &n->err), &n->err);
    for (int i = 0; i < t.count; i++)
        if (without && strncmp(t.list[i].name, without, strlen(without)) == 0)
            free(t.list[i].name);
        else
            t.list[kept++] = t.list[i];
    t.count = kept;
    must(safetensors_write(tiny_path(name), &t, &n->err), &n->err);
    tensors_free(&t);
}

static bool noted(const struct names *notes, const char *part)
{
    for (int i = 0; i < notes->count; i++)
        if (strstr(notes->list[i], part))
            return true;
    return false;
}

static void test_weights_find_their_parameters(void **state)
{
    struct net n;
    (void)state;
    net_open(&n, NULL, 0);
    real *array = zeros(&n);
    write_weights(&n, "whole.safetensors", "model.", NULL);
    must(model_load(&n.model, tiny_path("whole.safetensors"), LOAD_TO_RUN, array, &n.notes, &n.err), &n.err);
    assert_memory_equal(array, n.model.params.value, (size_t)n.model.params.total * sizeof *array);
    assert_int_equal(n.notes.count, 1);

    write_weights(&n, "no_aux.safetensors", "", "aux_");        /* enough to run; training hears of it */
    must(model_load(&n.model, tiny_path("no_aux.safetensors"), LOAD_TO_RUN, array, &n.notes, &n.err), &n.err);
    assert_false(noted(&n.notes, "missing"));
    must(model_load(&n.model, tiny_path("no_aux.safetensors"), LOAD_TO_TRAIN, array, &n.notes, &n.err), &n.err);
    assert_true(noted(&n.notes, "missing, left at the initial values: aux_fpn."));
    assert_true(noted(&n.notes, " more"));

    write_weights(&n, "no_fpn.safetensors", "", "fpn.");
    assert_false(model_load(&n.model, tiny_path("no_fpn.safetensors"), LOAD_TO_RUN, array, &n.notes, &n.err));
    assert_int_equal(n.err.exit, 1);
    assert_non_null(strstr(n.err.text, "fpn."));
    free(array);
    net_close(&n);
}

static void test_a_head_of_other_classes_stays(void **state)
{
    static const char *const three[] = { "model.arch.head.num_classes=3", "model.arch.aux_head.num_classes=3",
                                         "class_names=[a, b, c]" };
    struct net n, other;
    (void)state;
    net_open(&n, NULL, 0);
    net_open(&other, three, 3);
    write_weights(&n, "five.safetensors", "", NULL);
    const int head = params_find(&other.model.params, "head.gfl_cls.0.weight");
    const real first = other.model.params.value[other.model.params.list[head].offset];
    real *array = zeros(&other);
    memcpy(array, other.model.params.value, (size_t)other.model.params.total * sizeof *array);
    must(model_load(&other.model, tiny_path("five.safetensors"), LOAD_TO_TRAIN, array, &other.notes, &other.err),
         &other.err);
    assert_true(noted(&other.notes, "another number of classes"));
    assert_true(noted(&other.notes, "head.gfl_cls.0.weight is [37, 32, 1, 1], the model wants [35, 32, 1, 1]"));
    assert_true(array[other.model.params.list[head].offset] == first);
    assert_false(model_load(&other.model, tiny_path("five.safetensors"), LOAD_TO_RUN, array, &other.notes, &other.err));
    assert_int_equal(other.err.exit, 1);
    assert_non_null(strstr(other.err.text, "another number of classes"));
    free(array);
    net_close(&other);
    net_close(&n);
}

static void test_bad_weights_are_refused(void **state)
{
    struct net n;
    (void)state;
    net_open(&n, NULL, 0);
    real *array = zeros(&n);
    n.model.params.value[n.model.params.list[3].offset] = (real)NAN;
    write_weights(&n, "nan.safetensors", "", NULL);
    assert_false(model_load(&n.model, tiny_path("nan.safetensors"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
    assert_non_null(strstr(n.err.text, n.model.params.list[3].name));
    write_weights(&n, "foreign.safetensors", "other.", NULL);
    assert_false(model_load(&n.model, tiny_path("foreign.safetensors"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
    assert_false(model_load(&n.model, tiny_path("none"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
    assert_false(model_load(&n.model, tiny_path("config.yml"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
    assert_int_equal(n.err.exit, 1);
    free(array);
    net_close(&n);
}

/* The backbone of the file at `path` into a model with other values; false: it was refused. */
static bool pretrain(const char *path, struct net *n, real **array)
{
    char override[400];
    const char *const overrides[] = { override };
    snprintf(override, sizeof override, "model.arch.backbone.pretrain=%s", path);
    net_open(n, overrides, 1);
    *array = zeros(n);
    return model_pretrain(&n->model, *array, &n->notes, &n->err);
}

static void test_a_backbone_starts_from_a_file(void **state)
{
    static const char *const none[] = { "false", "no" }, *const loud[] = { "true", "" };    /* "": as if not given */
    struct net n, other;
    real *array;
    (void)state;
    net_open(&n, NULL, 0);
    write_weights(&n, "detector.safetensors", "", NULL);
    must(pretrain(tiny_path("detector.safetensors"), &other, &array), &other.err);
    for (int i = 0; i < n.model.params.count; i++) {
        const struct param *p = &n.model.params.list[i];
        const bool backbone = strncmp(p->name, "backbone.", 9) == 0;
        assert_int_equal(backbone, memcmp(array + p->offset, n.model.params.value + p->offset,
                                          (size_t)p->count * sizeof *array) == 0 && backbone);
        for (ptrdiff_t k = 0; !backbone && k < p->count; k++)
            assert_true(array[p->offset + k] == 0);
    }
    free(array);
    net_close(&other);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        must(pretrain(none[i], &other, &array), &other.err);
        assert_int_equal(other.notes.count, 0);
        free(array);
        net_close(&other);
    }
    for (size_t i = 0; i < sizeof loud / sizeof *loud; i++) {
        must(pretrain(loud[i], &other, &array), &other.err);
        assert_true(noted(&other.notes, "RANDOM"));
        free(array);
        net_close(&other);
    }
    assert_false(pretrain(tiny_path("missing.pth"), &other, &array));
    free(array);
    net_close(&other);
    net_close(&n);
}

static void test_a_published_backbone_fits(void **state)
{
    static const char file[] = "../shared/data/weights/nanodet_m.ckpt";
    struct config config = {0};
    struct model model = {0};
    struct names notes = {0};
    struct error err = {0};
    static const char *const overrides[] = { "model.arch.backbone.pretrain=../shared/data/weights/nanodet_m.ckpt" };
    (void)state;
    if (!file_exists(file)) {
        print_message("no %s\n", file);
        skip();
    }
    must(config_read(&config, "configs/nanodet-plus-m_320.yml", overrides, 1, &err), &err);
    must(model_open(&model, &config, &err), &err);
    must(model_pretrain(&model, model.params.value, &notes, &err), &err);
    assert_int_equal(notes.count, 1);                           /* nothing is missing, misfits or is unknown */
    names_free(&notes);
    model_free(&model);
    config_free(&config);
}

/* ---- detecting ---- */

static void open_scene(struct synth_scene *scene, int index, struct error *err)
{
    const struct synth_config scenes = { .width = 96, .height = 96, .objects_min = 2, .objects_max = 6, .scale = 8 };
    must(synth_draw(scene, &scenes, index, err), err);
}

/* Whatever ran before, and with any number of threads, an image has its detections. */
static void test_detections_depend_on_the_image_alone(void **state)
{
    static const char *const overrides[] = { "data.val.resize=keep" };
    struct net n;
    struct detector one = {0}, many = {0};
    (void)state;
    net_open(&n, overrides, 1);
    must(detector_init(&one, &n.model, n.model.params.value, 1, &n.err), &n.err);
    must(detector_init(&many, &n.model, n.model.params.value, 3, &n.err), &n.err);
    one.rules.score_thr = many.rules.score_thr = 0.01;
    int found = 0;
    for (int i = 0; i < 24; i++) {                              /* more sizes than plans are kept */
        struct synth_scene scene = {0};
        open_scene(&scene, i % 3, &n.err);
        scene.picture.height = 16 + i % 12 * 7;
        must(detector_look(&many, &scene.picture, &n.err), &n.err);
        if (i % 5 == 0) {
            must(detector_look(&one, &scene.picture, &n.err), &n.err);
            assert_int_equal(one.count[0], many.count[0]);
            assert_memory_equal(one.found, many.found, (size_t)one.count[0] * sizeof *one.found);
            found += one.count[0];
        }
        for (int k = 0; k < many.count[0]; k++)
            assert_true(many.found[k].box[0] >= 0 && many.found[k].box[2] <= 96
                        && many.found[k].box[3] <= (float)scene.picture.height);
        synth_free(&scene);
    }
    assert_true(found > 0);
    detector_free(&one);
    detector_free(&many);
    net_close(&n);
}

static void test_numbers_that_are_not_finite_are_said(void **state)
{
    struct net n;
    struct detector d = {0};
    struct synth_scene scene = {0};
    (void)state;
    net_open(&n, NULL, 0);
    const int norm = params_find(&n.model.params, "backbone.conv1.1.running_var");
    n.model.params.value[n.model.params.list[norm].offset] = -1;
    must(detector_init(&d, &n.model, n.model.params.value, 1, &n.err), &n.err);
    open_scene(&scene, 0, &n.err);
    assert_false(detector_look(&d, &scene.picture, &n.err));
    assert_non_null(strstr(n.err.text, "first layer whose output is not finite is backbone."));
    synth_free(&scene);
    detector_free(&d);
    net_close(&n);
}

/* ---- evaluation ---- */

static void evaluate(struct net *n, struct evaluation *e, const struct watcher *watcher, bool works)
{
    struct evaluator *evaluator = evaluator_open(&n->model, 2, &n->err);
    must(evaluator, &n->err);
    assert_int_equal(evaluator_truth(evaluator)->image_count, 5);
    assert_int_equal(evaluator_run(evaluator, n->model.params.value, watcher, e, &n->err), works);
    if (works)
        assert_int_equal(e->score.class_count, 5);
    evaluator_close(evaluator);
}

static bool count_images(void *seen, int images, int all)
{
    assert_int_equal(all, 5);
    *(int *)seen = images;
    return images < 4;
}

static void test_a_model_is_scored(void **state)
{
    static const char *const batch[] = { "device.batchsize_per_gpu=5" }, *const wrong[] = {
        "model.arch.head.num_classes=3", "model.arch.aux_head.num_classes=3", "class_names=[a, b, c]" };
    struct net n, other;
    struct evaluation a, b;
    int seen = 0;
    (void)state;
    net_open(&n, NULL, 0);
    net_open(&other, batch, 1);
    evaluate(&n, &a, NULL, true);
    evaluate(&other, &b, NULL, true);
    assert_int_equal(a.found.count, b.found.count);
    for (int i = 0; i < a.found.count; i++) {
        assert_int_equal(a.found.list[i].image, b.found.list[i].image);
        assert_int_equal(a.found.list[i].category, b.found.list[i].category);
        assert_true(fabs(a.found.list[i].score - b.found.list[i].score) < 1e-5);
    }
    for (int i = 0; i < COCO_FIGURES; i++)
        assert_true(a.score.figures[i] >= -1 && a.score.figures[i] <= 1);
    evaluation_free(&a);
    evaluation_free(&b);
    evaluate(&n, &a, &(struct watcher){ count_images, &seen }, false);
    assert_int_equal(seen, 4);
    evaluation_free(&a);
    net_close(&other);
    net_open(&other, wrong, 3);
    assert_null(evaluator_open(&other.model, 1, &other.err));
    assert_int_equal(other.err.exit, 2);
    net_close(&other);
    net_close(&n);
}

static void test_an_empty_list_scores_nothing(void **state)
{
    struct net n;
    struct evaluation e;
    (void)state;
    net_open(&n, NULL, 0);
    for (int level = 0; level < 4; level++) {                   /* no class is likely anywhere */
        char name[40];
        snprintf(name, sizeof name, "head.gfl_cls.%d.bias", level);
        const struct param *p = &n.model.params.list[params_find(&n.model.params, name)];
        for (int c = 0; c < 5; c++)
            n.model.params.value[p->offset + c] = -1000;
    }
    evaluate(&n, &e, NULL, true);
    assert_int_equal(e.found.count, 0);
    assert_true(e.score.figures[0] == 0);
    evaluation_free(&e);
    net_close(&n);
}

static void test_an_unreadable_image_ends_an_evaluation(void **state)
{
    struct net n;
    struct evaluation e;
    struct bytes kept;
    struct names names = {0};
    (void)state;
    net_open(&n, NULL, 0);
    must(folder_list(&names, tiny_path("data/images/val"), &n.err), &n.err);
    char *path = path_join(tiny_path("data/images/val"), names.list[2], &n.err);
    must(file_read(&kept, path, &n.err) && file_write(path, kept.p, kept.size / 2, &n.err), &n.err);
    evaluate(&n, &e, NULL, false);
    assert_int_equal(n.err.exit, 1);
    assert_non_null(strstr(n.err.text, names.list[2]));
    must(file_write(path, kept.p, kept.size, &n.err), &n.err);
    evaluation_free(&e);
    bytes_free(&kept);
    names_free(&names);
    free(path);
    net_close(&n);
}

/* ---- networks ---- */

static double size_field(const cJSON *row, const char *name)
{
    double v = -1;
    json_real(cJSON_GetObjectItemCaseSensitive(row, name), &v);
    return v;
}

/* Multiply-adds and parameters of one of our configurations against the original's. */
static void compare_sizes(const cJSON *row, const char *path)
{
    struct config config = {0};
    struct model model = {0};
    struct graph g = {0};
    struct inference needs = {0};
    struct error err = {0};
    double inference = 0, training = 0;
    int h = 0, w = 0;
    json_int(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(row, "input"), 0), &h);
    json_int(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(row, "input"), 1), &w);
    must(config_read(&config, path, NULL, 0, &err) && model_open(&model, &config, &err)
         && model_graph(&model, &(struct graph_options){ .n = 1, .h = h, .w = w }, &g, &err)
         && inference_of(&needs, &model, &err), &err);
    for (int i = 0; i < model.params.count; i++)
        if (model.params.list[i].kind != PARAM_BUFFER) {
            training += (double)model.params.list[i].count;
            inference += needs.needed[i] ? (double)model.params.list[i].count : 0;
        }
    assert_true(size_field(row, "conv_linear_macs") == graph_macs(&g));
    assert_true(size_field(row, "parameters_inference") == inference);
    assert_true(size_field(row, "parameters_training") == training);
    inference_free(&needs);
    graph_free(&g);
    model_free(&model);
    config_free(&config);
}

static void test_networks_have_the_original_sizes(void **state)
{
    static const char file[] = "../shared/parity/sizes.json";
    struct error err = {0};
    int compared = 0;
    const cJSON *row;
    (void)state;
    if (!file_exists(file)) {
        print_message("no %s\n", file);
        skip();
    }
    cJSON *json = json_read(file, &err);
    must(json, &err);
    cJSON_ArrayForEach(row, json) {
        char path[200];
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(row, "config");
        snprintf(path, sizeof path, "configs/%s", name->valuestring);
        if (strncmp(name->valuestring, "nanodet-plus-m", 14) == 0 && file_exists(path)) {
            compare_sizes(row, path);
            compared++;
        }
    }
    assert_true(compared >= 3);
    cJSON_Delete(json);
}

/* Every operand is an input, a parameter or the output of an earlier node; every parameter that is needed is there. */
static void test_a_graph_describes_itself(void **state)
{
    struct net n;
    struct graph g = {0};
    bool known[4096] = { false };
    const cJSON *item, *input;
    (void)state;
    net_open(&n, NULL, 0);
    must(model_graph(&n.model, &(struct graph_options){ .n = 1, .h = H, .w = W }, &g, &n.err), &n.err);
    cJSON *json = graph_describe(&g, &n.model.params);
    assert_non_null(json);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "inputs"))
        known[(int)size_field(item, "id")] = true;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "parameters")) {
        const char *name = cJSON_GetObjectItemCaseSensitive(item, "name")->valuestring;
        assert_true(params_find(&n.model.params, name) >= 0);
        known[(int)size_field(item, "id")] = true;
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "nodes")) {
        cJSON_ArrayForEach(input, cJSON_GetObjectItemCaseSensitive(item, "inputs"))
            assert_true(known[input->valueint]);
        known[(int)size_field(item, "output")] = true;
    }
    item = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "outputs"), 0);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(item, "name")->valuestring, "main");
    assert_true(known[(int)size_field(item, "id")]);
    cJSON_Delete(json);
    graph_free(&g);
    net_close(&n);
}

/* ---- streams ---- */

/* SOI, a segment of `segment` bytes that hold a whole picture of their own, a scan with 0xff in it, EOI. */
static void add_frame(struct text *t, unsigned char mark)
{
    const unsigned char frame[] = { 0xff, 0xd8, 0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 1, 2, 0xff, 0xff, 0xda, 0, 3,
                                    mark, 5, 0xff, 0, 6, 0xff, 0xd0, 7, 0xff, 0xd9 };
    text_bytes(t, frame, sizeof frame);
}

static void test_frames_are_cut_out_of_a_stream(void **state)
{
    struct text t = {0};
    struct mjpeg m = {0};
    struct bytes frame;
    struct error err = {0};
    int seen = 0;
    (void)state;
    text_add(&t, "--boundary\r\nContent-Type: image/jpeg\r\n\r\n");
    add_frame(&t, 0);
    text_bytes(&t, "\r\n\xff\xff", 4);
    add_frame(&t, 1);
    text_bytes(&t, "\xff\xd8\xff\xda\0\2cut off", 13);          /* by the next one */
    add_frame(&t, 2);
    text_bytes(&t, "\xff\xd8nothing", 9);
    add_frame(&t, 3);
    text_bytes(&t, "\xff\xd8\xff\xe0", 4);                      /* by the end */
    FILE *stream = fmemopen(t.s, t.size, "rb");
    while (mjpeg_next(&m, stream, &frame, &err) && frame.p) {
        assert_int_equal(frame.size, 27);
        assert_int_equal(frame.p[17], seen++);
    }
    assert_int_equal(seen, 4);
    assert_int_equal(m.broken, 3);
    fclose(stream);
    mjpeg_free(&m);
    text_free(&t);
}

static int setup(void **state)
{
    struct error err = {0};
    (void)state;
    return tiny_make("detector", 2, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tiny_remove(tiny_folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded_norms_change_nothing),
        cmocka_unit_test(test_weights_find_their_parameters),
        cmocka_unit_test(test_a_head_of_other_classes_stays),
        cmocka_unit_test(test_bad_weights_are_refused),
        cmocka_unit_test(test_a_backbone_starts_from_a_file),
        cmocka_unit_test(test_a_published_backbone_fits),
        cmocka_unit_test(test_detections_depend_on_the_image_alone),
        cmocka_unit_test(test_numbers_that_are_not_finite_are_said),
        cmocka_unit_test(test_a_model_is_scored),
        cmocka_unit_test(test_an_empty_list_scores_nothing),
        cmocka_unit_test(test_an_unreadable_image_ends_an_evaluation),
        cmocka_unit_test(test_networks_have_the_original_sizes),
        cmocka_unit_test(test_a_graph_describes_itself),
        cmocka_unit_test(test_frames_are_cut_out_of_a_stream) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
