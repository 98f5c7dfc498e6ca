#include "synth/layout.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

static const double lane = 3.4, walk = 2.6;     /* metres: widths */
enum { ASPHALT = 0x74777a, PAVING = 0xaaa79f, LAWN = 0x76924e, WHITE = 0xe9e9e4, YELLOW = 0xd9b13a };

/* Places are (u, v) along two perpendicular directions, in metres from the origin.  The first failure ends all. */
struct plan {
    struct scene_layout *layout; struct renderer *renderer; struct random *r; struct error *err;
    double along[2], across[2];                 /* unit vectors of u and v */
    double offset[2], spacing[2], half[2];      /* of the streets that run along: v; across: u.  half: of the width */
    double radius;
    bool ok;
};
struct area { double u0, u1, v0, v1; };

static struct vec3 place(const struct plan *p, double u, double v)
{
    return (struct vec3){ u * p->along[0] + v * p->across[0], u * p->along[1] + v * p->across[1], 0 };
}

static void ground(struct plan *p, double u0, double u1, double v0, double v1, struct paint paint)
{
    u0 = fmax(u0, -p->radius);
    u1 = fmin(u1, p->radius);
    v0 = fmax(v0, -p->radius);
    v1 = fmin(v1, p->radius);
    if (!(u0 < u1 && v0 < v1))
        return;
    renderer_polygon(p->renderer, (struct vec3[]){ place(p, u0, v0), place(p, u1, v0), place(p, u1, v1),
                                                place(p, u0, v1) }, 4, paint);
}

static void add(struct plan *p, struct scene_objects *objects, struct scene_object t)
{
    if (t.at.x * t.at.x + t.at.y * t.at.y > p->radius * p->radius)
        return;
    p->ok = p->ok && grow_array(&objects->list, objects->count, &objects->capacity, sizeof *objects->list, p->err);
    if (p->ok)
        objects->list[objects->count++] = t;
}

/* An object of that kind at (u, v), its front towards (du, dv), a unit vector. */
static struct scene_object stand(struct plan *p, int kind, double u, double v, double du, double dv)
{
    const struct vec3 at = place(p, u, v), to = place(p, du, dv);
    return scene_object_new(&kinds[kind], at.x, at.y, (double[]){ to.x, to.y }, p->r);
}

static void add_person(struct plan *p, double u, double v)
{
    double to[2];
    random_direction(p->r, to);
    add(p, &p->layout->people, stand(p, PERSON, u, v, to[0], to[1]));
}

static void add_people(struct plan *p, struct area a, double square_metres_each)
{
    const double count = (a.u1 - a.u0) * (a.v1 - a.v0) / square_metres_each;
    for (int i = 0; i < count; i++)
        add_person(p, random_range(p->r, a.u0, a.u1), random_range(p->r, a.v0, a.v1));
}

static void add_tree(struct plan *p, double u, double v)
{
    add(p, &p->layout->fixtures, stand(p, TREE, u, v, 1, 0));
}

static void add_trees(struct plan *p, struct area a, double square_metres_each)
{
    const double count = (a.u1 - a.u0) * (a.v1 - a.v0) / square_metres_each;
    for (int i = 0; i < count; i++)
        add_tree(p, random_range(p->r, a.u0 + 1.5, a.u1 - 1.5), random_range(p->r, a.v0 + 1.5, a.v1 - 1.5));
}

static void lay_park(struct plan *p, const struct area *a)
{
    const struct paint path = paint_of(0xc4b493, 0.12);
    const double u = random_range(p->r, a->u0 + 3, a->u1 - 5), v = random_range(p->r, a->v0 + 3, a->v1 - 5);
    ground(p, a->u0, a->u1, a->v0, a->v1, paint_of(LAWN, 0.28));
    ground(p, a->u0, a->u1, v, v + 2, path);
    ground(p, u, u + 2, a->v0, a->v1, path);
    add_trees(p, *a, 55);
    add_people(p, *a, 22);
    add_people(p, (struct area){ a->u0, a->u1, v, v + 2 }, 8);
}

static void lay_field(struct plan *p, const struct area *a)
{
    static const uint32_t crops[] = { 0x9a8a52, 0x7f9448, 0xa89a63, 0x6d8440, 0x8a7350 };
    const int crop = random_below(p->r, 5);
    const double row = random_range(p->r, 0.9, 1.8);
    const struct paint earth = paint_of(0x8a7656, 0.25);
    ground(p, a->u0, a->u1, a->v0, a->v1, paint_of(crops[crop], 0.3));
    for (double v = a->v0 + row; v + 0.3 < a->v1; v += row)
        ground(p, a->u0 + 0.5, a->u1 - 0.5, v, v + 0.3, earth);
    for (double u = a->u0 + 2; u < a->u1; u += random_range(p->r, 5, 9))
        add_tree(p, u, a->v1 - 1);
    add_people(p, *a, 60);
}

static void lay_houses(struct plan *p, const struct area *a)
{
    const double plot = 17;
    const struct paint paving = paint_of(PAVING, 0.08);
    ground(p, a->u0, a->u1, a->v0, a->v1, paint_of(LAWN, 0.28));
    for (double u = a->u0; u + plot <= a->u1; u += plot)
        for (int row = 0; row < 2; row++) {                     /* a row at either street, drives towards it */
            const double side = row ? -1 : 1, edge = row ? a->v1 : a->v0;
            const double drive = u + plot - 3.6;
            struct scene_object house = stand(p, HOUSE, u + 6.2, edge + side * random_range(p->r, 8, 9), 1, 0);
            house.length = fmin(house.length, 11);
            if (2 * house.width + 10 > a->v1 - a->v0 && row)
                continue;
            add(p, &p->layout->fixtures, house);
            ground(p, drive, drive + 3, fmin(edge, edge + side * 8), fmax(edge, edge + side * 8), paving);
            add(p, &p->layout->vehicles, stand(p, random_below(p->r, 4) ? CAR : VAN, drive + 1.5, edge + side * 4.2, 0,
                                               random_below(p->r, 2) ? 1 : -1));
            add_tree(p, u + random_range(p->r, 1, 3), edge + side * random_range(p->r, 1.5, 3));
            add_tree(p, u + random_range(p->r, 12, 16), edge + side * random_range(p->r, 11, 14));
            add_people(p, (struct area){ u, u + plot, fmin(edge, edge + side * 3), fmax(edge, edge + side * 3) }, 14);
        }
}

static void lay_offices(struct plan *p, const struct area *a)
{
    const struct paint joint = paint_of(0x95928a, 0.1);
    ground(p, a->u0, a->u1, a->v0, a->v1, paint_of(0xb5b0a6, 0.08));
    for (double u = a->u0 + 3; u < a->u1; u += 3)
        ground(p, u, u + 0.12, a->v0, a->v1, joint);
    for (double v = a->v0 + 3; v < a->v1; v += 3)
        ground(p, a->u0, a->u1, v, v + 0.12, joint);
    for (double u = a->u0 + 5; u + 14 < a->u1; u += random_range(p->r, 24, 32)) {
        struct scene_object office = stand(p, OFFICE, 0, 0, 1, 0);
        office.length = fmin(random_range(p->r, 12, 18), a->u1 - u - 4);
        office.width = fmin(random_range(p->r, 10, 16), a->v1 - a->v0 - 9);
        office.at = place(p, u + office.length / 2, (a->v0 + a->v1) / 2);
        add(p, &p->layout->fixtures, office);
        add_tree(p, u - 2.5, a->v0 + 2.5);
        add_tree(p, u - 2.5, a->v1 - 2.5);
    }
    add_people(p, (struct area){ a->u0, a->u1, a->v0, a->v0 + 4 }, 7);
    add_people(p, (struct area){ a->u0, a->u1, a->v1 - 4, a->v1 }, 7);
}

static void lay_parking(struct plan *p, const struct area *a)
{
    const struct paint white = paint_of(WHITE, 0.1);
    const double stall = 2.7, deep = 5.3, aisle = 6.2;
    ground(p, a->u0, a->u1, a->v0, a->v1, paint_of(LAWN, 0.28));
    ground(p, a->u0 + 2, a->u1 - 2, a->v0 + 2, a->v1 - 2, paint_of(0x84868a, 0.09));
    for (double v = a->v0 + 2.5; v + deep <= a->v1 - 2; v += deep + aisle / 2 + (v > a->v0 + 3 ? 0 : aisle / 2))
        for (double u = a->u0 + 3; u + stall <= a->u1 - 3; u += stall) {
            const double jitter = random_range(p->r, -0.3, 0.3), to = random_below(p->r, 2) ? 1 : -1;
            ground(p, u - 0.06, u + 0.06, v, v + deep, white);
            add(p, &p->layout->vehicles,
                stand(p, random_below(p->r, 5) ? CAR : VAN, u + stall / 2, v + deep / 2 + jitter, 0, to));
        }
    for (double u = a->u0 + 1; u < a->u1; u += random_range(p->r, 8, 14))
        add_tree(p, u, random_below(p->r, 2) ? a->v0 + 0.6 : a->v1 - 0.6);
    add_people(p, (struct area){ a->u0 + 3, a->u1 - 3, a->v0 + 8, a->v0 + 13 }, 12);
}

static void lay_court(struct plan *p, const struct area *a)
{
    static const uint32_t surfaces[] = { 0x3f7f6a, 0x3f6f9a, 0xb0603f, 0x5c8a4a };
    const struct paint white = paint_of(WHITE, 0.02);
    const double u = (a->u0 + a->u1) / 2, v = (a->v0 + a->v1) / 2;
    const double l = fmin(14, (a->u1 - a->u0) / 2 - 4), w = fmin(8, (a->v1 - a->v0) / 2 - 4);
    const double lines[][4] = {                                 /* u0, u1, v0, v1 of stripes, from the middle */
        { -l, l, -w, -w + 0.2 }, { -l, l, w - 0.2, w }, { -l, -l + 0.2, -w, w }, { l - 0.2, l, -w, w },
        { -0.1, 0.1, -w, w }, { -l, -l + 4, -2.4, -2.2 }, { -l, -l + 4, 2.2, 2.4 }, { -l + 3.8, -l + 4, -2.4, 2.4 },
        { l - 4, l, -2.4, -2.2 }, { l - 4, l, 2.2, 2.4 }, { l - 4, l - 3.8, -2.4, 2.4 } };
    ground(p, a->u0, a->u1, a->v0, a->v1, paint_of(LAWN, 0.28));
    ground(p, u - l - 2, u + l + 2, v - w - 2, v + w + 2, paint_of(surfaces[random_below(p->r, 4)], 0.07));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ground(p, u + lines[i][0], u + lines[i][1], v + lines[i][2], v + lines[i][3], white);
    add_people(p, (struct area){ u - l, u + l, v - w, v + w }, 14);
    for (double x = a->u0 + 2; x < a->u1; x += random_range(p->r, 6, 11)) {
        add_tree(p, x, a->v0 + 1);
        add_tree(p, x + 2, a->v1 - 1);
    }
}

static void (*const blocks[])(struct plan *, const struct area *) = {
    lay_houses, lay_parking, lay_park, lay_offices, lay_parking, lay_court, lay_houses, lay_field };

/* The share of each category among the vehicles of a lane, in tenths. */
static int traffic(struct random *r)
{
    static const int share[10] = { CAR, CAR, CAR, CAR, VAN, VAN, TRUCK, TRUCK, BUS, BUS };
    return share[random_below(r, 10)];
}

/* Things along a street: t runs along it from t0 to t1, s across it from its middle.  axis 0: along u, axis 1: v. */
struct street { int axis; double at, t0, t1, half; };

static void on_street(struct plan *p, const struct street *k, double t0, double t1, double s0, double s1,
                      struct paint paint)
{
    if (k->axis == 0)
        ground(p, t0, t1, k->at + s0, k->at + s1, paint);
    else
        ground(p, k->at + s0, k->at + s1, t0, t1, paint);
}

static struct scene_object stand_on_street(struct plan *p, const struct street *k, int kind, double t, double s,
                                           double sign)
{
    return k->axis == 0 ? stand(p, kind, t, k->at + s, sign, 0) : stand(p, kind, k->at + s, t, 0, sign);
}

static void add_person_on_street(struct plan *p, const struct street *k, double t, double s)
{
    add_person(p, k->axis == 0 ? t : k->at + s, k->axis == 0 ? k->at + s : t);
}

static void paint_lines(struct plan *p, const struct street *k, int lanes)
{
    const struct paint white = paint_of(WHITE, 0.12), middle = paint_of(random_below(p->r, 3) ? WHITE : YELLOW, 0.12);
    for (double s = 0.5 - k->half; s + 0.5 < k->half; s += 1.0) {       /* zebra crossings */
        on_street(p, k, k->t0 + 0.8, k->t0 + 3.6, s, s + 0.5, white);
        on_street(p, k, k->t1 - 3.6, k->t1 - 0.8, s, s + 0.5, white);
    }
    on_street(p, k, k->t0 + 5, k->t1 - 5, -0.2, -0.06, middle);
    on_street(p, k, k->t0 + 5, k->t1 - 5, 0.06, 0.2, middle);
    for (int side = -1; side <= 1; side += 2)
        for (int i = 1; i < lanes; i++)
            for (double t = k->t0 + 5; t + 2 < k->t1 - 5; t += 5)
                on_street(p, k, t, t + 2, side * i * lane - 0.07, side * i * lane + 0.07, white);
}

static void add_traffic(struct plan *p, const struct street *k, int lanes)
{
    const double right = k->axis == 0 ? -1 : 1;                 /* the sign of s to the right of the direction t */
    for (int i = 0; i < 2 * lanes; i++) {
        const double s = (i - lanes + 0.5) * lane, sign = s * right > 0 ? 1 : -1;
        for (double t = k->t0 + 4.5 + random_range(p->r, 0, 4); ; ) {
            const int kind = traffic(p->r);
            struct scene_object vehicle = stand_on_street(p, k, kind, 0, s + random_range(p->r, -0.25, 0.25), sign);
            const double middle = sign * (t + vehicle.length / 2);
            if (t + vehicle.length > k->t1 - 4)
                break;
            vehicle.at.x += middle * vehicle.along[0];
            vehicle.at.y += middle * vehicle.along[1];
            add(p, &p->layout->vehicles, vehicle);
            t += vehicle.length + random_range(p->r, 1.2, 6);
        }
    }
}

/* On the walks and on the zebra crossings, with trees behind them. */
static void add_passers(struct plan *p, const struct street *k)
{
    for (int side = -1; side <= 1; side += 2) {
        for (double t = k->t0; t < k->t1; t += random_range(p->r, 1, 2.5))
            add_person_on_street(p, k, t, side * (k->half + random_range(p->r, 0.5, walk - 0.3)));
        for (double t = k->t0 + 4; t < k->t1 - 4; t += random_range(p->r, 9, 22)) {
            const double s = side * (k->half + walk + 0.3);
            add_tree(p, k->axis == 0 ? t : k->at + s, k->axis == 0 ? k->at + s : t);
        }
    }
    for (int i = 0; i < 6; i++) {
        const double from_end = random_range(p->r, 1, 3.4);
        add_person_on_street(p, k, random_below(p->r, 2) ? k->t0 + from_end : k->t1 - from_end,
                             random_range(p->r, -k->half, k->half));
    }
}

static void add_bridge(struct plan *p, const struct street *k)
{
    struct scene_object bridge = stand_on_street(p, k, BRIDGE, (k->t0 + k->t1) / 2, 0, 1);
    const double along = bridge.along[0];
    bridge.along[0] = -bridge.along[1];
    bridge.along[1] = along;
    bridge.length = 2 * (k->half + walk);
    bridge.at.z = 5;
    add(p, &p->layout->fixtures, bridge);
}

/* A stretch between two crossings. */
static void lay_stretch(struct plan *p, const struct street *k)
{
    const int lanes = (int)(k->half / lane + 0.5);
    paint_lines(p, k, lanes);
    add_traffic(p, k, lanes);
    add_passers(p, k);
    if (random_below(p->r, 7) == 0)
        add_bridge(p, k);
}

/* The place of street number i of an axis. */
static double street_at(const struct plan *p, int axis, int i)
{
    return p->offset[axis] + i * p->spacing[axis];
}

static void lay_blocks(struct plan *p, const int count[2])
{
    const double edge[2] = { p->half[0] + walk, p->half[1] + walk };
    for (int i = -count[1]; i < count[1]; i++)
        for (int j = -count[0]; j < count[0]; j++) {
            const struct area area = { street_at(p, 1, i) + edge[1], street_at(p, 1, i + 1) - edge[1],
                                       street_at(p, 0, j) + edge[0], street_at(p, 0, j + 1) - edge[0] };
            blocks[random_below(p->r, sizeof blocks / sizeof *blocks)](p, &area);
        }
}

/* All walks before all asphalt, since they cross. */
static void lay_streets(struct plan *p, const int count[2])
{
    const struct { double beyond; struct paint paint; } layers[] = {
        { walk, paint_of(PAVING, 0.1) }, { 0.25, paint_of(0xc6c4bd, 0.05) }, { 0, paint_of(ASPHALT, 0.09) } };
    for (int layer = 0; layer < 3; layer++)
        for (int axis = 0; axis < 2; axis++)
            for (int i = -count[axis]; i <= count[axis]; i++) {
                const double half = p->half[axis] + layers[layer].beyond;
                const struct street street = { .axis = axis, .at = street_at(p, axis, i) };
                on_street(p, &street, -p->radius, p->radius, -half, half, layers[layer].paint);
            }
    for (int axis = 0; axis < 2; axis++)
        for (int i = -count[axis]; i <= count[axis]; i++)
            for (int j = -count[!axis]; j < count[!axis]; j++)
                lay_stretch(p, &(struct street){ axis, street_at(p, axis, i), street_at(p, !axis, j) + p->half[!axis],
                                                 street_at(p, !axis, j + 1) - p->half[!axis], p->half[axis] });
}

bool scene_layout_plan(struct scene_layout *layout, struct renderer *renderer, double radius, struct random *r,
                       struct error *err)
{
    struct plan p = { .layout = layout, .renderer = renderer, .r = r, .err = err, .radius = radius, .ok = true };
    int count[2];
    *layout = (struct scene_layout){0};
    random_direction(r, p.along);
    p.across[0] = -p.along[1];
    p.across[1] = p.along[0];
    for (int axis = 0; axis < 2; axis++) {                      /* a street along u passes near the middle */
        p.spacing[axis] = axis ? random_range(r, 64, 96) : random_range(r, 44, 56);
        p.offset[axis] = axis ? random_range(r, -0.5, 0.5) * p.spacing[1] : random_range(r, -11, 11);
        p.half[axis] = lane * (1 + (random_below(r, 3) == 0));
        count[axis] = (int)ceil(radius / p.spacing[axis]) + 1;
    }
    ground(&p, -radius, radius, -radius, radius, paint_of(LAWN, 0.28));
    lay_blocks(&p, count);
    lay_streets(&p, count);
    if (!p.ok)
        scene_layout_free(layout);
    return p.ok;
}

void scene_layout_free(struct scene_layout *layout)
{
    free(layout->vehicles.list);
    free(layout->people.list);
    free(layout->fixtures.list);
    *layout = (struct scene_layout){0};
}
