#include "base/error.h"

#include "base/escape.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void write_text(struct error *err, int code, bool content, const char *format, va_list args)
{
    if (!err)
        return;
    err->exit = code;
    err->content = content;
    char text[sizeof err->text];
    vsnprintf(text, sizeof text, format, args);
    escape_text(err->text, sizeof err->text, text);
}

bool fail(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(err, 1, false, format, args);
    va_end(args);
    return false;
}

bool reject(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(err, 1, true, format, args);
    va_end(args);
    return false;
}

bool misuse(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(err, 2, false, format, args);
    va_end(args);
    return false;
}

bool fail_as(struct error *err, const struct error *cause, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(err, cause->exit, cause->content, format, args);
    va_end(args);
    return false;
}

const char *errno_text(int number)
{
    return number == ENOMEM ? "out of memory" : strerror(number);
}
