#include "data/geometry.h"

#include <math.h>

const struct draws draws_none = { .scale = 1, .stretch = { 1, 1 }, .translate = { 0.5, 0.5 } };
static const struct matrix identity = {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}};

static struct matrix product(const struct matrix *a, const struct matrix *b)
{
    struct matrix c;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            c.m[i][j] = a->m[i][0] * b->m[0][j] + a->m[i][1] * b->m[1][j] + a->m[i][2] * b->m[2][j];
    return c;
}

/* The adjugate over the determinant. */
bool matrix_inverse(struct matrix *out, const struct matrix *a)
{
    struct matrix adjugate;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const int r = (j + 1) % 3, s = (j + 2) % 3, c = (i + 1) % 3, d = (i + 2) % 3;
            adjugate.m[i][j] = a->m[r][c] * a->m[s][d] - a->m[r][d] * a->m[s][c];
        }
    double determinant = 0;
    for (int i = 0; i < 3; i++)
        determinant += a->m[0][i] * adjugate.m[i][0];
    const double scale = 1 / determinant;
    if (determinant == 0 || !isfinite(scale))
        return false;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out->m[i][j] = adjugate.m[i][j] * scale;
    return true;
}

/* Pixel x of the halved image has its centre at f x + (f - 1) / 2 of the whole. */
struct matrix matrix_of_halved(const struct matrix *m, int halved)
{
    const double f = 1 << halved, shift = (f - 1) / 2;
    const struct matrix whole = {{{ f, 0, shift }, { 0, f, shift }, { 0, 0, 1 }}};
    return halved > 0 ? product(m, &whole) : *m;
}

struct matrix matrix_of_part(const struct matrix *m, int x, int y)
{
    const struct matrix part = {{{ 1, 0, -x }, { 0, 1, -y }, { 0, 0, 1 }}};
    return x || y ? product(m, &part) : *m;
}

static bool happens(bool coins, struct random *r)
{
    return !coins || random_below(r, 2);
}

static void draw_pair(double out[2], double low, double high, struct random *r)
{
    for (int i = 0; i < 2; i++)
        out[i] = random_range(r, low, high);
}

struct draws geometry_draw(const struct pipeline_config *g, bool coins, struct random *r)
{
    struct draws d = draws_none;
    if (happens(coins, r))
        draw_pair(d.perspective, -g->perspective, g->perspective, r);
    if (happens(coins, r))
        d.scale = random_range(r, g->scale[0], g->scale[1]);
    if (happens(coins, r))
        for (int i = 0; i < 2; i++)
            d.stretch[i] = random_range(r, g->stretch[i][0], g->stretch[i][1]);
    if (happens(coins, r))
        d.rotation = random_range(r, -g->rotation, g->rotation);
    if (happens(coins, r))
        draw_pair(d.shear, -g->shear, g->shear, r);
    d.flip = random_unit(r) < g->flip;
    d.flip_vertical = g->flip_vertical > 0 && random_unit(r) < g->flip_vertical;
    if (g->rotate90 > 0 && random_unit(r) < g->rotate90)
        d.right_angles = 1 + random_below(r, 3);
    if (happens(coins, r))
        draw_pair(d.translate, 0.5 - g->translate, 0.5 + g->translate, r);
    return d;
}

struct matrix factor_matrix(enum factor factor, const struct draws *d, struct image_size frame)
{
    const double radian = 3.14159265358979323846 / 180;
    struct matrix f = identity;
    switch (factor) {
    case PERSPECTIVE:
        f.m[2][0] = d->perspective[0];
        f.m[2][1] = d->perspective[1];
        break;
    case SCALE:
        f.m[0][0] = f.m[1][1] = d->scale;
        break;
    case STRETCH:
        f.m[0][0] = d->stretch[0];
        f.m[1][1] = d->stretch[1];
        break;
    case ROTATION:
        f.m[0][0] = f.m[1][1] = cos(d->rotation * radian);
        f.m[0][1] = sin(d->rotation * radian);
        f.m[1][0] = -f.m[0][1];
        break;
    case SHEAR:
        f.m[0][1] = tan(d->shear[0] * radian);
        f.m[1][0] = tan(d->shear[1] * radian);
        break;
    case FLIP:
        f.m[0][0] = d->flip ? -1 : 1;
        f.m[1][1] = d->flip_vertical ? -1 : 1;
        break;
    case TRANSLATE:
        f.m[0][2] = d->translate[0] * frame.width;
        f.m[1][2] = d->translate[1] * frame.height;
        break;
    case FACTORS:
        break;
    }
    return f;
}

/* The largest scale at which the source fits, by the axis that is full then. */
static double fit_scale(struct image_size source, struct image_size into)
{
    const bool tall = (double)source.width / source.height < (double)into.width / into.height;
    return tall ? (double)into.height / source.height : (double)into.width / source.width;
}

static int round_up(int extent, int divisible)
{
    const int up = (extent + divisible - 1) / divisible * divisible;
    return up > divisible ? up : divisible;
}

struct image_size resize_size(enum resize mode, struct image_size source, struct image_size asked, int divisible)
{
    if (mode != RESIZE_KEEP)
        return asked;
    const double scale = fit_scale(source, asked);
    const struct image_size fit = { (int)(scale * source.width), (int)(scale * source.height) };
    if (divisible <= 0)
        return fit;
    return (struct image_size){ round_up(fit.width, divisible), round_up(fit.height, divisible) };
}

struct matrix resize_matrix(enum resize mode, struct image_size source, struct image_size output)
{
    struct matrix r = identity;
    if (mode == RESIZE_STRETCH) {
        r.m[0][0] = (double)output.width / source.width;
        r.m[1][1] = (double)output.height / source.height;
    } else {
        r.m[0][0] = r.m[1][1] = fit_scale(source, output);
        r.m[0][2] = 0.5 * output.width - r.m[0][0] * (source.width / 2.0);
        r.m[1][2] = 0.5 * output.height - r.m[1][1] * (source.height / 2.0);
    }
    return r;
}

struct image_size geometry_frame(const struct draws *draws, enum resize mode, struct image_size source)
{
    const bool exchanged = draws->right_angles % 2 && mode != RESIZE_STRETCH;
    return exchanged ? (struct image_size){ source.height, source.width } : source;
}

/* Moves the centre to the origin and rotates by right angles, clockwise since y points down. */
static struct matrix centre_matrix(int right_angles, struct image_size source)
{
    static const int cosines[] = { 1, 0, -1, 0 };
    const int c = cosines[right_angles], s = cosines[(right_angles + 3) % 4], w = source.width, h = source.height;
    return (struct matrix){{{ c, -s, (c * w - s * h) / -2.0 }, { s, c, (s * w + c * h) / -2.0 }, { 0, 0, 1 }}};
}

struct matrix geometry_matrix(const struct draws *draws, enum resize mode, struct image_size source,
                              struct image_size output)
{
    const struct image_size frame = geometry_frame(draws, mode, source);
    struct matrix m = centre_matrix(draws->right_angles, source);
    for (enum factor f = 0; f < FACTORS; f++) {
        const struct matrix next = factor_matrix(f, draws, frame);
        m = product(&next, &m);
    }
    const struct matrix resize = resize_matrix(mode, frame, output);
    return product(&resize, &m);
}

/* The bounding rectangle of a box's corners; low > high if all of them are NaN. */
static void bound(const struct matrix *a, const float box[4], double low[2], double high[2])
{
    low[0] = low[1] = INFINITY;
    high[0] = high[1] = -INFINITY;
    for (int corner = 0; corner < 4; corner++) {
        const double x = box[corner & 1 ? 2 : 0], y = box[corner & 2 ? 3 : 1];
        const double w = a->m[2][0] * x + a->m[2][1] * y + a->m[2][2];
        for (int axis = 0; axis < 2; axis++) {
            const double v = (a->m[axis][0] * x + a->m[axis][1] * y + a->m[axis][2]) / w;
            low[axis] = fmin(low[axis], v);
            high[axis] = fmax(high[axis], v);
        }
    }
}

void geometry_window(struct matrix *m, struct image_size source, struct image_size window, const double at[2])
{
    const float all[4] = { 0, 0, (float)source.width, (float)source.height };
    double low[2], high[2];
    bound(m, all, low, high);
    for (int axis = 0; axis < 2; axis++) {
        const double shift = low[axis] + at[axis] * (high[axis] - low[axis] - (axis ? window.height : window.width));
        for (int i = 0; i < 3 && isfinite(shift); i++)
            m->m[axis][i] -= shift * m->m[2][i];
    }
}

static float clip(double v, int extent)
{
    return v > 0 ? (float)(v < extent ? v : extent) : 0;
}

double warp_box(const struct matrix *a, struct image_size output, const float in[4], float out[4])
{
    double low[2], high[2], visible = 1;
    bound(a, in, low, high);
    for (int axis = 0; axis < 2; axis++) {
        const int extent = axis ? output.height : output.width;
        const bool nowhere = !(low[axis] <= high[axis]);
        out[axis] = nowhere ? 0 : clip(low[axis], extent);
        out[axis + 2] = nowhere ? 0 : clip(high[axis], extent);
        visible *= high[axis] > low[axis] ? ((double)out[axis + 2] - out[axis]) / (high[axis] - low[axis]) : 0;
    }
    return visible;
}

void warp_boxes(const struct matrix *a, struct image_size output, int count, const float (*in)[4], float (*out)[4])
{
    for (int i = 0; i < count; i++)
        warp_box(a, output, in[i], out[i]);
}
