/* tests/test_predictor.c -- predictions of averaged weights and of teachers for the batches of a training: they are a
 * detector's, they assign, and unsuitable teachers are refused. */
#include "folder.h"
#include "interop/safetensors.h"
#include "model/criterion.h"
#include "policy.h"
#include "runtime/detector.h"
#include "small_model.h"
#include "train/train_step.h"
#include "weights/file_config.h"
#include "weights/weights.h"

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

enum { IMAGES = 4, SIDE = 96 };

static float image[IMAGES * SIDE * SIDE * 3];
static const float boxes[3][4] = { { 3, 5, 30, 28 }, { 10, 2, 24, 31 }, { 20, 20, 60, 50 } };
static const int labels[3] = { 2, 0, 1 };
static const struct ground_truth truth[IMAGES] = {
    { .objects = 3, .box = boxes, .label = labels }, { .objects = 1, .box = boxes, .label = labels }, {0},
    { .objects = 2, .box = boxes + 1, .label = labels + 1 } };

static struct input_batch batch(int n, int h, int w)
{
    fill(image, IMAGES * SIDE * SIDE * 3, 1, 9);
    return (struct input_batch){ image, n, h, w, truth };
}

/* The small model without auxiliary head; overrides end with NULL. */
static void open_small(struct fixture *f, const char *const *overrides)
{
    const char *all[8] = { "model.arch.aux_head=null" };
    struct error err = {0};
    int count = 1;
    while (*overrides)
        all[count++] = *overrides++;
    *f = (struct fixture){0};
    must(config_parse(&f->config, small_model, strlen(small_model), "small.yml", all, count, &err)
         && model_open(&f->model, &f->config, &err), &err);
    model_randomise(&f->model);
}

/* A detector's rows of each image against those of a batch; class_of as in a predictor, or NULL. */
struct comparison { const struct prior_grid *grid; const float *rows; const int *class_of; int classes, bins; };

static void compare_rows(void *context, int i, const float *own)
{
    const struct comparison *k = context;
    for (int prior = 0; prior < prior_count(k->grid); prior++, own += k->classes + k->bins) {
        const float *row = k->rows + prior_row(k->grid, i, prior) * (3 + k->bins);
        for (int c = 0; c < 3; c++) {
            const int from = k->class_of ? k->class_of[c] : c;
            assert_true(row[c] == (from < 0 ? 0 : own[from]));
        }
        assert_memory_equal(row + 3, own + k->classes, (size_t)k->bins * sizeof *row);
    }
}

static void assert_detected(struct predictor *p, struct model *model, const real *values, struct input_batch in)
{
    struct detector d;
    struct prior_grid grid;
    struct error err = {0};
    must(detector_init(&d, model, values, policy_under_test(1), &err)
         && criterion_grid(model, in.n, in.h, in.w, &grid, &err), &err);
    struct comparison k = { &grid, p->rows, p->class_of, model->shape.num_classes, 4 * (model->shape.reg_max + 1) };
    must(detector_forward_each(&d, in.pixel, in.n, in.h, in.w, compare_rows, &k, &err), &err);
    detector_free(&d);
}

/* Steps with batches of several sizes: the average of each step predicts, and its predictions assign. */
static void average_case(int threads)
{
    struct fixture f;
    struct train_step l;
    struct error err = {0};
    int other_matches = 0;
    open_small(&f, (const char *const[]){ "model.guide=average", NULL });
    must(train_step_init(&l, &f.model, policy_under_test(threads), &err), &err);
    for (int i = 0; i < 6; i++) {
        const struct input_batch in = batch(i % 2 ? 1 + i / 2 : 4, i < 3 ? 64 : SIDE, i % 3 ? SIDE : 64);
        struct losses losses;
        struct cached_graph *used;
        struct loss_sums sums;
        struct loss again = {0};
        double norm;
        must(train_step_forward(&l, &in, 0, &losses, &used, &err), &err);
        assert_detected(&l.average, &f.model, l.optimizer.average, in);
        const float *pred[LOSS_HEADS] = { graph_view(&used->graph, graph_output_named(&used->graph, "main")).p };
        const size_t bytes = (size_t)(in.n * prior_count(&used->grid)) * sizeof *again.match;
        must(loss_init(&again, &l.criterion, &used->grid, &l.team, l.policy.kernels, &err)
             && loss_assign(&again, l.average.rows, pred, truth, &sums, &err), &err);
        assert_memory_equal(again.match, used->loss.match, bytes);
        must(loss_assign(&again, pred[LOSS_MAIN], pred, truth, &sums, &err), &err);
        other_matches += memcmp(again.match, used->loss.match, bytes) != 0;
        loss_free(&again);
        graph_backward(&used->graph, false);
        optimizer_rate(&l.optimizer);
        must(train_step_update(&l, &norm, &err), &err);
    }
    assert_true(other_matches > 0);
    train_step_free(&l);
    close_model(&f);
}

static void test_average(void **state)
{
    (void)state;
    average_case(1);
    average_case(2);
    average_case(3);
}

/* ---- teachers ---- */

/* Writes a file that describes its model, with weights as after some training. */
static void write_teacher(const char *name, const char *const *overrides, struct fixture *f)
{
    struct strbuf description = {0};
    struct tensors t = {0};
    struct error err = {0};
    open_small(f, overrides);
    must(file_config_write(&f->config, &description, &err) && file_config_add(description.s, &t, &err)
         && weights_to_tensors(&f->model.params, f->model.params.value, "", &t, &err)
         && safetensors_write(in_folder(name), &t, &err), &err);
    tensors_free(&t);
    strbuf_free(&description);
}

static const char *teacher_key(const char *name)
{
    static char key[200];
    snprintf(key, sizeof key, "model.teacher.weights=%s", in_folder(name));
    return key;
}

/* The teacher lacks class b and has another order of the others. */
static void test_teacher_classes(void **state)
{
    static const int class_of[] = { 2, -1, 0 };
    struct fixture teacher, f;
    struct train_step l, plain;
    struct losses losses[2];
    struct cached_graph *used;
    struct error err = {0};
    const struct input_batch in = batch(3, 64, SIDE);
    (void)state;
    write_teacher("mixed", (const char *const[]){ "class_names=[c, x, a]", NULL }, &teacher);
    open_small(&f, (const char *const[]){ teacher_key("mixed"), "model.distill.localization=0.5",
                                          "model.distill.classification=2", NULL });
    must(train_step_init(&l, &f.model, policy_under_test(2), &err)
         && train_step_forward(&l, &in, 0, &losses[0], &used, &err), &err);
    graph_backward(&used->graph, false);
    assert_memory_equal(l.taught.class_of, class_of, sizeof class_of);
    assert_detected(&l.taught, &teacher.model, teacher.model.params.value, in);
    assert_true(losses[0].distill.localization > 0 && losses[0].distill.classification > 0);

    f.config.model.distill.localization = f.config.model.distill.classification = 0;
    must(train_step_init(&plain, &f.model, policy_under_test(2), &err)
         && train_step_forward(&plain, &in, 0, &losses[1], &used, &err), &err);
    graph_backward(&used->graph, false);
    assert_null(plain.taught.rows);
    assert_memory_equal(&losses[0].head, &losses[1].head, sizeof losses[0].head);
    assert_true(losses_total(&losses[0]) > losses_total(&losses[1]));
    assert_memory_not_equal(l.optimizer.gradient, plain.optimizer.gradient,
                            (size_t)f.model.params.trained * sizeof(float));
    train_step_free(&plain);
    train_step_free(&l);
    close_model(&f);
    close_model(&teacher);
}

/* A teacher with parallel branches predicts with them merged, as a detector does. */
static void test_merged_teacher(void **state)
{
    struct fixture teacher, f;
    struct train_step l;
    struct losses losses;
    struct cached_graph *used;
    struct error err = {0};
    const struct input_batch in = batch(2, 64, 64);
    (void)state;
    write_teacher("branches", (const char *const[]){
        "model.arch.backbone={name: RepVGG, arch: A0, out_stages: [2, 3, 4], activation: SiLU}",
        "model.arch.fpn.in_channels=[96, 192, 1280]", NULL }, &teacher);
    open_small(&f, (const char *const[]){ teacher_key("branches"), "model.guide=teacher", NULL });
    must(train_step_init(&l, &f.model, policy_under_test(2), &err)
         && train_step_forward(&l, &in, 0, &losses, &used, &err), &err);
    assert_true(teacher.model.branches && teacher_model(&l.teacher) == &l.teacher.merged);
    assert_detected(&l.taught, &teacher.model, teacher.model.params.value, in);
    train_step_free(&l);
    close_model(&f);
    close_model(&teacher);
}

static void test_unsuitable_teachers(void **state)
{
    static const struct { const char *student, *teacher[3], *text; } cases[] = {
        { "model.guide=teacher", { "class_names=[c, x, a]" },
          "command line: model.guide is teacher, but the teacher has no class 'b'" },
        { "model.distill.classification=1", { "class_names=[x, y, z]" },
          "command line: model.distill.classification is above 0, but the teacher has none of the classes" },
        { "model.distill.localization=1", { "model.arch.head.reg_max=6" },
          "command line: model.teacher.weights: the teacher's model.arch.head.reg_max is 6, the student's 7" },
        { "model.distill.localization=1", { "model.arch.fpn.num_extra_level=0", "model.arch.head.strides=[8, 16, 32]" },
          "command line: model.teacher.weights: the teacher's model.arch.head.strides are not the student's" },
        { "model.distill.localization=1", { "data.val.pipeline.normalize=[[0, 0, 0], [1, 1, 1]]" },
          "command line: model.teacher.weights: the teacher's data.val.pipeline.normalize is not" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture teacher, f;
        struct train_step l;
        struct error err = {0};
        write_teacher("other", cases[i].teacher, &teacher);
        open_small(&f, (const char *const[]){ teacher_key("other"), cases[i].student, NULL });
        assert_false(train_step_init(&l, &f.model, policy_under_test(1), &err));
        if (err.exit != 2 || strncmp(err.text, cases[i].text, strlen(cases[i].text)) != 0)
            fail_msg("exit %d: %s", err.exit, err.text);
        train_step_free(&l);
        close_model(&f);
        close_model(&teacher);
    }
}

/* An assigner that reads no predictions has no guide but itself. */
static void test_geometry_needs_no_guide(void **state)
{
    static const char *const overrides[] = { "model.arch.aux_head=null", "model.guide=average",
        "model.arch.head={name: NanoDetHead, input_channel: 32, feat_channels: 32, strides: [8, 16, 32, 64]}" };
    struct config config = {0};
    struct model model;
    struct error err = {0};
    (void)state;
    must(config_parse(&config, small_model, strlen(small_model), "small.yml", overrides, 3, &err), &err);
    assert_false(model_open(&model, &config, &err));
    assert_int_equal(err.exit, 2);
    assert_string_equal(err.text,
                        "command line: model.guide must be self: NanoDetHead assigns objects by geometry alone");
    model_free(&model);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_average), cmocka_unit_test(test_teacher_classes), cmocka_unit_test(test_merged_teacher),
        cmocka_unit_test(test_unsuitable_teachers), cmocka_unit_test(test_geometry_needs_no_guide),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
