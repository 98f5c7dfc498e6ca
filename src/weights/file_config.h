/* weights/file_config.h -- the description of a model in a safetensors file.
 *
 * It is YAML (config_write_detector_keys) in the metadata `config`: model, class_names, test, input size, resize and
 * normalisation, without paths.  Files are not trusted: the description has at most FILE_CONFIG_MAX bytes and is parsed
 * like any configuration, with the same limits and ranges.  An unknown key is an error, since a newer version may
 * compute something else with it. */
#ifndef WEIGHTS_FILE_CONFIG_H
#define WEIGHTS_FILE_CONFIG_H
#include "base/strbuf.h"
#include "base/string_list.h"
#include "interop/tensors.h"
#include "model/model.h"

enum { FILE_CONFIG_MAX = 1 << 20 };

/* Writes the description for the configuration of an open model.  Fails if it is too long. */
bool file_config_write(const struct config *, struct strbuf *, struct error *);
bool file_config_add(const char *description, struct tensors *, struct error *);

/* Parses the description in the tensors of the file `path` and applies the overrides; the caller sets network_only of
 * the config before.  Exit 2 if the file has no description or the overrides are wrong; exit 1, naming the file, if the
 * description itself is wrong.  config_free in any case. */
bool file_config_parse(struct config *, const struct tensors *, const char *path, const char *const *overrides,
                       int count, struct error *);

/* Reads the file, does the same and opens the model.  model_free and config_free in any case. */
bool file_config_open(struct model *, struct config *, const char *path, const char *const *overrides, int count,
                      struct error *);

/* Adds a line to notes if this program wrote the file but it has no description. */
bool file_config_note_missing(const struct tensors *, const char *path, struct string_list *notes, struct error *);

/* Adds a line to notes if the description has as many classes as the configuration, but different ones. */
bool file_config_note_classes(const struct tensors *, const char *path, const struct config *,
                              struct string_list *notes, struct error *);
#endif
