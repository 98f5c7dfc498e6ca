/* tests/test_detections.c -- reading and writing numbers and lists of detections. */
#include "base/file.h"
#include "base/random.h"
#include "eval/scan.h"
#include "scores.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool scan_text(const char *text, double *out)
{
    struct scan s = { text, text + strlen(text) };
    return scan_number(&s, out) && scan_end(&s);
}

static void same_as_strtod(const char *text)
{
    double v = 0;
    if (!scan_text(text, &v) || memcmp(&v, &(double){ strtod(text, NULL) }, sizeof v) != 0)
        fail_msg("%s was read as %.17g", text, v);
}

static void test_numbers(void **state)
{
    static const char *const good[] = {
        "0", "-0", "7", "0.1", "-12.75", "1e22", "1e23", "1E-22", "1e-23", "9007199254740992", "9007199254740993",
        "123456789012345678901234567890", "0.000000000000000000000000000000000001", "1.7976931348623157e308", "5e-324",
        "2.2250738585072011e-308", "1e-400", "0e9999999999999999999", "12345678901234567890e-20", "0.5e+3" };
    static const char *const bad[] = {
        "", "-", "+1", "01", ".5", "1.", "1e", "1e+", "nan", "inf", "0x10", "1e400", "1 2" };
    const uint64_t seed = 1;
    struct random random = random_of(seed, 0, 0);
    char text[64];
    double v;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        same_as_strtod(good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (scan_text(bad[i], &v))
            fail_msg("'%s' was read as %.17g", bad[i], v);
    for (int i = 0; i < 20000; i++) {
        const double x = random_range(&random, -2000, 2000) * pow(10, random_below(&random, 40) - 20);
        snprintf(text, sizeof text, random_below(&random, 2) ? "%.*g" : "%.*f", 1 + random_below(&random, 17), x);
        same_as_strtod(text);
    }
}

static const struct box one_object[] = { { 0, 1, { 10, 10, 20, 20 }, 1 } };

static bool parse(const char *text, struct detections *found, const struct dataset *truth, struct error *err)
{
    *found = (struct detections){0};
    return detections_parse(found, (struct bytes){ (unsigned char *)(uintptr_t)text, strlen(text) }, "f", truth, err);
}

static void test_parse(void **state)
{
    static const char text[] =
        " [ {\"image_id\": 0, \"category_id\" :1,\"bbox\":[1,2.5,3e0,4],\"score\":0.25},\n"
        "{\"segmentation\":[[1,{\"a\":\"]\\\"\"}],true,null,-1.5],\"score\":1,\"bbox\":[0,0,1,1],\"category_id\":9.0,"
        "\"image_id\":1}]\n";
    struct dataset truth = make_truth(2, one_object, 1, 1);
    struct detections found;
    struct error err = {0};
    (void)state;
    assert_true(parse(text, &found, &truth, &err));
    assert_int_equal(found.count, 2);
    assert_int_equal(found.list[0].category, 1);
    assert_true(found.list[0].box[1] == 2.5 && found.list[0].box[2] == 3 && found.list[0].score == 0.25);
    assert_int_equal(found.list[1].image, 1);
    assert_int_equal(found.list[1].category, 9);
    detections_free(&found);
    assert_true(parse("[]", &found, &truth, &err));
    assert_int_equal(found.count, 0);
    detections_free(&found);
    dataset_free(&truth);
}

#define REST "\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":0.5"

static void test_parse_refuses(void **state)
{
    static const struct { const char *text, *says; } cases[] = {
        { "", "f: not a list" }, { "{}", "not a list" }, { "[", "detection 1" }, { "[1]", "detection 1" },
        { "[] 1", "something follows" }, { "[{}]", "detection 1" }, { "[{\"image_id\":0," REST "},]", "detection 2" },
        { "[{\"image_id\":0," REST "}", "after detection 1" }, { "[{\"image_id\":0," REST "}]]", "after detection 1" },
        { "[{\"image_id\":7," REST "}]", "detection 1 (image 7)" },
        { "[{\"image_id\":0,\"category_id\":12,\"bbox\":[1,2,3,4],\"score\":1}]", "no category" },
        { "[{\"image_id\":0,\"file_name\":5," REST "}]", "detection 1" },
        { "[{\"image_id\":0,\"file_name\":\"\\x\"," REST "}]", "detection 1" },
        { "[{\"image_id\":0.5," REST "}]", "detection 1" },
        { "[{\"image_id\":1e300," REST "}]", "detection 1" }, { "[{\"image_id\":\"0\"," REST "}]", "detection 1" },
        { "[{" REST "}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3],\"score\":1}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3,4,5],\"score\":1}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3,NaN],\"score\":1}]", "detection 1" },
        { "[{\"image_id\":0,\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":1e999}]", "detection 1" },
        { "[{\"image_id\":0,\"x\":\"\\", "detection 1" },
        { "[{\"image_id\":0,\"x\":[1,}]," REST "}]", "detection 1" },
        { "[{}, {\"image_id\":0," REST "}, 7]",
          "2 of the detections cannot be used: detection 1 at byte 2; detection 3" },
        { "[{}, {\"image_id\":0," REST "}, {]", "detection 3 is not JSON" } };
    struct dataset truth = make_truth(1, one_object, 1, 1);
    char deep[400] = "[{\"x\":";
    (void)state;
    memset(deep + strlen(deep), '[', 300);
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        const bool last = i == sizeof cases / sizeof *cases;
        const char *text = last ? deep : cases[i].text, *says = last ? "detection 1" : cases[i].says;
        struct detections found;
        struct error err = {0};
        if (parse(text, &found, &truth, &err) || err.exit != 1 || !strstr(err.text, says))
            fail_msg("%s: says '%s', not '%s'", text, err.text, says);
        detections_free(&found);
    }
    dataset_free(&truth);
}

static void write_text(const char *path, const char *text)
{
    assert_true(file_write(path, text, strlen(text), NULL));
}

static void text_refused(const char *folder, const struct dataset *truth, const char *says)
{
    struct detections found;
    struct error err = {0};
    if (detections_read(&found, folder, truth, &err) || err.exit != 1 || !strstr(err.text, says) || found.count)
        fail_msg("'%s', not '%s'", err.text, says);
}

static void test_files(void **state)
{
    char folder[] = "/tmp/nanodet_eval_XXXXXX", path[64];
    const struct box list[] = { { 1, 3, { 1.0 / 3, 0.1, 1e-5, 123456.789 }, 0.7 }, { 0, 11, { 0, 0, 1, 1 }, 1e-300 } };
    struct dataset truth = make_truth(2, one_object, 1, 1), one = make_truth(1, one_object, 1, 1);
    struct detections found = make_found(list, 2), again;
    struct error err = {0};
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/d.json", folder);
    assert_true(detections_write(&found, path, &truth, &err) && detections_read(&again, path, &truth, &err));
    assert_int_equal(again.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(again.list[i].image, list[i].image);
        assert_int_equal(again.list[i].category, list[i].category);
        assert_true(memcmp(again.list[i].box, list[i].box, sizeof list[i].box) == 0);
        assert_true(again.list[i].score == list[i].score);
    }
    detections_free(&again);
    assert_false(detections_read(&again, "/nowhere.json", &truth, &err));
    unlink(path);
    snprintf(path, sizeof path, "%s/a.txt", folder);
    write_text(path, "1,2,3,4,0.5,1,-1,-1\r\n\n5 6 7 8 0.25 11\n");
    assert_true(detections_read(&again, folder, &one, &err));
    assert_int_equal(again.count, 2);
    assert_true(again.list[0].score == 0.5 && again.list[1].box[3] == 8 && again.list[1].category == 11);
    detections_free(&again);
    text_refused(folder, &truth, "two images are called a");
    write_text(path, "1,2,3,4,0.5,1\n1,2,3,4,0.5\n");
    text_refused(folder, &one, "a.txt:2");
    write_text(path, "1,2,x\n1,2,3,4,0.5,1\n1,2\n1,2,3,4,0.5,12\n");
    text_refused(folder, &one, "3 of the detections cannot be used: ");
    text_refused(folder, &one, "a.txt:4: the ground truth has no category 12");
    write_text(path, "1,2,3,4,0.5,12\n");
    text_refused(folder, &one, "a.txt:1: the ground truth has no category 12");
    unlink(path);
    text_refused(folder, &one, "a.txt: No such file");
    rmdir(folder);
    dataset_free(&one);
    detections_free(&found);
    dataset_free(&truth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_files) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
