/* tests/test_check_report.c -- the page of `check --report`: parts, hostile names, problems; pictures of batches. */
#include "base/file.h"
#include "html_page.h"
#include "put.h"
#include "tiny_weights.h"
#include "typed.h"

/* ---- pages ---- */

static struct page_content read_page(const char *name)
{
    struct page_content page;
    struct bytes bytes = {0};
    struct error err = {0};
    if (!file_read(&bytes, in_folder(name), &err))
        fail_msg("%s", err.text);
    page_read(&page, name, (const char *)bytes.p, bytes.size);
    bytes_free(&bytes);
    return page;
}

static void assert_text(const struct page_content *p, const char *text)
{
    if (!strstr(p->text.s, text))
        fail_msg("'%s' is not in the page", text);
}

/* ---- a whole set ---- */

static void test_parts_of_the_page(void **state)
{
    static const char *const headings[] = { "Findings", "Classes", "Sizes", "Examples", "Batches as training sees them",
        "Images in both sets", "Doubtful boxes", "Labels that the model disputes", "stride 64" };
    (void)state;
    works("check", in_folder("config.yml"), "--report", in_folder("out/page"), "--weights",
          in_folder("w.safetensors"), NULL);
    struct page_content p = read_page("out/page/report.html");
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
        assert_text(&p, headings[i]);
    assert_true(page_count(&p, "table") >= 5);
    assert_int_equal(page_count(&p, "svg"), page_count(&p, "image") + page_count(&p, "use") + 4);       /* 4 charts */
    assert_true(page_count(&p, "image") >= 2 + 4 + 1);                 /* examples of both sets, batches */
    page_free(&p);
    cJSON *suspects = json_of("out/page/suspects.json");
    assert_true(cJSON_IsArray(suspects) && cJSON_GetArraySize(suspects) > 0);
    double before = 1;
    const cJSON *one;
    cJSON_ArrayForEach(one, suspects) {
        if (strcmp(cJSON_GetObjectItem(one, "set")->valuestring, "data.train") != 0)
            continue;
        assert_true(number(one, "suspicion") <= before);
        before = number(one, "suspicion");
        assert_non_null(cJSON_GetObjectItem(one, "file"));
    }
    cJSON_Delete(suspects);
}

static void test_pictures_of_batches(void **state)
{
    struct image image = {0};
    struct error err = {0};
    (void)state;
    works("train", in_folder("config.yml"), "device.batchsize_per_gpu=1", "model.arch.aux_head=null",
          "data.train.resize=stretch", NULL);
    assert_true(file_exists(in_folder("run/train_batch1.jpg")));
    assert_false(file_exists(in_folder("run/train_batch2.jpg")));       /* an epoch has two batches */
    assert_true(image_read(&image, in_folder("run/train_batch0.jpg"), &err));
    assert_int_equal(image.width, 96);
    assert_int_equal(image.height, 64);
    image_free(&image);
}

static int make_tiny(void **state)
{
    struct error err = {0};
    (void)state;
    return tiny_make_weights("w.safetensors", &err) ? 0 : -1;
}

/* ---- defects ---- */

static const char *const model =
    "model:\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4], pretrain: false}\n"
    "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1}\n"
    "    head: {name: NanoDetPlusHead, input_channel: 32, feat_channels: 32, strides: [8, 16, 32, 64]}\n"
    "schedule:\n"
    "  total_epochs: 1\n"
    "  optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}\n"
    "device: {batchsize_per_gpu: 2}\n";

/* Two YOLO sets whose only images are equal, with equal boxes and hostile names. */
static int make_hostile(void **state)
{
    char config[2000];
    if (make_folder(state) != 0)
        return -1;
    put_image("train/<b>&\"x.jpg", 64, 48);
    put("train/<b>&\"x.txt", "0 .5 .5 .4 .4\n0 .5 .5 .4 .4\n1 .5 .5 .4 .4\n");
    put_image("val/copy.jpg", 80, 60);
    put("val/copy.txt", "0 .5 .5 .4 .4\n");
    snprintf(config, sizeof config, "save_dir: %s/run\n%sdata:\n  train: {name: YoloDataset, img_path: %s/train, "
             "ann_path: %s/train, input_size: [64, 64]}\n"
             "  val: {name: YoloDataset, img_path: %s/val, ann_path: %s/val}\n"
             "class_names: [\"</title><script>\", \"a&amp;\\e[31m\"]\n", folder, model, folder, folder, folder, folder);
    put("config.yml", config);
    return 0;
}

static void test_hostile_names_and_defects(void **state)
{
    (void)state;
    works("check", in_folder("config.yml"), "--report", in_folder("page"), NULL);
    struct page_content p = read_page("page/report.html");
    assert_text(&p, "</title><script>");
    assert_text(&p, "<b>&\"x.jpg");
    assert_text(&p, "equal to another box");
    assert_text(&p, "equal to a box of another class");
    assert_text(&p, "1 validation image looks like a training image");
    assert_null(strchr(p.text.s, 0x1b));
    page_free(&p);
    assert_false(file_exists(in_folder("page/suspects.json")));
}

/* The page of a set with problems has what could be read. */
static void test_problems(void **state)
{
    (void)state;
    put("val/copy.jpg", "no image");
    refused(1, "1 problem", "check", in_folder("config.yml"), "--report", in_folder("page"), NULL);
    struct page_content p = read_page("page/report.html");
    assert_text(&p, "Problem: data.val: ");
    page_free(&p);
    refused(1, "problem", "check", in_folder("config.yml"), "--report", in_folder("page"),
            "data.train.ann_path=/nowhere", NULL);
    p = read_page("page/report.html");
    assert_text(&p, "/nowhere");
    page_free(&p);
    refused(2, "--weights needs --report", "check", in_folder("config.yml"), "--weights", "w.ckpt", NULL);
    refused(1, "w.ckpt", "check", in_folder("config.yml"), "--report", in_folder("page"), "--weights", "w.ckpt", NULL);
    put("file", "");
    refused(1, "file", "check", in_folder("config.yml"), "--report", in_folder("file/page"), NULL);
}

int main(void)
{
    const struct CMUnitTest tiny[] = {
        cmocka_unit_test(test_parts_of_the_page),
        cmocka_unit_test(test_pictures_of_batches),
    };
    const struct CMUnitTest hostile[] = {
        cmocka_unit_test(test_hostile_names_and_defects),
        cmocka_unit_test(test_problems),
    };
    const int failed = cmocka_run_group_tests(tiny, make_tiny, remove_folder);
    return failed + cmocka_run_group_tests(hostile, make_hostile, remove_folder);
}
