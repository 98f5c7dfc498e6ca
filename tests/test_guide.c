/* tests/test_guide.c -- trainings whose assignment other weights guide, and distillation: they resume to the same bits
 * with any number of threads, and not with another teacher. */
#include "interop/safetensors.h"
#include "report/csv.h"
#include "runs.h"
#include "sample.h"
#include <math.h>

static const char *teacher_key(const char *name)
{
    static char key[200];
    snprintf(key, sizeof key, "model.teacher.weights=%s", in_folder(name));
    return key;
}

#define NO_AUX "model.arch.aux_head=null"
#define THIN_AUX "model.arch.aux_head={name: SimpleConvHead, input_channel: 64, feat_channels: 32, stacked_convs: 1, " \
                 "reg_max: 7, strides: [8, 16, 32, 64]}"
#define DISTILL "model.distill={localization: 0.5, classification: 1, temperature: 4}"

static char teacher_weights[200];

static const char *const runs[][5] = {
    { NO_AUX, "model.guide=average" },
    { NO_AUX, "model.guide=teacher", teacher_weights },
    { NO_AUX, "model.guide=average", teacher_weights, DISTILL },
    { THIN_AUX, teacher_weights, DISTILL } };               /* detached from epoch 2 on */
enum { RUNS = sizeof runs / sizeof *runs };

/* The result of the ordinary run, with an auxiliary head, is the teacher. */
static int set_up(void **state)
{
    make_scenes(state);
    run_whole("straight", NULL, (struct training_options){0});
    snprintf(teacher_weights, sizeof teacher_weights, "model.teacher.weights=%s",
             in_folder("straight/model_best/model_best.safetensors"));
    return 0;
}

/* Runs that are interrupted, and continued by another number of threads. */
static void test_interrupted(void **state)
{
    const struct training_options one = { .policy = *policy_under_test(1) };
    const struct training_options three = { .policy = *policy_under_test(3), .resume = true };
    (void)state;
    for (int i = 0; i < RUNS; i++) {
        run_whole("whole", runs[i], (struct training_options){ .policy = *policy_under_test(2) });
        for (int cut = 1; cut <= 5; cut += 4 * SAMPLE) {
            struct run r;
            must(run_open(&r, "cut", runs[i], one), &r.err);
            for (int k = 0; k < cut; k++)
                must(trainer_advance(&r.trainer, &r.err), &r.err);
            must(trainer_save(&r.trainer, &r.err), &r.err);
            run_close(&r);
            run_whole("cut", runs[i], three);
            assert_same_results("whole", "cut");
            remove_all(in_folder("cut"));
        }
    }
}

/* The guide is no part of the files, and the losses of the distillation are the last columns. */
static void test_files(void **state)
{
    static const char *const words[] = { "guide", "distill", "teacher" };
    struct error err = {0};
    struct tensors t = {0};
    struct csv csv;
    (void)state;
    run_whole("whole", runs[2], (struct training_options){0});
    must(safetensors_read(&t, in_folder("whole/model_best/model_best.safetensors"), &err), &err);
    for (int i = 0; i < 3; i++)
        assert_null(strstr(tensors_metadata(&t, "config"), words[i]));
    tensors_free(&t);
    must(csv_read(&csv, in_folder("whole/metrics.csv"), &err), &err);
    assert_int_equal(csv.columns.count, 14);
    assert_string_equal(csv.columns.list[11], "images_per_second");
    assert_string_equal(csv.columns.list[12], "distill_localization");
    assert_string_equal(csv.columns.list[13], "distill_classification");
    for (int i = 0; i < csv.rows; i++) {
        const double *v = csv.values + i * 14;
        assert_true(v[12] > 0 && v[13] > 0 && fabs(v[3] - v[4] - v[5] - v[6] - v[12] - v[13]) < 1e-5);
    }
    csv_free(&csv);
}

/* A copy of the teacher elsewhere continues the run; another teacher does not. */
static void test_resumed_with_another_teacher(void **state)
{
    const struct training_options resume = { .resume = true };
    const char *overrides[] = { NO_AUX, "model.guide=teacher", teacher_weights, NULL };
    char moved[200];
    struct error err = {0};
    struct run r;
    (void)state;
    run_whole("whole", overrides, (struct training_options){0});
    must(run_open(&r, "cut", overrides, (struct training_options){0}) && trainer_advance(&r.trainer, &r.err)
         && trainer_save(&r.trainer, &r.err), &r.err);
    run_close(&r);

    struct bytes best = contents("straight/model_best/model_best.safetensors");
    must(file_write(in_folder("copy"), best.p, best.size, &err), &err);
    bytes_free(&best);
    snprintf(moved, sizeof moved, "%s", teacher_key("straight/model_last.safetensors"));
    overrides[2] = moved;
    assert_false(run_open(&r, "cut", overrides, resume));
    assert_true(r.err.exit == 1 && strstr(r.err.text, "was trained with another teacher"));
    run_close(&r);
    snprintf(moved, sizeof moved, "%s", teacher_key("copy"));
    run_whole("cut", overrides, resume);
    assert_same_results("whole", "cut");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted), cmocka_unit_test(test_files),
        cmocka_unit_test(test_resumed_with_another_teacher),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
