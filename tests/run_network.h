/* tests/run_network.h -- the predictions of a network, as the reference for other programs. */
#ifndef TESTS_RUN_NETWORK_H
#define TESTS_RUN_NETWORK_H
#include "base/file.h"
#include "deploy/import_network.h"
#include "kernel/kernels.h"
#include "policy.h"
#include "small_model.h"

/* The raw predictions of a network for an image of random numbers: [pixels of all levels][classes, bins].  Writes the
 * image, [3][h][w], to a file. */
static inline float *predict_raw(const struct network *net, int h, int w, const char *image_path, size_t *count)
{
    struct error err = {0};
    struct params params = {0};
    struct graph g;
    const struct team team = { 1 };
    if (!import_network_params(net, &params, &err) || !import_network(net, &params, 1, h, w, &g, &err)
        || !graph_bind(&g, &(struct binding){ .params = &params, .values = params.value, .team = &team,
                                              .kernels = kernels_under_test() }, &err))
        fail_msg("%s", err.text);
    real *image = graph_view(&g, 0).p;
    const size_t plane = (size_t)h * (size_t)w;
    float *planes = calloc(3 * plane, sizeof *planes);
    assert_non_null(planes);
    fill(image, (ptrdiff_t)(3 * plane), 1, 77);
    for (size_t i = 0; i < 3 * plane; i++)
        planes[i % 3 * plane + i / 3] = image[i];
    assert_true(file_write(image_path, planes, 3 * plane * sizeof *planes, NULL));
    free(planes);
    graph_forward(&g, 0);
    const struct view y = graph_view(&g, graph_output_named(&g, "main"));
    *count = (size_t)pixels(y) * (size_t)y.c;
    float *copy = calloc(*count, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, y.p, *count * sizeof *copy);
    graph_free(&g);
    params_free(&params);
    return copy;
}

/* The same with scores after the sigmoid. */
static inline float *predict(const struct network *net, int h, int w, const char *image_path, size_t *count)
{
    float *y = predict_raw(net, h, w, image_path, count);
    const size_t row = (size_t)(net->classes + 4 * (net->reg_max + 1));
    for (size_t i = 0; i < *count; i++)
        if (i % row < (size_t)net->classes)
            y[i] = 1 / (1 + expf(-y[i]));
    return y;
}

static inline void assert_close(const float *have, const float *want, size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)have[i] - (double)want[i]) <= tolerance * (1 + fabs((double)want[i]))))
            fail_msg("number %zu is %g instead of %g", i, (double)have[i], (double)want[i]);
}
#endif
