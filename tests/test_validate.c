/* tests/test_validate.c -- validation of data sets (data/validate.h): errors in training and in scoring, notes, and
 * the summary of a set. */
#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/validate.h"
#include "put.h"

static const char *const class_names[] = { "cat", "dog" };

static struct data_config config(void)
{
    static char images[300];
    snprintf(images, sizeof images, "%s", in_folder("images"));
    return (struct data_config){ .img_path = images, .input_size = { 100, 80 }, .resize = RESIZE_STRETCH };
}

/* Reads a COCO file whose annotations are `boxes`, rows of IMAGE CATEGORY X Y W H IGNORE, and checks the set. */
static bool check_boxes(struct dataset *set, const char *boxes, enum set_use use, struct error *err)
{
    const struct data_config c = config();
    int label[2], image, category, ignore, n, count = 0;
    double box[4];
    struct strbuf json = {0};
    strbuf_addf(&json, "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}, {\"id\": 2, \"file_name\": \"b.png\"}],"
                    "\"categories\": [{\"id\": 1, \"name\": \"cat\"}, {\"id\": 2, \"name\": \"dog\"}],"
                    "\"annotations\": [");
    for (; sscanf(boxes, "%d %d %lf %lf %lf %lf %d%n", &image, &category, &box[0], &box[1], &box[2], &box[3], &ignore,
                  &n) == 7; boxes += n, count++)
        strbuf_addf(&json, "%s{\"id\": %d, \"image_id\": %d, \"category_id\": %d, \"bbox\": [%g, %g, %g, %g], "
                        "\"ignore\": %d}",
                 count ? ", " : "", count + 1, image, category, box[0], box[1], box[2], box[3], ignore);
    strbuf_addf(&json, "]}");
    put("set.json", json.s);
    strbuf_free(&json);
    const struct dataset_source source = { .format = DATASET_COCO, .img_path = c.img_path,
                                           .ann_path = in_folder("set.json") };
    assert_true(dataset_read(set, &source, err) && dataset_labels(set, class_names, 2, label, err));
    const struct validation v = { .use = use, .path = "set.json", .label = label, .config = &c, .threads = 2 };
    return dataset_validate(set, &v, err);
}

/* error: "" if the set is good for both uses. */
static void errors_of_validation(void **state)
{
    static const struct { const char *boxes, *training, *scoring; } cases[] = {
        { "1 1 2 3 20 20 0  2 2 5 5 9 9 0", "", "" },
        { "", "no box to learn from in 2 images", "no box to score in 2 images" },
        { "1 1 2 3 0 20 0  1 2 2 2 9 0.5 0", "left out: 2 degenerate (a.png annotation 1)", "no box to score in 2" },
        { "1 1 2 3 20 20 1", "left out: 1 to be ignored", "no box to score in 2 images; left out: 1 to be ignored" },
        { "1 1 31 3 40 10 0  1 1 60 3 70 9 0  1 1 2 3 4 5 0", "2 of 3 boxes lie wholly or mostly outside", "2 of 3" },
        { "1 1 31 3 40 10 0  1 1 2 2 9 9 0", "", "" },
        {0} };
    (void)state;
    put_image("images/a.png", 50, 40);
    put_image("images/b.png", 20, 10);
    for (int i = 0; cases[i].boxes; i++)
        for (int use = USE_TRAINING; use <= USE_SCORING; use++) {
            const char *want = use == USE_TRAINING ? cases[i].training : cases[i].scoring;
            struct dataset set;
            struct error err = {0};
            const bool ok = check_boxes(&set, cases[i].boxes, (enum set_use)use, &err);
            if (ok != !*want || (*want && !strstr(err.text, want)) || (*want && err.exit != 1))
                fail_msg("case %d, use %d: '%s'", i, use, err.text);
            dataset_free(&set);
        }
    struct dataset set;
    struct error err = {0};
    assert_true(check_boxes(&set, "", USE_CONVERSION, &err));
    dataset_free(&set);
}

static void notes_of_validation(void **state)
{
    static const char boxes[] = "1 1 2 3 20 20 0  1 2 2 3 20 20 0  1 1 2 3 20 20 0  2 1 1 1 0.5 5 0  1 1 4 4 1 9 0 "
                                "1 1 4 4 1.5 9 0  1 1 40 3 30 10 0";
    struct dataset set;
    struct error err = {0};
    struct string_list notes = {0};
    (void)state;
    put_image("images/a.png", 50, 40);
    put_image("images/b.png", 20, 10);
    assert_true(check_boxes(&set, boxes, USE_TRAINING, &err));
    assert_note(&set, NOTE_DUPLICATE, 1, "a.png annotation 3");
    assert_note(&set, NOTE_DEGENERATE, 1, "b.png annotation 4");
    assert_note(&set, NOTE_SMALL, 0, "");               /* 1 pixel of 50 is 2 of 100 */
    assert_note(&set, NOTE_OUTSIDE, 1, "a.png annotation 7");
    assert_true(dataset_notes(&set, "data.train", &notes, &err));
    assert_has_line(&notes, "WARNING: data.train: 1 boxes wholly or mostly outside of their image: a.png");
    assert_has_line(&notes, "data.train: 1 boxes equal to another of the same image and class: a.png");
    string_list_free(&notes);
    dataset_free(&set);
    put_image("images/a.png", 60, 40);
    assert_true(check_boxes(&set, boxes, USE_TRAINING, &err));
    assert_note(&set, NOTE_SMALL, 1, "a.png annotation 5");
    dataset_free(&set);
}

static void unreadable_images(void **state)
{
    struct dataset set;
    struct error err = {0};
    (void)state;
    put_image("images/a.png", 50, 40);
    put("images/b.png", "GIF89a");
    assert_true(check_boxes(&set, "1 1 2 3 20 20 0  2 1 2 3 9 9 0", USE_TRAINING, &err));
    assert_note(&set, NOTE_NO_IMAGE, 1, "b.png");
    dataset_free(&set);
    assert_false(check_boxes(&set, "1 1 2 3 20 20 0", USE_SCORING, &err));
    assert_non_null(strstr(err.text, "b.png"));
    dataset_free(&set);
    assert_false(check_boxes(&set, "2 1 2 3 20 20 0", USE_TRAINING, &err));
    assert_non_null(strstr(err.text, "left out: 1 in images that cannot be read"));
    assert_non_null(strstr(err.text, "b.png"));
    dataset_free(&set);
}

static void misspelled_classes(void **state)
{
    struct dataset set = {0};
    struct error err = {0};
    char ann_path[300];
    (void)state;
    put_image("voc/a.png", 50, 40);
    put("voc/a.xml", "<annotation><filename>a.png</filename><object><name>Dog</name><bndbox><xmin>1</xmin>"
                     "<ymin>2</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object></annotation>");
    snprintf(ann_path, sizeof ann_path, "%s", in_folder("voc"));
    const struct dataset_source source = { .format = DATASET_XML, .img_path = ann_path, .ann_path = ann_path,
                                           .class_names = class_names, .class_count = 2 };
    assert_true(dataset_read(&set, &source, &err));
    assert_note(&set, NOTE_UNKNOWN_CLASS, 1, "a.xml:1: 'Dog', the nearest class is 'dog'");
    assert_false(dataset_validate(&set, &(struct validation){ .use = USE_TRAINING, .path = ann_path }, &err));
    assert_non_null(strstr(err.text, "1 of a class that class_names does not have (/"));
    assert_non_null(strstr(err.text, "'Dog', the nearest class is 'dog')"));
    dataset_free(&set);
}

static void images_of_both_sets(void **state)
{
    struct dataset training, validation;
    struct error err = {0};
    (void)state;
    put_image("images/a.png", 50, 40);
    put_image("images/b.png", 20, 10);
    put_image("other/a.png", 50, 40);
    put_image("other/b.png", 500, 10);
    assert_true(check_boxes(&training, "1 1 2 3 20 20 0", USE_TRAINING, &err));
    assert_true(check_boxes(&validation, "1 1 2 3 20 20 0", USE_SCORING, &err));
    char other[300];
    snprintf(other, sizeof other, "%s", in_folder("other"));
    assert_true(dataset_note_shared(&training, config().img_path, &validation, other, &err));
    assert_note(&training, NOTE_BOTH_SETS, 1, "a.png");
    dataset_free(&training);
    dataset_free(&validation);
}

static void summary_of_validation(void **state)
{
    static const struct strings names = { 2, class_names };
    static const int label[2] = { 0, 1 };
    const struct data_config c = config();
    struct dataset set;
    struct error err = {0};
    struct strbuf text = {0};
    (void)state;
    put_image("images/a.png", 50, 40);
    put_image("images/b.png", 20, 10);
    assert_true(check_boxes(&set, "1 1 2 3 20 20 0  1 2 2 3 5 20 0  1 1 2 3 30 30 1", USE_TRAINING, &err));
    dataset_summary(&set, "data.train", &c, label, &names, &text);
    assert_string_equal(text.s, "data.train: 2 images, 1 without a box; 3 boxes, cat 1, dog 1, to be ignored 1\n"
                                "data.train: box sizes at 100 x 80 (root of the area): 10% below 20 pixels, 50% "
                                "below 40, 90% below 40\n");
    strbuf_free(&text);
    struct data_config tiled = c;
    tiled.tiles.size = (struct ints){ 2, { 25, 20 } };
    dataset_summary(&set, "data.train", &tiled, label, &names, &text);
    assert_non_null(strstr(text.s, "10% below 40 pixels, 50% below 80"));       /* twice as large in a tile */
    strbuf_free(&text);
    dataset_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_validation), cmocka_unit_test(notes_of_validation),
        cmocka_unit_test(unreadable_images), cmocka_unit_test(misspelled_classes),
        cmocka_unit_test(images_of_both_sets), cmocka_unit_test(summary_of_validation) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
