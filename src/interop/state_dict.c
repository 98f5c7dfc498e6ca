#include "interop/state_dict.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

enum rank { AVERAGED, PLAIN, DROPPED };         /* the lower one is preferred */

static const struct prefix { const char *name; enum rank rank; } prefixes[] = {
    { "model.", PLAIN },        { "module.", PLAIN },       { "avg_model.", AVERAGED },
    { "ema.", AVERAGED },       { "moment1.", DROPPED },    { "moment2.", DROPPED },    {0} };

struct claim { const char *name; enum rank rank; int tensor; };

static const struct prefix *prefix_of(const char *name)
{
    for (const struct prefix *p = prefixes; p->name; p++)
        if (starts_with(name, p->name))
            return p;
    return NULL;
}

static struct claim claim_of(const char *name, int tensor)
{
    struct claim claim = { name, PLAIN, tensor };
    for (const struct prefix *p; (p = prefix_of(claim.name)); claim.name += strlen(p->name))
        if (p->rank != PLAIN)
            claim.rank = p->rank;
    return claim;
}

static int by_name_and_rank(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (int)x->rank - (int)y->rank;
}

/* A claim is lost to a better one of the same name, which lies before it. */
static void drop_losers(struct tensors *t, const struct claim *claims)
{
    const struct claim *best = claims;
    for (int i = 0; i < t->count; i++) {
        if (strcmp(claims[i].name, best->name) != 0)
            best = &claims[i];
        if (claims[i].rank > best->rank || claims[i].rank == DROPPED)
            t->list[claims[i].tensor].dtype = DTYPE_NONE;
    }
}

bool normalise_weight_names(struct tensors *t, const char *path, struct error *err)
{
    struct claim *claims = new_array((size_t)t->count, sizeof *claims, err);
    if (!claims)
        return false;
    for (int i = 0; i < t->count; i++)
        claims[i] = claim_of(t->list[i].name, i);
    qsort(claims, (size_t)t->count, sizeof *claims, by_name_and_rank);
    drop_losers(t, claims);
    free(claims);
    int kept = 0;
    for (int i = 0; i < t->count; i++) {
        char *name = t->list[i].name;
        const char *stripped = claim_of(name, i).name;
        if (t->list[i].dtype == DTYPE_NONE) {
            free(name);
            continue;
        }
        memmove(name, stripped, strlen(stripped) + 1);
        t->list[kept++] = t->list[i];
    }
    t->count = kept;
    return tensors_index(t, path, err);
}
