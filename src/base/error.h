/* base/error.h -- errors are values.  A function that can fail returns false or NULL and writes a message of one line
 * into struct error.  The function that detects the error writes the message; its callers return it unchanged.  Only
 * src/cli prints it and exits. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
#include <stdbool.h>

struct error {
    int exit;                   /* 0: none; 1: failed; 2: wrong usage or configuration */
    bool content;               /* a file is missing, may not be read or has invalid content: a retry fails, too.  Else
                                 * the system failed (I/O, memory, limits), and a retry may succeed */
    char text[600];             /* one line, no newline at its end; cut if longer */
};

/* Each formats a message as printf does, makes it printable (base/escape.h), overwrites *err with it and returns
 * false.  err may be NULL. */
#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif
bool fail(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);        /* exit 1 */
bool reject(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);      /* exit 1, content */
bool misuse(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);      /* exit 2 */
/* With the exit status and the content flag of cause. */
bool fail_as(struct error *err, const struct error *cause, const char *format, ...) PRINTF_LIKE(3, 4);

/* strerror's text, but "out of memory" for ENOMEM: failed allocations have one text everywhere. */
const char *errno_text(int number);
#endif
