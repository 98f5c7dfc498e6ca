/* tests/fuzz/config_text.h -- a whole configuration of a small detector. */
#ifndef TESTS_FUZZ_CONFIG_TEXT_H
#define TESTS_FUZZ_CONFIG_TEXT_H
static const char config_yaml[] =
    "model:\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4]}\n"
    "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1,\n"
    "          use_depthwise: true}\n"
    "    head: {name: NanoDetPlusHead, num_classes: 2, input_channel: 32, feat_channels: 32, reg_max: 7,\n"
    "           strides: [8, 16, 32, 64]}\n"
    "data:\n"
    "  train: {name: CocoDataset, img_path: img, ann_path: ann.json, input_size: [32, 32]}\n"
    "  val: {name: CocoDataset, img_path: img, ann_path: ann.json}\n"
    "device: {batchsize_per_gpu: 2}\n"
    "schedule:\n"
    "  optimizer: {name: AdamW, lr: 0.002, weight_decay: 0.05}\n"
    "  total_epochs: 1\n"
    "class_names: [car, van]\n";
#endif
