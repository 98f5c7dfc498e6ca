/* ranks/exchange.h -- adds gradients of all processes while the caller computes others.
 *
 * A piece is an array that every process has.  Its sum is formed by halves: in each step of the first phase a process
 * sends one half of its range to another process and adds the other half, which it receives; in the second phase the
 * sums travel back the same way (Rabenseifner 2004).  Every element is added as the binary tree of ranks.h. */
#ifndef RANKS_EXCHANGE_H
#define RANKS_EXCHANGE_H
#include "base/error.h"
#include "base/real.h"
#include "ranks/ranks.h"

struct piece { real *p, *received; int count, step; };

struct exchange {
    const struct ranks *ranks;
    struct piece *pieces; int count;    /* those that have begun */
    int complete;                       /* the first pieces are complete */
};

bool exchange_init(struct exchange *, const struct ranks *, struct error *);
void exchange_free(struct exchange *);

/* Begins the sum of p[count], in place; received[count] is memory for it.  At most SLOTS - 1 pieces between two calls
 * of exchange_restart. */
void exchange_begin(struct exchange *, real *p, real *received, int count);
void exchange_advance(struct exchange *);               /* as far as possible without waiting */
void exchange_wait(struct exchange *);                  /* until all pieces are complete */
void exchange_restart(struct exchange *);               /* with no piece; all were complete */
#endif
