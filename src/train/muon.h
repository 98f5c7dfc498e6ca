/* train/muon.h -- Muon: matrices step along their orthogonalised momentum (Jordan et al. 2024, "Muon: An optimizer for
 * hidden layers in neural networks").
 *
 * A weight OHWI is a matrix W of `out` rows and h w in columns.  With g the clipped gradient and b the momentum:
 *     m = b m + (1 - b) g;  u = b m + (1 - b) g (Nesterov);  X = u / (|u| + 1e-7), |u| the Frobenius norm
 *     five times (Newton-Schulz): A = X X^T,  X = 3.4445 X - 4.7750 A X + 2.0315 A A X
 *     W -= lr decay W;  W -= lr 0.2 sqrt(max(rows, columns)) X
 * The last factor gives an update the root mean square of one by AdamW, so that the same rate and decay suit both (Liu
 * et al. 2025, "Muon is Scalable for LLM Training"). */
#ifndef TRAIN_MUON_H
#define TRAIN_MUON_H
#include "base/team.h"
#include "graph/params.h"
#include "kernel/kernels.h"
#include "train/schedule.h"

struct muon_matrix {
    ptrdiff_t offset; int rows, columns;
    double decay; int rate;             /* index into rates */
    int tall, thin;                     /* the larger and the smaller extent */
    real *x, *next;                     /* [tall][thin] X, transposed if it is wide */
    real *gram, *polynomial;            /* [thin][thin] A; 3.4445 - 4.7750 A + 2.0315 A A */
};

struct muon_block { int matrix, first, count; };        /* rows of a product, computed together */
struct muon_blocks { struct muon_block *list; int count; };

struct muon {
    struct muon_matrix *list; int count;
    struct muon_blocks thin, tall;      /* of gram and polynomial; of x */
    real *memory;
};

/* A weight of a convolution with more than one input channel per group, or of a linear layer, whose name contains no
 * word of muon_skip.  AdamW trains the rest. */
bool muon_takes(const struct optimizer_config *, const struct param *);

/* Room for `capacity` matrices; then muon_add for each of them; then muon_layout, once.  muon_free in any case. */
bool muon_init(struct muon *, int capacity, struct error *);
void muon_add(struct muon *, const struct param *, double decay, int rate);
bool muon_layout(struct muon *, struct error *);
void muon_free(struct muon *);

/* Arrays are in the layout of params. */
struct muon_step { const struct kernels *kernels; const struct rate *rates; real clip, momentum;
                   const real *gradient; real *moment, *value; };
void muon_step(struct muon *, const struct muon_step *, const struct team *);
#endif
