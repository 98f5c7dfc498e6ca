/* base/escape.h -- escapes text from files for terminals, logs and tables.  The result is one line that cannot
 * control the terminal.
 *
 * Control characters of C0 and C1, and characters that break lines or change the direction of writing, become \n, \t,
 * \x1b, \u009b, \u202e.  Bytes that are not UTF-8 become \xNN.  Everything else is unchanged, backslashes included, so
 * escaping twice changes nothing. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H
#include "base/error.h"
#include "base/strbuf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Sets *code to the code point of the UTF-8 character at s and returns its length in bytes; returns 0 if the bytes are
 * not valid.  The 0 at the end of a text is a character of length 1. */
size_t utf8_decode(const char *s, unsigned *code);

/* True for codes that control a terminal, break lines or change the direction of writing. */
bool is_control(unsigned code);

/* Writes at most size >= 1 bytes to out; cuts the text before the first character that does not fit. */
void escape_text(char *out, size_t size, const char *text);
void print_escaped(FILE *, const char *text);
void strbuf_add_escaped(struct strbuf *, const char *text);           /* appended */

/* Prints the formatted text, escaped, as one line.  A text of more than 8191 bytes is cut. */
void print_line(FILE *, const char *format, ...) PRINTF_LIKE(2, 3);
#endif
