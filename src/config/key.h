/* config/key.h -- a row per key: its member in a struct, preset, range, help.  Reading, checking, the manual and the
 * config.yml that is written follow from the row.
 *
 * The type follows from the member:
 *     bool                     true, false, yes, no, on, off
 *     int, double              a number from min to max; INT_MIN..INT_MAX and all finite numbers if both are 0
 *     const char *             a string; min 1: not an empty one
 *     an enum                  one of `words`; when written, the first word of that value
 *     int [n], double [n], double [n][m]     exactly so many numbers, each from min to max, however nested
 *     struct ints              up to INTS_MAX numbers, each from min to max; a single number is a list of one
 *     struct strings           a list of strings
 *     struct string_rows       a list of lists of strings; any other item becomes an empty row
 * All strings are borrowed from the tree.  Three kinds of rows have no member: another table reads a KEY_SECTION, and
 * each section within a KEY_SECTIONS; a KEY_IGNORED key has no effect here. */
#ifndef CONFIG_KEY_H
#define CONFIG_KEY_H
#include "base/strbuf.h"
#include "config/tree.h"

enum { INTS_MAX = 64 };
struct ints { int count, at[INTS_MAX]; };
struct strings { int count; const char *const *at; };
struct string_rows { int count; const struct strings *at; };

enum key_type { KEY_BOOL, KEY_INT, KEY_REAL, KEY_STRING, KEY_WORD, KEY_INT_ARRAY, KEY_REAL_ARRAY, KEY_INT_LIST,
                KEY_STRING_LIST, KEY_STRING_ROWS, KEY_SECTION, KEY_SECTIONS, KEY_IGNORED };

struct word { const char *name; int value; };           /* a table ends with {0} */

struct key {
    const char *name;                       /* dotted, below the section it is read for */
    size_t offset, size; enum key_type type;            /* of the member that it sets */
    const struct word *words;
    const char *preset;                     /* YAML, as a user would write it; NULL: must be given; "=name": the value
                                               of that key, of the same section or else counted from the top;
                                               "#name": how many items the list of that key at the top has */
    double min, max;
    const char *help;
};

/* Offset, size and type of member m of struct s, from the member itself, so that they cannot disagree. */
#define FIELD(s, m) WORDS(s, m, NULL)
#define WORDS(s, m, table) offsetof(struct s, m), sizeof ((struct s *)0)->m, _Generic(((struct s *)0)->m, \
    bool: KEY_BOOL, int: KEY_INT, double: KEY_REAL, const char *: KEY_STRING, unsigned: KEY_WORD, \
    int *: KEY_INT_ARRAY, double *: KEY_REAL_ARRAY, double (*)[2]: KEY_REAL_ARRAY, double (*)[3]: KEY_REAL_ARRAY, \
    struct ints: KEY_INT_LIST, struct strings: KEY_STRING_LIST, struct string_rows: KEY_STRING_ROWS), table

/* Sets the member of `to` that the row describes from an entry, and gives the entry the form that is written: true,
 * 0.001, the first word.  path is the key's full name, for messages.  Exit 2, *to untouched, if the row does not allow
 * the entry. */
bool key_set(void *to, const struct key *, const char *path, struct entry *, struct error *);

/* The beginning of a message: "configs/demo.yml:12: schedule.total_epochs". */
struct place_text { char s[400]; };
struct place_text format_place(struct place, const char *path);

/* Lines per key: name and help, then its values and preset. */
void write_keys_manual(const char *section, const struct key *keys, struct strbuf *);
#endif
