#include "base/text.h"

#include <string.h>

bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}
