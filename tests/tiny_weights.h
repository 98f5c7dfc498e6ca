/* tests/tiny_weights.h -- the detector of tests/tiny.h with its initial weights in a file. */
#ifndef TESTS_TINY_WEIGHTS_H
#define TESTS_TINY_WEIGHTS_H
#include "interop/safetensors.h"
#include "model/model.h"
#include "tiny.h"
#include "weights/weights.h"

/* tiny_make(2), and the weights at the path `weights` within its folder. */
static inline bool tiny_make_weights(const char *weights, struct error *err)
{
    struct config c = {0};
    struct model model = {0};
    struct tensors t = {0};
    bool ok = tiny_make(2, err) && config_read(&c, in_folder("config.yml"), NULL, 0, err)
           && model_open(&model, &c, err);
    if (ok)
        model_start(&model);
    ok = ok && weights_to_tensors(&model.params, model.params.value, "", &t, err)
      && safetensors_write(in_folder(weights), &t, err);
    tensors_free(&t);
    model_free(&model);
    config_free(&c);
    return ok;
}
#endif
