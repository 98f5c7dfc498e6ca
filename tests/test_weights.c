/* tests/test_weights.c -- loading weights by name: matches and misfits; folded norms do not change the outputs. */
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "interop/safetensors.h"
#include "model/criterion.h"
#include "policy.h"
#include "runtime/detector.h"
#include "there.h"
#include "tiny_net.h"
#include "weights/file_config.h"
#include "weights/fold.h"
#include "weights/load.h"
#include "weights/weights.h"
#include <math.h>

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
    must(detector_init(&d, &n->model, values, policy_under_test(2), &n->err), &n->err);
    must(criterion_grid(&n->model, 1, H, W, &grid, &n->err), &n->err);
    const float *rows = detector_forward(&d, pixel, H, W, &n->err);
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
    must(inference_to_tensors(&needs, &n.model.params, folded, true, &t, &n.err), &n.err);
    for (int i = 0; i < t.count; i++)
        assert_true(!strstr(t.list[i].name, "running_") && strncmp(t.list[i].name, "aux_", 4) != 0);
    must(inference_unfold(&needs, &n.model.params, &t, "t", &n.err), &n.err);
    must(weights_from_tensors(&n.model.params, &t, "", again, &report, &n.err), &n.err);
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

/* The model's tensors, except those whose name starts with `without`, in a file. */
static void write_weights(struct net *n, const char *name, const char *prefix, const char *without)
{
    struct tensors t = {0};
    int kept = 0;
    must(weights_to_tensors(&n->model.params, n->model.params.value, prefix, &t, &n->err), &n->err);
    for (int i = 0; i < t.count; i++)
        if (without && starts_with(t.list[i].name, without))
            free(t.list[i].name);
        else
            t.list[kept++] = t.list[i];
    t.count = kept;
    must(safetensors_write(in_folder(name), &t, &n->err), &n->err);
    tensors_free(&t);
}

static bool noted(const struct string_list *notes, const char *part)
{
    for (int i = 0; i < notes->count; i++)
        if (strstr(notes->list[i], part))
            return true;
    return false;
}

static void test_weights_match_parameters(void **state)
{
    struct net n;
    (void)state;
    net_open(&n, NULL, 0);
    real *array = zeros(&n);
    write_weights(&n, "whole.safetensors", "model.", NULL);
    must(model_load(&n.model, in_folder("whole.safetensors"), LOAD_TO_RUN, array, &n.notes, &n.err), &n.err);
    assert_memory_equal(array, n.model.params.value, (size_t)n.model.params.total * sizeof *array);
    assert_int_equal(n.notes.count, 1);

    write_weights(&n, "no_aux.safetensors", "", "aux_");        /* enough to run; training hears of it */
    must(model_load(&n.model, in_folder("no_aux.safetensors"), LOAD_TO_RUN, array, &n.notes, &n.err), &n.err);
    assert_false(noted(&n.notes, "missing"));
    must(model_load(&n.model, in_folder("no_aux.safetensors"), LOAD_TO_TRAIN, array, &n.notes, &n.err), &n.err);
    assert_true(noted(&n.notes, "missing, left at the initial values: aux_fpn."));
    assert_true(noted(&n.notes, " more"));

    write_weights(&n, "no_fpn.safetensors", "", "fpn.");
    assert_false(model_load(&n.model, in_folder("no_fpn.safetensors"), LOAD_TO_RUN, array, &n.notes, &n.err));
    assert_int_equal(n.err.exit, 1);
    assert_non_null(strstr(n.err.text, "fpn."));
    free(array);
    net_close(&n);
}

static void test_a_head_of_other_classes_is_not_loaded(void **state)
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
    must(model_load(&other.model, in_folder("five.safetensors"), LOAD_TO_TRAIN, array, &other.notes, &other.err),
         &other.err);
    assert_true(noted(&other.notes, "five.safetensors: the head has 3 classes, the file has 5: the 10 tensors that "
                                    "depend on it keep their initial values"));
    assert_true(array[other.model.params.list[head].offset] == first);
    assert_false(model_load(&other.model, in_folder("five.safetensors"), LOAD_TO_RUN, array, &other.notes, &other.err));
    assert_int_equal(other.err.exit, 1);
    assert_non_null(strstr(other.err.text, "five.safetensors: the head has 3 classes, the file has 5"));
    free(array);
    net_close(&other);
    net_close(&n);
}

/* Loads the tensors of n, with its description, into other. */
static bool load_described(struct net *n, struct net *other)
{
    struct tensors t = {0};
    struct strbuf description = {0};
    must(file_config_write(&n->config, &description, &n->err), &n->err);
    must(weights_to_tensors(&n->model.params, n->model.params.value, "", &t, &n->err), &n->err);
    must(file_config_add(description.s, &t, &n->err), &n->err);
    const bool ok = model_load_tensors(&other->model, &t, "five", LOAD_TO_TRAIN, other->model.params.value,
                                       &other->notes, &other->err);
    strbuf_free(&description);
    tensors_free(&t);
    return ok;
}

static const char *const other_classes[] = {
    "model.arch.head.num_classes=3", "model.arch.aux_head.num_classes=3", "class_names=[person, lorry, cow]",
    "schedule.transfer_head=true", "schedule.transfer_classes=[[lorry, truck]]" };

static void test_a_head_of_other_classes_is_transferred(void **state)
{
    enum { FILE_CLASSES = 5, CLASSES = 3, DISTANCES = 32, NEW = -1 };
    static const int source[CLASSES] = { 4, 2, NEW };           /* person, truck; the file has no cow */
    struct net n, other;
    (void)state;
    net_open(&n, NULL, 0);
    net_open(&other, other_classes, 5);
    const struct param *from = &n.model.params.list[params_find(&n.model.params, "head.gfl_cls.1.weight")];
    const struct param *to = &other.model.params.list[params_find(&other.model.params, "head.gfl_cls.1.weight")];
    const size_t row = (size_t)from->count / (FILE_CLASSES + DISTANCES);
    float *file = new_array((size_t)from->count, sizeof *file, NULL);
    float *first = new_array((size_t)to->count, sizeof *first, NULL);
    float *got = new_array((size_t)to->count, sizeof *got, NULL);
    param_to_file(from, n.model.params.value, file);
    param_to_file(to, other.model.params.value, first);
    must(load_described(&n, &other), &other.err);
    assert_true(noted(&other.notes, "the head has 3 classes, the file has 5: distances and 2 classes are loaded"));
    param_to_file(to, other.model.params.value, got);
    for (int c = 0; c < CLASSES; c++)
        assert_memory_equal(got + (size_t)c * row, source[c] == NEW ? first + (size_t)c * row
                                                                     : file + (size_t)source[c] * row, row * 4);
    assert_memory_equal(got + CLASSES * row, file + FILE_CLASSES * row, DISTANCES * row * 4);
    free(file);
    free(first);
    free(got);
    net_close(&other);
    net_close(&n);
}

/* Without a description the names are unknown: a head with as many classes fits as it is. */
static void test_a_head_of_equal_size_is_loaded_whole(void **state)
{
    static const char *const transfer[] = { "schedule.transfer_head=true" };
    struct net n, other;
    (void)state;
    net_open(&n, NULL, 0);
    net_open(&other, transfer, 1);
    write_weights(&n, "plain.safetensors", "", NULL);
    real *array = zeros(&other);
    must(model_load(&other.model, in_folder("plain.safetensors"), LOAD_TO_TRAIN, array, &other.notes, &other.err),
         &other.err);
    assert_memory_equal(array, n.model.params.value, (size_t)n.model.params.total * sizeof *array);
    free(array);
    net_close(&other);
    net_close(&n);
}

static void test_a_wrong_transfer_is_refused(void **state)
{
    static const char *const wrong[][2] = {
        { "schedule.transfer_classes=[[van, truck]]", "command line: schedule.transfer_classes: 'van' is not one of" },
        { "schedule.transfer_classes=[[cow, calf]]", "command line: schedule.transfer_classes: 'calf' is not a class" },
        { "schedule.transfer_classes=[[cow]]", "command line: schedule.transfer_classes: item 1 is not a pair" } };
    (void)state;
    for (int i = 0; i < 3; i++) {
        const char *overrides[5];
        struct net n, other;
        memcpy(overrides, other_classes, sizeof overrides);
        overrides[4] = wrong[i][0];
        net_open(&n, NULL, 0);
        net_open(&other, overrides, 5);
        assert_false(load_described(&n, &other));
        assert_int_equal(other.err.exit, 2);
        assert_non_null(strstr(other.err.text, wrong[i][1]));
        net_close(&other);
        net_close(&n);
    }
}

static void test_bad_weights_are_refused(void **state)
{
    struct net n;
    (void)state;
    net_open(&n, NULL, 0);
    real *array = zeros(&n);
    n.model.params.value[n.model.params.list[3].offset] = (real)NAN;
    write_weights(&n, "nan.safetensors", "", NULL);
    assert_false(model_load(&n.model, in_folder("nan.safetensors"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
    assert_non_null(strstr(n.err.text, n.model.params.list[3].name));
    write_weights(&n, "foreign.safetensors", "other.", NULL);
    assert_false(model_load(&n.model, in_folder("foreign.safetensors"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
    assert_false(model_load(&n.model, in_folder("none"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
    assert_false(model_load(&n.model, in_folder("config.yml"), LOAD_TO_TRAIN, array, &n.notes, &n.err));
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
    must(pretrain(in_folder("detector.safetensors"), &other, &array), &other.err);
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
        assert_true(noted(&other.notes, "random weights"));
        free(array);
        net_close(&other);
    }
    assert_false(pretrain(in_folder("missing.pth"), &other, &array));
    free(array);
    net_close(&other);
    net_close(&n);
}

/* The names that timm's own files have: stem.0 for timm.stem_0. */
static void test_a_backbone_of_timm(void **state)
{
    static const char prefix[] = "backbone.timm.", backbone[] =
        "model.arch.backbone={name: TIMMWrapper, model_name: convnext_atto, out_indices: [1, 2, 3], pretrained: ";
    char override[400];
    const char *const overrides[] = { override, "model.arch.fpn.in_channels=[80, 160, 320]" };
    struct tensors all = {0}, t = {0};
    struct net n, other;
    (void)state;
    snprintf(override, sizeof override, "%sfalse}", backbone);
    net_open(&n, overrides, 2);
    must(weights_to_tensors(&n.model.params, n.model.params.value, "", &all, &n.err), &n.err);
    for (int i = 0; i < all.count; i++) {
        struct tensor one = all.list[i];
        if (!starts_with(one.name, prefix))
            continue;
        *strchr(one.name + strlen(prefix), '_') = '.';
        one.name += strlen(prefix);
        must(tensors_add(&t, &one, &n.err), &n.err);
    }
    must(safetensors_write(in_folder("timm.safetensors"), &t, &n.err), &n.err);
    snprintf(override, sizeof override, "%s%s}", backbone, in_folder("timm.safetensors"));
    net_open(&other, overrides, 2);
    must(model_pretrain(&other.model, other.model.params.value, &other.notes, &other.err), &other.err);
    assert_int_equal(other.notes.count, 1);                     /* nothing is missing, misfits or is unknown */
    tensors_free(&all);
    tensors_free(&t);
    net_close(&other);
    net_close(&n);
}

static void test_a_published_backbone_fits(void **state)
{
    static const char file[] = "../shared/data/weights/nanodet_m.ckpt";
    struct config config = {0};
    struct model model = {0};
    struct string_list notes = {0};
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
    string_list_free(&notes);
    model_free(&model);
    config_free(&config);
}

/* Random weights give a warning unless pretrain is false. */
static void test_random_weights_give_a_warning(void **state)
{
    static const char *const values[] = { "true", "false" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct config config = {0};
        struct model model = {0};
        struct string_list notes = {0};
        struct error err = {0};
        char override[60];
        const char *const overrides[] = { override };
        snprintf(override, sizeof override, "model.arch.backbone.pretrain=%s", values[i]);
        must(config_read(&config, "configs/nanodet-plus-m_320.yml", overrides, 1, &err), &err);
        must(model_open(&model, &config, &err), &err);
        must(model_pretrain(&model, model.params.value, &notes, &err), &err);
        assert_int_equal(notes.count, i == 0);
        if (i == 0) {
            assert_non_null(strstr(notes.list[0], "WARNING: model.arch.backbone.pretrain is true and names no file"));
            assert_non_null(strstr(notes.list[0], "give --weights FILE or model.arch.backbone.pretrain=FILE, or set "
                                                  "it to false"));
        }
        string_list_free(&notes);
        model_free(&model);
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_weights_give_a_warning),
        cmocka_unit_test(test_folded_norms_change_nothing),
        cmocka_unit_test(test_weights_match_parameters),
        cmocka_unit_test(test_a_head_of_other_classes_is_not_loaded),
        cmocka_unit_test(test_a_head_of_other_classes_is_transferred),
        cmocka_unit_test(test_a_head_of_equal_size_is_loaded_whole),
        cmocka_unit_test(test_a_wrong_transfer_is_refused),
        cmocka_unit_test(test_bad_weights_are_refused),
        cmocka_unit_test(test_a_backbone_starts_from_a_file),
        cmocka_unit_test(test_a_backbone_of_timm), cmocka_unit_test(test_a_published_backbone_fits) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
