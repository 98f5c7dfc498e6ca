/* tests/test_annotations.c -- annotation readers: a table of cases, then whole sets, generated and real. */
#include "base/file.h"
#include "base/random.h"
#include "base/string_list.h"
#include "data/coco.h"
#include "data/visdrone.h"
#include "data/voc.h"
#include "data/yolo.h"
#include "put.h"

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){ (unsigned char *)(uintptr_t)text, strlen(text) };
}

#define CATEGORIES "\"categories\": [{\"id\": 9, \"name\": \"b\"}, {\"id\": 4, \"name\": \"a\"}]"
#define ONE_BOX(fields) "{\"images\": [{\"id\": 1}],\n\"annotations\": [\n{" fields "}], " CATEGORIES "}"

static const struct coco_case { const char *text, *error; } coco_cases[] = {    /* error NULL: fine */
    { "{\"images\": []}", NULL },
    { " {\"info\": [{}, \"]\\\"\"], \"images\": [ ] , \"annotations\": []}\n", NULL },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1, 1]"), NULL },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1, 1], \"area\": null, \"iscrowd\": true"), NULL },
    { "", "f: is empty" },
    { "[]", "f:1: must be an object" },
    { "{\"annotations\": []}", "f: has no list of images" },
    { "{\"images\": [], \"images\": []}", "second list" },
    { "{\"images\": {}}", "f:1: must be a list" },
    { "{\"images\": []", "f:1: not valid JSON: the file ends within a value" },
    { "{\"images\": [{\"id\": 1}, {\"id\"", "f:1: not valid JSON: the file ends within a value" },
    { "{\"images\": []} x", "f:1: byte 16: not valid JSON: unexpected text at 'x'" },
    { "{\"images\": [,]}", "f:1: byte 13: not valid JSON: a comma without a value at ',]}' in image 1" },
    { "{\"images\":\n [{\"id\": 1},]}", "f:2: byte 13: not valid JSON: a comma without a value" },
    { "{\"images\": [{\"id\": 1,, \"width\": 5}]}", "not valid JSON: a comma without a value" },
    { "{\"images\": [{\"id\": NaN}]}", "not valid JSON: a word that JSON does not have at 'NaN}]}' in image 1" },
    { "{\"images\": [{'id': 1}]}", "single quotes, JSON has double quotes" },
    { "{\"info\": {a}, \"images\": []}", "not valid JSON" },
    { "{\"images\": [7]}", "f:1: image 1: must be an object" },
    { "{\"images\": [{\"id\": 1.5}]}", "f:1: image 1: id must be a whole number, but is 1.5" },
    { "{\"images\": [{\"id\": \"1\"}]}", "f:1: image 1: id must be a whole number, but is \"1\"" },
    { "{\"images\": [{\"id\": 1e300}]}", "id must be a whole number of at most 2^53" },
    { "{\"images\": [{}]}", "image 1: id must be a whole number, but is missing" },
    { "{\"images\": [{\"id\": 4, \"width\": -5}]}", "image 1 (id 4): width must be a whole number from 0" },
    { "{\"images\": [{\"id\": 1, \"file_name\": 5}]}", "file_name must be text, but is 5" },
    { "{\"images\": [{\"id\": 8}, {\"id\": 8}]}", "f: two images have the id 8" },
    { "{\"images\": [], \"categories\": [{\"id\": 3}, {\"id\": 3}]}", "f: two categories have the id 3" },
    { ONE_BOX("\"image_id\": 2, \"category_id\": 4, \"bbox\": [0, 0, 1, 1]"), "annotation 1 is of image 2" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 5, \"bbox\": [0, 0, 1, 1]"), "annotation 1 is of category 5" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": \"4\""), "f:3: annotation 1: category_id must be a whole number" },
    { ONE_BOX("\"id\": 7, \"image_id\": 1, \"category_id\": 4"), "f:3: annotation 1 (id 7): bbox must be" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"segmentation\": [[1, 1, 9, 1, 9, 9]]"), "a polygon" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1]"), "bbox must be four numbers" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1, 1, 1, 1, 1]"), "bbox must be four numbers" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1, 1e999]"), "bbox must be four numbers" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1, 1e99]"), "out of bounds" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1, 1], \"area\": \"x\""), "area must be" },
    { ONE_BOX("\"image_id\": 1, \"category_id\": 4, \"bbox\": [0, 0, 1, 1], \"iscrowd\": \"x\""), "iscrowd must be" },
};

static void coco_cases_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof coco_cases / sizeof *coco_cases; i++) {
        const struct coco_case *c = &coco_cases[i];
        struct dataset_builder b = {0};
        struct dataset set = {0};
        struct error err = {0};
        const bool ok = coco_parse(&b, bytes_of(c->text), "f", &err) && build_end(&b, &set, "f", &err);
        if (ok != !c->error || (c->error && (err.exit != 1 || !strstr(err.text, c->error))))
            fail_msg("%s: '%s', not '%s'", c->text, err.text, c->error ? c->error : "");
        build_free(&b);
        dataset_free(&set);
    }
}

static void coco_order_flags_and_numbers(void **state)
{
    struct dataset_source source = { .format = DATASET_COCO, .ann_path = in_folder("a.json") };
    struct dataset set, again;
    struct error err = {0};
    int label[2];
    (void)state;
    put("a.json", "{\"annotations\": ["
        "{\"id\": 7, \"image_id\": 50, \"category_id\": 9, \"bbox\": [0.1, 1e-7, 33.333333333333336, 4],"
        " \"ignore\": 1},"
        "{\"id\": 3, \"image_id\": 2, \"category_id\": 4, \"bbox\": [1, 2, 0.5, 4], \"area\": 5},"
        "{\"id\": 3, \"image_id\": 50, \"category_id\": 4, \"bbox\": [1, 2, 3, 4], \"iscrowd\": 1}],"
        CATEGORIES ", \"images\": [{\"id\": 2}, {\"id\": 50,"
        " \"file_name\": \"q\\\"\\\\\\u00e9\", \"width\": 6, \"height\": 7}]}");
    assert_true(dataset_read(&set, &source, &err));
    assert_int_equal(set.image_count, 2);
    assert_int_equal(set.images[0].id, 2);
    assert_int_equal(set.images[1].first, 1);
    assert_int_equal(set.images[1].count, 2);
    assert_string_equal(set.images[0].file, "");
    assert_string_equal(set.images[1].file, "q\"\\\xc3\xa9");
    assert_int_equal(set.annotations[1].id, 7);
    assert_true(set.annotations[1].ignore && !set.annotations[1].crowd);
    assert_true(set.annotations[2].ignore && set.annotations[2].crowd);
    assert_true(set.annotations[0].area == 5 && !annotation_trains(&set.annotations[0]));
    assert_true(set.annotations[2].area == 12 && annotation_trains(&set.annotations[2]));
    assert_int_equal(dataset_category(&set, 9), 1);
    assert_int_equal(dataset_category(&set, 5), -1);
    assert_int_equal(set.notes[NOTE_DEGENERATE].count, 1);
    assert_int_equal(set.notes[NOTE_SHARED_ID].count, 1);

    const char *names[] = { "a", "b" }, *swapped[] = { "b", "a" };
    assert_true(dataset_labels(&set, names, 2, label, &err));
    assert_true(label[0] == 0 && label[1] == 1);
    assert_true(dataset_labels(&set, swapped, 2, label, &err));
    assert_true(label[0] == 1 && label[1] == 0);
    assert_int_equal(set.notes[NOTE_CLASS_ORDER].count, 0);

    assert_true(dataset_write_coco(&set, in_folder("b.json"), &err));
    source.ann_path = in_folder("b.json");
    assert_true(dataset_read(&again, &source, &err));
    assert_string_equal(again.images[1].file, set.images[1].file);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            assert_true(again.annotations[i].box[j] == set.annotations[i].box[j]);
    assert_true(again.annotations[1].ignore && !again.annotations[1].crowd);
    dataset_free(&set);
    dataset_free(&again);
}

static void visdrone_folder(void **state)
{
    struct dataset set;
    struct error err = {0};
    int label[12];
    (void)state;
    put("v/annotations/a.txt", "1,2,30,40,1,4,0,0\r\n5,6,7,8,0,1,0,2,\r\n\r\n0,0,9,9,0,0,0,0\r\n1,1,2,2,1,11,0,0");
    put_image("v/images/b.png", 20, 10);
    put_image("v/images/a.jpg", 64, 48);
    assert_true(dataset_read_folder(&set, "visdrone", in_folder("v"), &err));
    assert_int_equal(set.image_count, 2);
    assert_int_equal(set.annotation_count, 4);
    assert_string_equal(set.images[0].file, "a.jpg");
    assert_true(set.images[0].width == 64 && set.images[0].height == 48 && set.images[1].width == 20);
    static const struct { int category; bool ignore; } want[] = { { 4, 0 }, { 1, 1 }, { 0, 1 }, { 11, 1 } };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(set.categories[set.annotations[i].category].id, want[i].category);
        assert_true(set.annotations[i].ignore == want[i].ignore && set.annotations[i].crowd == want[i].ignore);
    }
    assert_int_equal(set.notes[NOTE_NO_ANNOTATIONS].count, 1);
    const char *names[] = { "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle",
                            "bus", "motor", "others" };
    assert_true(dataset_labels(&set, names, 10, label, &err));
    assert_true(label[0] == -1 && label[1] == 0 && label[10] == 9 && label[11] == -1);
    assert_true(dataset_labels(&set, names, 11, label, &err));
    assert_true(label[0] == -1 && label[11] == 10);
    dataset_free(&set);

    put("v/list.txt", "images/b.png\r\n\n");
    const struct dataset_source source = {
        .format = DATASET_VISDRONE, .img_path = in_folder("v/images"), .ann_path = in_folder("v/annotations"),
        .image_list = in_folder("v/list.txt") };
    assert_true(dataset_read(&set, &source, &err));
    assert_int_equal(set.image_count, 1);
    assert_string_equal(set.images[0].file, "b.png");
    dataset_free(&set);
    put("v/list.txt", "b\nb\n");
    assert_false(dataset_read(&set, &source, &err));
    assert_non_null(strstr(err.text, "two images are called b"));
    dataset_free(&set);
}

static const struct row_case { const char *row, *error; } visdrone_rows[] = {
    { "1,2,3,4,1,4,0",         "f:1: 7 numbers, too few" },
    { "1,2,3,4,1,4,0,0,0",     "f:1: 9 numbers, too many" },
    { "1,2,3,4,1,12,0,0",      "f:1: the category 12 is not a whole number from 0 to 11" },
    { "1,2,3,4,1,-1,0,0",      "f:1: the category -1 is not" },
    { "1,2,3,4,1,1.5,0,0",     "f:1: the category 1.5 is not" },
    { "1,2,3,nan,1,1,0,0",     "f:1: 'nan' is not a finite number" },
    { "1,2,3,1e30,1,1,0,0",    "f:1: the box 1 2 3 1e+30" },
    { "a",                     "f:1: 'a' is not a number" },
    { "1,2,,4,1,4,0,0",        "f:1: 7 numbers, too few" },
}, yolo_rows[] = {
    { "0 .1 .1 .1",            "f:1: 4 numbers, too few: a box is class, centre x" },
    { "0 .1 .1 .1 .1 .1",      "f:1: 6 numbers, too many" },
    { "0 .1 .1 .5 .1 .3 .7 .1", "f:1: 8 numbers, too many" },
    { "0.5 .1 .1 .5 .1 .3 .7", "f:1: the class 0.5 is not a whole number" },
    { "0.5 .1 .1 .1 .1",       "f:1: the class 0.5 is not a whole number" },
    { "0 inf .1 .1 .1",        "f:1: 'inf' is not a finite number" },
    { "cat .1 .1 .1 .1",       "f:1: 'cat' is not a number" },
    { "0 .1 .1 .1 .1x",        "f:1: '.1x' is not a number" },
    { "0 1e308 0 0 0",         "f:1: the box" },
    { "0 1e200 0 1e200 0",     "f:1: the box" },
};

static void check_row(const struct row_case *c, bool is_yolo)
{
    const struct yolo_image image = { 1, 640, 480 };
    struct dataset_builder b = {0};
    assert_true(is_yolo ? yolo_parse(&b, image, 2, bytes_of(c->row), "f", NULL)
                        : visdrone_parse(&b, 1, bytes_of(c->row), "f", NULL));
    assert_int_equal(b.pending_count, 0);
    assert_int_equal(b.set.problems.count, 1);
    if (strncmp(b.set.problems.first.list[0], c->error, strlen(c->error)) != 0)
        fail_msg("%s: '%s', not '%s'", c->row, b.set.problems.first.list[0], c->error);
    build_free(&b);
}

static void broken_rows_are_problems(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof visdrone_rows / sizeof *visdrone_rows; i++)
        check_row(&visdrone_rows[i], false);
    for (size_t i = 0; i < sizeof yolo_rows / sizeof *yolo_rows; i++)
        check_row(&yolo_rows[i], true);
}

#define OBJECT(name, x1, y1, x2, y2) "<object><difficult>1</difficult><name>" name "</name><bndbox><xmin>" #x1 \
    "</xmin><ymin>" #y1 "</ymin><xmax>" #x2 "</xmax><ymax>" #y2 "</ymax></bndbox>" \
    "<part><name>x</name><bndbox><xmin>9</xmin></bndbox></part></object>"

static void voc_folder(void **state)
{
    struct dataset set;
    struct error err = {0};
    (void)state;
    put("p/Annotations/1.xml", "<annotation>"
        OBJECT("dog", -3, 2.5, 30, 400) OBJECT("cat", 5, 5, 5, 9) OBJECT("cat", 9, 9, 8, 20)
        "<filename> 1.jpg </filename><size><width>64</width><height>48</height></size></annotation>");
    put("p/Annotations/2.xml", "<annotation>" OBJECT("dog", 1, 1, 500, 5) "</annotation>");
    put_image("p/JPEGImages/1.jpg", 64, 48);
    put_image("p/JPEGImages/2.png", 20, 10);
    assert_true(dataset_read_folder(&set, "voc", in_folder("p"), &err));
    assert_int_equal(set.category_count, 2);
    assert_string_equal(set.categories[0].name, "cat");
    assert_int_equal(set.annotation_count, 3);
    static const double want[3][4] = { { 0, 2.5, 30, 45.5 }, { 5, 5, 0, 4 }, { 1, 1, 19, 4 } };
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            assert_true(set.annotations[i].box[j] == want[i][j]);
    assert_string_equal(set.images[0].file, "1.jpg");
    assert_string_equal(set.images[1].file, "2.png");
    assert_int_equal(set.images[1].width, 20);
    assert_int_equal(set.notes[NOTE_DEGENERATE].count, 2);
    dataset_free(&set);

    const char *dog[] = { "dog" };
    const struct dataset_source source = {
        .format = DATASET_XML, .img_path = in_folder("p/JPEGImages"), .ann_path = in_folder("p/Annotations"),
        .class_names = dog, .class_count = 1 };
    assert_true(dataset_read(&set, &source, &err));
    assert_int_equal(set.annotation_count, 2);
    assert_int_equal(set.notes[NOTE_UNKNOWN_CLASS].count, 2);
    dataset_free(&set);
}

static void broken_xml_is_a_problem(void **state)
{
    static const struct { const char *text, *error; bool readable; } cases[] = {
        { "", "f: is empty", false },
        { "<annotation>\n<size></annotation>", "f:2: byte 9: mismatched tag", false },
        { "<annotation>\n<si", "f:2: byte 1: the file ends within its XML", false },
        { "<annotation>\n<object></object></annotation>", "f:2: an object has no <name>", true },
        { "<annotation><object><name>a</name></object></annotation>", "f:1: the object 'a' has no <xmin> in", true },
        { "<annotation>" OBJECT("a", 1, 2, x, 4) "</annotation>", "f:1: the object 'a': <xmax> is 'x', not", true },
        { "<annotation>" OBJECT("a", 1, 2, nan, 4) "</annotation>", "<xmax> is 'nan', not a finite number", true },
        { "<annotation><size><width>-4</width></size></annotation>", "f: <width> is '-4', not a whole number", true },
        { "<!DOCTYPE a [<!ENTITY b \"c\">]><annotation>&b;</annotation>", "entities are not accepted", false },
        { "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",
          "nested too deeply", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dataset set = {0};
        struct image_annotations voc;
        assert_int_equal(voc_parse(&voc, bytes_of(cases[i].text), "f", &set), cases[i].readable);
        assert_int_equal(voc.count, 0);
        assert_int_equal(set.problems.count, 1);
        if (!strstr(set.problems.first.list[0], cases[i].error))
            fail_msg("'%s', not '%s'", set.problems.first.list[0], cases[i].error);
        image_annotations_free(&voc);
        dataset_free(&set);
    }
}

static void yolo_folder(void **state)
{
    struct dataset set;
    struct error err = {0};
    (void)state;
    put("y/classes.txt", "cat\r\ndog\n");
    put("y/labels/1.txt", "1 0.5 0.5 0.25 0.125\r\n0 0.0 0.0 0.03 0.05\n\n2 .5 .5 .1 .1\n0 .5 .5 -.1 .1\n");
    put("y/labels/lost.txt", "0 .5 .5 .5 .5\n");
    put("y/labels/classes.txt", "cat\ndog\n");
    put("y/labels/readme.txt", "cat\ndog\n");
    put_image("y/images/1.png", 100, 80);
    put_image("y/images/background.png", 10, 10);
    assert_true(dataset_read_folder(&set, "yolo", in_folder("y"), &err));
    assert_int_equal(set.image_count, 3);
    assert_string_equal(set.images[1].file, "background.png");
    assert_string_equal(set.images[2].file, "lost.jpg");
    assert_int_equal(set.images[2].unscaled, 1);
    assert_int_equal(set.annotation_count, 2);
    static const double want[2][4] = { { 38, 35, 25, 10 }, { 0, 0, 2, 2 } };       /* 37.5 and 1.5 to even */
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            assert_true(set.annotations[i].box[j] == want[i][j]);
    assert_int_equal(set.categories[set.annotations[0].category].id, 2);
    assert_int_equal(set.notes[NOTE_UNKNOWN_CLASS].count, 1);
    assert_int_equal(set.notes[NOTE_DEGENERATE].count, 1);
    assert_note(&set, NOTE_NO_ANNOTATIONS, 1, "background.png");
    assert_note(&set, NOTE_STRAY, 1, "labels/readme.txt");
    assert_note(&set, NOTE_NO_IMAGE, 1, "images/lost.jpg: No such file");

    struct string_list notes = {0};
    assert_true(dataset_notes(&set, "", &notes, &err));
    assert_has_line(&notes, "WARNING: 1 images missing or unreadable: /tmp/");
    string_list_free(&notes);
    assert_false(dataset_write_coco(&set, in_folder("y.json"), &err));
    assert_non_null(strstr(err.text, "lost.jpg: the image is missing or cannot be read, so its 1 box cannot be"));
    dataset_free(&set);
}

static void missing_files_are_reported(void **state)
{
    struct dataset set;
    struct error err = {0};
    const struct dataset_source coco = { .format = DATASET_COCO, .ann_path = "no/such.json" }, none = {0},
                                xml = { .format = DATASET_XML, .img_path = "a", .ann_path = "b" };
    (void)state;
    assert_false(dataset_read(&set, &coco, &err));
    assert_true(err.exit == 1 && strstr(err.text, "no/such.json"));
    dataset_free(&set);
    assert_false(dataset_read(&set, &none, &err));
    assert_int_equal(err.exit, 2);
    assert_false(dataset_read(&set, &xml, &err));
    assert_true(err.exit == 2 && strstr(err.text, "class_names"));
    assert_false(dataset_read_folder(&set, "vok", "x", &err));
    assert_true(err.exit == 2 && strstr(err.text, "did you mean voc?"));
    assert_false(dataset_read_folder(&set, "visdrone", "no/such", &err));
    assert_true(err.exit == 1 && strstr(err.text, "no/such"));
    dataset_free(&set);
}

/* 5,000 images and 100,000 boxes in random order: a quadratic algorithm would take seconds. */
static void many_records(void **state)
{
    enum { IMAGES = 5000, BOXES = 100000 };
    struct dataset_builder b = {0};
    struct dataset set = {0};
    struct random r = random_of(7, 0, 0);
    (void)state;
    for (int i = 0; i < IMAGES; i++)
        assert_true(build_image(&b, (int64_t)i * 7919 % 5003, "x", 10, 10, NULL));
    assert_true(build_category(&b, 1, "a", NULL));
    for (int i = 0; i < BOXES; i++) {
        const struct annotation a = { .id = i, .box = { 0, 0, 1, 1 }, .area = 1 };
        assert_true(build_annotation(&b, &a, (int64_t)random_below(&r, IMAGES) * 7919 % 5003, 1, "x", NULL));
    }
    assert_true(build_end(&b, &set, "x", NULL));
    for (int i = 0, next = 0; i < IMAGES; i++) {
        assert_int_equal(set.images[i].first, next);
        assert_true(i == 0 || set.images[i].id > set.images[i - 1].id);
        for (int j = 0; j < set.images[i].count; j++, next++) {
            assert_int_equal(set.annotations[next].image, i);
            assert_true(j == 0 || set.annotations[next].id > set.annotations[next - 1].id);
        }
    }
    build_free(&b);
    dataset_free(&set);
}

static void real_sets(void **state)
{
    static const struct { const char *format, *path; int images, categories, boxes, degenerate; } sets[] = {
        { "visdrone", "../shared/data/visdrone", 548, 12, 40169, 0 },
        { "voc",      "../shared/data/bccd",     364, 3,  4888,  2 },
        { "coco",     "../shared/data/coco_val/instances_val.json", 128, 80, 898, 0 },
    };
    (void)state;
    if (!folder_exists("../shared/data")) {
        printf("SKIP real_sets: no ../shared/data\n");
        skip();
    }
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct dataset set;
        const struct dataset_source coco = { .format = DATASET_COCO, .ann_path = sets[i].path };
        int crowd[12] = {0};
        assert_true(i == 2 ? dataset_read(&set, &coco, NULL)
                           : dataset_read_folder(&set, sets[i].format, sets[i].path, NULL));
        assert_int_equal(set.image_count, sets[i].images);
        assert_int_equal(set.category_count, sets[i].categories);
        assert_int_equal(set.annotation_count, sets[i].boxes);
        assert_int_equal(set.notes[NOTE_DEGENERATE].count, sets[i].degenerate);
        for (int j = 0; i == 0 && j < set.annotation_count; j++)
            crowd[set.annotations[j].category] += set.annotations[j].crowd;
        assert_true(i != 0 || (crowd[0] == 1378 && crowd[11] == 32));
        dataset_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coco_cases_hold),
        cmocka_unit_test(coco_order_flags_and_numbers),
        cmocka_unit_test(visdrone_folder),
        cmocka_unit_test(broken_rows_are_problems),
        cmocka_unit_test(voc_folder),
        cmocka_unit_test(broken_xml_is_a_problem),
        cmocka_unit_test(yolo_folder),
        cmocka_unit_test(missing_files_are_reported),
        cmocka_unit_test(many_records),
        cmocka_unit_test(real_sets),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
