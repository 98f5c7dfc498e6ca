/* base/strbuf.h -- strings that grow, and the ends of strings. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H
#include "base/error.h"
#include <stddef.h>

/* Text that grows.  {0} is empty.  The first failure is kept: later calls do nothing, strbuf_ok asks once. */
struct strbuf { char *s; size_t size, capacity; bool failed; };
void strbuf_add(struct strbuf *, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_bytes(struct strbuf *, const void *p, size_t size);
bool strbuf_ok(const struct strbuf *, struct error *);
void strbuf_free(struct strbuf *);

bool starts_with(const char *text, const char *prefix);
bool ends_with(const char *text, const char *suffix);
#endif
