#include "interop/activations.h"

#include <math.h>
#include <stddef.h>

/* Rounded to 9 digits. */
#define SIXTH_FLOAT "0.166666667"
#define SIXTH       "1.66666667e-01"
#define ONNX_HARD_SIGMOID { "HardSigmoid", "alpha~" SIXTH_FLOAT " beta~0.5" }
#define NCNN_HARD(type, fused) { type, fused, { SIXTH, "0.5" }, { 0.2, 0.5 } }

const struct act_spelling act_spellings[ACT_KINDS] = {
    [ACT_NONE]         = { .ncnn = { { .type = "Noop" } } },
    [ACT_LEAKY_RELU]   = { { .steps = { { "LeakyRelu", "alpha~%.9g" } } }, { { "ReLU", 2, { "slope" } } } },
    [ACT_RELU]         = { { "Relu", { { "Relu" } } },
                           { { "ReLU", 1 }, { "ReLU", 2 },
                             { "Clip", 3, { "0.0", "1e38" }, { -INFINITY, INFINITY } } } },
    [ACT_RELU6]        = { { .steps = { { "Clip", NULL, ONNX_NUMBERS, 2, { 0, 6 } } } },
                           { { "Clip", 3, { "0.0", "6.0" }, { -INFINITY, INFINITY } } } },
    [ACT_HARD_SWISH]   = { { "HardSwish", { ONNX_HARD_SIGMOID, { "Mul", NULL, ONNX_X } }, GATE_RELU6, true, 1. / 6 },
                           { NCNN_HARD("HardSwish", 6) } },
    [ACT_SILU]         = { { NULL, { { "Sigmoid" }, { "Mul", NULL, ONNX_X } }, GATE_SIGMOID, true, 1 },
                           { { "Swish" } } },
    [ACT_GELU]         = { { NULL, { { "Mul", NULL, ONNX_NUMBERS, 1, { 0.70710678f } }, { "Erf" },
                                     { "Add", NULL, ONNX_NUMBERS, 1, { 1 } }, { "Mul", NULL, ONNX_X },
                                     { "Mul", NULL, ONNX_NUMBERS, 1, { 0.5f } } }, GATE_ONE_ERF, true, 0.5 },
                           { { "GELU" } } },
    [ACT_HARD_SIGMOID] = { { NULL, { ONNX_HARD_SIGMOID }, GATE_RELU6, false, 1. / 6 },
                           { NCNN_HARD("HardSigmoid", 0) } },
    [ACT_SIGMOID]      = { { NULL, { { "Sigmoid" } }, GATE_SIGMOID, false, 1 }, { { "Sigmoid", 4 } } },
    [ACT_MISH]         = { { "Mish", { { "Softplus" }, { "Tanh" }, { "Mul", NULL, ONNX_X } },
                             GATE_TANH_SOFTPLUS, true, 1 }, { { "Mish", 5 } } } };
