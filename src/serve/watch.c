#include "serve/watch.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/memory.h"
#include "base/path.h"
#include "serve/history.h"
#include "serve/http.h"
#include "serve/status.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const unsigned char page[] = {
#include "serve/page.inc"
};

enum { LINES = 200 };                           /* of the log */

struct watch {
    struct http_server *server;
    struct run_observer observer;
    struct run_status status;
    struct history steps, scores;
    bool history_changed, log_changed;
    struct string_list lines;                   /* the last ones of the log */
    double published;                           /* clock_seconds() */
};

/* ---- documents ---- */

enum { PAGE, STATUS, METRICS, HISTORY, LOG, IMAGES };
static const char json[] = "application/json", text[] = "text/plain; charset=utf-8", jpeg[] = "image/jpeg";
static const struct http_document documents[] = {
    [PAGE] = { "/", "text/html; charset=utf-8" }, [STATUS] = { "/status", json },
    [METRICS] = { "/metrics", "text/plain; version=0.0.4; charset=utf-8" }, [HISTORY] = { "/history", json },
    [LOG] = { "/log", text },
    [IMAGES] = { "/image/0", jpeg }, { "/image/1", jpeg }, { "/image/2", jpeg }, { "/image/3", jpeg },
    { "/image/4", jpeg }, { "/image/5", jpeg }, {0} };
_Static_assert(sizeof documents / sizeof *documents == IMAGES + PICTURES + 1, "a document per picture");

/* If memory was short for the content, the document remains as it is. */
static void publish_text(struct watch *w, int document, struct strbuf *content)
{
    if (!content->failed)
        http_publish(w->server, document, content->s ? content->s : "", content->size);
    strbuf_free(content);
}

/* The page with the nonce of the server in place of each NONCE. */
static void publish_page(struct watch *w)
{
    static const char mark[] = "NONCE";
    const char *at = (const char *)page, *end = at + sizeof page, *next;
    struct strbuf out = {0};
    for (; (next = memmem(at, (size_t)(end - at), mark, strlen(mark))); at = next + strlen(mark)) {
        strbuf_add(&out, at, (size_t)(next - at));
        strbuf_addf(&out, "%s", http_nonce(w->server));
    }
    strbuf_add(&out, at, (size_t)(end - at));
    publish_text(w, PAGE, &out);
}

static void publish_history(struct watch *w)
{
    struct strbuf out = {0};
    strbuf_addf(&out, "{\"steps\":");
    history_json(&w->steps, &out);
    strbuf_addf(&out, ",\n\"scores\":");
    history_json(&w->scores, &out);
    strbuf_addf(&out, "}\n");
    publish_text(w, HISTORY, &out);
    w->history_changed = false;
}

static void publish_log(struct watch *w)
{
    struct strbuf out = {0};
    for (int i = 0; i < w->lines.count; i++)
        strbuf_addf(&out, "%s\n", w->lines.list[i]);
    publish_text(w, LOG, &out);
    w->log_changed = false;
}

/* At most once per second, unless it is urgent: a step may take a few milliseconds. */
static void publish(struct watch *w, bool urgent)
{
    const double now = clock_seconds();
    struct strbuf status = {0}, metrics = {0};
    if (!urgent && now - w->published < 1)
        return;
    w->published = now;
    status_json(&w->status, &status);
    status_metrics(&w->status, &metrics);
    if (w->history_changed)
        publish_history(w);
    if (w->log_changed)
        publish_log(w);
    publish_text(w, METRICS, &metrics);
    publish_text(w, STATUS, &status);           /* the last one: the page reads the others when it changes */
}

/* ---- events of the run ---- */

static void on_message(void *watch, const char *line)
{
    struct watch *w = watch;
    struct strbuf stamped = {0};
    char now[16] = "";
    struct tm local;
    const time_t seconds = time(NULL);
    if (localtime_r(&seconds, &local))
        strftime(now, sizeof now, "%H:%M:%S", &local);
    strbuf_addf(&stamped, "%s  ", now);
    strbuf_add_escaped(&stamped, line);
    if (w->lines.count == LINES) {
        free(w->lines.list[0]);
        memmove(w->lines.list, w->lines.list + 1, (LINES - 1) * sizeof *w->lines.list);
        w->lines.count--;
    }
    if (!stamped.failed)
        string_list_add(&w->lines, stamped.s, NULL);
    strbuf_free(&stamped);
    w->log_changed = true;
    publish(w, w->status.phase == RUN_STARTING);
}

/* Begins a table with the rows of the earlier part of a resumed run.  Once: before the run adds its first row. */
static void begin_history(struct watch *w, struct history *h, const char *const *columns, int count, const char *file)
{
    if (h->columns.count)
        return;
    char *path = path_join(w->status.config->save_dir, file, NULL);
    if (!path || !history_init(h, columns, count, NULL))
        history_free(h);
    else
        history_read(h, path);
    free(path);
}

/* Columns of eval.csv, without those of the classes. */
enum { SCORE_COLUMNS = 1 + COCO_FIGURES + VISDRONE_FIGURES };

static void begin_scores(struct watch *w)
{
    const char *columns[SCORE_COLUMNS] = { "epoch" };
    int count = 1;
    for (int i = 0; i < COCO_FIGURES; i++)
        columns[count++] = coco_figure_name(i);
    for (int i = 0; w->status.config->val.name == DATASET_VISDRONE && i < VISDRONE_FIGURES; i++)
        columns[count++] = visdrone_figure_column(i);
    begin_history(w, &w->scores, columns, count, "eval.csv");
}

static void on_step(void *watch, const struct observed_step *step)
{
    struct watch *w = watch;
    const bool first = w->status.phase != RUN_TRAINING;
    begin_scores(w);
    begin_history(w, &w->steps, step->columns, step->count, "metrics.csv");
    w->status.phase = RUN_TRAINING;
    w->status.step = *step;
    w->status.step.row = NULL;                  /* valid during the call */
    memcpy(w->status.row, step->row, (size_t)step->count * sizeof *step->row);
    if (step->logged && w->steps.rows) {
        history_add(&w->steps, step->row);
        w->history_changed = true;
    }
    publish(w, first);
}

static void on_evaluating(void *watch, int images, int all)
{
    struct watch *w = watch;
    const bool first = w->status.phase != RUN_EVALUATING;
    begin_scores(w);
    w->status.phase = RUN_EVALUATING;
    w->status.evaluated = images;
    w->status.to_evaluate = all;
    publish(w, first);
}

static void add_score(struct watch *w, const struct observed_score *o)
{
    double row[SCORE_COLUMNS] = { o->epoch };
    int count = 1;
    for (int i = 0; i < COCO_FIGURES; i++)
        row[count++] = o->evaluation->score.figures[i];
    for (int i = 0; o->evaluation->has_visdrone && i < VISDRONE_FIGURES; i++)
        row[count++] = o->evaluation->visdrone.figures[i];
    if (w->scores.rows)
        history_add(&w->scores, row);
    w->history_changed = true;
}

/* An image that cannot be drawn keeps its last picture: the evaluation has read it before, so memory is short. */
static void draw_pictures(struct watch *w, const struct observed_score *o)
{
    int images[PICTURES];
    struct run_status *s = &w->status;
    struct picture fresh;
    s->picture_count = pictures_choose(o->dataset, images);
    for (int i = 0; i < s->picture_count; i++)
        if (picture_make(&fresh, s->config, o->dataset, images[i], &o->evaluation->detections, NULL)) {
            picture_free(&s->pictures[i]);
            s->pictures[i] = fresh;
            http_publish(w->server, IMAGES + i, fresh.jpeg.p, fresh.jpeg.size);
        }
}

static void on_score(void *watch, const struct observed_score *o)
{
    struct watch *w = watch;
    add_score(w, o);
    draw_pictures(w, o);
    status_set_score(&w->status, o);
    publish(w, true);
}

/* ---- opening and closing ---- */

struct watch *watch_open(const char *address, const struct config *config, struct error *err)
{
    struct watch *w = new_array(1, sizeof *w, err);
    if (!w)
        return NULL;
    w->observer = (struct run_observer){ w, on_message, on_step, on_evaluating, on_score };
    w->status = (struct run_status){ .config = config, .start = clock_seconds() };
    w->history_changed = w->log_changed = true;
    w->server = http_open(address, documents, err);
    if (!w->server) {
        free(w);
        return NULL;
    }
    publish_page(w);
    publish(w, true);
    return w;
}

const char *watch_url(const struct watch *w) { return http_url(w->server); }
const struct run_observer *watch_observer(const struct watch *w) { return &w->observer; }

void watch_end(struct watch *w)
{
    enum { POLLS = 3 };                         /* seconds: the page asks every two */
    w->status.phase = RUN_ENDED;
    publish(w, true);
    if (http_has_client(w->server, 2 * POLLS))
        nanosleep(&(struct timespec){ .tv_sec = POLLS }, NULL);
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    http_close(w->server);
    status_free(&w->status);
    history_free(&w->steps);
    history_free(&w->scores);
    string_list_free(&w->lines);
    free(w);
}
