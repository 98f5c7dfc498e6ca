#include "weights/zoo.h"

#include "base/memory.h"
#include "interop/weights_file.h"
#include "model/model.h"
#include "weights/file_config.h"
#include "weights/load.h"
#include <stdlib.h>
#include <string.h>

#define SHUFFLE_NET(size) "{name: ShuffleNetV2, model_size: " size ", out_stages: [2, 3, 4], " \
                          "activation: LeakyReLU, pretrain: false}"

#define MODEL(arch, backbone) "model:\n" "  arch:\n" "    name: " arch "\n" "    backbone: " backbone "\n"

/* channels: those of the backbone's maps; width: those of neck and head. */
#define PLUS(backbone, channels, width, activation, block, head, conv) MODEL("NanoDetPlus", backbone) \
    "    fpn:\n" \
    "      name: GhostPAN\n" \
    "      in_channels: " channels "\n" \
    "      out_channels: " width "\n" \
    "      kernel_size: 5\n" \
    "      num_extra_level: 1\n" \
    "      use_depthwise: true\n" \
    "      activation: " activation "\n" block \
    "    head:\n" \
    "      name: " head "\n" conv \
    "      input_channel: " width "\n" \
    "      feat_channels: " width "\n" \
    "      stacked_convs: 2\n" \
    "      kernel_size: 5\n" \
    "      strides: [8, 16, 32, 64]\n" \
    "      activation: " activation "\n" \
    "      reg_max: 7\n" \
    "      norm_cfg: {type: BN}\n" LOSSES

#define PLAIN(backbone, channels, width, activation, conv, stacked, scale, reg_max) \
    MODEL("OneStageDetector", backbone) \
    "    fpn: {name: PAN, in_channels: " channels ", out_channels: " width ", start_level: 0, num_outs: 3}\n" \
    "    head:\n" \
    "      name: NanoDetHead\n" conv \
    "      input_channel: " width "\n" \
    "      feat_channels: " width "\n" \
    "      stacked_convs: " stacked "\n" \
    "      share_cls_reg: true\n" \
    "      octave_base_scale: " scale "\n" \
    "      strides: [8, 16, 32]\n" \
    "      activation: " activation "\n" \
    "      reg_max: " reg_max "\n" \
    "      norm_cfg: {type: BN}\n" LOSSES

#define LOSSES \
    "      loss:\n" \
    "        loss_qfl: {name: QualityFocalLoss, use_sigmoid: true, beta: 2.0, loss_weight: 1.0}\n" \
    "        loss_dfl: {name: DistributionFocalLoss, loss_weight: 0.25}\n" \
    "        loss_bbox: {name: GIoULoss, loss_weight: 2.0}\n"

#define GHOST_PLUS "      ghost_block_type: plus\n"
#define DEPTHWISE  "      conv_type: DWConv\n"
#define DENSE      "      conv_type: Conv\n"
#define MOBILE_NEXT(stages) "{name: mobilenext, out_stages: " stages ", activation: ReLU6}"
#define LITE(size) "{name: EfficientNetLite, model_name: efficientnet_lite" size ", out_stages: [2, 4, 6], " \
                   "activation: ReLU6}"
#define REP_VGG "{name: RepVGG, arch: A0, out_stages: [2, 3, 4], activation: ReLU, last_channel: 512, deploy: false}"
#define CUSTOM_CSP "\n" \
    "      name: CustomCspNet\n" \
    "      net_cfg: [[Conv, 3, 32, 3, 2], [MaxPool, 3, 2], [CspBlock, 32, 1, 3, 1], [CspBlock, 64, 2, 3, 2],\n" \
    "                [CspBlock, 128, 2, 3, 2], [CspBlock, 256, 3, 3, 2]]\n" \
    "      out_stages: [3, 4, 5]\n" \
    "      activation: LeakyReLU"

const struct zoo_model zoo[] = {
    { "nanodet-plus-m", PLUS(SHUFFLE_NET("1.0x"), "[116, 232, 464]", "96", "LeakyReLU", "", "NanoDetPlusHead", ""),
      RESIZE_STRETCH },
    { "nanodet-plus-m-1.5x", PLUS(SHUFFLE_NET("1.5x"), "[176, 352, 704]", "128", "LeakyReLU", "", "NanoDetPlusHead",
      ""), RESIZE_STRETCH },
    { "nanodet-m", PLAIN(SHUFFLE_NET("1.0x"), "[116, 232, 464]", "96", "LeakyReLU", "", "2", "5", "7"),
      RESIZE_LETTERBOX },
    { "nanodet-m-1.5x", PLAIN(SHUFFLE_NET("1.5x"), "[176, 352, 704]", "128", "LeakyReLU", "", "2", "5", "7"),
      RESIZE_LETTERBOX },
    { "nanodet-m-0.5x", PLAIN(SHUFFLE_NET("0.5x"), "[48, 96, 192]", "96", "LeakyReLU", "", "2", "5", "7"),
      RESIZE_LETTERBOX },
    { "nanodet-g", PLAIN(CUSTOM_CSP, "[128, 256, 512]", "128", "LeakyReLU", DENSE, "1", "8", "10"), RESIZE_LETTERBOX },
    { "nanodet-RepVGG-A0", PLAIN(REP_VGG, "[96, 192, 512]", "128", "ReLU", DENSE, "2", "8", "10"), RESIZE_LETTERBOX },
    { "nanodet-EfficientNet-Lite0", PLAIN(LITE("0"), "[40, 112, 320]", "96", "ReLU6", "", "2", "5", "7"),
      RESIZE_LETTERBOX },
    { "nanodet-EfficientNet-Lite1", PLAIN(LITE("1"), "[40, 112, 320]", "128", "ReLU6", "", "3", "8", "10"),
      RESIZE_LETTERBOX },
    { "nanodet-EfficientNet-Lite2", PLAIN(LITE("2"), "[48, 120, 352]", "128", "ReLU6", "", "4", "5", "10"),
      RESIZE_LETTERBOX },
    { "enhanced-nanodet-s", PLUS(MOBILE_NEXT("[5, 8, 12]"), "[192, 288, 384]", "96", "LeakyReLU", GHOST_PLUS,
      "NanoDetPlusHead", DEPTHWISE), RESIZE_STRETCH },
    { "enhanced-nanodet-m", PLUS(MOBILE_NEXT("[5, 12, 16]"), "[192, 384, 576]", "96", "LeakyReLU", GHOST_PLUS,
      "NanoDetPlusHead", DEPTHWISE), RESIZE_STRETCH },
    { "enhanced-nanodet-l", PLUS(MOBILE_NEXT("[5, 12, 18]"), "[192, 384, 960]", "160", "Hardswish", GHOST_PLUS,
      "NanoDetPlusPlusHead", DEPTHWISE), RESIZE_STRETCH },
    {0} };

/* ---- a file that describes its model ---- */

/* The section model.arch as a configuration has it; the number of classes follows from class_names. */
static char *write_arch(const struct config *c, struct error *err)
{
    static const struct place nowhere = { "weights", 0 };
    struct entry root = { .kind = SECTION };
    struct strbuf text = {0};
    const struct entry *arch = tree_find(&c->root, "model.arch");
    struct entry *copy = tree_find_or_add(&root, "model.arch", nowhere, err);
    const bool ok = copy && entry_copy(copy, arch, err);
    if (ok) {
        tree_remove(&root, "model.arch.head.num_classes");
        tree_remove(&root, "model.arch.aux_head");
        tree_write(&root, &text);
    }
    tree_free(&root);
    return ok ? strbuf_take(&text, err) : NULL;
}

/* *found: the tensors are those of a file with a description. */
static bool read_description(struct found_model *m, const struct tensors *t, const char *path, bool *found,
                             struct error *err)
{
    struct config config = { .network_only = true };
    struct model model = {0};
    struct error why = {0};
    *found = file_config_parse(&config, t, path, NULL, 0, &why) && model_open(&model, &config, &why);
    if (*found) {
        *m = (struct found_model){ "as the weights describe it", write_arch(&config, err), config.val.resize };
        *found = m->yaml;
    }
    model_free(&model);
    config_free(&config);
    return why.exit != 1 || fail_as(err, &why, "%s", why.text);
}

/* ---- official files ---- */

/* Without an error: the file is not for this model. */
static bool is_model(bool *is, const struct zoo_model *row, const char *path, struct error *err)
{
    enum { COCO_CLASSES = 80 };
    struct strbuf text = {0};
    struct config config = {0};
    struct model model = {0};
    struct string_list notes = {0};
    struct error why = {0};
    strbuf_addf(&text, "save_dir: x\n%s"
                "data: {train: {input_size: [320, 320]}}\n"
                "schedule: {total_epochs: 1, optimizer: {name: AdamW, lr: 0.001, weight_decay: 0}}\n"
                "class_names: [", row->yaml);
    for (int i = 0; i < COCO_CLASSES; i++)
        strbuf_addf(&text, "%sclass_%d", i ? ", " : "", i);
    strbuf_addf(&text, "]\n");
    bool ok = strbuf_check(&text, err) && config_parse(&config, text.s, text.size, row->name, NULL, 0, err)
           && model_open(&model, &config, err);
    *is = ok && model_load(&model, path, LOAD_TO_RUN, model.params.value, &notes, &why);
    string_list_free(&notes);
    model_free(&model);
    config_free(&config);
    strbuf_free(&text);
    return ok;
}

static bool no_model(const char *path, struct error *err)
{
    struct strbuf names = {0};
    for (const struct zoo_model *row = zoo; row->name; row++)
        strbuf_addf(&names, "%s%s", row == zoo ? "" : ", ", row->name);
    if (strbuf_check(&names, err))
        fail(err, "%s: it does not describe its model, and is none of the official detectors (%s)", path, names.s);
    strbuf_free(&names);
    return false;
}

bool zoo_identify(struct found_model *m, const char *path, struct error *err)
{
    struct tensors t = {0};
    struct network net = {0};
    bool found = false;
    *m = (struct found_model){0};
    bool ok = weights_file_read(&t, &net, path, err) && (net.count || read_description(m, &t, path, &found, err));
    tensors_free(&t);
    network_free(&net);
    for (const struct zoo_model *row = zoo; ok && !found && row->name; row++) {
        ok = is_model(&found, row, path, err);
        if (ok && found)
            *m = (struct found_model){ row->name, new_text(row->yaml, err), row->resize };
    }
    return ok && (found ? m->yaml != NULL : no_model(path, err));
}
