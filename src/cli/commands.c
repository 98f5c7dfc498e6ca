#include "cli/commands.h"

const struct command commands[] = {
    { "train", "CONFIG [KEY=VALUE ...]", 0, 0, train_options, train_run, "train, or go on with --resume" },
    { "test", "[CONFIG] --weights FILE [KEY=VALUE ...]", 0, 0, test_options, test_run,
      "score a model on data.val; without CONFIG give data.val.name, img_path and ann_path as KEY=VALUE" },
    { "predict", "[CONFIG] --weights FILE PATH... [KEY=VALUE ...]", 1, MANY, predict_options, predict_run,
      "find objects in images, folders, patterns or - (a stream of MJPEG)" },
    { "heatmap", "[CONFIG] --weights FILE --out DIR IMAGE... [KEY=VALUE ...]", 1, MANY, heatmap_options, heatmap_run,
      "show which parts of images the detections depend on" },
    { "check", "[CONFIG | --keys] [KEY=VALUE ...]", 0, 0, check_options, check_run,
      "report every problem of a configuration" },
    { "synth", "DIR", 1, 1, synth_options, synth_run, "make a data set of generated scenes" },
    { "export", "[CONFIG] --weights FILE --out PATH [KEY=VALUE ...]", 0, 0, export_options, export_run,
      "write the detection network, batch norms folded" },
    { "eval", "GT|CONFIG DETS [KEY=VALUE ...]", 2, 2, eval_options, eval_run,
      "score detections against annotations, or data.val of a CONFIG" },
    { "convert", "visdrone|voc|yolo|labelme SRC --out FILE", 2, 2, convert_options, convert_run,
      "write one set as COCO JSON; SRC is its root or, of several, root/images/train" },
    { "info", "[CONFIG] [--weights FILE] [KEY=VALUE ...]", 0, 0, info_options, info_run,
      "show the layers of a network, their cost, and the description in a weights file" },
    { "bench", "CONFIG --mode train|infer [KEY=VALUE ...]", 0, 0, bench_options, bench_run,
      "measure the speed of training or detection" },
    {0} };
