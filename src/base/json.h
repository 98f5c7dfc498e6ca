/* base/json.h -- small JSON texts as trees of cJSON: parsing, checked numbers, writing.  base/json_cursor.h reads large
 * ones. */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include "base/error.h"
#include "base/strbuf.h"
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* cJSON_Delete it; NULL, with an error that names the line, if it is not JSON.  path is for messages only. */
cJSON *json_parse(const char *text, size_t size, const char *path, struct error *);

/* Parses the value at the start of the text; cJSON_Delete it.  *end is the end of the value.  After a failure (NULL),
 * *end is the position of the syntax error, or NULL if memory is short. */
cJSON *json_value(const char *text, size_t size, const char **end);

/* An integer in the range of the type, or false with *out unchanged; t may be NULL. */
bool json_size(const cJSON *t, size_t *out);
bool json_int64(const cJSON *t, int64_t *out);
bool json_int(const cJSON *t, int *out);
bool json_real(const cJSON *t, double *out);                    /* finite */

/* Adds the item to an object under a name, or to an array if the name is NULL, and returns it.  NULL if `to` or the
 * item is NULL or memory is short; the item is deleted then. */
cJSON *json_add(cJSON *to, const char *name, cJSON *item);

/* A JSON value as one line of valid UTF-8: strings that are not UTF-8 are written as strbuf_add_utf8 does, characters
 * that are not printable as \uXXXX.  free() it; NULL if memory is short. */
char *json_print(const cJSON *);

/* Appends s as a JSON string in the same way, in quotes. */
void json_add_string(struct strbuf *, const char *s);

/* Appends a number with so many significant digits, or null if it is not finite. */
void json_add_number(struct strbuf *, double, int digits);
#endif
