#include "cli/commands.h"

const struct command commands[] = {
    { "train", "CONFIG [KEY=VALUE ...]", 1, 1, train_options, train_run, "train, or go on with --resume" },
    { "check", "CONFIG [KEY=VALUE ...]", 0, 1, check_options, check_run, "report every problem of a configuration" },
    { "synth", "DIR", 1, 1, synth_options, synth_run, "make a data set of generated scenes" },
    { "eval", "GT DETS", 2, 2, eval_options, eval_run, "score detections against ground truth" },
    {0} };
