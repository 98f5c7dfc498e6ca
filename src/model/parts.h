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

/* PAN (Liu et al. 2018) of ghost bottlenecks (NanoDet-Plus). */
struct ghost_pan {
    struct ints in_channels;
    int out_channels, kernel_size, expand, num_blocks, num_extra_level;
    bool use_depthwise, use_res;
    enum act activation;
    struct norm_config norm;
};
extern const struct key ghost_pan_keys[];
void ghost_pan_build(struct builder *, const void *config, const struct features *in, struct features *out);

/* The head of NanoDet-Plus: layers of its own for every level. */
enum conv_type { CONV_DEPTHWISE, CONV_DENSE };
struct nanodet_plus_head {
    struct head_config head;
    int kernel_size;
    enum conv_type conv_type;
    struct norm_config norm;
};
extern const struct key nanodet_plus_head_keys[];
value nanodet_plus_head_build(struct builder *, const void *config, const struct features *in);

/* The auxiliary head of NanoDet-Plus: dense layers shared by all levels. */
struct simple_conv_head { struct head_config head; struct norm_config norm; };
extern const struct key simple_conv_head_keys[];
value simple_conv_head_build(struct builder *, const void *config, const struct features *in);
#endif
