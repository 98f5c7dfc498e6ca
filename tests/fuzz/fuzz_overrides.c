/* Lines of any bytes as KEY=VALUE over a configuration.  Writing and reading an accepted configuration must give
 * an equal one; refused lines give a usage error. */
#include "base/strbuf.h"
#include "base/string_list.h"
#include "config/config.h"
#include "config_text.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 16 };

static int split(char *text, const char *lines[LINES])
{
    int count = 0;
    for (char *rest, *line = strtok_r(text, "\n", &rest); line && count < LINES; line = strtok_r(NULL, "\n", &rest))
        lines[count++] = line;
    return count;
}

static void round_trip(const struct config *a)
{
    struct config b = {0};
    struct strbuf text = {0};
    struct string_list names = {0};
    struct error err = {0};
    config_write(a, &text);
    if (!config_parse(&b, text.s, text.size, "output", NULL, 0, &err) || !config_difference(a, &b, &names, &err)
        || names.count)
        abort();
    strbuf_free(&text);
    string_list_free(&names);
    config_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = {0};
    struct error err = {0};
    const char *lines[LINES];
    char *text = calloc(size + 1, 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    if (config_parse(&config, config_yaml, sizeof config_yaml - 1, "base", lines, split(text, lines), &err))
        round_trip(&config);
    else if (err.exit != 2 || !err.text[0])
        abort();
    config_free(&config);
    free(text);
    return 0;
}
