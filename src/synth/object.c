#include "synth/object.h"

#include <math.h>

static struct vec3 local(const struct scene_object *t, double a, double b, double z)
{
    return (struct vec3){ t->at.x + a * t->along[0] - b * t->along[1],
                          t->at.y + a * t->along[1] + b * t->along[0], t->at.z + z };
}

/* A box between two heights, corners cut off by `cut`; its top is drawn in by front, back and side. */
struct body { double a0, a1, b0, b1, z0, z1, front, back, side, cut; };

static void outline(const struct scene_object *t, const struct body *b, bool top, struct vec3 out[8])
{
    const double a0 = b->a0 + (top ? b->back : 0), a1 = b->a1 - (top ? b->front : 0);
    const double b0 = b->b0 + (top ? b->side : 0), b1 = b->b1 - (top ? b->side : 0);
    const double z = top ? b->z1 : b->z0, c = b->cut;
    const double corners[8][2] = { { a0 + c, b0 }, { a1 - c, b0 }, { a1, b0 + c }, { a1, b1 - c },
                                   { a1 - c, b1 }, { a0 + c, b1 }, { a0, b1 - c }, { a0, b0 + c } };
    for (int i = 0; i < 8; i++)
        out[i] = local(t, corners[i][0], corners[i][1], z);
}

static void draw_body(struct renderer *s, const struct scene_object *t, const struct body *b, struct paint side,
                      struct paint top)
{
    struct vec3 low[8], high[8];
    outline(t, b, false, low);
    outline(t, b, true, high);
    for (int i = 0; i < 8; i++) {
        const int next = (i + 1) % 8;
        renderer_polygon(s, (struct vec3[]){ low[i], low[next], high[next], high[i] }, 4, side);
    }
    renderer_polygon(s, high, 8, top);
}

/* A rectangle on top at height z; one on a wall: on the front (b from, to), or on a side (a from, to). */
static void draw_patch(struct renderer *s, const struct scene_object *t, double a0, double a1, double b0, double b1,
                       double z, struct paint paint)
{
    renderer_polygon(s, (struct vec3[]){ local(t, a0, b0, z), local(t, a1, b0, z), local(t, a1, b1, z),
                                         local(t, a0, b1, z) }, 4, paint);
}

static void draw_front(struct renderer *s, const struct scene_object *t, double a, double b, double z0, double z1,
                       struct paint paint)
{
    const double sign = a < 0 ? -1 : 1;                         /* the back, as seen from behind */
    renderer_polygon(s, (struct vec3[]){ local(t, a, -sign * b, z0), local(t, a, sign * b, z0),
                                         local(t, a, sign * b, z1), local(t, a, -sign * b, z1) }, 4, paint);
}

static void draw_sides(struct renderer *s, const struct scene_object *t, double a0, double a1, double b, double z0,
                       double z1, struct paint paint)
{
    renderer_polygon(s, (struct vec3[]){ local(t, a0, -b, z0), local(t, a1, -b, z0), local(t, a1, -b, z1),
                                         local(t, a0, -b, z1) }, 4, paint);
    renderer_polygon(s, (struct vec3[]){ local(t, a1, b, z0), local(t, a0, b, z0), local(t, a0, b, z1),
                                         local(t, a1, b, z1) }, 4, paint);
}

/* One of the colours, of which 0 ends the list, a little darker or lighter. */
static struct paint pick(struct random *r, const uint32_t *colours, double grain)
{
    int count = 0;
    while (colours[count])
        count++;
    struct paint paint = paint_of(colours[random_below(r, count)], grain);
    const float shade = (float)random_range(r, 0.85, 1.12);
    for (int k = 0; k < 3; k++)
        paint.colour[k] *= shade;
    return paint;
}

static const uint32_t car_colours[] = { 0xf2f3f4, 0xf2f3f4, 0xc4c8cc, 0x9aa1a8, 0x5a6068, 0x26292d, 0x1b1d20, 0xb3242b,
                                        0x8c1d22, 0x2b5fa8, 0x1f3f6e, 0x35684a, 0xd9c7a0, 0xd98a2b, 0 };
static const uint32_t van_colours[] = { 0xf5f6f6, 0xf5f6f6, 0xeceff0, 0xd6dade, 0xc9cdd0, 0xe8c23a, 0x4f7fb8, 0 };
static const uint32_t cab_colours[] = { 0xf0f0ee, 0xc23a2e, 0x2f62a8, 0xe0b02e, 0x3e7a4f, 0xd8742a, 0 };
static const uint32_t load_colours[] = { 0xe9eaea, 0xcfd3d4, 0x8f5f3c, 0x4c6f86, 0x6a7a52, 0xb5543b, 0xb9a98a, 0 };
static const uint32_t bus_colours[] = { 0xd9382e, 0xe7b224, 0x2f7fc0, 0x35995e, 0xe9ecee, 0xe8782c, 0 };
static const uint32_t clothes[] = { 0xd83a3a, 0x3a6fd8, 0xf2f2f0, 0x2a2c30, 0xe8c53a, 0x3fa35c, 0xa64fb0, 0xe88a3a,
                                    0x5fb7c9, 0xd98aa0, 0 };
static const uint32_t trousers[] = { 0x24303f, 0x35322e, 0x1d1e22, 0x6a6558, 0x4a5a72, 0 };
static const uint32_t hair[] = { 0x2a211c, 0x4a3626, 0x17161a, 0x8a6a44, 0xd0b080, 0 };
enum { GLASS = 0x2c3a46, TYRE = 0x1a1b1d, LAMP = 0xfff6d8, TAIL = 0xb01818 };

static void draw_lamps(struct renderer *s, const struct scene_object *t, double z)
{
    const double a = t->length / 2, w = t->width / 2;
    const struct paint lamp = paint_of(LAMP, 0), tail = paint_of(TAIL, 0);
    draw_patch(s, t, a - 0.35, a - 0.12, w - 0.5, w - 0.15, z, lamp);
    draw_patch(s, t, a - 0.35, a - 0.12, 0.15 - w, 0.5 - w, z, lamp);
    draw_patch(s, t, 0.06 - a, 0.24 - a, w - 0.5, w - 0.12, z, tail);
    draw_patch(s, t, 0.06 - a, 0.24 - a, 0.12 - w, 0.5 - w, z, tail);
}

static void draw_car(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const double a = t->length / 2, w = t->width / 2, waist = 0.62 * t->height;
    const bool hatch = random_below(r, 2);
    const struct paint body = pick(r, car_colours, 0.02), glass = paint_of(GLASS, 0), tyre = paint_of(TYRE, 0);
    const struct body chassis = { 0.1 - a, a - 0.1, 0.04 - w, w - 0.04, 0.05, 0.3, 0, 0, 0, 0.2 };
    const struct body shell = { -a, a, -w, w, 0.25, waist, 0.12, 0.08, 0.05, 0.28 };
    const struct body cabin = { hatch ? 0.12 - a : 0.22 * -t->length - 0.25, 0.24 * t->length, 0.1 - w, w - 0.1, waist,
                                t->height, 0.75, hatch ? 0.3 : 0.6, 0.16, 0.1 };
    draw_body(s, t, &chassis, tyre, tyre);
    draw_body(s, t, &shell, body, body);
    draw_lamps(s, t, waist + 0.01);
    draw_body(s, t, &cabin, glass, body);
    if (random_below(r, 5) == 0)                                /* a glass roof */
        draw_patch(s, t, -0.12 * t->length, 0.06 * t->length, 0.35 - w, w - 0.35, t->height + 0.01, glass);
}

static void draw_van(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const double a = t->length / 2, w = t->width / 2;
    const struct paint body = pick(r, van_colours, 0.02), glass = paint_of(GLASS, 0), tyre = paint_of(TYRE, 0);
    const struct body chassis = { 0.1 - a, a - 0.1, 0.04 - w, w - 0.04, 0.05, 0.35, 0, 0, 0, 0.15 };
    const struct body shell = { -a, a, -w, w, 0.3, 1.05, 0.1, 0, 0, 0.2 };
    const struct body upper = { -a, a - 0.75, 0.02 - w, w - 0.02, 1.05, t->height, 0.75, 0.08, 0.12, 0.06 };
    const struct body screen = { a - 1.6, a - 0.74, 0.08 - w, w - 0.08, 1.06, t->height - 0.12, 0.72, 0, 0.12, 0.02 };
    struct paint rib = body;
    draw_body(s, t, &chassis, tyre, tyre);
    draw_body(s, t, &shell, body, body);
    draw_lamps(s, t, 1.06);
    draw_body(s, t, &screen, glass, glass);
    draw_body(s, t, &upper, body, body);
    renderer_polygon(s, (struct vec3[]){ local(t, a - 0.78, 0.14 - w, 1.15), local(t, a - 0.78, w - 0.14, 1.15),
                                         local(t, a - 1.4, w - 0.24, t->height - 0.1),
                                         local(t, a - 1.4, 0.24 - w, t->height - 0.1) }, 4, glass);
    for (int k = 0; k < 3; k++)
        rib.colour[k] *= 0.72f;
    for (int i = 0; i < 4; i++)
        draw_patch(s, t, 0.5 - a, a - 2, w * (0.4 * i - 0.65), w * (0.4 * i - 0.65) + 0.1, t->height + 0.01, rib);
}

static void draw_truck(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const double a = t->length / 2, w = t->width / 2, cab = a - 2.1, cab_height = fmin(2.7, t->height);
    const struct paint paint = pick(r, cab_colours, 0.02), load = pick(r, load_colours, 0.06);
    const struct paint glass = paint_of(GLASS, 0), tyre = paint_of(TYRE, 0), heap = paint_of(0x8a7a5c, 0.5);
    const bool open = random_below(r, 3) == 0;
    const struct body chassis = { 0.1 - a, a - 0.15, 0.08 - w, w - 0.08, 0.1, 1.0, 0, 0, 0, 0.1 };
    const struct body front = { cab, a, 0.05 - w, w - 0.05, 0.45, cab_height, 0.3, 0, 0.08, 0.12 };
    const struct body box = { -a, cab - 0.35, -w, w, 0.95, open ? 1.9 : t->height, 0, 0, 0.02, 0 };
    const struct body earth = { 0.25 - a, cab - 0.6, 0.2 - w, w - 0.2, 1.85, 2.35, 0.6, 0.6, 0.6, 0 };
    draw_body(s, t, &chassis, tyre, tyre);
    draw_body(s, t, &front, paint, paint);
    draw_front(s, t, a - 0.12, w - 0.2, 1.45, 2.25, glass);
    draw_body(s, t, &box, load, load);
    if (open) {
        draw_patch(s, t, 0.12 - a, cab - 0.47, 0.12 - w, w - 0.12, 1.91, heap);
        draw_body(s, t, &earth, heap, heap);
    }
    for (double x = 0.8 - a; x < cab - 0.6 && !open; x += 1.1)  /* seams */
        draw_patch(s, t, x, x + 0.07, 0.03 - w, w - 0.03, t->height + 0.01, paint_of(0x9b9d9e, 0));
}

static void draw_bus(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const double a = t->length / 2, w = t->width / 2, h = t->height;
    const struct paint body = pick(r, bus_colours, 0.02), glass = paint_of(GLASS, 0), tyre = paint_of(TYRE, 0);
    const struct paint roof = random_below(r, 2) ? body : paint_of(0xe8eaeb, 0.03), vent = paint_of(0xb4babd, 0.05);
    const struct body chassis = { 0.2 - a, a - 0.2, 0.06 - w, w - 0.06, 0.1, 0.4, 0, 0, 0, 0.1 };
    const struct body shell = { -a, a, -w, w, 0.35, h, 0.12, 0.06, 0.06, 0.2 };
    draw_body(s, t, &chassis, tyre, tyre);
    draw_body(s, t, &shell, body, roof);
    draw_sides(s, t, 0.5 - a, a - 0.4, w + 0.01, 1.3, 0.8 * h, glass);
    draw_front(s, t, a + 0.01, w - 0.2, 1.2, 0.82 * h, glass);
    draw_front(s, t, -a - 0.01, w - 0.3, 1.5, 0.8 * h, glass);
    for (int i = -1; i <= 1; i += 2) {
        const double middle = 0.24 * i * t->length;
        const struct body hatch = { middle - 0.9, middle + 0.9, -0.75, 0.75, h, h + 0.25, 0.1, 0.1, 0.1, 0.1 };
        draw_body(s, t, &hatch, vent, vent);
    }
}

static void draw_person(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const double w = t->width / 2, h = t->height;
    const struct paint shirt = pick(r, clothes, 0), legs = pick(r, trousers, 0), head = pick(r, hair, 0);
    const double stride = random_range(r, 0, 0.22);
    const struct body left = { stride - 0.1, stride + 0.1, 0.02, 0.2, 0, 0.5 * h, 0, 0, 0, 0 };
    const struct body right = { -stride - 0.1, 0.1 - stride, -0.2, -0.02, 0, 0.5 * h, 0, 0, 0, 0 };
    const struct body torso = { -0.2, 0.2, -w, w, 0.45 * h, 0.83 * h, 0.04, 0.04, 0.08, 0.1 };
    draw_body(s, t, &left, legs, legs);
    draw_body(s, t, &right, legs, legs);
    draw_body(s, t, &torso, shirt, shirt);
    renderer_ball(s, local(t, 0.04, 0, 0.91 * h), 0.17, 0.6, head);
}

static void cast_box(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const struct body whole = { -t->length / 2, t->length / 2, -t->width / 2, t->width / 2, 0, 0.95 * t->height,
                                0.06 * t->length, 0.06 * t->length, 0.08 * t->width, 0.08 * t->width };
    struct vec3 p[16];
    (void)r;
    outline(t, &whole, false, p);
    outline(t, &whole, true, p + 8);
    renderer_cast(s, p, 16);
}

/* A crown: leaves in balls, the lower and shaded ones first. */
static void draw_tree(struct renderer *s, const struct scene_object *t, struct random *r)
{
    static const uint32_t greens[] = { 0x4f7a35, 0x5c8a3c, 0x3f6b32, 0x6b8f45, 0x476f3f, 0x7d8f3f, 0xa8843a, 0 };
    enum { BALLS = 56 };
    const double crown = t->width / 2, middle = t->height - 0.8 * crown;
    const struct paint bark = paint_of(0x5a4736, 0.2), leaf = pick(r, greens, 0.3);
    const struct body trunk = { -0.14, 0.14, -0.14, 0.14, 0, middle, 0, 0, 0, 0.05 };
    draw_body(s, t, &trunk, bark, bark);
    for (int i = 0; i < BALLS; i++) {
        const double up = 1.7 * (i + 0.5) / BALLS - 0.8, ring = sqrt(fmax(0, 1 - up * up));
        double x, y;
        do {
            x = random_range(r, -1, 1);
            y = random_range(r, -1, 1);
        } while (x * x + y * y > 1);
        x *= ring;
        y *= ring;
        const struct vec3 centre = { t->at.x + crown * x, t->at.y + crown * y, middle + 0.8 * crown * up };
        const double lit = 0.35 + 0.5 * (x * s->sun.x + y * s->sun.y + up * s->sun.z) + random_range(r, -0.12, 0.12);
        renderer_ball(s, centre, crown * random_range(r, 0.2, 0.34), fmax(0.02, lit), leaf);
    }
}

static void cast_tree(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const double crown = t->width / 2, middle = t->height - 0.8 * crown;
    for (int i = 0; i < 14; i++) {
        const double x = t->at.x + 0.62 * crown * random_range(r, -1, 1), q = 0.42 * crown;
        const double y = t->at.y + 0.62 * crown * random_range(r, -1, 1), d = 0.7071067811865476 * q;
        const double z = middle + 0.4 * crown * random_range(r, -1, 1);
        const struct vec3 ball[] = { { x - q, y, z }, { x - d, y - d, z }, { x, y - q, z }, { x + d, y - d, z },
                                     { x + q, y, z }, { x + d, y + d, z }, { x, y + q, z }, { x - d, y + d, z } };
        renderer_cast(s, ball, 8);
    }
    renderer_cast(s, (struct vec3[]){ { t->at.x - 0.15, t->at.y, 0 }, { t->at.x + 0.15, t->at.y, 0 },
                                      { t->at.x - 0.15, t->at.y, middle }, { t->at.x + 0.15, t->at.y, middle } }, 4);
}

static void draw_windows(struct renderer *s, const struct scene_object *t, double a, double b, double floor_height)
{
    const struct paint glass = paint_of(0x55656f, 0.15);
    for (double z = 1; z + 1.6 < t->height; z += floor_height)
        for (double x = 1 - a; x + 1.4 < a; x += 2.4)
            draw_sides(s, t, x, x + 1.4, b + 0.01, z, z + 1.5, glass);
}

/* Half a roof, up to the ridge along the length, with the gable in front of it and rows of tiles. */
static void draw_half_roof(struct renderer *s, const struct scene_object *t, double eaves, struct paint roof,
                           struct paint wall)
{
    enum { ROWS = 8 };
    const double over = 0.45, a = t->length / 2, b = t->width / 2, slope = (t->height - eaves) / b;
    const double out = b + over, length = a + over, rise = slope * out, foot = t->height - rise;
    struct paint joint = roof;
    for (int k = 0; k < 3; k++)
        joint.colour[k] *= 0.8f;
    renderer_polygon(s, (struct vec3[]){ local(t, a, -b, eaves), local(t, a, b, eaves), local(t, a, 0, t->height) },
                     3, wall);
    renderer_polygon(s, (struct vec3[]){ local(t, -length, -out, foot), local(t, length, -out, foot),
                                         local(t, length, 0, t->height), local(t, -length, 0, t->height) }, 4, roof);
    for (int row = 1; row < ROWS; row++) {
        const double y = out - out * row / ROWS, z = t->height - slope * y;
        renderer_polygon(s, (struct vec3[]){ local(t, -length, -y, z), local(t, length, -y, z),
                                             local(t, length, 0.12 - y, z + 0.12 * slope),
                                             local(t, -length, 0.12 - y, z + 0.12 * slope) }, 4, joint);
    }
}

static void draw_house(struct renderer *s, const struct scene_object *t, struct random *r)
{
    static const uint32_t tiles[] = { 0xa4523a, 0x8f4735, 0xb5694a, 0x5f6468, 0x74604f, 0x6e7f86, 0 };
    static const uint32_t walls[] = { 0xe6dfd0, 0xd8cbb4, 0xeeece6, 0xcfc4b4, 0 };
    const double a = t->length / 2, b = t->width / 2, eaves = 0.62 * t->height;
    const struct paint roof = pick(r, tiles, 0.2), wall = pick(r, walls, 0.05);
    const struct body storeys = { -a, a, -b, b, 0, eaves, 0, 0, 0, 0 };
    const struct body chimney = { 0.3 * a, 0.3 * a + 0.7, 0.2 * b, 0.2 * b + 0.7, t->height - 1, t->height + 0.6,
                                  0, 0, 0, 0 };
    struct scene_object turned = *t;
    turned.along[0] = -t->along[0];
    turned.along[1] = -t->along[1];
    draw_body(s, t, &storeys, wall, wall);
    draw_windows(s, t, a, b, 2.8);
    draw_half_roof(s, t, eaves, roof, wall);
    draw_half_roof(s, &turned, eaves, roof, wall);
    if (random_below(r, 2))
        draw_body(s, t, &chimney, paint_of(0x8a5a48, 0.2), paint_of(0x4a4442, 0));
}

static void draw_office(struct renderer *s, const struct scene_object *t, struct random *r)
{
    static const uint32_t walls[] = { 0xb9b4aa, 0x9aa4aa, 0xc9b79a, 0xd9d7d0, 0xa88a74, 0 };
    static const uint32_t roofs[] = { 0x9b9c9a, 0xb4b0a8, 0x7f858a, 0xc4c2bc, 0x8d8074, 0 };
    const double a = t->length / 2, b = t->width / 2, h = t->height;
    const struct paint wall = pick(r, walls, 0.06), roof = pick(r, roofs, 0.25), machine = paint_of(0xd0d4d6, 0.05);
    const struct body block = { -a, a, -b, b, 0, h, 0, 0, 0, 0 };
    draw_body(s, t, &block, wall, wall);
    draw_windows(s, t, a, b, 3.2);
    draw_patch(s, t, 0.35 - a, a - 0.35, 0.35 - b, b - 0.35, h + 0.01, roof);
    for (int i = 2 + random_below(r, 5); i > 0; i--) {
        const double x = random_range(r, -0.7, 0.6) * a, y = random_range(r, -0.7, 0.6) * b;
        const double l = random_range(r, 1, 2.6), w = random_range(r, 0.8, 1.8);
        draw_patch(s, t, x - 0.5, x + l + 0.4, y - 0.4, y + w + 0.5, h + 0.02, paint_of(0x5f6264, 0.1));
        const struct body unit = { x, x + l, y, y + w, h, h + random_range(r, 0.6, 1.4), 0, 0, 0, 0 };
        draw_body(s, t, &unit, machine, machine);
    }
}

/* A footbridge across the street: at.z is the height of its deck. */
static void draw_bridge(struct renderer *s, const struct scene_object *t, struct random *r)
{
    const double a = t->length / 2, b = t->width / 2;
    const struct paint deck = paint_of(random_below(r, 2) ? 0xb8b2a6 : 0x8f9aa3, 0.15), rail = paint_of(0x5b646b, 0);
    const struct body slab = { -a, a, -b, b, 0, 0.5, 0, 0, 0, 0 };
    draw_body(s, t, &slab, deck, deck);
    for (int side = -1; side <= 1; side += 2) {
        const double y = side * (b - 0.1);
        const struct body beam = { -a, a, y - 0.08, y + 0.08, 0.5, 1.5, 0, 0, 0, 0 };
        draw_body(s, t, &beam, rail, rail);
    }
}

const struct object_kind kinds[] = {
    { "car",    1, { 4.1, 4.9 },   { 1.75, 1.92 }, { 1.4, 1.6 },   draw_car,    cast_box },
    { "van",    2, { 5.0, 6.0 },   { 1.95, 2.1 },  { 2.1, 2.6 },   draw_van,    cast_box },
    { "truck",  3, { 6.8, 9.2 },   { 2.35, 2.55 }, { 3.0, 3.6 },   draw_truck,  cast_box },
    { "bus",    4, { 9.8, 12.0 },  { 2.5, 2.6 },   { 3.0, 3.2 },   draw_bus,    cast_box },
    { "person", 5, { 0.4, 0.4 },   { 0.6, 0.75 },  { 1.65, 1.95 },  draw_person, cast_box },
    { "tree",   0, { 0, 0 },       { 2.8, 5.6 },   { 4.5, 8.0 },   draw_tree,   cast_tree },
    { "house",  0, { 9, 14 },      { 7, 9 },       { 5.5, 7.5 },   draw_house,  cast_box },
    { "office", 0, { 0, 0 },       { 0, 0 },       { 6, 14 },      draw_office, cast_box },
    { "bridge", 0, { 0, 0 },       { 2.6, 3.4 },   { 0.5, 0.5 },   draw_bridge, cast_box },
    {0} };

void random_direction(struct random *r, double out[2])
{
    double length2;
    do {
        out[0] = random_range(r, -1, 1);
        out[1] = random_range(r, -1, 1);
        length2 = out[0] * out[0] + out[1] * out[1];
    } while (length2 > 1 || length2 < 0.01);
    out[0] /= sqrt(length2);
    out[1] /= sqrt(length2);
}

struct scene_object scene_object_new(const struct object_kind *kind, double x, double y, const double along[2],
                                     struct random *r)
{
    struct scene_object t = { .kind = kind, .at = { x, y, 0 }, .along = { along[0], along[1] } };
    t.length = random_range(r, kind->length[0], kind->length[1]);
    t.width = random_range(r, kind->width[0], kind->width[1]);
    t.height = random_range(r, kind->height[0], kind->height[1]);
    t.key = random_bits(r);
    return t;
}

void scene_object_draw(struct renderer *s, const struct scene_object *t)
{
    struct random r = random_of(t->key, 0, 0);
    t->kind->draw(s, t, &r);
}

void scene_object_cast(struct renderer *s, const struct scene_object *t)
{
    struct random r = random_of(t->key, 0, 1);
    t->kind->cast(s, t, &r);
}
