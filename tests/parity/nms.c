/* The room "nms": exact equality of boxes, scores, labels and sources. */
#include "fixture.h"

#include "detect/nms.h"
#include "rooms.h"
#include <stdlib.h>

/* All (box, class) whose score exceeds the threshold, compared in float. */
static struct scored *scored_list(struct tensors *t, int *count)
{
    const float *scores = fixture_floats(t, "scores"), bound = (float)fixture_number(t, "score_thr", 0.05);
    const int boxes = fixture_extent(t, "scores", 0), classes = fixture_extent(t, "scores", 1);
    struct scored *list = tensors_block(t, (size_t)boxes * (size_t)classes, sizeof *list, NULL);
    *count = 0;
    for (int i = 0; i < boxes; i++)
        for (int c = 0; c < classes; c++)
            if (scores[i * classes + c] > bound)
                list[(*count)++] = (struct scored){ scores[i * classes + c], i, c };
    return list;
}

void parity_nms(struct parity *p, const char *path)
{
    struct tensors t;
    if (fixture_open(&t, p, path)) {
        const float (*box)[4] = (void *)fixture_floats(&t, "boxes"), (*dets)[5] = (void *)fixture_floats(&t, "dets");
        const int *label = fixture_ints(&t, "labels"), *source = fixture_ints(&t, "source");
        const int want = fixture_extent(&t, "dets", 0);
        int count;
        struct scored *list = scored_list(&t, &count);
        const int kept = nms(list, count, box, fixture_number(&t, "iou_thr", 0.6),
                             false, (int)fixture_number(&t, "max_num", 100));
        double wrong = abs(kept - want);
        for (int i = 0; i < kept && i < want; i++) {
            wrong += list[i].label != label[i] || list[i].box != source[i] || list[i].score != dets[i][4];
            for (int j = 0; j < 4; j++)
                wrong += box[list[i].box][j] != dets[i][j];
        }
        parity_compare(p, path, wrong, 0, "dets, labels and source");
    }
    tensors_free(&t);
}
