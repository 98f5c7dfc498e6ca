#include "cli/commands.h"
#include "cli/session.h"
#include "ranks/mpi.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

void kmp_set_blocktime(int milliseconds) __attribute__((weak));         /* of libomp; NULL with libgomp */

/* OpenMP's threads wait for work in a loop for some milliseconds before they sleep, which takes cores away from other
 * programs.  Unless the user has chosen, they wait for a tenth of a millisecond (libgomp) or one (libomp).  libgomp
 * reads its settings when it is loaded, so the program executes itself again; the setting ensures that this happens
 * once.  If it fails, threads wait longer.  Without AT_BASE the program is not the executable, but the loader is. */
static void shorten_waiting(char **argv)
{
    char self[PATH_MAX];
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME"))
        return;
    if (kmp_set_blocktime)
        kmp_set_blocktime(1);
    else if (getauxval(AT_BASE) && realpath("/proc/self/exe", self) && setenv("GOMP_SPINCOUNT", "2000", 1) == 0)
        execv(self, argv);
}

static bool run(const struct args *args, char **argv, struct error *err)
{
    if (args->version)
        return print_version(err);
    if (args->help) {
        args_help(args, commands, stdout);
        return true;
    }
    if (args->command->run != train_run && mpi_launched_with_others())
        return misuse(err, "%s: only train runs in several processes", args->command->name);
    if (args->threads > 1)
        shorten_waiting(argv);
    return args->command->run(args, err);
}

/* A full disk or a closed pipe shows here at the latest. */
static bool all_written(struct error *err)
{
    errno = 0;
    return (fflush(stdout) == 0 && !ferror(stdout))
        || fail(err, "standard output: %s", errno ? errno_text(errno) : "write error");
}

/* The next file that is opened would get a closed descriptor from 0 to 2, and messages would land in it.  /dev/null
 * takes the place, opened such that reading standard input and writing the others remain errors. */
static bool open_standard_descriptors(struct error *err)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return fail(err, "/dev/null: %s", errno_text(errno));
    return true;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct args args = {0};
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);      /* a line at once, since several processes may share the screen */
    signal(SIGPIPE, SIG_IGN);                   /* a write to a closed pipe is an error like any other */
    signal(SIGXFSZ, SIG_IGN);                   /* so is one beyond the limit of a file's size */
    const bool ok = open_standard_descriptors(&err) && args_parse(&args, commands, argc, argv, &err)
                 && run(&args, argv, &err) && all_written(&err);
    if (!ok && !err.exit)
        fail(&err, "ended without a reason: please report this as a bug");
    if (!ok && err.text[0])                     /* without text another process of the training says why */
        show_line("nanodet: ", err.text);
    args_free(&args);
    return ok ? 0 : err.exit;
}
