#include "interop/pickle.h"

#include "base/file.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { OPCODES_MAX = 1 << 20 };                 /* each adds at most three nodes, a stack slot, an item, a memo */

struct machine {
    struct pickle *out;
    struct bytes in; size_t at;
    int *stack, depth, stack_capacity;          /* nodes */
    int *marks, mark_count, mark_capacity;      /* depths of the stack */
    int *memo, memo_count, memo_capacity;       /* nodes */
    const char *path;
    struct error *err;
};

struct operand { uint64_t number; struct bytes text[2]; };

enum form {
    PLAIN,                                      /* a number of `width` bytes, little-endian */
    SIZED,                                      /* such a number, then as many bytes of text */
    LINES                                       /* two lines of text */
};

enum { FROM_MARK = -1 };

struct opcode {
    bool (*run)(struct machine *, const struct opcode *, const struct operand *);
    int width; enum form form;
    enum pickle_kind kind;                      /* of the node that it makes or fills */
    int takes;                                  /* values from the stack, or FROM_MARK */
};

static bool refuse(const struct machine *m, const char *why)
{
    return fail(m->err, "%s: byte %zu of the pickle: %s", m->path, m->at, why);
}

static bool push(struct machine *m, int node)
{
    if (!grow_array(&m->stack, m->depth, &m->stack_capacity, sizeof *m->stack, m->err))
        return false;
    m->stack[m->depth++] = node;
    return true;
}

/* Not on the stack yet: its items may have to leave that first.  The pointer holds until the next new node. */
static struct pickle_node *new_node(struct machine *m, enum pickle_kind kind)
{
    struct pickle *out = m->out;
    if (!grow_array(&out->nodes, out->count, &out->capacity, sizeof *out->nodes, m->err))
        return NULL;
    out->nodes[out->count] = (struct pickle_node){ .kind = kind };
    return &out->nodes[out->count++];
}

static bool push_text(struct machine *m, struct bytes text)
{
    struct pickle_node *node = new_node(m, PICKLE_TEXT);
    if (node)
        node->text = text;
    return node && push(m, m->out->count - 1);
}

/* At least that many values must lie above the last mark. */
static bool have(const struct machine *m, int count)
{
    const int bottom = m->mark_count ? m->marks[m->mark_count - 1] : 0;
    return m->depth - bottom >= count || refuse(m, "it takes more from the stack than is there");
}

/* Values that an opcode takes; a mark is removed then.  Negative after an error. */
static int values(struct machine *m, const struct opcode *op)
{
    if (op->takes != FROM_MARK)
        return have(m, op->takes) ? op->takes : -1;
    if (m->mark_count == 0) {
        refuse(m, "there is no mark");
        return -1;
    }
    return m->depth - m->marks[--m->mark_count];
}

/* Moves the upper values of the stack to the end of the node's items. */
static bool move_items(struct machine *m, struct pickle_node *to, int count)
{
    for (int i = m->depth - count; i < m->depth; i++) {
        if (!grow_array(&to->items, to->count, &to->capacity, sizeof *to->items, m->err))
            return false;
        to->items[to->count++] = m->stack[i];
    }
    m->depth -= count;
    return true;
}

static bool run_make(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)operand;
    const int count = values(m, op);
    struct pickle_node *node = count >= 0 ? new_node(m, op->kind) : NULL;
    if (!node || !move_items(m, node, count))
        return false;
    const struct pickle_node *arguments = pickle_item(m->out, node, 1);
    if (node->kind == PICKLE_CALL && arguments->kind == PICKLE_TUPLE && arguments->count == 0
        && pickle_is_global(m->out, pickle_item(m->out, node, 0), "collections", "OrderedDict")) {
        node->kind = PICKLE_DICT;
        node->count = 0;
    }
    return push(m, m->out->count - 1);
}

/* Adds to the container below the values. */
static bool run_fill(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)operand;
    const int count = values(m, op);
    if (count < 0 || !have(m, count + 1))
        return false;
    struct pickle_node *to = &m->out->nodes[m->stack[m->depth - count - 1]];
    if (to->kind == PICKLE_OTHER || to->kind == PICKLE_CALL) {
        m->depth -= count;
        return true;
    }
    if (to->kind != op->kind || (to->kind == PICKLE_DICT && count % 2))
        return refuse(m, "it adds items to a value that is not a container");
    return move_items(m, to, count);
}

static bool run_number(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    struct pickle_node *node = new_node(m, PICKLE_NUMBER);
    if (node)
        node->number = op->width == 4 ? (int32_t)operand->number : (int64_t)operand->number;
    return node && push(m, m->out->count - 1);
}

static bool run_true(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)operand;
    return run_number(m, op, &(struct operand){ .number = 1 });
}

static bool run_text(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op;
    return push_text(m, operand->text[0]);
}

/* Two's complement, as short as it goes. */
static bool run_long(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    const struct bytes text = operand->text[0];
    uint64_t number = text.size && text.p[text.size - 1] & 0x80 ? UINT64_MAX : 0;
    if (text.size > sizeof number)
        return push_text(m, text);
    for (size_t i = text.size; i-- > 0;)
        number = number << 8 | text.p[i];
    return run_number(m, &(struct opcode){ .kind = op->kind }, &(struct operand){ .number = number });
}

static bool run_global(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    return push_text(m, operand->text[0]) && push_text(m, operand->text[1]) && run_make(m, op, operand);
}

static bool run_mark(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op, (void)operand;
    if (!grow_array(&m->marks, m->mark_count, &m->mark_capacity, sizeof *m->marks, m->err))
        return false;
    m->marks[m->mark_count++] = m->depth;
    return true;
}

static bool run_drop(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)operand;
    const int count = values(m, op);
    m->depth -= count > 0 ? count : 0;
    return count >= 0;
}

/* The state goes, the object stays. */
static bool run_build(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op, (void)operand;
    return have(m, 2) && m->depth--;
}

static bool run_twice(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op, (void)operand;
    return have(m, 1) && push(m, m->stack[m->depth - 1]);
}

/* Picklers number the memo one by one. */
static bool put(struct machine *m, uint64_t at)
{
    if (!have(m, 1))
        return false;
    if (at > (uint64_t)m->memo_count)
        return refuse(m, "its memo has gaps");
    if (!grow_array(&m->memo, m->memo_count, &m->memo_capacity, sizeof *m->memo, m->err))
        return false;
    m->memo[at] = m->stack[m->depth - 1];
    m->memo_count += at == (uint64_t)m->memo_count;
    return true;
}

static bool run_put(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op;
    return put(m, operand->number);
}

static bool run_memoize(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op, (void)operand;
    return put(m, (uint64_t)m->memo_count);
}

static bool run_get(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op;
    return operand->number < (uint64_t)m->memo_count ? push(m, m->memo[operand->number])
                                                      : refuse(m, "its memo has no such place");
}

static bool run_protocol(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)op;
    return operand->number <= 5 || refuse(m, "its protocol is not known");
}

static bool run_nothing(struct machine *m, const struct opcode *op, const struct operand *operand)
{
    (void)m, (void)op, (void)operand;
    return true;
}

static const struct opcode opcodes[256] = {
    [0x80] = { run_protocol, .width = 1 },                                  /* PROTO */
    [0x95] = { run_nothing, .width = 8 },                                   /* FRAME */
    ['N']  = { run_make, .kind = PICKLE_NONE },                             /* NONE */
    ['G']  = { run_make, .width = 8, .kind = PICKLE_OTHER },                /* BINFLOAT */
    [0x88] = { .run = run_true },                                           /* NEWTRUE */
    [0x89] = { .run = run_number },                                         /* NEWFALSE */
    ['K']  = { run_number, .width = 1 },                                    /* BININT1 */
    ['M']  = { run_number, .width = 2 },                                    /* BININT2 */
    ['J']  = { run_number, .width = 4 },                                    /* BININT, the only signed one */
    [0x8a] = { run_long, .width = 1, .form = SIZED },                       /* LONG1 */
    [0x8b] = { run_long, .width = 4, .form = SIZED },                       /* LONG4 */
    ['U']  = { run_text, .width = 1, .form = SIZED },                       /* SHORT_BINSTRING */
    ['T']  = { run_text, .width = 4, .form = SIZED },                       /* BINSTRING */
    ['C']  = { run_text, .width = 1, .form = SIZED },                       /* SHORT_BINBYTES */
    ['B']  = { run_text, .width = 4, .form = SIZED },                       /* BINBYTES */
    [0x8e] = { run_text, .width = 8, .form = SIZED },                       /* BINBYTES8 */
    [0x96] = { run_text, .width = 8, .form = SIZED },                       /* BYTEARRAY8 */
    [0x8c] = { run_text, .width = 1, .form = SIZED },                       /* SHORT_BINUNICODE */
    ['X']  = { run_text, .width = 4, .form = SIZED },                       /* BINUNICODE */
    [0x8d] = { run_text, .width = 8, .form = SIZED },                       /* BINUNICODE8 */
    ['(']  = { .run = run_mark },                                           /* MARK */
    [')']  = { run_make, .kind = PICKLE_TUPLE },                            /* EMPTY_TUPLE */
    [0x85] = { run_make, .kind = PICKLE_TUPLE, .takes = 1 },                /* TUPLE1 */
    [0x86] = { run_make, .kind = PICKLE_TUPLE, .takes = 2 },                /* TUPLE2 */
    [0x87] = { run_make, .kind = PICKLE_TUPLE, .takes = 3 },                /* TUPLE3 */
    ['t']  = { run_make, .kind = PICKLE_TUPLE, .takes = FROM_MARK },        /* TUPLE */
    [0x91] = { run_make, .kind = PICKLE_TUPLE, .takes = FROM_MARK },        /* FROZENSET */
    [']']  = { run_make, .kind = PICKLE_LIST },                             /* EMPTY_LIST */
    ['a']  = { run_fill, .kind = PICKLE_LIST, .takes = 1 },                 /* APPEND */
    ['e']  = { run_fill, .kind = PICKLE_LIST, .takes = FROM_MARK },         /* APPENDS */
    ['}']  = { run_make, .kind = PICKLE_DICT },                             /* EMPTY_DICT */
    ['s']  = { run_fill, .kind = PICKLE_DICT, .takes = 2 },                 /* SETITEM */
    ['u']  = { run_fill, .kind = PICKLE_DICT, .takes = FROM_MARK },         /* SETITEMS */
    [0x8f] = { run_make, .kind = PICKLE_OTHER },                            /* EMPTY_SET */
    [0x90] = { run_fill, .kind = PICKLE_OTHER, .takes = FROM_MARK },        /* ADDITEMS */
    ['c']  = { run_global, .form = LINES, .kind = PICKLE_GLOBAL, .takes = 2 }, /* GLOBAL */
    [0x93] = { run_make, .kind = PICKLE_GLOBAL, .takes = 2 },               /* STACK_GLOBAL */
    ['R']  = { run_make, .kind = PICKLE_CALL, .takes = 2 },                 /* REDUCE */
    [0x81] = { run_make, .kind = PICKLE_CALL, .takes = 2 },                 /* NEWOBJ */
    [0x92] = { run_make, .kind = PICKLE_CALL, .takes = 3 },                 /* NEWOBJ_EX */
    ['b']  = { .run = run_build },                                          /* BUILD */
    ['Q']  = { run_make, .kind = PICKLE_PERSISTENT, .takes = 1 },           /* BINPERSID */
    ['q']  = { run_put, .width = 1 },                                       /* BINPUT */
    ['r']  = { run_put, .width = 4 },                                       /* LONG_BINPUT */
    [0x94] = { .run = run_memoize },                                        /* MEMOIZE */
    ['h']  = { run_get, .width = 1 },                                       /* BINGET */
    ['j']  = { run_get, .width = 4 },                                       /* LONG_BINGET */
    ['0']  = { run_drop, .takes = 1 },                                      /* POP */
    ['1']  = { run_drop, .takes = FROM_MARK },                              /* POP_MARK */
    ['2']  = { .run = run_twice },                                          /* DUP */
};

static bool read_operand(struct machine *m, const struct opcode *op, struct operand *out)
{
    const struct bytes in = m->in;
    if ((size_t)op->width > in.size - m->at)
        return refuse(m, "it ends too early");
    for (int i = 0; i < op->width; i++)
        out->number |= (uint64_t)in.p[m->at++] << 8 * i;
    if (op->form == SIZED) {
        if (out->number > in.size - m->at)
            return refuse(m, "it ends too early");
        out->text[0] = (struct bytes){ in.p + m->at, (size_t)out->number };
        m->at += (size_t)out->number;
    }
    for (int i = 0; op->form == LINES && i < 2; i++) {
        const unsigned char *end = memchr(in.p + m->at, '\n', in.size - m->at);
        if (!end)
            return refuse(m, "it ends too early");
        out->text[i] = (struct bytes){ in.p + m->at, (size_t)(end - in.p) - m->at };
        m->at += out->text[i].size + 1;
    }
    return true;
}

static bool run(struct machine *m)
{
    for (int i = 0; i < OPCODES_MAX; i++) {
        if (m->at == m->in.size)
            return refuse(m, "it ends too early");
        const unsigned char code = m->in.p[m->at++];
        if (code == '.')                                                /* STOP */
            return have(m, 1);
        const struct opcode *op = &opcodes[code];
        struct operand operand = {0};
        if (!op->run)
            return refuse(m, "an opcode that PyTorch does not write");
        if (!read_operand(m, op, &operand) || !op->run(m, op, &operand))
            return false;
    }
    return refuse(m, "it goes on for more than a million opcodes");
}

bool pickle_read(struct pickle *out, struct bytes in, const char *path, struct error *err)
{
    *out = (struct pickle){0};
    struct machine m = { .out = out, .in = in, .path = path, .err = err };
    const bool ok = run(&m);
    if (ok) {
        out->root = m.stack[m.depth - 1];
        out->size = m.at;
    }
    free(m.stack);
    free(m.marks);
    free(m.memo);
    return ok;
}

void pickle_free(struct pickle *p)
{
    for (int i = 0; i < p->count; i++)
        free(p->nodes[i].items);
    free(p->nodes);
    *p = (struct pickle){0};
}

const struct pickle_node *pickle_item(const struct pickle *p, const struct pickle_node *node, int i)
{
    return node && i < node->count ? &p->nodes[node->items[i]] : NULL;
}

const struct pickle_node *pickle_value(const struct pickle *p, const struct pickle_node *dict, const char *key)
{
    for (int i = 0; dict && dict->kind == PICKLE_DICT && i < dict->count; i += 2)
        if (pickle_is_text(pickle_item(p, dict, i), key))
            return pickle_item(p, dict, i + 1);
    return NULL;
}

bool pickle_is_text(const struct pickle_node *node, const char *text)
{
    const size_t size = strlen(text);
    return node && node->kind == PICKLE_TEXT && node->text.size == size && memcmp(node->text.p, text, size) == 0;
}

bool pickle_is_global(const struct pickle *p, const struct pickle_node *node, const char *module, const char *name)
{
    return node && node->kind == PICKLE_GLOBAL && pickle_is_text(pickle_item(p, node, 0), module)
        && pickle_is_text(pickle_item(p, node, 1), name);
}
