/* Any bytes as a configuration.  Writing and reading an accepted configuration must give an equal one, and so
 * must its part for inference. */
#include "base/strbuf.h"
#include "base/string_list.h"
#include "config/config.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void check(bool good, const char *what, const struct strbuf *yaml, const struct error *err)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n%s\n", what, err->text, yaml->s);
    abort();
}

/* The tree alone, for what is YAML but no configuration. */
static void tree_round_trip(const uint8_t *data, size_t size)
{
    struct entry a, b = {0};
    struct strbuf first = {0}, second = {0};
    struct error err = {0};
    if (!tree_parse(&a, data, size, "input", &err))
        return;
    tree_write(&a, &first);
    check(tree_parse(&b, first.s, first.size, "output", &err), "not read back", &first, &err);
    tree_write(&b, &second);
    check(strcmp(first.s, second.s) == 0, "not equal", &first, &err);
    strbuf_free(&first);
    strbuf_free(&second);
    tree_free(&a);
    tree_free(&b);
}

static void detector_round_trip(const struct config *a)
{
    struct config b = { .detects_only = true };
    struct strbuf first = {0}, second = {0};
    struct error err = {0};
    check(config_write_detector_keys(a, &first, &err), "not written", &first, &err);
    check(config_parse(&b, first.s, first.size, "output", NULL, 0, &err), "not read back", &first, &err);
    check(config_write_detector_keys(&b, &second, &err), "not written", &second, &err);
    check(strcmp(first.s, second.s) == 0, "not equal", &first, &err);
    strbuf_free(&first);
    strbuf_free(&second);
    config_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct string_list problems = {0};
    struct config a = {0}, b = {0}, all = { .problems = &problems };
    struct strbuf text = {0};
    struct string_list names = {0};
    struct error err = {0};
    tree_round_trip(data, size);
    if (config_parse(&a, data, size, "input", NULL, 0, &err)) {
        config_write(&a, &text);
        check(config_parse(&b, text.s, text.size, "output", NULL, 0, &err), "not read back", &text, &err);
        check(config_difference(&a, &b, &names, &err) && names.count == 0, "not equal", &text, &err);
        detector_round_trip(&a);
    }
    config_parse(&all, data, size, "input", NULL, 0, &err);
    strbuf_free(&text);
    string_list_free(&names);
    string_list_free(&problems);
    config_free(&a);
    config_free(&b);
    config_free(&all);
    return 0;
}
