/* tests/test_scale.c -- sets with many images, boxes and classes, and an image of one pixel, in every format. */
#include "base/path.h"
#include "cli/commands.h"
#include "data/image.h"
#include "typed.h"
#include <time.h>

/* Image i has boxes i * per_image .. (i + 1) * per_image - 1; of the last image there is no annotation. */
static struct set { int images, per_image, classes, width, height; } set;

struct box { int category, x, y, width, height; };      /* category counts from 0 */

static struct box box_of(int k)
{
    const int width = 1 + k % (set.width < 16 ? set.width : 16), height = 1 + k % (set.height < 12 ? set.height : 12);
    return (struct box){ k % set.classes, k * 7 % (set.width - width + 1), k * 5 % (set.height - height + 1), width,
                         height };
}

static int box_count(void) { return (set.images - 1) * set.per_image; }

static FILE *open_file(const char *name)
{
    FILE *f = fopen(in_folder(name), "w");
    assert_non_null(f);
    return f;
}

static void write_images(void)
{
    enum { LINKS = 10000 };                             /* file systems bound the links of a file */
    struct image image;
    struct error err = {0};
    char name[40], first[300] = "";
    assert_true(make_folders(in_folder("images"), &err) && image_new(&image, set.width, set.height, &err));
    memset(image.p, 90, 3 * (size_t)set.width * (size_t)set.height);
    for (int i = 0; i < set.images; i++) {
        snprintf(name, sizeof name, "images/%06d.jpg", i);
        if (i % LINKS == 0) {
            snprintf(first, sizeof first, "%s", in_folder(name));
            assert_true(image_write_jpeg(&image, 90, first, &err));
        } else
            assert_int_equal(link(first, in_folder(name)), 0);
    }
    image_free(&image);
}

static void write_coco(void)
{
    FILE *f = open_file("ann.json"), *dets = open_file("dets.json");
    fprintf(f, "{\"images\": [");
    for (int i = 0; i < set.images; i++)
        fprintf(f, "%s{\"id\": %d, \"file_name\": \"%06d.jpg\", \"width\": %d, \"height\": %d}", i ? ", " : "", i + 1,
                i, set.width, set.height);
    fprintf(f, "], \"categories\": [");
    for (int i = 0; i < set.classes; i++)
        fprintf(f, "%s{\"id\": %d, \"name\": \"class %d\"}", i ? ", " : "", i + 1, i);
    fprintf(f, "], \"annotations\": [");
    for (int k = 0; k < box_count(); k++) {
        const struct box b = box_of(k);
        char record[200];
        snprintf(record, sizeof record, "\"image_id\": %d, \"category_id\": %d, \"bbox\": [%d, %d, %d, %d]",
                 k / set.per_image + 1, b.category + 1, b.x, b.y, b.width, b.height);
        fprintf(f, "%s{\"id\": %d, %s}", k ? ", " : "", k + 1, record);
        fprintf(dets, "%s{%s, \"score\": 0.5}", k ? ", " : "[", record);
    }
    fprintf(f, "]}");
    fprintf(dets, "]");
    fclose(f);
    fclose(dets);
}

static void write_row(FILE *yolo, FILE *voc, FILE *visdrone, struct box b)
{
    fprintf(yolo, "%d %.9f %.9f %.9f %.9f\n", b.category, (b.x + b.width / 2.) / set.width,
            (b.y + b.height / 2.) / set.height, (double)b.width / set.width, (double)b.height / set.height);
    fprintf(voc, "<object><name>class %d</name><bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax>"
                 "</bndbox></object>\n", b.category, b.x, b.y, b.x + b.width, b.y + b.height);
    fprintf(visdrone, "%d,%d,%d,%d,1,%d,0,0\n", b.x, b.y, b.width, b.height, b.category % 10 + 1);
}

static void write_texts(void)
{
    char name[40];
    for (int i = 0; i < set.images; i++) {
        snprintf(name, sizeof name, "labels/%06d.txt", i);
        FILE *yolo = open_file(name);
        snprintf(name, sizeof name, "Annotations/%06d.xml", i);
        FILE *voc = open_file(name);
        snprintf(name, sizeof name, "visdrone/%06d.txt", i);
        FILE *visdrone = open_file(name);
        fprintf(voc, "<annotation><filename>%06d.jpg</filename>\n", i);
        for (int k = 0; i < set.images - 1 && k < set.per_image; k++)
            write_row(yolo, voc, visdrone, box_of(i * set.per_image + k));
        fprintf(voc, "</annotation>\n");
        fclose(yolo);
        fclose(voc);
        fclose(visdrone);
    }
}

static void write_config(void)
{
    FILE *f = open_file("config.yml");
    fprintf(f,
        "save_dir: %1$s/run\n"
        "model:\n"
        "  arch:\n"
        "    name: NanoDetPlus\n"
        "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4]}\n"
        "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1,\n"
        "          use_depthwise: true}\n"
        "    head: {name: NanoDetPlusHead, input_channel: 32, feat_channels: 32, reg_max: 7,\n"
        "           strides: [8, 16, 32, 64]}\n"
        "data:\n"
        "  train: &set {img_path: %1$s/images, ann_path: %1$s/ann.json, input_size: [64, 64]}\n"
        "  val: *set\n"
        "device: {batchsize_per_gpu: 2}\n"
        "schedule: {optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}, total_epochs: 1}\n"
        "class_names: [", folder);
    for (int i = 0; i < set.classes; i++)
        fprintf(f, "%sclass %d", i ? ", " : "", i);
    fprintf(f, "]\n");
    fclose(f);
}

static void write_set(struct set wanted)
{
    struct error err = {0};
    set = wanted;
    assert_true(make_folders(in_folder("labels"), &err) && make_folders(in_folder("Annotations"), &err)
                && make_folders(in_folder("visdrone"), &err));
    write_images();
    write_coco();
    write_texts();
    write_config();
}

/* The COCO JSON that convert writes has every image and every box; of VisDrone, which has classes of its own, classes
 * are not compared. */
static void has_the_set(const char *name, bool classes)
{
    cJSON *json = json_of(name);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "images")), set.images);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "annotations"), *a;
    int k = 0;
    cJSON_ArrayForEach(a, list) {
        const struct box b = box_of(k);
        const double wanted[4] = { b.x, b.y, b.width, b.height };
        const cJSON *bbox = cJSON_GetObjectItemCaseSensitive(a, "bbox");
        for (int i = 0; i < 4; i++)
            if (cJSON_GetArrayItem(bbox, i)->valuedouble != wanted[i])
                fail_msg("%s: box %d is another", name, k);
        assert_int_equal((int)number(a, "image_id"), k / set.per_image + 1);
        if (classes)
            assert_int_equal((int)number(a, "category_id"), b.category + 1);
        k++;
    }
    assert_int_equal(k, box_count());
    cJSON_Delete(json);
}

static const struct format { const char *convert, *name, *boxes; } formats[] = {
    { NULL,       "CocoDataset",     "ann.json" },
    { "yolo",     "YoloDataset",     "labels" },
    { "voc",      "XMLDataset",      "Annotations" },
    { "visdrone", "VisDroneDataset", "visdrone" },
    {0} };

struct words { char name[2][60], path[2][300], classes[200]; };

/* Overrides that make both sets of the configuration those of a format. */
static struct words words_of(const struct format *format)
{
    static const char *const sets[] = { "train", "val" };
    struct words w;
    for (int i = 0; i < 2; i++) {
        snprintf(w.name[i], sizeof w.name[i], "data.%s.name=%s", sets[i], format->name);
        snprintf(w.path[i], sizeof w.path[i], "data.%s.ann_path=%s", sets[i], in_folder(format->boxes));
    }
    snprintf(w.classes, sizeof w.classes, "class_names=[pedestrian, people, bicycle, car, van, truck, tricycle, "
             "awning-tricycle, bus, motor]");
    return w;
}

static void run_format(const char *command, const struct format *format)
{
    const struct words w = words_of(format);
    works(command, in_folder("config.yml"), w.name[0], w.name[1], w.path[0], w.path[1],
          strcmp(format->name, "VisDroneDataset") == 0 ? w.classes : NULL, NULL);
}

/* Converting, checking and scoring say what was written, in every format. */
static void agrees(void)
{
    struct error err = {0};
    FILE *list = open_file("list.txt");
    for (int i = 0; i < set.classes; i++)
        fprintf(list, "class %d\n", i);
    fclose(list);
    for (const struct format *format = formats; format->name; format++) {
        run_format("check", format);
        if (!format->convert)
            continue;
        assert_true(make_folders(in_folder("root"), &err));
        assert_int_equal(symlink(in_folder("images"), in_folder("root/images")), 0);
        assert_int_equal(symlink(in_folder(format->boxes), in_folder("root/annotations")), 0);
        if (strcmp(format->convert, "visdrone") == 0)
            works("convert", format->convert, in_folder("root"), "--out", in_folder("made.json"), NULL);
        else
            works("convert", format->convert, in_folder("root"), "--out", in_folder("made.json"), "--classes",
                  in_folder("list.txt"), NULL);
        has_the_set("made.json", strcmp(format->convert, "visdrone") != 0);
        unlink(in_folder("root/images"));
        unlink(in_folder("root/annotations"));
    }
    works("eval", in_folder("ann.json"), in_folder("dets.json"), "--json", in_folder("score.json"), NULL);
    cJSON *score = json_of("score.json");
    assert_true(number(score, "AP") > 0.999);
    cJSON_Delete(score);
}

static void many_images(void **state)
{
    (void)state;
    write_set((struct set){ .images = 5000, .per_image = 1, .classes = 80, .width = 24, .height = 16 });
    agrees();
}

static void many_boxes_and_classes(void **state)
{
    (void)state;
    write_set((struct set){ .images = 4, .per_image = 2000, .classes = 300, .width = 320, .height = 200 });
    agrees();
    for (const struct format *format = formats; format->name; format++)
        run_format("train", format);
}

static void one_pixel_and_one_class(void **state)
{
    (void)state;
    write_set((struct set){ .images = 4, .per_image = 1, .classes = 1, .width = 1, .height = 1 });
    for (const struct format *format = formats; format->name; format++) {
        run_format("check", format);
        run_format("train", format);
    }
    works("predict", "--weights", in_folder("run/model_last.safetensors"), in_folder("images"), "--json",
          in_folder("found.json"), NULL);
    cJSON *list = json_of("found.json");
    assert_int_equal(cJSON_GetArraySize(list), set.images);
    cJSON_Delete(list);
}

enum { NAMES = 100000, SECONDS = 20 };                  /* comparing all pairs takes a minute and more */

static void a_long_list_of_classes_takes_no_quadratic_time(void **state)
{
    const clock_t start = clock();
    FILE *f = open_file("list.txt");
    (void)state;
    for (int i = 0; i < 3 * NAMES; i++)
        fprintf(f, "class %d\n", i);
    fclose(f);
    f = open_file("labels.txt");
    assert_int_equal(fclose(f), 0);
    write_set((struct set){ .images = 2, .per_image = 1, .classes = 1, .width = 1, .height = 1 });
    works("convert", "yolo", folder, "--classes", in_folder("list.txt"), "--out", in_folder("made.json"), NULL);
    assert_true((clock() - start) / CLOCKS_PER_SEC < SECONDS);
}

static void many_names_in_xml_take_no_quadratic_time(void **state)
{
    const clock_t start = clock();
    struct error err = {0};
    enum { FILES = 100 };
    char name[60];
    (void)state;
    assert_true(make_folders(in_folder("Annotations"), &err));
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "Annotations/%03d.xml", i);
        FILE *f = open_file(name);
        fprintf(f, "<annotation>");
        for (int k = i; k < NAMES; k += FILES)
            fprintf(f, "<object><name>class %06d</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>1</xmax>"
                       "<ymax>1</ymax></bndbox></object>\n", k);
        fprintf(f, "</annotation>");
        fclose(f);
    }
    works("convert", "voc", folder, "--out", in_folder("made.json"), NULL);
    cJSON *json = json_of("made.json");
    const cJSON *categories = cJSON_GetObjectItemCaseSensitive(json, "categories"), *category;
    int k = 0;
    cJSON_ArrayForEach(category, categories) {
        snprintf(name, sizeof name, "class %06d", k++);
        assert_string_equal(cJSON_GetObjectItemCaseSensitive(category, "name")->valuestring, name);
    }
    assert_int_equal(k, NAMES);
    cJSON_Delete(json);
    assert_true((clock() - start) / CLOCKS_PER_SEC < SECONDS);
}

/* Seconds; comparing all pairs takes 9 without a sanitizer, which makes everything several times slower. */
#ifdef SANITIZED
enum { FEW_SECONDS = SECONDS };
#else
enum { FEW_SECONDS = 4 };
#endif

/* A configuration of unknown keys, one of %TAG lines, and names with keys in the wrong order. */
static void many_keys_take_no_quadratic_time(void **state)
{
    enum { KEYS = 19000, TAGS = 100000 };
    const clock_t start = clock();
    FILE *f = open_file("keys.yml");
    (void)state;
    for (int i = 0; i < KEYS; i++)
        fprintf(f, "k%d: 1\n", i);
    fclose(f);
    f = open_file("tags.yml");
    for (int i = 0; i < TAGS; i++)
        fprintf(f, "%%TAG !a%d! tag:a,%d:\n", i, i);
    fclose(f);
    f = open_file("data.yaml");
    fprintf(f, "names:\n");
    for (int i = KEYS; i-- > 0; )
        fprintf(f, "  %d: class %d\n", i, i);
    fclose(f);
    refused(2, "keys.yml", "check", in_folder("keys.yml"), NULL);
    refused(2, "keys.yml", "info", in_folder("keys.yml"), NULL);
    refused(2, "tags.yml: more than 16 lines begin with %", "info", in_folder("tags.yml"), NULL);
    write_set((struct set){ .images = 2, .per_image = 1, .classes = 1, .width = 1, .height = 1 });
    works("convert", "yolo", folder, "--classes", in_folder("data.yaml"), "--out", in_folder("made.json"), NULL);
    assert_true((clock() - start) / CLOCKS_PER_SEC < FEW_SECONDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_images, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(many_boxes_and_classes, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(one_pixel_and_one_class, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_long_list_of_classes_takes_no_quadratic_time, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(many_keys_take_no_quadratic_time, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(many_names_in_xml_take_no_quadratic_time, make_folder, remove_folder) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
