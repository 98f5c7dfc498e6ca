#include "base/memory.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool checked_add(size_t a, size_t b, size_t *out)
{
    if (b > SIZE_MAX - a)
        return false;
    *out = a + b;
    return true;
}

bool checked_mul(size_t a, size_t b, size_t *out)
{
    if (a != 0 && b > SIZE_MAX / a)
        return false;
    *out = a * b;
    return true;
}

void *new_array(size_t count, size_t size, struct error *err)
{
    size_t bytes;
    void *p = checked_mul(count, size, &bytes) ? calloc(bytes ? bytes : 1, 1) : NULL;
    if (!p)
        fail(err, "out of memory: %zu x %zu bytes", count, size);
    return p;
}

bool grow_array(void *list, int count, int *capacity, size_t size, struct error *err)
{
    void *old;
    size_t bytes;
    if (count < *capacity)
        return true;
    const int wanted = *capacity > INT_MAX / 2 ? INT_MAX : *capacity < 8 ? 16 : 2 * *capacity;
    if (wanted <= count || !checked_mul((size_t)wanted, size, &bytes))
        return fail(err, "out of memory: a list of more than %d elements", count);
    memcpy(&old, list, sizeof old);                     /* list is a pointer to some T *: read it as bytes */
    void *new = realloc(old, bytes);
    if (!new)
        return fail(err, "out of memory: %zu bytes", bytes);
    memcpy(list, &new, sizeof new);
    *capacity = wanted;
    return true;
}

char *new_text(const char *text, struct error *err)
{
    const size_t bytes = strlen(text) + 1;
    char *p = new_array(bytes, 1, err);
    if (p)
        memcpy(p, text, bytes);
    return p;
}

enum { ALIGN = 64 };

bool arena_init(struct arena *arena, size_t size, struct error *err)
{
    size_t bytes;
    *arena = (struct arena){0};
    if (!checked_add(size, ALIGN, &bytes))
        return fail(err, "out of memory: %zu bytes", size);
    bytes -= bytes % ALIGN;                             /* aligned_alloc requires a multiple */
    arena->p = aligned_alloc(ALIGN, bytes);
    if (!arena->p)
        return fail(err, "out of memory: %zu bytes", bytes);
    arena->size = bytes;
    return true;
}

void arena_free(struct arena *arena)
{
    free(arena->p);
    *arena = (struct arena){0};
}

void *arena_take(struct arena *arena, size_t count, size_t size)
{
    const size_t start = (arena->used + ALIGN - 1) / ALIGN * ALIGN;
    size_t bytes;
    if (!checked_mul(count, size, &bytes) || start > arena->size || bytes > arena->size - start)
        return NULL;
    arena->used = start + bytes;
    return arena->p + start;
}

size_t arena_bytes(size_t count, size_t size)
{
    size_t bytes;
    return checked_mul(count, size, &bytes) && checked_add(bytes, ALIGN - 1, &bytes) ? bytes - bytes % ALIGN : SIZE_MAX;
}
