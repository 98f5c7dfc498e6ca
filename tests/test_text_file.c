/* tests/test_text_file.c -- text files of any encoding and line end: decoding, and equal results of every reader. */
#include "base/file.h"
#include "base/strbuf.h"
#include "base/text_file.h"
#include "eval/detections.h"
#include "put.h"

struct literal { const char *s; size_t size; };
#define LITERAL(s) { s, sizeof s - 1 }

static void texts_are_decoded(void **state)
{
    static const struct { struct literal in; const char *out; } cases[] = {
        { LITERAL(""),                                          "" },
        { LITERAL("a\n"),                                       "a\n" },
        { LITERAL("\xef\xbb\xbf" "a"),                          "a" },
        { LITERAL("\xef\xbb\xbf"),                              "" },
        { LITERAL("a\r\nb\rc\r"),                               "a\nb\nc\n" },
        { LITERAL("a\r\r\n\nb"),                                "a\n\n\nb" },
        { LITERAL("\xff\xfe" "a\0\r\0\n\0\xe9\0"),              "a\n\xc3\xa9" },
        { LITERAL("\xfe\xff" "\0a\0\r\0b"),                     "a\nb" },
        { LITERAL("\xff\xfe" "\xac\x20\x3d\xd8\x00\xde"),       "\xe2\x82\xac\xf0\x9f\x98\x80" },   /* a pair */
        { LITERAL("\xff\xfe" "\x3d\xd8" "a\0\x00\xde"),         "\xef\xbf\xbd" "a" "\xef\xbf\xbd" }, /* no pair */
        { LITERAL("\xff\xfe" "a\0b"),                           "a" },
        { LITERAL("\xff\xfe"),                                  "" },
        { LITERAL("caf\xe9"),                                   "caf\xe9" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes text = { calloc(1, cases[i].in.size + 1), cases[i].in.size };
        assert_non_null(text.p);
        memcpy(text.p, cases[i].in.s, text.size);
        assert_true(text_decode(&text, "f", NULL));
        if (text.size != strlen(cases[i].out) || strcmp((const char *)text.p, cases[i].out) != 0)
            fail_msg("case %zu: '%s' of %zu bytes, not '%s'", i, (const char *)text.p, text.size, cases[i].out);
        bytes_free(&text);
    }
}

static void utf8_is_told_from_1252(void **state)
{
    static const struct { const char *text; bool utf8; const char *as_utf8; } cases[] = {
        { "", true, "" }, { "cat", true, "cat" }, { "\xc3\xa9", true, NULL }, { "\xf0\x9f\x98\x80", true, NULL },
        { "caf\xe9", false, "caf\xc3\xa9" }, { "\x80 \x9f", false, "\xe2\x82\xac \xc5\xb8" },
        { "\xc3", false, "\xc3\x83" }, { "\xc0\x80", false, NULL }, { "\xed\xa0\x80", false, NULL },
        { "\xf4\x90\x80\x80", false, NULL }, { "\xe0\x80\x80", false, NULL }, { "\xff", false, "\xc3\xbf" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(text_is_utf8(cases[i].text), cases[i].utf8);
        char *converted = text_from_1252(cases[i].text, NULL);
        assert_true(text_is_utf8(converted));
        if (cases[i].as_utf8)
            assert_string_equal(converted, cases[i].as_utf8);
        free(converted);
    }
}

static void names_are_spelled(void **state)
{
    static const struct { const char *name, *spelling[SPELLINGS]; } cases[] = {
        { "a.jpg",           { "a.jpg", "a.jpg", "a.jpg" } },
        { "d\\e\\a%20b.jpg", { "d\\e\\a%20b.jpg", "d/e/a%20b.jpg", "d/e/a b.jpg" } },
        { "100%.jpg",        { "100%.jpg", "100%.jpg", "100%.jpg" } },
        { "%C3%a9%00%zz%",   { "%C3%a9%00%zz%", "%C3%a9%00%zz%", "\xc3\xa9%00%zz%" } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < SPELLINGS; k++) {
            char *spelled = file_spelling(cases[i].name, k, NULL);
            assert_string_equal(spelled, cases[i].spelling[k]);
            free(spelled);
        }
}

/* UTF-8 is unchanged, "%41" too; other bytes are restored by decoding. */
static void any_bytes_become_utf8(void **state)
{
    static const struct { const char *bytes, *utf8; bool comes_back; } cases[] = {
        { "", "", true }, { "a%41.jpg", "a%41.jpg", false }, { "\xc3\xa9%", "\xc3\xa9%", true },
        { "a%41\xe9.jpg", "a%2541%E9.jpg", true }, { "\xc3\xa9\xc3", "\xc3\xa9%C3", true },
        { "\x9b\xff%", "%9B%FF%25", true }, { "\xed\xa0\x80", "%ED%A0%80", true } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf t = {0};
        strbuf_add_utf8(&t, cases[i].bytes, strlen(cases[i].bytes));
        strbuf_addf(&t, "%s", "");
        assert_string_equal(t.s, cases[i].utf8);
        percent_decode(t.s);
        assert_int_equal(strcmp(t.s, cases[i].bytes) == 0, cases[i].comes_back);
        strbuf_free(&t);
    }
}

/* ---- each reader with each encoding ---- */

enum { ENCODINGS = 6 };

/* ASCII text with "\n" at the end of lines: 0 as it is, 1 with a mark, 2 and 3 as UTF-16, 4 with CR LF, 5 with CR. */
static void put_encoded(const char *name, const char *text, int encoding)
{
    static const struct literal marks[ENCODINGS] = { [1] = LITERAL("\xef\xbb\xbf"), [2] = LITERAL("\xff\xfe"),
                                                     [3] = LITERAL("\xfe\xff") };
    struct strbuf out = {0};
    strbuf_add(&out, marks[encoding].s, marks[encoding].size);
    for (const char *s = text; *s; s++) {
        if (encoding == 3)
            strbuf_add(&out, "", 1);
        if (encoding == 4 && *s == '\n')
            strbuf_add(&out, "\r", 1);
        strbuf_add(&out, encoding == 5 && *s == '\n' ? "\r" : s, 1);
        if (encoding == 2)
            strbuf_add(&out, "", 1);
    }
    put_bytes(name, out.s, out.size);
    strbuf_free(&out);
}

static void check_set(const struct dataset_source *source, int encoding)
{
    struct dataset set;
    struct error err = {0};
    if (!dataset_read(&set, source, &err))
        fail_msg("encoding %d: %s", encoding, err.text);
    assert_int_equal(set.image_count, 1);
    assert_string_equal(set.images[0].file, "a.jpg");
    assert_int_equal(set.annotation_count, 1);
    static const double box[4] = { 10, 20, 30, 8 };
    assert_memory_equal(set.annotations[0].box, box, sizeof box);
    assert_string_equal(set.categories[set.annotations[0].category].name, "pedestrian");
    dataset_free(&set);
}

static void readers_take_every_encoding(void **state)
{
    static const char *const names[] = { "pedestrian" };
    static const struct { enum dataset_format format; const char *file, *text; } formats[] = {
        { DATASET_YOLO, "e/yolo/a.txt", "0 0.25 0.5 0.3 0.16666667\n" },
        { DATASET_VISDRONE, "e/visdrone/a.txt", "10,20,30,8,1,1,0,0\n" },
        { DATASET_XML, "e/voc/a.xml", "<annotation>\n<object><name>pedestrian</name><bndbox>\n<xmin>10</xmin>"
          "<ymin>20</ymin><xmax>40</xmax><ymax>28</ymax></bndbox></object></annotation>\n" },
        { DATASET_LABELME, "e/labelme/a.json", "{\"imagePath\": \"a.jpg\",\n\"shapes\": [{\"label\": \"pedestrian\","
          " \"shape_type\": \"rectangle\", \"points\": [[10, 28], [40, 20]]}]}\n" },
        { DATASET_COCO, "e/a.json", "{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}],\n\"categories\":"
          " [{\"id\": 1, \"name\": \"pedestrian\"}], \"annotations\": [\n{\"image_id\": 1, \"category_id\": 1,"
          " \"bbox\": [10, 20, 30, 8]}]}\n" },
    };
    (void)state;
    put_image("e/images/a.jpg", 100, 48);
    put_image("e/images/b.jpg", 100, 48);
    for (int k = 0; k < ENCODINGS; k++)
        for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
            char path[300];
            snprintf(path, sizeof path, "%s", in_folder(formats[i].file));
            put_encoded(formats[i].file, formats[i].text, k);
            put_encoded("e/list.txt", "\nimages/a.jpg \n", k);
            if (formats[i].format != DATASET_COCO)
                *strrchr(path, '/') = 0;
            const struct dataset_source source = {
                .format = formats[i].format, .img_path = in_folder("e/images"), .ann_path = path,
                .image_list = formats[i].format == DATASET_COCO ? NULL : in_folder("e/list.txt"),
                .class_names = names, .class_count = 1 };
            check_set(&source, k);
        }
}

static void class_lists_take_every_encoding(void **state)
{
    struct dataset set;
    (void)state;
    put_image("c/images/a.jpg", 40, 30);
    put("c/labels/a.txt", "");
    for (int k = 0; k < ENCODINGS; k++) {
        put_encoded("c/classes.txt", "cat\n big dog \n\n", k);
        assert_true(dataset_read_folder(&set, "yolo", in_folder("c"), NULL));
        assert_int_equal(set.category_count, 2);
        assert_string_equal(set.categories[0].name, "cat");
        assert_string_equal(set.categories[1].name, "big dog");
        dataset_free(&set);
    }
    put("c/classes.txt", "caf\xe9\n\xc3\xa9t\xc3\xa9\n");
    assert_true(dataset_read_folder(&set, "yolo", in_folder("c"), NULL));
    assert_string_equal(set.categories[0].name, "caf\xc3\xa9");
    assert_string_equal(set.categories[1].name, "\xc3\xa9t\xc3\xa9");
    assert_note(&set, NOTE_ENCODING, 1, "caf\xc3\xa9");
    dataset_free(&set);
}

static void detections_take_every_encoding(void **state)
{
    static const char *const list = "[{\"image_id\": 1, \"category_id\": 1,\n"
                                   "\"bbox\": [1, 2, 3, 4], \"score\": 0.5}]\n";
    struct dataset truth;
    struct detections found;
    struct error err = {0};
    const struct dataset_source source = { .format = DATASET_COCO, .ann_path = in_folder("d.json") };
    (void)state;
    put("d.json", "{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}], "
        "\"categories\": [{\"id\": 1, \"name\": \"a\"}]}");
    assert_true(dataset_read(&truth, &source, &err));
    for (int k = 0; k < 2 * ENCODINGS; k++) {
        put_encoded(k % 2 ? "dets/a.txt" : "dets.json", k % 2 ? "1,2,3,4,0.5,1,-1,-1\n" : list, k / 2);
        if (!detections_read(&found, in_folder(k % 2 ? "dets" : "dets.json"), &truth, &err))
            fail_msg("encoding %d: %s", k / 2, err.text);
        assert_int_equal(found.count, 1);
        assert_true(found.list[0].box[3] == 4 && found.list[0].score == 0.5);
        detections_free(&found);
    }
    dataset_free(&truth);
}

/* Class names of XML that is not UTF-8: as declared, else Windows-1252. */
static void xml_of_other_encodings(void **state)
{
    static const struct { const char *declaration, *name; int notes; } files[] = {
        { "", "caf\xe9", 1 }, { "", "caf\xc3\xa9", 0 }, { "<?xml version='1.0' encoding='ISO-8859-1'?>", "caf\xe9", 0 },
        { "<?xml version='1.0' encoding='windows-1252'?>", "caf\xe9", 0 },
        { "<?xml version='1.0' encoding='latin1'?>", "caf\xc3\xa9", 0 } };
    static const char *const names[] = { "caf\xc3\xa9" };
    (void)state;
    put_image("x/images/a.jpg", 100, 48);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct strbuf xml = {0};
        struct dataset set;
        struct error err = {0};
        strbuf_addf(&xml, "%s<annotation><object><name>%s</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax>"
                    "<ymax>20</ymax></bndbox></object></annotation>", files[i].declaration, files[i].name);
        put("x/xml/a.xml", xml.s);
        const struct dataset_source source = {
            .format = DATASET_XML, .img_path = in_folder("x/images"), .ann_path = in_folder("x/xml"),
            .class_names = names, .class_count = 1 };
        if (!dataset_read(&set, &source, &err))
            fail_msg("%s", err.text);
        assert_int_equal(set.annotation_count, 1);
        assert_note(&set, NOTE_ENCODING, files[i].notes, "a.xml");
        dataset_free(&set);
        strbuf_free(&xml);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_decoded),
        cmocka_unit_test(utf8_is_told_from_1252),
        cmocka_unit_test(names_are_spelled), cmocka_unit_test(any_bytes_become_utf8),
        cmocka_unit_test(readers_take_every_encoding),
        cmocka_unit_test(class_lists_take_every_encoding),
        cmocka_unit_test(detections_take_every_encoding),
        cmocka_unit_test(xml_of_other_encodings),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
