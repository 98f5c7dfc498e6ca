#include "synth/synth.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include <stdio.h>
#include <stdlib.h>

enum { QUALITY = 92 };

/* A scene's share of the work: writes its own file and its own rows of the annotations. */
struct sheet { struct synth_object *objects; int count; struct error err; };
struct synth_job { const struct synth_config *config; const char *folder; struct sheet *sheets; };

static const char *set_name(const struct synth_config *c, int index)
{
    return index < c->images ? "train" : "val";
}

static void write_one(const void *job, int index)
{
    const struct synth_job *k = job;
    struct sheet *sheet = &k->sheets[index];
    struct synth_scene scene = {0};
    struct strbuf path = {0};
    strbuf_addf(&path, "%s/images/%s/%06d.jpg", k->folder, set_name(k->config, index), index);
    if (strbuf_check(&path, &sheet->err) && synth_draw(&scene, k->config, index, &sheet->err)
        && image_write_jpeg(&scene.image, QUALITY, path.s, &sheet->err)) {
        sheet->objects = scene.objects;
        sheet->count = scene.count;
        scene.objects = NULL;
    }
    synth_free(&scene);
    strbuf_free(&path);
}

/* COCO: images, annotations numbered from 1, categories. */
static bool write_json(const struct synth_job *k, int first, int count, struct error *err)
{
    const struct synth_config *c = k->config;
    struct strbuf json = {0}, path = {0};
    int id = 0;
    strbuf_addf(&json, "{\"images\":[");
    for (int i = first; i < first + count; i++)
        strbuf_addf(&json, "%s\n{\"id\":%d,\"file_name\":\"%06d.jpg\",\"width\":%d,\"height\":%d}",
                    i > first ? "," : "", i, i, c->width, c->height);
    strbuf_addf(&json, "],\n\"annotations\":[");
    for (int i = first; i < first + count; i++)
        for (int j = 0; j < k->sheets[i].count; j++) {
            const struct synth_object *o = &k->sheets[i].objects[j];
            strbuf_addf(&json, "%s\n{\"id\":%d,\"image_id\":%d,\"category_id\":%d,\"bbox\":[%.2f,%.2f,%.2f,%.2f],"
                        "\"area\":%.2f,\"iscrowd\":%d,\"ignore\":%d}", id ? "," : "", id + 1, i, o->category, o->box[0],
                        o->box[1], o->box[2], o->box[3], o->box[2] * o->box[3], o->ignore, o->ignore);
            id++;
        }
    strbuf_addf(&json, "],\n\"categories\":[");
    for (int i = 1; i <= SYNTH_CATEGORIES; i++)
        strbuf_addf(&json, "%s\n{\"id\":%d,\"name\":\"%s\"}", i > 1 ? "," : "", i, synth_category(i));
    strbuf_addf(&json, "]}\n");
    strbuf_addf(&path, "%s/%s.json", k->folder, set_name(c, first));
    const bool ok = strbuf_check(&json, err) && strbuf_check(&path, err) && file_write(path.s, json.s, json.size, err);
    strbuf_free(&json);
    strbuf_free(&path);
    return ok;
}

static bool make_folder_of(const char *folder, const char *name, struct error *err)
{
    char *path = path_join(folder, name, err);
    const bool ok = path && make_folders(path, err);
    free(path);
    return ok;
}

bool synth_write(const struct synth_config *c, const char *folder, const struct team *team, struct error *err)
{
    const int count = c->images + c->val_images;
    struct synth_job job = { c, folder, new_array((size_t)count, sizeof *job.sheets, err) };
    bool ok = job.sheets && make_folder_of(folder, "images/train", err) && make_folder_of(folder, "images/val", err);
    if (ok)
        team_for(team, count, write_one, &job);
    for (int i = 0; ok && i < count; i++)
        if (job.sheets[i].err.exit)
            ok = fail(err, "%s", job.sheets[i].err.text);
    ok = ok && write_json(&job, 0, c->images, err)
            && (c->val_images == 0 || write_json(&job, c->images, c->val_images, err));
    for (int i = 0; job.sheets && i < count; i++)
        free(job.sheets[i].objects);
    free(job.sheets);
    return ok;
}
