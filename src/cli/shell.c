#include "cli/shell.h"

#include <string.h>

void add_shell_word(struct strbuf *line, const char *word)
{
    static const char plain_characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
    const bool plain = *word && word[strspn(word, plain_characters)] == 0;
    strbuf_addf(line, plain ? " " : " '");
    for (; *word; word++)
        strbuf_addf(line, *word == '\'' ? "'\\''" : "%c", *word);
    strbuf_addf(line, plain ? "" : "'");
}
