/* config/keys.c -- the keys of a configuration, apart from those of the model's parts, and the words that some take. */
#include "config/section.h"

/* ---- words ---- */

static const struct word dataset_words[] = {
    { "CocoDataset", DATASET_COCO }, { "XMLDataset", DATASET_XML }, { "YoloDataset", DATASET_YOLO },
    { "VisDroneDataset", DATASET_VISDRONE }, { "coco", DATASET_COCO }, { "xml_dataset", DATASET_XML },
    { "yolo", DATASET_YOLO }, { "LabelMeDataset", DATASET_LABELME }, {0} };

static const struct word resize_words[] = {             /* true and false: what keep_ratio says */
    { "stretch", RESIZE_STRETCH }, { "keep", RESIZE_KEEP }, { "letterbox", RESIZE_LETTERBOX },
    { "true", RESIZE_KEEP }, { "false", RESIZE_STRETCH }, {0} };

static const struct word arch_words[] = {
    { "NanoDetPlus", ARCH_NANODET_PLUS }, { "OneStageDetector", ARCH_ONE_STAGE }, { "GFL", ARCH_ONE_STAGE }, {0} };

static const struct word averager_words[] = { { "none", AVERAGER_NONE }, { "ExpMovingAverager", AVERAGER_EMA }, {0} };

static const struct word guide_words[] = {
    { "self", GUIDE_SELF }, { "aux", GUIDE_AUX }, { "average", GUIDE_AVERAGE }, { "teacher", GUIDE_TEACHER }, {0} };

static const struct word exchange_words[] = {
    { "float32", EXCHANGE_FLOAT32 }, { "bfloat16", EXCHANGE_BFLOAT16 }, {0} };
static const struct word optimizer_words[] = {
    { "SGD", OPTIMIZER_SGD }, { "Adam", OPTIMIZER_ADAM }, { "AdamW", OPTIMIZER_ADAMW },
    { "Muon", OPTIMIZER_MUON }, {0} };

static const struct word warmup_words[] = {
    { "linear", WARMUP_LINEAR }, { "exp", WARMUP_EXP }, { "constant", WARMUP_CONSTANT }, {0} };

static const struct word lr_words[] = { { "CosineAnnealingLR", LR_COSINE }, { "MultiStepLR", LR_MULTI_STEP }, {0} };

static const struct word evaluator_words[] = { { "CocoDetectionEvaluator", EVALUATOR_COCO }, {0} };

static const struct word save_words[] = {
    { "mAP", SAVE_MAP }, { "AP_50", SAVE_AP50 }, { "AP_75", SAVE_AP75 }, { "AP_small", SAVE_AP_SMALL },
    { "AP_m", SAVE_AP_M }, { "AP_l", SAVE_AP_L }, { "visdrone_AP", SAVE_VISDRONE_AP },
    { "visdrone_AP50", SAVE_VISDRONE_AP50 }, { "visdrone_AP75", SAVE_VISDRONE_AP75 },
    { "visdrone_AR1", SAVE_VISDRONE_AR1 }, { "visdrone_AR10", SAVE_VISDRONE_AR10 },
    { "visdrone_AR100", SAVE_VISDRONE_AR100 }, { "visdrone_AR500", SAVE_VISDRONE_AR500 }, {0} };

/* ---- keys ---- */

const struct key config_keys[] = {
    { "save_dir", FIELD(config, save_dir), "workspace", 1, 0, "folder for the files of a training" },
    { "seed",     FIELD(config, seed),     "0", 0, 2147483647, "of initial weights, order and augmentation" },
    { "class_names", FIELD(config, class_names), NULL, 0, 0, "classes in the order of the network's outputs" },

    { "model.arch.name",         WORDS(config, model.arch, arch_words), NULL, 0, 0,
      "NanoDetPlus has an auxiliary head" },
    { "model.arch.detach_epoch", FIELD(config, model.detach_epoch), "0", 0, 1000000,
      "first epoch in which the auxiliary branch passes no gradient to the network" },
    { "model.arch.backbone", .type = KEY_SECTION },
    { "model.arch.fpn",      .type = KEY_SECTION },
    { "model.arch.head",     .type = KEY_SECTION },
    { "model.arch.aux_head", .type = KEY_SECTION },
    { "model.weight_averager.name",  WORDS(config, model.averager, averager_words), "none", 0, 0,
      "average of the weights for evaluation and export" },
    { "model.weight_averager.decay", FIELD(config, model.decay), "0.9998", 0, 1, "EMA decay per step" },
    { "model.weight_averager.tau", FIELD(config, model.tau), "2000", 1, 1e9,
      "steps of the average's warm-up: after i steps the current weights also count for exp(-i / tau)" },
    { "model.weight_averager.span", FIELD(config, model.span), "0", 0, 1,
      "fraction of the run's steps that the average covers: sets decay and tau; 0: off" },
    { "model.sync_norm", FIELD(config, model.sync_norm), "true", 0, 0,
      "in several processes, batch norms use the statistics of the whole batch; false: of each process's share" },
    { "model.freeze", FIELD(config, model.freeze), "[]", 0, 0,
      "prefixes of the names of parameters that are not trained" },
    { "model.guide", WORDS(config, model.guide, guide_words), "self", 0, 0,
      "whose predictions assign objects in training: those of the head itself, of the auxiliary head (preset if there "
      "is one), of the averaged weights or of the teacher" },
    { "model.teacher.config",  FIELD(config, model.teacher.config), "", 0, 0,
      "configuration of the teacher; none: its weights describe it" },
    { "model.teacher.weights", FIELD(config, model.teacher.weights), "", 0, 0,
      "weights of the teacher, in any format" },
    { "model.distill.localization", FIELD(config, model.distill.localization), "0", 0, 1e6,
      "weight of the distillation of distances from the teacher; 0: none" },
    { "model.distill.classification", FIELD(config, model.distill.classification), "0", 0, 1e6,
      "weight of the distillation of class logits, for classes that the teacher has; 0: none" },
    { "model.distill.temperature", FIELD(config, model.distill.temperature), "10", 0.1, 100,
      "divides the logits of both networks in distillation" },

    { "data.train", .type = KEY_SECTION },
    { "data.val",   .type = KEY_SECTION },

    { "device.batchsize_per_gpu", FIELD(config, batch_size), "16", 1, 65536, "images per batch" },
    { "device.decode_mb", FIELD(config, decode_mb), "1500", 16, 1048576,
      "MB for reading and decoding images, all threads together" },
    { "device.exchange", WORDS(config, exchange, exchange_words), "float32", 0, 0,
      "format of gradients between processes; bfloat16 halves the traffic and rounds them" },
    { "device.gpu_ids",           .type = KEY_IGNORED, .help = "no effect: there is no GPU" },
    { "device.workers_per_gpu",   .type = KEY_IGNORED, .help = "no effect: see --threads" },
    { "device.precision",         .type = KEY_IGNORED, .help = "no effect: always 32" },

    { "schedule.resume",     FIELD(config, schedule.resume), "false", 0, 0, "as --resume" },
    { "schedule.load_model", FIELD(config, schedule.load_model), "", 0, 0, "weights to start from, as --weights" },
    { "schedule.unfold_norms", FIELD(config, schedule.unfold_norms), "false", 0, 0,
      "batch norms that are folded in the initial weights get the statistics of the first batch" },
    { "schedule.transfer_head", FIELD(config, schedule.transfer_head), "false", 0, 0,
      "initial weights with other classes: load the distances, and classes of the same name" },
    { "schedule.transfer_classes", FIELD(config, schedule.transfer_classes), "[]", 0, 0,
      "with transfer_head: pairs [class, class of the file], where the names differ" },
    { "schedule.total_epochs",  FIELD(config, schedule.total_epochs), NULL, 1, 1000000, "epochs to train" },
    { "schedule.hours", FIELD(config, schedule.hours), "0", 0, 10000,
      "wall time of the whole training: chooses total_epochs and T_max for it; 0: off" },
    { "schedule.patience", FIELD(config, schedule.patience), "0", 0, 1000000,
      "evaluations without a better score that end the training; 0: off" },
    { "schedule.input_scale", FIELD(config, schedule.input_scale), "[1, 1]", 0.1, 4,
      "factors of data.train.input_size in the first and in the last epoch; sides become multiples of 32" },
    { "schedule.val_intervals", FIELD(config, schedule.val_intervals), "10", 1, 1000000, "epochs between evaluations" },
    { "schedule.accumulate",    FIELD(config, schedule.accumulate), "1", 1, 1024, "batches per optimiser step" },
    { "schedule.optimizer.name", WORDS(config, schedule.optimizer.name, optimizer_words), NULL, 0, 0, "optimiser" },
    { "schedule.optimizer.lr",   FIELD(config, schedule.optimizer.lr), NULL, 0, 100, "peak learning rate" },
    { "schedule.optimizer.weight_decay", FIELD(config, schedule.optimizer.weight_decay), NULL, 0, 100,
      "weight decay; decoupled for AdamW and Muon, else added to the gradient" },
    { "schedule.optimizer.momentum", FIELD(config, schedule.optimizer.momentum), "0", 0, 1, "momentum of SGD" },
    { "schedule.optimizer.betas", FIELD(config, schedule.optimizer.betas), "[0.9, 0.999]", 0, 0.9999999999,
      "decay rates of the moments of Adam and AdamW" },
    { "schedule.optimizer.eps",   FIELD(config, schedule.optimizer.eps), "1e-8", 1e-30, 1, "of Adam and AdamW" },
    { "schedule.optimizer.muon_momentum", FIELD(config, schedule.optimizer.muon_momentum), "0.95", 0, 0.999999,
      "momentum of Muon, which trains matrices only; AdamW trains the other parameters" },
    { "schedule.optimizer.muon_skip", FIELD(config, schedule.optimizer.muon_skip), "[gfl_]", 0, 0,
      "parts of the names of matrices that AdamW trains under Muon: the output layers" },
    { "schedule.optimizer.no_norm_decay", FIELD(config, schedule.optimizer.no_norm_decay), "false", 0, 0,
      "no weight decay for normalisations" },
    { "schedule.optimizer.no_bias_decay", FIELD(config, schedule.optimizer.no_bias_decay), "false", 0, 0,
      "no weight decay for biases" },
    { "schedule.optimizer.param_level_cfg", .type = KEY_SECTIONS, .preset = "{}", .help =
      "part of a parameter's name: {lr_mult, decay_mult}; the first match applies" },
    { "schedule.warmup.name",  WORDS(config, schedule.warmup.name, warmup_words), "linear", 0, 0, "shape" },
    { "schedule.warmup.steps", FIELD(config, schedule.warmup.steps), "0", 0, 2147483647, "steps; 0: none" },
    { "schedule.warmup.ratio", FIELD(config, schedule.warmup.ratio), "0.1", 0, 1, "first learning rate / peak" },
    { "schedule.lr_schedule.name", WORDS(config, schedule.lr_schedule.name, lr_words), "CosineAnnealingLR", 0, 0,
      "decay of the learning rate, once per epoch" },
    { "schedule.lr_schedule.T_max", FIELD(config, schedule.lr_schedule.t_max), "=schedule.total_epochs", 1, 1000000,
      "epochs of half a cosine period" },
    { "schedule.lr_schedule.eta_min", FIELD(config, schedule.lr_schedule.eta_min), "0", 0, 100,
      "learning rate at the end of the cosine" },
    { "schedule.lr_schedule.milestones", FIELD(config, schedule.lr_schedule.milestones), "[]", 0, 1000000,
      "epochs at which MultiStepLR multiplies by gamma" },
    { "schedule.lr_schedule.gamma", FIELD(config, schedule.lr_schedule.gamma), "0.1", 0, 10, "factor of MultiStepLR" },
    { "grad_clip", FIELD(config, grad_clip), "0", 0, 1e30, "max L2 norm of all gradients together; 0: no limit" },

    { "evaluator.name",     WORDS(config, evaluator, evaluator_words), "CocoDetectionEvaluator", 0, 0,
      "score protocol" },
    { "evaluator.save_key", WORDS(config, save_key, save_words), "mAP", 0, 0,
      "score that selects model_best; visdrone_*: of data.val.name VisDroneDataset" },
    { "log.interval", FIELD(config, log.interval), "50", 1, 1000000, "steps per row of metrics.csv" },
    { "log.checkpoint_minutes", FIELD(config, log.checkpoint_minutes), "10", 0.01, 1e6,
      "minutes between checkpoints within an epoch" },
    { "cudnn_benchmark", .type = KEY_IGNORED, .help = "no effect: there is no GPU" },
    { "test", .type = KEY_SECTION },
    {0} };

const struct key data_keys[] = {                 /* data.train, data.val */
    { "name",     WORDS(data_config, name, dataset_words), "CocoDataset", 0, 0, "format of the annotations" },
    { "img_path", FIELD(data_config, img_path), "", 0, 0, "folder of images" },
    { "ann_path", FIELD(data_config, ann_path), "", 0, 0, "file or folder of annotations" },
    { "image_list", FIELD(data_config, image_list), "", 0, 0,
      "file with one image name per line, without extension: only these images" },
    { "class_names", FIELD(data_config, class_names), "=class_names", 0, 0, "must equal class_names at the top" },
    { "input_size", FIELD(data_config, input_size), "=data.train.input_size", 16, 8192, "width and height" },
    { "keep_ratio", FIELD(data_config, keep_ratio), "true", 0, 0, "upstream's form of resize: keep or stretch" },
    { "resize", WORDS(data_config, resize, resize_words), "=keep_ratio", 0, 0,
      "to input_size; inside it with the ratio of sides kept; the same with a border" },
    { "multi_scale", FIELD(data_config, multi_scale), "[1, 1]", 0.1, 10, "range of the factor on input_size" },
    { "tiles", .type = KEY_SECTION },
    { "cache_mb", FIELD(data_config, cache_mb), "0", 0, 1048576, "MB for decoded images kept in memory" },
    { "scaled_decode", FIELD(data_config, scaled_decode), "false", 0, 0,
      "decode JPEGs at 1/2, 1/4 or 1/8 where they shrink that much; changes pixels; not with cache_mb" },
    { "load_mosaic", FIELD(data_config, load_mosaic), "false", 0, 0,
      "samples of four images that meet in a random point; data.train only" },
    { "mosaic.probability", FIELD(data_config, mosaic.probability), "1", 0, 1,
      "with load_mosaic: probability that a sample is a mosaic" },
    { "mosaic.stop_epochs", FIELD(data_config, mosaic.stop_epochs), "5", 0, 1000000,
      "with load_mosaic: epochs at the end of the run without mosaics" },
    { "repeat_factor", FIELD(data_config, repeat_factor), "0", 0, 1,
      "images of classes in less than this fraction of the images repeat within an epoch; data.train only; 0: off" },
    { "pipeline.perspective", FIELD(data_config, pipeline.perspective), "0", 0, 0.1, "max coefficient in 1/pixel" },
    { "pipeline.scale",    FIELD(data_config, pipeline.scale), "[1, 1]", 0.01, 100, "range of the factor" },
    { "pipeline.stretch",  FIELD(data_config, pipeline.stretch), "[[1, 1], [1, 1]]", 0.01, 100,
      "ranges of the factors of x and of y" },
    { "pipeline.rotation", FIELD(data_config, pipeline.rotation), "0", 0, 180, "max degrees" },
    { "pipeline.shear",    FIELD(data_config, pipeline.shear), "0", 0, 80, "max degrees" },
    { "pipeline.translate", FIELD(data_config, pipeline.translate), "0", 0, 1, "max shift / side" },
    { "pipeline.flip",     FIELD(data_config, pipeline.flip), "0", 0, 1, "probability of a horizontal flip" },
    { "pipeline.flip_vertical", FIELD(data_config, pipeline.flip_vertical), "0", 0, 1,
      "probability of a vertical flip; data.train only" },
    { "pipeline.rotate90", FIELD(data_config, pipeline.rotate90), "0", 0, 1,
      "probability of a rotation by 90, 180 or 270 degrees; data.train only" },
    { "pipeline.copy_paste", FIELD(data_config, pipeline.copy_paste), "0", 0, 10,
      "copies per object of at most 32 x 32 pixels at the input size, on average; data.train only" },
    { "pipeline.divisible", FIELD(data_config, pipeline.divisible), "0", 0, 1024,
      "with resize keep: sides are rounded up to multiples of it; 0: not" },
    { "pipeline.brightness", FIELD(data_config, pipeline.brightness), "0", 0, 1, "max offset / full range" },
    { "pipeline.contrast",   FIELD(data_config, pipeline.contrast), "[1, 1]", 0, 100, "range of the factor" },
    { "pipeline.saturation", FIELD(data_config, pipeline.saturation), "[1, 1]", 0, 100, "range of the factor" },
    { "pipeline.normalize",  FIELD(data_config, pipeline.normalize),
      "[[103.53, 116.28, 123.675], [57.375, 57.12, 58.395]]", 0, 255,
      "mean and standard deviation of blue, green, red" },
    { "use_instance_mask", .type = KEY_IGNORED, .help = "no effect: boxes only" },
    { "use_seg_mask",      .type = KEY_IGNORED, .help = "no effect: boxes only" },
    { "use_keypoint",      .type = KEY_IGNORED, .help = "no effect: boxes only" },
    {0} };

#define TILE_SIZE(member) { "size", member, "[]", 0, TILE_MAX, \
      "width and height of a tile in pixels of the image, or one number for both; 0: input_size; []: no tiles" }

const struct key train_tile_keys[] = {
    TILE_SIZE(FIELD(train_tiles, size)),
    { "whole", FIELD(train_tiles, whole), "0.2", 0, 1, "probability of the whole image instead of a tile" },
    {0} };

const struct key test_tile_keys[] = {
    TILE_SIZE(FIELD(test_tiles, size)),
    { "overlap", FIELD(test_tiles, overlap), "0.2", 0.05, 0.9, "min overlap of neighbouring tiles / side of a tile" },
    { "coarse", FIELD(test_tiles, coarse), "true", 0, 0,
      "further passes, for larger objects: tiles of twice the size and so on, and the whole image" },
    {0} };

const struct key test_keys[] = {
    { "max_per_image", FIELD(test_config, max_per_image), "100", 1, 5000,
      "max detections per image; preset 500 if data.val.name is VisDroneDataset" },
    { "score_thr", FIELD(test_config, score_thr), "0.05", 0.0001, 0.9999, "detections have scores above this" },
    { "nms_iou",   FIELD(test_config, nms_iou),   "0.6", 0, 1, "NMS removes boxes with an IoU above this" },
    { "class_agnostic_nms", FIELD(test_config, class_agnostic_nms), "false", 0, 0,
      "NMS compares boxes of all classes, not only of the same class" },
    { ANY_OTHER_KEY, .type = KEY_IGNORED, .help = "other keys in a file: no effect, as upstream" },
    {0} };

const struct key_table key_tables[] = {
    { "", config_keys }, { "data.train", data_keys }, { "data.val", data_keys },
    { "data.train.tiles", train_tile_keys }, { "data.val.tiles", test_tile_keys }, { "test", test_keys }, {0} };

const struct key rule_keys[] = {
    { "lr_mult",    FIELD(param_rule, lr_mult),    "1", 0, 1e6, "factor of the learning rate" },
    { "decay_mult", FIELD(param_rule, decay_mult), "1", 0, 1e6, "factor of the weight decay" },
    {0} };

/* ---- for readers ---- */

static const char *name_of(const struct word *word, int value)
{
    while (word->value != value)
        word++;
    return word->name;
}

const char *resize_name(enum resize resize) { return name_of(resize_words, (int)resize); }

const char *dataset_format_name(enum dataset_format format) { return name_of(dataset_words, (int)format); }

void write_config_manual(struct strbuf *out)
{
    write_keys_manual("", config_keys, out);
    write_keys_manual("data.{train,val}", data_keys, out);
    write_keys_manual("data.train.tiles", train_tile_keys, out);
    write_keys_manual("data.val.tiles", test_tile_keys, out);
    write_keys_manual("test", test_keys, out);
}
