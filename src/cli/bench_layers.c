#include "cli/bench_layers.h"

#include "base/memory.h"
#include "base/table.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Parts of a model by the first word of the names of their layers. */
struct part_title { const char *name, *title; };
static const struct part_title parts[] = {
    { "backbone", "backbone" },
    { "fpn",      "neck" },
    { "head",     "head" },
    { "aux_fpn",  "auxiliary neck" },
    { "concat",   "auxiliary head" },           /* concatenates the levels of both necks */
    { "aux_head", "auxiliary head" },
    {0} };
static const char *const titles[] = { "backbone", "neck", "head", "auxiliary neck", "auxiliary head", "other", "losses",
                                      "optimizer" };
enum { TITLES = sizeof titles / sizeof *titles, LOSSES = 6, OPTIMIZER = 7 };

struct figures { double seconds[2], operations, bytes, conv_seconds, conv_operations; };

/* ---- measuring ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool layer_times_open(struct layer_times *l, struct graph *graph, int runs_per_round, struct error *err)
{
    const size_t count = (size_t)graph->node_count;
    *l = (struct layer_times){ .graph = graph, .runs_per_round = runs_per_round,
                               .losses = HUGE_VAL, .optimizer = HUGE_VAL };
    for (int pass = FORWARD; pass <= BACKWARD; pass++) {
        l->round_seconds[pass] = new_array(count, sizeof **l->round_seconds, err);
        l->min_seconds[pass] = new_array(count, sizeof **l->min_seconds, err);
        if (!l->round_seconds[pass] || !l->min_seconds[pass])
            return false;
        for (size_t i = 0; i < count; i++)
            l->min_seconds[pass][i] = HUGE_VAL;
        graph->seconds[pass] = l->round_seconds[pass];
    }
    return true;
}

void layer_times_free(struct layer_times *l)
{
    for (int pass = FORWARD; pass <= BACKWARD; pass++) {
        if (l->graph)
            l->graph->seconds[pass] = NULL;
        free(l->round_seconds[pass]);
        free(l->min_seconds[pass]);
    }
    *l = (struct layer_times){0};
}

enum { PROBE_M = 24, PROBE_N = 48, PROBE_K = 64, PROBE_CALLS = 100, PROBE_CHUNKS = 4, PROBES = 8 };

static void probe_chunk(const void *job, int chunk)
{
    static const real a[PROBE_M * PROBE_K], b[PROBE_K * PROBE_N];
    const struct kernels *kernels = job;
    real c[PROBE_M * PROBE_N];
    (void)chunk;
    for (int i = 0; i < PROBE_CALLS; i++)
        kernels->gemm_unpacked(false, PROBE_M, PROBE_N, PROBE_K, a, PROBE_K, b, PROBE_N, i > 0, c, PROBE_N);
}

/* The fastest of a few short probes: a long one would be interrupted by other programs. */
static double probe_peak(const struct graph *g)
{
    const int chunks = PROBE_CHUNKS * g->team->threads;
    double seconds = HUGE_VAL;
    for (int i = 0; i < PROBES; i++) {
        const double start = now();
        team_for(g->team, chunks, probe_chunk, g->kernels);
        seconds = fmin(seconds, now() - start);
    }
    return 2.0 * PROBE_M * PROBE_N * PROBE_K * PROBE_CALLS * chunks / seconds;
}

void layer_times_end_round(struct layer_times *l, double forward, double optimizer)
{
    if (!l->graph)
        return;
    for (int i = 0; i < l->graph->node_count; i++)
        forward -= l->round_seconds[FORWARD][i];
    l->losses = fmin(l->losses, forward);
    l->optimizer = fmin(l->optimizer, optimizer);
    l->peak = fmax(l->peak, probe_peak(l->graph));
    for (int pass = FORWARD; pass <= BACKWARD; pass++)
        for (int i = 0; i < l->graph->node_count; i++) {
            l->min_seconds[pass][i] = fmin(l->min_seconds[pass][i], l->round_seconds[pass][i]);
            l->round_seconds[pass][i] = 0;
        }
}

/* ---- counting ---- */

static double bytes_of(const struct graph *g, value v)
{
    const struct shape s = g->values[v].shape;
    return (double)sizeof(real) * s.n * s.h * s.w * s.c;
}

/* Reads of operands and writes of the result.  Operands and results that share memory are not moved, except that a norm
 * with a deferred result reads its operand. */
static double forward_bytes(const struct graph *g, const struct node *n)
{
    const value result = n->result[0];
    double read = 0, write = bytes_of(g, result);
    if (!n->op->forward)
        return 0;
    for (int k = 0; k < n->in; k++) {
        const bool shared = g->values[n->operand[k]].storage.root == g->values[result].storage.root;
        read += (shared && !n->op->makes_deferred) || (k == 0 && n->fused[FORWARD]) ? 0 : bytes_of(g, n->operand[k]);
        write -= shared ? bytes_of(g, n->operand[k]) : 0;
    }
    return read + fmax(write, 0);
}

/* Reads of kept values (also of a fused norm) and of the result's gradient; writes of the operands' gradients. */
static double backward_bytes(const struct graph *g, int i)
{
    const struct node *n = &g->nodes[i];
    const value result = n->result[0];
    const bool fused = g->fused_norm[i] != NODE_NONE && g->nodes[g->fused_norm[i]].fused[BACKWARD];
    double moved = n->op->bwd_reads_y || fused ? bytes_of(g, result) : 0;
    bool writes = false;
    for (int k = 0; k < n->in; k++) {
        const struct value_info *x = &g->values[n->operand[k]];
        const bool shared = x->param < 0 && x->gradient.root == g->values[result].gradient.root;
        moved += n->op->bwd_reads_x >> k & 1 ? bytes_of(g, n->operand[k]) : 0;
        moved += x->wants_gradient && !shared ? bytes_of(g, n->operand[k]) : 0;
        writes = writes || (x->wants_gradient && !shared);
    }
    return writes ? moved + bytes_of(g, result) : 0;
}

static double backward_shares(const struct graph *g, const struct node *n)
{
    if (n->op->in_min < 2)
        return 2;                               /* attention multiplies inputs only */
    return (double)g->values[n->operand[0]].wants_gradient + (double)g->values[n->operand[1]].wants_gradient;
}

static struct figures figures_of(const struct layer_times *l, int i)
{
    const struct graph *g = l->graph;
    const struct node *n = &g->nodes[i];
    const bool trains = g->gradients != GRADIENTS_NONE;
    const int runs = l->runs_per_round;
    struct figures f = { .seconds = { l->min_seconds[FORWARD][i], l->min_seconds[BACKWARD][i] },
                         .operations = !n->op->macs ? 0
                                     : runs * 2 * n->op->macs(n) * (1 + (trains ? backward_shares(g, n) : 0)),
                         .bytes = runs * (forward_bytes(g, n) + (trains ? backward_bytes(g, i) : 0)) };
    if (f.operations > 0) {
        f.conv_seconds = f.seconds[FORWARD] + f.seconds[BACKWARD];
        f.conv_operations = f.operations;
    }
    return f;
}

static const char *title_of(const struct node *n)
{
    char word[16];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(n->name, "."), n->name);
    const struct part_title *part = find_row(word, parts, sizeof *parts);
    return part ? part->title : "other";
}

static struct figures sum_of(const struct layer_times *l, int title)
{
    struct figures sum = {0};
    if (title == LOSSES || title == OPTIMIZER) {
        const double seconds = title == LOSSES ? l->losses : l->optimizer;
        sum.seconds[FORWARD] = isfinite(seconds) ? seconds : 0;
        return sum;
    }
    for (int i = 0; i < l->graph->node_count; i++) {
        if (strcmp(title_of(&l->graph->nodes[i]), titles[title]) != 0)
            continue;
        const struct figures f = figures_of(l, i);
        for (int pass = FORWARD; pass <= BACKWARD; pass++)
            sum.seconds[pass] += f.seconds[pass];
        sum.operations += f.operations;
        sum.bytes += f.bytes;
        sum.conv_seconds += f.conv_seconds;
        sum.conv_operations += f.conv_operations;
    }
    return sum;
}

/* ---- report ---- */

static double all_seconds(const struct figures *f) { return f->seconds[FORWARD] + f->seconds[BACKWARD]; }
static double rate(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

static bool describe(cJSON *to, const struct figures *f, double peak)
{
    return cJSON_AddNumberToObject(to, "forward_ms", 1e3 * f->seconds[FORWARD])
        && cJSON_AddNumberToObject(to, "backward_ms", 1e3 * f->seconds[BACKWARD])
        && cJSON_AddNumberToObject(to, "gflops", 1e-9 * rate(f->conv_operations, f->conv_seconds))
        && cJSON_AddNumberToObject(to, "share_of_peak", rate(f->conv_operations, f->conv_seconds) / peak)
        && cJSON_AddNumberToObject(to, "bytes", f->bytes);
}

static cJSON *append(cJSON *list, const char *name)
{
    cJSON *one = json_add(list, NULL, cJSON_CreateObject());
    return cJSON_AddStringToObject(one, "name", name) ? one : NULL;
}

bool layer_times_describe(cJSON *to, const struct layer_times *l)
{
    if (!l->graph)
        return true;
    cJSON *list = cJSON_AddArrayToObject(to, "parts");
    bool ok = list && cJSON_AddNumberToObject(to, "peak_gflops", 1e-9 * l->peak);
    for (int t = 0; ok && t < TITLES; t++) {
        const struct figures sum = sum_of(l, t);
        ok = all_seconds(&sum) <= 0 || describe(append(list, titles[t]), &sum, l->peak);
    }
    list = cJSON_AddArrayToObject(to, "layers");
    for (int i = 0; ok && i < l->graph->node_count; i++) {
        const struct figures f = figures_of(l, i);
        cJSON *one = append(list, l->graph->nodes[i].name);
        ok = cJSON_AddStringToObject(one, "op", l->graph->nodes[i].op->name) && describe(one, &f, l->peak);
    }
    return ok;
}

static void print_row(const char *name, const char *op, const struct figures *f, double peak)
{
    printf("%-52s %-12s %9.3f %9.3f", name, op, 1e3 * f->seconds[FORWARD], 1e3 * f->seconds[BACKWARD]);
    if (f->conv_operations > 0)
        printf(" %9.1f %6.0f%%", 1e-9 * rate(f->conv_operations, f->conv_seconds),
               1e2 * rate(f->conv_operations, f->conv_seconds) / peak);
    else
        printf(" %9s %7s", "", "");
    printf(" %9.2f %7.1f\n", 1e-6 * f->bytes, 1e-9 * rate(f->bytes, all_seconds(f)));
}

void layer_times_print(const struct layer_times *l)
{
    static const char head[] = "%-52s %-12s %9s %9s %9s %7s %9s %7s\n";
    if (!l->graph)
        return;
    printf(head, "layer, ms per batch", "op", "forward", "backward", "GFLOP/s", "of peak", "MB", "GB/s");
    for (int i = 0; i < l->graph->node_count; i++) {
        const struct figures f = figures_of(l, i);
        print_row(l->graph->nodes[i].name, l->graph->nodes[i].op->name, &f, l->peak);
    }
    putchar('\n');
    printf(head, "part (GFLOP/s: of its convolutions)", "", "forward", "backward", "GFLOP/s", "of peak", "MB", "GB/s");
    for (int t = 0; t < TITLES; t++) {
        const struct figures sum = sum_of(l, t);
        if (all_seconds(&sum) > 0)
            print_row(titles[t], "", &sum, l->peak);
    }
    printf("peak: %.1f GFLOP/s on %d threads\n\n", 1e-9 * l->peak, l->graph->team->threads);
}
