#include "model/registry.h"

#include "model/parts.h"

const struct backbone backbones[] = {
    { "ShuffleNetV2", shufflenet_v2_keys, sizeof(struct shufflenet_v2), shufflenet_v2_build },
    {0} };

const struct neck necks[] = {
    { "GhostPAN", ghost_pan_keys, sizeof(struct ghost_pan), ghost_pan_build },
    {0} };

const struct head heads[] = {
    { "NanoDetPlusHead", nanodet_plus_head_keys, sizeof(struct nanodet_plus_head), nanodet_plus_head_build },
    { "SimpleConvHead", simple_conv_head_keys, sizeof(struct simple_conv_head), simple_conv_head_build },
    {0} };
