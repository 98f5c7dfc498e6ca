/* base/strbuf.h -- a string builder, and tests for prefixes and suffixes. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H
#include "base/error.h"
#include <stddef.h>

/* A string builder; {0} is empty.  After a failed allocation all calls do nothing and strbuf_ok fails. */
struct strbuf { char *s; size_t size, capacity; bool failed; };
void strbuf_add(struct strbuf *, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_bytes(struct strbuf *, const void *p, size_t size);
bool strbuf_ok(const struct strbuf *, struct error *);
void strbuf_free(struct strbuf *);

bool starts_with(const char *text, const char *prefix);
bool ends_with(const char *text, const char *suffix);
#endif
