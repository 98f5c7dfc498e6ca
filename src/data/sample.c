#include "data/sample.h"

#include "base/memory.h"
#include "data/warp.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 1 << 15, MULTIPLE = 32 };     /* of an input, in pixels; batches are padded to a multiple */

/* Makes *p, of *capacity elements, an array of at least count; its content is lost. */
static bool reserve(void *p, size_t *capacity, size_t count, size_t size, struct error *err)
{
    void **array = p;
    if (count <= *capacity)
        return true;
    free(*array);
    *array = new_array(count, size, err);
    *capacity = *array ? count : 0;
    return *array;
}

/* A side as a whole number of pixels: truncated, and at least one. */
static int whole_side(double side)
{
    return side >= 1 ? side < SIDE_MAX ? (int)side : SIDE_MAX : 1;
}

struct image_size scaled_size(struct image_size size, double factor)
{
    return (struct image_size){ whole_side(size.width * factor), whole_side(size.height * factor) };
}

static int rounded_side(double side)
{
    return whole_side(MULTIPLE * fmax(1, round(side / MULTIPLE)));
}

struct image_size epoch_size(struct image_size full, const double scale[2], int epoch, int epochs)
{
    const double done = epochs > 1 ? fmin(1, (double)epoch / (epochs - 1)) : 1;
    const double factor = done < 1 ? scale[0] + (scale[1] - scale[0]) * done : scale[1];
    return factor == 1 ? full : (struct image_size){ rounded_side(full.width * factor),
                                                     rounded_side(full.height * factor) };
}

static struct part part_of(const struct quarter *quarter, struct image_size input)
{
    if (!quarter)
        return (struct part){ .size = input, .count = 1 };
    const int x = (int)(quarter->centre[0] * input.width), y = (int)(quarter->centre[1] * input.height);
    const bool right = quarter->index % 2, bottom = quarter->index / 2;
    return (struct part){ .left = right ? x : 0, .top = bottom ? y : 0, .index = quarter->index, .count = QUARTERS,
                          .size = { right ? input.width - x : x, bottom ? input.height - y : y } };
}

/* Sets all but image, partner, objects and pixels.  given: the tile, or NULL if it is drawn. */
static void draw(struct sample *s, const struct data_config *config, struct image_size source, const struct tile *given,
                 const struct quarter *quarter, struct random *r)
{
    const struct tile tile = given ? *given : tile_draw(&config->tiles, config->input_size, source, r);
    const struct image_size full = { config->input_size[0], config->input_size[1] };
    const struct image_size asked = scaled_size(full, random_range(r, config->multi_scale[0], config->multi_scale[1]));
    const struct draws draws = geometry_draw(&config->pipeline, config->resize == RESIZE_LETTERBOX, r);
    const struct image_size frame = geometry_frame(&draws, config->resize, tile.size);
    const struct image_size fit = resize_size(config->resize, frame, asked, config->pipeline.divisible);
    const struct image_size alone = scaled_size(fit, 1);        /* no side is 0 */
    const bool first = !quarter || quarter->index == 0;
    if (first)
        s->jitter = colour_draw(&config->pipeline, r);
    s->source = source;
    s->tiled = !tile_covers(tile.size, source);
    s->input = first ? alone : quarter->input;
    s->part = part_of(quarter, s->input);
    s->matrix = geometry_matrix(&draws, config->resize, tile.size, alone);
    if (quarter) {
        const double x = random_unit(r), y = random_unit(r);
        geometry_window(&s->matrix, tile.size, s->part.size, (const double[2]){ x, y });
    }
    s->matrix = matrix_of_part(&s->matrix, tile.x, tile.y);
}

static bool make(struct sample *s, const struct data_config *config, const struct image *image,
                 const struct tile *tile, const struct quarter *quarter, struct random *r, struct error *err)
{
    const bool whole = image->halved == 0;
    const struct image_size size = { whole ? image->width : image->whole_width,
                                     whole ? image->height : image->whole_height };
    draw(s, config, size, tile, quarter, r);
    const struct matrix matrix = matrix_of_halved(&s->matrix, image->halved);
    const size_t stride = 3 * (size_t)s->input.width;
    if (!reserve(&s->pixels, &s->capacity, stride * (size_t)s->input.height, 1, err))
        return false;
    warp_rows(image, &matrix, s->part.size, stride,
              s->pixels + stride * (size_t)s->part.top + 3 * (size_t)s->part.left);
    return true;
}

bool sample_make(struct sample *s, const struct data_config *config, const struct image *image, struct random *r,
                 struct error *err)
{
    return make(s, config, image, NULL, NULL, r, err);
}

bool sample_make_tile(struct sample *s, const struct data_config *config, const struct image *image,
                      const struct tile *tile, struct random *r, struct error *err)
{
    return make(s, config, image, tile, NULL, r, err);
}

bool sample_quarter(struct sample *s, const struct data_config *config, const struct image *image,
                    const struct quarter *quarter, struct random *r, struct error *err)
{
    return make(s, config, image, NULL, quarter, r, err);
}

void sample_view(const struct sample *s, float view[4])
{
    const float part[4] = { 0, 0, (float)s->part.size.width, (float)s->part.size.height };
    struct matrix back = {0};
    matrix_inverse(&back, &s->matrix);
    warp_box(&back, s->source, part, view);
}

struct region sample_region(const struct data_config *config, struct image_size source, const struct quarter *quarter,
                            struct random r)
{
    struct sample s = {0};
    int halved = 0;
    draw(&s, config, source, NULL, quarter, &r);
    while (config->scaled_decode && halved < HALVINGS && warp_shrinks(&s.matrix) >= 2 << halved)
        halved++;
    const int round = (1 << halved) - 1;
    const struct image_size size = { (source.width + round) >> halved, (source.height + round) >> halved };
    const struct matrix matrix = matrix_of_halved(&s.matrix, halved);
    struct region region = warp_region(size, &matrix, s.part.size);
    region.halved = halved;
    return region;
}

static void objects_free(struct objects *t)
{
    free(t->box);
    free(t->label);
    free(t->ignore);
    *t = (struct objects){0};
}

void sample_free(struct sample *s)
{
    objects_free(&s->objects);
    free(s->pixels);
    *s = (struct sample){0};
}

bool objects_reserve(struct objects *t, int capacity, struct error *err)
{
    if (capacity <= t->capacity)
        return true;
    struct objects grown = { .box = new_array((size_t)capacity, sizeof *t->box, err),
                             .label = new_array((size_t)capacity, sizeof *t->label, err),
                             .ignore = new_array((size_t)capacity, sizeof *t->ignore, err),
                             .count = t->count, .ignored = t->ignored, .capacity = capacity };
    const bool ok = grown.box && grown.label && grown.ignore;
    if (ok && t->capacity) {
        memcpy(grown.box, t->box, (size_t)t->count * sizeof *t->box);
        memcpy(grown.label, t->label, (size_t)t->count * sizeof *t->label);
        memcpy(grown.ignore, t->ignore, (size_t)t->ignored * sizeof *t->ignore);
    }
    objects_free(ok ? t : &grown);
    if (ok)
        *t = grown;
    return ok;
}

static void add_object(struct sample *s, const struct annotation *a, const int *label)
{
    struct objects *t = &s->objects;
    const double *b = a->box, visible_min = 1.0 / 3;
    const float in[4] = { (float)b[0], (float)b[1], (float)(b[0] + b[2]), (float)(b[1] + b[3]) };
    float box[4];
    const double visible = warp_box(&s->matrix, s->part.size, in, box);
    const bool cut = s->part.count > 1 || s->tiled, ignore = a->ignore || (cut && visible < visible_min);
    if (cut && (box[2] - box[0] < 1 || box[3] - box[1] < 1))
        return;
    for (int i = 0; i < 4; i++)
        box[i] += (float)(i % 2 ? s->part.top : s->part.left);
    memcpy(ignore ? t->ignore[t->ignored++] : t->box[t->count], box, sizeof box);
    if (!ignore)
        t->label[t->count++] = label[a->category];
}

bool sample_objects(struct sample *s, const struct dataset *dataset, int image, const int *label, struct error *err)
{
    const struct image_record *of = &dataset->images[image];
    struct objects *t = &s->objects;
    if (s->part.index == 0)
        t->count = t->ignored = 0;
    s->part.first = t->count;
    if (!objects_reserve(t, (t->count > t->ignored ? t->count : t->ignored) + of->count, err))
        return false;
    for (int i = of->first; i < of->first + of->count; i++) {
        const struct annotation *a = &dataset->annotations[i];
        if (annotation_trains(a) && (a->ignore || label[a->category] >= 0))
            add_object(s, a, label);
    }
    return true;
}

bool batch_resize(struct batch *b, int n, struct error *err)
{
    if (n > b->sample_capacity) {
        struct sample *grown = new_array((size_t)n, sizeof *grown, err);
        if (!grown)
            return false;
        if (b->samples)
            memcpy(grown, b->samples, (size_t)b->sample_capacity * sizeof *grown);
        free(b->samples);
        b->samples = grown;
        b->sample_capacity = n;
    }
    b->n = n;
    return true;
}

void batch_free(struct batch *b)
{
    for (int i = 0; i < b->sample_capacity; i++)
        sample_free(&b->samples[i]);
    free(b->samples);
    free(b->image);
    *b = (struct batch){0};
}

int padded_side(int side)
{
    return (side + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
}

static void stack_sample(const struct batch *b, const struct sample *s, const struct colour_map *map, float *out)
{
    const size_t row = 3 * (size_t)b->w, used = 3 * (size_t)s->input.width;
    for (int y = 0; y < s->input.height; y++, out += row) {
        colour_row(map, s->input.width, (const void *)(s->pixels + used * (size_t)y), (void *)out);
        memset(out + used, 0, (row - used) * sizeof *out);
    }
    memset(out, 0, row * (size_t)(b->h - s->input.height) * sizeof *out);
}

bool batch_stack(struct batch *b, const struct pipeline_config *config, struct error *err)
{
    struct colour_map map;
    b->h = b->w = 0;
    for (int i = 0; i < b->n; i++) {
        const struct image_size size = b->samples[i].input;
        b->w = size.width > b->w ? size.width : b->w;
        b->h = size.height > b->h ? size.height : b->h;
    }
    b->w = padded_side(b->w);
    b->h = padded_side(b->h);
    const size_t one = 3 * (size_t)b->w * (size_t)b->h;
    size_t count;
    if (!checked_mul(one, (size_t)b->n, &count))
        return fail(err, "a batch of %d images of %d x %d does not fit in memory", b->n, b->w, b->h);
    if (!reserve(&b->image, &b->capacity, count, sizeof *b->image, err))
        return false;
    for (int i = 0; i < b->n; i++) {
        colour_map(&map, config, &b->samples[i].jitter);
        stack_sample(b, &b->samples[i], &map, b->image + one * (size_t)i);
    }
    return true;
}
