#include "data/cache.h"

#include "base/memory.h"
#include <pthread.h>
#include <stdlib.h>

struct cache {
    pthread_mutex_t lock;
    struct picture *pictures;                   /* [images] {0}: not there; once there it never changes */
    int images;
    size_t room;                                /* bytes left */
};

struct cache *cache_open(int images, size_t bytes, struct error *err)
{
    struct cache *c = new_array(1, sizeof *c, err);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->room = bytes;
    c->images = images;
    c->pictures = new_array((size_t)images, sizeof *c->pictures, err);
    if (!c->pictures) {
        cache_close(c);
        return NULL;
    }
    return c;
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    for (int i = 0; c->pictures && i < c->images; i++)
        picture_free(&c->pictures[i]);
    free(c->pictures);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct picture *cache_find(struct cache *c, int image)
{
    if (!c)
        return NULL;
    pthread_mutex_lock(&c->lock);
    const struct picture *found = c->pictures[image].p ? &c->pictures[image] : NULL;
    pthread_mutex_unlock(&c->lock);
    return found;
}

static size_t bytes_of(int width, int height)
{
    return 3 * (size_t)width * (size_t)height;
}

bool cache_has_room(struct cache *c, int width, int height)
{
    if (!c)
        return false;
    pthread_mutex_lock(&c->lock);
    const bool has = bytes_of(width, height) <= c->room;
    pthread_mutex_unlock(&c->lock);
    return has;
}

bool cache_keep(struct cache *c, int image, struct picture *picture)
{
    if (!c)
        return false;
    const size_t bytes = bytes_of(picture->width, picture->height);
    pthread_mutex_lock(&c->lock);
    const bool kept = !c->pictures[image].p && bytes <= c->room;
    if (kept) {
        picture_count_not(picture);
        c->pictures[image] = *picture;
        *picture = (struct picture){0};
        c->room -= bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return kept;
}
