#include "weights/merge.h"

#include "base/memory.h"
#include "deploy/network_fold.h"
#include "model/model_network.h"
#include <stdlib.h>
#include <string.h>

static const struct tensor *find_tensor(const struct tensors *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->list[i].name, name) == 0)
            return &t->list[i];
    return NULL;
}

/* Copies the weight of a convolution that replaces branches from the merged network. */
static bool copy_merged(const struct network *net, const struct param *to, real *array, struct error *err)
{
    const struct tensor *t = find_tensor(&net->weights, to->name);
    if (!t || tensor_count(t) != (size_t)to->count)
        return fail(err, "%s: the branches do not make such a convolution", to->name);
    float *values = new_array((size_t)to->count, sizeof *values, err);
    if (!values)
        return false;
    tensor_floats(t, values);
    param_from_file(to, values, array);
    free(values);
    return true;
}

bool model_merge(struct model *merged, struct model *m, const real *values, struct error *err)
{
    struct network net = {0};
    bool ok = model_open_merged(merged, m->config, err) && model_export_network(m, values, &net, err)
           && network_fold(&net, err) && network_merge(&net, err);
    for (int i = 0; ok && i < merged->params.count; i++) {
        const struct param *to = &merged->params.list[i];
        const int own = params_find(&m->params, to->name);
        if (own < 0)
            ok = copy_merged(&net, to, merged->params.value, err);
        else
            memcpy(merged->params.value + to->offset, values + m->params.list[own].offset,
                   (size_t)to->count * sizeof *values);
    }
    network_free(&net);
    return ok;
}
