/* tests/test_escapes.c -- names from files in the output of all commands: they cannot control a terminal, end a
 * line, break JSON, become a formula of a spreadsheet or markup of a page. */
#include "base/escape.h"
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "html_page.h"
#include "there.h"
#include "tiny_weights.h"
#include "typed.h"
#include <ctype.h>

/* Parts of hostile names: a command for the terminal, C1 in both encodings, a line of its own, embeddings, an isolate.
 * */
#define ESCAPE "\x1b]0;title\x07\x1b[2J"
#define HOSTILE ESCAPE "\xc2\x9b" "31m\nINJECTED\r\x7f\xe2\x80\xae\xe2\x81\xa6"
#define MARKUP "<script>alert(1)<\x2fscript>'\"><img src=x onerror=alert(1)>"
static const char *const classes[5] = { "=1+1" HOSTILE, "@van,\"" HOSTILE, "-truck" HOSTILE,
                                        "+bus" MARKUP, "person" };
static const char raw[] = "\x9b" "31m\xff %41" ESCAPE "\n<img src=x onerror='y'>\".jpg";    /* may be no UTF-8 */

/* ---- hostile inputs: all paths are relative to the folder of the test ---- */

static void put_json(const char *path, cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);          /* bytes that are not UTF-8 are unchanged */
    assert_true(file_write(path, text, strlen(text), NULL));
    cJSON_free(text);
    cJSON_Delete(json);
}

/* Its categories get the hostile names, its first image and that one's file the raw one. */
static void spoil_set(const char *name)
{
    char path[200], from[300], to[300];
    snprintf(path, sizeof path, "data/%s.json", name);
    cJSON *json = json_read(path, NULL), *images = cJSON_GetObjectItemCaseSensitive(json, "images");
    cJSON *categories = cJSON_CreateArray(), *image = cJSON_GetArrayItem(images, 0);
    for (int i = 0; i < 5; i++) {
        cJSON *one = cJSON_CreateObject();
        assert_true(cJSON_AddNumberToObject(one, "id", i + 1) && cJSON_AddStringToObject(one, "name", classes[i])
                    && cJSON_AddItemToArray(categories, one));
    }
    assert_true(cJSON_ReplaceItemInObjectCaseSensitive(json, "categories", categories));
    snprintf(from, sizeof from, "data/images/%s/%s", name,
             cJSON_GetObjectItemCaseSensitive(image, "file_name")->valuestring);
    snprintf(to, sizeof to, "data/images/%s/%s", name, raw);
    assert_int_equal(rename(from, to), 0);
    assert_true(cJSON_ReplaceItemInObjectCaseSensitive(image, "file_name", cJSON_CreateString(raw)));
    put_json(path, json);
}

/* A double-quoted text of YAML. */
static void add_quoted(struct strbuf *t, const char *s)
{
    unsigned code;
    strbuf_addf(t, "\"");
    for (; *s; s += utf8_decode(s, &code)) {
        utf8_decode(s, &code);
        strbuf_addf(t, "\\U%08x", code);
    }
    strbuf_addf(t, "\"");
}

static void spoil_config(void)
{
    struct bytes yaml;
    struct strbuf t = {0};
    assert_true(file_read(&yaml, "config.yml", NULL));
    *strstr((char *)yaml.p, "class_names:") = 0;
    strbuf_addf(&t, "%sclass_names:\n", yaml.p);
    for (int i = 0; i < 5; i++) {
        strbuf_addf(&t, "- ");
        add_quoted(&t, classes[i]);
        strbuf_addf(&t, "\n");
    }
    assert_true(file_write("config.yml", t.s, t.size, NULL));
    strbuf_free(&t);
    bytes_free(&yaml);
}

/* A tensor that no model has, and metadata. */
static void spoil_weights(void)
{
    struct tensors t = {0};
    const float zero = 0;
    const struct tensor extra = { .name = (char *)(uintptr_t)HOSTILE, .dtype = DTYPE_F32, .rank = 1, .dims = { 1 },
                                  .data = (const void *)&zero };
    assert_true(safetensors_read(&t, "weights.safetensors", NULL));
    assert_true(tensors_add(&t, &extra, NULL) && tensors_add_metadata(&t, HOSTILE, HOSTILE, NULL));
    assert_true(safetensors_write("weights.safetensors", &t, NULL));
    tensors_free(&t);
}

static void put_yolo(void)
{
    struct bytes image;
    struct strbuf path = {0};
    strbuf_addf(&path, "data/images/val/%s", raw);
    assert_true(file_read(&image, path.s, NULL));
    assert_true(make_folders("yolo/images", NULL) && make_folders("yolo/labels", NULL));
    strbuf_free(&path);
    strbuf_addf(&path, "yolo/images/%s", raw);
    assert_true(file_write(path.s, image.p, image.size, NULL));
    strbuf_free(&path);
    strbuf_addf(&path, "yolo/labels/%.*s.txt", (int)(strlen(raw) - 4), raw);
    static const char row[] = "0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n", names[] = "person\n=a\x1b[2J\xe9\x9b\n";
    assert_true(file_write(path.s, row, sizeof row - 1, NULL));
    assert_true(file_write("yolo/classes.txt", names, sizeof names - 1, NULL));
    strbuf_free(&path);
    bytes_free(&image);
}

static int setup(void **state)
{
    struct error err = {0};
    (void)state;
    if (!tiny_make_weights("weights.safetensors", &err) || chdir(folder) != 0)
        return -1;
    spoil_set("train");
    spoil_set("val");
    spoil_config();
    spoil_weights();
    put_yolo();
    return 0;
}

/* ---- outputs ---- */

/* Lines of UTF-8, none of which begins with what names have behind their line end. */
static void check_text(const char *what, const char *s, size_t size)
{
    unsigned code;
    for (size_t at = 0, n; at < size; at += n) {
        n = utf8_decode(s + at, &code);
        if (n == 0 || (code != '\n' && is_control(code)))
            fail_msg("%s: byte %zu is %02x: %.60s", what, at, (unsigned char)s[at], s + at);
        if (strncmp(s + at, "\nINJECTED", 9) == 0)
            fail_msg("%s: a name ends a line at byte %zu", what, at);
    }
}

/* No field is a formula: all begin with a digit, a letter, an apostrophe, or are a negative number. */
static void check_csv(const char *what, const char *s)
{
    for (bool quoted = false, first = true; *s; s++) {
        const bool number = *s == '-' && isdigit((unsigned char)s[1]);
        if (first && !number && strchr("=+-@\t\r", *s))
            fail_msg("%s: a formula: %.60s", what, s);
        first = !quoted && (*s == ',' || *s == '\n');
        first = first || (*s == '"' && !quoted);
        quoted ^= *s == '"';
    }
}

static void check_file(const char *path)
{
    static const char *const texts[] = { ".json", ".csv", ".log", ".yml", ".param", ".txt", ".html" };
    struct bytes file;
    bool text = false;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        text = text || (strlen(path) > 5 && strcmp(path + strlen(path) - strlen(texts[i]), texts[i]) == 0);
    if (!text)
        return;
    assert_true(file_read(&file, path, NULL));
    check_text(path, (const char *)file.p, file.size);
    if (strstr(path, ".csv"))
        check_csv(path, (const char *)file.p);
    if (strstr(path, ".html")) {
        struct page_content page;
        page_read(&page, path, (const char *)file.p, file.size);
        assert_non_null(strstr(page.text.s, MARKUP));
        page_free(&page);
    }
    if (strstr(path, ".json")) {
        cJSON *json = json_read(path, NULL);
        if (!json)
            fail_msg("%s: not JSON", path);
        cJSON_Delete(json);
    }
    bytes_free(&file);
}

static void check_files(const char *path)
{
    struct string_list names = {0};
    if (!folder_exists(path) || !folder_tree(&names, path, NULL))
        return;
    for (int i = 0; i < names.count; i++) {
        char *file = path_join(path, names.list[i], NULL);
        check_file(file);
        free(file);
    }
    string_list_free(&names);
}

/* ---- commands ---- */

enum { OPERANDS = 12 };
static const struct command_case { int exit; const char *words[OPERANDS]; } cases[] = {
    { 0, { "check", "config.yml" } },
    { 1, { "check", "config.yml", "data.val.img_path=data" } },
    { 0, { "check", "config.yml", "--report", "out/page", "--weights", "weights.safetensors" } },
    { 0, { "init", "data", "--out", "out/init.yml" } },
    { 0, { "init", "yolo", "--out", "out/yolo.yml" } },
    { 0, { "train", "config.yml", "save_dir=out/run" } },
    { 0, { "train", "config.yml", "save_dir=\"out/\\e[2J\\x9b\\n\\u202e\"" } },
    { 0, { "test", "config.yml", "--weights", "weights.safetensors" } },
    { 0, { "test", "config.yml", "--weights", "weights.safetensors", "--json", "out/score.json", "--dets",
           "out/dets.json" } },
    { 0, { "test", "config.yml", "--weights", "weights.safetensors", "--report", "out/report" } },
    { 0, { "eval", "data/val.json", "out/dets.json", "--json", "out/eval.json" } },
    { 0, { "eval", "config.yml", "out/dets.json" } },
    { 0, { "predict", "config.yml", "--weights", "weights.safetensors", "--score", "0.01", "data/images/val" } },
    { 0, { "predict", "config.yml", "--weights", "weights.safetensors", "--score", "0.01", "--json", "out/found.json",
           "data/images/val" } },
    { 0, { "predict", "config.yml", "--weights", "weights.safetensors", "--score", "0.01", "--out", "out/drawn",
           "data/images/val" } },
    { 1, { "predict", "config.yml", "--weights", "weights.safetensors", "data/images/train", "yolo/labels" } },
    { 0, { "heatmap", "config.yml", "--weights", "weights.safetensors", "--out", "out/heat", "data/images/val" } },
    { 0, { "export", "config.yml", "--weights", "weights.safetensors", "--out", "out/m.safetensors" } },
    { 0, { "export", "config.yml", "--weights", "weights.safetensors", "--out", "out/m.param" } },
    { 0, { "info", "config.yml", "--json", "out/info.json", "--graph", "out/graph.json" } },
    { 0, { "info", "--weights", "out/m.safetensors" } },
    { 0, { "info", "--weights", "out/m.safetensors", "--json", "out/described.json" } },
    { 0, { "info", "config.yml", "--weights", "weights.safetensors" } },
    { 0, { "convert", "yolo", "yolo", "--out", "out/yolo.json" } },
    { 0, { "check", "config.yml", "data.val.ann_path=out/yolo.json", "data.val.img_path=yolo/images" } },
    { 2, { "check", "config.yml", ESCAPE "=1" } },
    { 1, { "check", ESCAPE } } };

/* Runs one with stdout and stderr in files. */
static void run(const struct command_case *c)
{
    struct args args = {0};
    struct error err = {0};
    char *argv[OPERANDS + 1] = { (char *)(uintptr_t)"nanodet" };
    int argc = 1;
    for (; argc <= OPERANDS && c->words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)c->words[argc - 1];
    fflush(stdout);
    fflush(stderr);
    const int screens[2] = { dup(STDOUT_FILENO), dup(STDERR_FILENO) };
    assert_true(freopen("out/shown.txt", "w", stdout) && freopen("out/told.txt", "w", stderr));
    const bool ok = args_parse(&args, commands, argc, argv, &err) && args.command->run(&args, &err);
    fflush(stdout);
    fflush(stderr);
    dup2(screens[0], STDOUT_FILENO);
    dup2(screens[1], STDERR_FILENO);
    close(screens[0]);
    close(screens[1]);
    args_free(&args);
    check_text(c->words[0], err.text, strlen(err.text));
    if ((ok ? 0 : err.exit) != c->exit)
        fail_msg("%s %s: exit %d: %s", c->words[0], c->words[1], err.exit, err.text);
    check_files("out");
}

static void names_are_escaped_in_all_outputs(void **state)
{
    (void)state;
    assert_true(make_folders("out", NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run(&cases[i]);
}

/* The same names come back, through a JSON that spells them. */
static void detections_of_such_files_are_scored(void **state)
{
    (void)state;
    cJSON *test = json_read("out/score.json", NULL), *eval = json_read("out/eval.json", NULL);
    assert_non_null(test);
    assert_true(cJSON_Compare(test, eval, true));
    const cJSON *classes_of = cJSON_GetObjectItemCaseSensitive(test, "per_class");
    for (int i = 0; i < 5; i++)
        assert_string_equal(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(classes_of, i), "name")->valuestring,
                            classes[i]);
    cJSON_Delete(test);
    cJSON_Delete(eval);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(names_are_escaped_in_all_outputs),
                                        cmocka_unit_test(detections_of_such_files_are_scored) };
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
