/* tests/small_config.h -- a configuration with the keys that must be given and a few more. */
#ifndef TESTS_SMALL_CONFIG_H
#define TESTS_SMALL_CONFIG_H
#include "config/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* 24 lines. */
static const char *const minimal =
    "save_dir: workspace/small\n"
    "model:\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    backbone: {name: ShuffleNetV2, model_size: 1.0x, out_stages: [2, 3, 4]}\n"
    "    fpn: {name: GhostPAN}\n"
    "    head:\n"
    "      name: NanoDetPlusHead\n"
    "      num_classes: 2\n"
    "data:\n"
    "  train:\n"
    "    input_size: [320, 256]\n"
    "    pipeline:\n"
    "      stretch: [[0.8, 1.2], [0.9, 1]]\n"
    "device:\n"
    "  gpu_ids: [0]\n"
    "schedule:\n"
    "  total_epochs: 12\n"
    "  optimizer:\n"
    "    name: AdamW\n"
    "    lr: 0.001\n"
    "    weight_decay: 0.05\n"
    "    param_level_cfg: {backbone: {lr_mult: 0.1}, \"head.gfl_cls\": {decay_mult: 0}}\n"
    "class_names: [person, \"traffic light\"]\n";

static bool parse(struct config *config, const char *yaml, const char *override, struct error *err)
{
    return config_parse(config, yaml, strlen(yaml), "a.yml", &override, override != NULL, err);
}

static void read_minimal(struct config *config, const char *override)
{
    struct error err = {0};
    if (!parse(config, minimal, override, &err))
        fail_msg("%s", err.text);
}
#endif
