#include "cli/commands.h"
#include "cli/session.h"
#include "nanodet.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

static bool run(const struct args *args, struct error *err)
{
    if (args->version)
        printf("nanodet %s\n", NANODET_VERSION);
    else if (args->help)
        args_help(args, commands, stdout);
    else
        return args->command->run(args, err);
    return true;
}

/* A full disk or a closed pipe shows here at the latest. */
static bool all_written(struct error *err)
{
    errno = 0;
    return (fflush(stdout) == 0 && !ferror(stdout))
        || fail(err, "standard output: %s", errno ? strerror(errno) : "write error");
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct args args = {0};
    signal(SIGPIPE, SIG_IGN);                   /* a write to a closed pipe is an error like any other */
    const bool ok = args_parse(&args, commands, argc, argv, &err) && run(&args, &err) && all_written(&err);
    if (!ok)
        show_line("nanodet: ", err.text);
    args_free(&args);
    return ok ? 0 : err.exit;
}
