#include "eval/score_report.h"

#include "base/escape.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

bool report_coco(struct score_report *r, const struct coco_score *score, struct error *err)
{
    *r = (struct score_report){ .figure_count = COCO_FIGURES, .class_count = score->class_count };
    for (int i = 0; i < COCO_FIGURES; i++)
        r->names[i] = coco_figure_name(i);
    memcpy(r->figures, score->figures, sizeof score->figures);
    r->classes = new_array((size_t)r->class_count, sizeof *r->classes, err);
    for (int i = 0; r->classes && i < r->class_count; i++) {
        const struct coco_class *c = &score->classes[i];
        r->classes[i] = (struct report_class){ c->id, c->name, c->ap, c->ap50 };
    }
    return r->classes;
}

bool report_visdrone(struct score_report *r, const struct visdrone_score *score, struct error *err)
{
    *r = (struct score_report){ .figure_count = VISDRONE_FIGURES, .has_class_mean = true,
                                .class_count = VISDRONE_CLASSES };
    for (int i = 0; i < VISDRONE_FIGURES; i++)
        r->names[i] = visdrone_figure_name(i);
    memcpy(r->figures, score->figures, sizeof score->figures);
    memcpy(r->class_mean, score->class_mean, sizeof score->class_mean);
    r->classes = new_array((size_t)r->class_count, sizeof *r->classes, err);
    for (int i = 0; r->classes && i < r->class_count; i++) {
        const struct visdrone_class *c = &score->classes[i];
        r->classes[i] = (struct report_class){ c->id, c->name, c->figures[0], c->figures[1] };
    }
    return r->classes;
}

void report_free(struct score_report *r)
{
    free(r->classes);
    *r = (struct score_report){0};
}

/* cJSON's functions take NULL and then return NULL, so that one question at the end is enough. */
static bool add_figures(cJSON *to, const struct score_report *r, const double *figures)
{
    bool ok = true;
    for (int i = 0; i < r->figure_count; i++)
        ok = cJSON_AddNumberToObject(to, r->names[i], figures[i]) && ok;
    return ok;
}

static bool add_class(cJSON *list, const struct report_class *c)
{
    cJSON *one = json_add(list, NULL, cJSON_CreateObject());
    return cJSON_AddNumberToObject(one, "id", (double)c->id) && cJSON_AddStringToObject(one, "name", c->name)
        && cJSON_AddNumberToObject(one, "AP", c->ap) && cJSON_AddNumberToObject(one, "AP50", c->ap50);
}

static bool add_report(cJSON *json, const struct score_report *r)
{
    bool ok = add_figures(json, r, r->figures)
           && (!r->has_class_mean || add_figures(cJSON_AddObjectToObject(json, "class_mean"), r, r->class_mean));
    cJSON *list = cJSON_AddArrayToObject(json, "per_class");
    ok = ok && list;
    for (int i = 0; ok && i < r->class_count; i++)
        ok = add_class(list, &r->classes[i]);
    return ok && (!r->visdrone || add_report(cJSON_AddObjectToObject(json, "visdrone"), r->visdrone));
}

bool report_json(const struct score_report *r, struct strbuf *out, struct error *err)
{
    cJSON *json = cJSON_CreateObject();
    const bool ok = add_report(json, r);
    char *text = ok ? json_print(json) : NULL;
    if (text)
        strbuf_addf(out, "%s\n", text);
    free(text);
    cJSON_Delete(json);
    return text ? strbuf_check(out, err) : fail(err, "out of memory for the score");
}

void report_figure(struct strbuf *out, int width, int decimals, double figure)
{
    if (figure < 0)
        strbuf_addf(out, "%*s", width, "-");
    else
        strbuf_addf(out, "%*.*f", width, decimals, figure);
}

/* A line of precision, a line of recall, each under its names: AP... and AR... */
static void add_lines(struct strbuf *out, const struct score_report *r, const double *figures)
{
    for (int from = 0, to; from < r->figure_count; from = to) {
        for (to = from; to < r->figure_count && strncmp(r->names[to], r->names[from], 2) == 0; to++)
            strbuf_addf(out, "%8s", r->names[to]);
        strbuf_addf(out, "\n");
        for (int i = from; i < to; i++)
            report_figure(out, 8, 3, figures[i]);
        strbuf_addf(out, "\n");
    }
}

/* Characters, not bytes, of UTF-8. */
static int width_of(const char *name)
{
    int n = 0;
    for (; *name; name++)
        n += ((unsigned char)*name & 0xc0) != 0x80;
    return n;
}

static void add_best(struct strbuf *out, const struct class_curve *c)
{
    strbuf_addf(out, "%8d", c->objects);
    report_figure(out, 8, 3, c->best.of[CURVE_F1]);
    report_figure(out, 8, 3, c->best.threshold);
}

static void add_best_threshold(struct strbuf *out, const struct best_point *best)
{
    if (best->threshold < 0)
        strbuf_addf(out, "\nno detection finds an object: no score threshold is best\n");
    else
        strbuf_addf(out, "\nthe mean F1 of the classes is best, %.3f, for detections with scores above %.3f "
                    "(precision %.3f, recall %.3f)\n", best->of[CURVE_F1], best->threshold,
                    best->of[CURVE_PRECISION], best->of[CURVE_RECALL]);
}

void report_table(const struct score_report *r, struct strbuf *out)
{
    char name[200];
    int width = (int)strlen("class");
    add_lines(out, r, r->figures);
    if (r->has_class_mean) {
        strbuf_addf(out, "\nmean over the classes\n");
        add_lines(out, r, r->class_mean);
    }
    for (int i = 0; i < r->class_count; i++) {
        escape_text(name, sizeof name, r->classes[i].name);
        width = max_int(width, width_of(name));
    }
    strbuf_addf(out, "\n%8s  %-*s%8s%8s%s\n", "id", width, "class", "AP", "AP50",
                r->curves ? " objects      F1   score" : "");
    for (int i = 0; i < r->class_count; i++) {
        const struct report_class *c = &r->classes[i];
        escape_text(name, sizeof name, c->name);
        strbuf_addf(out, "%8lld  %s%*s", (long long)c->id, name, width - width_of(name), "");
        report_figure(out, 8, 3, c->ap);
        report_figure(out, 8, 3, c->ap50);
        if (r->curves)
            add_best(out, &r->curves->classes[i]);
        strbuf_addf(out, "\n");
    }
    if (r->curves)
        add_best_threshold(out, &r->curves->best);
    if (r->visdrone) {
        strbuf_addf(out, "\nVisDrone toolkit, 500 detections per image; the leaderboard ranks by this AP\n");
        report_table(r->visdrone, out);
    }
}
