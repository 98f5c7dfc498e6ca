/* tests/test_outputs.c -- no command overwrites its inputs, under any name, or writes a format that contradicts the
 * file name. */
#include "base/file.h"
#include "base/path.h"
#include "same_file.h"
#include "there.h"
#include "tiny_weights.h"
#include "typed.h"
#include <sys/stat.h>

/* "@name" becomes the path of a file in the folder. */
static const char *expand(const char *text, char out[300])
{
    const char *at = strchr(text, '@');
    snprintf(out, 300, at ? "%.*s%s/%s" : "%.*s%s%s", (int)(at ? at - text : (ptrdiff_t)strlen(text)), text,
             at ? folder : "", at ? at + 1 : "");
    return out;
}

/* Runs the words up to a NULL; its exit. */
static int run_words(const char *const *words, struct error *err)
{
    char text[WORDS][300], *argv[WORDS] = { (char *)(uintptr_t)"nanodet" };
    struct args args = {0};
    int argc = 1;
    *err = (struct error){0};
    for (; *words; words++, argc++)
        argv[argc] = (char *)(uintptr_t)expand(*words, text[argc]);
    const bool ok = args_parse(&args, commands, argc, argv, err) && args.command->run(&args, err);
    args_free(&args);
    return ok ? 0 : err->exit;
}

/* ---- every command and output ---- */

static const struct row { const char *words[12], *outputs[3], *inputs[6]; } rows[] = {
    { { "test", "@config.yml", "--weights", "@weights.safetensors", "data.val.image_list=@list" },
      { "--json", "--dets" }, { "config.yml", "weights.safetensors", "data/val.json", "data/train.json", "list" } },
    { { "test", "@config.yml", "schedule.load_model=@weights.safetensors", "--dets", "@other.json" },
      { "--json" }, { "config.yml", "weights.safetensors", "data/val.json", "other.json" } },
    { { "predict", "@config.yml", "--weights", "@weights.safetensors", "@data/images/train/000000.jpg" },
      { "--json" }, { "config.yml", "weights.safetensors", "data/images/train/000000.jpg" } },
    { { "predict", "@config.yml", "--weights", "@weights.safetensors", "@data/images/train" },
      { "--json" }, { "config.yml", "weights.safetensors", "data/images/train/000001.jpg" } },
    { { "predict", "@config.yml", "schedule.load_model=@weights.safetensors", "@plain*" }, { "--json" },
      { "config.yml", "weights.safetensors", "plain" } },
    { { "export", "@config.yml", "--weights", "@weights.safetensors" }, { "--out" },
      { "config.yml", "weights.safetensors", "data/val.json" } },
    { { "export", "@config.yml", "--weights", "@pair.param" }, { "--out" }, { "pair.param", "pair.bin" } },
    { { "export", "@config.yml", "--weights", "@pair.bin" }, { "--out" }, { "pair.param", "pair.bin" } },
    { { "info", "@config.yml", "--weights", "@weights.safetensors" }, { "--json", "--graph" },
      { "config.yml", "weights.safetensors" } },
    { { "info", "--weights", "@pair.param", "@config.yml" }, { "--json" }, { "pair.param", "pair.bin" } },
    { { "bench", "@config.yml", "--weights", "@weights.safetensors", "--seconds", "0" }, { "--json" },
      { "config.yml", "weights.safetensors" } },
    { { "eval", "@data/val.json", "@dets.json", "--images", "@list" }, { "--json" },
      { "data/val.json", "dets.json", "list" } },
    { { "eval", "@config.yml", "@dets.json", "data.val.image_list=@list" }, { "--json" },
      { "config.yml", "dets.json", "data/val.json", "list" } },
    { { "convert", "yolo", "@yolo", "--classes", "@classes", "--images", "@names" }, { "--out" },
      { "classes", "names", "yolo/classes.txt", "yolo/labels/a.txt" } } };

enum spelling { SAME, DOTTED, SOFT, SOFT_SOFT, HARD, SPELLINGS };

/* The input under another name; "@link.json" and so on. */
static const char *spell(enum spelling how, const char *input, char out[300])
{
    char from[300], link_path[300];
    const char *dot = strrchr(input, '.');
    snprintf(from, sizeof from, "%s/%s", folder, input);
    snprintf(out, 300, how == SAME ? "@%s" : how == DOTTED ? "@./%s" : "@link%s", how < SOFT ? input : dot ? dot : "");
    expand(out, link_path);
    if (how >= SOFT)
        unlink(link_path);
    if (how == SOFT_SOFT) {
        unlink(in_folder("between"));
        assert_true(symlink(from, in_folder("between")) == 0 && symlink("between", link_path) == 0);
    } else if (how >= SOFT)
        assert_int_equal((how == HARD ? link : symlink)(from, link_path), 0);
    return out;
}

static void must_refuse(const struct row *row, const char *option, const char *input, const char *output)
{
    const char *words[16];
    struct stat before, after;
    struct error err;
    int count = 0;
    for (; row->words[count]; count++)
        words[count] = row->words[count];
    words[count++] = option;
    words[count++] = output;
    words[count] = NULL;
    assert_int_equal(stat(in_folder(input), &before), 0);
    const int exit = run_words(words, &err);
    assert_int_equal(stat(in_folder(input), &after), 0);
    if (exit != 2 || before.st_ino != after.st_ino || before.st_size != after.st_size
        || before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
        fail_msg("%s %s %s over %s: exit %d %s", words[0], option, output, input, exit, err.text);
}

static void no_output_is_an_input(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int o = 0; rows[i].outputs[o]; o++)
            for (int k = 0; k < 6 && rows[i].inputs[k]; k++)
                for (enum spelling how = SAME; how < SPELLINGS; how++) {
                    char output[300];
                    must_refuse(&rows[i], rows[i].outputs[o], rows[i].inputs[k], spell(how, rows[i].inputs[k], output));
                }
}

/* Each command works with another output, so the refusals above are due to the output. */
static void other_outputs_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int o = 0; rows[i].outputs[o]; o++) {
            const char *words[16];
            struct error err;
            int count = 0;
            for (; rows[i].words[count]; count++)
                words[count] = rows[i].words[count];
            words[count++] = rows[i].outputs[o];
            words[count++] = strcmp(words[0], "export") == 0 ? "@written.onnx" : "@written.json";
            words[count] = NULL;
            if (run_words(words, &err) != 0)
                fail_msg("%s %s: %s", words[0], rows[i].outputs[o], err.text);
        }
}

/* ---- more than one file ---- */

/* The .bin file of a .param output. */
static void pairs_are_never_overwritten(void **state)
{
    (void)state;
    for (int hard = 0; hard < 2; hard++) {
        char from[300], beside[300];
        snprintf(from, sizeof from, "%s", in_folder("pair.bin"));
        snprintf(beside, sizeof beside, "%s", in_folder("copy.bin"));
        unlink(beside);
        assert_int_equal((hard ? link : symlink)(from, beside), 0);
        refused(2, "would overwrite", "export", in_folder("config.yml"), "--weights", in_folder("pair.param"), "--out",
                in_folder("copy.param"), NULL);
    }
    remove(in_folder("copy.bin"));
}

static void two_outputs_are_two_files(void **state)
{
    (void)state;
    refused(2, "would overwrite", "test", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"),
            "--json", in_folder("new.json"), "--dets", in_folder("./new.json"), NULL);
    refused(2, "would overwrite", "info", in_folder("config.yml"), "--json", in_folder("data/../new.json"), "--graph",
            in_folder("new.json"), NULL);
}

/* --report writes report.html and report.json into its folder. */
static void reports_are_outputs(void **state)
{
    static const char *const names[] = { "report.html", "report.json" }, *const inputs[] = {
        "weights.safetensors", "data/val.json", "data/train.json", "config.yml" };
    char from[300], report[280], link_path[300];
    (void)state;
    snprintf(report, sizeof report, "%s", in_folder("rep"));
    assert_true(make_folders(report, NULL));
    for (int i = 0; i < 8; i++) {
        snprintf(from, sizeof from, "%s", in_folder(inputs[i / 2]));
        snprintf(link_path, sizeof link_path, "%s/%s", report, names[i % 2]);
        assert_int_equal(symlink(from, link_path), 0);
        refused(2, "would overwrite", "test", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"),
                "--report", report, NULL);
        assert_int_equal(unlink(link_path), 0);
    }
    refused(2, "would overwrite", "test", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"),
            "--json", in_folder("rep/../rep/report.json"), "--report", report, NULL);
}

static void images_in_folders_are_never_overwritten(void **state)
{
    char a[300], b[300], out[300], one[300];
    struct error err = {0};
    (void)state;
    assert_true(make_folders(in_folder("out"), &err));
    snprintf(a, sizeof a, "%s", in_folder("data/images/train/000000.jpg"));
    snprintf(b, sizeof b, "%s", in_folder("data/images/train/000001.jpg"));
    snprintf(out, sizeof out, "%s", in_folder("out"));
    snprintf(one, sizeof one, "%s", in_folder("out/000000.jpg"));
    const char *const config = in_folder("config.yml"), *const weights = in_folder("weights.safetensors");
    for (int hard = 0; hard < 2; hard++) {
        assert_int_equal((hard ? link : symlink)(b, one), 0);
        refused(2, "would overwrite", "predict", config, "--weights", weights, "--out", out, a, b, NULL);
        unlink(one);
        snprintf(one, sizeof one, "%s", in_folder("out/000000_stride8.jpg"));
        assert_int_equal((hard ? link : symlink)(b, one), 0);
        refused(2, "would overwrite", "heatmap", config, "--weights", weights, "--score", "0.01", "--out", out, a, b,
                NULL);
        unlink(one);
        snprintf(one, sizeof one, "%s", in_folder("out/000000.jpg"));
    }
    refused(2, "would overwrite", "predict", config, "--weights", weights, "--out", in_folder("data/images/train/"),
            in_folder("data/images/train"), NULL);
    refused(2, "would overwrite", "predict", config, "--weights", weights, "--out", in_folder("data/images/train"), a,
            NULL);
}

static void annotations_in_folders_are_never_overwritten(void **state)
{
    char ann_path[300], images[300];
    (void)state;
    snprintf(ann_path, sizeof ann_path, "data.val.ann_path=%s", in_folder("yolo/labels"));
    snprintf(images, sizeof images, "data.val.img_path=%s", in_folder("yolo/images"));
    const char *const folders[] = { "yolo/labels", "yolo/labels/", "yolo/labels/sub", "yolo/images/../labels" };
    struct error err = {0};
    assert_true(make_folders(in_folder("yolo/labels/sub"), &err));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        refused(2, "would overwrite", "test", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"),
                "data.val.name=YoloDataset", ann_path, images, "--dets", in_folder(folders[i]), NULL);
}

static void standard_input_is_never_overwritten(void **state)
{
    (void)state;
    assert_non_null(freopen(in_folder("dets.json"), "rb", stdin));
    refused(2, "would overwrite", "predict", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"),
            "--json", in_folder("dets.json"), "-", NULL);
    struct error err = {0};
    char frame[300];
    snprintf(frame, sizeof frame, "%s", in_folder("frames/frame_000001.jpg"));
    assert_true(make_folders(in_folder("frames"), &err) && link(in_folder("plain"), frame) == 0);
    assert_non_null(freopen(frame, "rb", stdin));
    refused(2, "would overwrite", "predict", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"),
            "--out", in_folder("frames"), "-", NULL);
    assert_non_null(freopen("/dev/null", "rb", stdin));
}

/* ---- formats ---- */

static void the_suffix_determines_the_format(void **state)
{
    static const struct { const char *format, *out; } wrong[] = {
        { "safetensors", "x.onnx" }, { "ncnn", "x.onnx" }, { "onnx", "x.param" }, { "onnx", "x.safetensors" },
        { "safetensors", "x.ONNX" }, { "onnx", "x.bin" }, { "safetensors", "x.bin" }, { "safetensors", "x.pth" },
        { "onnx", "x.ckpt" }, { "safetensors", "x.json" }, { "safetensors", "link.safetensors" },
        { NULL, "x.bin" }, { NULL, "x.pt" }, { NULL, "x.yml" }, { NULL, "link.safetensors" } };
    (void)state;
    remove(in_folder("link.safetensors"));
    assert_int_equal(symlink("x.onnx", in_folder("link.safetensors")), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(2, "x.", "export", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"), "--out",
                in_folder(wrong[i].out), wrong[i].format ? "--format" : NULL, wrong[i].format, NULL);
    works("export", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"), "--out",
          in_folder("x.onnx"), NULL);
    struct bytes file = contents("x.onnx");
    assert_int_equal(file.p[0], 0x08);                  /* ir_version: a safetensors file begins with its length */
    assert_non_null(memmem(file.p, file.size, "nanodet", 7));
    assert_null(memmem(file.p, file.size < 100 ? file.size : 100, "{\"", 2));
    bytes_free(&file);
    static const char *const json[] = { "x.yml", "x.csv", "link.json" };
    remove(in_folder("link.json"));
    assert_int_equal(symlink("x.txt", in_folder("link.json")), 0);
    for (int i = 0; i < 3; i++)
        refused(2, "let its name end in .json", "info", in_folder("config.yml"), "--json", in_folder(json[i]), NULL);
    assert_true(!file_exists(in_folder("x.txt")) && !file_exists(in_folder("x.yml")));
}

static void put_text(const char *name, const char *text)
{
    struct error err = {0};
    if (!file_write(in_folder(name), text, strlen(text), &err))
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct error err = {0};
    char image[300];
    (void)state;
    if (!tiny_make_weights("weights.safetensors", &err) || !make_folders(in_folder("yolo/labels"), &err)
        || !make_folders(in_folder("yolo/images"), &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    snprintf(image, sizeof image, "%s", in_folder("data/images/train/000000.jpg"));
    assert_true(link(image, in_folder("plain")) == 0 && link(image, in_folder("yolo/images/a.jpg")) == 0);
    put_text("list", "000002.jpg\n");
    put_text("names", "a.jpg\n");
    put_text("classes", "car\nvan\n");
    put_text("yolo/classes.txt", "car\nvan\n");
    put_text("yolo/labels/a.txt", "0 0.5 0.5 0.2 0.2\n");
    put_text("dets.json", "[]");
    works("export", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"), "--out",
          in_folder("pair.param"), NULL);
    works("test", in_folder("config.yml"), "--weights", in_folder("weights.safetensors"), "--dets",
          in_folder("other.json"), NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_output_is_an_input),
        cmocka_unit_test(other_outputs_are_written),
        cmocka_unit_test(pairs_are_never_overwritten),
        cmocka_unit_test(two_outputs_are_two_files), cmocka_unit_test(reports_are_outputs),
        cmocka_unit_test(images_in_folders_are_never_overwritten),
        cmocka_unit_test(annotations_in_folders_are_never_overwritten),
        cmocka_unit_test(standard_input_is_never_overwritten),
        cmocka_unit_test(the_suffix_determines_the_format) };
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
