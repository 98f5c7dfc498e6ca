/* config/tree.h -- a YAML document as a tree of entries, each with the file and line that it came from.
 * A document is not trusted.  Refused, exit 2: bad syntax, more than one document, a key twice in a section,
 * a key that is not a text or has more than TREE_KEY characters, text with a 0 byte, nesting deeper than TREE_DEPTH,
 * more than TREE_ENTRIES entries (aliases count as what they repeat). */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H
#include "base/error.h"
#include "base/strbuf.h"
#include <stddef.h>

enum { TREE_DEPTH = 32, TREE_ENTRIES = 20000, TREE_KEY = 200 };
enum { TREE_FILE_MAX = 1 << 24 };                       /* bytes of a file that callers read */

/* Place of an entry.  line 0: not in a file, `file` alone says where ("command line", "preset"). */
struct place { const char *file; int line; };           /* file is borrowed: it must outlive the tree */

enum entry_kind { SCALAR, LIST, SECTION };

struct entry {
    enum entry_kind kind;
    bool quoted;                            /* a scalar in quotes: never null */
    char *name;                             /* its key in a section, NULL in a list */
    char *text;                             /* of a scalar, else NULL */
    struct entry *child, *last, *next;      /* of a list or section: first and last; the next sibling */
    int count;                              /* children */
    void *array;                            /* made of its children for a member that borrows it (config/key.h) */
    struct place place;
};

/* Parses size bytes of YAML into the empty *root.  tree_free releases all that it contains, and *root is empty again.
 * An empty document is a null scalar. */
bool tree_parse(struct entry *root, const void *yaml, size_t size, const char *file, struct error *);
void tree_free(struct entry *root);

/* Returns the depth, 1 for a scalar, and adds the number of entries to *entries. */
int tree_measure(const struct entry *, int *entries);

bool text_is_null(const char *);            /* "", ~ or null */
bool entry_is_null(const struct entry *);   /* NULL, or a scalar without quotes whose text is null */

/* The entry at a dotted path ("data.train.input_size.0") below `from`, or NULL. */
struct entry *tree_find(const struct entry *from, const char *path);

/* The same, but adds the sections of the path that are missing or null, and a null scalar at its end.  New entries get
 * that place.  Exit 2 if the path leads through a scalar or past the end of a list. */
struct entry *tree_find_or_add(struct entry *root, const char *path, struct place, struct error *);

/* Removes the entry at a dotted path with all below it, if there is one, and each section that this leaves empty. */
void tree_remove(struct entry *from, const char *path);

/* A new last child of a list (name NULL) or section; the name is the first `length` characters. */
struct entry *entry_add(struct entry *parent, const char *name, size_t length, struct place, struct error *);

/* Sets the value of `to`, which keeps its name and place: a deep copy of the value of `from`, or a scalar without
 * quotes.  entry_set keeps an equal text at its address, since a member may have borrowed it. */
bool entry_copy(struct entry *to, const struct entry *from, struct error *);
bool entry_set(struct entry *to, const char *text, struct error *);

/* Appends a string as a YAML scalar, in double quotes where it needs them.  The text is UTF-8. */
void yaml_add_text(const char *text, struct strbuf *);

/* Block sections, lists in brackets; reading it back gives an equal tree. */
void tree_write(const struct entry *root, struct strbuf *);
#endif
