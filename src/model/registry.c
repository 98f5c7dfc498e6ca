#include "model/registry.h"

#include "model/parts.h"

const struct backbone backbones[] = {
    { "ShuffleNetV2", shufflenet_v2_keys, sizeof(struct shufflenet_v2), shufflenet_v2_build },
    { "mobilenext", mobilenext_keys, sizeof(struct mobilenext), mobilenext_build },
    { "MobileNetV2", mobilenet_v2_keys, sizeof(struct mobilenet_v2), mobilenet_v2_build },
    { "MobileNetV3Small", mobilenet_v3_small_keys, sizeof(struct mobilenet_v3), mobilenet_v3_small_build },
    { "GhostNet", ghostnet_keys, sizeof(struct ghostnet), ghostnet_build },
    { "EfficientNetLite", efficientnet_lite_keys, sizeof(struct efficientnet_lite), efficientnet_lite_build },
    { "RepVGG", repvgg_keys, sizeof(struct repvgg), repvgg_build },
    { "CustomCspNet", custom_csp_net_keys, sizeof(struct custom_csp_net), custom_csp_net_build },
    { "TIMMWrapper", convnext_keys, sizeof(struct convnext), convnext_build },
    { "ResNet", resnet_keys, sizeof(struct resnet), resnet_build },
    {0} };

const struct neck necks[] = {
    { "FPN", fpn_keys, sizeof(struct fpn), fpn_build },
    { "PAN", fpn_keys, sizeof(struct fpn), pan_build },
    { "TAN", tan_keys, sizeof(struct tan), tan_build },
    { "GhostPAN", ghost_pan_keys, sizeof(struct ghost_pan), ghost_pan_build },
    {0} };

const struct head heads[] = {
    { "GFLHead", gfl_head_keys, sizeof(struct simple_conv_head), gfl_head_build, LOSS_GFL },
    { "NanoDetHead", nanodet_head_keys, sizeof(struct nanodet_head), nanodet_head_build, LOSS_GFL },
    { "NanoDetPlusHead", nanodet_plus_head_keys, sizeof(struct nanodet_plus_head), nanodet_plus_head_build, LOSS_PLUS },
    { "NanoDetPlusPlusHead", nanodet_plus_head_keys, sizeof(struct nanodet_plus_head), nanodet_plus_plus_head_build,
      LOSS_PLUS },
    { "SimpleConvHead", simple_conv_head_keys, sizeof(struct simple_conv_head), simple_conv_head_build, LOSS_PLUS },
    {0} };

const struct part_table part_tables[MODEL_SECTIONS] = {
    [MODEL_BACKBONE] = { backbones, sizeof *backbones }, [MODEL_NECK] = { necks, sizeof *necks },
    [MODEL_HEAD] = { heads, sizeof *heads }, [MODEL_AUX_HEAD] = { heads, sizeof *heads } };
