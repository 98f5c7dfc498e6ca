/* base/json.h -- small JSON texts as trees of cJSON: parsing, checked numbers, writing.  base/json_cursor.h reads large
 * ones. */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include "base/error.h"
#include "base/strbuf.h"
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* cJSON_Delete it; NULL, with an error that names the line, if it is no JSON.  path is for messages only. */
cJSON *json_parse(const char *text, size_t size, const char *path, struct error *);

/* Parses the value at the start of the text; cJSON_Delete it.  *end is where the value ends.  After a failure (NULL) it
 * is where the text is no JSON, or NULL if memory is short. */
cJSON *json_value(const char *text, size_t size, const char **end);

/* A whole number in the range of the type, or false with *out untouched; t may be NULL. */
bool json_size(const cJSON *t, size_t *out);
bool json_int64(const cJSON *t, int64_t *out);
bool json_int(const cJSON *t, int *out);
bool json_real(const cJSON *t, double *out);                    /* finite */

/* Adds the item to an object under a name, or to an array if the name is NULL, and returns it.  NULL if `to` or the
 * item is NULL or memory is short; the item is deleted then. */
cJSON *json_add(cJSON *to, const char *name, cJSON *item);

/* The text of a JSON value on one line.  It is valid UTF-8: strings that are not are written as strbuf_add_utf8 does.
 * Characters that are not printable are \uXXXX.  free() it; NULL if memory is short. */
char *json_print(const cJSON *);

/* Appends s as a JSON string in the same way, in quotes. */
void json_add_string(struct strbuf *, const char *s);
#endif
