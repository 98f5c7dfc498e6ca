/* interop/weights_file.h -- weights in any format that is known, told apart by their content. */
#ifndef INTEROP_WEIGHTS_FILE_H
#define INTEROP_WEIGHTS_FILE_H
#include "interop/network.h"

/* Reads safetensors and both layouts of torch.save, under the names that the file gives.  Of a file that holds a
 * network (ONNX, either file of ncnn) the layers go to net, which else stays empty, and out stays empty.  After a
 * failure, too, tensors_free and network_free release the two. */
bool weights_file_read(struct tensors *out, struct network *net, const char *path, struct error *);
#endif
