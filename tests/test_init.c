/* tests/test_init.c -- `nanodet init` on folders as tools leave them: its configuration needs no advice and trains. */
#include "base/strbuf.h"
#include "data/dataset_read.h"
#include "data/discover.h"
#include "data/image.h"
#include "data/split.h"
#include "put.h"
#include "typed.h"
#include <strings.h>

/* ---- sets ---- */

#define YOLO "0 .5 .5 .4 .4\r\n1 .3 .4 .2 .3\r\n"
#define VISDRONE "4,4,20,20,1,4,0,0\r\n9,9,12,22,1,1,0,0,\r\n0,0,9,9,0,0,0,0\r\n"
#define VOC "<annotation><size><width>64</width><height>48</height></size>" \
            "<object><name>red cat</name><bndbox><xmin>4</xmin><ymin>4</ymin><xmax>30</xmax><ymax>30</ymax></bndbox>" \
            "</object><object><name>dog</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>40</xmax><ymax>40</ymax>" \
            "</bndbox></object></annotation>"
#define LABELME "{\"shapes\": [{\"label\": \"cat\", \"shape_type\": \"rectangle\", \"points\": [[4, 4], [30, 30]]}, " \
                "{\"label\": \"dog\", \"points\": [[9, 9], [30, 12], [40, 40]]}], \"imagePath\": \"\"}"

#define CATEGORIES "\"categories\": [{\"id\": 0, \"name\": \"root\"}, {\"id\": 7, \"name\": \"cat\"}, " \
                   "{\"id\": 9, \"name\": \"dog\"}]"
#define IMAGE(n) "{\"id\": " #n ", \"file_name\": \"" #n ".jpg\"}"
#define FOUR(a, b, c, d) IMAGE(a) ", " IMAGE(b) ", " IMAGE(c) ", " IMAGE(d)
#define BOX(image, category) "{\"image_id\": " #image ", \"category_id\": " #category ", \"bbox\": [4, 4, 30, 30]}"
#define TWO(a, b) BOX(a, 7) ", " BOX(b, 9)
#define COCO(images, boxes) "{" CATEGORIES ", \"images\": [" images "], \"annotations\": [" boxes "]}"
#define IMAGES8 FOUR(1, 2, 3, 4) ", " FOUR(5, 6, 7, 8)
#define COCO4 COCO(FOUR(1, 2, 3, 4), TWO(1, 2))
#define COCO8 COCO(IMAGES8, TWO(1, 2) ", " TWO(3, 8))
#define COCO20 COCO(IMAGES8 ", " FOUR(9, 10, 11, 12) ", " FOUR(13, 14, 15, 16) ", " FOUR(17, 18, 19, 20), \
                    TWO(1, 2) ", " TWO(5, 6) ", " TWO(9, 10) ", " TWO(13, 14) ", " TWO(17, 18))
#define CAPTIONS "{\"images\": [" FOUR(1, 2, 3, 4) "], \"annotations\": [{\"image_id\": 1, \"caption\": \"x\"}]}"

/* Images first .. first + count - 1 with a file of annotations each, if boxes is not NULL.  Patterns have a %d. */
struct files { const char *image, *boxes, *text; int first, count; };

static const struct init_case {
    const char *name;
    struct files files[3];
    const char *more[4][2];             /* name, content; content NULL: an image */
    const char *format, *classes;       /* in the configuration */
    int train, val;                     /* images; 0, 0: 20 are divided */
    bool trains;                        /* tested with a training: one case of each format */
} cases[] = {
    { "yolo with data.yaml that has absolute paths",
      { { "images/train/a %d.JPG", "labels/train/a %d.txt", YOLO, 0, 9 },
        { "images/val/b_%d.jpg", "labels/val/b_%d.txt", YOLO, 0, 3 } },
      { { "data.yaml", "train: /content/gone/images/train\r\nval: /content/gone/images/val\r\n"
                       "names: {0: cat, 1: 'stop: sign'}\r\nnc: 2\r\n" },
        { "images/train/without.jpg", NULL }, { "images/train/empty.jpg", NULL }, { "labels/train/empty.txt", "" } },
      "YoloDataset", "[cat, \"stop: sign\"]", 11, 3, true },
    { "roboflow",
      { { "train/images/a%d_jpg.rf.0f.jpg", "train/labels/a%d_jpg.rf.0f.txt", YOLO, 0, 8 },
        { "valid/images/b%d.jpg", "valid/labels/b%d.txt", YOLO, 0, 4 },
        { "test/images/c%d.jpg", "test/labels/c%d.txt", YOLO, 0, 2 } },
      { { "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['a', 'b']" },
        { "README.roboflow.txt", "train 1 2\n" } },
      "YoloDataset", "[a, b]", 8, 4, false },
    { "yolo with parts of its own names",
      { { "images/first/%d.jpg", "labels/first/%d.txt", YOLO, 0, 8 },
        { "images/second/b%d.jpg", "labels/second/b%d.txt", YOLO, 0, 4 } },
      { { "dataset.yaml", "path: ../set\ntrain: images/first\nval: images/second\nnames: [a, b]" } },
      "YoloDataset", "[a, b]", 8, 4, false },
    { "yolo in one folder, without names", { { "%d.png", "%d.txt", YOLO, 1, 20 } }, { { NULL } },
      "YoloDataset", "[class_0, class_1]", 0, 0, false },
    { "darknet", { { "obj_train_data/f%d.jpg", "obj_train_data/f%d.txt", YOLO, 1, 20 } },
      { { "obj.names", "cat\r\ndog\r\n" }, { "train.txt", "data/obj_train_data/f1.jpg\n" } },
      "YoloDataset", "[cat, dog]", 0, 0, false },
    { "yolo with lists", { { "images/%d.jpg", "labels/%d.txt", YOLO, 1, 12 } },
      { { "classes.txt", "cat\ndog\n" }, { "train.txt", "./images/1.jpg\n./images/2.jpg\n./images/3.jpg\n"
          "./images/4.jpg\n" }, { "val.txt", "images/5.jpg\nimages/6.jpg\n" } },
      "YoloDataset", "[cat, dog]", 4, 2, false },
    { "voc", { { "JPEGImages/%d.jpg", "Annotations/%d.xml", VOC, 1, 20 } }, { { "JPEGImages/other.jpg", NULL } },
      "XMLDataset", "[dog, \"red cat\"]", 0, 0, true },
    { "voc with image sets", { { "JPEGImages/%d.jpg", "Annotations/%d.xml", VOC, 1, 20 } },
      { { "ImageSets/Main/train.txt", "1\n2\n3\n4\n5\n" }, { "ImageSets/Main/val.txt", "6\r\n7\r\n" } },
      "XMLDataset", "[dog, \"red cat\"]", 5, 2, false },
    { "voc in folders of parts", { { "train/%d.jpg", "train/%d.xml", VOC, 1, 8 }, { "test/%d.jpg", "test/%d.xml", VOC,
      9, 3 } }, { { NULL } }, "XMLDataset", "[dog, \"red cat\"]", 8, 3, false },
    { "labelme", { { "%d.jpg", "%d.json", LABELME, 1, 20 } }, { { NULL } }, "LabelMeDataset",
      "[cat, dog]", 0, 0, true },
    { "visdrone", { { "VisDrone2019-DET-train/images/%d_1_d_7.jpg", "VisDrone2019-DET-train/annotations/%d_1_d_7.txt",
      VISDRONE, 1, 8 }, { "VisDrone2019-DET-val/images/%d_1.jpg", "VisDrone2019-DET-val/annotations/%d_1.txt", VISDRONE,
      1, 4 } }, { { NULL } }, "VisDroneDataset",
      "[pedestrian, people, bicycle, car, van, truck, tricycle, awning-tricycle, bus, motor]", 8, 4, true },
    { "visdrone, one set", { { "images/%d.jpg", "annotations/%d.txt", VISDRONE, 1, 20 } }, { { NULL } },
      "VisDroneDataset", "[pedestrian, people, bicycle, car, van, truck, tricycle, awning-tricycle, bus, motor]", 0,
      0, false },
    { "coco as nanodet synth has it", { { "images/train/%d.jpg", NULL, NULL, 1, 8 }, { "images/val/%d.jpg", NULL, NULL,
      1, 4 } }, { { "train.json", COCO8 }, { "val.json", COCO4 }, { "captions_train.json", CAPTIONS } }, "CocoDataset",
      "[cat, dog]", 8, 4, true },
    { "coco, one file", { { "%d.jpg", NULL, NULL, 1, 20 } }, { { "annotations.json", COCO20 } }, "CocoDataset",
      "[cat, dog]", 0, 0, false },
};

/* Images of different parts differ in width, so that none is in both. */
static void put_files(const char *root, const struct files *f, int width)
{
    char pattern[300], name[300];
    for (int i = f->first; i < f->first + f->count; i++)
        for (int k = 0; k < (f->boxes ? 2 : 1); k++) {
            snprintf(pattern, sizeof pattern, "%s/%s", root, k ? f->boxes : f->image);
            char *number = strstr(pattern, "%d");
            snprintf(name, sizeof name, "%.*s%d%s", (int)(number - pattern), pattern, i, number + 2);
            if (k)
                put(name, f->text);
            else
                put_image(name, width, 48);
        }
}

static void put_case(const struct init_case *c, const char *root)
{
    char name[300];
    for (int i = 0; i < 3 && c->files[i].image; i++)
        put_files(root, &c->files[i], 64 + i);
    for (int i = 0; i < 4 && c->more[i][0]; i++) {
        snprintf(name, sizeof name, "%s/%s", root, c->more[i][0]);
        if (c->more[i][1])
            put(name, c->more[i][1]);
        else
            put_image(name, 64, 48);
    }
}

/* ---- reading what was written ---- */

static void assert_contains(const char *file, const char *text)
{
    struct bytes bytes = {0};
    struct error err = {0};
    if (!file_read(&bytes, file, &err))
        fail_msg("%s", err.text);
    if (!strstr((const char *)bytes.p, text))
        fail_msg("%s is not in %s", text, (const char *)bytes.p);
    bytes_free(&bytes);
}

static void read_part(const struct data_config *c, struct dataset *set)
{
    struct error err = {0};
    const struct dataset_source source = dataset_source_of(c);
    if (!dataset_read(set, &source, &err))
        fail_msg("%s", err.text);
}

/* Their number; every image is in one of them. */
static void check_parts(const struct init_case *c, const char *path)
{
    struct config config = {0};
    struct dataset train, val;
    struct error err = {0};
    if (!config_read(&config, path, NULL, 0, &err))
        fail_msg("%s", err.text);
    read_part(&config.train, &train);
    read_part(&config.val, &val);
    if (c->train) {
        assert_int_equal(train.image_count, c->train);
        assert_int_equal(val.image_count, c->val);
    } else {
        assert_int_equal(train.image_count + val.image_count, 20);
        assert_in_range(val.image_count, 3, 5);
    }
    for (int i = 0; !c->train && i < train.image_count; i++)
        for (int k = 0; k < val.image_count; k++)
            assert_string_not_equal(train.images[i].file, val.images[k].file);
    dataset_free(&train);
    dataset_free(&val);
    config_free(&config);
}

/* check finds neither a problem nor a value that it would advise against. */
static void check_quietly(const char *config)
{
    const struct command command = { .name = "check", .options = check_options };
    const struct args args = { .command = &command, .config = config, .threads = 2 };
    struct error err = {0};
    char *text = NULL;
    size_t size;
    FILE *kept = stdout;
    stdout = open_memstream(&text, &size);
    assert_non_null(stdout);
    const bool ok = check_run(&args, &err);
    fclose(stdout);
    stdout = kept;
    if (!ok || strstr(text, "WARNING"))
        fail_msg("%s", text);
    free(text);
}

/* Overrides that save time. */
#define SMALL_MODEL "model.arch.backbone.model_size=0.5x", "model.arch.fpn.in_channels=[48, 96, 192]", \
    "model.arch.fpn.out_channels=32", "model.arch.head.input_channel=32", "model.arch.head.feat_channels=32"

static void test_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct init_case *c = &cases[i];
        char root[32], config[128], out[160], save[128], dir[420], classes[200];
        snprintf(root, sizeof root, "set %zu", i);
        put_case(c, root);
        snprintf(dir, sizeof dir, "%s/", in_folder(root));
        snprintf(config, sizeof config, "%s/%zu.yml", folder, i);
        snprintf(out, sizeof out, "--out=%s", config);
        snprintf(save, sizeof save, "save_dir=%s/run%zu", folder, i);
        snprintf(classes, sizeof classes, "class_names: %s\n", c->classes);
        printf("%s\n", c->name);
        works("init", dir, out, NULL);
        assert_contains(config, c->format);
        assert_contains(config, classes);
        check_parts(c, config);
        refused(2, "overwrites nothing", "init", dir, out, NULL);
        if (!c->trains)
            continue;
        check_quietly(config);
        works("train", config, save, "schedule.total_epochs=1", "data.train.input_size=[64, 64]", SMALL_MODEL, NULL);
    }
}

/* ---- the division ---- */

/* A set of images of those names with a box of category i % 2 each. */
static void make_set(struct dataset *set, struct image_record *images, struct annotation *boxes, char names[][40],
                     int count)
{
    for (int i = 0; i < count; i++) {
        images[i] = (struct image_record){ .id = i, .file = names[i], .width = 64, .height = 64, .first = i,
                                           .count = 1 };
        boxes[i] = (struct annotation){ .image = i, .category = i % 2, .box = { 0, 0, 9, 9 }, .area = 81 };
    }
    *set = (struct dataset){ .images = images, .image_count = count, .annotations = boxes, .annotation_count = count };
}

enum { FRAMES = 60 };

/* Fills is_val; returns the images for validation. */
static int split(char names[][40], int count, bool by_first_word, bool *is_val)
{
    static const int label[] = { 0, 1 };
    struct image_record images[FRAMES];
    struct annotation boxes[FRAMES];
    bool usable[FRAMES], divided = false;
    struct dataset set;
    struct error err = {0};
    int chosen = 0;
    make_set(&set, images, boxes, names, count);
    for (int i = 0; i < count; i++)
        usable[i] = i != 0;
    assert_true(dataset_split(&set, label, 2, by_first_word, usable, 0.2, 0, is_val, &divided, &err));
    assert_true(divided);
    assert_false(is_val[0]);
    for (int i = 0; i < count; i++)
        chosen += is_val[i];
    return chosen;
}

static void test_sequences_stay_together(void **state)
{
    char names[FRAMES][40];
    bool is_val[FRAMES];
    (void)state;
    for (int i = 0; i < FRAMES; i++)
        snprintf(names[i], sizeof names[i], "street %d_%04d.jpg", i / 6, i % 6);
    assert_in_range(split(names, FRAMES, false, is_val), 10, 14);
    for (int i = 2; i < FRAMES; i++)
        assert_int_equal(is_val[i], is_val[i / 6 * 6 + 1]);
    for (int i = 0; i < FRAMES; i++)                    /* VisDrone: sequence_frame_d_image */
        snprintf(names[i], sizeof names[i], "%07d_%05d_d_%07d.jpg", i / 6, i % 6 * 100, i);
    assert_in_range(split(names, FRAMES, true, is_val), 10, 14);
    for (int i = 2; i < FRAMES; i++)
        assert_int_equal(is_val[i], is_val[i / 6 * 6 + 1]);
}

/* A sequence of all images is cut into runs of three; two versions of an image are on one side. */
static void test_one_sequence_is_cut_into_runs(void **state)
{
    char names[FRAMES][40];
    bool is_val[FRAMES];
    (void)state;
    for (int i = 0; i < FRAMES; i++)
        snprintf(names[i], sizeof names[i], "IMG_%d.jpg", 100 + i);
    assert_in_range(split(names, FRAMES, false, is_val), 10, 14);
    for (int i = 3; i < FRAMES; i++)
        assert_int_equal(is_val[i], is_val[i / 3 * 3 + 1]);
    for (int i = 0; i < FRAMES; i++)
        snprintf(names[i], sizeof names[i], "IMG_%d_jpg.rf.%c0f.jpg", 100 + i / 2, 'b' - i % 2);
    split(names, FRAMES, false, is_val);
    for (int i = 2; i < FRAMES; i += 2)
        assert_int_equal(is_val[i], is_val[i + 1]);
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
    (void)state;
    put_image("plain/1.jpg", 64, 48);
    put_image("broken/1.jpg", 64, 48);
    put("broken/1.xml", "<annotation><object><name>a</name>");
    put("text/1.txt", "0 .5 .5 .4 .4");
    refused(1, "No such file or directory", "init", in_folder("none"), NULL);
    refused(1, "give the folder of the data set", "init", in_folder("text/1.txt"), NULL);
    refused(1, "there is no JPEG or PNG image in it", "init", in_folder("text"), NULL);
    refused(1, "1 images, but no annotations of their names", "init", in_folder("plain"), NULL);
    refused(1, "1.xml", "init", in_folder("broken"), NULL);
    refused(2, "ends in .yml", "init", in_folder("plain"), "--out=my.txt", NULL);
    refused(1, "none.ckpt", "init", in_folder("labelled"), "--weights=none.ckpt", "--out", in_folder("x.yml"), NULL);
    assert_false(file_exists(in_folder("x.yml")));
}

/* A set with one image is used for training and validation; an image for validation that is broken is left out. */
static void test_difficult_sets(void **state)
{
    (void)state;
    put_image("one/1.jpg", 64, 48);
    put("one/1.txt", YOLO);
    works("init", in_folder("one"), "--out", in_folder("one.yml"), NULL);
    assert_contains(in_folder("one.yml"), "batchsize_per_gpu: 1 ");
    for (int i = 0; i < 3; i++) {
        static const char *const images[] = { "two/train/a.jpg", "two/val/b.jpg", "two/val/c.jpg" };
        static const char *const boxes[] = { "two/train/a.txt", "two/val/b.txt", "two/val/c.txt" };
        put_image(images[i], 64, 48);
        put(boxes[i], YOLO);
    }
    put("two/val/c.jpg", "this is no image");
    works("init", in_folder("two"), "--out", in_folder("two.yml"), NULL);
    assert_contains(in_folder("two.yml"), "two_val.txt\n");
    assert_contains(in_folder("two_val.txt"), "b.jpg\n");
}

static int set_up(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    put_image("labelled/1.jpg", 64, 48);
    put("labelled/1.xml", VOC);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences_stay_together),
        cmocka_unit_test(test_one_sequence_is_cut_into_runs),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, remove_folder),
        cmocka_unit_test_setup_teardown(test_difficult_sets, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_layouts, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
