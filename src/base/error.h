/* base/error.h -- errors are values.  A function that can fail returns bool (or NULL) and writes one line here;
 * the text is made where the facts are and travels up once, unchanged.  Only src/cli prints it and exits. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
#include <stdbool.h>

struct error {
    int exit;                   /* 0: none; 1: failed; 2: wrong usage or configuration */
    bool content;               /* a file is missing, may not be read or has invalid content: every attempt fails in
                                 * this way.  Else the system may have failed (I/O, memory, limits), and another attempt
                                 * may succeed */
    char text[600];             /* one line, no newline at its end; cut if longer */
};

/* Each formats its text as printf does and makes it printable (base/printable.h), overwrites what err held, and returns
 * false.  err may be NULL. */
#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif
bool fail(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);        /* exit 1 */
bool reject(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);      /* exit 1, content */
bool misuse(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);      /* exit 2 */
bool fail_as(struct error *err, const struct error *why, const char *format, ...) PRINTF_LIKE(3, 4);   /* as in why */

/* strerror's text, but "out of memory" for ENOMEM: failed allocations have one text everywhere. */
const char *errno_text(int number);
#endif
