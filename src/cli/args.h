/* cli/args.h -- a row per command and per option; usage checks, dispatch and help follow from the rows. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H
#include "config/config.h"
#include <stdio.h>

struct args;

struct option {
    const char *name;                       /* without the dashes */
    const char *value;                      /* name of its value in the help; NULL: a flag without value */
    const char *preset;                     /* NULL: none */
    const char *help;
};

enum { MANY = 1 << 20 };

struct command {
    const char *name, *usage;               /* usage: what follows the name, without options; "[KEY=VALUE ...]" in it:
                                               overrides are taken; "CONFIG" or "[CONFIG" at its beginning: a
                                               configuration comes first, or may */
    int min, max;                           /* arguments that are not CONFIG, options or overrides; MANY: any number */
    const struct option *options;           /* --threads and --help are every command's */
    bool (*run)(const struct args *, struct error *);
    const char *help;
};

struct args {
    const struct command *command;          /* NULL: help or version was requested */
    const struct option **options; const char **values; int count;          /* options given, in order */
    const char *config;                     /* NULL: none was given */
    const char **rest; int rest_count;      /* the other arguments, in order */
    const char **overrides; int override_count;         /* KEY=VALUE */
    int threads;                            /* >= 1 */
    bool help, version;
};

/* Exit 2 on wrong usage.  The first argument is the CONFIG of a command that takes one; where any number of files may
 * follow, its name must end in .yml or .yaml.  All texts are borrowed from argv and the tables.  args_free in any
 * case. */
bool args_parse(struct args *, const struct command *commands, int argc, char **argv, struct error *);
void args_free(struct args *);

/* Refuse an output (--json, --dets, --graph, --out, the files of --report): exit 2.  It must not be, through any links,
 * CONFIG, another argument, the value of another option, one of `more` (of count), or the second file of an ncnn pair
 * among these; "-" is standard input.  A JSON file must have a name that ends in .json or has no ending. */
bool args_json_name(const struct args *, const char *option, const char *path, struct error *);
bool args_outputs_apart(const struct args *, const char *const *more, int count, struct error *);

const char *args_text(const struct args *, const char *name);          /* its last value, its preset, or NULL */
bool args_flag(const struct args *, const char *name);                  /* it was given */
/* Its value or preset as a number from min to max; exit 2 otherwise.  *out untouched without value and preset. */
bool args_int(const struct args *, const char *name, int min, int max, int *out, struct error *);
bool args_real(const struct args *, const char *name, double min, double max, double *out, struct error *);
/* Its value or preset as two whole numbers from min to max around a separator; exit 2 otherwise. */
bool args_pair(const struct args *, const char *name, char separator, int min, int max, int *a, int *b, struct error *);

/* Reads the configuration with the overrides.  Exit 2 if none was given. */
bool args_config(const struct args *, struct config *, struct error *);
/* Says on stderr, in one line, which keys have no effect: once the model has read its own. */
void args_tell_ignored(const struct config *);

void args_help(const struct args *, const struct command *commands, FILE *);
#endif
