/* eval/scan.h -- reads JSON from memory without building a tree.  Every function skips white space first, moves past
 * what it has read and returns true, or returns false with p where the text stopped to be what was asked for. */
#ifndef EVAL_SCAN_H
#define EVAL_SCAN_H
#include <stdbool.h>

struct scan { const char *p, *end; };           /* *end is readable and 0 */

bool scan_end(struct scan *);                   /* nothing is left */
bool scan_char(struct scan *, char);            /* false: nothing but white space was passed */
bool scan_string(struct scan *, struct scan *raw);      /* raw: between the quotes, escapes as they are */
bool scan_number(struct scan *, double *);      /* by the grammar of JSON, value as strtod's; finite */
bool scan_numbers(struct scan *, double *, int count);  /* [a, b, ...], exactly count of them */
bool scan_skip(struct scan *);                  /* any one value, at most 64 deep */
#endif
