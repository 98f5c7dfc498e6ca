/* base/printable.h -- text from files as it may reach a terminal, a log or a table: one line that cannot control the
 * terminal.
 *
 * Control characters of C0 and C1, and those that break lines or change the direction of writing, become \n, \t, \x1b,
 * \u009b, \u202e; bytes that are not UTF-8 become \xNN.  Everything else is unchanged, backslashes too, so escaping
 * twice changes nothing. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text;                                            /* base/file.h */

/* Bytes of the UTF-8 character at s, and its code point; 0 if there is none. */
size_t utf8_character(const char *s, unsigned *code);

bool is_printable(unsigned code);

/* Cut before the character that does not fit; size >= 1. */
void printable(char *out, size_t size, const char *text);
void print_printable(FILE *, const char *text);
void text_printable(struct text *, const char *text);           /* appended */

/* Prints the formatted text as one printable line and ends it.  A text of more than 8191 bytes is cut. */
void print_line(FILE *, const char *format, ...) PRINTF_LIKE(2, 3);
#endif
