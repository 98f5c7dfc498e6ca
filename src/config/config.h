/* config/config.h -- the configuration of a model and its training: YAML in the structure of upstream NanoDet.
 *
 * The file and the overrides KEY=VALUE make one tree (config/tree.h); tables of keys (config/key.h) check it, fill
 * the struct from it and put their presets into it, so the tree ends as the resolved configuration.  The sections
 * model.arch.backbone, fpn, head and aux_head belong to the model: it reads them by its own tables. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H
#include "base/strbuf.h"
#include "base/string_list.h"
#include "config/key.h"

enum dataset_format { DATASET_COCO, DATASET_XML, DATASET_YOLO, DATASET_VISDRONE, DATASET_LABELME };
enum resize { RESIZE_STRETCH, RESIZE_KEEP, RESIZE_LETTERBOX };
enum arch { ARCH_NANODET_PLUS, ARCH_ONE_STAGE };
enum averager { AVERAGER_NONE, AVERAGER_EMA };
enum optimizer_name { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW };
enum warmup_name { WARMUP_LINEAR, WARMUP_EXP, WARMUP_CONSTANT };
enum lr_schedule_name { LR_COSINE, LR_MULTI_STEP };
enum evaluator_name { EVALUATOR_COCO };
enum save_key { SAVE_MAP, SAVE_AP50, SAVE_AP75, SAVE_AP_SMALL, SAVE_AP_M, SAVE_AP_L };

/* data.*.pipeline: ranges of random draws; the presets change nothing.  Lower ends come first. */
struct pipeline_config {
    double perspective;                     /* +- in the last row of the matrix */
    double scale[2], stretch[2][2];         /* factors; stretch of x, then of y */
    double rotation, shear;                 /* +- degrees */
    double translate;                       /* +- part of the side */
    double flip;                            /* probability */
    int divisible;                          /* resize keep: sides are rounded up to a multiple of it; 0: they are not */
    double brightness;                      /* +- in units of the full range */
    double contrast[2], saturation[2];      /* factors */
    double normalize[2][3];                 /* mean and standard deviation of blue, green, red, 0..255 */
};

struct data_config {                        /* data.train and data.val */
    enum dataset_format name;
    const char *img_path, *ann_path;        /* "": not given */
    const char *image_list;                 /* a file, a name without extension a line: only these; "": all */
    struct strings class_names;               /* as at the top */
    int input_size[2];                      /* width, height */
    bool keep_ratio;                        /* upstream's key; read resize instead */
    enum resize resize;
    double multi_scale[2];                  /* range of the factor on input_size; [1, 1]: none */
    int cache_mb;                           /* decoded images kept in memory; 0: none */
    bool scaled_decode;                     /* JPEGs that shrink by half or more are halved as they are decoded */
    struct pipeline_config pipeline;
};

struct param_rule { const char *match; double lr_mult, decay_mult; };  /* for parameters whose name contains match */

struct optimizer_config {
    enum optimizer_name name;
    double lr, weight_decay, momentum, betas[2], eps;
    bool no_norm_decay, no_bias_decay;
    const struct entry *param_level_cfg;    /* read rules instead */
    struct param_rule *rules; int rule_count;           /* in file order, the first match wins */
};

struct schedule_config {
    bool resume;                            /* as --resume */
    const char *load_model;                 /* as --weights; "": none */
    struct optimizer_config optimizer;
    struct { enum warmup_name name; int steps; double ratio; } warmup;  /* steps 0: none */
    int total_epochs, val_intervals, accumulate;
    struct { enum lr_schedule_name name; int t_max; double eta_min, gamma; struct ints milestones; } lr_schedule;
};

struct test_config {                        /* which predictions are detections, wherever the model is run */
    int max_per_image;                      /* the best of an image; 1 .. 5000 */
    double score_thr, nms_iou;              /* scores exceed the first, overlaps (IoU) do not exceed the second */
    bool class_agnostic_nms;                /* boxes of different classes suppress each other, too */
};

struct config {
    const char *save_dir;
    struct { enum averager averager; double decay; enum arch arch; int detach_epoch; struct strings freeze; } model;
    struct data_config train, val;
    int batch_size;                         /* of training and of testing */
    int decode_mb;                          /* for image_memory */
    struct schedule_config schedule;
    double grad_clip;                       /* largest norm of all gradients; 0: any */
    enum evaluator_name evaluator;
    enum save_key save_key;                 /* what makes a model the best */
    struct { int interval; double checkpoint_minutes; } log;
    struct test_config test;
    struct strings class_names;
    int seed;

    struct string_list ignored;                   /* keys given that have no effect here, for one line of the program */
    struct string_list *problems;                 /* NULL: the first one ends the reading */
    bool network_only;                      /* there may be more or fewer class_names than classes of the heads */
    bool detects_only;                      /* the file holds what config_write_detector writes, and nothing else */
    struct entry root;
    char *file;
};

/* Reads the file `path` and lays count overrides "KEY=VALUE" over it, VALUE being YAML.  Exit 2 names file, line and
 * key of the first problem; with config->problems set beforehand, every problem is added to that list, the key takes
 * its preset, and only what is no YAML at all ends the reading.  network_only and detects_only are set beforehand, too.
 * config_free in any case. */
bool config_read(struct config *, const char *path, const char *const *overrides, int count, struct error *);
bool config_parse(struct config *, const void *yaml, size_t size, const char *file, const char *const *overrides,
                  int count, struct error *);
void config_free(struct config *);

/* Fills *to from the section called prefix ("model.arch.head") by a table of keys.  A key of the section that no
 * row names is refused, `name` apart, which is what chose the table.  Exit 2 as above. */
bool section_read(struct config *, const char *prefix, const struct key *keys, void *to, struct error *);

/* The scalar at a dotted path ("model.arch.backbone.name"); NULL if there is none, or null. */
const char *config_text(const struct config *, const char *path);

/* The beginning of a message about that path: "configs/demo.yml:12: model.arch.head.strides". */
struct place_text config_place(const struct config *, const char *path);

/* Exit 2 if there is no such scalar or it is empty: for keys that only some commands need. */
bool config_need(const struct config *, const char *path, struct error *);

/* The score above which detections are shown to people: test.score_thr if it was set, be it on the command line or to
 * another value than its preset, which lets almost everything through for scoring; else 0.35. */
double config_shown_score(const struct config *);

/* The resolved configuration as YAML, every key with its value; sections of the model once they have been read. */
void config_write(const struct config *, struct strbuf *);

/* The part of it that detecting needs: model, class_names, test, input size, resize and normalisation of data.val.  It
 * holds no path and no key without effect, is read with detects_only, and what was read is written as the same text. */
bool config_write_detector(const struct config *, struct strbuf *, struct error *);

/* Adds to `names` the keys whose values differ in what touches the results.  Both must have been resolved: b as read
 * from what config_write wrote, a with its model built. */
bool config_names_data(const char *path);      /* one of the keys that say what a set is read from */
bool config_difference(const struct config *a, const struct config *b, struct string_list *names, struct error *);

/* Every key of this room: a line each. */
void config_manual(struct strbuf *);
#endif
