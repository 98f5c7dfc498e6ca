/* base/text.h -- how a text begins and ends. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H
#include <stdbool.h>

bool starts_with(const char *text, const char *start);
bool ends_in(const char *text, const char *end);
#endif
