/* data/json_walk.h -- walks one level of a large JSON text, so that of a million records only one is ever parsed.
 *
 *     struct json_walk walk, records;                     of {"images": [...], "annotations": [...]}
 *     bool ok = json_walk_begin(&walk, bytes, path, '{', err);
 *     while (ok && json_walk_next(&walk, key, sizeof key, &ok, err)) {
 *         ... json_walk_into(&walk, &records, '[', err), json_walk_parse(&walk, err) or nothing, to skip the value
 *     }
 */
#ifndef DATA_JSON_WALK_H
#define DATA_JSON_WALK_H
#include "base/file.h"
#include <cjson/cJSON.h>

struct json_walk {
    const char *p, *end;                        /* what is left of the level */
    const char *text, *text_end;                /* all of it */
    const char *path; int line;                 /* for errors: of the value met last */
    const char *line_start;                     /* of the line of p */
    char close; bool begun;
    const char *value; size_t size;             /* the value met last, not yet checked to be JSON */
};

/* The text, as text_read gives it, must be one object ('{') or one array ('[').  Errors name the line,
 * the byte of the line (the first is 1) and the cause. */
bool json_walk_begin(struct json_walk *, struct bytes text, const char *path, char open, struct error *);
bool json_walk_into(const struct json_walk *, struct json_walk *inner, char open, struct error *);

/* Goes to the next value.  false at the end, and with *ok cleared on a text that is no JSON.  key (NULL in an array):
 * room for the key as it is written, cut to size - 1 bytes. */
bool json_walk_next(struct json_walk *, char *key, size_t size, bool *ok, struct error *);

/* The value met last; cJSON_Delete it.  NULL and an error if it is no JSON. */
cJSON *json_walk_parse(const struct json_walk *, struct error *);
#endif
