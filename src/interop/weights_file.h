/* interop/weights_file.h -- reads weights in any known format, which their content identifies. */
#ifndef INTEROP_WEIGHTS_FILE_H
#define INTEROP_WEIGHTS_FILE_H
#include "interop/network.h"

/* Reads safetensors and both layouts of torch.save into out, with the names of the file.  Reads a network (ONNX, either
 * file of ncnn) into net instead; the other of the two stays empty.  tensors_free and network_free release both, also
 * after a failure. */
bool weights_file_read(struct tensors *out, struct network *net, const char *path, struct error *);
#endif
