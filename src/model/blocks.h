/* model/blocks.h -- the layers of models.  A call adds a layer; `name` is its name in the official state_dict, relative
 * to the builder's scope. */
#ifndef MODEL_BLOCKS_H
#define MODEL_BLOCKS_H
#include "config/key.h"
#include "graph/builder.h"

extern const struct word activation_words[];            /* none, LeakyReLU, ReLU, ...: values of enum act */

enum norm_type { NORM_NONE, NORM_BATCH, NORM_GROUP };
extern const struct word norm_words[];                  /* BN, SyncBN, GN, none */
struct norm_config { enum norm_type type; int num_groups; };

/* The attributes of a convolution.  Depthwise ones have as many outputs as inputs; groups 0: one of all channels;
 * linear: files have a matrix. */
struct conv { int out, kernel, stride, pad, groups; bool depthwise, bias, linear; };
struct conv dense(int out, int kernel, int stride);     /* padded by (kernel - 1) / 2, no bias */
struct conv pointwise(int out);
struct conv depthwise(int kernel, int stride);
struct conv biased(struct conv);
struct conv linear(int out);                            /* the same at every pixel, with bias */

int channels_of(const struct builder *, value);

/* Rounds a width as MobileNets do: to the nearest multiple of divisor, but up if that is below 9/10 of it. */
int divisible(double width, int divisor);

value conv(struct builder *, const char *name, value x, struct conv);
value conv_weight(const struct builder *, value convolved);             /* the weight of the convolution */
/* Declares the parameters of a convolution of `in` channels that official files contain but no layer uses. */
void conv_unused(struct builder *, const char *name, int in, struct conv);
value norm(struct builder *, const char *name, value x);                /* batch norm: momentum 0.1, eps 1e-5 */
value batch_norm(struct builder *, const char *name, value x, double momentum, double eps);
value group_norm(struct builder *, const char *name, value x, int groups);
value layer_norm(struct builder *, const char *name, value x, double eps);
/* name.index is the convolution, name.(index + 1) its batch norm. */
value conv_norm(struct builder *, const char *name, int index, value x, struct conv);

/* act(x).  If x is the output of a norm, the norm applies the activation, and x must not be used otherwise. */
value activate(struct builder *, value x, enum act);
/* The same with PyTorch's default slope of LeakyReLU: 0.01, not 0.1. */
value activate_plain(struct builder *, value x, enum act);

/* In the current scope: conv, bn or gn, activation; without a norm the convolution has a bias. */
value conv_module(struct builder *, value x, struct conv, struct norm_config, enum act);
/* In the current scope: depthwise, dwnorm, activation, pointwise, pwnorm, activation. */
value depthwise_module(struct builder *, value x, struct conv, struct norm_config, enum act);
/* The same with two branches per convolution, added before the activation: depthwise.0, .1, dwnorm.0, .1, ... */
value rep_depthwise_module(struct builder *, value x, struct conv, struct norm_config, enum act);

value add(struct builder *, value, value);
value mul(struct builder *, value, value);              /* the second may have one channel, or one pixel per image */
value concat(struct builder *, value, value);
value channels(struct builder *, value, int from, int to);
value shuffle(struct builder *, value left, value right);               /* channel shuffle of their concat, 2 groups */
/* The halves of shuffle(left, right).  With builder.split_shuffle one half can be released without the other. */
void shuffle_halves(struct builder *, value left, value right, value half[2]);
value max_pool(struct builder *, value, int kernel, int stride, int pad);
value half_size(struct builder *, value);                               /* bilinear, half of the size, rounded down */
value global_pool(struct builder *, value);                             /* the mean of an image: one pixel */
value upsample(struct builder *, value);                                /* bilinear, twice the size */
value resize(struct builder *, value, int h, int w);                    /* bilinear */
value detach(struct builder *, value);
value dropout(struct builder *, value, double rate);                    /* in training; else x */
value drop_path(struct builder *, value, double rate);                  /* the same for whole images */
value stack(struct builder *, const value *levels, int count);
/* name.level.scale, a learned factor per level, initially 1. */
value scale_levels(struct builder *, const char *name, value);

/* Ghost bottleneck (Han et al. 2020, fig. 3); excite: with squeeze-and-excitation. */
struct ghost { int mid, out, kernel, stride; bool excite; };
value ghost_bottleneck(struct builder *, value x, struct ghost, enum act);
/* Ghost2former of Enhanced NanoDet: bn(w_2 * ((w_d * ghost(x)) (w_1 * x))), w_d depthwise, w_1 and w_2 1x1. */
value ghost2former(struct builder *, value x, int out, int kernel, enum act);
#endif
