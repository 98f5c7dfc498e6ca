/* PNG: inputs in corpus/png. */
#include "picture.h"
