/* tests/boxed_scene.h -- images of bright rectangles on grey, with their boxes as annotations. */
#ifndef TESTS_BOXED_SCENE_H
#define TESTS_BOXED_SCENE_H
#include "data/sample.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct data_config plain = {
    .input_size = { 160, 96 }, .multi_scale = { 1, 1 },
    .pipeline = { .scale = { 1, 1 }, .stretch = {{ 1, 1 }, { 1, 1 }}, .contrast = { 1, 1 }, .saturation = { 1, 1 } } };

static inline void put(struct image *p, int x, int y, int level)
{
    memset(p->p + 3 * (y * p->width + x), level, 3);
}

static inline int level(const struct sample *s, int x, int y)
{
    return s->pixels[3 * (y * s->input.width + x)];
}

/* Grey of that level, with brighter rectangles at boxes of x, y, width, height. */
static inline struct image scene(int width, int height, int ground, const double (*boxes)[4], int count)
{
    struct image p;
    assert_true(image_new(&p, width, height, NULL));
    memset(p.p, ground, 3 * (size_t)width * (size_t)height);
    for (int i = 0; i < count; i++)
        for (int y = (int)boxes[i][1]; y < (int)(boxes[i][1] + boxes[i][3]); y++)
            for (int x = (int)boxes[i][0]; x < (int)(boxes[i][0] + boxes[i][2]); x++)
                put(&p, x, y, ground + 100);
    return p;
}

/* A dataset of one image with boxes. */
enum { BOXES = 40 };
struct boxes {
    struct annotation annotations[BOXES];
    struct image_record image;
    struct dataset dataset;
};
static const int label[] = { 0, 1 };                    /* of the categories, which boxes have in turn */

static inline void boxes_set(struct boxes *b, const double (*boxes)[4], int count)
{
    *b = (struct boxes){ .image = { .count = count } };
    b->dataset = (struct dataset){ .images = &b->image, .image_count = 1, .annotations = b->annotations,
                                   .annotation_count = count };
    for (int i = 0; i < count; i++) {
        b->annotations[i] = (struct annotation){ .category = i % 2, .area = boxes[i][2] * boxes[i][3] };
        memcpy(b->annotations[i].box, boxes[i], sizeof boxes[i]);
    }
}

/* A point through an affine matrix. */
static inline void apply(const struct matrix *a, const double p[2], double out[2])
{
    for (int i = 0; i < 2; i++)
        out[i] = a->m[i][0] * p[0] + a->m[i][1] * p[1] + a->m[i][2];
}
#endif
