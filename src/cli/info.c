/* cli/info.c -- the layers and the cost of a network, and the metadata of a weights file. */
#include "base/escape.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "data/sample.h"
#include "interop/weights_file.h"
#include "kernel/kernels.h"
#include "model/describe.h"
#include "op/conv/conv.h"
#include "runtime/cost.h"
#include "train/checkpoint.h"
#include "weights/file_config.h"
#include <stdlib.h>
#include <string.h>

const struct option info_options[] = {
    { "weights",  "FILE", NULL, "show the metadata of this file, too; it can replace CONFIG" },
    { "json",     "FILE", NULL, "write the figures there instead of a table to stdout" },
    { "graph",    "FILE", NULL, "write all layers of the network there, enough to rebuild it elsewhere" },
    { "training", NULL,   NULL,
      "--graph: the training network for a batch instead of the detection network for one image" },
    {0} };

/* The metadata of a weights file. */
struct weights_info {
    const char *path;                   /* NULL: no file was named */
    struct tensors tensors;
    bool described; struct config config;
};

struct info {
    struct session session;
    struct weights_info weights;
    struct graph inference, training;   /* of one image; of a batch; layer by layer */
    struct graph detecting, learning;   /* the same as this machine runs them */
    struct cost cost;
};

static bool read_before(const struct graph *g, const struct node *n, value v)
{
    for (const struct node *before = g->nodes; before < n; before++)
        for (int k = 0; k < before->in; k++)
            if (before->operand[k] == v)
                return true;
    return false;
}

/* The trained parameters, without running statistics, that a node adds to the network. */
static ptrdiff_t node_params(const struct graph *g, const struct node *n, const struct params *params)
{
    ptrdiff_t count = 0;
    for (int k = 0; k < n->in; k++) {
        const int p = g->values[n->operand[k]].param;
        if (p >= 0 && params->list[p].kind != PARAM_BUFFER && !read_before(g, n, n->operand[k]))
            count += params->list[p].count;
    }
    return count;
}

static double node_macs(const struct node *n) { return n->op->macs ? n->op->macs(n) : 0; }

/* The algorithm of a convolution when the model detects; NULL for other layers. */
static const char *algorithm_of(const struct info *info, const struct node *n)
{
    const struct graph *g = &info->detecting;
    for (int i = 0; n->op == &op_conv && i < g->node_count; i++)
        if (g->nodes[i].op == &op_conv && strcmp(g->nodes[i].name, n->name) == 0)
            return conv_attr(&g->nodes[i])->algorithm->name;
    return NULL;
}

/* Numbers in the metadata of files of a training. */
static const struct { const char *key, *label; } counters[] = {
    { "epoch", "epoch" }, { "score", "score" }, { "score_threshold", "score threshold" }, { "step", "step" },
    { "best", "best score" }, { "best_epoch", "best epoch" } };
enum { COUNTERS = sizeof counters / sizeof *counters };

static bool counter(const struct weights_info *w, int i, double *v)
{
    const char *text = tensors_metadata(&w->tensors, counters[i].key);
    return text && checkpoint_number(counters[i].key, text, v, NULL);
}

/* Only files of this program describe their model; keys of other files may have any meaning. */
static bool check_counters(const struct weights_info *w, struct error *err)
{
    for (int i = 0; w->described && i < COUNTERS; i++) {
        const char *text = tensors_metadata(&w->tensors, counters[i].key);
        struct error why;
        double v;
        if (text && !checkpoint_number(counters[i].key, text, &v, &why))
            return reject(err, "%s: %s", w->path, why.text);
    }
    return true;
}

static bool open_weights(struct weights_info *w, const char *path, struct error *err)
{
    struct network net = {0};
    struct error unused;
    *w = (struct weights_info){ .path = path, .config.network_only = true };
    const bool ok = !path || weights_file_read(&w->tensors, &net, path, err);
    w->described = path && ok && file_config_parse(&w->config, &w->tensors, path, NULL, 0, &unused);
    network_free(&net);
    return ok && check_counters(w, err);
}

static bool open_info(struct info *info, const struct args *args, struct error *err)
{
    struct session *s = &info->session;
    if (!session_open(s, args, err) || !open_weights(&info->weights, args_text(args, "weights"), err)
        || !model_cost(&info->cost, &s->model, err))
        return false;
    struct graph_options one = { .n = 1, .h = info->cost.h, .w = info->cost.w }, batch = one;
    batch.n = s->config.batch_size;
    batch.training = true;
    if (!model_graph(&s->model, &one, &info->inference, err) || !model_graph(&s->model, &batch, &info->training, err))
        return false;
    one.policy = batch.policy = &s->policy;
    return model_graph(&s->model, &one, &info->detecting, err) && model_graph(&s->model, &batch, &info->learning, err);
}

/* ---- as a table ---- */

static void print_layers(const struct info *info)
{
    const struct graph *g = &info->inference;
    printf("%-52s %-10s %-11s %18s %10s %14s\n", "layer", "op", "algorithm", "output", "parameters", "MACs");
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        const char *algorithm = algorithm_of(info, n);
        char shape[48];
        if (!node_is_layer(n))
            continue;
        snprintf(shape, sizeof shape, "%d x %d x %d", n->y[0].h, n->y[0].w, n->y[0].c);
        printf("%-52s %-10s %-11s %18s %10td %14.0f\n", n->name, n->op->name, algorithm ? algorithm : "", shape,
               node_params(g, n, &info->session.model.params), node_macs(n));
    }
}

static void print_input(const int size[2])
{
    const int w = padded_side(size[0]), h = padded_side(size[1]);
    printf("input               %d x %d (width x height)", w, h);
    if (w != size[0] || h != size[1])
        printf(", data.val.input_size [%d, %d] padded to multiples of 32", size[0], size[1]);
    putchar('\n');
}

static void print_totals(const struct info *info)
{
    const struct cost *cost = &info->cost;
    putchar('\n');
    print_input(info->session.config.val.input_size);
    printf("output              %d x %d\n", cost->priors, cost->channels);
    printf("MACs                %.0f of convolutions and linear layers\n", cost->conv_macs);
    printf("parameters          %td in inference, %td in training\n", cost->inference_params, cost->training_params);
    printf("planned memory      %.1f MB for one image, %.1f MB for training a batch of %d\n",
           (double)info->detecting.block_size / 1e6, (double)info->learning.block_size / 1e6,
           info->session.config.batch_size);
    printf("packed weights      %.1f MB, once for images of all sizes\n",
           (double)graph_packed_bytes(&info->detecting) / 1e6);
}

static void print_names(const struct strings *names)
{
    printf("classes             %d: ", names->count);
    for (int i = 0; i < names->count; i++) {
        print_escaped(stdout, names->at[i]);
        printf("%s", i + 1 < names->count ? ", " : "\n");
    }
}

static void print_weights(const struct weights_info *w)
{
    double v;
    if (!w->path)
        return;
    putchar('\n');
    print_line(stdout, "weights             %s%s", w->path, w->described ? "" : ", which does not describe its model");
    if (w->described) {
        print_names(&w->config.class_names);
        print_input(w->config.val.input_size);
    }
    for (int i = 0; i < COUNTERS; i++)
        if (counter(w, i, &v))
            printf("%-19s %.10g\n", counters[i].label, v);
}

/* ---- as JSON ---- */

static bool add_weights(cJSON *json, const struct weights_info *w)
{
    double v;
    if (!w->path)
        return true;
    cJSON *one = cJSON_AddObjectToObject(json, "weights");
    bool ok = cJSON_AddStringToObject(one, "file", w->path);
    if (w->described) {
        const struct strings *names = &w->config.class_names;
        const int *size = w->config.val.input_size, padded[2] = { padded_side(size[0]), padded_side(size[1]) };
        ok = json_add(one, "class_names", cJSON_CreateStringArray(names->at, names->count)) && ok;
        ok = json_add(one, "input_size", cJSON_CreateIntArray(padded, 2)) && ok;
    }
    for (int i = 0; i < COUNTERS; i++)
        ok = (!counter(w, i, &v) || cJSON_AddNumberToObject(one, counters[i].key, v)) && ok;
    return ok;
}

static bool add_layer(cJSON *list, const struct info *info, const struct node *n)
{
    const char *algorithm = algorithm_of(info, n);
    cJSON *one = json_add(list, NULL, cJSON_CreateObject());
    return json_add(one, "output", shape_describe(&n->y[0])) && cJSON_AddStringToObject(one, "name", n->name)
        && cJSON_AddStringToObject(one, "op", n->op->name)
        && (!algorithm || cJSON_AddStringToObject(one, "algorithm", algorithm))
        && cJSON_AddNumberToObject(one, "parameters",
                                   (double)node_params(&info->inference, n, &info->session.model.params))
        && cJSON_AddNumberToObject(one, "macs", node_macs(n));
}

static cJSON *info_json(const struct info *info)
{
    const struct graph *g = &info->inference;
    const struct cost *cost = &info->cost;
    cJSON *json = cJSON_CreateObject();
    bool ok = json_add(json, "input", cJSON_CreateIntArray((const int[]){ cost->h, cost->w }, 2))
           && json_add(json, "output", cJSON_CreateIntArray((const int[]){ 1, cost->priors, cost->channels }, 3))
           && cJSON_AddNumberToObject(json, "conv_linear_macs", cost->conv_macs)
           && cJSON_AddNumberToObject(json, "parameters_inference", (double)cost->inference_params)
           && cJSON_AddNumberToObject(json, "parameters_training", (double)cost->training_params)
           && cJSON_AddNumberToObject(json, "planned_bytes_inference", (double)info->detecting.block_size)
           && cJSON_AddNumberToObject(json, "planned_bytes_training", (double)info->learning.block_size)
           && cJSON_AddNumberToObject(json, "packed_bytes_inference", (double)graph_packed_bytes(&info->detecting))
           && cJSON_AddNumberToObject(json, "training_batch", info->session.config.batch_size)
           && add_weights(json, &info->weights);
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int i = 0; ok && i < g->node_count; i++)
        ok = !node_is_layer(&g->nodes[i]) || add_layer(layers, info, &g->nodes[i]);
    if (ok && layers)
        return json;
    cJSON_Delete(json);
    return NULL;
}

bool info_run(const struct args *args, struct error *err)
{
    struct info info = { .session.config.network_only = true };
    const char *json = args_text(args, "json"), *graph = args_text(args, "graph");
    const bool ok = open_info(&info, args, err)
                 && (!graph || write_json(graph_describe(args_flag(args, "training") ? &info.training : &info.inference,
                                                         &info.session.model.params), graph, err))
                 && (!json || write_json(info_json(&info), json, err));
    if (ok && !json) {
        print_layers(&info);
        print_totals(&info);
        print_weights(&info.weights);
    }
    tensors_free(&info.weights.tensors);
    config_free(&info.weights.config);
    graph_free(&info.inference);
    graph_free(&info.training);
    graph_free(&info.detecting);
    graph_free(&info.learning);
    session_close(&info.session);
    return ok;
}
