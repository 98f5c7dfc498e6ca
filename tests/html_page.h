/* tests/html_page.h -- reads a page back: it is well-formed XML, so expat can.  Fails if it has scripts, handlers of
 * events or references to anything outside of it. */
#ifndef TESTS_HTML_PAGE_H
#define TESTS_HTML_PAGE_H
#include "base/strbuf.h"
#include <expat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Names of elements, each between line ends; all text; NAME=VALUE of all attributes, a line each. */
struct page_content { struct strbuf elements, text, attributes; };

static inline void page_element(void *to, const char *name, const char **attributes)
{
    static const char *const refused[] = { "script", "img", "iframe", "object", "embed", "a", "form" };
    struct page_content *c = to;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(name, refused[i]) == 0)
            fail_msg("the page has an element %s", name);
    strbuf_addf(&c->elements, "\n%s\n", name);
    for (; *attributes; attributes += 2) {
        const bool handler = strncmp(attributes[0], "on", 2) == 0;
        const bool link = strcmp(attributes[0], "href") == 0 || strcmp(attributes[0], "src") == 0;
        const bool inside = *attributes[1] == '#' || strncmp(attributes[1], "data:", 5) == 0;
        if (handler || (link && !inside))
            fail_msg("%s has %s=%.80s", name, attributes[0], attributes[1]);
        if (strstr(attributes[1], "url(") && !strstr(attributes[1], "url(#"))
            fail_msg("%s loads %s=%.80s", name, attributes[0], attributes[1]);
        strbuf_addf(&c->attributes, "%s=%s\n", attributes[0], attributes[1]);
    }
}

static inline void page_text(void *to, const char *text, int size)
{
    strbuf_add(&((struct page_content *)to)->text, text, (size_t)size);
}

static inline void page_read(struct page_content *c, const char *what, const char *page, size_t size)
{
    XML_Parser parser = XML_ParserCreate("UTF-8");
    *c = (struct page_content){0};
    XML_SetUserData(parser, c);
    XML_SetElementHandler(parser, page_element, NULL);
    XML_SetCharacterDataHandler(parser, page_text);
    if (!XML_Parse(parser, page, (int)size, 1))
        fail_msg("%s:%lu: %s", what, XML_GetCurrentLineNumber(parser), XML_ErrorString(XML_GetErrorCode(parser)));
    XML_ParserFree(parser);
}

static inline void page_free(struct page_content *c)
{
    strbuf_free(&c->elements);
    strbuf_free(&c->text);
    strbuf_free(&c->attributes);
}

static inline int page_count(const struct page_content *c, const char *element)
{
    char line[40];
    int n = 0;
    snprintf(line, sizeof line, "\n%s\n", element);
    for (const char *s = c->elements.s; s && (s = strstr(s, line)) != NULL; s += strlen(line) - 1)
        n++;
    return n;
}
#endif
