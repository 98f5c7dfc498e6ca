/* interop/pickle.h -- what a Python pickle says, without doing it.  A pickle is a program for a small stack machine
 * (protocols 2 to 5; Python's pickletools documents the opcodes).  Here it only builds nodes: an object it would
 * import, call or build becomes a node that says so and does nothing.  Nodes may form cycles through lists and
 * dicts, never through tuples and calls alone: an item of those is an earlier node. */
#ifndef INTEROP_PICKLE_H
#define INTEROP_PICKLE_H
#include "base/error.h"
#include "base/file.h"
#include <stdint.h>

enum pickle_kind {
    PICKLE_OTHER,                               /* a float, a set: nothing is kept of it */
    PICKLE_NONE,
    PICKLE_NUMBER,                              /* whole numbers up to 8 bytes, True, False */
    PICKLE_TEXT,                                /* a string, bytes, a whole number of more than 8 bytes */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,                                /* key, value, key, value, ...; an OrderedDict too */
    PICKLE_GLOBAL,                              /* module, name */
    PICKLE_CALL,                                /* callable, arguments; what is put into it later is dropped */
    PICKLE_PERSISTENT                           /* the id of something that is kept elsewhere */
};

struct pickle_node {
    enum pickle_kind kind;
    int *items, count, capacity;                /* as the kind says: indices into the nodes */
    int64_t number;
    struct bytes text;                          /* borrowed from the input */
};

struct pickle {
    struct pickle_node *nodes; int count, capacity;
    int root;
    size_t size;                                /* bytes read, the final STOP included: another may follow */
};

/* Fails on any opcode that does not fit its stack, that torch does not write, or beyond a million of them; path is
 * for messages.  pickle_free releases out after success and failure. */
bool pickle_read(struct pickle *out, struct bytes in, const char *path, struct error *);
void pickle_free(struct pickle *);

/* These take NULL for a node that is not there, and give NULL or false for one that is not of the kind. */
const struct pickle_node *pickle_item(const struct pickle *, const struct pickle_node *, int i);
const struct pickle_node *pickle_value(const struct pickle *, const struct pickle_node *dict, const char *key);
bool pickle_is_text(const struct pickle_node *, const char *text);
bool pickle_is_global(const struct pickle *, const struct pickle_node *, const char *module, const char *name);
#endif
