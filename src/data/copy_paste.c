#include "data/copy_paste.h"

#include "base/min_max.h"
#include <math.h>
#include <stdlib.h>

struct patch { int left, top, width, height; };         /* in pixels of the input */

static struct patch patch_around(const float box[4])
{
    const int left = (int)floorf(box[0]) - COPY_MARGIN, top = (int)floorf(box[1]) - COPY_MARGIN;
    return (struct patch){ left, top, (int)ceilf(box[2]) + COPY_MARGIN - left,
                           (int)ceilf(box[3]) + COPY_MARGIN - top };
}

static bool touches(const struct patch *p, const float box[4])
{
    return box[0] < (float)(p->left + p->width) && box[2] > (float)p->left
        && box[1] < (float)(p->top + p->height) && box[3] > (float)p->top;
}

/* Does the patch lie within part and image and touch no box but that of object `own` (-1: none)? */
static bool is_free(const struct sample *s, const struct matrix *inverse, const struct patch *p, int own)
{
    const struct part *part = &s->part;
    const struct objects *t = &s->objects;
    const int x = p->left - part->left, y = p->top - part->top;
    const float corners[4] = { (float)x, (float)y, (float)(x + p->width), (float)(y + p->height) };
    float in_source[4];
    bool ok = x >= 0 && y >= 0 && x + p->width <= part->size.width && y + p->height <= part->size.height
           && warp_box(inverse, s->source, corners, in_source) > 0.999;
    for (int i = 0; ok && i < t->count; i++)
        ok = i == own || !touches(p, t->box[i]);
    for (int i = 0; ok && i < t->ignored; i++)
        ok = !touches(p, t->ignore[i]);
    return ok;
}

static unsigned char *pixel(const struct sample *s, const struct patch *p, int x, int y)
{
    return s->pixels + 3 * ((ptrdiff_t)(p->top + y) * s->input.width + p->left + x);
}

/* The sum of each channel over the outermost pixels of a patch; returns their number. */
static int sum_edge(const struct sample *s, const struct patch *p, int sum[3])
{
    int count = 0;
    sum[0] = sum[1] = sum[2] = 0;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x += y % (p->height - 1) ? p->width - 1 : 1, count++)
            for (int i = 0; i < 3; i++)
                sum[i] += pixel(s, p, x, y)[i];
    return count;
}

static bool is_similar(const struct sample *s, const struct patch *a, const struct patch *b)
{
    int in_a[3], in_b[3], worst = 0;
    const int count = sum_edge(s, a, in_a);
    sum_edge(s, b, in_b);
    for (int i = 0; i < 3; i++)
        worst = max_int(worst, abs(in_a[i] - in_b[i]));
    return worst <= COPY_COLOUR * count;
}

/* The weight of the copy grows linearly over the margin. */
static void blend(const struct sample *s, const struct patch *from, const struct patch *to)
{
    enum { FULL = COPY_MARGIN + 1 };
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++) {
            const int edge = min_int(min_int(x, from->width - 1 - x), min_int(y, from->height - 1 - y));
            const int weight = min_int(edge + 1, FULL);
            const unsigned char *in = pixel(s, from, x, y);
            unsigned char *out = pixel(s, to, x, y);
            for (int i = 0; i < 3; i++)
                out[i] = (unsigned char)((weight * in[i] + (FULL - weight) * out[i] + FULL / 2) / FULL);
        }
}

static void copy_object(struct sample *s, const struct matrix *inverse, int object, struct random *r)
{
    struct objects *t = &s->objects;
    const struct part *part = &s->part;
    const struct patch from = patch_around(t->box[object]);
    for (int attempt = 0; attempt < COPY_ATTEMPTS; attempt++) {
        const int x = part->left + random_below(r, part->size.width - from.width + 1);
        const int y = part->top + random_below(r, part->size.height - from.height + 1);
        const struct patch to = { x, y, from.width, from.height };
        if (!is_free(s, inverse, &to, -1) || !is_similar(s, &from, &to))
            continue;
        blend(s, &from, &to);
        for (int i = 0; i < 4; i++)
            t->box[t->count][i] = t->box[object][i] + (float)(i % 2 ? y - from.top : x - from.left);
        t->label[t->count++] = t->label[object];
        return;
    }
}

static bool is_small(const float box[4])
{
    const float width = box[2] - box[0], height = box[3] - box[1];
    return fminf(width, height) >= COPY_SIDE_MIN && fmaxf(width, height) <= COPY_SIDE_MAX;
}

bool copy_paste(struct sample *s, double copies, struct random *r, struct error *err)
{
    struct objects *t = &s->objects;
    const int all = t->count, whole = (int)copies;
    struct matrix inverse;
    if (copies <= 0 || !matrix_inverse(&inverse, &s->matrix))
        return true;
    if (!objects_reserve(t, all + (all - s->part.first) * (whole + 1), err))
        return false;
    for (int i = s->part.first; i < all; i++) {
        const int n = whole + (random_unit(r) < copies - whole);
        for (int k = 0; k < n && is_small(t->box[i]); k++) {
            const struct patch patch = patch_around(t->box[i]);
            if (is_free(s, &inverse, &patch, i))
                copy_object(s, &inverse, i, r);
        }
    }
    return true;
}
