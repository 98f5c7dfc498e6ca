/* base/memory.h -- allocation of arrays, texts and arenas, with sizes checked for overflow. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H
#include "base/error.h"
#include <stddef.h>

/* *out = a + b, a * b; false with *out unchanged if the result overflows. */
bool checked_add(size_t a, size_t b, size_t *out);
bool checked_mul(size_t a, size_t b, size_t *out);

/* count zeroed elements of size bytes; free() them.  NULL and an error if memory is short; count 0 gives a pointer that
 * may be freed. */
void *new_array(size_t count, size_t size, struct error *);

/* Doubles *capacity of the array *list if count elements use all of it.  New elements are not zeroed.  A failure
 * changes nothing. */
bool grow_array(void *list, int count, int *capacity, size_t size, struct error *);

/* A copy of text; free() it.  NULL and an error if memory is short. */
char *new_text(const char *text, struct error *);

/* A block of memory for temporary arrays, which are released in the reverse order of their allocation:
 *     size_t mark = arena.used; ...arena_take... ; arena.used = mark; */
struct arena { unsigned char *p; size_t size, used; };
bool arena_init(struct arena *, size_t size, struct error *);
void arena_free(struct arena *);
/* count elements of size bytes, aligned to 64, not zeroed.  NULL if they do not fit; the arena is unchanged then. */
void *arena_take(struct arena *, size_t count, size_t size);
/* The bytes of an arena that such an array uses, for the size of arena_init; SIZE_MAX if the size overflows. */
size_t arena_bytes(size_t count, size_t size);
#endif
