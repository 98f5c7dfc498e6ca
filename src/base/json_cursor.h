/* base/json_cursor.h -- reads JSON from memory in one pass, without a tree.
 *
 *     struct json_cursor c = cursor_of(text, path);                   {"images": [...], "categories": [...]}
 *     struct json_span key;
 *     cursor_enter(&c, '{');
 *     while (cursor_next(&c, &key))
 *         ... one of the functions below that pass a value
 *     if (c.failed || !cursor_end(&c))
 *         return cursor_error(&c, err);
 *
 * Every function skips white space and moves past the text that it reads.  A function that fails returns false, sets
 * `failed` and leaves p where the text is not as expected; every later call fails too.  A copy of a cursor serves to
 * return to an earlier place. */
#ifndef BASE_JSON_CURSOR_H
#define BASE_JSON_CURSOR_H
#include "base/file.h"
#include "base/strbuf.h"
#include <cjson/cJSON.h>

struct json_span { const char *p; size_t size; };

struct json_cursor {
    const char *p, *end;                        /* unread text; *end is 0 */
    const char *text, *path;                    /* all of it; the path is for messages only */
    const char *counted, *line_start; int line; /* the line of `counted`, and its first byte; see cursor_line */
    bool first;                                 /* the next element is the first of its object or array */
    bool failed;
};

struct json_cursor cursor_of(struct bytes text, const char *path);      /* text: as text_read gives it */

char cursor_peek(struct json_cursor *);         /* the first byte of the next token; 0 at the end of the text */
bool cursor_end(struct json_cursor *);          /* only white space is left */

bool cursor_enter(struct json_cursor *, char bracket);                  /* '{' or '[' */
/* Moves to the next element of the object or array; key is NULL in an array.  False behind the closing bracket, and
 * with `failed` set on a syntax error.  The caller passes the element's value before the next call. */
bool cursor_next(struct json_cursor *, struct json_span *key);

bool cursor_string(struct json_cursor *, struct json_span *raw);        /* between the quotes, escapes not decoded */
bool cursor_text(struct json_cursor *, struct strbuf *);                /* decoded; null is ""; replaces the content */
bool cursor_number(struct json_cursor *, double *);                     /* grammar of JSON, value of strtod; finite */
bool cursor_numbers(struct json_cursor *, double *, int count);         /* [a, b, ...], exactly count numbers */
bool cursor_skip(struct json_cursor *);         /* any value, which must be valid JSON and at most 64 deep */

/* Passes a value by its brackets and quotes alone. */
bool cursor_pass(struct json_cursor *);
/* The same, and returns the value as a tree for cJSON_Delete.  NULL, with an error, if it is not valid JSON; `failed`
 * is set only if its brackets and quotes do not match, so that the next element can be read after other errors. */
cJSON *cursor_parse(struct json_cursor *, struct error *);

bool span_is(struct json_span, const char *text);

/* The line of the next token, or of the value that the end of the text cuts off; the first is 1. */
int cursor_line(struct json_cursor *);
/* fail(), with the file, the line, the byte of the line (the first is 1) and the cause. */
bool cursor_error(struct json_cursor *, struct error *);
#endif
