/* tests/test_run_length.c -- how long a run is and what depends on it: schedule.hours, schedule.patience, the span of
 * the average, input sizes that grow. */
#include "data/sample.h"
#include "runs.h"
#include "train/run_length.h"
#include <math.h>

static bool log_has(const char *run, const char *text)
{
    char name[100];
    snprintf(name, sizeof name, "%s/train.log", run);
    struct bytes log = contents(name);
    const bool has = strstr((char *)log.p, text) != NULL;
    bytes_free(&log);
    return has;
}

/* Advances so many times and saves. */
static void run_part(const char *name, const char *const *overrides, int advances)
{
    struct run r;
    must(run_open(&r, name, overrides, (struct training_options){0}), &r.err);
    for (int i = 0; i < advances; i++)
        must(trainer_advance(&r.trainer, &r.err), &r.err);
    must(trainer_save(&r.trainer, &r.err), &r.err);
    run_close(&r);
}

/* ---- schedule.hours ---- */

static const struct training_options resume = { .resume = true };

/* Costs of 100 + 10 n + 2 n seconds, and of 30 per evaluation in every fourth epoch and after the last. */
static void test_epochs_within(void **state)
{
    const struct run_costs costs = { .start = 100, .training = 10, .evaluation = 30, .end = 2 };
    static const struct { double seconds; int epochs; } cases[] = {
        { 0, 1 }, { 153, 1 }, { 154, 2 }, { 166, 3 }, { 219, 4 }, { 220, 5 }, { 232, 6 }, { 1e9, 1000000 } };
    struct config c = { .train.input_size = { 128, 64 } };
    (void)state;
    c.schedule.input_scale[0] = c.schedule.input_scale[1] = 1;
    c.schedule.val_intervals = 4;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(find_epochs_within(&c, &costs, cases[i].seconds), cases[i].epochs);
    c.schedule.input_scale[0] = 0.5;                    /* 64 x 32 in the first epoch of two: 1.25 epochs in all */
    assert_true(sum_input_areas(&c, 0, 2, 2) == 1.25);
    assert_true(estimate_run_seconds(&c, &costs, 2) == 100 + 12.5 + 30 + 4);
}

/* The number is chosen once: the run that was stopped and resumed, and one of its config.yml, train the same bits. */
static void test_hours(void **state)
{
    static const char *const hours[] = { "schedule.hours=0.0005", "schedule.warmup.steps=1000",
                                         "schedule.val_intervals=1000", NULL };
    struct run r;
    char file[200], save_dir[200];
    const char *const overrides[] = { save_dir };
    (void)state;
    must(run_open(&r, "hours", hours, (struct training_options){0}), &r.err);
    const struct schedule_config *s = &r.config.schedule;
    const int epochs = s->total_epochs;
    assert_true(s->hours == 0 && s->lr_schedule.t_max == epochs);
    assert_int_equal(s->warmup.steps, 2 * epochs < 10000 ? 2 * epochs / 10 : 1000);      /* two steps per epoch */
    assert_int_equal(r.trainer.train_step.optimizer.step, 0);
    must(trainer_advance(&r.trainer, &r.err) && trainer_advance(&r.trainer, &r.err), &r.err);
    must(trainer_save(&r.trainer, &r.err), &r.err);
    run_close(&r);
    assert_true(log_has("hours", "schedule.hours 0.0005: total_epochs "));
    assert_false(file_exists(in_folder("hours/model_last.safetensors.trial")));
    run_whole("hours", hours, resume);

    snprintf(file, sizeof file, "%s", in_folder("hours/config.yml"));
    snprintf(save_dir, sizeof save_dir, "save_dir=%s", in_folder("again"));
    r = (struct run){0};
    must(config_read(&r.config, file, overrides, 1, &r.err)
         && trainer_open(&r.trainer, &r.config, &(struct training_options){ .policy = *policy_under_test(1) }, &r.err)
         && trainer_run(&r.trainer, &r.err), &r.err);
    assert_int_equal(r.trainer.train_step.optimizer.epoch, epochs);
    run_close(&r);
    assert_same_results("hours", "again");
}

static void test_hours_refused(void **state)
{
    static const struct { const char *overrides[3], *text; } cases[] = {
        { { "schedule.hours=1", "schedule.total_epochs=3" }, "total_epochs: schedule.hours determines this value" },
        { { "schedule.hours=1", "schedule.lr_schedule.T_max=3" }, "T_max: schedule.hours determines this value" },
        { { "schedule.hours=1", "schedule.lr_schedule={name: MultiStepLR, milestones: [2]}" },
          "schedule.hours: not with MultiStepLR" },
        { { "schedule.hours=-1" }, "schedule.hours must be a number from 0" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run r;
        assert_false(run_open(&r, "refused", cases[i].overrides, (struct training_options){0}));
        if (r.err.exit != 2 || !strstr(r.err.text, cases[i].text))
            fail_msg("exit %d: %s", r.err.exit, r.err.text);
        run_close(&r);
    }
}

/* ---- schedule.patience ---- */

/* Nothing is learned, so no score is better than the first; evaluated after epochs 2, 4 and 6. */
static void test_patience(void **state)
{
    static const char *const stuck[] = { "schedule.patience=2", "schedule.total_epochs=9",
                                         "schedule.optimizer.lr=0", NULL };
    struct run r;
    (void)state;
    run_whole("stuck", stuck, (struct training_options){0});
    assert_true(log_has("stuck", "ended early: 2 evaluations without a better AP since epoch 2"));
    assert_true(log_has("stuck", "ended by schedule.patience"));
    must(run_open(&r, "stuck", stuck, resume), &r.err);
    assert_int_equal(r.trainer.train_step.optimizer.epoch, 6);
    assert_true(trainer_finished(&r.trainer));
    run_close(&r);
    run_part("parts", stuck, 17);                               /* before the last evaluation */
    run_whole("parts", stuck, resume);
    assert_same_results("stuck", "parts");
}

/* ---- the span of the average ---- */

/* Two steps per epoch and three epochs: a span of 0.5 is three steps. */
static void test_span(void **state)
{
    static const char *const span[] = { "model.weight_averager.span=0.5", "schedule.lr_schedule.T_max=3", NULL };
    static const char *const numbers[] = { "model.weight_averager.decay=0.66666666666666674",
                                           "model.weight_averager.tau=3", "schedule.lr_schedule.T_max=3", NULL };
    struct run r;
    (void)state;
    must(run_open(&r, "span", span, (struct training_options){0}), &r.err);
    assert_true(fabs(r.config.model.decay - 2.0 / 3) < 1e-15 && r.config.model.tau == 3);
    must(trainer_advance(&r.trainer, &r.err) && trainer_save(&r.trainer, &r.err), &r.err);
    run_close(&r);
    run_whole("span", span, resume);
    run_whole("numbers", numbers, (struct training_options){0});
    assert_same_file("span/eval.csv", "numbers/eval.csv");
    const char *const longer[] = { span[0], span[1], "schedule.total_epochs=4", NULL };
    assert_false(run_open(&r, "span", longer, resume));
    assert_non_null(strstr(r.err.text, "other values of model.weight_averager.decay, model.weight_averager.tau"));
    run_close(&r);
    run_refused("none", "model.weight_averager={name: none, span: 0.1}", (struct training_options){0}, 2,
                "model.weight_averager.span: model.weight_averager.name is none");
}

/* ---- input sizes ---- */

static void test_epoch_size(void **state)
{
    static const struct { double scale[2]; int epoch, epochs, width, height; } cases[] = {
        { { 1, 1 }, 0, 5, 321, 180 },   { { 0.5, 1 }, 0, 5, 160, 96 },   { { 0.5, 1 }, 2, 5, 256, 128 },
        { { 0.5, 1 }, 4, 5, 321, 180 }, { { 0.5, 1 }, 9, 5, 321, 180 },  { { 0.5, 1 }, 0, 1, 321, 180 },
        { { 0.1, 2 }, 0, 2, 32, 32 },   { { 0.1, 2 }, 1, 2, 640, 352 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct image_size size = epoch_size((struct image_size){ 321, 180 }, cases[i].scale, cases[i].epoch,
                                                  cases[i].epochs);
        assert_int_equal(size.width, cases[i].width);
        assert_int_equal(size.height, cases[i].height);
    }
}

static void test_input_grows(void **state)
{
    static const char *const grows[] = { "schedule.input_scale=[0.5, 1]", "data.train.input_size=[128, 64]",
                                         "data.train.multi_scale=[1, 1]", "data.train.resize=stretch", NULL };
    static const int sizes[3][2] = { { 64, 32 }, { 96, 64 }, { 128, 64 } };
    struct run r;
    (void)state;
    must(run_open(&r, "grows", grows, (struct training_options){0}), &r.err);
    for (int epoch = 0; epoch < 3; epoch++)
        for (int i = 0; i < 3; i++) {
            must(trainer_advance(&r.trainer, &r.err), &r.err);
            const struct graph_cache *cache = &r.trainer.train_step.cache;
            assert_int_equal(cache->list[cache->count - 1].options.w, sizes[epoch][0]);
            assert_int_equal(cache->list[cache->count - 1].options.h, sizes[epoch][1]);
        }
    must(trainer_run(&r.trainer, &r.err), &r.err);
    run_close(&r);
    for (int cut = 2; cut < 6; cut += 2) {                      /* before the end of an epoch, within the next one */
        run_part("cut", grows, cut);
        run_whole("cut", grows, (struct training_options){ .resume = true, .policy = *policy_under_test(1 + cut / 2) });
        assert_same_results("grows", "cut");
        remove_all(in_folder("cut"));
    }
}

/* ---- Muon ---- */

static void test_muon_resumes(void **state)
{
    static const char *const muon[] = { "schedule.optimizer.name=Muon", NULL };
    (void)state;
    run_whole("muon", muon, (struct training_options){ .policy = *policy_under_test(1) });
    run_part("muon_cut", muon, 4);
    run_whole("muon_cut", muon, (struct training_options){ .resume = true, .policy = *policy_under_test(3) });
    assert_same_results("muon", "muon_cut");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epochs_within),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_hours_refused),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_span),
        cmocka_unit_test(test_epoch_size),
        cmocka_unit_test(test_input_grows),
        cmocka_unit_test(test_muon_resumes),
    };
    return cmocka_run_group_tests(tests, make_scenes, remove_folder);
}
