#include "eval/ignored_regions.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

/* One row and column of zeros before the pixels, since differences reach there, and one behind, since marks do. */
bool regions_init(struct regions *r, int width, int height, struct error *err)
{
    *r = (struct regions){ width, height, NULL };
    r->sum = new_array(((size_t)width + 2) * ((size_t)height + 2), sizeof *r->sum, err);
    return r->sum;
}

void regions_free(struct regions *r)
{
    free(r->sum);
    *r = (struct regions){0};
}

static int *at(const struct regions *r, int y, int x) { return &r->sum[(ptrdiff_t)y * (r->width + 2) + x]; }

static int bounded(double v, int most) { return v > 1 ? v < most ? (int)v : most : 1; }

static double extent(double v) { return fmax(1, round(v)); }

/* Steps up where the region begins and down behind its end: its sum is 1 within, 0 elsewhere. */
void regions_mark(struct regions *r, const double box[4])
{
    const double x = extent(box[0]), y = extent(box[1]);
    if (!(x <= r->width && y <= r->height))
        return;
    const int left = (int)x, right = bounded(x + extent(box[2]), r->width);
    const int top = (int)y, bottom = bounded(y + extent(box[3]), r->height);
    *at(r, top, left) += 1;
    *at(r, top, right + 1) -= 1;
    *at(r, bottom + 1, left) -= 1;
    *at(r, bottom + 1, right + 1) += 1;
}

/* Every element becomes the sum of those above and left of it, itself included. */
static void integrate(struct regions *r)
{
    for (int y = 1; y <= r->height; y++) {
        const int *above = at(r, y - 1, 0);
        int *row = at(r, y, 0), left = 0;
        for (int x = 1; x <= r->width; x++) {
            left += row[x];
            row[x] = above[x] + left;
        }
    }
}

void regions_close(struct regions *r)
{
    integrate(r);                               /* how many regions a pixel lies in */
    for (int y = 1; y <= r->height; y++)
        for (int x = 1; x <= r->width; x++)
            *at(r, y, x) = *at(r, y, x) > 0;
    integrate(r);                               /* how many marked pixels lie above and left of it */
}

bool regions_cover(const struct regions *r, const double box[4])
{
    const int x = bounded(round(box[0]), r->width), y = bounded(round(box[1]), r->height);
    const double w = extent(box[2]), h = extent(box[3]);
    const int right = bounded(x + w, r->width), bottom = bounded(y + h, r->height);
    const int marked = *at(r, bottom, right) - *at(r, y, right) - *at(r, bottom, x) + *at(r, y, x);
    return marked / (w * h) >= 0.5;
}
