/* interop/pytorch.h -- checkpoints that torch.save wrote, read without running anything of them.  Two layouts:
 *
 *     zip       NAME/data.pkl, a pickle of the object; NAME/data/KEY, the bytes of each storage; NAME/byteorder
 *     legacy    pickles of a magic number, a version, facts about the machine, the object, the list of storage
 *               keys; then for each key 8 bytes of element count and the bytes of the storage
 *
 * A tensor is a view (offset, sizes, strides) of a storage; views may share one.
 * Source: torch/serialization.py of PyTorch 2, _save, _legacy_save. */
#ifndef INTEROP_PYTORCH_H
#define INTEROP_PYTORCH_H
#include "base/file.h"
#include "interop/tensors.h"

bool is_pytorch_zip(struct bytes file);
bool is_pytorch_legacy(struct bytes file);

/* The tensors of the dict "state_dict" of the saved dict, or else of the saved dict itself; tensors of dicts inside
 * are called OUTER.INNER; all else in there (epochs, objects) is left out.  Row-major data points into file, which
 * the caller keeps alive, or into blocks of out.  Fails on a tensor that reaches beyond its storage, is sparse or
 * quantised, on big-endian data, and before it takes more than 64 times the size of the file.  path is for
 * messages.  After a failure out holds what had been read; tensors_free releases it either way. */
bool pytorch_zip_read(struct tensors *out, struct bytes file, const char *path, struct error *);
bool pytorch_legacy_read(struct tensors *out, struct bytes file, const char *path, struct error *);
#endif
