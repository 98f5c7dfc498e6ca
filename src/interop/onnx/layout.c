#include "interop/onnx/layout.h"

#include <string.h>

struct map_layout layout_of(const struct map *map)
{
    struct map_layout v = { .rank = AXES };
    for (int axis = 0; axis < AXES; axis++) {
        v.extent[axis] = map->extent[axis];
        if (map->extent[axis] > 1)
            v.atom[v.atoms++] = (struct atom){ (enum axis)axis, 1, map->extent[axis] };
        v.first[axis + 1] = v.atoms;
    }
    return v;
}

bool layout_same(const struct map_layout *a, const struct map_layout *b)
{
    bool same = a->rank == b->rank && a->atoms == b->atoms;
    for (int i = 0; same && i < a->rank; i++)
        same = a->extent[i] == b->extent[i] && a->first[i + 1] == b->first[i + 1];
    for (int i = 0; same && i < a->atoms; i++)
        same = a->atom[i].axis == b->atom[i].axis && a->atom[i].stride == b->atom[i].stride
            && a->atom[i].extent == b->atom[i].extent;
    return same;
}

bool layout_is_plain(const struct map_layout *v, const struct map *map)
{
    const struct map_layout plain = layout_of(map);
    return layout_same(v, &plain);
}

int layout_shuffle(const struct map_layout *v, const struct map *map)
{
    for (int i = v->first[1]; v->rank == AXES && v->first[2] == i + 2 && i < v->first[2]; i += 2) {
        const int groups = v->atom[i + 1].extent;
        struct map_layout want = layout_of(map);
        const int64_t cut[] = { map->extent[0], groups, map->extent[1] / groups, map->extent[2], map->extent[3] };
        if (map->extent[1] % groups == 0 && layout_reshape(&want, cut, 5)
            && layout_transpose(&want, (const int64_t[]){ 0, 2, 1, 3, 4 }, 5)
            && layout_reshape(&want, (const int64_t[]){ cut[0], map->extent[1], cut[3], cut[4] }, AXES)
            && layout_same(v, &want))
            return groups;
    }
    return 0;
}

/* Joins contiguous atoms of one axis within a dimension. */
static void join(struct map_layout *v)
{
    int atoms = 0, from = 0;
    for (int dim = 0; dim < v->rank; dim++) {
        const int to = v->first[dim + 1], start = atoms;
        for (int i = from; i < to; i++) {
            struct atom *before = atoms > start ? &v->atom[atoms - 1] : NULL;
            const struct atom a = v->atom[i];
            if (before && before->axis == a.axis && before->stride == a.stride * a.extent)
                *before = (struct atom){ a.axis, a.stride, a.extent * before->extent };
            else
                v->atom[atoms++] = a;
        }
        from = to;
        v->first[dim + 1] = atoms;
    }
    v->atoms = atoms;
}

/* Replaces -1 by the extent that the number of elements requires. */
static bool complete(const struct map_layout *v, const int64_t *extents, int rank, int *out)
{
    int64_t all = 1, known = 1;
    int open = -1;
    for (int i = 0; i < v->rank; i++)
        all *= v->extent[i];
    for (int i = 0; i < rank; i++) {
        if ((extents[i] < 1 && extents[i] != -1) || extents[i] > all || (extents[i] == -1 && open >= 0))
            return false;
        if (extents[i] == -1)
            open = i;
        else if ((known *= extents[i]) > all)
            return false;
        out[i] = (int)extents[i];
    }
    if (open >= 0 && all % known == 0 && all / known <= INT32_MAX)
        out[open] = (int)(all / known);
    return open >= 0 ? all % known == 0 : known == all;
}

bool layout_reshape(struct map_layout *v, const int64_t *extents, int rank)
{
    struct map_layout out = { .rank = rank };
    struct atom rest = {0};
    int next = 0;
    if (rank < 0 || rank > LAYOUT_RANK || !complete(v, extents, rank, out.extent))
        return false;
    for (int dim = 0; dim < rank; dim++) {
        for (int need = out.extent[dim]; need > 1; ) {
            if (rest.extent <= 1)
                rest = v->atom[next++];                         /* exists, since the products are equal */
            const int take = rest.extent <= need ? rest.extent : need;
            if (out.atoms == LAYOUT_ATOMS || need % take || rest.extent % take)
                return false;
            out.atom[out.atoms++] = (struct atom){ rest.axis, rest.stride * (rest.extent / take), take };
            rest.extent /= take;
            need /= take;
        }
        out.first[dim + 1] = out.atoms;
    }
    join(&out);
    *v = out;
    return true;
}

bool layout_transpose(struct map_layout *v, const int64_t *order, int rank)
{
    struct map_layout out = { .rank = rank };
    unsigned used = 0;
    if (rank != v->rank)
        return false;
    for (int dim = 0; dim < rank; dim++) {
        if (order[dim] < 0 || order[dim] >= rank || used >> order[dim] & 1)
            return false;
        used |= 1u << order[dim];
        out.extent[dim] = v->extent[order[dim]];
        for (int i = v->first[order[dim]]; i < v->first[order[dim] + 1]; i++)
            out.atom[out.atoms++] = v->atom[i];
        out.first[dim + 1] = out.atoms;
    }
    *v = out;
    return true;
}

void layout_drop(struct map_layout *v, int dim)
{
    const int gone = v->first[dim + 1] - v->first[dim], after = v->first[dim + 1];
    memmove(&v->atom[v->first[dim]], &v->atom[after], (size_t)(v->atoms - after) * sizeof *v->atom);
    for (int i = dim; i + 1 < v->rank; i++) {
        v->extent[i] = v->extent[i + 1];
        v->first[i + 1] = v->first[i + 2] - gone;
    }
    v->atoms -= gone;
    v->rank--;
}

int layout_channels(const struct map_layout *v, const struct map *map)
{
    const int channels = map->extent[AXIS_C];
    for (int dim = 0; dim < v->rank && channels > 1; dim++) {
        const struct atom *a = &v->atom[v->first[dim]];
        if (v->first[dim + 1] == v->first[dim] + 1 && a->axis == AXIS_C && a->extent == channels)
            return dim;
    }
    return layout_is_plain(v, map) ? (int)AXIS_C : -1;
}

struct map_layout layout_resized(const struct map_layout *v, int dim, int channels)
{
    struct map_layout out = { .rank = v->rank };
    for (int d = 0; d < v->rank; d++) {
        out.extent[d] = d == dim ? channels : v->extent[d];
        for (int i = v->first[d]; d != dim && i < v->first[d + 1]; i++)
            out.atom[out.atoms++] = v->atom[i];
        if (d == dim && channels > 1)
            out.atom[out.atoms++] = (struct atom){ AXIS_C, 1, channels };
        out.first[d + 1] = out.atoms;
    }
    return out;
}

bool layout_of_heads(const struct map_layout *v, const struct map *map, bool pixels_last)
{
    const int *m = map->extent, d = v->rank < 2 ? 0 : v->extent[v->rank - 1 - pixels_last];
    struct map_layout want = layout_of(map);
    int64_t extents[LAYOUT_RANK];
    if (d < 1 || m[AXIS_C] % d)
        return false;
    for (int i = 0; i < v->rank; i++)
        extents[i] = v->extent[i];
    return layout_reshape(&want, (const int64_t[]){ m[AXIS_N], m[AXIS_C] / d, d, (int64_t)m[AXIS_Y] * m[AXIS_X] }, AXES)
        && (pixels_last || layout_transpose(&want, (const int64_t[]){ 0, 1, 3, 2 }, AXES))
        && layout_reshape(&want, extents, v->rank) && layout_same(v, &want);
}
