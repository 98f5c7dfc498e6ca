/* cli/bench.c -- times of training and detection on generated images. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/sort.h"
#include "cli/bench_cores.h"
#include "cli/bench_layers.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "kernel/kernels.h"
#include "runtime/detector.h"
#include "train/random_batch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

const struct option bench_options[] = {
    { "mode",    "train|infer", "infer", "time training steps, or the network alone" },
    { "batch",   "N",           NULL,    "images per batch (default: infer 1, train device.batchsize_per_gpu)" },
    { "seconds", "S",           "10",    "duration of the measurement" },
    { "layers",  NULL,          NULL,    "show time, arithmetic and memory traffic per layer" },
    { "cores",   NULL,          NULL,    "train: predict the time of a step with 1 to 128 threads" },
    { "weights", "FILE",        NULL,    "detect with these weights (default: random ones)" },
    { "json",    "FILE",        NULL,    "write the figures there instead of a table to stdout" },
    {0} };

enum { ROUNDS_MAX = 1 << 16, WARMUP_ROUNDS = 2 };

struct bench {
    struct session session;
    struct train_step train_step;       /* of training */
    struct detector detector;           /* of inference */
    struct graph *graph;                /* the current or last one */
    struct random_batch batch;
    bool train;
    double *round; int rounds;          /* seconds of each */
    double forward, optimizer;          /* seconds of the last round, losses included in forward */
    struct layer_times layers;          /* of --layers */
    struct core_times cores;            /* of --cores */
};

/* ---- measurement ---- */

static bool set_weights(struct bench *b, const struct args *args, struct error *err)
{
    if (args_text(args, "weights"))
        return session_load(&b->session, args, err);
    model_start(&b->session.model);
    return true;
}

static bool open_network(struct bench *b, struct error *err)
{
    struct model *model = &b->session.model;
    const struct policy *policy = &b->session.policy;
    if (b->train)
        return train_step_init(&b->train_step, model, policy, err);
    return detector_init(&b->detector, model, model->params.value, policy, err)
        && (b->graph = detector_graph(&b->detector, b->batch.images.h, b->batch.images.w, err));
}

static void discard(void *context, int image, const float *rows) { (void)context, (void)image, (void)rows; }

/* Layers are measured one after another, by all threads. */
static bool detect(struct bench *b, struct error *err)
{
    const struct input_batch *x = &b->batch.images;
    const ptrdiff_t elements = 3 * (ptrdiff_t)x->h * x->w;
    if (!b->layers.graph)
        return detector_forward_each(&b->detector, x->pixel, x->n, x->h, x->w, discard, NULL, err);
    for (int i = 0; i < x->n; i++)
        if (!detector_forward(&b->detector, x->pixel + i * elements, x->h, x->w, err))
            return false;
    return true;
}

static bool one_round(struct bench *b, struct error *err)
{
    struct losses losses;
    struct cached_graph *cached;
    double norm, start;
    if (!b->train) {
        b->forward = b->optimizer = HUGE_VAL;
        return detect(b, err);
    }
    start = clock_seconds();
    if (!train_step_forward(&b->train_step, &b->batch.images, 0, &losses, &cached, err))
        return false;
    b->forward = clock_seconds() - start;
    b->graph = &cached->graph;
    graph_backward(b->graph, false);
    start = clock_seconds();
    const bool ok = train_step_update(&b->train_step, &norm, err);
    b->optimizer = clock_seconds() - start;
    return ok;
}

static bool measure(struct bench *b, double seconds, bool layers, struct error *err)
{
    b->round = new_array(ROUNDS_MAX, sizeof *b->round, err);
    bool ok = b->round;
    for (int i = 0; ok && i < WARMUP_ROUNDS; i++)
        ok = one_round(b, err);
    ok = ok && (!layers || layer_times_open(&b->layers, b->graph, b->train ? 1 : b->batch.images.n, err));
    const double end = clock_seconds() + seconds;
    while (ok && b->rounds < ROUNDS_MAX && (clock_seconds() < end || b->rounds == 0)) {
        const double start = clock_seconds();
        ok = one_round(b, err);
        b->round[b->rounds++] = clock_seconds() - start;
        layer_times_end_round(&b->layers, b->forward, b->optimizer);
    }
    sort_doubles(b->round, b->rounds);
    return ok;
}

static bool traced_step(void *bench, struct error *err) { return one_round(bench, err); }

/* Opens the network again, with memory for all threads. */
static bool measure_cores(struct bench *b, struct error *err)
{
    enum { ROUNDS = 5 };
    struct policy many = b->session.policy;
    many.threads = CORES_MOST;
    train_step_free(&b->train_step);
    bool ok = train_step_init(&b->train_step, &b->session.model, &many, err) && one_round(b, err);
    for (int count = 0; ok && count < CORE_COUNTS; count++)
        for (int i = 0; ok && i < ROUNDS; i++) {
            b->train_step.team.threads = 1 << count;
            ok = core_times_round(&b->cores, count, b->graph, traced_step, b, err);
        }
    return ok;
}

/* ---- report ---- */

static double ms_per_image(const struct bench *b, double seconds) { return 1e3 * seconds / b->batch.images.n; }

static double peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024.0 * (double)usage.ru_maxrss : 0;
}

static cJSON *bench_json(const struct bench *b)
{
    cJSON *json = cJSON_CreateObject();
    const bool ok = cJSON_AddStringToObject(json, "mode", b->train ? "train" : "infer")
                 && cJSON_AddNumberToObject(json, "batch", b->batch.images.n)
                 && cJSON_AddNumberToObject(json, "threads", b->session.policy.threads)
                 && cJSON_AddNumberToObject(json, "ms_per_image_min", ms_per_image(b, b->round[0]))
                 && cJSON_AddNumberToObject(json, "ms_per_image_median", ms_per_image(b, b->round[b->rounds / 2]))
                 && cJSON_AddNumberToObject(json, "images", (double)b->rounds * b->batch.images.n)
                 && cJSON_AddNumberToObject(json, "peak_rss_bytes", peak_bytes())
                 && cJSON_AddStringToObject(json, "isa", b->session.policy.kernels->name)
                 && layer_times_describe(json, &b->layers) && core_times_describe(json, &b->cores);
    if (ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void print_bench(const struct bench *b)
{
    const struct input_batch *x = &b->batch.images;
    const struct policy *policy = &b->session.policy;
    layer_times_print(&b->layers);
    if (b->cores.graph)
        core_times_print(&b->cores);
    printf("%s, %d x %d, batch %d, %d threads, %s: %.2f ms per image at best, %.2f in the median of %d; peak %.0f MB\n",
           b->train ? "train" : "infer", x->w, x->h, x->n, policy->threads, policy->kernels->name,
           ms_per_image(b, b->round[0]), ms_per_image(b, b->round[b->rounds / 2]), b->rounds * x->n,
           peak_bytes() / 1e6);
}

static void close_bench(struct bench *b)
{
    layer_times_free(&b->layers);
    core_times_free(&b->cores);
    detector_free(&b->detector);
    train_step_free(&b->train_step);
    random_batch_free(&b->batch);
    free(b->round);
    session_close(&b->session);
}

bool bench_run(const struct args *args, struct error *err)
{
    const char *mode = args_text(args, "mode"), *json = args_text(args, "json");
    struct bench b = { .session.config.network_only = true, .train = strcmp(mode, "train") == 0 };
    double seconds = 0;
    if (!b.train && strcmp(mode, "infer") != 0)
        return misuse(err, "bench: --mode must be train or infer, not '%s'", mode);
    if (!b.train && args_flag(args, "cores"))
        return misuse(err, "bench: --cores needs --mode train");
    bool ok = args_real(args, "seconds", 0, 1e6, &seconds, err) && session_open(&b.session, args, err);
    int batch = b.train ? b.session.config.batch_size : 1;
    const int *size = b.train ? b.session.config.train.input_size : b.session.config.val.input_size;
    ok = ok && args_int(args, "batch", 1, 65536, &batch, err)
      && set_weights(&b, args, err)
      && random_batch_init(&b.batch, size, batch, b.session.model.shape.num_classes, err) && open_network(&b, err)
      && measure(&b, seconds, args_flag(args, "layers"), err)
      && (!args_flag(args, "cores") || measure_cores(&b, err))
      && (!json || write_json(bench_json(&b), json, err));
    if (ok && !json)
        print_bench(&b);
    close_bench(&b);
    return ok;
}
