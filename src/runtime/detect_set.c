#include "runtime/detect_set.h"

#include "base/path.h"
#include <stdlib.h>

bool add_detections(struct detections *out, const struct detector *d, int i, int image, const int *category,
                    struct error *err)
{
    bool ok = true;
    for (int k = 0; ok && k < d->count[i]; k++) {
        const struct detected *f = &d->detections[(ptrdiff_t)i * d->rules.max_kept + k];
        const double x = f->box[0], y = f->box[1];
        const struct detection one = { .image = image, .category = category ? category[f->label] : f->label,
                                       .box = { x, y, f->box[2] - x, f->box[3] - y }, .score = f->score };
        ok = detections_add(out, one, err);
    }
    return ok;
}

bool detect_set(struct detections *out, struct detector *d, const struct dataset *set, const char *folder,
                const struct set_progress *progress, struct error *err)
{
    bool ok = true;
    *out = (struct detections){0};
    for (int i = 0; ok && i < set->image_count; i++) {
        struct image image = {0};
        struct error why = {0};
        char *path = path_join(folder, set->images[i].file, err);
        ok = path != NULL;
        if (ok && image_read(&image, path, &why))
            ok = detector_detect_image(d, &image, err) && add_detections(out, d, 0, i, NULL, err);
        else if (ok && !why.content)
            ok = fail(err, "%s", why.text);
        image_free(&image);
        free(path);
        progress->on_image(progress->context, i + 1, set->image_count);
    }
    return ok;
}
