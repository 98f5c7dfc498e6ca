/* interop/weights_file.h -- weights in any format that is known, told apart by their content. */
#ifndef INTEROP_WEIGHTS_FILE_H
#define INTEROP_WEIGHTS_FILE_H
#include "interop/tensors.h"

/* Reads safetensors and both layouts of torch.save, under the names that the file gives.  After a failure, too,
 * tensors_free releases out. */
bool weights_file_read(struct tensors *out, const char *path, struct error *);
#endif
