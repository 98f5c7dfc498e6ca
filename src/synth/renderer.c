#include "synth/renderer.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct paint paint_of(uint32_t srgb, double grain)
{
    struct paint paint = { .grain = (float)grain };
    for (int k = 0; k < 3; k++) {
        const float v = (float)(srgb >> 8 * k & 255) / 255;
        paint.colour[k] = v * v;                                /* a gamma of 2, which sqrt undoes exactly */
    }
    return paint;
}

/* Value noise: six octaves of random lattices, interpolated and periodic. */
static void weave_grain(float *grain, struct random r)
{
    float lattice[128 * 128];
    for (int n = 4; n <= 128; n *= 2) {
        const int step = GRAIN / n;
        for (int i = 0; i < n * n; i++)
            lattice[i] = (float)random_range(&r, -0.55, 0.55);
        for (int y = 0; y < GRAIN; y++)
            for (int x = 0; x < GRAIN; x++) {
                const int i = x / step, j = y / step, right = (i + 1) % n, below = (j + 1) % n;
                const float u = (float)(x % step) / (float)step, v = (float)(y % step) / (float)step;
                const float top = lattice[j * n + i] + u * (lattice[j * n + right] - lattice[j * n + i]);
                const float low = lattice[below * n + i] + u * (lattice[below * n + right] - lattice[below * n + i]);
                grain[y * GRAIN + x] += top + v * (low - top);
            }
    }
}

bool renderer_open(struct renderer *s, int width, int height, double pixels_per_metre, double distance, double tilt_sin,
                   struct random grain, struct error *err)
{
    const size_t pixels = (size_t)width * (size_t)height;
    *s = (struct renderer){ .width = width, .height = height, .focal = pixels_per_metre * distance,
                            .distance = distance, .tilt_sin = tilt_sin, .tilt_cos = sqrt(1 - tilt_sin * tilt_sin),
                            .sun_here = 1 };
    s->light = new_array(pixels, 3 * sizeof *s->light, err);
    s->shade = new_array(pixels, sizeof *s->shade, err);
    s->near = new_array(pixels, sizeof *s->near, err);
    s->owner = new_array(pixels, sizeof *s->owner, err);
    s->covered = new_array(pixels, sizeof *s->covered, err);
    s->grain = new_array(GRAIN * GRAIN, sizeof *s->grain, err);
    s->cover = new_array((size_t)width + 1, sizeof *s->cover, err);
    if (!s->light || !s->shade || !s->near || !s->owner || !s->covered || !s->grain || !s->cover) {
        renderer_free(s);
        return false;
    }
    weave_grain(s->grain, grain);
    return true;
}

void renderer_free(struct renderer *s)
{
    free(s->light);
    free(s->shade);
    free(s->near);
    free(s->owner);
    free(s->covered);
    free(s->grain);
    free(s->cover);
    *s = (struct renderer){0};
}

double renderer_project(const struct renderer *s, struct vec3 p, double out[2])
{
    const double depth = s->distance + p.y * s->tilt_sin - p.z * s->tilt_cos;
    const double scale = s->focal / fmax(depth, 0.01 * s->distance);
    out[0] = 0.5 * s->width + scale * p.x;
    out[1] = 0.5 * s->height - scale * (p.y * s->tilt_cos + p.z * s->tilt_sin);
    return depth;
}

void renderer_begin(struct renderer *s, int object)
{
    s->object = object;
    s->painted = 0;
    s->extent[0] = s->extent[1] = INFINITY;
    s->extent[2] = s->extent[3] = -INFINITY;
}

/* Twice the area, positive where the corners run counterclockwise on a screen whose y points down. */
static double screen_area(const double (*q)[2], int n)
{
    double area = 0;
    for (int i = 0, j = n - 1; i < n; j = i++)
        area += q[i][0] * q[j][1] - q[j][0] * q[i][1];
    return area;
}

/* Adds a span of one of four lines in a pixel row, exact in x. */
static void cover_span(float *cover, double a, double b)
{
    const int first = (int)a, last = (int)b;
    if (first == last) {
        cover[first] += (float)(b - a) / 4;
        return;
    }
    cover[first] += (float)(first + 1 - a) / 4;
    for (int x = first + 1; x < last; x++)
        cover[x] += 0.25f;
    cover[last] += (float)(b - last) / 4;
}

/* Part of each pixel of row y that the polygon covers, added to cover[0 .. width]; range: the pixels touched. */
static void cover_row(const double (*q)[2], int n, int y, int width, float *cover, int range[2])
{
    range[0] = width;
    range[1] = 0;
    for (int line = 0; line < 4; line++) {
        const double at = y + (line + 0.5) / 4;
        double cuts[RENDERER_CORNERS];
        int count = 0;
        for (int i = 0, j = n - 1; i < n; j = i++)
            if ((q[i][1] <= at) != (q[j][1] <= at)) {
                const double cut = q[i][0] + (at - q[i][1]) / (q[j][1] - q[i][1]) * (q[j][0] - q[i][0]);
                int k = count++;
                for (; k > 0 && cuts[k - 1] > cut; k--)
                    cuts[k] = cuts[k - 1];
                cuts[k] = fmax(0, fmin(width, cut));
            }
        for (int k = 0; k + 1 < count; k += 2)
            if (cuts[k] < cuts[k + 1]) {
                cover_span(cover, cuts[k], cuts[k + 1]);
                range[0] = (int)fmin(range[0], cuts[k]);
                range[1] = (int)fmax(range[1], ceil(cuts[k + 1]));
            }
    }
}

/* The polygon that is painted: its light, and 1 / depth = plane[0] x + plane[1] y + plane[2] at pixel (x, y). */
struct surface { float light[3], grain; double plane[3]; };

static void blend_row(struct renderer *s, int y, int from, int to, const struct surface *f)
{
    const float *texture = s->grain + (ptrdiff_t)(y % GRAIN) * GRAIN;
    const ptrdiff_t row = (ptrdiff_t)y * s->width;
    for (int x = from; x < to; x++) {
        const float part = s->cover[x], g = 1 + f->grain * texture[x % GRAIN];
        const float near = (float)(f->plane[0] * x + f->plane[1] * y + f->plane[2]);
        float *light = s->light + 3 * (row + x);
        if (part > 0.5f) {
            s->painted += s->covered[row + x] != s->object;
            s->covered[row + x] = s->object;
        }
        if (near < 0.9995f * s->near[row + x])                  /* a little deeper is as deep: rounding, thin layers */
            continue;
        for (int k = 0; k < 3; k++)
            light[k] += part * (f->light[k] * g - light[k]);
        if (part > 0.5f) {
            s->owner[row + x] = s->object;
            s->near[row + x] = near;
        }
    }
}

/* Rows that a polygon touches, within the image; none if it lies beside it.  The polygon widens extent. */
static void rows_of(const struct renderer *s, const double (*q)[2], int n, double extent[4], int rows[2])
{
    double box[4] = { INFINITY, INFINITY, -INFINITY, -INFINITY };
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            box[k] = q[i][k] < box[k] ? q[i][k] : box[k];
            box[2 + k] = q[i][k] > box[2 + k] ? q[i][k] : box[2 + k];
        }
    for (int k = 0; k < 2; k++) {
        extent[k] = fmin(extent[k], box[k]);
        extent[2 + k] = fmax(extent[2 + k], box[2 + k]);
    }
    const bool beside = box[2] <= 0 || box[0] >= s->width;
    rows[0] = (int)fmax(0, fmin(s->height, box[1]));
    rows[1] = beside ? rows[0] : (int)fmax(0, fmin(s->height, ceil(box[3])));
}

static void fill(struct renderer *s, const double (*q)[2], int n, const struct surface *f)
{
    int rows[2], range[2];
    rows_of(s, q, n, s->extent, rows);
    for (int y = rows[0]; y < rows[1]; y++) {
        cover_row(q, n, y, s->width, s->cover, range);
        if (range[0] >= range[1])
            continue;
        blend_row(s, y, range[0], range[1], f);
        memset(s->cover + range[0], 0, (size_t)(range[1] - range[0] + 1) * sizeof *s->cover);
    }
}

/* Newell's normal of a polygon, which holds whatever three of its corners do; length 1, or 0 if it has no area. */
static struct vec3 normal_of(const struct vec3 *p, int count)
{
    struct vec3 n = {0};
    for (int i = 0, j = count - 1; i < count; j = i++) {
        n.x += (p[j].y - p[i].y) * (p[j].z + p[i].z);
        n.y += (p[j].z - p[i].z) * (p[j].x + p[i].x);
        n.z += (p[j].x - p[i].x) * (p[j].y + p[i].y);
    }
    const double length = fmax(sqrt(n.x * n.x + n.y * n.y + n.z * n.z), 1e-12);
    return (struct vec3){ n.x / length, n.y / length, n.z / length };
}

/* With p = depth (u, v, 1) in the camera's frame, u and v being affine in the pixel, n p = k gives 1 / depth =
 * n (u, v, 1) / k. */
static void set_plane(const struct renderer *s, struct vec3 p, struct vec3 n, double plane[3])
{
    const double nx = n.x, ny = n.y * s->tilt_cos + n.z * s->tilt_sin, nz = n.y * s->tilt_sin - n.z * s->tilt_cos;
    const double up = p.y * s->tilt_cos + p.z * s->tilt_sin;
    const double depth = s->distance + p.y * s->tilt_sin - p.z * s->tilt_cos;
    const double k = nx * p.x + ny * up + nz * depth;
    plane[0] = nx / s->focal / k;
    plane[1] = -ny / s->focal / k;
    plane[2] = nz / k - 0.5 * (s->width - 1) * plane[0] - 0.5 * (s->height - 1) * plane[1];
}

void renderer_polygon(struct renderer *s, const struct vec3 *p, int count, struct paint paint)
{
    struct surface f = { .grain = paint.grain };
    double q[RENDERER_CORNERS][2];
    for (int i = 0; i < count; i++)
        renderer_project(s, p[i], q[i]);
    if (screen_area(q, count) <= 0)
        return;
    const struct vec3 n = normal_of(p, count);
    const double facing = fmax(0, n.x * s->sun.x + n.y * s->sun.y + n.z * s->sun.z);
    for (int k = 0; k < 3; k++) {                               /* the lower half of the sky is ground, darker */
        const double light = s->skylight[k] * (0.75 + 0.25 * n.z) + s->sunlight[k] * facing * s->sun_here;
        f.light[k] = paint.colour[k] * (float)light;
    }
    set_plane(s, p[0], n, f.plane);
    fill(s, q, count, &f);
}

void renderer_ball(struct renderer *s, struct vec3 centre, double radius, double lit, struct paint paint)
{
    enum { SIDES = 12 };
    const double c = 0.8660254037844386, half = 0.5;            /* cosine and sine of 30 degrees */
    struct surface f = { .grain = paint.grain };
    double q[SIDES][2], middle[2];
    const double depth = renderer_project(s, centre, middle), r = radius * s->focal / depth;
    double x = r, y = 0;
    for (int i = 0; i < SIDES; i++) {
        q[i][0] = middle[0] + x;
        q[i][1] = middle[1] + y;
        const double next = c * x - half * y;
        y = half * x + c * y;
        x = next;
    }
    for (int k = 0; k < 3; k++)
        f.light[k] = paint.colour[k] * (float)(s->skylight[k] + s->sunlight[k] * lit * s->sun_here);
    f.plane[2] = 1 / depth;
    fill(s, q, SIDES, &f);
}

static double turn(const double a[2], const double b[2], const double c[2])
{
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

static int by_x(const void *a, const void *b)
{
    const double *p = a, *q = b;
    return p[0] != q[0] ? (p[0] > q[0]) - (p[0] < q[0]) : (p[1] > q[1]) - (p[1] < q[1]);
}

/* Andrew's monotone chain (1979); sorts q, out has n + 1 elements. */
static int convex_hull(double (*q)[2], int n, double (*out)[2])
{
    int count = 0;
    qsort(q, (size_t)n, sizeof *q, by_x);
    for (int i = 0; i < n; i++) {
        while (count >= 2 && turn(out[count - 2], out[count - 1], q[i]) <= 0)
            count--;
        memcpy(out[count++], q[i], sizeof *out);
    }
    for (int i = n - 2, half = count + 1; i >= 0; i--) {
        while (count >= half && turn(out[count - 2], out[count - 1], q[i]) <= 0)
            count--;
        memcpy(out[count++], q[i], sizeof *out);
    }
    return count - 1;
}

void renderer_cast(struct renderer *s, const struct vec3 *p, int count)
{
    double q[RENDERER_CORNERS][2], hull[RENDERER_CORNERS + 1][2];
    int rows[2], range[2];
    for (int i = 0; i < count; i++) {
        const double t = p[i].z / s->sun.z;
        renderer_project(s, (struct vec3){ p[i].x - t * s->sun.x, p[i].y - t * s->sun.y, 0 }, q[i]);
    }
    const int n = convex_hull(q, count, hull);
    rows_of(s, hull, n, (double[4]){0}, rows);
    for (int y = rows[0]; y < rows[1]; y++) {
        float *shade = s->shade + (ptrdiff_t)y * s->width;
        cover_row(hull, n, y, s->width, s->cover, range);
        for (int x = range[0]; x < range[1]; x++)
            shade[x] = s->cover[x] > shade[x] ? s->cover[x] : shade[x];
        if (range[0] < range[1])
            memset(s->cover + range[0], 0, (size_t)(range[1] - range[0] + 1) * sizeof *s->cover);
    }
}

void renderer_shade(struct renderer *s)
{
    double dark[3];
    for (int k = 0; k < 3; k++)
        dark[k] = s->sunlight[k] * s->sun.z / (s->skylight[k] + s->sunlight[k] * s->sun.z);
    const ptrdiff_t pixels = (ptrdiff_t)s->width * s->height;
    for (ptrdiff_t i = 0; i < pixels; i++)
        for (int k = 0; k < 3 && s->shade[i] > 0; k++)
            s->light[3 * i + k] *= 1 - (float)dark[k] * s->shade[i];
}

double renderer_shade_at(const struct renderer *s, struct vec3 p)
{
    double q[2];
    renderer_project(s, (struct vec3){ p.x, p.y, 0 }, q);
    const int x = (int)fmax(0, fmin(s->width - 1, q[0])), y = (int)fmax(0, fmin(s->height - 1, q[1]));
    return s->shade[(ptrdiff_t)y * s->width + x];
}

void renderer_develop(const struct renderer *s, const struct lens *lens, struct random r, struct image *out)
{
    const int w = s->width, h = s->height;
    const float blur = (float)lens->blur, noise = (float)lens->noise / 512;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const double u = 2.0 * x / w - 1, v = 2.0 * y / h - 1;
            const float gain = (float)(lens->exposure * (1 - 0.3 * lens->vignette * (u * u + v * v)));
            const float *here = s->light + 3 * ((ptrdiff_t)y * w + x);
            const ptrdiff_t left = x ? -3 : 0, right = x + 1 < w ? 3 : 0;
            const ptrdiff_t up = y ? -3 * (ptrdiff_t)w : 0, below = y + 1 < h ? 3 * (ptrdiff_t)w : 0;
            uint64_t bits = random_bits(&r);
            for (int k = 0; k < 3; k++, bits >>= 20) {
                const float around = here[left + k] + here[right + k] + here[up + k] + here[below + k];
                const float light = gain * (here[k] + blur * (around - 4 * here[k]));
                const int dice = (int)(bits & 1023) + (int)(bits >> 10 & 1023) - 1023;      /* triangular */
                const float value = 255 * sqrtf(light > 0 ? light : 0) + noise * (float)dice + 0.5f;
                out->p[3 * ((ptrdiff_t)y * w + x) + k] = (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
}
