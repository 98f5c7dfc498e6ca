/* base/strbuf.h -- a string builder, and tests for prefixes and suffixes. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H
#include "base/error.h"
#include <stdarg.h>
#include <stddef.h>

/* A string builder; {0} is empty, and s is NULL until something is added.  After a failed allocation all calls do
 * nothing and strbuf_check fails, so that callers check once, at the end. */
struct strbuf { char *s; size_t size, capacity; bool failed; };
void strbuf_addf(struct strbuf *, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_addv(struct strbuf *, const char *format, va_list);
void strbuf_add(struct strbuf *, const void *bytes, size_t size);     /* no bytes of the builder itself */
bool strbuf_check(const struct strbuf *, struct error *);
char *strbuf_take(struct strbuf *, struct error *);    /* the text, which is the caller's, or NULL after a failure */
void strbuf_free(struct strbuf *);

bool starts_with(const char *text, const char *prefix);
bool ends_with(const char *text, const char *suffix);
#endif
