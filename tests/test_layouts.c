/* tests/test_layouts.c -- folder layouts of data sets, image lists and class lists, for convert and data.*. */
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "data/dataset_read.h"
#include "data/image.h"
#include "eval/coco_eval.h"
#include "eval/detections.h"
#include "typed.h"

/* "a/b.jpg" is an image of 20 x 10, "a/b.xml" an XML file with a cat and a dog, "a/b.txt" a row of class 0; text after
 * a '=' is what the file holds. */
static void put(const char *root, const char *file)
{
    static const char xml[] =
        "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
        "</object><object><name>dog</name><bndbox><xmin>3</xmin><ymin>2</ymin><xmax>19</xmax><ymax>9</ymax></bndbox>"
        "</object></annotation>";
    const char *text = strchr(file, '=');
    char path[300];
    struct image p;
    snprintf(path, sizeof path, "%s/%s/%.*s", folder, root, (int)strcspn(file, "="), file);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_true(make_folders(path, NULL));
    *slash = '/';
    text = text ? text + 1 : strstr(path, ".xml") ? xml : strstr(path, ".txt") ? "0 .5 .5 .5 .5\n" : NULL;
    if (text)
        assert_true(file_write(path, text, strlen(text), NULL));
    else {
        assert_true(image_new(&p, 20, 10, NULL) && image_write_jpeg(&p, 80, path, NULL));
        image_free(&p);
    }
}

static const struct layout_case {
    const char *format, *source;            /* "": the root */
    const char *files[9];
    int images, boxes;
    const char *classes;                    /* of the categories, in order; or */
    const char *error;                      /* part of the message, exit 2 unless it begins with "1:" */
    const char *image_list, *class_list;    /* files of the case, or NULL */
} layout_cases[] = {
    /* YOLO */
    { "yolo", "images/train", { "images/train/a.jpg", "images/val/b.jpg", "labels/train/a.txt", "labels/val/b.txt",
      "data.yaml=names: {1: dog, 0: cat}\nnc: 2\n" }, 1, 1, "cat,dog", NULL, NULL, NULL },
    { "yolo", "images/val/", { "images/train/a.jpg", "images/val/b.jpg", "labels/train/a.txt", "labels/val/b.txt",
      "data.yaml=path: ../x  # root\nnames: [cat, 'stop sign']\n" }, 1, 1, "cat,stop sign", NULL, NULL,
      NULL },
    { "yolo", "", { "images/train/a.jpg", "images/val/b.jpg", "labels/train/a.txt", "labels/val/b.txt",
      "data.yaml=names: [cat]\n" }, 0, 0, NULL, "holds several sets, train, val: give one of them, as in ", NULL,
      NULL },
    { "yolo", "images", { "images/train/a.jpg", "images/val/b.jpg", "labels/train/a.txt", "labels/val/b.txt",
      "data.yaml=names: [cat]\n" }, 0, 0, NULL, "/images/train", NULL, NULL },
    { "yolo", "train", { "train/images/a.jpg", "train/labels/a.txt", "valid/images/b.jpg", "valid/labels/b.txt",
      "data.yaml=names:\n- cat\n- dog\n", "README.roboflow.txt=hello\n" }, 1, 1, "cat,dog", NULL, NULL, NULL },
    { "yolo", "", { "train/images/a.jpg", "train/labels/a.txt", "valid/images/b.jpg", "valid/labels/b.txt",
      "data.yaml=names: [cat]\n", "README.roboflow.txt=hello\n" }, 0, 0, NULL, "holds several sets, train, valid", NULL,
      NULL },
    { "yolo", "", { "images/a.jpg", "labels/a.txt", "labels/classes.txt=cat\ndog\n", "labels/notes.json={}",
      "labels/labels.cache=0" }, 1, 1, "cat,dog", NULL, NULL, NULL },                       /* LabelImg, Label Studio */
    { "yolo", "", { "a.jpg", "a.txt", "_darknet.labels=cat\ndog" }, 1, 1, "cat,dog", NULL, NULL, NULL },
    { "yolo", "", { "obj_train_data/a.jpg", "obj_train_data/a.txt", "obj.names=cat\r\ndog\r\n", "train.txt=a.jpg" }, 1,
      1, "cat,dog", NULL, NULL, NULL },
    { "yolo", "", { "images/x/a.jpg", "images/y/a.jpg", "labels/x/a.txt", "labels/y/a.txt", "classes.txt=cat" }, 2, 2,
      "cat", NULL, NULL, NULL },
    { "yolo", "", { "images/x/a.jpg", "images/y/a.jpg", "labels/x/a.txt", "labels/y/a.txt", "classes.txt=cat",
      "list=./y/a.jpg\n" }, 1, 1, "cat", NULL, "list", NULL },
    { "yolo", "", { "images/a.jpg", "labels/a.txt", "labels/classes.txt=dog\ncat\n", "data.yaml=names: [cat, dog]" },
      0, 0, NULL, "list different classes: give one of them with --classes", NULL, NULL },
    { "yolo", "", { "images/a.jpg", "labels/a.txt", "labels/classes.txt=dog\ncat\n", "data.yaml=names: [cat, dog]" },
      1, 1, "dog,cat", NULL, NULL, "labels/classes.txt" },
    { "yolo", "", { "images/a.jpg", "labels/a.txt" }, 0, 0, NULL, "no list of classes", NULL, NULL },
    { "yolo", "", { "images/a.jpg", "labels/a.txt", "data.yaml=nc: 1\n" }, 0, 0, NULL, "1:has no key names", NULL,
      NULL },
    { "yolo", "", { "images/a.jpg", "labels/a.txt", "data.yaml=names: {0: a, 2: b}\n" }, 0, 0, NULL,
      "1:data.yaml:1: names must be a list of strings, or have the keys 0 to 1", NULL, NULL },
    { "yolo", "", { "images/a.jpg", "labels/a.txt", "classes.txt=cat\ncat\n" }, 0, 0, NULL,
      "1:names the class 'cat' twice", NULL, NULL },
    { "yolo", "", { "labels/a.txt", "classes.txt=cat\n" }, 0, 0, NULL, "1:no JPEG or PNG image in it", NULL, NULL },
    { "yolo", "", { "images/a.jpg", "images/b.jpg", "labels/a.txt", "labels/b.txt", "list=x/b.jpg\n", "c=cow\n" }, 1,
      1, "cow", NULL, "list", "c" },
    /* VOC */
    { "voc", "", { "JPEGImages/a.jpg", "Annotations/a.xml" }, 1, 2, "cat,dog", NULL, NULL, NULL },
    { "voc", "", { "images/a.jpg", "annotations/a.xml" }, 1, 2, "cat,dog", NULL, NULL, NULL },
    { "voc", "", { "images/a.jpg", "annots/a.xml" }, 1, 2, "cat,dog", NULL, NULL, NULL },
    { "voc", "", { "a.jpg", "a.xml", "b.jpg", "b.xml" }, 2, 4, "cat,dog", NULL, NULL, NULL },
    { "voc", "", { "images/a.jpg", "a.xml" }, 1, 2, "cat,dog", NULL, NULL, NULL },
    { "voc", "images/val", { "images/train/a.jpg", "images/val/b.jpg", "annots/train/a.xml", "annots/val/b.xml" }, 1,
      2, "cat,dog", NULL, NULL, NULL },
    { "voc", "", { "train/a.jpg", "train/a.xml", "valid/b.jpg", "valid/b.xml" }, 0, 0, NULL, "several sets", NULL,
      NULL },
    { "voc", "valid", { "train/a.jpg", "train/a.xml", "valid/b.jpg", "valid/b.xml" }, 1, 2, "cat,dog", NULL, NULL,
      NULL },
    { "voc", "", { "images/a.jpg", "images/b.jpg", "annots/a.xml", "annots/b.xml", "list=a\n", "c=dog\ncat\n" }, 1, 2,
      "dog,cat", NULL, "list", "c" },
    { "voc", "", { "images/a.jpg", "annots/a.xml", "c=dog\n" }, 1, 1, "dog", NULL, NULL, "c" },
    { "voc", "", { "a.jpg" }, 0, 0, NULL, "1:holds neither a folder Annotations of annotations nor a .xml file", NULL,
      NULL },
    /* LabelMe */
    { "labelme", "", { "images/a.jpg", "images/b.jpg", "labels/a.json={\"shapes\": [{\"label\": \"dog\", \"points\": "
      "[[1, 2], [3, 4], [0, 9]]}, {\"label\": \"cat\", \"points\": [[1, 2]], \"shape_type\": \"point\"}]}" }, 1, 1,
      "dog", NULL, NULL, NULL },
    { "labelme", "", { "a.jpg", "a.json={\"shapes\": []}" }, 0, 0, NULL, "1:there is no object in it", NULL, NULL },
    /* VisDrone */
    { "visdrone", "", { "images/a.jpg", "images/b.jpg", "annotations/a.txt=1,1,5,5,1,4,0,0\n1,1,5,5,1,6,0,0",
      "annotations/b.txt=1,1,5,5,1,4,0,0\n1,1,5,5,0,0,0,0", "list=b\n", "c=car\n" }, 1, 2, "ignored regions,car,others",
      NULL, "list", "c" },
    { "visdrone", "", { "images/a.jpg", "annotations/a.txt=1,1,5,5,1,4,0,0\n1,1,5,5,1,6,0,0", "c=car\n" }, 1, 1,
      "ignored regions,car,others", NULL, NULL, "c" },
    { "visdrone", "", { "images/a.jpg", "annotations/a.txt=", "c=cars\n" }, 0, 0, NULL, "did you mean 'car'?", NULL,
      "c" },
};

/* A path of the case; NULL stays NULL. */
static const char *of_case(int i, const char *name)
{
    char path[120];
    snprintf(path, sizeof path, "%d/%s", i, name ? name : "");
    return name ? in_folder(path) : NULL;
}

static void convert_reads_layouts(void **state)
{
    (void)state;
    for (int i = 0; i < (int)(sizeof layout_cases / sizeof *layout_cases); i++) {
        const struct layout_case *c = &layout_cases[i];
        const int exit = c->error && strncmp(c->error, "1:", 2) == 0 ? 1 : 2;
        const char *says = c->error ? c->error + (exit == 1 ? 2 : 0) : "";
        struct dataset set;
        struct error err = {0};
        struct strbuf classes = {0};
        for (int k = 0; c->files[k]; k++)
            put(of_case(i, "") + strlen(folder) + 1, c->files[k]);
        const bool ok = dataset_read_layout(&set, c->format, of_case(i, c->source), of_case(i, c->image_list),
                                            of_case(i, c->class_list), &err);
        if (ok != !c->error || (!ok && (err.exit != exit || !strstr(err.text, says))))
            fail_msg("case %d: exit %d: '%s', not '%s'", i, err.exit, err.text, says);
        for (int k = 0; ok && k < set.category_count; k++)
            strbuf_addf(&classes, "%s%s", k ? "," : "", set.categories[k].name);
        if (ok && (set.image_count != c->images || set.annotation_count != c->boxes || strcmp(classes.s, c->classes)))
            fail_msg("case %d: %d images, %d boxes, %s", i, set.image_count, set.annotation_count, classes.s);
        for (int k = 0; ok && k < set.image_count; k++)
            if (set.images[k].width != 20)
                fail_msg("case %d: the image %s was not found", i, set.images[k].file);
        strbuf_free(&classes);
        dataset_free(&set);
    }
}

/* The same folders as img_path and ann_path. */
static void data_keys_read_layouts(void **state)
{
    static const char *const names[] = { "cat", "dog" };
    static const struct { enum dataset_format format; const char *img, *ann, *files[6]; int images, boxes; } cases[] = {
        { DATASET_YOLO, "images/train", "labels/train", { "images/train/a.jpg", "images/val/b.jpg",
          "labels/train/a.txt", "labels/val/b.txt", "labels/train/classes.txt=cat\n" }, 1, 1 },
        { DATASET_YOLO, "set", "set", { "set/a.jpg", "set/a.txt", "set/classes.txt=cat\ndog\n", "set/obj.names=cat" },
          1, 1 },
        { DATASET_YOLO, "images", "labels", { "images/x/a.jpg", "images/y/a.jpg", "labels/x/a.txt", "labels/y/a.txt",
          "images/.cache/c.jpg" }, 2, 2 },
        { DATASET_XML, "set", "set", { "set/a.jpg", "set/a.xml", "set/b.jpg", "set/b.xml", "set/notes.json={}" }, 2,
          4 },
    };
    (void)state;
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        struct dataset set;
        struct error err = {0};
        for (int k = 0; k < 6 && cases[i].files[k]; k++)
            put(of_case(100 + i, "") + strlen(folder) + 1, cases[i].files[k]);
        const struct dataset_source source = {
            .format = cases[i].format, .img_path = of_case(100 + i, cases[i].img),
            .ann_path = of_case(100 + i, cases[i].ann), .class_names = names, .class_count = 2 };
        if (!dataset_read(&set, &source, &err))
            fail_msg("case %d: %s", i, err.text);
        if (set.image_count != cases[i].images || set.annotation_count != cases[i].boxes)
            fail_msg("case %d: %d images, %d boxes", i, set.image_count, set.annotation_count);
        assert_int_equal(set.notes[NOTE_NO_IMAGE].count, 0);
        dataset_free(&set);
    }
}

/* The numbers in text files mean the classes of a list beside them. */
static void yolo_class_order_is_checked(void **state)
{
    static const struct { const char *list, *names[2]; int notes; const char *error; } cases[] = {
        { "classes.txt=cat\nstop sign\n", { "cat", "stop_sign" }, 0, NULL },
        { "classes.txt=cat\ndog\n", { "dog", "cat" }, 0,
          "classes.txt has the class_names in another order: class 0 is 'cat' there, 'dog' in class_names" },
        { "labels/train/classes.txt=cat\ndog\n", { "dog", "cat" }, 0, "in another order" },
        { "data.yaml=names: {0: cat, 1: dog}\n", { "dog", "cat" }, 0, "data.yaml has" },
        { "data.yaml=names: [cat, dog, cow]\n", { "cat", "dog" }, 1, NULL },
        { "data.yaml=nc: 2\n", { "cat", "dog" }, 0, NULL } };
    (void)state;
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        struct dataset set;
        struct error err = {0};
        const char *root = of_case(200 + i, "") + strlen(folder) + 1;
        put(root, "images/train/a.jpg");
        put(root, "labels/train/a.txt");
        put(root, cases[i].list);
        const struct dataset_source source = {
            .format = DATASET_YOLO, .img_path = of_case(200 + i, "images/train"),
            .ann_path = of_case(200 + i, "labels/train"), .class_names = cases[i].names, .class_count = 2 };
        const bool ok = dataset_read(&set, &source, &err);
        if (ok != !cases[i].error || (!ok && (err.exit != 2 || !strstr(err.text, cases[i].error))))
            fail_msg("case %d: '%s'", i, err.text);
        assert_int_equal(set.notes[NOTE_CLASS_LIST].count, cases[i].notes);
        dataset_free(&set);
    }
}

/* ---- lists of images ---- */

static void coco_takes_an_image_list(void **state)
{
    static const char *const json = "coco/set.json={\"categories\": [{\"id\": 1, \"name\": \"cat\"}], \"images\": ["
        "{\"id\": 4, \"file_name\": \"x/a.jpg\"}, {\"id\": 2, \"file_name\": \"y/a.jpg\"}, {\"id\": 3, \"file_name\": "
        "\"y/b.c.jpg\"}], \"annotations\": [{\"id\": 1, \"image_id\": 2, \"category_id\": 1, \"bbox\": [1, 1, 5, 5]}, "
        "{\"id\": 2, \"image_id\": 3, \"category_id\": 1, \"bbox\": [2, 1, 5, 5]}]}";
    static const struct { const char *lines; int images, boxes; const char *error; } cases[] = {
        { "list=y/a\r\n./x/a.jpg\n", 2, 1, NULL },
        { "list=/some/where/b.c.png\n\n", 1, 1, NULL },
        { "list=", 0, 0, NULL },
        { "list=y/a\ny/c\nq.jpg\n", 0, 0, "2 of 3 lines do not name one image of the annotations: y/c, q.jpg" },
        { "list=a.jpg\n", 0, 0, "a.jpg (several images)" },
        { "list=y/a\ny/a.jpg\n", 0, 0, "y/a.jpg (a second time)" } };
    (void)state;
    put("", json);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dataset set;
        struct error err = {0};
        put("coco", cases[i].lines);
        const struct dataset_source source = { .format = DATASET_COCO, .ann_path = in_folder("coco/set.json"),
                                               .image_list = in_folder("coco/list") };
        const bool ok = dataset_read(&set, &source, &err);
        if (ok != !cases[i].error || (!ok && (err.exit != 1 || !strstr(err.text, cases[i].error))))
            fail_msg("case %zu: '%s'", i, err.text);
        if (ok && (set.image_count != cases[i].images || set.annotation_count != cases[i].boxes))
            fail_msg("case %zu: %d images, %d boxes", i, set.image_count, set.annotation_count);
        dataset_free(&set);
    }
}

/* ---- scores of converted sets ---- */

/* Detections near the objects of a set: every other one, with classes mixed up now and then. */
static struct detections detect(const struct dataset *set)
{
    struct detections found = {0};
    for (int i = 0; i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        struct detection d = { a->image, i % 7 == 3 ? 1 - a->category : a->category,
                               { a->box[0] + i % 3 * 0.5, a->box[1], a->box[2], a->box[3] }, 1. / (1 + i) };
        assert_true(detections_add(&found, d, NULL));
    }
    return found;
}

static double average_precision(const struct dataset *truth, const struct detections *found)
{
    static const int usual[3] = { 1, 10, 100 };
    struct coco_score score;
    assert_true(coco_eval(&score, truth, found, usual, &(struct team){ 1 }, NULL));
    const double ap = score.figures[0];
    coco_score_free(&score);
    return ap;
}

static double score_of(const char *file)
{
    cJSON *json = json_of(file);
    const double ap = number(json, "AP");
    cJSON_Delete(json);
    return ap;
}

static double evaluated(const char *truth)
{
    works("eval", truth, in_folder("dets.json"), "--json", in_folder("score.json"), NULL);
    return score_of("score.json");
}

static void make_voc_set(void)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
    char file[700];
    for (int i = 0; i < 6; i++) {
        snprintf(file, sizeof file, "voc/images/%s.jpg", names[i]);
        put("", file);
        snprintf(file, sizeof file, "voc/annots/%s.xml=<annotation><object><name>cat</name><bndbox><xmin>%d</xmin>"
                 "<ymin>1</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object><object><name>dog</name><bndbox><xmin>%d"
                 "</xmin><ymin>2</ymin><xmax>19</xmax><ymax>9</ymax></bndbox></object></annotation>", names[i], i,
                 i + 3);
        put("", file);
    }
    put("", "voc/list.txt=images/e.jpg\nimages/b.jpg\nimages/f.jpg\n");
    put("", "voc/classes=dog\ncat\n");
}

/* The set of `test`: three images of a list, and classes in another order than convert sorts them. */
static struct dataset read_tested_set(void)
{
    static const char *const names[] = { "dog", "cat" };
    struct dataset set;
    struct error err = {0};
    const struct dataset_source source = {
        .format = DATASET_XML, .img_path = in_folder("voc/images"), .ann_path = in_folder("voc/annots"),
        .image_list = in_folder("voc/list.txt"), .class_names = names, .class_count = 2 };
    if (!dataset_read(&set, &source, &err))
        fail_msg("%s", err.text);
    return set;
}

static void score_is_that_of_test(void **state)
{
    char all[100], listed[100], key[4][120];
    (void)state;
    make_voc_set();
    struct dataset tested = read_tested_set();
    struct detections found = detect(&tested);
    assert_true(detections_write(&found, in_folder("dets.json"), &tested, NULL));
    const double want = average_precision(&tested, &found);
    assert_true(want > 0.2 && want < 0.9);

    snprintf(key[0], sizeof *key, "data.val.img_path=%s/voc/images", folder);
    snprintf(key[1], sizeof *key, "data.val.ann_path=%s/voc/annots", folder);
    snprintf(key[2], sizeof *key, "data.val.image_list=%s/voc/list.txt", folder);
    snprintf(key[3], sizeof *key, "data.val.ann_path=%s/all.json", folder);
    works("eval", "configs/demo.yml", in_folder("dets.json"), "data.val.name=XMLDataset", key[0], key[1], key[2],
          "class_names=[dog, cat]", "--json", in_folder("score.json"), NULL);
    assert_true(score_of("score.json") == want);

    snprintf(listed, sizeof listed, "%s", in_folder("listed.json"));
    works("convert", "voc", in_folder("voc"), "--out", listed, "--images", in_folder("voc/list.txt"), NULL);
    assert_true(evaluated(listed) == want);
    works("convert", "voc", in_folder("voc"), "--out", listed, "--images", in_folder("voc/list.txt"), "--classes",
          in_folder("voc/classes"), NULL);
    assert_true(evaluated(listed) == want);

    /* Every image, of which three were not tested. */
    snprintf(all, sizeof all, "%s", in_folder("all.json"));
    works("convert", "voc", in_folder("voc"), "--out", all, NULL);
    refused(1, "was made from 3 images, but the ground truth has 6", "eval", all, in_folder("dets.json"), NULL);
    works("eval", all, in_folder("dets.json"), "--images", in_folder("voc/list.txt"), "--json",
          in_folder("score.json"), NULL);
    assert_true(score_of("score.json") == want);
    /* The whole COCO file with the image list. */
    works("eval", "configs/demo.yml", in_folder("dets.json"), "data.val.name=CocoDataset", key[0], key[3], key[2],
          "class_names=[dog, cat]", "--json", in_folder("score.json"), NULL);
    assert_true(score_of("score.json") == want);
    refused(2, "sets a key of a configuration", "eval", all, in_folder("dets.json"), "data.val.name=CocoDataset", NULL);
    detections_free(&found);
    dataset_free(&tested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convert_reads_layouts),
        cmocka_unit_test(data_keys_read_layouts),
        cmocka_unit_test(yolo_class_order_is_checked),
        cmocka_unit_test(coco_takes_an_image_list),
        cmocka_unit_test(score_is_that_of_test) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
