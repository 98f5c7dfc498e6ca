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

/* Adds a sample of an image; skips a missing or broken file. */
static bool add_dataset_sample(struct batch *b, int *count, const struct data_config *data, const char *file,
                               struct error *err)
{
    struct image image = {0};
    struct error cause = {0};
    char *path = path_join(data->img_path, file, &cause);
    bool ok = path && image_read(&image, path, &cause);
    if (ok) {
        ok = make_sample(b, *count, data, &image, err);
        *count += ok;
    } else
        ok = cause.content || fail_as(err, &cause, "%s", cause.text);
    image_free(&image);
    free(path);
    return ok;
}

/* *count: the number of images read among the first ones of data.val; 0 if the set cannot be read. */
static bool read_samples(struct batch *b, int *count, const struct data_config *data, struct error *err)
{
    const struct dataset_source source = dataset_source_of(data);
    struct dataset set = {0};
    struct error unused = {0};
    bool ok = true;
    *count = 0;
    if (source.img_path && source.ann_path && dataset_read(&set, &source, &unused))
        for (int i = 0; ok && i < set.image_count && i < IMAGES; i++)
            ok = add_dataset_sample(b, count, data, set.images[i].file, err);
    dataset_free(&set);
    return ok;
}

static bool draw_samples(struct batch *b, const struct data_config *data, struct error *err)
{
    const struct synth_config scene_config = { .images = IMAGES, .width = 640, .height = 480, .objects_min = 8,
                                               .objects_max = 24, .scale = 12 };
    bool ok = true;
    for (int i = 0; ok && i < IMAGES; i++) {
        struct synth_scene scene = {0};
        ok = synth_draw(&scene, &scene_config, i, err) && make_sample(b, i, data, &scene.image, err);
        synth_free(&scene);
    }
    return ok;
}

/* All images have the network's input size, since it may have weights per position. */
static bool make_batch(const struct config *config, struct batch *b, struct verification *v, struct error *err)
{
    struct data_config data = config->val;
    data.resize = RESIZE_STRETCH;
    if (!batch_resize(b, IMAGES, err) || !read_samples(b, &v->images, &data, err))
        return false;
    v->generated = v->images == 0;
    if (v->generated && !draw_samples(b, &data, err))
        return false;
    v->images = v->generated ? IMAGES : v->images;
    return batch_resize(b, v->images, err) && batch_stack(b, &data.pipeline, err);
}

/* ---- running ---- */

/* Runs and frees the graph; returns a copy of its `count` outputs, NULL on failure. */
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
    else if (values && model_load_tensors(m, &t, path, LOAD_TO_RUN, values, &notes, err))
        y = run_model(m, values, b, policy, count, err);
    string_list_free(&notes);
    tensors_free(&t);
    network_free(&net);
    free(values);
    return y;
}

/* ---- comparison ---- */

static bool compare(struct verification *v, const char *path, double tolerance, const float *expected,
                    size_t expected_count, const float *actual, size_t actual_count, struct error *err)
{
    if (actual_count != expected_count)
        return fail(err, "%s: the file has %zu outputs, the model %zu", path, actual_count, expected_count);
    for (size_t i = 0; i < expected_count; i++) {
        const double error = fabs((double)actual[i] - expected[i]);
        v->max_error = error <= v->max_error || isnan(v->max_error) ? v->max_error : error;
        v->max_output = fmax(v->max_output, fabs((double)expected[i]));
    }
    return v->max_error <= tolerance * v->max_output
        || fail(err, "%s: the outputs of file and model, up to %g, differ by %g", path, v->max_output,
                v->max_error);
}

bool model_verify(struct model *m, const char *path, double tolerance, const struct policy *policy,
                  struct verification *v, struct error *err)
{
    struct batch b = {0};
    size_t expected_count = 0, actual_count = 0;
    *v = (struct verification){0};
    float *expected = make_batch(m->config, &b, v, err)
                    ? run_model(m, m->params.value, &b, policy, &expected_count, err) : NULL;
    float *actual = expected ? run_file(m, path, &b, policy, &actual_count, err) : NULL;
    const bool ok = actual && compare(v, path, tolerance, expected, expected_count, actual, actual_count, err);
    batch_free(&b);
    free(expected);
    free(actual);
    return ok;
}
