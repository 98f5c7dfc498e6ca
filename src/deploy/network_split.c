#include "deploy/network_split.h"

#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIP = -2, ZEROS = -1 };

struct merged_conv { int weight, bias; };              /* indices in t, or SKIP, or ZEROS */

static int find(const struct tensors *t, const char *module, int length, const char *end)
{
    char name[700];
    snprintf(name, sizeof name, "%.*s.rbr_reparam.%s", length, module, end);
    const struct tensor *found = tensors_find(t, name);
    return found ? (int)(found - t->list) : SKIP;
}

/* The merged convolution of the innermost module that contains the layer and has one. */
static struct merged_conv merged_around(const struct tensors *t, const char *layer)
{
    struct merged_conv p = { SKIP, SKIP };
    for (int n = (int)strlen(layer); n > 0 && p.weight == SKIP; n--)
        if (layer[n] == '.')
            p = (struct merged_conv){ find(t, layer, n, "weight"), find(t, layer, n, "bias") };
    return p;
}

static bool same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

/* The source of the layer's weights.  used[t]: a branch has got merged weight t. */
static struct merged_conv source_of(const struct network *net, const struct layer *layer, const struct tensors *t,
                                    bool *used)
{
    const struct merged_conv none = { SKIP, SKIP };
    if (layer->weight == NO_TENSOR || layer->bias == NO_TENSOR
        || tensors_find(t, net->weights.list[layer->weight].name))
        return none;
    const struct merged_conv p = merged_around(t, layer->name);
    if (p.weight == SKIP || p.bias == SKIP)
        return none;
    if (used[p.weight] || !same_shape(&net->weights.list[layer->weight], &t->list[p.weight]))
        return (struct merged_conv){ ZEROS, ZEROS };
    used[p.weight] = true;
    return p;
}

/* Adds a tensor like `like`, with the elements of t->list[from] or zeros. */
static bool add_tensor(struct tensors *t, const struct tensor *like, int from, struct error *err)
{
    struct tensor one = *like;
    const float *zeros = from == ZEROS ? tensors_block(t, tensor_count(like), sizeof *zeros, err) : NULL;
    one.dtype = from == ZEROS ? DTYPE_F32 : t->list[from].dtype;
    one.data = from == ZEROS ? (const unsigned char *)zeros : t->list[from].data;
    return one.data && tensors_add(t, &one, err);
}

bool network_split(const struct network *net, struct tensors *t, struct error *err)
{
    bool *used = new_array((size_t)t->count, sizeof *used, err);
    struct merged_conv *source = new_array((size_t)net->count, sizeof *source, err);
    bool ok = used && source && tensors_index(t, "merged weights", err);
    for (int i = 0; ok && i < net->count; i++)
        source[i] = source_of(net, &net->layers[i], t, used);
    for (int i = 0; ok && i < net->count; i++)
        ok = source[i].weight == SKIP
          || (add_tensor(t, &net->weights.list[net->layers[i].weight], source[i].weight, err)
              && add_tensor(t, &net->weights.list[net->layers[i].bias], source[i].bias, err));
    free(used);
    free(source);
    return ok;
}
