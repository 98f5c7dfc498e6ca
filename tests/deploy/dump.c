/* deploy_dump CONFIG IMAGE SEED OUT [KEY=VALUE ...] -- a pseudo-trained model and its output for an image (-: a
 * generated scene), as the reference for other runtimes.
 *
 * OUT is a safetensors file: all weights under their own names, for `nanodet export --weights OUT`;
 * input, [3][h][w], the network's input; output, [P][classes, bins], scores after the sigmoid. */
#include "base/memory.h"
#include "interop/safetensors.h"
#include "kernel/kernels.h"
#include "policy.h"
#include "runtime/detector.h"
#include "synth/synth.h"
#include "trained.h"
#include "weights/weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same image twice, for batch norms. */
static bool prepare(const struct config *config, const struct image *image, struct batch *b, struct error *err)
{
    struct random random = random_of(0, 0, 0);
    bool ok = batch_resize(b, 2, err);
    for (int i = 0; ok && i < b->n; i++)
        ok = sample_make(&b->samples[i], &config->val, image, &random, err);
    return ok && batch_stack(b, &config->val.pipeline, err);
}

static bool train(struct model *m, const struct batch *b, uint64_t seed, struct error *err)
{
    const struct team team = { 1 };
    const struct graph_options options = { .n = b->n, .h = b->h, .w = b->w };
    real *gradients = new_array((size_t)m->params.total, sizeof *gradients, err);
    const struct binding to = { .params = &m->params, .values = m->params.value, .buffers = m->params.value,
                                .gradients = gradients, .team = &team, .kernels = kernels_under_test() };
    model_start(m);
    shake(&m->params, seed);
    const bool ok = gradients && to.kernels && settle(m, options, &to, b->image, seed, err);
    free(gradients);
    return ok;
}

static bool read_image(struct image *image, const char *path, struct error *err)
{
    const struct synth_config scenes = { .images = 1, .width = 640, .height = 480, .objects_min = 8, .objects_max = 24,
                                       .scale = 12 };
    struct synth_scene scene = {0};
    if (strcmp(path, "-") != 0)
        return image_read(image, path, err);
    const bool ok = synth_draw(&scene, &scenes, 0, err);
    *image = scene.image;
    scene.image = (struct image){0};
    synth_free(&scene);
    return ok;
}

static bool add_tensor(struct tensors *t, const char *name, int rank, const size_t *dims, const float *numbers,
                       struct error *err)
{
    struct tensor one = { .name = (char *)(uintptr_t)name, .dtype = DTYPE_F32, .rank = rank,
                          .data = (const unsigned char *)numbers };
    memcpy(one.dims, dims, (size_t)rank * sizeof *dims);
    return numbers && tensors_add(t, &one, err);
}

static bool run_batch(struct model *m, const struct batch *b, struct tensors *t, struct error *err)
{
    struct detector d;
    bool ok = detector_init(&d, m, m->params.value, policy_under_test(1), err);
    const float *raw = ok ? detector_forward(&d, b->image, b->h, b->w, err) : NULL;
    const size_t plane = (size_t)b->h * (size_t)b->w, classes = (size_t)m->shape.num_classes;
    const size_t row = classes + 4 * (size_t)(m->shape.reg_max + 1);
    size_t priors = 0;
    for (int i = 0; i < m->shape.strides.count; i++) {
        const int stride = m->shape.strides.at[i];
        priors += (size_t)((b->h + stride - 1) / stride) * (size_t)((b->w + stride - 1) / stride);
    }
    float *input = raw ? tensors_block(t, 3 * plane, sizeof *input, err) : NULL;
    float *output = input ? tensors_block(t, priors * row, sizeof *output, err) : NULL;
    for (size_t i = 0; output && i < 3 * plane; i++)
        input[i % 3 * plane + i / 3] = b->image[i];
    for (size_t i = 0; output && i < priors * row; i++)
        output[i] = i % row < classes ? (float)(1 / (1 + exp(-(double)raw[i]))) : raw[i];
    ok = output && add_tensor(t, "input", 3, (size_t[]){ 3, (size_t)b->h, (size_t)b->w }, input, err)
      && add_tensor(t, "output", 2, (size_t[]){ priors, row }, output, err);
    detector_free(&d);
    return ok;
}

int main(int argc, char **argv)
{
    enum { CONFIG = 1, IMAGE, SEED, OUT, OVERRIDES };
    struct config config = {0};
    struct model model = {0};
    struct image image = {0};
    struct batch batch = {0};
    struct tensors t = {0};
    struct error err = {0};
    if (argc < OVERRIDES) {
        fprintf(stderr, "usage: deploy_dump CONFIG IMAGE SEED OUT [KEY=VALUE ...]\n");
        return 2;
    }
    const bool ok = config_read(&config, argv[CONFIG], (const char *const *)&argv[OVERRIDES], argc - OVERRIDES, &err)
                 && model_open(&model, &config, &err) && read_image(&image, argv[IMAGE], &err)
                 && prepare(&config, &image, &batch, &err)
                 && train(&model, &batch, strtoull(argv[SEED], NULL, 10), &err)
                 && weights_to_tensors(&model.params, model.params.value, "", &t, &err)
                 && run_batch(&model, &batch, &t, &err) && safetensors_write(argv[OUT], &t, &err);
    if (!ok)
        fprintf(stderr, "deploy_dump: %s\n", err.text);
    image_free(&image);
    batch_free(&batch);
    tensors_free(&t);
    model_free(&model);
    config_free(&config);
    return ok ? 0 : err.exit;
}
