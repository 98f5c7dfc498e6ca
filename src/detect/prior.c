#include "detect/prior.h"

#include <limits.h>
#include <math.h>
#include <string.h>

bool prior_grid_init(struct prior_grid *out, const int *stride, int levels, double offset, int images, int height,
                     int width, struct error *err)
{
    struct prior_grid g = { .levels = levels, .images = images, .height = height, .width = width, .offset = offset };
    long long count = 0;
    if (levels < 1 || levels > LEVELS_MAX)
        return misuse(err, "a head must have 1 to %d levels, not %d", LEVELS_MAX, levels);
    if (images < 1 || height < 1 || width < 1)
        return misuse(err, "a batch of %d images of %d x %d pixels has no priors", images, width, height);
    for (int l = 0; l < levels; l++) {
        const int s = stride[l];
        if (s < 1)
            return misuse(err, "stride %d of level %d must be positive", s, l);
        g.stride[l] = s;
        g.h[l] = height / s + (height % s != 0);
        g.w[l] = width / s + (width % s != 0);
        count += (long long)g.h[l] * g.w[l];
        if (count > INT_MAX / images)
            return misuse(err, "%d images of %d x %d pixels have too many priors", images, width, height);
        g.first[l + 1] = (int)count;
    }
    *out = g;
    return true;
}

int prior_count(const struct prior_grid *g)
{
    return g->first[g->levels];
}

static int level_of(const struct prior_grid *g, int prior)
{
    int l = 0;
    while (prior >= g->first[l + 1])
        l++;
    return l;
}

struct prior prior_at(const struct prior_grid *g, int prior)
{
    const int l = level_of(g, prior), cell = prior - g->first[l];
    const double s = g->stride[l];
    return (struct prior){ (cell % g->w[l] + g->offset) * s, (cell / g->w[l] + g->offset) * s, s };
}

ptrdiff_t prior_row(const struct prior_grid *g, int image, int prior)
{
    const int l = level_of(g, prior), cells = g->first[l + 1] - g->first[l];
    return (ptrdiff_t)g->images * g->first[l] + (ptrdiff_t)image * cells + (prior - g->first[l]);
}

int prior_line_count(const struct prior_grid *g)
{
    int lines = 0;
    for (int l = 0; l < g->levels; l++)
        lines += g->images * g->h[l];
    return lines;
}

struct prior_line prior_line_at(const struct prior_grid *g, int line)
{
    int l = 0;
    for (; line >= g->images * g->h[l]; l++)
        line -= g->images * g->h[l];
    const int first = g->first[l] + line % g->h[l] * g->w[l];
    return (struct prior_line){ line / g->h[l], first, first + g->w[l] };
}

/* The cells i with low < (i + offset) s < high are [from, to), clamped to [0, n). */
struct cell_range { int from, to; };

static struct cell_range cells_between(double low, double high, double s, double offset, int n)
{
    const double from = floor(low / s - offset) + 1, to = ceil(high / s - offset);
    return (struct cell_range){ (int)fmin(fmax(from, 0), n), (int)fmin(fmax(to, 0), n) };
}

void priors_inside(const struct prior_grid *g, int boxes, const float (*box)[4], bool *inside)
{
    memset(inside, 0, (size_t)prior_count(g) * sizeof *inside);
    for (int i = 0; i < boxes; i++)
        for (int l = 0; l < g->levels; l++) {
            const struct cell_range x = cells_between(box[i][0], box[i][2], g->stride[l], g->offset, g->w[l]);
            const struct cell_range y = cells_between(box[i][1], box[i][3], g->stride[l], g->offset, g->h[l]);
            for (int row = y.from; row < y.to && x.from < x.to; row++)
                memset(inside + g->first[l] + row * g->w[l] + x.from, 1, (size_t)(x.to - x.from) * sizeof *inside);
        }
}
