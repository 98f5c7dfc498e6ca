/* tests/op_trial.h -- one evaluation of one op on random operands: forward is compared with the op's plain definition,
 * backward with central differences of L = <dy, value of y>.  Guards between the pixels and after the save, work and
 * scratch memory must not change.  Memory that is to be written holds NaN before.
 *
 * In double the differences are those of the op's own forward.  In float they are those of the definition, which
 * computes in double: rounding would hide the differences of a forward in float. */
#ifndef TESTS_OP_TRIAL_H
#define TESTS_OP_TRIAL_H
#include "base/random.h"
#include "op/ops.h"
#include "op/policy.h"
#include "tables.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 3, GUARD = 64, THREADS = 3 };      /* elements between pixels; bytes after a buffer */

struct trial;

union any_attr {
    struct conv_attr conv; struct norm_attr norm; struct act_attr act; struct pool_attr pool;
    struct channels_attr channels; struct resize_attr resize; struct drop_attr drop; struct attention_attr attention;
};

struct op_case {
    const struct op *op;
    double tolerance;                           /* relative to 1 + |numeric|, in double */
    struct shape x[OP_IN];                      /* operands, parameters among them; n 0: none */
    union any_attr attr;
    /* The value of channel c of a pixel of y, by the definition, from value_of the operands. */
    double (*want)(const struct trial *, ptrdiff_t pixel, int c);
    unsigned deferred;                          /* bit i: operand i is deferred, with this activation: */
    enum act act;
    bool per_image;                             /* deferred operands have vectors per image */
    unsigned dense;                             /* bit i: operand i is a weight, without gaps */
    unsigned idle;                              /* bit i: operand i gets no gradient */
    bool direct, with_unit;                     /* policies of a convolution: see op/policy.h; three bf16 terms */
};

struct buffer { real *p; ptrdiff_t elements; };  /* a tensor with its gaps */

struct trial {
    const struct op_case *row;
    struct node node;
    union any_attr attr;                        /* the node's */
    struct call call;
    struct team team;
    ptrdiff_t count[OP_IN];                     /* elements of an operand, without gaps */
    struct buffer x[OP_IN], start[OP_IN], dx[OP_IN], before[OP_IN], y, dy;
    real *vectors[OP_IN + 1];                   /* scale, then shift, of the operands and of y */
    double *plus, *minus;                       /* y on both sides of a difference quotient */
    unsigned char *save, *packed, *work, *scratch;
};

static inline double sigmoid(double z) { return 1 / (1 + exp(-z)); }

static inline double limited(double z, double low, double high) { return fmin(fmax(z, low), high); }

/* The definitions of kernel/activation_rows.h once more. */
static inline double plain_act(enum act act, double slope, double z)
{
    const double y[ACT_KINDS] = {
        [ACT_NONE] = z, [ACT_RELU] = fmax(z, 0), [ACT_LEAKY_RELU] = fmax(z, slope * z), [ACT_RELU6] = limited(z, 0, 6),
        [ACT_HARD_SWISH] = z * limited(z + 3, 0, 6) / 6, [ACT_HARD_SIGMOID] = limited(z + 3, 0, 6) / 6,
        [ACT_SILU] = z * sigmoid(z), [ACT_SIGMOID] = sigmoid(z), [ACT_GELU] = z * erfc(-z / sqrt(2)) / 2,
        [ACT_MISH] = z * tanh(log1p(exp(z))) };
    return y[act];
}

/* The offset of element e of a view; e counts without gaps. */
static inline ptrdiff_t place(struct const_view v, ptrdiff_t e) { return e / v.c * v.ld + e % v.c; }

/* Level l of a view as a view of that level alone. */
static inline struct const_view const_level(struct const_view v, int l)
{
    static const struct levels one;
    for (int i = 0; i < l; i++)
        v.p += (ptrdiff_t)v.n * v.lv->h[i] * v.lv->w[i] * v.ld;
    if (v.lv->count) {
        v.h = v.lv->h[l];
        v.w = v.lv->w[l];
        v.lv = &one;
    }
    return v;
}

/* The image of a pixel, of levels * n images, and the pixel's index in it. */
static inline int image_and_pixel(struct const_view v, ptrdiff_t pixel, ptrdiff_t *within)
{
    int image = 0;
    for (int l = 0; l < level_count(v.lv); l++) {
        const struct const_view level = const_level(v, l);
        if (pixel < pixels(level)) {
            *within = pixel % (level.h * level.w);
            return image + (int)(pixel / (level.h * level.w));
        }
        pixel -= pixels(level);
        image += v.n;
    }
    return -1;
}

static inline double value_at(struct const_view v, struct deferred deferred, ptrdiff_t pixel, int c)
{
    const double p = v.p[pixel * v.ld + c];
    ptrdiff_t within;
    if (!deferred.scale)
        return p;
    const ptrdiff_t i = (ptrdiff_t)image_and_pixel(v, pixel, &within) * deferred.ld + c;
    return plain_act(deferred.act, deferred.slope, deferred.scale[i] * p + deferred.shift[i]);
}

/* Operand i's value: scale, shift and activation applied. */
static inline double value_of(const struct trial *t, int i, ptrdiff_t pixel, int c)
{
    return value_at(t->call.x[i], t->call.x_deferred[i], pixel, c);
}

static inline struct buffer buffer_like(struct const_view v)
{
    struct buffer b = { NULL, pixels(v) * v.ld };
    b.p = malloc((size_t)b.elements * sizeof *b.p);
    for (ptrdiff_t i = 0; b.p && i < b.elements; i++)
        b.p[i] = NAN;
    return b;
}

static inline void buffer_copy(struct buffer to, struct buffer from)
{
    memcpy(to.p, from.p, (size_t)to.elements * sizeof *to.p);
}

static inline bool gaps_intact(struct const_view v)
{
    for (ptrdiff_t pixel = 0; v.p && pixel < pixels(v); pixel++)
        for (int c = v.c; c < v.ld && pixel + 1 < pixels(v); c++)
            if (!isnan(v.p[pixel * v.ld + c]))
                return false;
    return true;
}

static inline unsigned char *guarded(size_t bytes)
{
    unsigned char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    return p ? memset(p, 0xff, bytes + GUARD) : NULL;           /* 0xff...: a NaN */
}

static inline bool guard_intact(const unsigned char *p, size_t bytes)
{
    for (size_t i = bytes; i < bytes + GUARD; i++)
        if (p[i] != 0xff)
            return false;
    return true;
}

static inline size_t save_size(const struct node *n) { return n->op->save ? n->op->save(n) : 0; }
static inline size_t packed_size(const struct node *n) { return n->op->packed ? n->op->packed(n) : 0; }

static inline size_t most_of(const struct node *n, size_t (*size)(const struct node *, enum pass))
{
    const size_t forward = size ? size(n, FORWARD) : 0, backward = size ? size(n, BACKWARD) : 0;
    return forward > backward ? forward : backward;
}

/* A thread's scratch, rounded as the graph does. */
static inline size_t scratch_size(const struct node *n) { return (most_of(n, n->op->scratch) + 64) / 64 * 64; }

/* Away from the kinks of the activations, where a difference quotient means nothing. */
static inline double smooth_random(struct random *random)
{
    double z;
    do
        z = random_range(random, -8, 8);
    while (fabs(z) < 0.1 || fabs(fabs(z) - 3) < 0.1 || fabs(fabs(z) - 6) < 0.1);
    return z;
}

static inline struct deferred new_vectors(struct trial *t, int slot, struct const_view v, bool per_image,
                                          struct random *random)
{
    const ptrdiff_t count = (ptrdiff_t)(per_image ? v.n * level_count(v.lv) : 1) * v.c;
    real *p = t->vectors[slot] = malloc(2 * (size_t)count * sizeof *p);
    for (ptrdiff_t i = 0; i < count; i++) {
        p[i] = random ? (real)random_range(random, 0.5, 2) : (real)NAN;
        p[count + i] = random ? (real)random_range(random, -1, 1) : (real)NAN;
    }
    return (struct deferred){ p, p + count, per_image ? v.c : 0, ACT_NONE, 0 };
}

static inline void new_operand(struct trial *t, int i, struct random *random)
{
    const struct op_case *row = t->row;
    const struct shape *s = &t->node.x[i];
    const int ld = s->c + (row->dense >> i & 1 ? 0 : GAP);
    struct const_view *v = &t->call.x[i];
    *v = (struct const_view){ NULL, s->n, s->h, s->w, s->c, ld, &s->lv };
    t->count[i] = pixels(*v) * s->c;
    t->x[i] = buffer_like(*v);
    t->start[i] = buffer_like(*v);
    v->p = t->x[i].p;
    if (row->deferred >> i & 1) {
        t->call.x_deferred[i] = new_vectors(t, i, *v, row->per_image, random);
        t->call.x_deferred[i].act = row->act;
        t->call.x_deferred[i].slope = (real)0.1;
    }
    for (ptrdiff_t e = 0; e < t->count[i]; e++) {
        ptrdiff_t within;
        const struct deferred deferred = t->call.x_deferred[i];
        const ptrdiff_t k = image_and_pixel(*v, e / v->c, &within) * deferred.ld + e % v->c;
        const double z = row->dense >> i & 1 ? random_range(random, -1, 1) : smooth_random(random);
        t->x[i].p[place(*v, e)] = (real)(deferred.scale ? (z - deferred.shift[k]) / deferred.scale[k] : z);
        if (row->op->changes >> i & 1)
            t->x[i].p[place(*v, e)] = (real)random_range(random, 0.5, 2);            /* a variance is positive */
    }
    buffer_copy(t->start[i], t->x[i]);
    t->dx[i] = buffer_like(*v);
    t->before[i] = buffer_like(*v);
    for (ptrdiff_t e = 0; e < t->count[i]; e++)
        t->before[i].p[place(*v, e)] = (real)random_range(random, -1, 1);
}

/* y, and dy, of a seed of their own: with gaps, or where the op says that they live. */
static inline void new_output(struct trial *t, struct random *random)
{
    const struct op *op = t->row->op;
    const struct shape *s = &t->node.y[0];
    struct call *k = &t->call;
    struct tensor_slice slice = {0};
    struct view *y = &k->y[0];
    *y = (struct view){ NULL, s->n, s->h, s->w, s->c, s->c + GAP, &s->lv };
    k->dy[0] = *y;
    t->dy = buffer_like(read_only(*y));
    k->dy[0].p = t->dy.p;
    for (ptrdiff_t e = 0; e < pixels(*y) * y->c; e++)
        t->dy.p[place(read_only(*y), e)] = (real)random_range(random, -1, 1);
    t->y = buffer_like(read_only(*y));
    t->plus = malloc((size_t)(pixels(*y) * y->c) * sizeof *t->plus);
    t->minus = malloc((size_t)(pixels(*y) * y->c) * sizeof *t->minus);
    y->p = t->y.p;
    if (op->makes_deferred || op->output_in_operand) {
        if (op->output_in_operand)
            op->output_in_operand(&t->node, &slice);
        y->p = t->x[0].p + slice.pixel * k->x[0].ld + slice.channel;
        y->ld = k->x[0].ld;
    }
    if (op->makes_deferred) {
        const struct deferred made = op->makes_deferred(&t->node);
        k->y_deferred[0] = new_vectors(t, OP_IN, read_only(*y), made.ld, NULL);
        k->y_deferred[0].act = made.act;
        k->y_deferred[0].slope = made.slope;
        k->y_scale = t->vectors[OP_IN];
        k->y_shift = t->vectors[OP_IN] + (k->y_deferred[0].shift - k->y_deferred[0].scale);
    }
}

/* NULL, with the reason in err, if the op refuses the shapes. */
static inline struct trial *trial_new(const struct op_case *row, uint64_t seed, struct error *err)
{
    struct random random = random_of(seed, 1, 0);
    struct trial *t = calloc(1, sizeof *t);
    struct node *n = &t->node;
    char name[] = "layer";
    t->row = row;
    t->attr = row->attr;
    *n = (struct node){ .op = row->op, .name = name, .out = 1, .attr = &t->attr, .parts = 1 << seed % 4 };
    while (n->in < OP_IN && row->x[n->in].n) {
        n->x[n->in] = row->x[n->in];
        n->in++;
    }
    if (!row->op->shape(n, err)) {
        free(t);
        return NULL;
    }
    n->name = NULL;
    t->call = (struct call){ .node = n, .team = &t->team, .kernels = table_under_test(), .key = seed };
    const struct policy policy = { t->call.kernels, .direct = row->direct, .bf16_terms = row->with_unit ? 3 : 0 };
    if (row->op->plan)
        row->op->plan(n, &policy, false);
    t->team.threads = 1;
    for (int i = 0; i < n->in; i++) {
        new_operand(t, i, &random);
        if (row->op->changes >> i & 1)
            t->call.changed[i] = t->x[i].p;
    }
    new_output(t, &random);
    t->call.save = t->save = guarded(save_size(n));
    t->call.packed = t->packed = guarded(packed_size(n));
    t->call.work = t->work = guarded(most_of(n, row->op->work));
    t->call.scratch = t->scratch = guarded(THREADS * scratch_size(n));
    t->call.scratch_size = scratch_size(n);
    return t;
}

static inline void trial_free(struct trial *t)
{
    for (int i = 0; i < t->node.in; i++) {
        free(t->x[i].p);
        free(t->start[i].p);
        free(t->dx[i].p);
        free(t->before[i].p);
        free(t->vectors[i]);
    }
    free(t->vectors[OP_IN]);
    free(t->y.p);
    free(t->dy.p);
    free(t->plus);
    free(t->minus);
    free(t->save);
    free(t->packed);
    free(t->work);
    free(t->scratch);
    free(t);
}

/* The previous content of both is undefined. */
static inline void spoil(struct trial *t)
{
    memset(t->packed, 0xff, packed_size(&t->node));
    memset(t->work, 0xff, most_of(&t->node, t->row->op->work));
    memset(t->scratch, 0xff, THREADS * scratch_size(&t->node));
}

static inline void trial_forward(struct trial *t)
{
    for (int i = 0; i < t->node.in; i++)
        if (t->row->op->changes >> i & 1)
            buffer_copy(t->x[i], t->start[i]);
    spoil(t);
    if (packed_size(&t->node))
        t->row->op->pack(&t->call);
    t->row->op->forward(&t->call);
}

/* Computes the gradients of the operands in `wanted`: sets them, or adds them to random values. */
static inline void trial_backward(struct trial *t, unsigned wanted, bool add)
{
    for (int i = 0; i < t->node.in; i++) {
        const struct const_view x = t->call.x[i];
        t->call.dx[i] = (struct view){ wanted >> i & 1 ? t->dx[i].p : NULL, x.n, x.h, x.w, x.c, x.ld, x.lv };
        t->call.add[i] = add;
        for (ptrdiff_t e = 0; e < t->dx[i].elements; e++)
            t->dx[i].p[e] = add ? t->before[i].p[e] : (real)NAN;
    }
    spoil(t);
    if (t->row->op->backward)                   /* else no gradient passes */
        t->row->op->backward(&t->call);
}

/* The value of y, without gaps, with element e of operand i moved by h; returns the element as moved. */
static inline double trial_move(struct trial *t, int i, ptrdiff_t e, double h, double *y)
{
    real *x = &t->x[i].p[place(t->call.x[i], e)];
    const struct const_view v = read_only(t->call.y[0]);
    const real old = *x, moved = (real)(old + h);
    *x = moved;
    if (sizeof(real) == sizeof(double))
        trial_forward(t);
    for (ptrdiff_t o = 0; o < pixels(v) * v.c; o++)
        y[o] = sizeof(real) == sizeof(double) ? value_at(v, t->call.y_deferred[0], o / v.c, (int)(o % v.c))
                                              : t->row->want(t, o / v.c, (int)(o % v.c));
    *x = old;
    return moved;
}

/* The central difference of L = <dy, y>; y is subtracted first, which rounds less. */
static inline double trial_slope(struct trial *t, int i, ptrdiff_t e, double h)
{
    double slope = 0;
    const double step = trial_move(t, i, e, h, t->plus) - trial_move(t, i, e, -h, t->minus);
    for (ptrdiff_t o = 0; o < pixels(t->call.dy[0]) * t->call.dy[0].c; o++)
        slope += t->dy.p[place(read_only(t->call.dy[0]), o)] * (t->plus[o] - t->minus[o]) / step;
    return slope;
}

static inline bool guards_intact(const struct trial *t)
{
    bool ok = guard_intact(t->save, save_size(&t->node)) && guard_intact(t->packed, packed_size(&t->node))
           && guard_intact(t->work, most_of(&t->node, t->row->op->work))
           && guard_intact(t->scratch, THREADS * scratch_size(&t->node)) && gaps_intact(read_only(t->call.dy[0]))
           && gaps_intact((struct const_view){ t->y.p, t->node.y[0].n, t->node.y[0].h, t->node.y[0].w, t->node.y[0].c,
                                         t->node.y[0].c + GAP, NULL });
    for (int i = 0; i < t->node.in; i++)
        ok = ok && gaps_intact(t->call.x[i]) && gaps_intact(read_only(t->call.dx[i]));
    return ok;
}
#endif
