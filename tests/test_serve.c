/* tests/test_serve.c -- the server of a training's page: who gets an answer, the documents, and hostile clients. */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "http_client.h"
#include "seed.h"
#include "serve/access.h"
#include "serve/watch.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <math.h>
#include <poll.h>

/* ---- a run without training ---- */

#define HOSTILE "</script><b>\"\\\n{}\x1b[2J\xe9" "%"
static const char *const columns[] = { "step", "epoch", "lr", "loss", "aux_loss_qfl", "images_per_second" };
enum { COLUMNS = sizeof columns / sizeof *columns };

static struct config config;
static struct watch *watch;
static int port;

static void open_page(const char *address)
{
    struct error err = {0};
    config = (struct config){ .save_dir = "run " HOSTILE, .shown_score = 0.35,
                              .schedule = { .total_epochs = 3 } };
    watch = watch_open(address, &config, &err);
#ifndef HAVE_MICROHTTPD
    assert_null(watch);
    assert_int_equal(err.exit, 2);
    assert_non_null(strstr(err.text, "built without libmicrohttpd"));
    skip();
#endif
    if (!watch)
        fail_msg("%s", err.text);
    port = port_of(watch_url(watch));
}

static void close_page(void) { watch_close(watch); }

static void send_step(int step)
{
    const struct run_observer *o = watch_observer(watch);
    const double row[COLUMNS] = { step, 1, 0.001, 1.5 + step, NAN, 20 };
    o->on_step(o->context, &(struct observed_step){ columns, row, COLUMNS, true, 2, 5, 3600 });
}

static void send_score(int epoch)
{
    const struct run_observer *o = watch_observer(watch);
    struct coco_class classes[2] = { { .name = HOSTILE, .ap = 0.25 * epoch, .ap50 = 0.5 },
                                     { .name = "none", .ap = -1, .ap50 = -1 } };
    const struct evaluation e = { .score = { .figures = { 0.25, 0.5, -1 }, .classes = classes, .class_count = 2 } };
    const struct dataset none = {0};
    o->on_message(o->context, "a message of " HOSTILE);
    o->on_evaluating(o->context, 7, 9);
    o->on_score(o->context, &(struct observed_score){ epoch, 1, 0.25, &e, &none });
}

static struct strbuf document(const char *path)
{
    struct strbuf answer;
    if (http_ask(port, "GET", path, "localhost", &answer) != 200)
        fail_msg("%s: %s", path, answer.s ? answer.s : "no answer");
    return answer;
}

static cJSON *json_document(const char *path)
{
    struct error err = {0};
    struct strbuf answer = document(path);
    const char *body = http_body(&answer);
    cJSON *json = json_parse(body, strlen(body), path, &err);
    if (!json)
        fail_msg("%s: %s", err.text, body);
    strbuf_free(&answer);
    return json;
}

/* ---- access ---- */

static void addresses_are_checked(void **state)
{
    static const struct { const char *address; int exit; } cases[] = {
        { "0", 0 }, { "127.0.0.1:0", 0 }, { "localhost:0", 0 }, { "", 2 }, { ":0", 2 }, { "80x", 2 }, { "-1", 2 },
        { "65536", 2 }, { "123456", 2 }, { "localhost:", 2 }, { "::1:0", 2 }, { "[]:0", 2 }, { "[::1]0", 2 },
        { "256.0.0.1.:0", 1 }, { "192.0.2.1:0", 1 } };         /* TEST-NET-1: no machine has this address */
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct access access;
        const bool ok = access_open(&access, cases[i].address, &err);
        if (ok != (cases[i].exit == 0) || err.exit != cases[i].exit || (!ok && !strstr(err.text, cases[i].address)))
            fail_msg("%s: exit %d: %s", cases[i].address, err.exit, err.text);
        if (ok)
            close(access.socket);
    }
}

static void only_this_machine_is_listened_on(void **state)
{
    struct error err = {0};
    struct access access;
    struct sockaddr_in own = {0};
    socklen_t size = sizeof own;
    (void)state;
    assert_true(access_open(&access, "0", &err));
    assert_int_equal(getsockname(access.socket, (struct sockaddr *)&own, &size), 0);
    assert_int_equal(own.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_null(strstr(access.url, "token"));
    close(access.socket);
}

static void a_port_in_use_is_an_error(void **state)
{
    struct error err = {0};
    char address[20];
    (void)state;
    open_page("0");
    snprintf(address, sizeof address, "%d", port);
    assert_null(watch_open(address, &config, &err));
    assert_int_equal(err.exit, 1);
    assert_non_null(strstr(err.text, address));
    close_page();
}

static void other_hosts_are_refused(void **state)
{
    static const struct { const char *host; int status; } cases[] = {
        { "localhost", 200 }, { "LocalHost:80", 200 }, { "127.0.0.1", 200 }, { "127.0.0.1:9", 200 }, { "[::1]:9", 200 },
        { "evil.example", 403 }, { "evil.example:80", 403 }, { "localhost.evil.example", 403 }, { "localhost:9x", 403 },
        { "127.0.0.10", 403 }, { "", 403 }, { "a localhost", 403 }, { "localhost, evil.example", 403 } };
    (void)state;
    open_page("0");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int status = http_status(port, "GET", "/status", cases[i].host);
        if (status != cases[i].status)
            fail_msg("Host: %s gives %d", cases[i].host, status);
    }
    const int without = http_status(port, "GET", "/status", NULL);
    assert_true(without == 400 || without == 403);              /* some versions of the library refuse it themselves */
    close_page();
}

static void a_host_needs_the_token_for_everything(void **state)
{
    static const char *const paths[] = { "/", "/status", "/metrics", "/history", "/log", "/image/0", "/nothing" };
    char path[200];
    (void)state;
    open_page("127.0.0.1:0");
    const char *query = strchr(watch_url(watch), '?');
    assert_non_null(query);
    assert_int_equal(strlen(query), strlen("?token=") + TOKEN_SIZE);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(http_status(port, "GET", paths[i], "localhost"), 403);
        snprintf(path, sizeof path, "%s%s", paths[i], query);
        assert_int_equal(http_status(port, "GET", path, "any.example"), i < 5 ? 200 : 404);
    }
    for (size_t i = strlen("?token="); i <= strlen(query); i++) {               /* one digit wrong, or one too many */
        snprintf(path, sizeof path, "/status%s", query);
        path[strlen("/status") + i] = query[i] == '0' ? '1' : '0';
        path[strlen("/status") + i + 1] = i < strlen(query) ? path[strlen("/status") + i + 1] : 0;
        assert_int_equal(http_status(port, "GET", path, "localhost"), 403);
    }
    snprintf(path, sizeof path, "/status%.*s", (int)strlen(query) - 1, query);
    assert_int_equal(http_status(port, "GET", path, "localhost"), 403);
    assert_int_equal(http_status(port, "POST", "/status", "localhost"), 403);
    close_page();
}

static void tokens_differ(void **state)
{
    struct error err = {0};
    char a[TOKEN_SIZE + 1], b[TOKEN_SIZE + 1];
    (void)state;
    assert_true(draw_token(a, &err) && draw_token(b, &err));
    assert_int_equal(strlen(a), TOKEN_SIZE);
    assert_string_not_equal(a, b);
}

static void only_get_and_head_are_answered(void **state)
{
    static const char *const refused[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X" };
    struct strbuf got, head;
    (void)state;
    open_page("0");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(http_ask(port, refused[i], "/status", "localhost", &got), 405);
        assert_non_null(strstr(got.s, "Allow: GET, HEAD\r\n"));
        strbuf_free(&got);
    }
    got = document("/");
    assert_int_equal(http_ask(port, "HEAD", "/", "localhost", &head), 200);
    assert_string_equal(http_body(&head), "");
    const char *length = strstr(got.s, "Content-Length: ");
    assert_non_null(strstr(head.s, "Content-Length: "));
    assert_int_equal(atoi(strstr(head.s, "Content-Length: ") + 16), strlen(http_body(&got)));
    assert_int_equal(atoi(length + 16), strlen(http_body(&got)));
    strbuf_free(&got);
    strbuf_free(&head);
    assert_int_equal(http_status(port, "GET", "/../etc/passwd", "localhost"), 404);
    assert_int_equal(http_status(port, "GET", "/status/", "localhost"), 404);
    assert_int_equal(http_status(port, "GET", "http://localhost/status", "localhost"), 404);
    close_page();
}

/* ---- documents ---- */

static void the_page_runs_its_own_script_alone(void **state)
{
    char want[100], nonce[40];
    (void)state;
    open_page("0");
    struct strbuf page = document("/");
    const char *policy = strstr(page.s, "script-src 'nonce-");
    assert_non_null(policy);
    assert_int_equal(sscanf(policy, "script-src 'nonce-%32[0-9a-f]'", nonce), 1);
    assert_non_null(strstr(page.s, "Content-Security-Policy: default-src 'none';"));
    assert_null(strstr(policy, "unsafe"));
    snprintf(want, sizeof want, "<script type=\"module\" nonce=\"%s\">", nonce);
    assert_non_null(strstr(page.s, want));
    assert_null(strstr(page.s, "NONCE"));
    assert_null(strstr(page.s, "innerHTML"));
    assert_null(strstr(page.s, "Access-Control"));
    const char *link = strstr(http_body(&page), "http");        /* the only one is the name of the format SVG */
    assert_non_null(link);
    assert_memory_equal(link, "http://www.w3.org/2000/svg", 26);
    assert_null(strstr(link + 1, "http"));
    strbuf_free(&page);
    close_page();
}

/* docs/cli.md has a row for each field of /status. */
static void check_fields(const cJSON *status)
{
    struct error err = {0};
    struct bytes doc;
    if (!file_read(&doc, "docs/cli.md", &err))
        fail_msg("%s", err.text);
    const char *table = strstr((char *)doc.p, "### /status");
    assert_non_null(table);
    for (const cJSON *field = status->child; field; field = field->next) {
        char name[60];
        snprintf(name, sizeof name, "`%s`", field->string);
        if (!strstr(table, name))
            fail_msg("docs/cli.md does not describe %s", name);
    }
    bytes_free(&doc);
}

static void status_is_json(void **state)
{
    (void)state;
    open_page("0");
    cJSON *status = json_document("/status");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(status, "state")), "starting");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(status, "score")));
    cJSON_Delete(status);
    send_step(12345678);
    send_score(1);
    send_score(2);
    status = json_document("/status");
    check_fields(status);
    assert_true(cJSON_GetObjectItem(status, "step")->valuedouble == 12345678);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(status, "aux_loss_qfl")));
    assert_true(cJSON_GetObjectItem(status, "seconds_left")->valuedouble == 3600);
    assert_true(cJSON_GetObjectItem(status, "evaluated_epoch")->valuedouble == 2);
    const cJSON *score = cJSON_GetObjectItem(status, "score");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(score, "per_class"), 0);
    assert_true(cJSON_GetObjectItem(first, "change")->valuedouble == 0.25);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(first, "name")), "</script><b>\"\\\n{}\x1b[2J%E9%25");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(score, "per_class"), 1),
                                                 "change")));
    assert_true(cJSON_GetObjectItem(cJSON_GetObjectItem(score, "figures"), "AP75")->valuedouble == -1);
    cJSON_Delete(status);
    watch_end(watch);
    status = json_document("/status");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(status, "state")), "ended");
    cJSON_Delete(status);
    close_page();
}

/* Reads `name{label="value"} number`, as Prometheus does; returns false if the line is something else. */
static bool is_sample(const char *s)
{
    char *end;
    s += strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789");
    if (*s == '{') {
        s += 1 + strspn(s + 1, "abcdefghijklmnopqrstuvwxyz");
        if (strncmp(s, "=\"", 2) != 0)
            return false;
        for (s += 2; *s && *s != '"'; s++)
            if (*s == '\\' && !strchr("\\\"n", *++s))
                return false;
        if (strncmp(s, "\"}", 2) != 0)
            return false;
        s += 2;
    }
    return *s == ' ' && isfinite(strtod(s + 1, &end)) && *end == 0;
}

static void metrics_are_prometheus(void **state)
{
    int samples = 0;
    char *rest = NULL;
    (void)state;
    open_page("0");
    send_step(3);
    send_score(1);
    struct strbuf metrics = document("/metrics");
    assert_non_null(strstr(metrics.s, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(metrics.s, "\nnanodet_class_ap{class=\"</script><b>\\\"\\\\\\n{}\x1b[2J%E9%25\"} 0.25\n"));
    assert_non_null(strstr(metrics.s, "\nnanodet_score{figure=\"AP50\"} 0.5\n"));
    assert_null(strstr(metrics.s, "class=\"none\""));           /* undefined */
    assert_null(strstr(metrics.s, "nan\n"));
    char *body = metrics.s + (http_body(&metrics) - metrics.s);
    for (char *line = strtok_r(body, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            continue;
        if (!is_sample(line))
            fail_msg("not a sample: %s", line);
        samples++;
    }
    assert_true(samples > 15);
    strbuf_free(&metrics);
    close_page();
}

static void the_log_is_plain_text(void **state)
{
    (void)state;
    open_page("0");
    send_score(1);
    struct strbuf log = document("/log");
    assert_non_null(strstr(log.s, "Content-Type: text/plain"));
    assert_non_null(strstr(log.s, "nosniff"));
    assert_non_null(strstr(log.s, "  a message of </script><b>\"\\\\n{}\\x1b[2J\\xe9%\n"));
    strbuf_free(&log);
    close_page();
}

/* A table of any length keeps its shape in at most 600 rows. */
static void histories_are_bounded(void **state)
{
    enum { STEPS = 5000 };
    (void)state;
    open_page("0");
    for (int i = 0; i < STEPS; i++)
        send_step(i);
    send_score(1);                                              /* publishes at once */
    cJSON *history = json_document("/history"), *steps = cJSON_GetObjectItem(history, "steps");
    const cJSON *step = cJSON_GetObjectItem(steps, "step"), *loss = cJSON_GetObjectItem(steps, "loss");
    const int count = cJSON_GetArraySize(step);
    assert_true(count > 300 && count <= 600 && cJSON_GetArraySize(loss) == count);
    for (int i = 0; i < count; i++) {
        const double x = cJSON_GetArrayItem(step, i)->valuedouble, y = cJSON_GetArrayItem(loss, i)->valuedouble;
        assert_true(fabs(x - (16 * i + 7.5)) < 1e-3 && fabs(y - x - 1.5) < 1e-3);
    }
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(cJSON_GetObjectItem(steps, "aux_loss_qfl"), 0)));
    cJSON_Delete(history);
    close_page();
}

/* ---- hostile clients ---- */

/* The longest time that the run waits for its page, in seconds, over some steps with new documents. */
static double longest_wait(void)
{
    double longest = 0;
    for (int i = 0; i < 20; i++) {
        const double start = clock_seconds();
        send_score(1);
        longest = fmax(longest, clock_seconds() - start);
    }
    return longest;
}

static void clients_that_hang_up_do_no_harm(void **state)
{
    static const char *const starts[] = { "", "G", "GET /status", "GET /history HTTP/1.1\r\nHost: localhost\r\n\r\n" };
    const struct linger reset = { .l_onoff = 1 };
    (void)state;
    open_page("0");
    for (int i = 0; i < 100; i++) {
        const char *start = starts[i % 4];
        const int s = http_connect(port);
        assert_true(s >= 0);
        assert_true(send(s, start, strlen(start), MSG_NOSIGNAL) >= 0);
        if (i % 8 >= 4)
            setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(s);
    }
    assert_true(longest_wait() < 1);
    cJSON_Delete(json_document("/status"));
    close_page();
}

/* They take all connections.  The run does not notice; the server is there again when they leave. */
static void slow_clients_do_no_harm(void **state)
{
    enum { CLIENTS = 80 };
    static const char begun[] = "GET /history HTTP/1.1\r\nHost: localhost\r\n";
    int s[CLIENTS];
    (void)state;
    open_page("0");
    for (int i = 0; i < 1000; i++)
        send_step(i);
    for (int i = 0; i < CLIENTS; i++) {
        s[i] = http_connect(port);
        assert_true(s[i] >= 0);
        assert_int_equal(send(s[i], begun, sizeof begun - 1, MSG_NOSIGNAL), sizeof begun - 1);
        if (i % 2)
            assert_int_equal(send(s[i], "\r\n", 2, MSG_NOSIGNAL), 2);          /* it never reads the answer */
    }
    assert_true(longest_wait() < 1);
    for (int i = 0; i < CLIENTS; i++)
        close(s[i]);
    cJSON_Delete(json_document("/status"));
    close_page();
}

static void garbage_is_refused(void **state)
{
    enum { LONG = 100000 };
    static const char *const requests[] = {
        "\r\n\r\n", "GET\r\n\r\n", "GET /status\r\n\r\n", "GET /status HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "GET /status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /%00%ff%zz?%=&&token HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /status HTTP/1.1\r\n: \r\n\r\n\r\n", "GET /status HTTP/1.1\r\n localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" };
    struct random random = random_of(seed(), 0, 0);
    struct strbuf answer, request = {0};
    (void)state;
    open_page("0");
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const int s = http_connect(port);
        assert_true(s >= 0 && send(s, requests[i], strlen(requests[i]), MSG_NOSIGNAL) > 0);
        shutdown(s, SHUT_WR);
        close(s);
    }
    for (int kind = 0; kind < 3; kind++) {                      /* a long path, a long header, many headers */
        strbuf_addf(&request, kind ? "GET /status HTTP/1.1\r\nHost: localhost\r\n" : "GET /");
        for (int i = 0; i < LONG / 5; i++)
            strbuf_addf(&request, kind == 2 ? "a: b\r\n" : "aaaaa");
        http_send(port, request.s, request.size, &answer);
        strbuf_free(&answer);
        strbuf_free(&request);
    }
    for (int round = 0; round < 100; round++) {
        for (int i = random_below(&random, 300); i >= 0; i--)
            strbuf_add(&request, &(unsigned char){ (unsigned char)random_below(&random, 256) }, 1);
        const int s = http_connect(port);
        assert_true(s >= 0);
        send(s, request.s, request.size, MSG_NOSIGNAL);
        close(s);
        strbuf_free(&request);
    }
    assert_true(longest_wait() < 1);
    cJSON_Delete(json_document("/status"));
    close_page();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_checked), cmocka_unit_test(only_this_machine_is_listened_on),
        cmocka_unit_test(a_port_in_use_is_an_error), cmocka_unit_test(other_hosts_are_refused),
        cmocka_unit_test(a_host_needs_the_token_for_everything), cmocka_unit_test(tokens_differ),
        cmocka_unit_test(only_get_and_head_are_answered), cmocka_unit_test(the_page_runs_its_own_script_alone),
        cmocka_unit_test(status_is_json), cmocka_unit_test(metrics_are_prometheus),
        cmocka_unit_test(the_log_is_plain_text), cmocka_unit_test(histories_are_bounded),
        cmocka_unit_test(clients_that_hang_up_do_no_harm), cmocka_unit_test(slow_clients_do_no_harm),
        cmocka_unit_test(garbage_is_refused) };
    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
