#include "graph/parts.h"

#include "base/min_max.h"
#include "ranks/ranks.h"
#include <string.h>

struct batch_part part_of(int images, int parts, int index)
{
    const int first = (int)((ptrdiff_t)images * index / parts), end = (int)((ptrdiff_t)images * (index + 1) / parts);
    return (struct batch_part){ first, end - first };
}

int part_with(int images, int parts, int image)
{
    int index = (int)((ptrdiff_t)image * parts / images);               /* or the next one */
    while (image >= part_of(images, parts, index).image + part_of(images, parts, index).images)
        index++;
    return index;
}

int parts_of_share(const struct ranks *ranks) { return max_int(1, PARTS / rank_count(ranks)); }

double sum_of_parts(const double *sums, int parts)
{
    double tree[PARTS];
    memcpy(tree, sums, (size_t)parts * sizeof *tree);
    for (int step = 1; step < parts; step *= 2)
        for (int i = 0; i + step < parts; i += 2 * step)
            tree[i] += tree[i + step];
    return tree[0];
}

real gradient_of_parts(const double *sums, int parts)
{
    real tree[PARTS];
    for (int i = 0; i < parts; i++)
        tree[i] = (real)sums[i];
    for (int step = 1; step < parts; step *= 2)
        for (int i = 0; i + step < parts; i += 2 * step)
            tree[i] += tree[i + step];
    return tree[0];
}

real gradient_of_images(const struct node *n, const double *sums, ptrdiff_t stride)
{
    double part_sums[PARTS] = {0};
    for (int i = 0; i < n->parts; i++) {
        const struct batch_part part = part_of(n->x[0].n, n->parts, i);
        for (int image = part.image; image < part.image + part.images; image++)
            part_sums[i] += sums[image * stride];
    }
    return gradient_of_parts(part_sums, n->parts);
}
