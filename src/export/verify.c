#include "export/verify.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/string_list.h"
#include "data/dataset_read.h"
#include "data/sample.h"
#include "deploy/import_network.h"
#include "interop/weights_file.h"
#include "synth/synth.h"
#include "weights/load.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 4 };

/* ---- images ---- */

static bool make_sample(struct batch *b, int i, const struct data_config *data, const struct image *image,
                        struct error *err)
{
    struct random random = random_of(0, 0, (uint64_t)i);
    return sample_make(&b->samples[i], data, image, &random, err);
}

/* Adds a sample of an image, unless its file is missing or broken. */
static bool add_real(struct batch *b, int *count, const struct data_config *data, const char *file, struct error *err)
{
    struct image image = {0};
    struct error why = {0};
    char *path = path_join(data->img_path, file, &why);
    bool ok = path && image_read(&image, path, &why);
    if (ok) {
        ok = make_sample(b, *count, data, &image, err);
        *count += ok;
    } else
        ok = why.content || fail_as(err, &why, "%s", why.text);
    image_free(&image);
    free(path);
    return ok;
}

/* *count: how many of the first images of data.val could be read; 0 if the set cannot be. */
static bool real_samples(struct batch *b, int *count, const struct data_config *data, struct error *err)
{
    const struct dataset_source source = dataset_source_of(data);
    struct dataset set = {0};
    struct error unused = {0};
    bool ok = true;
    *count = 0;
    if (source.img_path && source.ann_path && dataset_read(&set, &source, &unused))
        for (int i = 0; ok && i < set.image_count && i < IMAGES; i++)
            ok = add_real(b, count, data, set.images[i].file, err);
    dataset_free(&set);
    return ok;
}

static bool drawn_samples(struct batch *b, const struct data_config *data, struct error *err)
{
    const struct synth_config town = { .images = IMAGES, .width = 640, .height = 480, .objects_min = 8,
                                       .objects_max = 24, .scale = 12 };
    bool ok = true;
    for (int i = 0; ok && i < IMAGES; i++) {
        struct synth_scene scene = {0};
        ok = synth_draw(&scene, &town, i, err) && make_sample(b, i, data, &scene.image, err);
        synth_free(&scene);
    }
    return ok;
}

/* All of the size that the network is for: it may have learnt something for each of its pixels. */
static bool make_batch(const struct config *config, struct batch *b, struct verification *v, struct error *err)
{
    struct data_config data = config->val;
    data.resize = RESIZE_STRETCH;
    if (!batch_resize(b, IMAGES, err) || !real_samples(b, &v->images, &data, err))
        return false;
    v->generated = v->images == 0;
    if (v->generated && !drawn_samples(b, &data, err))
        return false;
    v->images = v->generated ? IMAGES : v->images;
    return batch_resize(b, v->images, err) && batch_stack(b, &data.pipeline, err);
}

/* ---- running ---- */

/* The outputs of a graph, which is freed: a copy of `count` numbers.  NULL on failure. */
static float *run(struct graph *g, const struct params *params, const real *values, const struct batch *b,
                  const struct policy *policy, size_t *count, struct error *err)
{
    const struct team team = { policy->threads };
    const struct binding to = { .params = params, .values = values, .team = &team,
                                .kernels = policy->kernels };
    float *copy = NULL;
    if (graph_bind(g, &to, err)) {
        const struct view x = graph_view(g, MODEL_INPUT), y = graph_view(g, graph_output_named(g, "main"));
        memcpy(x.p, b->image, (size_t)pixels(x) * (size_t)x.c * sizeof *x.p);
        graph_forward(g, 0);
        *count = (size_t)pixels(y) * (size_t)y.c;
        copy = new_array(*count, sizeof *copy, err);
        if (copy)
            memcpy(copy, y.p, *count * sizeof *copy);
    }
    graph_free(g);
    return copy;
}

static float *run_model(struct model *m, const real *values, const struct batch *b, const struct policy *policy,
                        size_t *count, struct error *err)
{
    struct graph g = {0};
    return model_graph(m, &(struct graph_options){ .n = b->n, .h = b->h, .w = b->w }, &g, err)
         ? run(&g, &m->params, values, b, policy, count, err) : NULL;
}

static float *run_network(const struct network *net, const struct batch *b, const struct policy *policy,
                          size_t *count, struct error *err)
{
    struct params params = {0};
    struct graph g = {0};
    float *y = import_network_params(net, &params, err) && import_network(net, &params, b->n, b->h, b->w, &g, err)
             ? run(&g, &params, params.value, b, policy, count, err) : NULL;
    params_free(&params);
    return y;
}

static float *run_file(struct model *m, const char *path, const struct batch *b, const struct policy *policy,
                       size_t *count, struct error *err)
{
    struct tensors t = {0};
    struct network net = {0};
    struct string_list notes = {0};
    float *y = NULL;
    const bool ok = weights_file_read(&t, &net, path, err);
    real *values = ok && !net.count ? new_array((size_t)m->params.total, sizeof *values, err) : NULL;
    if (ok && net.count)
        y = run_network(&net, b, policy, count, err);
    else if (values && model_take(m, &t, path, LOAD_TO_RUN, values, &notes, err))
        y = run_model(m, values, b, policy, count, err);
    string_list_free(&notes);
    tensors_free(&t);
    network_free(&net);
    free(values);
    return y;
}

/* ---- comparing ---- */

static bool compare(struct verification *v, const char *path, double tolerance, const float *want, size_t wanted,
                    const float *have, size_t had, struct error *err)
{
    if (had != wanted)
        return fail(err, "%s: what was written has %zu outputs, the model %zu", path, had, wanted);
    for (size_t i = 0; i < wanted; i++) {
        const double off = fabs((double)have[i] - want[i]);
        v->worst = off <= v->worst || isnan(v->worst) ? v->worst : off;
        v->largest = fmax(v->largest, fabs((double)want[i]));
    }
    return v->worst <= tolerance * v->largest
        || fail(err, "%s: what was written detects otherwise: outputs up to %g differ by %g", path, v->largest,
                v->worst);
}

bool model_verify(struct model *m, const char *path, double tolerance, const struct policy *policy,
                  struct verification *v, struct error *err)
{
    struct batch b = {0};
    size_t wanted = 0, had = 0;
    *v = (struct verification){0};
    float *want = make_batch(m->config, &b, v, err) ? run_model(m, m->params.value, &b, policy, &wanted, err) : NULL;
    float *have = want ? run_file(m, path, &b, policy, &had, err) : NULL;
    const bool ok = have && compare(v, path, tolerance, want, wanted, have, had, err);
    batch_free(&b);
    free(want);
    free(have);
    return ok;
}
