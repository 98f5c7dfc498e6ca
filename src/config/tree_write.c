/* config/tree_write.c -- a tree to YAML. */
#include "base/printable.h"
#include "base/strbuf.h"
#include "config/tree.h"
#include <ctype.h>
#include <string.h>

/* One character in double quotes.  Characters that control a terminal or that YAML refuses are escaped. */
static const char *write_quoted(const char *s, struct strbuf *out)
{
    unsigned code;
    const size_t length = utf8_character(s, &code);
    if (length == 0)
        return s + 1;                                       /* not UTF-8: no parsed text is */
    if (*s == '"' || *s == '\\')
        strbuf_add(out, "\\%c", *s);
    else if (!is_printable(code) || code == 0xfeff || (code >= 0xfffe && code <= 0xffff))
        strbuf_add(out, code < 0x100 ? "\\x%02x" : "\\U%08x", code);  /* short: a key has 1024 characters at most */
    else
        strbuf_bytes(out, s, length);
    return s + length;
}

static void write_scalar(const char *s, bool quoted, struct strbuf *out)
{
    bool plain = !quoted && *s, letters = false;
    for (const char *p = s; *p; p++) {
        letters = letters || isalnum((unsigned char)*p);
        plain = plain && (isalnum((unsigned char)*p) || strchr("_./+-", *p));
    }
    if (plain && letters) {
        strbuf_add(out, "%s", s);
        return;
    }
    strbuf_add(out, "\"");
    while (*s)
        s = write_quoted(s, out);
    strbuf_add(out, "\"");
}

static void write_flow(const struct entry *e, struct strbuf *out)
{
    if (e->kind == SCALAR) {
        if (entry_null(e))
            strbuf_add(out, "null");
        else
            write_scalar(e->text, e->quoted && entry_null(&(struct entry){ .text = e->text }), out);
        return;
    }
    strbuf_add(out, e->kind == LIST ? "[" : "{");
    for (const struct entry *child = e->child; child; child = child->next) {
        if (e->kind == SECTION) {
            write_scalar(child->name, false, out);
            strbuf_add(out, ": ");
        }
        write_flow(child, out);
        strbuf_add(out, child->next ? ", " : "");
    }
    strbuf_add(out, e->kind == LIST ? "]" : "}");
}

static void write_section(const struct entry *e, int indent, struct strbuf *out)
{
    for (const struct entry *child = e->child; child; child = child->next) {
        strbuf_add(out, "%*s", indent, "");
        write_scalar(child->name, false, out);
        strbuf_add(out, ":");
        if (child->kind == SECTION && child->count) {
            strbuf_add(out, "\n");
            write_section(child, indent + 2, out);
        } else {
            strbuf_add(out, " ");
            write_flow(child, out);
            strbuf_add(out, "\n");
        }
    }
}

void tree_write(const struct entry *root, struct strbuf *out)
{
    if (root->kind == SECTION && root->count)
        write_section(root, 0, out);
    else {
        write_flow(root, out);
        strbuf_add(out, "\n");
    }
}
