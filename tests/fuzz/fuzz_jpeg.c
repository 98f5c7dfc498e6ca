/* JPEG: inputs in corpus/jpeg. */
#include "picture.h"
