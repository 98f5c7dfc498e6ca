/* model/parts.h -- the configuration of each part and the function that builds it; registry.c lists them. */
#ifndef MODEL_PARTS_H
#define MODEL_PARTS_H
#include "model/registry.h"

/* ShuffleNetV2 (Ma et al. 2018). */
struct shufflenet_v2 {
    const char *model_size, *pretrain;
    struct ints out_stages;
    bool with_last_conv;
    enum act activation;
};
extern const struct key shufflenet_v2_keys[];
void shufflenet_v2_build(struct builder *, const void *config, value image, struct features *out);

/* ConvNeXt (Liu et al. 2022) in timm's version: the family of timm that official configurations use. */
struct convnext {
    const char *model_name, *pretrained, *checkpoint_path;
    bool features_only;
    struct ints out_indices;
    double drop_path_rate;
};
extern const struct key convnext_keys[];
void convnext_build(struct builder *, const void *config, value image, struct features *out);

/* MobileNeXt (Zhou et al. 2020) with kernel refinement (Enhanced NanoDet). */
struct mobilenext {
    struct ints out_stages;
    double width_mult;
    enum act activation;
    const char *pretrained;
};
extern const struct key mobilenext_keys[];
void mobilenext_build(struct builder *, const void *config, value image, struct features *out);

/* MobileNetV2 (Sandler et al. 2018). */
struct mobilenet_v2 {
    const char *pretrain;
    double width_mult;
    struct ints out_stages;
    int last_channel;
    enum act activation;
};
extern const struct key mobilenet_v2_keys[];
void mobilenet_v2_build(struct builder *, const void *config, value image, struct features *out);

/* MobileNetV3-Small (Howard et al. 2019). */
struct mobilenet_v3 {
    const char *pretrain;
    double width_mult;
    struct ints out_stages;
    enum act activation;
};
extern const struct key mobilenet_v3_small_keys[];
void mobilenet_v3_small_build(struct builder *, const void *config, value image, struct features *out);

/* GhostNet (Han et al. 2020). */
struct ghostnet {
    const char *pretrain;
    double width_mult;
    struct ints out_stages;
    enum act activation;
};
extern const struct key ghostnet_keys[];
void ghostnet_build(struct builder *, const void *config, value image, struct features *out);

/* EfficientNet-Lite: EfficientNet (Tan, Le 2019) without squeeze-and-excitation. */
struct efficientnet_lite {
    const char *model_name, *pretrain;
    struct ints out_stages;
    double drop_connect_rate;
    enum act activation;
};
extern const struct key efficientnet_lite_keys[];
void efficientnet_lite_build(struct builder *, const void *config, value image, struct features *out);

/* RepVGG (Ding et al. 2021). */
struct repvgg {
    const char *arch, *pretrain;
    struct ints out_stages;
    int last_channel;
    bool deploy;
    enum act activation;
};
extern const struct key repvgg_keys[];
void repvgg_build(struct builder *, const void *config, value image, struct features *out);

/* The network of NanoDet-g, after CSPNet (Wang et al. 2019); the configuration lists its stages. */
struct custom_csp_net {
    const char *pretrain;
    struct string_rows net_cfg;
    struct ints out_stages;
    struct norm_config norm;
    enum act activation;
};
extern const struct key custom_csp_net_keys[];
void custom_csp_net_build(struct builder *, const void *config, value image, struct features *out);

/* ResNet (He et al. 2015). */
struct resnet {
    const char *pretrain;
    int depth;
    struct ints out_stages;
    enum act activation;
};
extern const struct key resnet_keys[];
void resnet_build(struct builder *, const void *config, value image, struct features *out);

/* FPN (Lin et al. 2017) without convolutions after its sums, and PAN (Liu et al. 2018) with a bottom-up path. */
struct fpn {
    struct ints in_channels;
    int out_channels, num_outs, start_level, end_level;
    enum act activation;
    struct norm_config norm;
};
extern const struct key fpn_keys[];
void fpn_build(struct builder *, const void *config, const struct features *in, struct features *out);
void pan_build(struct builder *, const void *config, const struct features *in, struct features *out);

/* The neck of NanoDet-t: a transformer encoder (Vaswani et al. 2017, fig. 1) on the middle level, added to all. */
struct tan {
    struct ints in_channels;
    int out_channels, feature_hw[2], num_heads, num_encoders;
    double mlp_ratio, dropout_ratio;
    enum act activation;
};
extern const struct key tan_keys[];
void tan_build(struct builder *, const void *config, const struct features *in, struct features *out);

/* PAN (Liu et al. 2018) of ghost bottlenecks (NanoDet-Plus) or ghost2former blocks (Enhanced NanoDet). */
enum ghost_block { GHOST_BOTTLENECK, GHOST_2_FORMER };
struct ghost_pan {
    struct ints in_channels;
    int out_channels, kernel_size, expand, num_blocks, num_extra_level;
    bool use_depthwise, use_res;
    enum ghost_block block;
    enum act activation;
    struct norm_config norm;
};
extern const struct key ghost_pan_keys[];
void ghost_pan_build(struct builder *, const void *config, const struct features *in, struct features *out);

enum conv_type { CONV_DEPTHWISE, CONV_REP_DEPTHWISE, CONV_DENSE };

/* The head of NanoDet; each level has its own layers. */
struct nanodet_head {
    struct head_config head;
    bool share_cls_reg;
    enum conv_type conv_type;
    struct norm_config norm;
};
extern const struct key nanodet_head_keys[];
value nanodet_head_build(struct builder *, const void *config, const struct features *in);

/* The head of NanoDet-Plus; each level has its own layers. */
struct nanodet_plus_head {
    struct head_config head;
    int kernel_size;
    enum conv_type conv_type;
    struct norm_config norm;
};
extern const struct key nanodet_plus_head_keys[];
value nanodet_plus_head_build(struct builder *, const void *config, const struct features *in);
/* The same with other last layers: one for the classes, three for the boxes (Enhanced NanoDet). */
value nanodet_plus_plus_head_build(struct builder *, const void *config, const struct features *in);

/* Dense layers shared by all levels: the auxiliary head of NanoDet-Plus, and the head of GFL (Li et al. 2020). */
struct simple_conv_head { struct head_config head; struct norm_config norm; };
extern const struct key simple_conv_head_keys[], gfl_head_keys[];
value simple_conv_head_build(struct builder *, const void *config, const struct features *in);
value gfl_head_build(struct builder *, const void *config, const struct features *in);
#endif
