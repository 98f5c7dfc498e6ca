/* tests/test_detect_models.c -- post-processing and losses on the outputs of whole networks in the fixtures:
 * assignment and losses of train_out and aux_out, detections of eval_out. */
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "detect/loss.h"
#include "detect/postprocess.h"
#include "detect/prediction.h"
#include "interop/safetensors.h"
#include "tables.h"
#include "there.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char root[] = "../shared/parity/models";

struct model {
    const char *folder;
    struct tensors given, wanted;           /* case.safetensors, expected.safetensors */
    struct prior_grid grid;
    struct loss_config config;
};

/* The number that follows a key anywhere in the configuration. */
static double number_of(const char *yaml, const char *key, double fallback)
{
    const char *at = strstr(yaml, key);
    return at ? strtod(at + strlen(key), NULL) : fallback;
}

static double *values(struct tensors *t, const char *format, int image, int *rows)
{
    char name[40];
    snprintf(name, sizeof name, format, image);
    const struct tensor *x = tensors_find(t, name);
    *rows = x ? (int)x->dims[0] : 0;
    double *out = x ? tensors_block(t, tensor_count(x), sizeof *out, NULL) : NULL;
    if (out)
        tensor_doubles(x, out);
    return out;
}

static void *boxes(struct tensors *t, const char *format, int image, int *count)
{
    const double *from = values(t, format, image, count);
    float *out = tensors_block(t, 4 * (size_t)*count, sizeof *out, NULL);
    for (int i = 0; i < 4 * *count; i++)
        out[i] = (float)from[i];
    return out;
}

static int *label_list(struct tensors *t, int image, int *count)
{
    const double *from = values(t, "gt_labels.%d", image, count);
    int *out = tensors_block(t, (size_t)*count, sizeof *out, NULL);
    for (int i = 0; i < *count; i++)
        out[i] = (int)from[i];
    return out;
}

/* Predictions in the order of the network's rows; NULL if the fixture has none of this name. */
static float *rows_of(struct model *m, const char *name)
{
    const struct tensor *x = tensors_find(&m->wanted, name);
    if (!x)
        return NULL;
    const int priors = prior_count(&m->grid), channels = (int)x->dims[2];
    float *from = tensors_block(&m->wanted, tensor_count(x), sizeof *from, NULL);
    float *to = tensors_block(&m->wanted, tensor_count(x), sizeof *to, NULL);
    assert_int_equal(x->dims[1], priors);
    tensor_floats(x, from);
    for (int i = 0; i < m->grid.images * priors; i++)
        memcpy(to + prior_row(&m->grid, i / priors, i % priors) * channels, from + (ptrdiff_t)i * channels,
               (size_t)channels * sizeof *to);
    return to;
}

static void check_value(const struct model *m, const char *name, double got)
{
    double want;
    tensor_doubles(tensors_find(&m->wanted, name), &want);
    if (!(fabs(got - want) <= 1e-5 * fabs(want)))
        fail_msg("%s: %s is %.9g, not %.9g", m->folder, name, got, want);
}

static void check_assignment(struct model *m, const struct loss *loss)
{
    for (int n = 0; n < m->grid.images; n++) {
        int priors;
        const double *want = values(&m->wanted, "assigned_gt.%d", n, &priors);
        assert_int_equal(priors, prior_count(&m->grid));
        for (int i = 0; i < priors; i++) {
            const int match = loss->match[prior_row(&m->grid, n, i)];
            if ((int)want[i] != (match == MATCH_IGNORED ? -1 : match + 1))
                fail_msg("%s: prior %d of image %d matched to %d, not %g", m->folder, i, n, match, want[i] - 1);
        }
    }
}

static void check_loss(struct model *m)
{
    const float *pred[] = { rows_of(m, "train_out"), rows_of(m, "aux_out") };
    struct ground_truth *truth = tensors_block(&m->given, (size_t)m->grid.images, sizeof *truth, NULL);
    const size_t channels = (size_t)prediction_channels(m->config.classes, m->config.reg_max);
    float *grad = tensors_block(&m->given, (size_t)m->grid.images * (size_t)prior_count(&m->grid) * channels,
                                sizeof *grad, NULL);
    struct loss loss;
    struct loss_sums sums;
    struct error err = {0};
    for (int n = 0; n < m->grid.images; n++) {
        struct ground_truth *t = &truth[n];
        t->box = boxes(&m->given, "gt_boxes.%d", n, &t->objects);
        t->label = label_list(&m->given, n, &t->objects);
        t->ignore = boxes(&m->given, "gt_ignore.%d", n, &t->ignored);
    }
    assert_true(loss_init(&loss, &m->config, &m->grid, &(struct team){ 2 }, table_under_test(), &err));
    if (!loss_assign(&loss, pred[LOSS_AUX] ? pred[LOSS_AUX] : pred[LOSS_MAIN], pred, truth, &sums, &err))
        fail_msg("%s: %s", m->folder, err.text);
    check_assignment(m, &loss);
    for (enum loss_head head = LOSS_MAIN; head < LOSS_HEADS && pred[head]; head++) {
        const struct loss_values v = loss_gradient(&loss, head, pred[head], truth, &sums, grad);
        check_value(m, head ? "loss.aux_qfl" : "loss.qfl", v.qfl);
        check_value(m, head ? "loss.aux_bbox" : "loss.bbox", v.bbox);
        check_value(m, head ? "loss.aux_dfl" : "loss.dfl", v.dfl);
    }
    loss_free(&loss);
}

static void check_detections(struct model *m)
{
    const struct postprocess_config config = { m->config.classes, m->config.reg_max, 0.05, 0.6, 100,
                                               table_under_test(), false };
    const float *pred = rows_of(m, "eval_out");
    struct arena tmp;
    assert_true(arena_init(&tmp, postprocess_bytes(&config, &m->grid), NULL));
    for (int n = 0; n < m->grid.images; n++) {
        struct detected got[100];
        int count, wanted;
        const double *want = values(&m->wanted, "detections.%d", n, &wanted);
        assert_true(postprocess(&config, &m->grid, n, pred, &tmp, got, &count, NULL));
        if (count != wanted)
            fail_msg("%s: image %d has %d detections, not %d", m->folder, n, count, wanted);
        for (int i = 0; i < count; i++, want += 6) {
            bool same = got[i].label == (int)want[5] && fabs(got[i].score - want[4]) < 1e-5;
            for (int j = 0; j < 4; j++)
                same = same && fabs(got[i].box[j] - want[j]) < 1e-3;
            if (!same)
                fail_msg("%s: detection %d of image %d differs", m->folder, i, n);
        }
    }
    arena_free(&tmp);
}

/* The heads before NanoDet-Plus are those that have anchors. */
static void check_model(struct model *m, const char *yaml)
{
    const struct tensor *input = tensors_find(&m->given, "input"), *out = tensors_find(&m->wanted, "train_out");
    const bool plus = !strstr(yaml, "octave_base_scale:");
    char *list = strstr(yaml, "strides: [");
    int stride[LEVELS_MAX], levels = 0;
    assert_true(input && out && list);
    for (list += strlen("strides: ["); levels < LEVELS_MAX && *list != ']'; list += strspn(list, ", "))
        stride[levels++] = (int)strtol(list, &list, 10);
    assert_true(prior_grid_init(&m->grid, stride, levels, plus ? 0 : 0.5, (int)input->dims[0], (int)input->dims[2],
                                (int)input->dims[3], NULL));
    m->config = loss_presets[plus ? LOSS_PLUS : LOSS_GFL];
    m->config.reg_max = (int)number_of(yaml, "reg_max:", 7);
    m->config.classes = (int)out->dims[2] - prediction_channels(0, m->config.reg_max);
    m->config.atss.anchor_scale = number_of(yaml, "octave_base_scale:", 5);
    m->config.atss.ignore_iof_thr = number_of(yaml, "ignore_iof_thr:", -1);
    check_loss(m);
    check_detections(m);
}

static void test_models(void **state)
{
    (void)state;
    struct string_list folders = {0};
    int models = 0;
    if (!folder_list(&folders, root, NULL)) {
        print_message("SKIP %s: not here\n", root);
        skip();
    }
    for (int i = 0; i < folders.count; i++) {
        struct model m = { .folder = folders.list[i] };
        struct error err = {0};
        struct bytes yaml = {0};
        char path[3][300];
        snprintf(path[0], sizeof path[0], "%s/%s/config.yml", root, m.folder);
        snprintf(path[1], sizeof path[1], "%s/%s/case.safetensors", root, m.folder);
        snprintf(path[2], sizeof path[2], "%s/%s/expected.safetensors", root, m.folder);
        if (!file_exists(path[0]))
            continue;
        if (!file_read(&yaml, path[0], &err) || !safetensors_read(&m.given, path[1], &err)
            || !safetensors_read(&m.wanted, path[2], &err))
            fail_msg("%s", err.text);
        check_model(&m, (const char *)yaml.p);
        tensors_free(&m.given);
        tensors_free(&m.wanted);
        bytes_free(&yaml);
        models++;
    }
    string_list_free(&folders);
    assert_true(models > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_models) };
    return cmocka_run_group_tests_name("detect: behind whole networks", tests, NULL, NULL);
}
