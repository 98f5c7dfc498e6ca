/* config/tree_write.c -- writes a tree as YAML: sections in block style, lists and empty sections in one line. */
#include "base/escape.h"
#include "base/strbuf.h"
#include "config/tree.h"
#include <ctype.h>
#include <string.h>

/* Writes the first character of s as it appears within double quotes and returns the rest of s.  Characters that
 * control a terminal, and those that YAML refuses (byte order mark, U+FFFE, U+FFFF), are escaped. */
static const char *write_escaped(const char *s, struct strbuf *out)
{
    unsigned code;
    const size_t length = utf8_decode(s, &code);
    if (length == 0)
        return s + 1;                               /* not UTF-8; tree_parse refuses such a text */
    if (*s == '"' || *s == '\\')
        strbuf_addf(out, "\\%c", *s);
    else if (is_control(code) || code == 0xfeff || (code >= 0xfffe && code <= 0xffff))
        strbuf_addf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
    else
        strbuf_add(out, s, length);
    return s + length;
}

/* Texts without a letter or digit ("-", ".") need quotes: YAML gives some of them a meaning. */
static void write_text(const char *s, bool force_quotes, struct strbuf *out)
{
    bool plain = !force_quotes, alphanumeric = false;
    for (const char *p = s; *p; p++) {
        alphanumeric = alphanumeric || isalnum((unsigned char)*p);
        plain = plain && (isalnum((unsigned char)*p) || strchr("_./+-", *p));
    }
    if (plain && alphanumeric) {
        strbuf_addf(out, "%s", s);
        return;
    }
    strbuf_addf(out, "\"");
    while (*s)
        s = write_escaped(s, out);
    strbuf_addf(out, "\"");
}

void yaml_add_text(const char *text, struct strbuf *out)
{
    write_text(text, text_is_null(text), out);                      /* without its quotes, "~" would be null */
}

static void write_flow(const struct entry *e, struct strbuf *out)
{
    if (e->kind == SCALAR) {
        if (entry_is_null(e))
            strbuf_addf(out, "null");
        else
            yaml_add_text(e->text, out);
        return;
    }
    strbuf_addf(out, e->kind == LIST ? "[" : "{");
    for (const struct entry *child = e->child; child; child = child->next) {
        if (e->kind == SECTION) {
            write_text(child->name, false, out);
            strbuf_addf(out, ": ");
        }
        write_flow(child, out);
        strbuf_addf(out, child->next ? ", " : "");
    }
    strbuf_addf(out, e->kind == LIST ? "]" : "}");
}

static void write_block(const struct entry *e, int indent, struct strbuf *out)
{
    for (const struct entry *child = e->child; child; child = child->next) {
        strbuf_addf(out, "%*s", indent, "");
        write_text(child->name, false, out);
        strbuf_addf(out, ":");
        if (child->kind == SECTION && child->count) {
            strbuf_addf(out, "\n");
            write_block(child, indent + 2, out);
        } else {
            strbuf_addf(out, " ");
            write_flow(child, out);
            strbuf_addf(out, "\n");
        }
    }
}

void tree_write(const struct entry *root, struct strbuf *out)
{
    if (root->kind == SECTION && root->count)
        write_block(root, 0, out);
    else {
        write_flow(root, out);
        strbuf_addf(out, "\n");
    }
}
