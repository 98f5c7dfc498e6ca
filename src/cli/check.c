/* cli/check.c -- every problem of a configuration at once, a line each. */
#include "cli/commands.h"

const struct option check_options[] = {
    { "keys", NULL, NULL, "list every key with what it takes" },
    {0} };

static bool print_keys(struct error *err)
{
    struct text manual = {0};
    config_manual(&manual);
    const bool ok = text_ok(&manual, err);
    if (ok)
        printf("%s", manual.s);
    text_free(&manual);
    return ok;
}

bool check_run(const struct args *args, struct error *err)
{
    struct config config = {0};
    struct names problems = {0};
    if (args_flag(args, "keys"))
        return print_keys(err);
    if (args->rest_count == 0)
        return misuse(err, "usage: nanodet check CONFIG [KEY=VALUE ...]");
    config.problems = &problems;
    bool ok = args_config(args, &config, err);
    for (int i = 0; i < problems.count; i++)
        printf("%s\n", problems.list[i]);
    if (ok && problems.count)
        ok = misuse(err, "%s: %d problem%s", args->rest[0], problems.count, problems.count == 1 ? "" : "s");
    else if (ok)
        printf("%s: no problem found\n", args->rest[0]);
    config_free(&config);
    names_free(&problems);
    return ok;
}
