/* base/printable.h -- escapes text from files for terminals, logs and tables.  The result is one line that cannot
 * control the terminal.
 *
 * Control characters of C0 and C1, and characters that break lines or change the direction of writing, become \n, \t,
 * \x1b, \u009b, \u202e.  Bytes that are not UTF-8 become \xNN.  Everything else is unchanged, backslashes included, so
 * escaping twice changes nothing. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H
#include "base/error.h"
#include "base/strbuf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The length, in bytes, of the UTF-8 character at s, and its code point; 0 if there is no valid one. */
size_t utf8_character(const char *s, unsigned *code);

bool is_printable(unsigned code);

/* Writes at most size >= 1 bytes to out; cuts the text before the first character that does not fit. */
void printable(char *out, size_t size, const char *text);
void print_printable(FILE *, const char *text);
void strbuf_printable(struct strbuf *, const char *text);           /* appended */

/* Prints the formatted text as one printable line and ends it.  A text of more than 8191 bytes is cut. */
void print_line(FILE *, const char *format, ...) PRINTF_LIKE(2, 3);
#endif
