#include "weights/transfer.h"

#include "base/memory.h"
#include "data/dataset.h"
#include "weights/file_config.h"
#include "weights/match.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const coco_names[] = {
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic_light",
    "fire_hydrant", "stop_sign", "parking_meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports_ball", "kite", "baseball_bat", "baseball_glove", "skateboard", "surfboard", "tennis_racket", "bottle",
    "wine_glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot_dog", "pizza", "donut", "cake", "chair", "couch", "potted_plant", "bed", "dining_table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell_phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy_bear", "hair_drier", "toothbrush" };
static const struct strings coco = { sizeof coco_names / sizeof *coco_names, coco_names };

/* ---- the file's classes ---- */

/* Rows of the distances of an output layer; -1 if the parameter is no output layer of the head. */
static int distance_rows(const struct model *m, const struct param *p, size_t rows)
{
    const size_t classes = (size_t)m->shape.num_classes, distances = 4 * ((size_t)m->shape.reg_max + 1);
    const bool output = strncmp(p->name, "head.", 5) == 0 && strstr(p->name, ".gfl_cls.");
    return !output ? -1 : rows == classes ? 0 : rows == classes + distances ? (int)distances : -1;
}

/* The number of classes of an output layer in the file; -1 if the tensor is no such layer or does not fit. */
static int classes_of(const struct model *m, const struct param *p, const struct tensor *t)
{
    size_t dims[4];
    const int rank = param_dims(p, dims), distances = rank > 0 ? distance_rows(m, p, dims[0]) : -1;
    bool fits = distances >= 0 && t->rank == rank && t->dims[0] > (size_t)distances && t->dims[0] < 1 << 20;
    for (int i = 1; fits && i < rank; i++)
        fits = t->dims[i] == dims[i];
    return fits ? (int)t->dims[0] - distances : -1;
}

/* ---- rows ---- */

/* *source[own class] becomes the file's class, or -1. */
static bool match_classes(const struct model *m, const struct strings *names, const char *path, int *source,
                          struct error *err)
{
    const char *const key = "schedule.transfer_classes";
    const struct strings *own = &m->config->class_names;
    const struct string_rows *given = &m->config->schedule.transfer_classes;
    for (int c = 0; c < m->shape.num_classes; c++)
        source[c] = c < own->count ? class_find(names->at, names->count, own->at[c]) : -1;
    for (int i = 0; i < given->count; i++) {
        const struct strings *pair = &given->at[i];
        if (pair->count != 2)
            return misuse(err, "%s: item %d is not a pair of names", config_place(m->config, key).s, i + 1);
        const int to = class_find(own->at, own->count, pair->at[0]);
        const int from = class_find(names->at, names->count, pair->at[1]);
        if (to < 0)
            return misuse(err, "%s: '%s' is not one of class_names", config_place(m->config, key).s, pair->at[0]);
        if (from < 0)
            return misuse(err, "%s: '%s' is not a class of %s", config_place(m->config, key).s, pair->at[1], path);
        source[to] = from;
    }
    return true;
}

static bool transfer_layer(const struct param *p, const int *source, int classes, int file_classes, struct tensors *t,
                           struct tensor *layer, const real *array, struct error *err)
{
    const size_t rows = layer->dims[0], row = tensor_count(layer) / rows;
    const size_t distances = rows - (size_t)file_classes;
    float *from = tensors_block(t, tensor_count(layer), sizeof *from, err);
    float *to = from ? tensors_block(t, (size_t)p->count, sizeof *to, err) : NULL;
    if (!to)
        return false;
    tensor_floats(layer, from);
    param_to_file(p, array, to);
    for (int c = 0; c < classes; c++)
        if (source[c] >= 0)
            memcpy(to + (size_t)c * row, from + (size_t)source[c] * row, row * sizeof *to);
    memcpy(to + (size_t)classes * row, from + (size_t)file_classes * row, distances * row * sizeof *to);
    layer->dims[0] = (size_t)classes + distances;
    layer->data = (const unsigned char *)to;
    layer->dtype = DTYPE_F32;
    return true;
}

static bool note_transfer(const struct model *m, const int *source, int file_classes, const char *path,
                          struct string_list *notes, struct error *err)
{
    struct strbuf line = {0};
    int matched = 0;
    for (int c = 0; c < m->shape.num_classes; c++)
        matched += source[c] >= 0;
    strbuf_addf(&line, "%s: the head has %d classes, the file has %d: distances and %d classes are loaded", path,
                m->shape.num_classes, file_classes, matched);
    const bool ok = strbuf_check(&line, err) && string_list_add(notes, line.s, err);
    strbuf_free(&line);
    return ok;
}

static bool transfer_layers(struct model *m, struct tensors *t, const struct strings *names, const char *path,
                            const real *array, struct string_list *notes, struct error *err)
{
    const int classes = m->shape.num_classes;
    int *source = new_array((size_t)classes, sizeof *source, err), file_classes = 0;
    bool ok = source && match_classes(m, names, path, source, err);
    for (int i = 0; ok && i < t->count; i++) {
        const int index = params_find(&m->params, t->list[i].name);
        const int count = index >= 0 ? classes_of(m, &m->params.list[index], &t->list[i]) : -1;
        if (count < 0 || (names->count ? count != names->count : count == classes))
            continue;                       /* not an output layer; or the names are unknown, and all rows fit */
        ok = transfer_layer(&m->params.list[index], source, classes, count, t, &t->list[i], array, err);
        file_classes = count;
    }
    ok = ok && (file_classes == 0 || note_transfer(m, source, file_classes, path, notes, err));
    free(source);
    return ok;
}

static bool has_rows_of_coco(const struct model *m, const struct tensors *t)
{
    bool found = false;
    for (int i = 0; !found && i < t->count; i++) {
        const int index = params_find(&m->params, t->list[i].name);
        found = index >= 0 && classes_of(m, &m->params.list[index], &t->list[i]) == coco.count;
    }
    return found;
}

bool transfer_head(struct model *m, struct tensors *t, const char *path, const real *array, struct string_list *notes,
                   struct error *err)
{
    struct config described = { .network_only = true };
    struct error unused;
    const struct strings none = {0};
    const struct strings names = file_config_parse(&described, t, path, NULL, 0, &unused) ? described.class_names
                               : has_rows_of_coco(m, t) ? coco : none;
    const bool ok = transfer_layers(m, t, &names, path, array, notes, err);
    config_free(&described);
    return ok;
}

/* ---- networks without names ---- */

bool match_other_classes(struct model *m, struct network *network, const char *path, struct tensors *t,
                         struct error *err)
{
    struct config config = { .network_only = true, .detects_only = true };
    struct model twin = {0};                /* the model with the network's number of classes */
    struct strbuf description = {0};
    char head[80], aux_head[80];
    const char *const overrides[] = { head, aux_head };
    snprintf(head, sizeof head, "model.arch.head.num_classes=%d", network->classes);
    snprintf(aux_head, sizeof aux_head, "model.arch.aux_head.num_classes=%d", network->classes);
    const bool ok = config_write_detector_keys(m->config, &description, err)
                 && config_parse(&config, description.s, description.size, path, overrides, m->aux_head ? 2 : 1, err)
                 && model_open(&twin, &config, err)
                 && match_weights_by_structure(&twin, network, path, t, err);
    model_free(&twin);
    config_free(&config);
    strbuf_free(&description);
    return ok;
}
