/* cli/shell.h -- words of a command line that a user can paste into a shell. */
#ifndef CLI_SHELL_H
#define CLI_SHELL_H
#include "base/strbuf.h"

/* Appends a blank and the word, quoted where necessary. */
void add_shell_word(struct strbuf *line, const char *word);
#endif
