/* JPEG: inputs in corpus/jpeg. */
#include "image.h"
