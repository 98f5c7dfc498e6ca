#include "ranks/ranks.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

struct share share_of(const struct ranks *r, int rank, int all)
{
    const int64_t count = rank_count(r);
    const int first = (int)(all * (int64_t)rank / count), end = (int)(all * ((int64_t)rank + 1) / count);
    return (struct share){ first, end - first };
}

enum { MESSAGE = 1 << 14 };                     /* bytes, at most */

/* Recursive doubling: after the step of distance d, 2 d neighbours have the combination of their values. */
static void combine_chunk(const struct ranks *r, char *data, size_t element, int n, combine_values *combine)
{
    _Alignas(64) char theirs[MESSAGE];
    const size_t bytes = element * (size_t)n;
    for (int distance = 1; distance < r->count; distance *= 2) {
        const int partner = r->rank ^ distance;
        r->transport->swap(r->context, 0, partner, 0, data, theirs, bytes, bytes);
        r->transport->swapped(r->context, 0, true);
        if (r->rank < partner) {
            combine(data, theirs, n);
        } else {
            combine(theirs, data, n);
            memcpy(data, theirs, bytes);
        }
    }
}

void ranks_combine(const struct ranks *r, void *data, size_t element, int n, combine_values *combine)
{
    const int most = (int)(MESSAGE / element);
    for (int from = 0; r && from < n; from += most)
        combine_chunk(r, (char *)data + (size_t)from * element, element, n - from < most ? n - from : most, combine);
}

static void add(void *left, const void *right, int n)
{
    double *to = left;
    const double *from = right;
    for (int i = 0; i < n; i++)
        to[i] += from[i];
}

static void keep_largest(void *left, const void *right, int n)
{
    double *to = left;
    const double *from = right;
    for (int i = 0; i < n; i++)
        to[i] = fmax(to[i], from[i]);
}

void ranks_add(const struct ranks *r, double *sums, int n) { ranks_combine(r, sums, sizeof *sums, n, add); }

void ranks_largest(const struct ranks *r, double *values, int n)
{
    ranks_combine(r, values, sizeof *values, n, keep_largest);
}

bool ranks_all(const struct ranks *r, bool ok)
{
    double failed = !ok;
    ranks_largest(r, &failed, 1);
    return failed == 0;
}

/* In step d, the processes below d that have the bytes hand them to those d further on. */
void ranks_broadcast(const struct ranks *r, void *bytes, size_t size)
{
    for (int distance = 1; distance < rank_count(r); distance *= 2)
        if (r->rank < distance)
            r->transport->send(r->context, r->rank + distance, bytes, size);
        else if (r->rank < 2 * distance)
            r->transport->receive(r->context, r->rank - distance, bytes, size);
}
