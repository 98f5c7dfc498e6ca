/* tests/test_watch.c -- a training whose page is open: the same results, and documents that follow it. */
#include "base/json.h"
#include "data/image.h"
#include "http_client.h"
#include "runs.h"
#include "serve/access.h"
#include "serve/pictures.h"
#include "serve/watch.h"
#include "typed.h"
#include <pthread.h>
#include <stdatomic.h>

static atomic_bool left;

/* Reads everything, as fast as the server answers. */
static void *read_all(void *port)
{
    static const char *const paths[] = { "/status", "/history", "/metrics", "/log", "/image/0", "/image/2" };
    for (int i = 0; !atomic_load(&left); i++)
        http_status(*(int *)port, "GET", paths[i % 6], "localhost");
    return NULL;
}

static const cJSON *field(const cJSON *of, const char *name) { return cJSON_GetObjectItemCaseSensitive(of, name); }

static void check_history(int port)
{
    struct error err = {0};
    struct strbuf answer;
    assert_int_equal(http_ask(port, "GET", "/history", "localhost", &answer), 200);
    cJSON *history = json_parse(http_body(&answer), strlen(http_body(&answer)), "history", &err);
    assert_non_null(history);
    assert_int_equal(cJSON_GetArraySize(field(field(history, "steps"), "loss")), 6);        /* of both parts */
    assert_int_equal(cJSON_GetArraySize(field(field(history, "scores"), "AP50")), 2);
    assert_true(cJSON_GetArrayItem(field(field(history, "scores"), "epoch"), 0)->valuedouble == 2);
    cJSON_Delete(history);
    strbuf_free(&answer);
}

static void check_image(int port, const cJSON *listed)
{
    struct error err = {0};
    struct strbuf answer;
    struct image image;
    assert_int_equal(http_ask(port, "GET", "/image/2", "localhost", &answer), 200);
    const char *body = http_body(&answer);
    must(image_decode(&image, body, answer.size - (size_t)(body - answer.s), "image", &err), &err);
    assert_int_equal(image.width, field(listed, "width")->valuedouble);
    assert_int_equal(image.height, field(listed, "height")->valuedouble);
    assert_non_null(strstr(cJSON_GetStringValue(field(listed, "file")), ".jpg"));
    image_free(&image);
    strbuf_free(&answer);
    assert_int_equal(http_status(port, "GET", "/image/3", "localhost"), 404);               /* the set has three */
}

static void check_documents(int port)
{
    struct error err = {0};
    struct strbuf answer;
    assert_int_equal(http_ask(port, "GET", "/status", "localhost", &answer), 200);
    cJSON *status = json_parse(http_body(&answer), strlen(http_body(&answer)), "status", &err);
    assert_non_null(status);
    assert_true(field(status, "epoch")->valuedouble == 3 && field(status, "step")->valuedouble == 5);
    assert_true(field(status, "evaluated_epoch")->valuedouble == 3);
    assert_int_equal(cJSON_GetArraySize(field(field(status, "score"), "per_class")), 5);
    assert_int_equal(cJSON_GetArraySize(field(status, "images")), 3);
    check_image(port, cJSON_GetArrayItem(field(status, "images"), 2));
    cJSON_Delete(status);
    strbuf_free(&answer);
    check_history(port);
}

static bool is_grey(const struct image *image, int x, int y)
{
    const unsigned char *p = image->p + 3 * ((ptrdiff_t)y * image->width + x);
    return abs(p[0] - p[1]) < 20 && abs(p[1] - p[2]) < 20;
}

/* Boxes lie where they belong, in images that are halved while they are decoded, too. */
static void pictures_are_scaled(void **state)
{
    static const struct { int width, height, shown_width, shown_height; } cases[] = {
        { 300, 200, 300, 200 }, { 740, 740, 640, 640 }, { 1400, 700, 640, 320 }, { 600, 1800, 213, 640 } };
    struct config config = { .shown_score = 0.35, .val.img_path = folder };
    struct image_record record = { .file = (char[]){ "grey.jpg" } };
    struct category category = { .name = (char[]){ "" } };
    const struct dataset d = { .images = &record, .image_count = 1, .categories = &category, .category_count = 1 };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double w = cases[i].width, h = cases[i].height;
        struct error err = {0};
        struct image image;
        struct picture picture;
        struct detection list[2] = { { .box = { w / 2, h / 2, w / 4, h / 4 }, .score = 0.9 }, { .score = 0.3 } };
        must(image_new(&image, cases[i].width, cases[i].height, &err), &err);
        memset(image.p, 128, (size_t)image.width * (size_t)image.height * 3);
        must(image_write_jpeg(&image, 95, in_folder("grey.jpg"), &err), &err);
        image_free(&image);
        must(picture_make(&picture, &config, &d, 0, &(struct detections){ list, 2, 2 }, &err), &err);
        must(image_decode(&image, picture.jpeg.p, picture.jpeg.size, "picture", &err), &err);
        assert_true(image.width == cases[i].shown_width && image.height == cases[i].shown_height);
        assert_false(is_grey(&image, image.width * 3 / 4, image.height * 5 / 8));       /* the right side of the box */
        assert_true(is_grey(&image, image.width * 3 / 8, image.height * 5 / 8));        /* left of it */
        assert_non_null(strstr(picture.json.s, "\"count\":1}"));
        image_free(&image);
        picture_free(&picture);
    }
}

/* Trains in two parts, so that the page of the second one shows the curves of both. */
static void a_watched_training_gives_the_same_results(void **state)
{
    struct error err = {0};
    struct run first;
    pthread_t client;
    (void)state;
#ifndef HAVE_MICROHTTPD
    skip();
#endif
    run_whole("alone", NULL, (struct training_options){0});
    must(run_open(&first, "watched", NULL, (struct training_options){0}), &first.err);
    for (int i = 0; i < 6; i++)                                 /* two epochs */
        must(trainer_advance(&first.trainer, &first.err), &first.err);
    run_close(&first);
    struct config config = {0};
    char save_dir[200];
    snprintf(save_dir, sizeof save_dir, "save_dir=%s", in_folder("watched"));
    must(config_read(&config, in_folder("config.yml"), (const char *[]){ save_dir, "test.score_thr=0.01" }, 2, &err),
         &err);
    struct watch *watch = watch_open("0", &config, &err);
    must(watch, &err);
    int port = port_of(watch_url(watch));
    assert_int_equal(pthread_create(&client, NULL, read_all, &port), 0);
    run_whole("watched", NULL, (struct training_options){ .resume = true, .output.observer = watch_observer(watch) });
    atomic_store(&left, true);
    pthread_join(client, NULL);
    assert_same_results("alone", "watched");
    check_documents(port);
    watch_close(watch);
    config_free(&config);
}

static void a_port_in_use_ends_the_command_before_it_trains(void **state)
{
    struct error err = {0};
    struct access other;
    char address[30], save_dir[200];
    (void)state;
#ifndef HAVE_MICROHTTPD
    skip();
#endif
    must(access_open(&other, "0", &err), &err);
    snprintf(address, sizeof address, "127.0.0.1:%d", port_of(other.url));
    snprintf(save_dir, sizeof save_dir, "save_dir=%s", in_folder("unborn"));
    refused(1, address, "train", in_folder("config.yml"), "--serve", address, save_dir, NULL);
    refused(2, "[HOST:]PORT", "train", in_folder("config.yml"), "--serve", "no port", save_dir, NULL);
    assert_false(folder_exists(in_folder("unborn")));
    close(other.socket);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(pictures_are_scaled),
                                        cmocka_unit_test(a_watched_training_gives_the_same_results),
                                        cmocka_unit_test(a_port_in_use_ends_the_command_before_it_trains) };
    alarm(300);
    return cmocka_run_group_tests(tests, make_scenes, remove_folder);
}
