/* cli/predict.c -- detects objects in images: files, folders, patterns, or a stream of MJPEG frames. */
#include "base/atomic_file.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/string_list.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/session.h"
#include "data/mjpeg.h"
#include "report/boxes.h"
#include "runtime/detector.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct option predict_options[] = {
    { "weights", "FILE",   NULL,   "weights of the model, in any format (default: schedule.load_model)" },
    { "out",     "DIR",    NULL,   "folder for the images with boxes drawn" },
    { "json",    "FILE",   NULL,   "write the detections there; without --out and --json they go to stdout" },
    { "score",   "X|auto", NULL,   "min score of detections, or auto: that of the best F1, which train stores in the "
                                   "weights (default: 0.35, or a test.score_thr that is set)" },
    { "tiles",   "SIZE", NULL, "also detect in tiles of SIZE pixels: N, WxH or auto, the "
                               "input size (default: data.val.tiles)" },
    {0} };

struct predictor {
    struct session session;
    struct detector detector;
    const char *out;
    struct font *font;                  /* of the names in drawn images */
    struct inputs inputs;
    struct atomic_file json; int images;        /* the list and the number of its items; {0}: no list */
    struct failures failures;
};

static bool write_drawn(const struct predictor *p, struct image *image, const char *name, struct error *err)
{
    const struct detector *d = &p->detector;
    struct drawn_box *boxes = new_array((size_t)d->rules.max_kept, sizeof *boxes, err);
    for (int i = 0; boxes && i < d->count[0]; i++) {
        const struct detected *f = &d->detections[i];
        boxes[i] = (struct drawn_box){ { f->box[0], f->box[1], f->box[2] - f->box[0], f->box[3] - f->box[1] },
                                       f->label, p->session.config.class_names.at[f->label], f->score };
    }
    const bool ok = boxes && draw_boxes(image->p, image->width, image->height, boxes, d->count[0], p->font, err)
                 && image_write(image, &p->inputs, p->out, name, err);
    free(boxes);
    return ok;
}

static bool add_detection(cJSON *list, const struct predictor *p, const struct detected *f)
{
    const double x = f->box[0], y = f->box[1];
    const double bbox[4] = { x, y, f->box[2] - x, f->box[3] - y };
    cJSON *one = json_add(list, NULL, cJSON_CreateObject());
    return json_add(one, "bbox", cJSON_CreateDoubleArray(bbox, 4))
        && cJSON_AddNumberToObject(one, "score", f->score)
        && cJSON_AddNumberToObject(one, "category_id", f->label + 1)
        && cJSON_AddStringToObject(one, "category_name", p->session.config.class_names.at[f->label]);
}

/* Appends an object to the list in the file.  The list is never in memory as a whole, since streams are long. */
static bool add_json(struct predictor *p, const struct image *image, const char *file, struct error *err)
{
    cJSON *one = cJSON_CreateObject();
    bool ok = cJSON_AddStringToObject(one, "file", file) && cJSON_AddNumberToObject(one, "width", image->width)
           && cJSON_AddNumberToObject(one, "height", image->height);
    cJSON *list = cJSON_AddArrayToObject(one, "detections");
    for (int i = 0; ok && i < p->detector.count[0]; i++)
        ok = add_detection(list, p, &p->detector.detections[i]);
    char *text = ok && list ? json_print(one) : NULL;
    const char *separator = p->images++ ? ",\n" : "[";
    ok = (text || fail(err, "out of memory for the detections"))
      && atomic_write(&p->json, separator, strlen(separator), err)
      && atomic_write(&p->json, text, strlen(text), err);
    free(text);
    cJSON_Delete(one);
    return ok;
}

static bool print_lines(const struct predictor *p, const char *file, struct error *err)
{
    for (int i = 0; i < p->detector.count[0]; i++) {
        const struct detected *f = &p->detector.detections[i];
        char name[200];
        escape_text(name, sizeof name, p->session.config.class_names.at[f->label]);
        print_escaped(stdout, file);
        printf("  %-16s %.3f  %8.1f %8.1f %8.1f %8.1f\n", name, f->score, f->box[0], f->box[1], f->box[2] - f->box[0],
               f->box[3] - f->box[1]);
    }
    return fflush(stdout) == 0 || fail(err, "standard output: %s", errno_text(errno));
}

static bool look(struct predictor *p, const struct image *image, const char *file, struct error *err)
{
    struct error why = {0};
    return detector_detect_image(&p->detector, image, &why) || fail_as(err, &why, "%s: %s", file, why.text);
}

/* Draws into the image, which is written to --out under the name `to`. */
static bool write_found(struct predictor *p, struct image *image, const char *file, const char *to,
                        struct error *err)
{
    return (p->out || p->json.out || print_lines(p, file, err)) && (!p->json.out || add_json(p, image, file, err))
        && (!p->out || write_drawn(p, image, to, err));
}

/* A file that is missing or broken, or cannot be processed, is counted.  Fails if the system has failed. */
static bool predict_file(struct predictor *p, const char *file, struct error *err)
{
    struct image image = {0};
    struct error why = {0};
    bool ok = true;
    if (image_read(&image, file, &why) && look(p, &image, file, &why)) {
        image_used(&p->failures, &image, file);
        ok = write_found(p, &image, file, path_name(file), err);
    } else
        ok = image_failed(&p->failures, &why, err);
    image_free(&image);
    return ok;
}

static bool predict_files(struct predictor *p, const struct args *args, struct error *err)
{
    const char *json = args_text(args, "json");
    struct string_list files = {0};
    bool ok = images_list(args, &files, err) && inputs_open(&p->inputs, args, &files, err)
           && (!p->out || images_differ(&p->inputs, &files, p->out, err))
           && (!json || inputs_spared(&p->inputs, json, err));
    p->failures.files = files.count;
    for (int i = 0; ok && i < files.count; i++) {
        ok = predict_file(p, files.list[i], err);
        if (ok)
            show_progress(i, i + 1, files.count);
    }
    string_list_free(&files);
    return ok;
}

/* ---- a stream ---- */

struct stream { struct mjpeg in; long good, reported; };

/* Names the first few broken frames.  Frames are numbered from 1 in the order in which they came. */
static void report_broken(struct stream *s, const char *why)
{
    enum { LINES = 4 };
    for (; s->reported < s->in.broken; s->reported++)
        if (s->reported < LINES)
            fprintf(stderr, "frame_%06ld: %s\n", s->good + s->reported + 1, why);
}

static bool predict_frame(struct predictor *p, struct stream *s, struct bytes frame, struct error *err)
{
    struct image image;
    struct error why;
    char name[32], to[40];
    bool ok = true;
    snprintf(name, sizeof name, "frame_%06ld", s->good + s->in.broken + 1);
    snprintf(to, sizeof to, "%s.jpg", name);
    if (image_decode(&image, frame.p, frame.size, "skipped", &why)) {
        ok = look(p, &image, name, err) && write_found(p, &image, name, to, err);
        s->good++;
    } else if (!why.content)
        ok = fail(err, "%s: %s", name, why.text);
    else {
        s->in.broken++;
        report_broken(s, why.text);
    }
    image_free(&image);
    return ok;
}

/* Processes frames as they come.  A broken frame is skipped: the stream continues. */
static bool predict_stream(struct predictor *p, const struct args *args, struct error *err)
{
    char *standard_input = (char[]){ "/dev/stdin" };
    struct stream s = {0};
    struct bytes frame;
    bool ok = inputs_open(&p->inputs, args, &(struct string_list){ &standard_input, 1, 1 }, err), more = ok;
    while (ok && more) {
        ok = mjpeg_next(&s.in, stdin, &frame, err);
        more = ok && frame.p;
        report_broken(&s, "skipped: it breaks off");
        if (more)
            ok = predict_frame(p, &s, frame, err);
    }
    if (s.in.broken)
        fprintf(stderr, "standard input: %ld of %ld frames are broken and were skipped\n", s.in.broken,
                s.good + s.in.broken);
    mjpeg_free(&s.in);
    return ok && (s.good > 0 || fail(err, "standard input: not one whole JPEG frame in it"));
}

static bool open_font(struct predictor *p)
{
    const struct strings *names = &p->session.config.class_names;
    p->font = p->out ? font_open(names->at, names->count) : NULL;
    if (p->out && !p->font)
        show_line("", "no fonts of this machine can be used: names are drawn in letters of the program's own");
    return true;
}

static bool open_predictor(struct predictor *p, const struct args *args, struct error *err)
{
    struct session *s = &p->session;
    const char *json = args_text(args, "json");
    double score = 0;
    const bool ok = session_open(s, args, err) && session_tiles(s, args, err)
                 && session_score(s, args, &score, err)
                 && session_load(s, args, err) && open_font(p)
                 && detector_init(&p->detector, &s->model, s->model.params.value, &s->policy, err)
                 && (!p->out || make_folders(p->out, err))
                 && (!json || atomic_open(&p->json, json, err));
    p->detector.rules.score_thr = score;
    return ok;
}

bool predict_run(const struct args *args, struct error *err)
{
    struct predictor p = { .out = args_text(args, "out") };
    const bool stream = args->rest_count == 1 && strcmp(args->rest[0], "-") == 0;
    bool ok = open_predictor(&p, args, err) && (stream ? predict_stream(&p, args, err) : predict_files(&p, args, err));
    if (p.json.out)
        fputs(p.images ? "]\n" : "[]\n", p.json.out);
    ok = ok && (!p.json.out || atomic_commit(&p.json, err));
    atomic_close(&p.json);
    ok = images_end(&p.failures, ok, err);
    inputs_free(&p.inputs);
    font_close(p.font);
    detector_free(&p.detector);
    session_close(&p.session);
    return ok;
}
