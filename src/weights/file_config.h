/* weights/file_config.h -- the configuration that a safetensors file carries, so that it describes its model.
 *
 * It is YAML (config_write_detector) in the metadata `config`: model, class_names, test, input size, resize and
 * normalisation, without paths.  A file is not believed: the description has at most FILE_CONFIG_MAX bytes and is read
 * as any configuration, with the same limits and ranges.  A key that this version does not know is refused, as a newer
 * version may compute something else with it. */
#ifndef WEIGHTS_FILE_CONFIG_H
#define WEIGHTS_FILE_CONFIG_H
#include "base/strbuf.h"
#include "base/string_list.h"
#include "interop/tensors.h"
#include "model/model.h"

enum { FILE_CONFIG_MAX = 1 << 20 };

/* The description of an open model's configuration.  Fails if it is too long. */
bool file_config_text(const struct config *, struct strbuf *, struct error *);
bool file_config_add(const char *description, struct tensors *, struct error *);

/* The configuration that the file `path` carries, with the overrides over it; network_only of the config is set
 * beforehand.  Exit 2 if the file carries none, or the overrides are wrong; exit 1 names the file if the description
 * itself is wrong.  config_free in any case. */
bool file_config_parse(struct config *, const struct tensors *, const char *path, const char *const *overrides,
                       int count, struct error *);

/* The same from the file, and the model of it opened.  model_free and config_free in any case. */
bool file_config_open(struct model *, struct config *, const char *path, const char *const *overrides, int count,
                      struct error *);

/* Adds a line to notes if the file is one of this program's but carries no description. */
bool file_config_note_missing(const struct tensors *, const char *path, struct string_list *notes, struct error *);

/* Adds a line to notes if as many classes are described as the configuration has, but other ones. */
bool file_config_note_classes(const struct tensors *, const char *path, const struct config *,
                              struct string_list *notes, struct error *);
#endif
