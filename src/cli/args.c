#include "cli/args.h"

#include "base/atomic_file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "base/team.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct option common[] = {
    { "threads", "N",  NULL, "number of threads, 1 to 256 (default: OMP_NUM_THREADS, else number of cores)" },
    { "help",    NULL, NULL, "show this" },
    {0} };

/* ---- reading ---- */

static const struct option *find_option(const struct command *command, const char *name)
{
    const struct option *option = find_row(name, command->options, sizeof *option);
    return option ? option : find_row(name, common, sizeof *option);
}

static bool unknown_option(const struct args *args, const char *name, struct error *err)
{
    const char *nearest = nearest_name(name, args->command->options, sizeof *args->command->options);
    return misuse(err, "%s: --%.60s: no such option; did you mean --%s?", args->command->name, name,
                  *nearest ? nearest : "help");
}

/* --name, --name VALUE or --name=VALUE at argv[*i]; leaves *i at the last argument used. */
static bool take_option(struct args *args, int *i, int argc, char **argv, struct error *err)
{
    char name[64];
    const char *text = argv[*i] + 2;
    const size_t length = strcspn(text, "=");
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), text);
    const struct option *option = find_option(args->command, name);
    if (!option)
        return unknown_option(args, name, err);
    const char *value = text[length] ? text + length + 1 : NULL;
    if (!option->value && value)
        return misuse(err, "%s: --%s takes no value", args->command->name, name);
    if (option->value && !value) {
        if (*i + 1 >= argc)
            return misuse(err, "%s: --%s wants %s", args->command->name, name, option->value);
        value = argv[++*i];
    }
    args->options[args->count] = option;
    args->values[args->count++] = value;
    return true;
}

static bool takes_config(const struct command *command)
{
    return starts_with(command->usage, "CONFIG") || starts_with(command->usage, "[CONFIG");
}

/* True if a text has the form KEY=VALUE, with a dotted key. */
static bool has_key(const struct command *command, const char *text)
{
    const size_t length = strcspn(text, "=");
    if (!strstr(command->usage, "KEY=VALUE") || !text[length] || !isalpha((unsigned char)*text))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_-.", text[i]))
            return false;
    return true;
}

/* Reads KEY=VALUE or a path.  A text of both forms is a path if a file or folder has that name and the command still
 * takes paths.  A text that is too long for a file name is KEY=VALUE. */
static bool take_word(struct args *args, const char *text, struct error *err)
{
    const struct command *command = args->command;
    const bool key = has_key(command, text);
    const bool either = key && args->rest_count < command->max + takes_config(command) && strlen(text) <= NAME_MAX;
    const enum path_kind kind = either ? path_kind(text, err) : PATH_ABSENT;
    if (!kind)
        return false;
    if (key && kind == PATH_ABSENT)
        args->overrides[args->override_count++] = text;
    else
        args->rest[args->rest_count++] = text;
    return true;
}

static bool take_all(struct args *args, int argc, char **argv, struct error *err)
{
    bool options = true;
    for (int i = 2; i < argc; i++) {
        const char *text = argv[i];
        if (options && strcmp(text, "--") == 0)
            options = false;
        else if (options && (strncmp(text, "--", 2) == 0 || strcmp(text, "-h") == 0)) {
            if (strcmp(text, "-h") == 0)
                args->help = true;
            else if (!take_option(args, &i, argc, argv, err))
                return false;
        } else if (options && text[0] == '-' && text[1])
            return misuse(err, "%s: %.60s: no such option; they begin with two dashes", args->command->name, text);
        else if (!take_word(args, text, err))
            return false;
    }
    return true;
}

/* Removes CONFIG from the arguments. */
static void take_config(struct args *args)
{
    const struct command *command = args->command;
    const char *first = args->rest_count ? args->rest[0] : "";
    if (args->rest_count == 0 || !takes_config(command)
        || (command->max == MANY && !ends_with(first, ".yml") && !ends_with(first, ".yaml")))
        return;
    args->config = first;
    memmove(args->rest, args->rest + 1, (size_t)--args->rest_count * sizeof *args->rest);
}

static bool right_count(const struct args *args, struct error *err)
{
    const struct command *command = args->command;
    if (args->rest_count < command->min || (starts_with(command->usage, "CONFIG") && !args->config))
        return misuse(err, "usage: nanodet %s %s", command->name, command->usage);
    return args->rest_count <= command->max
        || misuse(err, "%s: %.200s: one argument too many", command->name, args->rest[command->max]);
}

bool args_parse(struct args *args, const struct command *commands, int argc, char **argv, struct error *err)
{
    *args = (struct args){ .threads = default_threads() };
    const char *name = argc > 1 ? argv[1] : "--help";
    args->help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
    args->version = strcmp(name, "--version") == 0;
    if (args->help || args->version)
        return argc > 1 || misuse(err, "usage: nanodet COMMAND ...; nanodet --help names the commands");
    args->command = find_row(name, commands, sizeof *commands);
    if (!args->command)
        return misuse(err, "%.60s: no such command; did you mean %s?", name,
                      nearest_name(name, commands, sizeof *commands));
    args->rest = new_array((size_t)argc, sizeof *args->rest, err);
    args->overrides = new_array((size_t)argc, sizeof *args->overrides, err);
    args->options = new_array((size_t)argc, sizeof *args->options, err);
    args->values = new_array((size_t)argc, sizeof *args->values, err);
    if (!args->rest || !args->overrides || !args->options || !args->values || !take_all(args, argc, argv, err))
        return false;
    args->help = args->help || args_flag(args, "help");
    take_config(args);
    return args->help
        || (right_count(args, err) && args_int(args, "threads", 1, TEAM_MAX, &args->threads, err)
            && args_outputs_apart(args, NULL, 0, err));
}

void args_free(struct args *args)
{
    free(args->rest);
    free(args->overrides);
    free(args->options);
    free(args->values);
    *args = (struct args){0};
}

/* ---- outputs ---- */

/* Options of all commands that name output files, or a folder with these files. */
static const struct output { const char *name; bool json; const char *files[2]; } outputs[] = {
    { "json",   true,  {0} },
    { "dets",   true,  {0} },
    { "graph",  true,  {0} },
    { "out",    false, {0} },
    { "report", false, { "report.html", "report.json" } },
    {0} };

/* ncnn reads and writes X.param and X.bin together.  Sets *other to the second file of a pair (free() it), or to NULL
 * if path ends in neither. */
static bool other_of_pair(char **other, const char *path, struct error *err)
{
    const char *ending = ends_with(path, ".param") ? ".bin" : ends_with(path, ".bin") ? ".param" : NULL;
    *other = ending ? path_with_suffix(path, ending, err) : NULL;
    return !ending || *other;
}

static bool differs(const struct args *args, const char *option, const char *output, const char *other,
                    struct error *err)
{
    return !output || !other || !*other || !same_target(output, strcmp(other, "-") == 0 ? "/dev/stdin" : other)
        || misuse(err, "%s: --%s: %.200s would overwrite %.200s, which the command reads or writes, too",
                  args->command->name, option, output, other);
}

/* Neither the output nor the .bin written beside a .param may be the other file, or the second one of its pair. */
static bool apart(const struct args *args, const char *option, const char *path, const char *other, struct error *err)
{
    char *beside = NULL, *pair = NULL;
    const bool ok = (!ends_with(path, ".param") || other_of_pair(&beside, path, err))
                 && (!other || other_of_pair(&pair, other, err))
                 && differs(args, option, path, other, err) && differs(args, option, path, pair, err)
                 && differs(args, option, beside, other, err) && differs(args, option, beside, pair, err);
    free(beside);
    free(pair);
    return ok;
}

/* Examines the ending of the path and that of the file at the end of its links. */
bool args_json_name(const struct args *args, const char *option, const char *path, struct error *err)
{
    char *target = atomic_target(path, err);
    const char *const names[] = { path, target };
    bool ok = target != NULL;
    for (int i = 0; ok && i < 2; i++) {
        const char *dot = strrchr(path_name(names[i]), '.');
        const bool suits = !dot || strcmp(dot, ".json") == 0;
        const enum path_kind kind = suits ? PATH_FILE : path_kind(path, err);
        ok = suits || kind == PATH_FOLDER
          || (kind && misuse(err, "%s: --%s %.200s: the file will hold JSON; let its name end in .json",
                             args->command->name, option, names[i]));
    }
    free(target);
    return ok;
}

/* The file `path` of an option and all other paths of the command line. */
static bool apart_from_all(const struct args *args, const char *option, const char *path, const char *const *more,
                           int count, struct error *err)
{
    bool ok = apart(args, option, path, args->config, err);
    for (int k = 0; ok && k < args->rest_count; k++)
        ok = apart(args, option, path, args->rest[k], err);
    for (int k = 0; ok && k < args->count; k++)
        ok = strcmp(args->options[k]->name, option) == 0 || apart(args, option, path, args->values[k], err);
    for (int k = 0; ok && k < count; k++)
        ok = apart(args, option, path, more[k], err);
    return ok;
}

bool args_outputs_apart(const struct args *args, const char *const *more, int count, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < args->count; i++) {
        const char *name = args->options[i]->name, *value = args->values[i];
        const struct output *output = find_row(name, outputs, sizeof *output);
        if (!output)
            continue;
        ok = (!output->json || args_json_name(args, name, value, err))
          && (output->files[0] || apart_from_all(args, name, value, more, count, err));
        for (int k = 0; ok && k < 2 && output->files[k]; k++) {
            char *path = path_join(value, output->files[k], err);
            ok = path && apart_from_all(args, name, path, more, count, err);
            free(path);
        }
    }
    return ok;
}

/* ---- asking ---- */

bool args_flag(const struct args *args, const char *name)
{
    for (int i = 0; i < args->count; i++)
        if (strcmp(args->options[i]->name, name) == 0)
            return true;
    return false;
}

const char *args_text(const struct args *args, const char *name)
{
    for (int i = args->count - 1; i >= 0; i--)
        if (strcmp(args->options[i]->name, name) == 0)
            return args->values[i];
    const struct option *option = find_option(args->command, name);
    return option ? option->preset : NULL;
}

bool args_real(const struct args *args, const char *name, double min, double max, double *out, struct error *err)
{
    const char *text = args_text(args, name);
    char *end;
    if (!text)
        return true;
    const double v = strtod(text, &end);
    if (end == text || *end || !(v >= min && v <= max))
        return misuse(err, "%s: --%s must be a number from %g to %g, not '%.60s'", args->command->name, name, min, max,
                      text);
    *out = v;
    return true;
}

bool args_int(const struct args *args, const char *name, int min, int max, int *out, struct error *err)
{
    double v = *out;
    if (!args_real(args, name, min, max, &v, err))
        return false;
    if (v != (int)v)
        return misuse(err, "%s: --%s must be a whole number, not '%.60s'", args->command->name, name,
                      args_text(args, name));
    *out = (int)v;
    return true;
}

bool args_pair(const struct args *args, const char *name, char separator, int min, int max, int *a, int *b,
               struct error *err)
{
    char between, rest;
    const char *text = args_text(args, name);
    return (sscanf(text, "%9d%c%9d%c", a, &between, b, &rest) == 3 && between == separator
            && *a >= min && *a <= max && *b >= min && *b <= max)
        || misuse(err, "%s: --%s must be two numbers from %d to %d with '%c' between them, not '%.60s'",
                  args->command->name, name, min, max, separator, text);
}

bool args_config(const struct args *args, struct config *config, struct error *err)
{
    return args->config ? config_read(config, args->config, args->overrides, args->override_count, err)
                        : misuse(err, "usage: nanodet %s %s", args->command->name, args->command->usage);
}

void args_tell_ignored(const struct config *config)
{
    for (int i = 0; i < config->ignored.count; i++)
        fprintf(stderr, "%s%s%s", i ? ", " : "ignored, as they have no effect here: ", config->ignored.list[i],
                i + 1 < config->ignored.count ? "" : "\n");
}

/* ---- help ---- */

static void print_options(const struct option *options, FILE *out)
{
    for (; options->name; options++) {
        char left[40];
        snprintf(left, sizeof left, "--%.16s %.18s", options->name, options->value ? options->value : "");
        fprintf(out, "  %-28s %s", left, options->help);
        if (options->preset)
            fprintf(out, " (default %s)", options->preset);
        fputc('\n', out);
    }
}

static void command_help(const struct command *command, FILE *out)
{
    fprintf(out, "nanodet %s %s -- %s\n\n", command->name, command->usage, command->help);
    if (starts_with(command->usage, "[CONFIG] "))
        fprintf(out, "Without CONFIG (a .yml or .yaml file) the file of --weights must describe its model, as the\n"
                     "safetensors files of train and export do.\n\n");
    print_options(command->options, out);
    print_options(common, out);
}

void args_help(const struct args *args, const struct command *commands, FILE *out)
{
    if (args->command) {
        command_help(args->command, out);
        return;
    }
    fprintf(out, "nanodet trains, tests and runs NanoDet detectors.\n\n");
    for (const struct command *command = commands; command->name; command++)
        fprintf(out, "  nanodet %-8s %-30s %s\n", command->name, command->usage, command->help);
    fprintf(out, "\nnanodet COMMAND --help lists the options of a command, nanodet check --keys the keys of a CONFIG;\n"
                 "KEY=VALUE sets a key for this call, as in schedule.total_epochs=3.\n");
}
