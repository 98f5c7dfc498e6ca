#include "data/cache.h"

#include "base/memory.h"
#include <pthread.h>
#include <stdlib.h>

struct cache {
    pthread_mutex_t lock;
    struct image *images;               /* [count] {0}: not there; once there it never changes */
    int count;
    size_t bytes_left;
};

struct cache *cache_open(int count, size_t bytes, struct error *err)
{
    struct cache *c = new_array(1, sizeof *c, err);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->bytes_left = bytes;
    c->count = count;
    c->images = new_array((size_t)count, sizeof *c->images, err);
    if (!c->images) {
        cache_close(c);
        return NULL;
    }
    return c;
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    for (int i = 0; c->images && i < c->count; i++)
        image_free(&c->images[i]);
    free(c->images);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct image *cache_find(struct cache *c, int index)
{
    if (!c)
        return NULL;
    pthread_mutex_lock(&c->lock);
    const struct image *found = c->images[index].p ? &c->images[index] : NULL;
    pthread_mutex_unlock(&c->lock);
    return found;
}

static size_t bytes_of(int width, int height)
{
    return 3 * (size_t)width * (size_t)height;
}

bool cache_fits(struct cache *c, int width, int height)
{
    if (!c)
        return false;
    pthread_mutex_lock(&c->lock);
    const bool has = bytes_of(width, height) <= c->bytes_left;
    pthread_mutex_unlock(&c->lock);
    return has;
}

bool cache_keep(struct cache *c, int index, struct image *image)
{
    if (!c)
        return false;
    const size_t bytes = bytes_of(image->width, image->height);
    pthread_mutex_lock(&c->lock);
    const bool kept = !c->images[index].p && bytes <= c->bytes_left;
    if (kept) {
        image_count_not(image);
        c->images[index] = *image;
        *image = (struct image){0};
        c->bytes_left -= bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return kept;
}
