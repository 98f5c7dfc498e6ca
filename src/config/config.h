/* config/config.h -- the configuration of a model and its training: YAML in the structure of upstream NanoDet.
 *
 * Data flows one way:  file and overrides KEY=VALUE -> tree (tree.h) -> tables of keys (key.h, section.h) -> structs.
 * Each table is passed over once: it checks its section, puts presets into it and fills a struct.  From then on the
 * structs are the configuration; the tree, now resolved, serves config.yml and the places in messages.  The sections of
 * the model are read in the same way, by the model's own tables (section_read), when a model is opened. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H
#include "base/strbuf.h"
#include "base/string_list.h"
#include "config/key.h"

enum dataset_format { DATASET_COCO, DATASET_XML, DATASET_YOLO, DATASET_VISDRONE, DATASET_LABELME };
enum resize { RESIZE_STRETCH, RESIZE_KEEP, RESIZE_LETTERBOX };
enum arch { ARCH_NANODET_PLUS, ARCH_ONE_STAGE };
enum averager { AVERAGER_NONE, AVERAGER_EMA };
enum guide { GUIDE_SELF, GUIDE_AUX, GUIDE_AVERAGE, GUIDE_TEACHER };
enum optimizer_name { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW, OPTIMIZER_MUON };
enum warmup_name { WARMUP_LINEAR, WARMUP_EXP, WARMUP_CONSTANT };
enum lr_schedule_name { LR_COSINE, LR_MULTI_STEP };
enum evaluator_name { EVALUATOR_COCO };
enum save_key { SAVE_MAP, SAVE_AP50, SAVE_AP75, SAVE_AP_SMALL, SAVE_AP_M, SAVE_AP_L, SAVE_VISDRONE_AP,
                SAVE_VISDRONE_AP50, SAVE_VISDRONE_AP75, SAVE_VISDRONE_AR1, SAVE_VISDRONE_AR10, SAVE_VISDRONE_AR100,
                SAVE_VISDRONE_AR500 };

/* data.*.pipeline: ranges of random draws, [min, max]; with the presets nothing changes. */
struct pipeline_config {
    double perspective;                     /* max magnitude in the last row of the matrix */
    double scale[2], stretch[2][2];         /* factors; stretch: of x, of y */
    double rotation, shear;                 /* max magnitude in degrees */
    double translate;                       /* max magnitude, as a fraction of the side */
    double flip, flip_vertical;             /* probabilities */
    double rotate90;                        /* probability of a rotation by 90, 180 or 270 degrees */
    double copy_paste;                      /* copies per small object */
    int divisible;                          /* resize keep: sides are rounded up to multiples of it; 0: not */
    double brightness;                      /* max magnitude, as a fraction of the full range */
    double contrast[2], saturation[2];      /* factors */
    double normalize[2][3];                 /* mean and standard deviation of blue, green, red, 0..255 */
};

/* size: width and height in pixels of the image, one number for both, 0 for those of the input; no number: no tiles */
enum { TILE_MIN = 32, TILE_MAX = 8192 };    /* pixels of a side, unless it is 0 */
struct train_tiles { struct ints size; double whole; };         /* whole: probability of the whole image */
struct test_tiles { struct ints size; double overlap; bool coarse; };   /* overlap: of neighbours / side of a tile */

struct data_config {                        /* data.train and data.val */
    enum dataset_format name;
    const char *img_path, *ann_path;        /* "": not given */
    const char *image_list;                 /* file of names without extension, one per line: only these; "": all */
    struct strings class_names;             /* as at the top */
    int input_size[2];                      /* width, height */
    bool keep_ratio;                        /* upstream's key: use resize instead */
    enum resize resize;
    double multi_scale[2];                  /* range of the factor of input_size */
    struct train_tiles tiles;               /* of data.train; never of data.val */
    int cache_mb;                           /* cache of decoded images; 0: none */
    bool load_mosaic; struct { double probability; int stop_epochs; } mosaic;   /* of data.train; none in the last
                                               stop_epochs of the run */
    double repeat_factor;                   /* of data.train: the threshold of repeat-factor sampling; 0: off */
    bool scaled_decode;                     /* JPEGs that shrink to a half or less are decoded at 1/2, 1/4 or 1/8 */
    struct pipeline_config pipeline;
};

struct param_rule { const char *match; double lr_mult, decay_mult; };  /* for names that contain match */

struct optimizer_config {
    enum optimizer_name name;
    double lr, weight_decay, momentum, betas[2], eps;
    bool no_norm_decay, no_bias_decay;
    double muon_momentum;
    struct strings muon_skip;                           /* parts of names that Muon leaves to AdamW */
    struct param_rule *rules; int rule_count;           /* param_level_cfg in file order; the first match wins */
};

struct schedule_config {
    bool resume;                            /* as --resume */
    const char *load_model;                 /* as --weights; "": none */
    bool unfold_norms;                      /* of the initial weights, by the first batch */
    bool transfer_head;                     /* initial weights with other classes: weights/transfer.h */
    struct string_rows transfer_classes;    /* pairs: a class of class_names, the file's class that it starts from */
    struct optimizer_config optimizer;
    struct { enum warmup_name name; int steps; double ratio; } warmup;  /* steps 0: none */
    int total_epochs, val_intervals, accumulate;
    double hours;                           /* wall time that chooses total_epochs when a run starts; 0: off */
    int patience;                           /* evaluations without a better score that end the run; 0: off */
    double input_scale[2];                  /* factors of data.train.input_size, first and last epoch */
    struct { enum lr_schedule_name name; int t_max; double eta_min, gamma; struct ints milestones; } lr_schedule;
};

struct test_config {                        /* selection of detections */
    int max_per_image;                      /* 1 .. 5000 */
    double score_thr, nms_iou;              /* min score, max IoU of two detections */
    bool class_agnostic_nms;                /* NMS compares boxes of all classes */
};

enum model_section { MODEL_BACKBONE, MODEL_NECK, MODEL_HEAD, MODEL_AUX_HEAD, MODEL_SECTIONS };
extern const char *const model_sections[MODEL_SECTIONS];        /* "model.arch.backbone", ... */

enum exchange_format { EXCHANGE_FLOAT32, EXCHANGE_BFLOAT16 };

struct model_config {
    enum averager averager;
    double decay, tau;                      /* per step; steps of its warm-up */
    double span;                            /* fraction of the run that sets both when a run starts; 0: off */
    enum arch arch;
    const char *name[MODEL_SECTIONS];       /* the parts; the auxiliary head may be NULL */
    int detach_epoch;
    bool sync_norm;                         /* batch norms join the statistics of all processes */
    struct strings freeze;
    enum guide guide;                       /* whose predictions assign objects to priors */
    struct { const char *config, *weights; } teacher;   /* files; "": not given */
    struct { double localization, classification, temperature; } distill;       /* weights of losses; 0: off */
};

/* The guide or the distillation needs a teacher. */
bool config_has_teacher(const struct model_config *);
bool config_distills(const struct model_config *);

struct config {
    const char *save_dir;
    struct model_config model;
    struct data_config train, val;
    struct test_tiles val_tiles;            /* data.val.tiles: of evaluation, test, predict and the library */
    int batch_size;                         /* of training and of testing */
    int decode_mb;                          /* for image_memory */
    enum exchange_format exchange;          /* of gradients, between processes */
    struct schedule_config schedule;
    double grad_clip;                       /* max L2 norm of all gradients together; 0: no limit */
    enum evaluator_name evaluator;
    enum save_key save_key;                 /* score that selects the best model */
    struct { int interval; double checkpoint_minutes; } log;
    struct test_config test;
    double shown_score;                     /* scores of detections shown to people exceed it: test.score_thr if it was
                                               set, on the command line or to another value than its preset, which
                                               keeps almost everything for scoring; else 0.35 */
    struct strings class_names;
    int seed;

    struct string_list ignored;             /* given keys without effect here, which the program reports once */
    struct string_list *problems;                 /* NULL: the first problem ends the reading */
    bool network_only;                      /* the heads may have another number of classes than class_names */
    bool detects_only;                      /* the file may only hold what config_write_detector_keys writes */
    struct entry root;
    char *file;
};

/* Reads the file `path` and lays count overrides "KEY=VALUE" over it, VALUE being YAML.  Exit 2 names file, line and
 * key of the first problem.  With config->problems, every problem is added to that list, the key takes its preset, and
 * only invalid YAML ends the reading.  Set problems, network_only and detects_only before.  config_free in any case. */
bool config_read(struct config *, const char *path, const char *const *overrides, int count, struct error *);
bool config_parse(struct config *, const void *yaml, size_t size, const char *file, const char *const *overrides,
                  int count, struct error *);
void config_free(struct config *);

/* Fills *to from the section at the path prefix ("model.arch.head") by a table of keys.  A key without a row is
 * refused, except for `name`, which selects the table.  Exit 2 as above. */
bool section_read(struct config *, const char *prefix, const struct key *keys, void *to, struct error *);

/* Fails, naming the key at a dotted path, unless there is a file of that name. */
bool config_require_file(const struct config *, const char *path, const char *file, struct error *);

/* Do both normalise images in the same way? */
bool same_normalize(const struct pipeline_config *, const struct pipeline_config *);

/* The beginning of a message about the key at a dotted path: "configs/demo.yml:12: model.arch.head.strides". */
struct place_text config_place(const struct config *, const char *path);

/* The word that a configuration has for it. */
const char *resize_name(enum resize);
const char *dataset_format_name(enum dataset_format);

/* Sets a number of this room's tables, in the structs and in the tree.  The key must allow the value. */
bool config_set_number(struct config *, const char *path, double value, struct error *);

/* The resolved configuration as YAML: every key with its value, those of the model after section_read. */
void config_write(const struct config *, struct strbuf *);

/* The part of it that detection needs: model, class_names, test, input size, resize and normalisation of data.val.  It
 * has no path and no key without effect.  Read with detects_only and written again, it is the same text. */
bool config_write_detector_keys(const struct config *, struct strbuf *, struct error *);

/* Adds to `names` the keys that touch the results and whose values differ.  Both must have been resolved: b as read
 * from the text of config_write, a with its model built. */
bool config_difference(const struct config *a, const struct config *b, struct string_list *names, struct error *err);
bool config_names_files(const char *path);     /* one of the keys that name the files of a set or of the teacher */

/* The file holds exactly what config_write wrote: no comment and no order of keys of its own. */
bool config_is_written(const char *path);

/* Every key of this room, in lines as write_keys_manual writes them. */
void write_config_manual(struct strbuf *);
#endif
