#include "serve/pictures.h"

#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/image.h"
#include "data/warp.h"
#include "report/boxes.h"
#include <math.h>
#include <stdlib.h>

enum { SIDE = 640, QUALITY = 85 };              /* of a picture: pixels, JPEG */

void picture_free(struct picture *p)
{
    strbuf_free(&p->json);
    bytes_free(&p->jpeg);
    *p = (struct picture){0};
}

int pictures_choose(const struct dataset *d, int images[PICTURES])
{
    const int count = d->image_count < PICTURES ? d->image_count : PICTURES;
    for (int i = 0; i < count; i++) {
        const int first = (int)((int64_t)i * d->image_count / count);
        const int end = (int)((int64_t)(i + 1) * d->image_count / count);
        images[i] = first;
        while (images[i] < end && d->images[images[i]].count == 0)
            images[i]++;
        if (images[i] == end)
            images[i] = first;
    }
    return count;
}

/* Decodes a file, a large JPEG at reduced size, and scales it to at most SIDE pixels per side, by *scale. */
static bool read_scaled(struct image *out, double *scale, const char *path, struct error *err)
{
    struct image_file file;
    struct image whole = {0};
    struct region all = {0};
    int width = 0, height = 0;
    if (!image_file_read(&file, path, err))
        return false;
    bool ok = image_decode_size(file.bytes.p, file.bytes.size, path, &width, &height, err);
    const int longer = width > height ? width : height;
    while (all.halved < HALVINGS && longer >> (all.halved + 1) >= SIDE)
        all.halved++;
    const int round = (1 << all.halved) - 1;
    all.right = (width + round) >> all.halved;
    all.bottom = (height + round) >> all.halved;
    ok = ok && image_decode_region(&whole, &all, file.bytes.p, file.bytes.size, path, err);
    image_file_free(&file);
    image_leave_budget(&whole);                 /* a thread that holds a part of the budget must not wait for more */
    *scale = longer > SIDE ? (double)SIDE / longer : 1;
    const struct image_size size = { (int)fmax(1, width * *scale), (int)fmax(1, height * *scale) };
    const struct matrix matrix = {{ { *scale, 0, 0 }, { 0, *scale, 0 }, { 0, 0, 1 } }};
    const struct matrix from_whole = matrix_of_halved(&matrix, whole.halved);
    ok = ok && image_new(out, size.width, size.height, err);
    if (ok)
        warp(&whole, &from_whole, size, out->p);
    image_free(&whole);
    return ok;
}

/* The boxes of an image whose score exceeds score, in pixels times scale; free() them. */
static struct drawn_box *find_boxes(int *count, const struct dataset *d, const struct detections *all, int image,
                                    double score, double scale, struct error *err)
{
    int capacity = 0;
    for (int i = 0; i < all->count; i++)
        capacity += all->list[i].image == image && all->list[i].score > score;
    struct drawn_box *boxes = new_array((size_t)capacity, sizeof *boxes, err);
    *count = 0;
    for (int i = 0; boxes && i < all->count && *count < capacity; i++) {
        const struct detection *f = &all->list[i];
        if (f->image == image && f->score > score)
            boxes[(*count)++] = (struct drawn_box){
                { f->box[0] * scale, f->box[1] * scale, f->box[2] * scale, f->box[3] * scale },
                f->category, d->categories[f->category].name, f->score };
    }
    return boxes;
}

/* objects: those of the annotations; detections: the number of boxes of each class that has any. */
static bool describe(struct strbuf *out, const struct image_record *record, const struct image *image,
                     const struct dataset *d, const struct drawn_box *boxes, int count, struct error *err)
{
    int *of_category = new_array((size_t)d->category_count, sizeof *of_category, err);
    const char *between = "";
    if (!of_category)
        return false;
    for (int i = 0; i < count; i++)
        of_category[boxes[i].category]++;
    strbuf_addf(out, "{\"file\":");
    json_add_string(out, record->file);
    strbuf_addf(out, ",\"width\":%d,\"height\":%d,\"objects\":%d,\"detections\":[", image->width, image->height,
                record->count);
    for (int i = 0; i < d->category_count; i++)
        if (of_category[i]) {
            strbuf_addf(out, "%s{\"name\":", between);
            json_add_string(out, d->categories[i].name);
            strbuf_addf(out, ",\"count\":%d}", of_category[i]);
            between = ",";
        }
    strbuf_addf(out, "]}");
    free(of_category);
    return strbuf_check(out, err);
}

bool picture_make(struct picture *p, const struct config *config, const struct dataset *d, int index,
                  const struct detections *detections, struct error *err)
{
    const struct image_record *record = &d->images[index];
    struct image image = {0};
    struct drawn_box *boxes = NULL;
    double scale;
    int count;
    *p = (struct picture){0};
    char *path = path_join(config->val.img_path, record->file, err);
    const bool ok = path && read_scaled(&image, &scale, path, err)
                 && (boxes = find_boxes(&count, d, detections, index, config->shown_score, scale, err))
                 && describe(&p->json, record, &image, d, boxes, count, err)
                 && draw_boxes(image.p, image.width, image.height, boxes, count, NULL, err)
                 && image_encode_jpeg(&image, QUALITY, &p->jpeg, err);
    free(boxes);
    image_free(&image);
    free(path);
    if (!ok)
        picture_free(p);
    return ok;
}
