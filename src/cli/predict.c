/* cli/predict.c -- objects found in images: files, folders, patterns, or a stream of MJPEG frames. */
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/session.h"
#include "data/mjpeg.h"
#include "model/detector.h"
#include "report/boxes.h"
#include <stdlib.h>
#include <string.h>

const struct option predict_options[] = {
    { "weights", "FILE",   NULL,   "the model's weights, whatever their format (default: schedule.load_model)" },
    { "out",     "DIR",    NULL,   "write the images there, with boxes drawn" },
    { "json",    "FILE",   NULL,   "write the detections there; without --out and --json they are lines here" },
    { "score",   "NUMBER", "0.35", "leave out detections below this" },
    {0} };

struct predictor {
    struct session session;
    struct detector detector;
    const char *out, *json_file;
    cJSON *json;                        /* NULL: not wanted */
};

static bool write_drawn(const struct predictor *p, struct picture *picture, const char *name, struct error *err)
{
    const struct detector *d = &p->detector;
    struct drawn_box boxes[DETECTOR_KEPT];
    for (int i = 0; i < d->count[0]; i++) {
        const struct detected *f = &d->found[i];
        boxes[i] = (struct drawn_box){ { f->box[0], f->box[1], f->box[2] - f->box[0], f->box[3] - f->box[1] },
                                       f->label, p->session.config.class_names.at[f->label], f->score };
    }
    return draw_boxes(picture->p, picture->width, picture->height, boxes, d->count[0], err)
        && image_write(picture, p->out, name, err);
}

static bool add_detection(cJSON *list, const struct predictor *p, const struct detected *f)
{
    const double x = f->box[0], y = f->box[1];
    cJSON *one = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, one)) {
        cJSON_Delete(one);
        return false;
    }
    const double bbox[4] = { x, y, f->box[2] - x, f->box[3] - y };
    cJSON *box = cJSON_CreateDoubleArray(bbox, 4);
    if (!cJSON_AddItemToObject(one, "bbox", box)) {
        cJSON_Delete(box);
        return false;
    }
    return cJSON_AddNumberToObject(one, "score", f->score)
        && cJSON_AddNumberToObject(one, "category_id", f->label + 1)
        && cJSON_AddStringToObject(one, "category_name", p->session.config.class_names.at[f->label]);
}

static bool add_json(const struct predictor *p, const struct picture *picture, const char *file, struct error *err)
{
    cJSON *one = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(p->json, one)) {
        cJSON_Delete(one);
        return fail(err, "out of memory for the detections");
    }
    bool ok = cJSON_AddStringToObject(one, "file", file) && cJSON_AddNumberToObject(one, "width", picture->width)
           && cJSON_AddNumberToObject(one, "height", picture->height);
    cJSON *list = cJSON_AddArrayToObject(one, "detections");
    for (int i = 0; ok && i < p->detector.count[0]; i++)
        ok = add_detection(list, p, &p->detector.found[i]);
    return (ok && list) || fail(err, "out of memory for the detections");
}

static void print_lines(const struct predictor *p, const char *file)
{
    for (int i = 0; i < p->detector.count[0]; i++) {
        const struct detected *f = &p->detector.found[i];
        printf("%s  %-16s %.3f  %8.1f %8.1f %8.1f %8.1f\n", file, p->session.config.class_names.at[f->label], f->score,
               f->box[0], f->box[1], f->box[2] - f->box[0], f->box[3] - f->box[1]);
    }
    fflush(stdout);
}

/* Draws into the picture. */
static bool predict(struct predictor *p, struct picture *picture, const char *file, struct error *err)
{
    struct error why = {0};
    if (!detector_look(&p->detector, picture, &why))
        return fail(err, "%s: %s", file, why.text);
    if (!p->out && !p->json)
        print_lines(p, file);
    return (!p->json || add_json(p, picture, file, err)) && (!p->out || write_drawn(p, picture, name_of(file), err));
}

static bool predict_files(struct predictor *p, const struct args *args, struct error *err)
{
    struct names files = {0};
    bool ok = images_list(args, &files, err) && (!p->out || images_differ(args, &files, p->out, err));
    for (int i = 0; ok && i < files.count; i++) {
        struct picture picture = {0};
        ok = picture_read(&picture, files.list[i], err) && predict(p, &picture, files.list[i], err);
        picture_free(&picture);
        if (ok)
            show_progress(i, i + 1, files.count);
    }
    names_free(&files);
    return ok;
}

/* A frame that cannot be decoded is passed over: a stream goes on. */
static bool predict_stream(struct predictor *p, struct error *err)
{
    struct mjpeg stream = {0};
    struct bytes frame;
    long seen = 0;
    bool ok = true;
    while (ok && (ok = mjpeg_next(&stream, stdin, &frame, err)) && frame.p) {
        char name[32];
        struct picture picture;
        snprintf(name, sizeof name, "%06ld.jpg", seen);
        if (picture_decode(&picture, frame.p, frame.size, name, NULL)) {
            ok = predict(p, &picture, name, err);
            seen++;
        } else
            stream.broken++;
        picture_free(&picture);
    }
    const long broken = stream.broken;
    mjpeg_free(&stream);
    if (!ok)
        return false;
    if (broken)
        fprintf(stderr, "standard input: frames passed over as broken: %ld\n", broken);
    return seen > 0 || fail(err, "standard input: not one JPEG frame in it");
}

static bool open_predictor(struct predictor *p, const struct args *args, struct error *err)
{
    struct session *s = &p->session;
    double score = 0;
    const bool ok = args_real(args, "score", 0.0001, 0.9999, &score, err) && session_open(s, args, err)
                 && session_load(s, args, err)
                 && detector_init(&p->detector, &s->model, s->model.params.value, args->threads, err)
                 && (!p->out || make_folders(p->out, err))
                 && (!p->json_file || (p->json = cJSON_CreateArray()) || fail(err, "out of memory for the detections"));
    p->detector.rules.score_thr = score;
    return ok;
}

bool predict_run(const struct args *args, struct error *err)
{
    struct predictor p = { .out = args_text(args, "out"), .json_file = args_text(args, "json") };
    const bool stream = args->rest_count == 2 && strcmp(args->rest[1], "-") == 0;
    bool ok = open_predictor(&p, args, err) && (stream ? predict_stream(&p, err) : predict_files(&p, args, err));
    if (ok && p.json)
        ok = write_json(p.json, p.json_file, err);
    else
        cJSON_Delete(p.json);
    detector_free(&p.detector);
    session_close(&p.session);
    return ok;
}
