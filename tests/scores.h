/* tests/scores.h -- ground truth and detections from rows of a table. */
#ifndef TESTS_SCORES_H
#define TESTS_SCORES_H
#include "data/dataset_builder.h"
#include "eval/detections.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

struct box { int image, category; double box[4]; double score; };       /* of truth: score -1 is a crowd box, ignored */

/* Images of 200 x 200 with the given ids, categories with ids 0 to 11, of which each is its own index. */
static inline struct dataset make_truth(int images, const struct box *list, int count, int first_id)
{
    struct dataset_builder b = {0};
    struct dataset truth = {0};
    bool ok = true;
    for (int i = 0; i < 12; i++)
        ok = build_category(&b, i, "class", NULL) && ok;
    for (int i = 0; i < images; i++)
        ok = build_image(&b, i, "a.jpg", 200, 200, NULL) && ok;
    for (int i = 0; i < count; i++) {
        struct annotation a = { .id = first_id + i, .crowd = list[i].score < 0, .ignore = list[i].score < 0 };
        memcpy(a.box, list[i].box, sizeof a.box);
        a.area = a.box[2] * a.box[3];
        ok = build_annotation(&b, &a, list[i].image, list[i].category, "test", NULL) && ok;
    }
    assert_true(ok && build_end(&b, &truth, "test", NULL));
    build_free(&b);
    return truth;
}

static inline struct detections make_found(const struct box *list, int count)
{
    struct detections found = {0};
    for (int i = 0; i < count; i++) {
        struct detection d = { .image = list[i].image, .category = list[i].category, .score = list[i].score };
        memcpy(d.box, list[i].box, sizeof d.box);
        assert_true(detections_add(&found, d, NULL));
    }
    return found;
}
#endif
