#include "data/image_cache.h"

#include "base/memory.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct image_cache {
    pthread_mutex_t lock;
    struct image *images;               /* [count] {0} is an empty slot.  A slot is filled once and then never changes,
                                           so callers of image_cache_find read it without the lock. */
    int count;
    size_t bytes_left;
};

struct image_cache *image_cache_open(int count, size_t bytes, struct error *err)
{
    struct image_cache *c = new_array(1, sizeof *c, err);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->bytes_left = bytes;
    c->count = count;
    c->images = new_array((size_t)count, sizeof *c->images, err);
    if (!c->images) {
        image_cache_close(c);
        return NULL;
    }
    return c;
}

void image_cache_close(struct image_cache *c)
{
    if (!c)
        return;
    for (int i = 0; c->images && i < c->count; i++)
        image_free(&c->images[i]);
    free(c->images);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct image *image_cache_find(struct image_cache *c, int index)
{
    if (!c)
        return NULL;
    pthread_mutex_lock(&c->lock);
    const struct image *found = c->images[index].p ? &c->images[index] : NULL;
    pthread_mutex_unlock(&c->lock);
    return found;
}

static size_t pixel_bytes(int width, int height)
{
    return 3 * (size_t)width * (size_t)height;
}

bool image_cache_has_space(struct image_cache *c, int width, int height)
{
    if (!c)
        return false;
    pthread_mutex_lock(&c->lock);
    const bool fits = pixel_bytes(width, height) <= c->bytes_left;
    pthread_mutex_unlock(&c->lock);
    return fits;
}

bool image_cache_store(struct image_cache *c, int index, struct image *image)
{
    if (!c)
        return false;
    const size_t bytes = pixel_bytes(image->width, image->height);
    pthread_mutex_lock(&c->lock);
    const bool store = !c->images[index].p && bytes <= c->bytes_left;
    if (store) {
        image_leave_budget(image);           /* bytes_left counts it from now on */
        c->images[index] = *image;
        *image = (struct image){0};
        c->bytes_left -= bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return store;
}

static bool read_patiently(const struct image_reader *reader, struct image *image, struct error *err)
{
    struct error why = {0};
    if (reader->read(reader->context, image, &why))
        return true;
    if (!why.content) {
        nanosleep(&(struct timespec){ .tv_nsec = IMAGE_RETRY_MS * 1000000L }, NULL);
        why = (struct error){0};
        if (reader->read(reader->context, image, &why))
            return true;
    }
    return fail_as(err, &why, "%s%s", why.text,
                   why.content ? "" : " (in two attempts; the image is not skipped, since its file may be good)");
}

const struct image *image_cache_get(struct image_cache *c, int index, const struct image_reader *reader,
                                    struct image *own, struct error *err)
{
    const struct image *cached = image_cache_find(c, index);
    if (cached)
        return cached;
    if (!read_patiently(reader, own, err))
        return NULL;
    return image_cache_store(c, index, own) ? image_cache_find(c, index) : own;
}
