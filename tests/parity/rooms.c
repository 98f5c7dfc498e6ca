/* The rooms of a tree of fixtures, in the order in which they are compared. */
#include "rooms.h"

#include <stddef.h>

const struct parity_room parity_rooms[] = {
    { "assign", ".safetensors", parity_assign },
    { "augment", ".json", parity_augment },
    { "preprocess", "meta.json", parity_preprocess },
    { "coco_eval", NULL, parity_coco_eval },
    { "visdrone_eval", NULL, parity_visdrone_eval },
    { "loss", ".safetensors", parity_loss },
    { "nms", ".safetensors", parity_nms },
    { "schedule", ".json", parity_schedule },
    { "schedules", ".safetensors", parity_schedules },
    { "models", NULL, parity_models },
    { "detect", NULL, parity_detect },
    { "sizes.json", "", parity_sizes },
    {0} };
