/* op/ops.h -- the layers.  x_i: operands; c: channels.  Values are NHWC (graph/op.h).
 *
 * An op with attributes names their struct; X_attr(node) returns those of its node. */
#ifndef OP_OPS_H
#define OP_OPS_H
#include "graph/op.h"

struct conv_attr {                      /* the kernel's size is the weight's h x w */
    int stride, pad, groups;
    int norm;                           /* first operand of a folded norm with running statistics, or 0: */
    real eps, slope; enum act act;      /* y = act(norm(sums)) */
    /* Chosen by op_conv when the graph is built: a row of op/conv/conv.h, and the bfloat16 terms of its products on a
     * matrix unit (kernel/amx.h): 2 or 3; 0: without one. */
    const struct conv_algorithm *algorithm;
    int bf16_terms;
};
struct norm_attr {
    real eps, momentum, slope; enum act act; int groups;
    bool training;                      /* statistics of the batch, in several processes of all their images unless */
    bool local;                         /* of those of this process */
    bool unfolding;                     /* see op/norm.c */
};
struct act_attr { enum act act; real slope; };
struct pool_attr { int kernel, stride, pad; };
struct channels_attr { int from, to; };                 /* [from, to) */
struct resize_attr { int h, w; };
struct drop_attr { real rate; };                        /* 0 <= rate < 1 */
struct attention_attr { int heads; real rate; };        /* likewise */

static inline const struct conv_attr *conv_attr(const struct node *n)           { return n->attr; }
static inline const struct norm_attr *norm_attr(const struct node *n)           { return n->attr; }
static inline const struct act_attr *act_attr(const struct node *n)             { return n->attr; }
static inline const struct pool_attr *pool_attr(const struct node *n)           { return n->attr; }
static inline const struct channels_attr *channels_attr(const struct node *n)   { return n->attr; }
static inline const struct resize_attr *resize_attr(const struct node *n)       { return n->attr; }
static inline const struct drop_attr *drop_attr(const struct node *n)           { return n->attr; }
static inline const struct attention_attr *attention_attr(const struct node *n) { return n->attr; }

/* op_norm, op_group_norm and op_layer_norm have norm_attr, op_max_pool and op_avg_pool pool_attr, op_dropout and
 * op_drop_path drop_attr. */

/* Normalisation and its activation, deferred: z = scale x + shift. */
extern const struct op op_norm;         /* act((x - mean) / sqrt(var + eps) gamma + beta): x, gamma, beta, mean, var */
extern const struct op op_group_norm;   /* likewise within each group of an image and level: x, gamma, beta */
extern const struct op op_layer_norm;   /* within each pixel; no activation, not deferred: x, gamma, beta */

extern const struct op op_sum_taps;     /* y[c] = sum over taps of a depthwise weight w[c]: a weight of 1 x 1 */

/* One pixel at a time. */
extern const struct op op_act;          /* act(x) */
extern const struct op op_add;          /* x_0 + x_1 */
extern const struct op op_mul;          /* x_0 x_1; x_1 may have one channel, one pixel per image, or one pixel */
extern const struct op op_dropout;      /* elements are 0 with probability rate, else x / (1 - rate) */
extern const struct op op_drop_path;    /* likewise for whole images */
extern const struct op op_position;     /* x_0 + x_1; x_1 has the pixels of one image and is added to every image */
extern const struct op op_scale;        /* s_l x on level l: x, s_0, s_1, ... */
extern const struct op op_shuffle;      /* y[2c] = x_0[c], y[2c + 1] = x_1[c] */

/* Neighbourhoods.  Only the convolution takes several levels. */
extern const struct op op_conv;         /* sum over taps and inputs of w x, + b: x, weight OHWI [, bias] [, a norm's
                                           gamma, beta, mean, var] */
extern const struct op op_max_pool;     /* maximum of a window */
extern const struct op op_avg_pool;     /* mean of a window; padding counts as 0 */
extern const struct op op_global_pool;  /* mean of an image */
extern const struct op op_upsample2x;   /* bilinear, half-pixel centres */
extern const struct op op_nearest2x;    /* y[i, j] = x[i / 2, j / 2] */
extern const struct op op_resize;       /* bilinear, half-pixel centres, to h x w */
extern const struct op op_attention;    /* between all pixels of an image */

/* Memory. */
extern const struct op op_concat;       /* concatenation along the channels */
extern const struct op op_stack;        /* maps of one level as the levels of one tensor */
extern const struct op op_channels;     /* channels from .. to - 1 of x */
extern const struct op op_detach;       /* x, without gradient */
/* op_materialise (graph/op.h): the value of a deferred x. */
#endif
