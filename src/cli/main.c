#include "base/file.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "kernel/kernels.h"
#include "nanodet.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

/* The last table of kernels is the default. */
static bool print_version(struct error *err)
{
    struct text usable = {0}, missing = {0};
    kernels_names(true, &usable);
    kernels_names(false, &missing);
    const bool ok = text_ok(&usable, err) && text_ok(&missing, err);
    if (ok)
        printf("nanodet %s\nkernels:%s\nkernels not on this machine:%s\n", NANODET_VERSION, usable.s,
               missing.s ? missing.s : " none");
    text_free(&usable);
    text_free(&missing);
    return ok;
}

static bool run(const struct args *args, struct error *err)
{
    if (args->version)
        return print_version(err);
    if (args->help)
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
    if (!ok && !err.exit)
        fail(&err, "ended without a reason: please report this as a bug");
    if (!ok)
        show_line("nanodet: ", err.text);
    args_free(&args);
    return ok ? 0 : err.exit;
}
