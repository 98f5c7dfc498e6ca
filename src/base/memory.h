/* base/memory.h -- sizes are computed with overflow checks, memory is asked for through them. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H
#include "base/error.h"
#include <stddef.h>

/* *out = a + b, a * b; false, *out untouched, if that does not fit. */
bool add_size(size_t a, size_t b, size_t *out);
bool mul_size(size_t a, size_t b, size_t *out);

/* count zeroed elements of size bytes; free() them.  NULL and an error if there is no such room; count 0 gives
 * a pointer that may be freed. */
void *new_array(size_t count, size_t size, struct error *);

/* Makes room for one more element in the array *list of *capacity elements, count of them used: doubles it.
 * New elements are not zeroed.  On failure nothing has changed. */
bool grow_array(void *list, int count, int *capacity, size_t size, struct error *);

/* A copy of text that free() releases; NULL and an error if there is no room. */
char *new_text(const char *text, struct error *);

/* A block that temporary arrays are taken from and given back to in the reverse order:
 *     size_t mark = arena.used; ...arena_take... ; arena.used = mark; */
struct arena { unsigned char *p; size_t size, used; };
bool arena_init(struct arena *, size_t size, struct error *);
void arena_free(struct arena *);
/* count elements of size bytes, aligned to 64, not zeroed.  NULL if they do not fit: nothing was taken. */
void *arena_take(struct arena *, size_t count, size_t size);
/* How much of an arena that takes, so that a sum of these is a size for arena_init; SIZE_MAX if it does not fit. */
size_t arena_bytes(size_t count, size_t size);
#endif
