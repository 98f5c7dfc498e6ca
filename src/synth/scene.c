#include "base/memory.h"
#include "synth/layout.h"
#include "synth/synth.h"
#include <math.h>
#include <stdlib.h>

static const double min_visible = 1.0 / 20, ignore_below = 1.0 / 3;

const char *synth_category(int category)
{
    return kinds[category - 1].name;
}

/* Times of day and weather: sunlight and skylight are B, G, R; reach: metres of shadow a metre of height. */
static const struct weather { int often; double sunlight[3], skylight[3], reach[2]; } weathers[] = {
    { 2, { 0.88, 0.94, 0.96 }, { 0.34, 0.29, 0.26 }, { 0.35, 0.9 } },       /* noon */
    { 2, { 0.90, 0.98, 1.02 }, { 0.40, 0.34, 0.30 }, { 0.6, 1.2 } },        /* clear */
    { 2, { 0.78, 1.08, 1.36 }, { 0.42, 0.35, 0.31 }, { 1.2, 2.0 } },        /* evening */
    { 1, { 0.22, 0.22, 0.21 }, { 0.74, 0.72, 0.69 }, { 0.3, 0.8 } },        /* overcast */
    { 1, { 0.12, 0.12, 0.13 }, { 0.50, 0.40, 0.34 }, { 0.6, 1.6 } } };      /* dusk */
enum { OFTEN = 8 };                                             /* sum of often */

static void set_weather(struct renderer *s, struct random *r)
{
    const struct weather *w = weathers;
    for (int dice = random_below(r, OFTEN); dice >= w->often; w++)
        dice -= w->often;
    double to[2];
    random_direction(r, to);
    const double reach = random_range(r, w->reach[0], w->reach[1]), length = sqrt(reach * reach + 1);
    s->sun = (struct vec3){ reach * to[0] / length, reach * to[1] / length, 1 / length };
    for (int k = 0; k < 3; k++) {
        s->sunlight[k] = w->sunlight[k];
        s->skylight[k] = w->skylight[k];
    }
}

/* Moves a random choice of n of the visible objects to the front of the list; returns how many there were, at most
 * n. */
static int choose(const struct renderer *s, struct scene_objects *objects, int n, struct random *r)
{
    int visible = 0, chosen = 0;
    for (int i = 0; i < objects->count; i++) {
        double q[2];
        const struct scene_object t = objects->list[i];
        renderer_project(s, t.at, q);
        if (q[0] > 0 && q[1] > 0 && q[0] < s->width && q[1] < s->height) {
            objects->list[i] = objects->list[visible];
            objects->list[visible++] = t;
        }
    }
    for (; chosen < n && chosen < visible; chosen++) {
        const int other = chosen + random_below(r, visible - chosen);
        const struct scene_object t = objects->list[other];
        objects->list[other] = objects->list[chosen];
        objects->list[chosen] = t;
    }
    return chosen;
}

static bool choose_objects(struct scene_objects *out, const struct renderer *s, struct scene_layout *layout,
                           const struct synth_config *c, struct random *r, struct error *err)
{
    const int wanted = c->objects_min + random_below(r, c->objects_max - c->objects_min + 1);
    const int walking = (int)(random_range(r, 0.2, 0.5) * wanted);
    const int vehicles = choose(s, &layout->vehicles, wanted - walking, r);
    const int lacking = c->objects_min - vehicles;              /* people make up for vehicles only to the minimum */
    const int people = choose(s, &layout->people, lacking > walking ? lacking : walking, r);
    for (int i = 0; i < vehicles + people; i++) {
        if (!grow_array(&out->list, out->count, &out->capacity, sizeof *out->list, err))
            return false;
        out->list[out->count++] = i < vehicles ? layout->vehicles.list[i] : layout->people.list[i - vehicles];
    }
    return true;
}

/* Farther ones first, so that nearer ones are painted over them. */
static int by_distance(const void *a, const void *b)
{
    const struct scene_object *s = a, *t = b;
    return s->at.y != t->at.y ? (s->at.y < t->at.y ? 1 : -1) : (s->key > t->key) - (s->key < t->key);
}

static void sort_by_distance(struct scene_objects *objects)
{
    if (objects->count)
        qsort(objects->list, (size_t)objects->count, sizeof *objects->list, by_distance);
}

/* The objects lie in the shade of the fixtures, but cast their own shadows on the ground alone. */
static void paint_objects(struct renderer *s, const struct scene_objects *objects, const struct scene_objects *fixtures,
                          double *sunny, struct synth_object *found, int *painted)
{
    for (int i = 0; i < fixtures->count; i++)
        scene_object_cast(s, &fixtures->list[i]);
    for (int i = 0; i < objects->count; i++)
        sunny[i] = 1 - renderer_shade_at(s, objects->list[i].at);
    for (int i = 0; i < objects->count; i++)
        scene_object_cast(s, &objects->list[i]);
    renderer_shade(s);
    for (int i = 0; i < objects->count; i++) {
        renderer_begin(s, i + 1);
        s->sun_here = sunny[i];
        scene_object_draw(s, &objects->list[i]);
        found[i].category = objects->list[i].kind->category;
        for (int k = 0; k < 4; k++)
            found[i].box[k] = s->extent[k];
        painted[i] = s->painted;
    }
    s->sun_here = 1;
    renderer_begin(s, 0);
    for (int i = 0; i < fixtures->count; i++)
        scene_object_draw(s, &fixtures->list[i]);
}

/* Clips a box x0, y0, x1, y1 to the image and rounds it to hundredths, as it will be written; returns the part of
 * its area that is left. */
static double clip(double box[4], int width, int height)
{
    const double full = (box[2] - box[0]) * (box[3] - box[1]);
    for (int k = 0; k < 4; k++)
        box[k] = floor(100 * fmax(0, fmin(k % 2 ? height : width, box[k])) + 0.5) / 100;
    box[2] -= box[0];
    box[3] -= box[1];
    return box[2] * box[3] / full;
}

/* Keeps the objects that can be seen, in the order of painting. */
static void keep_visible(struct synth_scene *scene, const struct renderer *s, int count, const int *painted,
                         int *visible)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)s->width * s->height; i++)
        visible[s->owner[i]]++;
    for (int i = 0; i < count; i++) {
        struct synth_object o = scene->objects[i];
        if (painted[i] < 4)
            continue;
        const double share = clip(o.box, s->width, s->height) * visible[i + 1] / painted[i];
        o.ignore = share < ignore_below;
        if (share >= min_visible && o.box[2] >= 2 && o.box[3] >= 2)
            scene->objects[scene->count++] = o;
    }
}

static bool paint_scene(struct synth_scene *scene, struct renderer *s, struct scene_layout *layout,
                        const struct synth_config *c, struct random *r, struct error *err)
{
    struct scene_objects objects = {0};
    bool ok = choose_objects(&objects, s, layout, c, r, err);
    const size_t n = (size_t)objects.count;
    double *sunny = new_array(n, sizeof *sunny, err);
    int *painted = new_array(n, sizeof *painted, err), *visible = new_array(n + 1, sizeof *visible, err);
    scene->objects = new_array(n, sizeof *scene->objects, err);
    ok = ok && sunny && painted && visible && scene->objects;
    if (ok) {
        sort_by_distance(&objects);
        sort_by_distance(&layout->fixtures);
        paint_objects(s, &objects, &layout->fixtures, sunny, scene->objects, painted);
        keep_visible(scene, s, objects.count, painted, visible);
    }
    free(objects.list);
    free(sunny);
    free(painted);
    free(visible);
    return ok;
}

bool synth_draw(struct synth_scene *scene, const struct synth_config *c, int index, struct error *err)
{
    struct renderer s = {0};
    struct scene_layout layout = {0};
    struct random r = random_of(c->seed, (uint64_t)index, 0);
    *scene = (struct synth_scene){0};
    const double side = c->width > c->height ? c->width : c->height;
    const double scale = c->scale * random_range(&r, 0.85, 1.2), distance = 1.4 * side / scale;
    bool ok = image_new(&scene->image, c->width, c->height, err)
           && renderer_open(&s, c->width, c->height, scale, distance, random_range(&r, 0.3, 0.58),
                            random_of(c->seed, (uint64_t)index, 1), err);
    if (ok) {
        set_weather(&s, &r);
        ok = scene_layout_plan(&layout, &s, 1.2 * side / scale, &r, err) && paint_scene(scene, &s, &layout, c, &r, err);
    }
    if (ok) {
        const struct lens lens = { random_range(&r, 0.8, 1.15), random_range(&r, 0.02, 0.11), random_range(&r, 0, 1),
                                   random_range(&r, 1, 5) };
        renderer_develop(&s, &lens, random_of(c->seed, (uint64_t)index, 2), &scene->image);
    }
    scene_layout_free(&layout);
    renderer_free(&s);
    return ok;
}

void synth_free(struct synth_scene *scene)
{
    image_free(&scene->image);
    free(scene->objects);
    *scene = (struct synth_scene){0};
}
