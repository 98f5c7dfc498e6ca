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

/* y = op(y), op(x, y) or op(y, numbers); y is x at first.  attributes as in emit.h; %.9g: the slope. */
struct onnx_step { const char *op, *attributes; bool with_x; int numbers; float number[2]; };

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
        const char *op;                 /* the operator that computes it, if it needs no attributes; else NULL */
        struct onnx_step steps[ONNX_STEPS];             /* as written; none: Identity */
        enum gate gate; bool times_x; double scale;     /* GATE_ONE, or the function is gate(x) [x] scale */
    } onnx;
    struct ncnn_spelling ncnn[NCNN_SPELLINGS];          /* the first is written, all are read */
};
extern const struct act_spelling act_spellings[ACT_KINDS];
#endif
