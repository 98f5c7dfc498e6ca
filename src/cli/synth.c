/* cli/synth.c -- generates a data set of aerial scenes, so that everything can be tried without a download. */
#include "base/escape.h"
#include "cli/commands.h"
#include "synth/synth.h"
#include <stdio.h>

const struct option synth_options[] = {
    { "images",     "N",       "500",     "scenes for training" },
    { "val-images", "N",       "100",     "scenes for validation" },
    { "size",       "WxH",     "384x384", "width and height of a scene in pixels" },
    { "objects",    "MIN-MAX", "10-30",   "objects per scene" },
    { "scale",      "PIXELS",  "13",
      "pixels per metre; 6 with --size 1360x765 --objects 100-400 gives high-altitude views" },
    { "seed",       "N",       "0",       "other scenes" },
    {0} };

bool synth_run(const struct args *args, struct error *err)
{
    struct synth_config c = {0};
    int seed = 0;
    if (!args_int(args, "images", 1, 1000000, &c.images, err)
        || !args_int(args, "val-images", 0, 1000000, &c.val_images, err)
        || !args_pair(args, "size", 'x', 64, 4096, &c.width, &c.height, err)
        || !args_pair(args, "objects", '-', 0, 10000, &c.objects_min, &c.objects_max, err)
        || !args_real(args, "scale", 1, 100, &c.scale, err) || !args_int(args, "seed", 0, 2147483647, &seed, err))
        return false;
    if (c.objects_min > c.objects_max)
        return misuse(err, "--objects: %d is more than %d", c.objects_min, c.objects_max);
    c.seed = (uint64_t)seed;
    const struct team team = { args->threads };
    if (!synth_write(&c, args->rest[0], &team, err))
        return false;
    print_line(stderr, "%s: %d scenes for training, %d for validation", args->rest[0], c.images, c.val_images);
    return true;
}
