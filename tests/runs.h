/* tests/runs.h -- trainings of a few seconds, in the folder of a test. */
#ifndef TESTS_RUNS_H
#define TESTS_RUNS_H
#include "base/file.h"
#include "base/strbuf.h"
#include "folder.h"
#include "policy.h"
#include "same_file.h"
#include "synth/synth.h"
#include "train/trainer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Seven images in batches of two, two batches per step: an epoch is three batches and two steps. */
static const char *const yaml =
    "save_dir: %s/straight\n"
    "model:\n"
    "  weight_averager: {name: ExpMovingAverager, decay: 0.9}\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    detach_epoch: 1\n"
    "    backbone: {name: ShuffleNetV2, model_size: 0.5x, pretrain: false, out_stages: [2, 3, 4]}\n"
    "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1, use_depthwise: true}\n"
    "    head: {name: NanoDetPlusHead, num_classes: 5, input_channel: 32, feat_channels: 32, reg_max: 7,\n"
    "           strides: [8, 16, 32, 64]}\n"
    "    aux_head: {name: SimpleConvHead, num_classes: 5, input_channel: 64, feat_channels: 64, reg_max: 7,\n"
    "               strides: [8, 16, 32, 64]}\n"
    "data:\n"
    "  train: {img_path: %s/data/images/train, ann_path: %s/data/train.json, input_size: [64, 64],\n"
    "          multi_scale: [0.9, 1.6], pipeline: {scale: [0.8, 1.2], flip: 0.5, contrast: [0.8, 1.2]}}\n"
    "  val: {img_path: %s/data/images/val, ann_path: %s/data/val.json}\n"
    "device: {batchsize_per_gpu: 2}\n"
    "schedule:\n"
    "  accumulate: 2\n"
    "  optimizer: {name: AdamW, lr: 0.002, weight_decay: 0.05}\n"
    "  warmup: {name: linear, steps: 2, ratio: 0.1}\n"
    "  total_epochs: 3\n"
    "  val_intervals: 2\n"
    "grad_clip: 35\n"
    "log: {interval: 1}\n"
    "class_names: [car, van, truck, bus, person]\n";

/* ---- files ---- */

static inline void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

static const char *const results[] = { "model_last.safetensors", "model_best/model_best.safetensors", "eval.csv" };

static inline void assert_same_results(const char *a, const char *b)
{
    for (int i = 0; i < 3; i++) {
        char x[100], y[100];
        snprintf(x, sizeof x, "%s/%s", a, results[i]);
        snprintf(y, sizeof y, "%s/%s", b, results[i]);
        assert_same_file(x, y);
    }
}

/* ---- runs ---- */

struct run { struct config config; struct trainer trainer; struct error err; };

/* A trainer that writes into `name`, of the configuration with overrides up to a NULL. */
static inline bool run_open(struct run *r, const char *name, const char *const *overrides,
                            struct training_options options)
{
    char save_dir[200];
    const char *all[10] = { save_dir };
    int count = 1;
    snprintf(save_dir, sizeof save_dir, "save_dir=%s", in_folder(name));
    while (overrides && *overrides)
        all[count++] = *overrides++;
    *r = (struct run){0};
    if (!options.policy.threads)
        options.policy = *policy_under_test(2);
    return config_read(&r->config, in_folder("config.yml"), all, count, &r->err)
        && trainer_open(&r->trainer, &r->config, &options, &r->err);
}

static inline void run_close(struct run *r)
{
    struct error err = {0};
    must(trainer_close(&r->trainer, &err), &err);
    config_free(&r->config);
}

static inline void run_whole(const char *name, const char *const *overrides, struct training_options options)
{
    struct run r;
    must(run_open(&r, name, overrides, options) && trainer_run(&r.trainer, &r.err), &r.err);
    assert_true(trainer_finished(&r.trainer));
    run_close(&r);
}

/* A run that must fail with this exit status and message. */
static inline void run_refused(const char *name, const char *override, struct training_options options, int exit,
                        const char *text)
{
    const char *const overrides[] = { override, NULL };
    struct run r;
    assert_false(run_open(&r, name, overrides, options) && trainer_run(&r.trainer, &r.err));
    if (r.err.exit != exit || !strstr(r.err.text, text))
        fail_msg("exit %d: %s", r.err.exit, r.err.text);
    run_close(&r);
}

/* For cmocka, with remove_folder: scenes in `data`, and config.yml. */
static inline int make_scenes(void **state)
{
    static const struct synth_config scenes = { .images = 7, .val_images = 3, .width = 96, .height = 96,
                                                .objects_min = 3, .objects_max = 6, .scale = 13 };
    struct strbuf text = {0};
    struct error err = {0};
    assert_int_equal(make_folder(state), 0);
    must(synth_write(&scenes, in_folder("data"), &(struct team){ 2 }, &err), &err);
    strbuf_addf(&text, yaml, folder, folder, folder, folder, folder);
    must(strbuf_check(&text, &err) && file_write(in_folder("config.yml"), text.s, text.size, &err), &err);
    strbuf_free(&text);
    return 0;
}
#endif
