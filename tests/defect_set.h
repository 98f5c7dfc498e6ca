/* tests/defect_set.h -- a small data set in each format, and edits that put a defect into it.
 *
 * Images 1 to 4 are for training, 5 to 8 for validation; each is 80 x 60 and has a cat and a dog (VisDrone: a car and a
 * van).  They are set/train/images/1.jpg and so on, annotations are in set/train/annotations. */
#ifndef TESTS_DEFECT_SET_H
#define TESTS_DEFECT_SET_H
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "put.h"
#include <math.h>
#include <png.h>

enum { IMAGES = 8, TRAINED = 4, SET_WIDTH = 80, SET_HEIGHT = 60, FORMATS = 5 };
static const char *const set_names[2] = { "train", "val" };

struct object { char class[40]; double box[4]; };
struct scene { struct object objects[3]; int count; char units[16]; };      /* units: "" or of the verb units */

static struct defect_set {
    enum dataset_format format;
    struct scene scenes[IMAGES + 1];            /* of image 1, 2, ... */
    char overrides[4][400];                     /* KEY=VALUE of the verb set */
    int override_count;
} made;

/* ---- formats ---- */

static void coco_object(struct strbuf *t, int id, int image, const char *class, const double *v)
{
    const char *category = strcmp(class, "cat") == 0 ? "1" : strcmp(class, "dog") == 0 ? "2" : class;
    strbuf_addf(t, "%s\n{\"id\": %d, \"image_id\": %d, \"category_id\": %s, \"bbox\": [%.9g, %.9g, %.9g, %.9g]}",
                id > 1 ? "," : "", id, image, category, v[0], v[1], v[2], v[3]);
}

static void voc_object(struct strbuf *t, int id, int image, const char *class, const double *v)
{
    (void)id, (void)image;
    strbuf_addf(t, "<object><name>%s</name><bndbox><xmin>%.9g</xmin><ymin>%.9g</ymin><xmax>%.9g</xmax><ymax>%.9g</ymax>"
                "</bndbox></object>\n", class, v[0], v[1], v[2], v[3]);
}

static void yolo_object(struct strbuf *t, int id, int image, const char *class, const double *v)
{
    (void)id, (void)image;
    strbuf_addf(t, "%s %.9g %.9g %.9g %.9g\n", class, v[0], v[1], v[2], v[3]);
}

static void visdrone_object(struct strbuf *t, int id, int image, const char *class, const double *v)
{
    (void)id, (void)image;
    strbuf_addf(t, "%.9g,%.9g,%.9g,%.9g,1,%s,0,0\n", v[0], v[1], v[2], v[3], class);
}

static void labelme_object(struct strbuf *t, int id, int image, const char *class, const double *v)
{
    (void)id, (void)image;
    strbuf_addf(t, "%s\n{\"label\": \"%s\", \"points\": [[%.9g, %.9g], [%.9g, %.9g]], \"shape_type\": \"rectangle\"}",
                ends_with(t->s, "[") ? "" : ",", class, v[0], v[1], v[2], v[3]);
}

static const struct format {
    const char *name, *dataset, *suffix, *classes[2], *class_names;
    void (*add)(struct strbuf *, int id, int image, const char *class, const double *v);
} formats[FORMATS] = {
    [DATASET_COCO] = { "coco", "CocoDataset", NULL, { "cat", "dog" }, "cat, dog", coco_object },
    [DATASET_XML]  = { "voc", "XMLDataset", ".xml", { "cat", "dog" }, "cat, dog", voc_object },
    [DATASET_YOLO] = { "yolo", "YoloDataset", ".txt", { "0", "1" }, "cat, dog", yolo_object },
    [DATASET_VISDRONE] = { "visdrone", "VisDroneDataset", ".txt", { "4", "5" },
        "pedestrian, people, bicycle, car, van, truck, tricycle, awning-tricycle, bus, motor", visdrone_object },
    [DATASET_LABELME] = { "labelme", "LabelMeDataset", ".json", { "cat", "dog" }, "cat, dog", labelme_object } };

static const struct format *set_format(void) { return &formats[made.format]; }

/* The path below the test's folder of "train/1.jpg", "train/1.ann" or another file of the set. */
static const char *set_path(const char *file)
{
    static char paths[4][200];
    static int next;
    char *path = paths[next++ % 4];
    const char *slash = strchr(file, '/'), *suffix = set_format()->suffix;
    const int n = slash ? (int)(slash - file) : 0, stem = slash ? path_stem_length(slash + 1) : 0;
    if (!slash || strchr(slash + 1, '/'))
        snprintf(path, sizeof *paths, "set/%s", file);
    else if (!ends_with(file, ".ann"))
        snprintf(path, sizeof *paths, "set/%.*s/images%s", n, file, slash);
    else if (suffix)
        snprintf(path, sizeof *paths, "set/%.*s/annotations/%.*s%s", n, file, stem, slash + 1, suffix);
    else
        snprintf(path, sizeof *paths, "set/%.*s/annotations/ann.json", n, file);
    return path;
}

/* ---- writing ---- */

/* The numbers of a box as the format has them, or as the units say: pixels, fractions, corners. */
static void box_numbers(const struct scene *scene, const double box[4], double out[4])
{
    const bool yolo = made.format == DATASET_YOLO, corners = strcmp(scene->units, "corners") == 0;
    const bool two_corners = corners || made.format == DATASET_XML || made.format == DATASET_LABELME;
    const bool fractions = yolo ? strcmp(scene->units, "pixels") != 0 : strcmp(scene->units, "fractions") == 0;
    for (int axis = 0; axis < 2; axis++) {
        const double low = box[axis], size = box[axis + 2];
        const double side = !fractions ? 1 : axis ? SET_HEIGHT : SET_WIDTH;
        out[axis] = (yolo && !corners ? low + size / 2 : low) / side;
        out[axis + 2] = (two_corners ? low + size : size) / side;
    }
}

static void add_objects(struct strbuf *t, int image, int *id)
{
    const struct scene *scene = &made.scenes[image];
    for (int k = 0; k < scene->count; k++) {
        double v[4];
        box_numbers(scene, scene->objects[k].box, v);
        set_format()->add(t, ++*id, image, scene->objects[k].class, v);
    }
}

static void put_text(const char *file, struct strbuf *t)
{
    assert_true(strbuf_check(t, NULL));
    put_bytes(set_path(file), t->s ? t->s : "", t->size);
    strbuf_free(t);
}

static void write_coco(int first)
{
    struct strbuf t = {0};
    int id = 0;
    strbuf_addf(&t, "{\"images\": [");
    for (int i = first; i < first + TRAINED; i++)
        strbuf_addf(&t, "%s\n{\"id\": %d, \"file_name\": \"%d.jpg\", \"width\": %d, \"height\": %d}",
                    i > first ? "," : "", i, i, SET_WIDTH, SET_HEIGHT);
    strbuf_addf(&t, "\n],\n\"categories\": [{\"id\": 1, \"name\": \"cat\"}, {\"id\": 2, \"name\": \"dog\"}],\n"
                "\"annotations\": [");
    for (int i = first; i < first + TRAINED; i++)
        add_objects(&t, i, &id);
    strbuf_addf(&t, "\n]}\n");
    put_text(first == 1 ? "train/1.ann" : "val/1.ann", &t);
}

static void write_folder(int image)
{
    const bool voc = made.format == DATASET_XML, labelme = made.format == DATASET_LABELME;
    struct strbuf t = {0};
    char file[40];
    int id = 0;
    if (voc)
        strbuf_addf(&t, "<annotation><filename>%d.jpg</filename><size><width>%d</width><height>%d</height></size>\n",
                    image, SET_WIDTH, SET_HEIGHT);
    if (labelme)
        strbuf_addf(&t, "{\"flags\": {}, \"imagePath\": \"../images/%d.jpg\", \"imageData\": \"/9j/4AA=\",\n"
                    "\"imageHeight\": %d, \"imageWidth\": %d, \"shapes\": [", image, SET_HEIGHT, SET_WIDTH);
    add_objects(&t, image, &id);
    strbuf_addf(&t, "%s", voc ? "</annotation>\n" : labelme ? "]}\n" : "");
    snprintf(file, sizeof file, "%s/%d.ann", set_names[image > TRAINED], image);
    put_text(file, &t);
}

/* Objects are bright: cats and dogs of two colours, on a ground that differs from image to image. */
static void paint(struct image *p, int image)
{
    static const unsigned char colours[2][3] = { { 20, 90, 240 }, { 240, 200, 30 } };
    memset(p->p, 20 + 10 * image, 3 * (size_t)p->width * (size_t)p->height);
    for (int k = 0; k < 2; k++)
        for (int y = 8 + 24 * k; y < 28 + 24 * k; y++)
            for (int x = 10 + 20 * k; x < 40 + 20 * k; x++)
                memcpy(p->p + 3 * (y * p->width + x), colours[k], 3);
}

static void write_image(int image)
{
    static struct bytes jpegs[IMAGES + 1];
    struct image p;
    char file[40];
    if (!jpegs[image].p) {
        assert_true(image_new(&p, SET_WIDTH, SET_HEIGHT, NULL));
        paint(&p, image);
        assert_true(image_encode_jpeg(&p, 90, &jpegs[image], NULL));
        image_free(&p);
    }
    snprintf(file, sizeof file, "%s/%d.jpg", set_names[image > TRAINED], image);
    put_bytes(set_path(file), jpegs[image].p, jpegs[image].size);
}

static void write_set(void)
{
    for (int i = 1; i <= IMAGES; i++) {
        write_image(i);
        if (made.format != DATASET_COCO)
            write_folder(i);
        else if (i % TRAINED == 1)
            write_coco(i);
    }
    put("set/classes.txt", made.format == DATASET_VISDRONE ? "car\nvan\n" : "cat\ndog\n");
}

/* ---- edits of scenes, before they are written ---- */

/* Returns true if "train/1", "train/" or "all" selects image i. */
static bool selected(const char *selection, int i)
{
    const char *set = set_names[i > TRAINED], *number = strchr(selection, '/');
    return !number || (starts_with(selection, set) && (!number[1] || atoi(number + 1) == i));
}

static void edit_box(struct scene *scene, const char *rest)
{
    double *box = scene->objects[0].box;
    assert_int_equal(sscanf(rest, "%lf %lf %lf %lf", &box[0], &box[1], &box[2], &box[3]), 4);
}

static void edit_boxes(struct scene *scene, const char *rest)
{
    edit_box(scene, rest);
    memcpy(scene->objects[1].box, scene->objects[0].box, sizeof scene->objects[0].box);
}

static void edit_class(struct scene *scene, const char *rest)
{
    snprintf(scene->objects[0].class, sizeof scene->objects[0].class, "%s", rest);
}

static void edit_clear(struct scene *scene, const char *rest)
{
    (void)rest;
    scene->count = 0;
}

static void edit_again(struct scene *scene, const char *rest)
{
    (void)rest;
    scene->objects[scene->count++] = scene->objects[0];
}

static void edit_units(struct scene *scene, const char *rest)
{
    snprintf(scene->units, sizeof scene->units, "%s", rest);
}

/* ---- edits of files ---- */

static struct bytes contents(const char *file)
{
    struct bytes b = {0};
    if (!file_read(&b, in_folder(set_path(file)), NULL))
        fail_msg("%s cannot be read", file);
    return b;
}

static void edit_remove(const char *file, const char *rest)
{
    (void)rest;
    assert_int_equal(remove(in_folder(set_path(file))), 0);
}

static void edit_write(const char *file, const char *rest)
{
    put(set_path(file), rest);
}

static void edit_append(const char *file, const char *rest)
{
    struct bytes b = contents(file);
    struct strbuf t = {0};
    strbuf_addf(&t, "%s%s", (char *)b.p, rest);
    put_text(file, &t);
    bytes_free(&b);
}

/* "A => B": all of A become B. */
static void edit_replace(const char *file, const char *rest)
{
    const char *arrow = strstr(rest, " => ");
    struct bytes b = contents(file);
    struct strbuf t = {0};
    const char *p = (char *)b.p;
    char from[200];
    assert_non_null(arrow);
    snprintf(from, sizeof from, "%.*s", (int)(arrow - rest), rest);
    if (!strstr(p, from))
        fail_msg("%s has no '%s'", file, from);
    for (const char *next; (next = strstr(p, from)); p = next + strlen(from))
        strbuf_addf(&t, "%.*s%s", (int)(next - p), p, arrow + 4);
    strbuf_addf(&t, "%s", p);
    put_text(file, &t);
    bytes_free(&b);
}

/* Keeps that many per cent. */
static void edit_cut(const char *file, const char *rest)
{
    struct bytes b = contents(file);
    put_bytes(set_path(file), b.p, b.size * (size_t)atoi(rest) / 100);
    bytes_free(&b);
}

static void edit_copy(const char *file, const char *rest)
{
    struct bytes b = contents(file);
    put_bytes(set_path(rest), b.p, b.size);
    bytes_free(&b);
}

static void edit_move(const char *file, const char *rest)
{
    edit_copy(file, rest);
    edit_remove(file, NULL);
}

/* Into UTF-8 with a mark, UTF-16, lines that end in CR LF or CR, Latin-1. */
static void edit_encode(const char *file, const char *rest)
{
    const bool crlf = strcmp(rest, "crlf") == 0, cr = strcmp(rest, "cr") == 0, latin1 = strcmp(rest, "latin1") == 0;
    const bool wide = strcmp(rest, "utf16") == 0;
    struct bytes b = contents(file);
    struct strbuf t = {0};
    if (wide || strcmp(rest, "bom") == 0)
        strbuf_addf(&t, "%s", wide ? "\xff\xfe" : "\xef\xbb\xbf");
    for (const unsigned char *p = b.p; *p; p++) {
        const char two[2] = { (char)*p, 0 };
        if (*p == '\n' && (crlf || cr))
            strbuf_addf(&t, "%s", crlf ? "\r\n" : "\r");
        else if (latin1 && *p == 0xc3)
            strbuf_addf(&t, "%c", *++p | 0x40);
        else
            strbuf_add(&t, two, wide ? 2 : 1);
    }
    put_text(file, &t);
    bytes_free(&b);
}

/* The image as PNG with 16 bits, with alpha, or with an Exif orientation behind its pixels: a quarter turn. */
static void edit_png(const char *file, const char *rest)
{
    static const unsigned char tail[] = "\0\0\0\x1a" "eXIfMM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
                                        "\0\0\0\0\xd6\x67\x4b\x69\0\0\0\0IEND\xae\x42\x60\x82";
    static unsigned char pixels[8 * SET_WIDTH * SET_HEIGHT];
    png_image image = { .version = PNG_IMAGE_VERSION, .width = SET_WIDTH, .height = SET_HEIGHT,
                        .format = strcmp(rest, "16") == 0 ? PNG_FORMAT_LINEAR_RGB_ALPHA : PNG_FORMAT_RGBA };
    memset(pixels, 90, sizeof pixels);
    assert_true(png_image_write_to_file(&image, in_folder(set_path(file)), 0, pixels, 0, NULL));
    struct bytes b = contents(file);
    struct strbuf t = {0};
    const bool late = strcmp(rest, "late") == 0;
    strbuf_add(&t, b.p, b.size - (late ? 12 : 0));
    if (late)
        strbuf_add(&t, tail, sizeof tail - 1);
    put_text(file, &t);
    bytes_free(&b);
}

/* An image of that width and height. */
static void edit_size(const char *file, const char *rest)
{
    int width, height;
    assert_int_equal(sscanf(rest, "%d %d", &width, &height), 2);
    put_image(set_path(file), width, height);
}

/* KEY=VALUE of the configuration; @ is the folder of the set. */
static void edit_set(const char *key_value, const char *rest)
{
    struct strbuf t = {0};
    (void)rest;
    for (; *key_value; key_value++)
        strbuf_addf(&t, *key_value == '@' ? "%s" : "%.1s", *key_value == '@' ? in_folder("set") : key_value);
    snprintf(made.overrides[made.override_count++], sizeof *made.overrides, "%s", t.s);
    strbuf_free(&t);
}

/* ---- steps ---- */

static const struct verb {
    const char *name;
    void (*scene)(struct scene *, const char *rest);
    void (*file)(const char *file, const char *rest);
} verbs[] = {
    { "box",    edit_box,    NULL },            /* box train/1 X Y WIDTH HEIGHT: the first object's */
    { "boxes",  edit_boxes,  NULL },            /* of all objects */
    { "class",  edit_class,  NULL },            /* class train/1 NAME: the first object's */
    { "clear",  edit_clear,  NULL },            /* clear train/: no object */
    { "again",  edit_again,  NULL },            /* again train/1: the first object twice */
    { "units",  edit_units,  NULL },            /* units train/ pixels, fractions or corners */
    { "remove", NULL, edit_remove }, { "write", NULL, edit_write }, { "append", NULL, edit_append },
    { "replace", NULL, edit_replace }, { "cut", NULL, edit_cut }, { "copy", NULL, edit_copy },
    { "move",   NULL, edit_move }, { "encode", NULL, edit_encode }, { "png", NULL, edit_png },
    { "size",   NULL, edit_size }, { "set", NULL, edit_set } };

static void apply_verb(const struct verb *verb, const char *where, const char *rest)
{
    const char *star = strchr(where, '*');
    char file[400];
    if (verb->scene)
        for (int i = 1; i <= IMAGES; i++)
            if (selected(where, i))
                verb->scene(&made.scenes[i], rest);
    if (verb->file && (!star || (made.format == DATASET_COCO && ends_with(where, ".ann"))))
        verb->file(where, rest);
    else if (verb->file)
        for (int i = 1; i <= IMAGES; i++)
            if (starts_with(where, set_names[i > TRAINED])) {
                snprintf(file, sizeof file, "%.*s%d%s", (int)(star - where), where, i, star + 1);
                verb->file(file, rest);
            }
}

/* Applies a step if it edits scenes, or if it edits files. */
static void apply_step(const char *step, bool scenes)
{
    char verb[16], where[400];
    int n = 0;
    assert_true(sscanf(step, "%15s%n", verb, &n) == 1);
    const char *rest = step + n + (step[n] == ' ');
    const size_t size = strcspn(rest, " ");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, verb) == 0) {
            const bool whole = verbs[i].file == edit_set;
            snprintf(where, sizeof where, "%.*s", whole ? (int)strlen(rest) : (int)size, rest);
            if (!!verbs[i].scene == scenes)
                apply_verb(&verbs[i], where, whole ? "" : rest + size + (rest[size] == ' '));
            return;
        }
    fail_msg("no verb '%s'", verb);
}

/* Writes the set with the steps, up to a NULL, applied. */
static void make_set(enum dataset_format format, const char *const *steps)
{
    remove_all(in_folder("set"));
    made = (struct defect_set){ .format = format };
    for (int i = 1; i <= IMAGES; i++) {
        struct scene *scene = &made.scenes[i];
        *scene = (struct scene){ .objects = { { "", { 8 + i, 6, 40, 30 } }, { "", { 30, 24 + i, 32, 24 } } },
                                 .count = 2 };
        for (int k = 0; k < 2; k++)
            strcpy(scene->objects[k].class, set_format()->classes[k]);
    }
    for (const char *const *step = steps; *step; step++)
        apply_step(*step, true);
    write_set();
    for (const char *const *step = steps; *step; step++)
        apply_step(*step, false);
}
#endif
