/* tests/test_problems.c -- all broken records are reported with their locations; notes name notable findings. */
#include "put.h"

static const char *const classes[] = { "cat", "dog" };

static struct dataset_source source_of(enum dataset_format format, const char *images, const char *annotations)
{
    return (struct dataset_source){ .format = format, .img_path = images, .ann_path = annotations,
                                    .class_names = classes, .class_count = 2 };
}

/* The set cannot be read, and its problems end in these texts, after the folder of the test. */
static void assert_problems(struct dataset_source source, const char *const *texts, int count)
{
    struct dataset set;
    struct error err = {0};
    assert_false(dataset_read(&set, &source, &err));
    assert_int_equal(err.exit, 1);
    assert_int_equal(set.problems.count, count);
    for (int i = 0; i < count; i++) {
        if (!strstr(set.problems.first.list[i], texts[i]))
            fail_msg("'%s', not '%s'", set.problems.first.list[i], texts[i]);
        if (i < 3 && !strstr(err.text, texts[i]))
            fail_msg("no '%s' in '%s'", texts[i], err.text);
    }
    dataset_free(&set);
}

static void coco_reports_all(void **state)
{
    static const char *const texts[] = {
        "a.json:1: image 2 (id 2): width must be a whole number from 0 to 1048576, but is \"x\"",
        "a.json:1: annotation 1 (id 1): bbox must be",
        "not valid JSON: a comma without a value",
        "a.json:1: annotation 3 (id 3): category_id must be a whole number, but is \"1\"",
        "a.json: annotation 5 is of category 7, which does not exist" };
    (void)state;
    struct dataset set;
    put("p/a.json", "{\"images\": [{\"id\": 1}, {\"id\": 2, \"width\": \"x\"}], \"categories\": [{\"id\": 1}], "
        "\"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": []}, {\"id\": 2,, \"area\": 1}, "
        "{\"id\": 3, \"image_id\": 2, \"category_id\": \"1\"}, "
        "{\"id\": 4, \"image_id\": 2, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]}, "
        "{\"id\": 5, \"image_id\": 2, \"category_id\": 7, \"bbox\": [1, 2, 3, 4]}]}");
    const struct dataset_source source = source_of(DATASET_COCO, NULL, in_folder("p/a.json"));
    assert_problems(source, texts, 5);
    assert_false(dataset_read(&set, &source, NULL));    /* what is sound is there */
    assert_int_equal(set.image_count, 2);
    assert_int_equal(set.annotation_count, 1);
    assert_true(set.annotations[0].id == 4 && set.images[0].count == 0 && set.images[1].count == 1);
    dataset_free(&set);
}

/* A broken record of an image is not reported for its annotations, too. */
static void lost_images_are_one_problem(void **state)
{
    static const char *const texts[] = { "b.json:1: image 1: id must be a whole number, but is \"1\"" };
    (void)state;
    put("p/b.json", "{\"images\": [{\"id\": \"1\"}], \"categories\": [{\"id\": 1}], "
        "\"annotations\": [{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]}]}");
    assert_problems(source_of(DATASET_COCO, NULL, in_folder("p/b.json")), texts, 1);
}

static void rows_report_all(void **state)
{
    static const char *const texts[] = {
        "labels/1.txt:1: 4 numbers, too few", "labels/1.txt:3: 'x' is not a number",
        "labels/2.txt:2: 6 numbers, too many" };
    (void)state;
    put("r/labels/1.txt", "0 .5 .5 .5\n0 .5 .5 .5 .5\n0 x .5 .5 .5\n");
    put("r/labels/2.txt", "\n0 .1 .1 .5 .1 .3\n");
    put_image("r/images/1.png", 20, 10);
    put_image("r/images/2.png", 20, 10);
    assert_problems(source_of(DATASET_YOLO, in_folder("r/images"), in_folder("r/labels")), texts, 3);
}

static void xml_reports_all(void **state)
{
    static const char *const texts[] = {
        "xml/1.xml:1: byte 13: the file ends within its XML", "xml/2.xml:1: the object 'a' has no <xmin>",
        "xml/2.xml:2: an object has no <name>", "xml/3.xml: is empty" };
    (void)state;
    put("x/xml/1.xml", "<annotation><obj");
    put("x/xml/2.xml", "<annotation><object><name>a</name></object>\n<object></object></annotation>");
    put("x/xml/3.xml", "");
    put("x/xml/4.xml", "<annotation></annotation>");
    put_image("x/images/4.png", 20, 10);
    assert_problems(source_of(DATASET_XML, in_folder("x/images"), in_folder("x/xml")), texts, 4);
}

static void the_list_of_problems_is_bounded(void **state)
{
    struct dataset set = {0};
    struct error err = {0};
    (void)state;
    assert_true(dataset_sound(&set, "f", &err));
    for (int i = 0; i < 1000; i++)
        dataset_problem(&set, "f:%d: broken", i);
    assert_int_equal(set.problems.count, 1000);
    assert_int_equal(set.problems.first.count, 20);
    assert_false(dataset_sound(&set, "f", &err));
    assert_string_equal(err.text, "f: 1000 problems: f:0: broken; f:1: broken; f:2: broken; ...");
    dataset_free(&set);
}

/* ---- images that are missing, unreadable or without annotations ---- */

static void put_set_of_six(const char *suffix, const char *text)
{
    static const char *const folders[] = { "m/images", "m/ann" };
    char name[64];
    for (int i = 0; i < 2; i++)
        remove_all(in_folder(folders[i]));
    for (int i = 1; i <= 5; i++) {
        snprintf(name, sizeof name, "m/ann/%d%s", i, suffix);
        put(name, text);
    }
    put_image("m/images/1.png", 40, 30);
    put("m/images/2.jpg", "");                          /* empty */
    put("m/images/3.webp", "RIFF1234WEBPVP8 ");         /* of a kind that is not read */
    put("m/images/4.jpg", "<html>");                    /* no image */
    put_image("m/images/6.jpg", 40, 30);                /* without annotations; 5 has no image */
}

/* One rule for all formats: no annotated image vanishes, and what is wrong with it is noted. */
static void no_annotated_image_vanishes(void **state)
{
    static const struct { enum dataset_format format; const char *suffix, *text; int images, boxes; } cases[] = {
        { DATASET_YOLO,     ".txt", "0 .5 .5 .5 .5\n", 6, 1 },
        { DATASET_VISDRONE, ".txt", "1,2,3,4,1,1,0,0\n", 6, 5 },
        { DATASET_XML,      ".xml", "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin>"
          "<xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>", 5, 5 },
    };
    static const char *const notes[] = { "2.jpg: is empty", "3.webp: is a WebP image; convert it to JPEG or PNG",
                                         "4.jpg: is an HTML page", "5.jpg: No such file" };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct dataset set;
        struct error err = {0};
        put_set_of_six(cases[k].suffix, cases[k].text);
        const struct dataset_source source = source_of(cases[k].format, in_folder("m/images"), in_folder("m/ann"));
        if (!dataset_read(&set, &source, &err))
            fail_msg("%s", err.text);
        assert_int_equal(set.image_count, cases[k].images);
        assert_int_equal(set.annotation_count, cases[k].boxes);
        assert_string_equal(set.images[2].file, "3.webp");
        assert_string_equal(set.images[4].file, "5.jpg");
        assert_int_equal(set.notes[NOTE_NO_IMAGE].count, 4);
        for (int i = 0; i < 4; i++)
            if (!strstr(set.notes[NOTE_NO_IMAGE].first.list[i], notes[i]))
                fail_msg("'%s', not '%s'", set.notes[NOTE_NO_IMAGE].first.list[i], notes[i]);
        const bool xml = cases[k].format == DATASET_XML;
        assert_note(&set, NOTE_NO_ANNOTATIONS, !xml, "6.jpg");
        assert_note(&set, NOTE_LEFT_OUT, xml, "6.jpg");
        dataset_free(&set);
    }
}

/* The rows of an image without a size are also checked. */
static void rows_without_a_size_are_checked(void **state)
{
    static const char *const texts[] = { "ann/2.txt:2: 'x' is not a number" };
    (void)state;
    put_set_of_six(".txt", "0 .5 .5 .5 .5\n");
    put("m/ann/2.txt", "0 .5 .5 .5 .5\nx\n");
    assert_problems(source_of(DATASET_YOLO, in_folder("m/images"), in_folder("m/ann")), texts, 1);
}

/* A list names the images, also those that are not there; others do not belong to the set. */
static void lists_name_the_images(void **state)
{
    struct dataset set;
    struct error err = {0};
    (void)state;
    put_set_of_six(".txt", "0 .5 .5 .5 .5\n");
    put("m/list.txt", "x\\1.png\r\nimages/6.jpg\n7.jpg\n");
    struct dataset_source source = source_of(DATASET_YOLO, in_folder("m/images"), in_folder("m/ann"));
    source.image_list = in_folder("m/list.txt");
    assert_true(dataset_read(&set, &source, &err));
    assert_int_equal(set.image_count, 3);
    assert_string_equal(set.images[1].file, "6.jpg");
    assert_string_equal(set.images[2].file, "7.jpg");
    assert_note(&set, NOTE_NO_ANNOTATIONS, 2, "6.jpg");
    assert_note(&set, NOTE_NO_IMAGE, 1, "7.jpg: No such file");
    dataset_free(&set);
}

/* ---- names and sizes ---- */

#define XML(fields) "<annotation>" fields "<object><name>cat</name><bndbox><xmin>-20</xmin><ymin>10</ymin>" \
    "<xmax>40</xmax><ymax>20</ymax></bndbox></object></annotation>"

static void stale_filenames_are_ignored(void **state)
{
    struct dataset set;
    struct error err = {0};
    (void)state;
    put("s/xml/1.xml", XML("<filename>1.png</filename><size><width>10</width><height>10</height></size>"));
    put("s/xml/2.xml", XML("<filename>1.png</filename>"));              /* stale: 1.xml has it */
    put("s/xml/3.xml", XML("<filename>photo%20a.png</filename>"));      /* no other file has it */
    put("s/xml/4.xml", XML("<filename>C:\\x\\4.png</filename>"));
    for (int i = 1; i <= 3; i++)
        put_image(i == 1 ? "s/images/1.png" : i == 2 ? "s/images/2.png" : "s/images/4.png", 60, 40);
    put_image("s/images/photo a.png", 30, 20);
    put_image("s/images/3.png", 60, 40);
    const struct dataset_source source = source_of(DATASET_XML, in_folder("s/images"), in_folder("s/xml"));
    static const char *const files[] = { "1.png", "2.png", "photo a.png", "4.png" };
    if (!dataset_read(&set, &source, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 4; i++)
        assert_string_equal(set.images[i].file, files[i]);
    assert_note(&set, NOTE_STALE_NAME, 1, "2.xml: 1.png");
    assert_note(&set, NOTE_SIZE, 1, "1.png is 60 x 40, annotated as 10 x 10");
    assert_note(&set, NOTE_SAME_IMAGE, 0, "");
    dataset_free(&set);

    put("s/xml/3.xml", XML("<filename>1.png</filename>"));
    assert_int_equal(remove(in_folder("s/images/3.png")), 0);
    assert_true(dataset_read(&set, &source, &err));
    assert_note(&set, NOTE_SAME_IMAGE, 1, "1.png");
    dataset_free(&set);
}

static void coco_files_are_found_by_their_spelling(void **state)
{
    struct dataset set;
    static const char *const files[] = { "d/a b.png", "d\\c.png", "none%20.png" };
    (void)state;
    put("n/a.json", "{\"images\": [{\"id\": 1, \"file_name\": \"d\\\\a%20b.png\"}, {\"id\": 2, \"file_name\":"
        " \"d\\\\c.png\"}, {\"id\": 3, \"file_name\": \"none%20.png\"}]}");
    put_image("n/images/d/a b.png", 4, 4);
    put_image("n/images/d/c.png", 4, 4);
    put_image("n/images/d\\c.png", 4, 4);               /* as written comes first */
    struct dataset_source source = source_of(DATASET_COCO, in_folder("n/images"), in_folder("n/a.json"));
    assert_true(dataset_read(&set, &source, NULL));
    for (int i = 0; i < 3; i++)
        assert_string_equal(set.images[i].file, files[i]);
    dataset_free(&set);
}

/* ---- borders ---- */

/* x -20..40 becomes 0..40: cut, not moved; a box outside has no size left. */
static void boxes_are_clipped_and_not_moved(void **state)
{
    struct dataset set;
    struct error err = {0};
    (void)state;
    put_image("b/images/1.png", 128, 96);
    put("b/labels/1.txt", "0 .05 .5 .2 .2\n0 .95 .5 .2 .2\n0 .5 .5 1.005 .5\n1 64 48 20 10\n");
    struct dataset_source source = source_of(DATASET_YOLO, in_folder("b/images"), in_folder("b/labels"));
    assert_true(dataset_read(&set, &source, &err));
    static const double want[4][4] = { { 0, 38, 19, 19 }, { 109, 38, 19, 19 }, { 0, 24, 128, 48 }, { 128, 96, 0, 0 } };
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            assert_true(set.annotations[i].box[j] == want[i][j]);
    assert_true(set.annotations[0].area == 361);
    assert_note(&set, NOTE_BORDER, 2, "1.png line 1");
    assert_note(&set, NOTE_OUTSIDE, 1, "1.png line 4");
    assert_note(&set, NOTE_DEGENERATE, 0, "");
    dataset_free(&set);

    put("b/xml/1.xml", XML(""));
    source = source_of(DATASET_XML, in_folder("b/images"), in_folder("b/xml"));
    assert_true(dataset_read(&set, &source, &err));
    static const double box[4] = { 0, 10, 40, 10 };
    assert_memory_equal(set.annotations[0].box, box, sizeof box);
    assert_note(&set, NOTE_BORDER, 1, "1.png line 1");
    dataset_free(&set);
}

/* COCO's boxes are evaluated as they are. */
static void coco_boxes_are_not_clipped(void **state)
{
    struct dataset set;
    static const double box[4] = { -20, 10, 60, 10 };
    (void)state;
    put("b/a.json", "{\"images\": [{\"id\": 1, \"width\": 128, \"height\": 96}], \"categories\": [{\"id\": 1}],"
        "\"annotations\": [{\"id\": 8, \"image_id\": 1, \"category_id\": 1, \"bbox\": [-20, 10, 60, 10]},"
        "{\"id\": 9, \"image_id\": 1, \"category_id\": 1, \"bbox\": [120, 90, 128, 96]}]}");
    const struct dataset_source source = source_of(DATASET_COCO, NULL, in_folder("b/a.json"));
    assert_true(dataset_read(&set, &source, NULL));
    assert_memory_equal(set.annotations[0].box, box, sizeof box);
    assert_note(&set, NOTE_BORDER, 1, " annotation 8");
    assert_note(&set, NOTE_OUTSIDE, 1, " annotation 9");
    dataset_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coco_reports_all),
        cmocka_unit_test(lost_images_are_one_problem),
        cmocka_unit_test(rows_report_all),
        cmocka_unit_test(xml_reports_all),
        cmocka_unit_test(the_list_of_problems_is_bounded),
        cmocka_unit_test(no_annotated_image_vanishes),
        cmocka_unit_test(rows_without_a_size_are_checked),
        cmocka_unit_test(lists_name_the_images),
        cmocka_unit_test(stale_filenames_are_ignored),
        cmocka_unit_test(coco_files_are_found_by_their_spelling),
        cmocka_unit_test(boxes_are_clipped_and_not_moved),
        cmocka_unit_test(coco_boxes_are_not_clipped),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
