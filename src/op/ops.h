/* op/ops.h -- the layers.  x_i: operands; c: channels.  Values are NHWC (graph/op.h). */
#ifndef OP_OPS_H
#define OP_OPS_H
#include "graph/op.h"

/* Normalisation and its activation, deferred: z = scale x + shift. */
extern const struct op op_norm;         /* act((x - mean) / sqrt(var + eps) gamma + beta): x, gamma, beta, mean, var */
extern const struct op op_group_norm;   /* likewise within each group of an image and level: x, gamma, beta */
extern const struct op op_layer_norm;   /* within each pixel; no activation, not deferred: x, gamma, beta */

extern const struct op op_sum_taps;     /* y[c] = sum over taps of a depthwise weight w[c]: a weight of 1 x 1 */

/* One pixel at a time. */
extern const struct op op_act;          /* act(x) */
extern const struct op op_add;          /* x_0 + x_1 */
extern const struct op op_mul;          /* x_0 x_1; x_1 may have one channel, one pixel per image, or one pixel */
extern const struct op op_dropout;      /* elements are 0 with probability rate, else x / (1 - rate); attr.drop */
extern const struct op op_drop_path;    /* likewise for whole images */
extern const struct op op_position;     /* x_0 + x_1; x_1 has the pixels of one image and is added to every image */
extern const struct op op_scale;        /* s_l x on level l: x, s_0, s_1, ... */
extern const struct op op_shuffle;      /* y[2c] = x_0[c], y[2c + 1] = x_1[c] */

/* Neighbourhoods.  Only the convolution takes several levels. */
extern const struct op op_conv;         /* sum over taps and inputs of w x, + b: x, weight OHWI [, bias] [, a norm's
                                           gamma, beta, mean, var]; attr.conv */
extern const struct op op_max_pool;     /* maximum of a window; attr.pool */
extern const struct op op_avg_pool;     /* mean of a window; padding counts as 0 */
extern const struct op op_global_pool;  /* mean of an image */
extern const struct op op_upsample2x;   /* bilinear, half-pixel centres */
extern const struct op op_nearest2x;    /* y[i, j] = x[i / 2, j / 2] */
extern const struct op op_resize;       /* bilinear, half-pixel centres, to attr.resize */
extern const struct op op_attention;    /* between all pixels of an image; attr.attention */

/* Memory. */
extern const struct op op_concat;       /* concatenation along the channels */
extern const struct op op_stack;        /* maps of one level as the levels of one tensor */
extern const struct op op_channels;     /* channels from .. to - 1 of x; attr.channels */
extern const struct op op_detach;       /* x, without gradient */
/* op_materialise (graph/op.h): the value of a deferred x. */
#endif
