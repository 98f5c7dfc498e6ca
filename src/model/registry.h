/* model/registry.h -- the parts that models are put together from, a row each.  A row's keys are those of its section
 * of the configuration; they fill a struct of config_size bytes, which build reads. */
#ifndef MODEL_REGISTRY_H
#define MODEL_REGISTRY_H
#include "config/config.h"
#include "detect/loss.h"
#include "model/blocks.h"

enum { FEATURES = LEVELS };                             /* max number of maps that a part returns */

struct features { int count; value at[FEATURES]; };

/* Has each map as many channels as in_channels says?  If not, the builder fails. */
bool features_fit(struct builder *, const struct features *, const struct ints *in_channels);
/* Appends x to the maps that a backbone returns if `stage` is one of out_stages. */
void add_feature(struct builder *, const struct ints *out_stages, int stage, value x, struct features *);

/* The rows of all tables start with this. */
struct model_part { const char *name; const struct key *keys; size_t config_size; };

struct backbone {
    const char *name;
    const struct key *keys; size_t config_size;
    void (*build)(struct builder *, const void *config, value image, struct features *out);
};

struct neck {
    const char *name;
    const struct key *keys; size_t config_size;
    void (*build)(struct builder *, const void *config, const struct features *in, struct features *out);
};

/* All heads have these first. */
struct head_config {
    int num_classes, input_channel, feat_channels, stacked_convs, reg_max;
    struct ints strides;
    enum act activation;
    double octave_base_scale, ignore_iof_thr;           /* of LOSS_GFL: see struct atss_config */
};

struct head {
    const char *name;
    const struct key *keys; size_t config_size;         /* the struct starts with a struct head_config */
    /* The prediction, rows [level][image][y][x] of num_classes logits and 4 (reg_max + 1) box logits. */
    value (*build)(struct builder *, const void *config, const struct features *in);
    enum loss_family family;                            /* its row of `criteria` */
};

extern const struct backbone backbones[];
extern const struct neck necks[];
extern const struct head heads[];

/* The table for each section of the model. */
extern const struct part_table { const void *rows; size_t row_size; } part_tables[MODEL_SECTIONS];
#endif
