#include "data/difference_hash.h"

#include "base/memory.h"
#include "base/path.h"
#include <stdlib.h>

struct image_hash hash_image(const struct image *image)
{
    struct image_hash h = { .known = true };
    for (int y = 0; y < HASH_ROWS; y++)
        for (int x = 0; x < HASH_COLUMNS; x++) {
            const int left = (int)((int64_t)x * image->width / HASH_COLUMNS);
            const int top = (int)((int64_t)y * image->height / HASH_ROWS);
            int right = (int)((int64_t)(x + 1) * image->width / HASH_COLUMNS);
            int bottom = (int)((int64_t)(y + 1) * image->height / HASH_ROWS);
            right += right == left;                             /* a pixel at least; left < width */
            bottom += bottom == top;
            int64_t sum = 0;
            for (int v = top; v < bottom; v++)
                for (int u = left; u < right; u++) {
                    const unsigned char *p = image->p + 3 * ((ptrdiff_t)v * image->width + u);
                    sum += 29 * p[0] + 150 * p[1] + 77 * p[2];  /* luma of BT.601, in 256ths */
                }
            h.cells[y * HASH_COLUMNS + x] = (unsigned char)(sum / 256 / ((int64_t)(right - left) * (bottom - top)));
        }
    for (int y = 0; y < HASH_ROWS; y++)
        for (int x = 0; x + 1 < HASH_COLUMNS; x++)
            if (h.cells[y * HASH_COLUMNS + x] < h.cells[y * HASH_COLUMNS + x + 1])
                h.bits |= (uint64_t)1 << (8 * y + x);
    return h;
}

struct hash_job { struct image_hash *hash; const struct dataset *set; const char *folder; struct error *errors; };

static void hash_file(const void *context, int i)
{
    const struct hash_job *job = context;
    struct image image = {0};
    struct error why = {0};
    char *path = path_join(job->folder, job->set->images[i].file, &why);
    if (path && image_read(&image, path, &why))
        job->hash[i] = hash_image(&image);
    else
        job->errors[i] = why;
    image_free(&image);
    free(path);
}

bool hash_images(struct image_hash *hash, const struct dataset *set, const char *folder, const struct team *team,
                 struct error *err)
{
    struct hash_job job = { hash, set, folder, new_array((size_t)set->image_count, sizeof *job.errors, err) };
    if (!job.errors)
        return false;
    team_for(team, set->image_count, hash_file, &job);
    bool ok = true;
    for (int i = 0; ok && i < set->image_count; i++)
        ok = !job.errors[i].exit || job.errors[i].content || fail(err, "%s", job.errors[i].text);
    free(job.errors);
    return ok;
}

bool same_picture(const struct image_hash *a, const struct image_hash *b)
{
    enum { BITS = 4, LEVELS = 6, CELLS = HASH_COLUMNS * HASH_ROWS };
    int difference = 0, bits = 0;
    for (uint64_t x = a->bits ^ b->bits; x; x &= x - 1)
        bits++;
    for (int i = 0; bits <= BITS && i < CELLS; i++)
        difference += abs(a->cells[i] - b->cells[i]);
    return a->known && b->known && bits <= BITS && difference <= LEVELS * CELLS;
}
