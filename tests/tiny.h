/* tests/tiny.h -- a small detector and a few generated scenes, in the folder of a test that needs all of them. */
#ifndef TESTS_TINY_H
#define TESTS_TINY_H
#include "base/file.h"
#include "base/strbuf.h"
#include "folder.h"
#include "synth/synth.h"

/* config.yml, and data/{train,val}.json with their images: `images` of 96 x 96 for training, 5 held out. */
static inline bool tiny_make(int images, struct error *err)
{
    const struct synth_config scenes = { .images = images, .val_images = 5, .width = 96, .height = 96,
                                         .objects_min = 2, .objects_max = 6, .scale = 8 };
    struct strbuf yaml = {0};
    if (make_folder(NULL) != 0)
        return (fail)(err, "no folder under /tmp");     /* in brackets: cmocka has a macro of this name */
    strbuf_addf(&yaml,
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
        "class_names: [car, van, truck, bus, person]\n", folder);
    const bool ok = strbuf_check(&yaml, err)
                 && file_write(in_folder("config.yml"), yaml.s, yaml.size, err)
                 && synth_write(&scenes, in_folder("data"), &(struct team){ 2 }, err);
    strbuf_free(&yaml);
    return ok;
}

/* For cmocka, with remove_folder. */
static inline int tiny_setup(void **state)
{
    struct error err = {0};
    (void)state;
    if (tiny_make(2, &err))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return -1;
}
#endif
