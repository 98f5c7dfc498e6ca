/* interop/activations.h -- how files spell the activations of kernel/activation_rows.h. */
#ifndef INTEROP_ACTIVATIONS_H
#define INTEROP_ACTIVATIONS_H
#include "kernel/act.h"
#include <stdbool.h>

/* A function of x that ONNX spells with several operators.  The reader recognises its steps in any order of factors
 * (interop/onnx/activations.c). */
enum gate {
    GATE_ONE,                   /* 1 */
    GATE_RELU6,                 /* min(max(x + 3, 0), 6) */
    GATE_SIGMOID,               /* 1 / (1 + exp(-x)) */
    GATE_ERF,                   /* erf(x / sqrt 2) */
    GATE_ONE_ERF,               /* 1 + erf(x / sqrt 2) */
    GATE_SOFTPLUS,              /* ln(1 + exp(x)) */
    GATE_TANH_SOFTPLUS          /* tanh(ln(1 + exp(x))) */
};

/* An operator that is applied to y, which is x at first.  attributes as in emit.h; %.9g: the slope. */
enum onnx_second { ONNX_ALONE, ONNX_X, ONNX_NUMBERS };
struct onnx_step {
    const char *op, *attributes;
    enum onnx_second second;            /* op(y), op(x, y) or op(y, numbers) */
    int numbers; float number[2];
};

/* A type of layer in ncnn and the values of its first parameters, ids 0 and 1, as text; "slope": the slope; NULL: 0. */
struct ncnn_spelling {
    const char *type;
    int fused;                          /* the value of id 9 of a convolution; 0: cannot be fused */
    const char *params[2];
    double presets[2];                  /* ncnn's, for parameters that a line does not give */
};

enum { ONNX_STEPS = 5, NCNN_SPELLINGS = 3 };

struct act_spelling {
    struct {
        const char *op;                 /* the operator that is this activation; NULL: none, or none without a check */
        struct onnx_step steps[ONNX_STEPS];             /* as written; all empty: Identity */
        enum gate gate; bool times_x; double scale;     /* the function is gate(x), or gate(x) x, times scale */
    } onnx;
    struct ncnn_spelling ncnn[NCNN_SPELLINGS];          /* the first is written, all are read */
};
extern const struct act_spelling act_spellings[ACT_KINDS];
#endif
