/* ranks/ranks.h -- the processes of one training.  Each computes an equal share of every batch: a whole number of its
 * parts (graph/parts.h).  Sums over the batch are added as one binary tree, whatever the number of processes, so all
 * have the bits of a process alone.
 *
 * All processes call these functions in the same order, from one thread each.  A struct ranks * of NULL is a process
 * alone, for which they do nothing.  Errors of the network end the job. */
#ifndef RANKS_RANKS_H
#define RANKS_RANKS_H
#include <stdbool.h>
#include <stddef.h>

struct transport;
struct traffic { double bytes, waiting; };      /* sent; seconds */
struct ranks {
    int rank, count;                    /* count: a power of two */
    const struct transport *transport;
    void *context;
    const struct traffic *traffic;      /* since the start */
};

/* How bytes get to another process. */
struct transport {
    void (*send)(void *context, int to, const void *, size_t bytes);
    void (*receive)(void *context, int from, void *, size_t bytes);
    /* Begins to send and to receive `bytes` bytes; `swapped` waits for both, or only asks.  Swaps with one partner have
     * different tags; `slot` is one of SLOTS swaps at a time. */
    void (*swap)(void *context, int slot, int partner, int tag, const void *send, void *receive, size_t send_bytes,
                 size_t receive_bytes);
    bool (*swapped)(void *context, int slot, bool wait);
};
enum { SLOTS = 256 };                   /* slot 0 is that of the functions below */

static inline int rank_of(const struct ranks *r)    { return r ? r->rank : 0; }
static inline int rank_count(const struct ranks *r) { return r ? r->count : 1; }

/* The part [first, first + count) of `all` items that a process has: shares differ by at most one. */
struct share { int first, count; };
struct share share_of(const struct ranks *, int rank, int all);

/* Combines `data` of all processes as a binary tree: combine(left, right, n) stores the result in left; the left
 * operand is that of the lower ranks.  Every process gets the result. */
typedef void combine_values(void *left, const void *right, int n);
void ranks_combine(const struct ranks *, void *data, size_t element, int n, combine_values *);

void ranks_add(const struct ranks *, double *sums, int n);      /* += those of the others */
void ranks_largest(const struct ranks *, double *values, int n);
bool ranks_all(const struct ranks *, bool ok);                  /* is ok true in every process? */

void ranks_broadcast(const struct ranks *, void *, size_t bytes);       /* from rank 0 to the others */
#endif
