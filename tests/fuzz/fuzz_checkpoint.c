/* A checkpoint with bytes that were changed, three of the input each: two for the place, one for the value; and the
 * input itself as a checkpoint.  Either gives an error message, or training can resume from it. */
#include "base/file.h"
#include "base/string_list.h"
#include "config/config.h"
#include "config_text.h"
#include "kernel/kernels.h"
#include "scratch.h"
#include "train/checkpoint.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config;
static struct params params;
static struct bytes whole;                              /* a good checkpoint */

static void must(bool ok) { if (!ok) abort(); }

static void open_optimizer(struct optimizer *o)
{
    struct error err;
    must(optimizer_init(o, &config, &params, kernels_pick("ref", &err), &err));
}

static void declare(const char *name, struct shape shape, int rank, enum param_kind kind)
{
    must(params_declare(&params, name, shape, rank, kind, (struct init){0}, NULL) >= 0);
}

static void prepare(void)
{
    static const struct run_state state = { .batch = 1, .images = 4, .best = 0.5, .best_epoch = 1 };
    struct optimizer o = {0};
    struct error err;
    const char *path = scratch_file("whole.safetensors", "", 0);
    must(path && config_parse(&config, config_yaml, sizeof config_yaml - 1, "base", NULL, 0, &err));
    declare("a.weight", (struct shape){ 2, 1, 1, 3, {0} }, 2, PARAM_TRAINED);
    declare("a.mean", (struct shape){ 1, 1, 1, 2, {0} }, 1, PARAM_BUFFER);
    must(params_layout(&params, NULL, 0, &err));
    open_optimizer(&o);
    must(checkpoint_write(path, &o, &state, "class_names: [car, van]", &err) && file_read(&whole, path, &err));
    optimizer_free(&o);
}

static void read_back(const char *path)
{
    struct optimizer o = {0};
    struct run_state s = {0};
    struct string_list notes = {0};
    struct error err = {0};
    double threshold = 0;
    open_optimizer(&o);
    must(!path || !checkpoint_threshold(path, &threshold, &err) || (threshold >= 0 && threshold <= 1));
    if (!path || !checkpoint_read(path, &o, &s, &notes, &err))
        must(!path || (err.exit == 1 && err.text[0]));
    else
        must(s.images >= 1 && s.batch >= 0 && o.step >= 0 && o.epoch >= 0 && s.best >= -1 && s.best <= 1);
    string_list_free(&notes);
    optimizer_free(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!whole.p)
        prepare();
    unsigned char *changed = malloc(whole.size);
    must(changed != NULL);
    memcpy(changed, whole.p, whole.size);
    for (size_t i = 0; i + 3 <= size; i += 3)
        changed[((size_t)data[i] << 8 | data[i + 1]) % whole.size] = data[i + 2];
    read_back(scratch_file("changed.safetensors", changed, whole.size));
    read_back(scratch_file("input.safetensors", data, size));
    free(changed);
    return 0;
}
