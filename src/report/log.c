#include "report/log.h"

#include "base/escape.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

bool log_open(struct log *log, const char *path, FILE *screen, struct error *err)
{
    *log = (struct log){ .screen = screen, .terminal = screen && isatty(fileno(screen)) };
    if (!path)
        return true;
    log->path = new_text(path, err);
    log->file = log->path ? fopen(path, "ae") : NULL;
    if (log->file || !log->path)
        return log->file != NULL;
    free(log->path);
    log->path = NULL;
    return fail(err, "%s: %s", path, errno_text(errno));
}

bool log_whole(const struct log *log, struct error *err)
{
    return !log->failed || fail(err, "%s: %s", log->path, errno_text(log->failed));
}

bool log_close(struct log *log, struct error *err)
{
    if (log->bar)
        fputc('\n', log->screen);
    const bool earlier = log->file && ferror(log->file);        /* of a copy of this log, as trainers make */
    errno = EIO;
    if (log->file && (fclose(log->file) != 0 || earlier) && !log->failed)
        log->failed = errno;
    const bool ok = log_whole(log, err);
    free(log->path);
    *log = (struct log){0};
    return ok;
}

static void write_to_file(struct log *log, const char *text)
{
    char now[32] = "";
    struct tm local;
    const time_t seconds = time(NULL);
    if (localtime_r(&seconds, &local))
        strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S", &local);
    errno = 0;
    fprintf(log->file, "%s  ", now);
    print_escaped(log->file, text);
    fputc('\n', log->file);
    if ((fflush(log->file) != 0 || ferror(log->file)) && !log->failed)
        log->failed = errno ? errno : EIO;
}

static void write_line(struct log *log, const char *text)
{
    if (log->file)
        write_to_file(log, text);
    if (log->screen) {
        fputs(log->bar ? "\r\033[K" : "", log->screen);
        print_escaped(log->screen, text);
        fputc('\n', log->screen);
        log->bar = false;
    }
}

void log_line(struct log *log, const char *format, ...)
{
    char text[4000];                            /* notes name up to eight files */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_line(log, text);
}

static void add_duration(struct strbuf *t, double seconds)
{
    const bool known = seconds >= 0 && seconds < 1e8;
    const int s = known ? (int)seconds : 0;
    if (known)
        strbuf_addf(t, "  %d:%02d:%02d left", s / 3600, s / 60 % 60, s % 60);
}

enum { CELLS = 24 };                            /* of the bar */

/* The width of the terminal.  A longer line could not be erased as a whole. */
static int columns(FILE *screen)
{
    struct winsize size;
    return ioctl(fileno(screen), TIOCGWINSZ, &size) == 0 && size.ws_col > CELLS + 3 ? size.ws_col : 80;
}

static void add_bar(struct strbuf *t, double part)
{
    for (int i = 0; i < CELLS; i++)
        strbuf_addf(t, i < part * CELLS ? "█" : "░");
    strbuf_addf(t, "  ");
}

void log_progress(struct log *log, const struct progress *p, bool line)
{
    struct strbuf t = {0}, bar = {0};
    strbuf_addf(&t, "epoch %d/%d  step %d/%d", p->epoch, p->epochs, p->step, p->steps);
    add_duration(&t, p->seconds_left);
    strbuf_addf(&t, "  %.1f images/s  lr %.3g", p->images_per_second, p->lr);
    for (int i = 0; i < p->count; i++)
        strbuf_addf(&t, "  %s %.4g", p->names[i], p->losses[i]);
    add_bar(&bar, p->steps > 0 ? (double)p->step / p->steps : 0);
    if ((line || !log->terminal) && !t.failed)
        write_line(log, t.s);
    else if (line && log->file && !log->failed)
        log->failed = ENOMEM;
    if (log->terminal && !t.failed && !bar.failed) {
        fprintf(log->screen, "\r\033[K%s%.*s", bar.s, columns(log->screen) - CELLS - 3, t.s);
        fflush(log->screen);
        log->bar = true;
    }
    strbuf_free(&bar);
    strbuf_free(&t);
}
