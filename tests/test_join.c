/* tests/test_join.c -- joining detections with the ground truth, and categories with class_names, by name. */
#include "base/file.h"
#include "base/strbuf.h"
#include "data/dataset_read.h"
#include "eval/coco_eval.h"
#include "eval/detections.h"
#include "typed.h"

static void put(const char *name, const char *text)
{
    struct error err = {0};
    if (!file_write(in_folder(name), text, strlen(text), &err))
        fail_msg("%s", err.text);
}

static struct dataset read_coco(const char *name)
{
    struct dataset set;
    struct error err = {0};
    const struct dataset_source source = { .format = DATASET_COCO, .ann_path = in_folder(name) };
    if (!dataset_read(&set, &source, &err))
        fail_msg("%s", err.text);
    return set;
}

/* ---- detections ---- */

#define IMAGE(id, file) "{\"id\": " #id ", \"file_name\": \"" file "\", \"width\": 100, \"height\": 100}"
#define CATEGORIES "\"categories\": [{\"id\": 1, \"name\": \"cat\"}, {\"id\": 5, \"name\": \"traffic light\"}]"
#define SET(images) "{\"images\": [" images "], " CATEGORIES "}"
#define FOUND(image, file, category, name) "{\"image_id\": " #image file ", \"category_id\": " #category name \
    ", \"bbox\": [1, 2, 3, 4], \"score\": 0.5}"
#define FILE_NAME(name) ", \"file_name\": \"" name "\""
#define CATEGORY(name) ", \"category_name\": \"" name "\""

static const struct joined {
    const char *images, *detections;
    int image, category;                    /* of the last detection, in the ground truth; or */
    const char *error;
} joined[] = {
    /* names decide, whatever the ids are */
    { IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg"), FOUND(1, FILE_NAME("b.jpg"), 9, CATEGORY("cat")), 1, 0, NULL },
    { IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg"), FOUND(9, FILE_NAME("./b.jpg"), 1, CATEGORY("traffic_light")), 1, 1,
      NULL },
    { IMAGE(1, "x/a.jpg") "," IMAGE(2, "y/a.jpg"), FOUND(1, FILE_NAME("y\\\\a.jpg"), 1, ""), 1, 0, NULL },
    { IMAGE(1, "x/a.jpg") "," IMAGE(2, "y/b.jpg"), FOUND(1, FILE_NAME("/data/z/b.jpg"), 1, ""), 1, 0, NULL },
    { IMAGE(1, "\\u00e9.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, FILE_NAME("\xc3\xa9.jpg"), 1, ""), 0, 0, NULL },
    { IMAGE(1, "\xc3\xa9.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, FILE_NAME("\\u00e9.jpg"), 1, ""), 0, 0, NULL },
    /* bytes that are not UTF-8 may be %XX on one side */
    { IMAGE(1, "a\xe9%.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, FILE_NAME("a%E9%25.jpg"), 1, ""), 0, 0, NULL },
    { IMAGE(1, "a%E9%25.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, FILE_NAME("x/a\xe9%.jpg"), 1, ""), 0, 0, NULL },
    { IMAGE(1, "a%20b.jpg") "," IMAGE(2, "a b.jpg"), FOUND(1, FILE_NAME("a b.jpg"), 1, ""), 1, 0, NULL },
    { IMAGE(1, "a.jpg"), FOUND(1, "", 1, CATEGORY("traffic%20light")), 0, 1, NULL },
    /* ids decide where a side has no names, and where base names are not unique but agree */
    { IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, "", 5, ""), 1, 1, NULL },
    { IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, ", \"file_name\": null", 5, ""), 1, 1, NULL },
    { IMAGE(1, "") "," IMAGE(2, ""), FOUND(2, FILE_NAME("b.jpg"), 5, ""), 1, 1, NULL },
    { IMAGE(1, "x/a.jpg") "," IMAGE(2, "y/a.jpg"), FOUND(2, FILE_NAME("a.jpg"), 5, ""), 1, 1, NULL },
    { IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, ", \"image_count\": 2", 5, ""), 1, 1, NULL },
    /* nothing is dropped or guessed */
    { IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg"), FOUND(1, ", \"image_count\": 1", 1, ""), 0, 0,
      "was made from 1 images, but the ground truth has 2" },
    { IMAGE(1, "a.jpg"), FOUND(2, "", 1, ""), 0, 0, "1 of 1 detections belong to no image of the ground truth: "
                                                     "detection 1 (image 2)" },
    { IMAGE(1, "a.jpg"), FOUND(1, FILE_NAME("b.jpg"), 1, ""), 0, 0,
      "detection 1 (image 1 'b.jpg', which is 'a.jpg' there)" },
    { IMAGE(1, "a.jpg"), FOUND(1, FILE_NAME("a.png"), 1, ""), 0, 0, "belong to no image" },
    { IMAGE(1, "a.jpg"), FOUND(1, "", 7, ""), 0, 0,
      "belong to no category of the ground truth: detection 1 (category 7)" },
    { IMAGE(1, "a.jpg"), FOUND(1, "", 1, CATEGORY("dog")), 0, 0, "(category 1 'dog', which is 'cat' there)" },
    { IMAGE(1, "x/a.jpg") "," IMAGE(2, "y/a.jpg"), FOUND(3, FILE_NAME("a.jpg"), 1, ""), 0, 0, "belong to no image" },
    { IMAGE(1, "a.jpg"), FOUND(1, FILE_NAME("x/a.jpg"), 1, "") "," FOUND(1, FILE_NAME("y/a.jpg"), 1, ""), 0, 0,
      "1 of 2 detections belong to no image of the ground truth: detection 2" },
    { IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg"), FOUND(2, FILE_NAME("a.jpg"), 1, "") "," FOUND(1, "", 1, ""), 0, 0,
      "the ids of other detections contradict their names" },
    { IMAGE(1, "a.jpg"), FOUND(1, "", 1, CATEGORY("traffic light")) "," FOUND(1, "", 5, ""), 0, 0,
      "detection 2 has no category_name that belongs to one category (1 of 2 detections)" },
};

static void detections_join_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof joined / sizeof *joined; i++) {
        const struct joined *c = &joined[i];
        struct strbuf gt = {0}, dt = {0};
        struct detections found;
        struct error err = {0};
        strbuf_addf(&gt, SET("%s"), c->images);
        strbuf_addf(&dt, "[%s]", c->detections);
        put("gt.json", gt.s);
        put("dt.json", dt.s);
        struct dataset truth = read_coco("gt.json");
        const bool ok = detections_read(&found, in_folder("dt.json"), &truth, &err);
        if (ok != !c->error || (!ok && (err.exit != 1 || !strstr(err.text, c->error))))
            fail_msg("case %zu: '%s', not '%s'", i, err.text, c->error ? c->error : "");
        const struct detection last = ok ? found.list[found.count - 1] : (struct detection){0};
        if (ok && (last.image != c->image || last.category != c->category))
            fail_msg("case %zu: image %d, category %d", i, last.image, last.category);
        detections_free(&found);
        dataset_free(&truth);
        strbuf_free(&gt);
        strbuf_free(&dt);
    }
}

static void unknown_detections_are_counted(void **state)
{
    struct strbuf dt = {0};
    struct detections found;
    struct error err = {0};
    (void)state;
    put("gt.json", SET(IMAGE(1, "a.jpg")));
    for (int i = 1; i <= 9; i++)
        strbuf_addf(&dt, "%c" FOUND(1, FILE_NAME("%d.jpg"), 1, ""), i == 1 ? '[' : ',', i);
    strbuf_addf(&dt, "]");
    put("dt.json", dt.s);
    strbuf_free(&dt);
    struct dataset truth = read_coco("gt.json");
    assert_false(detections_read(&found, in_folder("dt.json"), &truth, &err));
    assert_non_null(strstr(err.text, "9 of 9 detections"));
    assert_non_null(strstr(err.text, "'3.jpg', which is 'a.jpg' there), ..."));
    dataset_free(&truth);
}

static void text_files_join_by_stem(void **state)
{
    struct detections found;
    struct error err = {0};
    (void)state;
    put("gt.json", SET(IMAGE(1, "x/a.jpg") "," IMAGE(7, "b.png")));
    struct dataset truth = read_coco("gt.json");
    const struct detection one = { .image = 1, .category = 1, .box = { 1. / 3, 2, 3, 4 }, .score = 0.1 };
    struct detections list = {0};
    assert_true(detections_add(&list, one, &err));
    assert_true(detections_write(&list, in_folder("rows/"), &truth, &err));
    assert_true(file_exists(in_folder("rows/a.txt")) && file_exists(in_folder("rows/b.txt")));
    assert_true(detections_read(&found, in_folder("rows"), &truth, &err));
    assert_int_equal(found.count, 1);
    assert_memory_equal(found.list[0].box, one.box, sizeof one.box);
    assert_true(found.list[0].image == 1 && found.list[0].category == 1 && found.list[0].score == one.score);
    detections_free(&found);
    put("rows/c.txt", "");
    put("rows/readme", "");
    assert_false(detections_read(&found, in_folder("rows"), &truth, &err));
    assert_non_null(strstr(err.text, "1 of 3 text files belong to no image of the ground truth; the first is c.txt"));
    detections_free(&list);
    dataset_free(&truth);
}

static void records_have_names(void **state)
{
    struct error err = {0};
    (void)state;
    put("gt.json", SET(IMAGE(1, "x/\\\"a.jpg")));
    struct dataset truth = read_coco("gt.json");
    struct detections list = {0};
    assert_true(detections_add(&list, (struct detection){ .category = 1, .box = { 1, 2, 3, 4 }, .score = 0.5 }, &err));
    assert_true(detections_write(&list, in_folder("names.json"), &truth, &err));
    cJSON *json = json_of("names.json");
    const cJSON *record = cJSON_GetArrayItem(json, 0);
    assert_string_equal(cJSON_GetObjectItem(record, "file_name")->valuestring, "x/\"a.jpg");
    assert_string_equal(cJSON_GetObjectItem(record, "category_name")->valuestring, "traffic light");
    assert_true(number(record, "image_count") == 1);
    assert_true(number(record, "image_id") == 1 && number(record, "category_id") == 5);
    cJSON_Delete(json);
    detections_free(&list);
    dataset_free(&truth);
}

/* ---- classes ---- */

#define BOX(id, category) "{\"id\": " #id ", \"image_id\": 1, \"category_id\": " #category ", \"bbox\": [1, 1, 9, 9]}"
#define CLASS(id, name) "{\"id\": " #id ", \"name\": \"" name "\"}"

static const struct labelled {
    const char *categories, *boxes, *classes[4];
    int label[4];
    int order, unused, absent;              /* notes */
    const char *error;
} labelled[] = {
    { CLASS(1, "b") "," CLASS(2, "a"), BOX(1, 1) "," BOX(2, 2), { "a", "b" }, { 1, 0 }, 0, 0, 0, NULL },
    { CLASS(1, "stop sign") "," CLASS(2, "a"), BOX(1, 1), { "a", "stop_sign" }, { 1, 0 }, 0, 0, 0, NULL },
    { CLASS(0, "animals") "," CLASS(1, "cat") "," CLASS(2, "dog"), BOX(1, 1) "," BOX(2, 2), { "dog", "cat" },
      { -1, 1, 0 }, 0, 1, 0, NULL },                                    /* the root of Roboflow */
    { CLASS(0, "cat") "," CLASS(1, "cat"), BOX(1, 1), { "cat" }, { -1, 0 }, 0, 1, 0, NULL },
    { CLASS(1, "cat"), BOX(1, 1), { "cat", "dog" }, { 0 }, 0, 0, 1, NULL },
    { CLASS(0, "ignored regions") "," CLASS(1, "car") "," CLASS(11, "others"), BOX(1, 0) "," BOX(2, 11), { "car" },
      { -1, 0, -1 }, 0, 0, 0, NULL },
    { CLASS(3, "x") "," CLASS(7, "y"), BOX(1, 3), { "a", "b" }, { 0, 1 }, 2, 0, 0, NULL },      /* as the original */
    { CLASS(1, "Raccoon"), BOX(1, 1), { "raccoon" }, { 0 }, 1, 0, 0, NULL },
    { CLASS(1, "cat") "," CLASS(2, "dgo"), BOX(1, 1) "," BOX(2, 2), { "dog", "cat" }, {0}, 0, 0, 0,
      "category 2 'dgo' has 1 boxes, but class_names does not have it; the nearest class is 'dog'" },
    { CLASS(1, "cat") "," CLASS(2, "cat"), BOX(1, 1) "," BOX(2, 2), { "cat" }, {0}, 0, 0, 0,
      "two categories of the annotations are called 'cat', ids 1 and 2" },
    { CLASS(1, "x") "," CLASS(2, "y"), BOX(1, 1), { "a" }, {0}, 0, 0, 0,
      "class_names has 1 (a), the annotations have 2 (x, y): write the names of the annotations into class_names, "
      "class_names: [x, y]" },
    { CLASS(1, "x"), "", { "a", "b" }, {0}, 0, 0, 0, "class_names has 2 (a, b), the annotations have 1 (x)" },
};

static void categories_join_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof labelled / sizeof *labelled; i++) {
        const struct labelled *c = &labelled[i];
        struct strbuf gt = {0};
        struct error err = {0};
        int label[4], count = 0;
        strbuf_addf(&gt, "{\"images\": [" IMAGE(1, "a.jpg") "], \"categories\": [%s], \"annotations\": [%s]}",
                    c->categories, c->boxes);
        put("gt.json", gt.s);
        strbuf_free(&gt);
        struct dataset set = read_coco("gt.json");
        while (count < 4 && c->classes[count])
            count++;
        const bool ok = dataset_labels(&set, c->classes, count, label, &err);
        if (ok != !c->error || (!ok && (err.exit != 2 || !strstr(err.text, c->error))))
            fail_msg("case %zu: '%s', not '%s'", i, err.text, c->error ? c->error : "");
        for (int k = 0; ok && k < set.category_count; k++)
            if (label[k] != c->label[k])
                fail_msg("case %zu: category %d is class %d", i, k, label[k]);
        if (ok && (set.notes[NOTE_CLASS_ORDER].count != c->order || set.notes[NOTE_UNUSED_CATEGORY].count != c->unused
                   || set.notes[NOTE_ABSENT_CLASS].count != c->absent))
            fail_msg("case %zu: other notes", i);
        dataset_free(&set);
    }
}

/* A class that the annotations do not have gets a category after the others; it is never scored. */
static void absent_class_gets_a_category(void **state)
{
    const char *names[] = { "dog", "cat" };
    struct error err = {0};
    int category[2];
    (void)state;
    put("gt.json", "{\"images\": [" IMAGE(1, "a.jpg") "], \"categories\": [" CLASS(7, "cat") "]}");
    struct dataset set = read_coco("gt.json");
    assert_true(dataset_classes(&set, names, 2, category, &err));
    assert_true(category[0] == 1 && category[1] == 0);
    assert_int_equal(set.categories[1].id, 8);
    assert_string_equal(set.categories[1].name, "dog");
    dataset_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detections_join_by_name),
        cmocka_unit_test(unknown_detections_are_counted),
        cmocka_unit_test(text_files_join_by_stem),
        cmocka_unit_test(records_have_names),
        cmocka_unit_test(categories_join_by_name),
        cmocka_unit_test(absent_class_gets_a_category) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
