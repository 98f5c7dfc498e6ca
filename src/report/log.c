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

bool log_open(struct log *log, const char *path, FILE *screen, bool terminal, struct error *err)
{
    *log = (struct log){ .screen = screen, .terminal = screen && terminal };
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

static void write_to_screen(struct log *log, const char *text)
{
    fputs(log->bar ? "\r\033[K" : "", log->screen);
    print_escaped(log->screen, text);
    fputc('\n', log->screen);
    log->bar = false;
}

void log_line(struct log *log, const char *format, ...)
{
    char text[4000];                            /* notes name up to eight files */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (log->file)
        write_to_file(log, text);
    if (log->screen)
        write_to_screen(log, text);
    if (log->on_message)
        log->on_message(log->context, text);
}

static void add_duration(struct strbuf *t, double seconds)
{
    const bool known = seconds >= 0 && seconds < 1e8;
    const int s = known ? (int)seconds : 0;
    if (known)
        strbuf_addf(t, "  %d:%02d:%02d left", s / 3600, s / 60 % 60, s % 60);
}

/* ---- the line of a terminal ---- */

enum { CELLS_MIN = 8, CELLS_MAX = 24 };         /* of the bar */

/* The width of the terminal.  A longer line could not be erased as a whole. */
static int columns(FILE *screen)
{
    struct winsize size;
    return ioctl(fileno(screen), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Draws the parts, of ASCII, in their order until one does not fit, and the bar in front if there is room. */
static void draw_line(struct log *log, const struct strbuf *parts, int count, double done)
{
    struct strbuf line = {0}, bar = {0};
    size_t room = (size_t)columns(log->screen) - 1;
    for (int i = 0; i < count && line.size + parts[i].size <= room; i++)
        strbuf_add(&line, parts[i].s, parts[i].size);
    room -= line.size;
    const int cells = room < CELLS_MIN + 2 ? 0 : room < CELLS_MAX + 2 ? (int)room - 2 : CELLS_MAX;
    for (int k = 0; k < cells; k++)
        strbuf_addf(&bar, k < done * cells ? "█" : "░");
    if (!line.failed && !bar.failed) {
        fprintf(log->screen, "\r\033[K%s%s%s", bar.s ? bar.s : "", bar.s ? "  " : "", line.s ? line.s : "");
        fflush(log->screen);
        log->bar = true;
    }
    strbuf_free(&bar);
    strbuf_free(&line);
}

static double part_of(int done, int all) { return all > 0 ? (double)done / all : 0; }

void log_counter(struct log *log, const char *text, int done, int all)
{
    struct strbuf line = {0};
    if (!log->terminal)
        return;
    strbuf_addf(&line, "%s %d/%d", text, done, all);
    draw_line(log, &line, 1, part_of(done, all));
    strbuf_free(&line);
}

static void draw_progress(struct log *log, const struct progress *p)
{
    enum { PARTS = 5 };
    struct strbuf parts[PARTS] = {{0}};
    strbuf_addf(&parts[0], "epoch %d/%d  %d/%d", p->epoch, p->epochs, p->step, p->steps);
    strbuf_addf(&parts[1], "  loss %.4g", p->count ? p->losses[0] : NAN);
    strbuf_addf(&parts[2], "  %.1f images/s", p->images_per_second);
    add_duration(&parts[3], p->seconds_left);
    if (p->figure && p->best >= 0)
        strbuf_addf(&parts[4], "  best %s %.3f", p->figure, p->best);
    draw_line(log, parts, PARTS, part_of(p->step, p->steps));
    for (int i = 0; i < PARTS; i++)
        strbuf_free(&parts[i]);
}

/* ---- progress ---- */

static void write_progress(struct log *log, const struct progress *p)
{
    struct strbuf t = {0};
    strbuf_addf(&t, "epoch %d/%d  step %d/%d", p->epoch, p->epochs, p->step, p->steps);
    add_duration(&t, p->seconds_left);
    strbuf_addf(&t, "  %.1f images/s  lr %.3g", p->images_per_second, p->lr);
    for (int i = 0; i < p->count; i++)
        strbuf_addf(&t, "  %s %.4g", p->names[i], p->losses[i]);
    if (t.failed && log->file && !log->failed)
        log->failed = ENOMEM;
    if (!t.failed && log->file)
        write_to_file(log, t.s);
    if (!t.failed && log->screen && !log->terminal)
        write_to_screen(log, t.s);
    strbuf_free(&t);
}

void log_progress(struct log *log, const struct progress *p, bool line)
{
    if (line)
        write_progress(log, p);
    if (log->terminal)
        draw_progress(log, p);
}
