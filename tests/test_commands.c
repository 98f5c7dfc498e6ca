/* tests/test_commands.c -- whole commands: their outputs, and the exit status of errors. */
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/image.h"
#include "interop/safetensors.h"
#include "model/model.h"
#include "op/conv/conv.h"
#include "tiny_weights.h"
#include "typed.h"
#include "weights/weights.h"

static char config[100], weights[120], images[120];

/* ---- test ---- */

static void test_test_writes_score_and_detections(void **state)
{
    (void)state;
    works("test", config, "--weights", weights, "--json", in_folder("score.json"), "--dets",
          in_folder("dets.json"), NULL);
    cJSON *score = json_of("score.json"), *dets = json_of("dets.json");
    assert_true(number(score, "AP") >= 0 && number(score, "ARl") >= -1);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(score, "per_class")), 5);
    assert_true(cJSON_IsArray(dets));
    works("test", config, "--weights", weights, "--dets", in_folder("rows/"), "--json", in_folder("again.json"), NULL);
    static const char *const truth[] = { "data/val.json", "config.yml", "data/val.json" };
    static const char *const found[] = { "dets.json", "dets.json", "rows" };
    for (int i = 0; i < 3; i++) {
        works("eval", in_folder(truth[i]), in_folder(found[i]), "--json", in_folder("again.json"), NULL);
        cJSON *again = json_of("again.json");
        assert_true(cJSON_Compare(score, again, true));
        cJSON_Delete(again);
    }
    cJSON_Delete(score);
    cJSON_Delete(dets);
    works("test", config, "--weights", weights, NULL);
    refused(2, "--weights", "test", config, NULL);
    refused(1, "none.ckpt", "test", config, "--weights", "none.ckpt", NULL);
    refused(1, "the head has 1 class, the file has 5", "test", config, "--weights", weights,
            "model.arch.head.num_classes=1",
            "model.arch.aux_head.num_classes=1", "class_names=[thing]", NULL);
    refused(2, "clas_names", "test", config, "--weights", weights, "clas_names=[thing]", NULL);
    refused(1, "/no/folder", "test", config, "--weights", weights, "--json", "/no/folder/x.json", NULL);
}

/* ---- predict ---- */

static void check_prediction(const cJSON *one)
{
    const cJSON *d;
    double box[4], w = number(one, "width"), h = number(one, "height"), last = 1;
    assert_true(w == 96 && h == 96);
    cJSON_ArrayForEach(d, cJSON_GetObjectItemCaseSensitive(one, "detections")) {
        const cJSON *bbox = cJSON_GetObjectItemCaseSensitive(d, "bbox");
        for (int i = 0; i < 4; i++)
            assert_true(json_real(cJSON_GetArrayItem(bbox, i), &box[i]));
        assert_true(box[0] >= 0 && box[1] >= 0 && box[0] + box[2] <= w + 1e-3 && box[1] + box[3] <= h + 1e-3);
        assert_true(number(d, "score") <= last && number(d, "score") >= 0.01);
        assert_in_range((int)number(d, "category_id"), 1, 5);
        assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(d, "category_name")));
        last = number(d, "score");
    }
}

/* The output images have the size of the inputs. */
static void check_drawn(const struct string_list *names)
{
    struct error err = {0};
    int w, h;
    works("predict", config, "--weights", weights, "--score", "0.01", "--out", in_folder("drawn"), images, NULL);
    for (int i = 0; i < names->count; i++) {
        char *drawn = path_join(in_folder("drawn"), names->list[i], &err);
        assert_true(image_size(drawn, &w, &h, &err) && w == 96 && h == 96);
        free(drawn);
    }
}

/* The folder, a pattern and single files give the same detections. */
static void test_predict_takes_files_folders_and_patterns(void **state)
{
    struct string_list names = {0};
    struct error err = {0};
    (void)state;
    assert_true(folder_list(&names, images, &err));
    works("predict", config, "--weights", weights, "--score", "0.01", "--json", in_folder("a.json"), images, NULL);
    char pattern[160], first[200];
    snprintf(pattern, sizeof pattern, "%s/*.jpg", images);
    snprintf(first, sizeof first, "%s/%s", images, names.list[0]);
    works("predict", config, "--weights", weights, "--score", "0.01", "--json", in_folder("b.json"), pattern, NULL);
    works("predict", config, "--weights", weights, "--score", "0.01", "--json", in_folder("c.json"), first, NULL);
    works("predict", config, "--weights", weights, "--score", "0.01", first, NULL);
    cJSON *a = json_of("a.json"), *b = json_of("b.json"), *c = json_of("c.json");
    const cJSON *one;
    assert_int_equal(cJSON_GetArraySize(a), 5);
    assert_true(cJSON_Compare(a, b, true));
    assert_true(cJSON_Compare(cJSON_GetArrayItem(a, 0), cJSON_GetArrayItem(c, 0), true));
    cJSON_ArrayForEach(one, a)
        check_prediction(one);
    check_drawn(&names);
    refused(2, "overwrite", "predict", config, "--weights", weights, "--out", images, first, NULL);
    refused(2, "two images", "predict", config, "--weights", weights, "--out", in_folder("x"), first, first, NULL);
    refused(2, "--score", "predict", config, "--weights", weights, "--score", "2", first, NULL);
    refused(1, "no such file", "predict", config, "--weights", weights, in_folder("nothing*.jpg"), NULL);
    refused(1, "config.yml", "predict", config, "--weights", weights, config, NULL);
    cJSON_Delete(a);
    cJSON_Delete(b);
    cJSON_Delete(c);
    string_list_free(&names);
}

/* `count` bytes of the image, more than it has: all of it. */
static void add_image(struct strbuf *stream, const char *name, size_t count)
{
    struct error err = {0};
    struct bytes frame;
    char *path = path_join(images, name, &err);
    assert_true(file_read(&frame, path, &err));
    strbuf_add(stream, frame.p, count < frame.size ? count : frame.size);
    bytes_free(&frame);
    free(path);
}

static void stream_from(const struct strbuf *stream)
{
    struct error err = {0};
    assert_true(file_write(in_folder("stream"), stream->s, stream->size, &err));
    assert_non_null(freopen(in_folder("stream"), "rb", stdin));
}

/* There are headers between frames.  The second frame is truncated in its scan, the fourth cannot be decoded, the last
 * ends with the stream. */
static void test_predict_reads_a_stream(void **state)
{
    static const char header[] = "\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n";
    static const char bad[] = "\xff\xd8\xff\xe0\0\4..\xff\xda\0\2no image\xff\xd9";
    static const char *const good[] = { "frame_000001", "frame_000003", "frame_000005" };
    struct error err = {0};
    struct string_list names = {0};
    struct strbuf stream = {0};
    char drawn[200];
    int w, h;
    (void)state;
    assert_true(folder_list(&names, images, &err));
    add_image(&stream, names.list[0], SIZE_MAX);
    strbuf_addf(&stream, "%s", header);
    add_image(&stream, names.list[1], 1000);
    add_image(&stream, names.list[2], SIZE_MAX);
    strbuf_add(&stream, bad, sizeof bad - 1);
    strbuf_addf(&stream, "%s", header);
    add_image(&stream, names.list[3], SIZE_MAX);
    add_image(&stream, names.list[4], 1000);
    stream_from(&stream);
    works("predict", config, "--weights", weights, "--score", "0.01", "--json", in_folder("s.json"), "-", NULL);
    cJSON *json = json_of("s.json");
    assert_int_equal(cJSON_GetArraySize(json), 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *one = cJSON_GetArrayItem(json, i);
        assert_string_equal(cJSON_GetObjectItemCaseSensitive(one, "file")->valuestring, good[i]);
        check_prediction(one);
    }
    cJSON_Delete(json);
    stream_from(&stream);
    works("predict", config, "--weights", weights, "--score", "0.01", "--out", in_folder("frames"), "-", NULL);
    snprintf(drawn, sizeof drawn, "%s/frame_000005.jpg", in_folder("frames"));
    assert_true(image_size(drawn, &w, &h, &err) && w == 96 && h == 96);
    assert_non_null(freopen("/dev/null", "rb", stdin));
    refused(1, "not one whole JPEG", "predict", config, "--weights", weights, "--json", in_folder("no.json"), "-",
            NULL);
    assert_false(file_exists(in_folder("no.json")));
    refused(1, "/no/folder", "predict", config, "--weights", weights, "--json", "/no/folder/x.json", "-", NULL);
    strbuf_free(&stream);
    string_list_free(&names);
}

/* ---- heatmap ---- */

static void test_heatmap_writes_one_image_per_layer(void **state)
{
    static const char *const layers[] = { "stride8", "stride16", "stride32", "stride64", "backbone.conv1.1" };
    struct string_list names = {0}, drawn = {0};
    struct error err = {0};
    char first[200];
    int w, h;
    (void)state;
    assert_true(folder_list(&names, images, &err));
    snprintf(first, sizeof first, "%s/%s", images, names.list[0]);
    works("heatmap", config, "--weights", weights, "--out", in_folder("heat"), "--score", "0.01", images, NULL);
    works("heatmap", config, "--weights", weights, "--out", in_folder("heat"), "--layer", layers[4], first,
          "data.val.input_size=[128, 64]", NULL);
    assert_true(folder_list(&drawn, in_folder("heat"), &err));
    assert_int_equal(drawn.count, 4 * names.count + 1);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%.*s_%s.jpg", in_folder("heat"), (int)(strlen(names.list[0]) - 4),
                 names.list[0], layers[i]);
        assert_true(image_size(path, &w, &h, &err) && w == 96 && h == 96);
    }
    refused(2, "backbone.conv1.1", "heatmap", config, "--weights", weights, "--out", in_folder("heat"), "--layer",
            "backbone.conv1.11", first, NULL);
    refused(2, "--out", "heatmap", config, "--weights", weights, first, NULL);
    refused(2, "overwrite", "heatmap", config, "--weights", weights, "--out", images, first, NULL);
    refused(1, "no such file", "heatmap", config, "--weights", weights, "--out", in_folder("heat"), "none.jpg", NULL);
    string_list_free(&names);
    string_list_free(&drawn);
}

/* ---- export ---- */

static void check_export(const char *name, const char *flag, enum dtype dtype, bool folded)
{
    struct tensors t = {0};
    struct error err = {0};
    if (flag)
        works("export", config, "--weights", weights, "--out", in_folder(name), flag, NULL);
    else
        works("export", config, "--weights", weights, "--out", in_folder(name), NULL);
    assert_true(safetensors_read(&t, in_folder(name), &err));
    for (int i = 0; i < t.count; i++) {
        assert_int_equal(t.list[i].dtype, dtype);
        assert_true(strncmp(t.list[i].name, "aux_", 4) != 0);
        assert_false(folded && strstr(t.list[i].name, "running_"));
    }
    assert_int_equal(tensors_find(&t, "backbone.conv1.0.bias") != NULL, folded);
    assert_int_equal(tensors_find(&t, "backbone.conv1.1.running_var") != NULL, !folded);
    assert_string_equal(tensors_metadata(&t, "class_names"), "[\"car\",\"van\",\"truck\",\"bus\",\"person\"]");
    assert_string_equal(tensors_metadata(&t, "input_size"), "[96,64]");
    assert_string_equal(tensors_metadata(&t, "folded"), folded ? "true" : "false");
    tensors_free(&t);
    works("test", config, "--weights", in_folder(name), "--json", in_folder("score.json"), NULL);
}

static void test_exports_give_equal_detections(void **state)
{
    (void)state;
    check_export("folded.safetensors", NULL, DTYPE_F32, true);
    check_export("plain.safetensors", "--no-fold", DTYPE_F32, false);
    check_export("half.safetensors", "--fp16", DTYPE_F16, true);
    works("export", config, "--weights", in_folder("folded.safetensors"), "--out", in_folder("again.safetensors"),
          NULL);
    struct bytes a, b;
    struct error err = {0};
    assert_true(file_read(&a, in_folder("folded.safetensors"), &err));
    assert_true(file_read(&b, in_folder("again.safetensors"), &err));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.p, b.p, a.size);              /* folding what is folded changes no bit */
    bytes_free(&a);
    bytes_free(&b);
    refused(2, "--out", "export", config, "--weights", weights, NULL);
    refused(2, "are for onnx", "export", config, "--weights", weights, "--out", "x", "--any-size", NULL);
    refused(2, "did you mean nms", "export", config, "--weights", weights, "--out", "x", "--output", "nsm", NULL);
    refused(2, "must end in .param", "export", config, "--weights", weights, "--out", "x", "--format", "ncnn", NULL);
    refused(2, "no such format", "export", config, "--weights", weights, "--out", "x", "--format", "onyx", NULL);
    refused(2, "ends as files of onnx do", "export", config, "--weights", weights, "--out", "x.onnx", "--format",
            "ncnn", NULL);
    refused(2, "would overwrite", "export", config, "--weights", weights, "--out", weights, NULL);
    refused(2, "would overwrite", "test", config, "--weights", weights, "--json", in_folder("data/val.json"), NULL);
    refused(2, "would overwrite", "test", config, "--weights", weights, "--json", "s.json", "--dets", "s.json", NULL);
    refused(2, "would overwrite", "eval", in_folder("data/val.json"), in_folder("d.json"), "--json",
            in_folder("data/val.json"), NULL);
    refused(2, "let its name end in .json", "convert", "yolo", folder, "--out", "classes.txt", NULL);
    refused(1, "is a folder", "export", config, "--weights", weights, "--out", in_folder("data"), NULL);
    refused(1, "/no/folder", "export", config, "--weights", weights, "--out", "/no/folder/x", NULL);
}

/* Folded weights survive every format bit-identically, with folded or separate norms. */
static void test_export_of_an_export(void **state)
{
    static const struct round { const char *format, *file, *flag; } rounds[] = {
        { "ncnn", "round.param", NULL }, { "ncnn", "apart.param", "--no-fold" }, { "onnx", "round.onnx", NULL },
        { "onnx", "apart.onnx", "--no-fold" }, { "onnx", "sized.onnx", "--any-size" } };
    struct bytes a, b;
    struct error err = {0};
    (void)state;
    works("export", config, "--weights", weights, "--out", in_folder("before.safetensors"), NULL);
    assert_true(file_read(&a, in_folder("before.safetensors"), &err));
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        const struct round *r = &rounds[i];
        works("export", config, "--weights", in_folder("before.safetensors"), "--out", in_folder(r->file), "--format",
              r->format, r->flag, NULL);
        works("export", config, "--weights", in_folder(r->file), "--out", in_folder("after.safetensors"), NULL);
        assert_true(file_read(&b, in_folder("after.safetensors"), &err));
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.p, b.p, a.size);
        bytes_free(&b);
    }
    bytes_free(&a);
}

/* ---- info, bench, convert ---- */

static void test_info_counts(void **state)
{
    static const char *const keys[] = { "conv_linear_macs", "parameters_inference", "parameters_training",
                                        "planned_bytes_inference", "planned_bytes_training",
                                        "packed_bytes_inference" };
    (void)state;
    works("info", config, "--json", in_folder("info.json"), "--graph", in_folder("graph.json"), NULL);
    works("info", config, NULL);
    works("info", config, "--training", "--json", in_folder("x.json"), "--graph", in_folder("training.json"), NULL);
    cJSON *info = json_of("info.json"), *graph = json_of("graph.json"), *training = json_of("training.json");
    const cJSON *layer;
    double parameters = 0, macs = 0;
    int depthwise = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(number(info, keys[i]) > 0);
    cJSON_ArrayForEach(layer, cJSON_GetObjectItemCaseSensitive(info, "layers")) {
        parameters += number(layer, "parameters");
        macs += number(layer, "macs");
        const bool conv = strcmp(cJSON_GetObjectItemCaseSensitive(layer, "op")->valuestring, "conv") == 0;
        const cJSON *algorithm = cJSON_GetObjectItemCaseSensitive(layer, "algorithm");
        assert_true(conv == (algorithm != NULL));
        assert_true(!conv || conv_algorithm_named(algorithm->valuestring));
        depthwise += conv && strcmp(algorithm->valuestring, "depthwise") == 0;
    }
    assert_true(depthwise > 0);
    assert_true(parameters == number(info, "parameters_inference") && macs == number(info, "conv_linear_macs"));
    assert_int_equal(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(info, "input"), 0)->valueint, 64);
    assert_int_equal(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(info, "output"), 1)->valueint,
                     96 + 24 + 6 + 2);
    const cJSON *nodes = cJSON_GetObjectItemCaseSensitive(graph, "nodes");
    assert_true(cJSON_GetArraySize(nodes) > 100);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(training, "nodes")) > cJSON_GetArraySize(nodes));
    cJSON_Delete(training);
    cJSON_Delete(info);
    cJSON_Delete(graph);
}

static int extent(const char *file, int axis)
{
    cJSON *json = json_of(file);
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(json, "input");
    const int n = cJSON_GetArrayItem(input, axis)->valueint;
    cJSON_Delete(json);
    return n;
}

static bool holds(const char *name, const char *text)
{
    struct bytes file;
    struct error err;
    assert_true(file_read(&file, in_folder(name), &err));
    const bool found = memmem(file.p, file.size, text, strlen(text)) != NULL;
    bytes_free(&file);
    return found;
}

/* Width, height; rounded up to multiples of 32 as batches are, and exported files say so. */
static void test_any_input_size(void **state)
{
    static const char size[] = "data.val.input_size=[150, 64]", too_large[] = "data.val.input_size=[8192, 8192]";
    struct tensors t = {0};
    struct error err;
    (void)state;
    works("info", config, "--json", in_folder("info.json"), size, NULL);
    assert_true(extent("info.json", 0) == 64 && extent("info.json", 1) == 160);
    works("export", config, "--weights", weights, "--out", in_folder("sized.safetensors"), size, NULL);
    assert_true(safetensors_read(&t, in_folder("sized.safetensors"), &err));
    assert_string_equal(tensors_metadata(&t, "input_size"), "[160,64]");
    tensors_free(&t);
    works("export", config, "--weights", weights, "--format", "onnx", "--out", in_folder("sized.onnx"), size, NULL);
    assert_true(holds("sized.onnx", "[160,64]"));
    works("export", config, "--weights", weights, "--format", "ncnn", "--out", in_folder("sized.param"), size, NULL);
    assert_true(holds("sized.param", " 0=160 1=64 2=3"));
    refused(2, "data.val.input_size must be", "info", config, "data.val.input_size=[150, 0]", NULL);
    refused(2, "data.val.input_size must be", "info", config, "data.val.input_size=150", NULL);
    refused(2, "too large", "info", config, too_large, "device.batchsize_per_gpu=96", NULL);
    refused(2, "not of stride 128", "info", config, "model.arch.head.strides=[8, 16, 32, 128]", NULL);
}

/* The bytes that the layers read and write for a batch. */
static double bytes_of_layers(const char *batch)
{
    const cJSON *layer;
    double bytes = 0;
    works("bench", config, "--batch", batch, "--seconds", "0", "--layers", "--json", in_folder("bench.json"), NULL);
    cJSON *json = json_of("bench.json");
    cJSON_ArrayForEach(layer, cJSON_GetObjectItemCaseSensitive(json, "layers"))
        bytes += number(layer, "bytes");
    cJSON_Delete(json);
    return bytes;
}

static void test_bench_measures(void **state)
{
    static const char *const modes[] = { "infer", "train" };
    (void)state;
    assert_true(bytes_of_layers("1") > 0 && bytes_of_layers("2") == 2 * bytes_of_layers("1"));
    for (int i = 0; i < 2; i++) {
        works("bench", config, "--mode", modes[i], "--batch", "2", "--seconds", "0.1", "--layers", "--json",
              in_folder("bench.json"), NULL);
        cJSON *json = json_of("bench.json");
        assert_string_equal(cJSON_GetObjectItemCaseSensitive(json, "mode")->valuestring, modes[i]);
        assert_true(number(json, "batch") == 2 && number(json, "images") >= 2);
        assert_true(number(json, "ms_per_image_min") > 0
                    && number(json, "ms_per_image_median") >= number(json, "ms_per_image_min"));
        assert_true(number(json, "peak_rss_bytes") > 1e6);
        assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(json, "isa")));
        assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "layers")) > 100);
        assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "parts")) >= (i ? 5 : 3));
        assert_true(number(json, "peak_gflops") > 0);
        cJSON_Delete(json);
    }
    works("bench", config, "--seconds", "0", NULL);
    works("bench", config, "--seconds", "0", "class_names=[one]", NULL);    /* only the network counts */
    refused(2, "--mode", "bench", config, "--mode", "both", NULL);
    refused(2, "--batch", "bench", config, "--batch", "0", NULL);
}

static void test_convert_writes_coco(void **state)
{
    static const char row[] = "10,20,30,40,1,4,0,0\r\n";
    struct error err = {0};
    struct image grey;
    (void)state;
    assert_true(make_folders(in_folder("vd/annotations"), &err) && make_folders(in_folder("vd/images"), &err));
    assert_true(file_write(in_folder("vd/annotations/a.txt"), row, sizeof row - 1, &err));
    assert_true(image_new(&grey, 64, 64, &err) && image_write_png(&grey, in_folder("vd/images/a.png"), &err));
    image_free(&grey);
    works("convert", "visdrone", in_folder("vd"), "--out", in_folder("vd.json"), NULL);
    cJSON *json = json_of("vd.json");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "annotations")), 1);
    cJSON_Delete(json);
    refused(2, "--out", "convert", "visdrone", in_folder("vd"), NULL);
    refused(2, "vok", "convert", "vok", in_folder("vd"), "--out", in_folder("x.json"), NULL);
    refused(1, "nowhere", "convert", "voc", in_folder("nowhere"), "--out", in_folder("x.json"), NULL);
}

static int setup(void **state)
{
    struct error err = {0};
    (void)state;
    const bool ok = tiny_make_weights("weights.safetensors", &err);
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(weights, sizeof weights, "%s", in_folder("weights.safetensors"));
    snprintf(images, sizeof images, "%s", in_folder("data/images/val"));
    if (!ok)
        print_error("%s\n", err.text);
    return ok ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_test_writes_score_and_detections),
        cmocka_unit_test(test_predict_takes_files_folders_and_patterns),
        cmocka_unit_test(test_predict_reads_a_stream),
        cmocka_unit_test(test_heatmap_writes_one_image_per_layer),
        cmocka_unit_test(test_exports_give_equal_detections),
        cmocka_unit_test(test_export_of_an_export),
        cmocka_unit_test(test_info_counts),
        cmocka_unit_test(test_any_input_size),
        cmocka_unit_test(test_bench_measures),
        cmocka_unit_test(test_convert_writes_coco) };
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
