/* ranks/exchange.h -- adds gradients of all processes while the caller computes others.
 *
 * A piece is an array that every process has.  Its sum is formed by halves: in each step of the first phase a process
 * sends one half of its range to another process and adds the other half, which it receives; in the second phase the
 * sums travel back the same way (Rabenseifner 2004).  Every element is added as the binary tree of ranks.h.
 *
 * Halves travel as float32 or, rounded, as bfloat16, which takes half the time on a slow network.  Sums are computed in
 * float32, and all processes get the same ones. */
#ifndef RANKS_EXCHANGE_H
#define RANKS_EXCHANGE_H
#include "base/error.h"
#include "base/real.h"
#include "ranks/ranks.h"

struct piece { real *p, *wire; int count, step; };

struct exchange {
    const struct ranks *ranks;
    bool bf16;                          /* the format between processes */
    struct piece *pieces; int count;    /* those that have begun */
    int complete;                       /* the first pieces are complete */
};

bool exchange_init(struct exchange *, const struct ranks *, bool bf16, struct error *);
void exchange_free(struct exchange *);

/* Begins the sum of p[count], in place; wire[count] is memory for it.  At most SLOTS - 1 pieces between two calls
 * of exchange_restart. */
void exchange_begin(struct exchange *, real *p, real *wire, int count);
void exchange_advance(struct exchange *);               /* as far as possible without waiting */
void exchange_wait(struct exchange *);                  /* until all pieces are complete */
void exchange_restart(struct exchange *);               /* with no piece; all were complete */
#endif
