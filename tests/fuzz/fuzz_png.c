/* PNG: inputs in corpus/png. */
#include "image.h"
