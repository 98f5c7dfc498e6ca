/* base/printable.h -- text from files as it may reach a terminal or a log: one line that cannot steer the terminal.
 *
 * Control characters of C0 and C1 become \n, \t, \x1b, \u009b; bytes that are not UTF-8 become \xNN. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H
#include <stddef.h>
#include <stdio.h>

/* Cut before the character that does not fit; size >= 1. */
void printable(char *out, size_t size, const char *text);
void print_printable(FILE *, const char *text);
#endif
