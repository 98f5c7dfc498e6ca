#include "cli/commands.h"

const struct command commands[] = {
    { "check", "CONFIG [KEY=VALUE ...]", 0, 1, check_options, check_run, "report every problem of a configuration" },
    {0} };
