#include "model/plans.h"

#include "base/memory.h"
#include "model/criterion.h"
#include <stdlib.h>

bool plans_init(struct plans *plans, struct model *model, const struct binding *to, const struct loss_config *criterion,
                struct error *err)
{
    *plans = (struct plans){ .model = model, .to = *to, .criterion = criterion };
    plans->list = new_array(PLANS, sizeof *plans->list, err);
    return plans->list != NULL;
}

static void drop(struct plans *plans, struct plan *p)
{
    for (int i = 0; p->beside && i < plans->beside; i++)
        graph_free_beside(&p->beside[i]);
    free(p->beside);
    graph_free(&p->graph);
    loss_free(&p->loss);
    *p = (struct plan){0};
}

static void drop_all(struct plans *plans)
{
    while (plans->count > 0)
        drop(plans, &plans->list[--plans->count]);
}

void plans_free(struct plans *plans)
{
    drop_all(plans);
    free(plans->list);
    block_free(plans->block, plans->block_size);
    free(plans->packs.memory);
    *plans = (struct plans){0};
}

static bool same_options(const struct graph_options *a, const struct graph_options *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->training == b->training
        && a->input_gradient == b->input_gradient
        && a->detached == b->detached && a->unfused == b->unfused && a->separate == b->separate;
}

/* Memory for one more graph; where it is too small, the graphs that share it go. */
static bool grow_block(struct plans *plans, size_t size, struct error *err)
{
    if (size <= plans->block_size)
        return true;
    drop_all(plans);
    block_free(plans->block, plans->block_size);
    plans->block_size = 0;
    plans->block = block_new(size, err);
    if (plans->block)
        plans->block_size = size;
    return plans->block != NULL;
}

/* A free place: the plan not used for longest makes room. */
static struct plan *free_place(struct plans *plans)
{
    struct plan *oldest = &plans->list[0];
    if (plans->count < PLANS)
        return &plans->list[plans->count++];
    for (int i = 1; i < PLANS; i++)
        if (plans->list[i].used < oldest->used)
            oldest = &plans->list[i];
    drop(plans, oldest);
    return oldest;
}

/* One of those that run at once begins where all the others', run at other times, do. */
static bool bind_all(struct plans *plans, struct plan *p, struct error *err)
{
    const size_t size = p->graph.block_size;
    size_t all;
    if (!mul_size(size, plans->beside ? (size_t)plans->beside : 1, &all))
        return fail(err, "the plan of memory does not fit the address space");
    bool ok = grow_block(plans, all, err);
    plans->to.block = plans->block;
    plans->to.packs = &plans->packs;
    p->beside = ok ? new_array((size_t)plans->beside, sizeof *p->beside, err) : NULL;
    ok = p->beside && graph_bind(&p->graph, &plans->to, err);
    for (size_t i = 0; ok && i < (size_t)plans->beside; i++)
        ok = graph_bind_beside(&p->beside[i], &p->graph, (unsigned char *)plans->block + i * size, err);
    return ok;
}

static struct plan *make(struct plans *plans, const struct graph_options *o, struct error *err)
{
    struct plan p = { .options = *o };
    p.options.kernels = plans->to.kernels;
    const bool ok = model_graph(plans->model, &p.options, &p.graph, err) && bind_all(plans, &p, err)
                 && criterion_grid(plans->model, o->n, o->h, o->w, &p.grid, err)
                 && (!plans->criterion
                     || loss_init(&p.loss, plans->criterion, &p.grid, plans->to.team, plans->to.kernels, err));
    if (!ok) {
        drop(plans, &p);
        return NULL;
    }
    struct plan *place = free_place(plans);
    *place = p;
    return place;
}

struct plan *plans_find(struct plans *plans, const struct graph_options *options, struct error *err)
{
    struct plan *found = NULL;
    for (int i = 0; i < plans->count && !found; i++)
        if (same_options(&plans->list[i].options, options))
            found = &plans->list[i];
    if (!found)
        found = make(plans, options, err);
    if (found)
        found->used = ++plans->calls;
    return found;
}
