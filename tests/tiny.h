/* tests/tiny.h -- a small detector and a few generated scenes, in a folder of its own under /tmp, for tests that need
 * all of them. */
#ifndef TESTS_TINY_H
#define TESTS_TINY_H
#include "base/file.h"
#include "data/synth.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char tiny_folder[64];

/* A path in the folder; eight of them live at a time. */
static inline const char *tiny_path(const char *name)
{
    static char paths[8][300];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", tiny_folder, name);
    return path;
}

/* config.yml, and data/{train,val}.json with their images: `images` of 96 x 96 for training, 5 held out. */
static inline bool tiny_make(const char *test, int images, struct error *err)
{
    const struct synth_config scenes = { .images = images, .val_images = 5, .width = 96, .height = 96,
                                         .objects_min = 2, .objects_max = 6, .scale = 8 };
    struct text yaml = {0};
    snprintf(tiny_folder, sizeof tiny_folder, "/tmp/nanodet_%s_%ld", test, (long)getpid());
    text_add(&yaml,
        "save_dir: %1$s/run\n"
        "model:\n"
        "  weight_averager: {name: ExpMovingAverager, decay: 0.9}\n"
        "  arch:\n"
        "    name: NanoDetPlus\n"
        "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4]}\n"
        "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1,\n"
        "          use_depthwise: true}\n"
        "    head: {name: NanoDetPlusHead, num_classes: 5, input_channel: 32, feat_channels: 32, reg_max: 7,\n"
        "           strides: [8, 16, 32, 64]}\n"
        "    aux_head: {name: SimpleConvHead, num_classes: 5, input_channel: 64, feat_channels: 64, reg_max: 7,\n"
        "               strides: [8, 16, 32, 64]}\n"
        "data:\n"
        "  train: {img_path: %1$s/data/images/train, ann_path: %1$s/data/train.json, input_size: [96, 64]}\n"
        "  val: {img_path: %1$s/data/images/val, ann_path: %1$s/data/val.json}\n"
        "device: {batchsize_per_gpu: 2}\n"
        "schedule:\n"
        "  optimizer: {name: AdamW, lr: 0.002, weight_decay: 0.05}\n"
        "  total_epochs: 1\n"
        "class_names: [car, van, truck, bus, person]\n", tiny_folder);
    const bool ok = text_ok(&yaml, err) && make_folders(tiny_folder, err)
                 && file_write(tiny_path("config.yml"), yaml.s, yaml.size, err)
                 && synth_write(&scenes, tiny_path("data"), &(struct team){ 2 }, err);
    text_free(&yaml);
    return ok;
}

static inline void tiny_remove(const char *path)
{
    struct names names = {0};
    if (folder_exists(path) && folder_list(&names, path, NULL))
        for (int i = 0; i < names.count; i++) {
            char *inner = path_join(path, names.list[i], NULL);
            tiny_remove(inner);
            free(inner);
        }
    names_free(&names);
    remove(path);
}

/* For cmocka_run_group_tests. */
static inline int tiny_teardown(void **state)
{
    (void)state;
    tiny_remove(tiny_folder);
    return 0;
}
#endif
