#include "weights/file_config.h"

#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/sample.h"
#include "interop/weights_file.h"
#include <stdio.h>
#include <string.h>

static const char key[] = "config";

/* ---- writing ---- */

bool file_config_write(const struct config *config, struct strbuf *out, struct error *err)
{
    return config_write_detector_keys(config, out, err)
        && (out->size <= FILE_CONFIG_MAX
            || misuse(err, "%s: model and class_names take %zu bytes; files of weights have room for %d", config->file,
                      out->size, FILE_CONFIG_MAX));
}

bool file_config_add(const char *description, struct tensors *t, struct error *err)
{
    return tensors_add_metadata(t, key, description, err);
}

/* ---- reading ---- */

static bool parse(struct config *config, const char *text, const char *file, const char *const *overrides, int count,
                  struct error *err)
{
    config->detects_only = true;
    return config_parse(config, text, strlen(text), file, overrides, count, err);
}

/* Fails if parts or input size do not fit together. */
static bool open_model(struct model *model, struct config *config, struct error *err)
{
    const int *size = config->val.input_size;
    const struct graph_options one = { .n = 1, .h = padded_side(size[1]), .w = padded_side(size[0]) };
    struct graph g = {0};
    const bool ok = model_open(model, config, err) && model_graph(model, &one, &g, err);
    graph_free(&g);
    return ok;
}

/* After a failure: changes the error to exit 1 if the description is wrong even without overrides. */
static bool fail_description(const char *text, const char *path, bool network_only, struct error *err)
{
    struct config config = { .network_only = network_only };
    struct model model = {0};
    struct error problem = {0};
    if (!parse(&config, text, "description", NULL, 0, &problem) || !open_model(&model, &config, &problem))
        fail(err, "%s: its description of the model cannot be used, give a CONFIG: %s", path, problem.text);
    model_free(&model);
    config_free(&config);
    return false;
}

static const char *description_of(const struct tensors *t, const char *path, struct error *err)
{
    const char *text = tensors_metadata(t, key);
    if (text && strlen(text) <= FILE_CONFIG_MAX)
        return text;
    if (text)
        fail(err, "%s: its description of the model has more than %d bytes, give a CONFIG", path, FILE_CONFIG_MAX);
    else
        misuse(err, "%s: does not describe its model, as files of this version's train and export do: give a CONFIG "
               "that ends in .yml or .yaml", path);
    return NULL;
}

bool file_config_parse(struct config *config, const struct tensors *t, const char *path, const char *const *overrides,
                       int count, struct error *err)
{
    const char *text = description_of(t, path, err);
    return text && (parse(config, text, path, overrides, count, err)
                    || fail_description(text, path, config->network_only, err));
}

bool file_config_open(struct model *model, struct config *config, const char *path, const char *const *overrides,
                      int count, struct error *err)
{
    struct tensors t = {0};
    struct network net = {0};
    const bool ok = weights_file_read(&t, &net, path, err) && file_config_parse(config, &t, path, overrides, count, err)
                 && (open_model(model, config, err)
                     || fail_description(tensors_metadata(&t, key), path, config->network_only, err));
    tensors_free(&t);
    network_free(&net);
    return ok;
}

/* ---- notes ---- */

/* Every file of train or export has one of these keys. */
static bool is_own_file(const struct tensors *t)
{
    return tensors_metadata(t, "epoch") || tensors_metadata(t, "folded");
}

bool file_config_note_missing(const struct tensors *t, const char *path, struct string_list *notes, struct error *err)
{
    struct strbuf line = {0};
    if (tensors_metadata(t, key) || !is_own_file(t))
        return true;
    strbuf_addf(&line, "%s: an older version wrote it, it does not describe its model and needs a CONFIG", path);
    const bool ok = strbuf_check(&line, err) && string_list_add(notes, line.s, err);
    strbuf_free(&line);
    return ok;
}

/* The index of the first difference between two lists of equal length; the length if they are equal. */
static int first_difference(const struct strings *a, const struct strings *b)
{
    int i = 0;
    while (i < a->count && strcmp(a->at[i], b->at[i]) == 0)
        i++;
    return i;
}

bool file_config_note_classes(const struct tensors *t, const char *path, const struct config *config,
                              struct string_list *notes, struct error *err)
{
    const struct strings *names = &config->class_names;
    struct config described = { .network_only = true };
    struct error unused;
    struct strbuf line = {0};
    const bool comparable = file_config_parse(&described, t, path, NULL, 0, &unused)
                         && described.class_names.count == names->count;
    const int i = comparable ? first_difference(names, &described.class_names) : names->count;
    if (i < names->count)
        strbuf_addf(&line, "%s: describes other classes than %s: '%s' instead of '%s'", path,
                    config_place(config, "class_names").s, described.class_names.at[i], names->at[i]);
    const bool ok = i == names->count || (strbuf_check(&line, err) && string_list_add(notes, line.s, err));
    strbuf_free(&line);
    config_free(&described);
    return ok;
}
