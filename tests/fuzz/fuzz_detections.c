/* COCO result lists and the VisDrone toolkit's rows, of a dataset with images and categories 1 and 2; what is read is
 * scored, so that no finite number may disturb the protocols either. */
#include "base/file.h"
#include "data/dataset_builder.h"
#include "eval/coco_eval.h"
#include "eval/visdrone_eval.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_truth(struct dataset *truth)
{
    struct dataset_builder b = {0};
    bool ok = true;
    for (int i = 1; i <= 2; i++) {
        const struct annotation a = { .id = i, .box = { 10 * i, 10, 20, 20 }, .area = 400, .ignore = i == 2 };
        ok = ok && build_image(&b, i, "a.jpg", 64, 48, NULL) && build_category(&b, i, "c", NULL)
          && build_annotation(&b, &a, i, i, "", NULL);
    }
    ok = ok && build_category(&b, 0, "ignored", NULL)
      && build_annotation(&b, &(struct annotation){ .id = 3, .box = { 1, 1, 9, 9 } }, 1, 0, "", NULL);
    if (!ok || !build_end(&b, truth, "", NULL))
        abort();
    build_free(&b);
}

static void score(const struct dataset *truth, const struct detections *found)
{
    const struct team team = { 1 };
    struct coco_score coco;
    struct visdrone_score visdrone;
    if (!coco_eval(&coco, truth, found, (const int[3]){ 1, 10, 100 }, &team, NULL)
        || !visdrone_eval(&visdrone, truth, found, &team, NULL))
        abort();
    for (int i = 0; i < COCO_FIGURES; i++)
        if (!(coco.figures[i] >= -1 && coco.figures[i] <= 1))
            abort();
    for (int i = 0; i < VISDRONE_FIGURES; i++)
        if (!(visdrone.figures[i] >= -1 && visdrone.figures[i] <= 1))
            abort();
    coco_score_free(&coco);
    visdrone_score_free(&visdrone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dataset truth;
    struct detections list = {0}, rows = {0};
    struct bytes text = decoded(data, size);
    if (!text.p)
        return 0;
    make_truth(&truth);
    if (detections_parse(&list, text, "list", &truth, NULL))
        score(&truth, &list);
    if (detections_parse_rows(&rows, text, "rows", &truth, 0, NULL))
        score(&truth, &rows);
    detections_free(&list);
    detections_free(&rows);
    dataset_free(&truth);
    bytes_free(&text);
    return 0;
}
