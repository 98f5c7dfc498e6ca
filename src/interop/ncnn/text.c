#include "interop/ncnn/text.h"

#include "base/file.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 22, LAYERS_MAX = 4096, BLOBS_MAX = 8192, ARRAY_ID = -23300, INTEGER_MAX = 1 << 30 };
static const char magic[] = "7767517";

static bool number_of(const char *word, double *out, char **end)
{
    *out = strtod(word, end);
    return *end != word && isfinite(*out);
}

/* An integer from 0 to max. */
static bool count_of(const char *word, int max, int *out)
{
    char *end;
    double v;
    if (!word || !number_of(word, &v, &end) || *end || !(v >= 0 && v <= max) || v != floor(v))
        return false;
    *out = (int)v;
    return true;
}

static bool param_is_sound(const char *word)
{
    char *end;
    double v;
    bool ok = number_of(word, &v, &end) && *end == '=';
    while (ok && *end && end[1])                        /* a comma may stand at the end */
        ok = number_of(end + 1, &v, &end) && (*end == ',' || !*end);
    return ok && end != word && strchr(word, '=')[1] != 0;
}

/* words: of the line, then NULL. */
static bool add_line(struct ncnn_text *out, char **words, int count, int number, int *blobs, const char *path,
                     struct error *err)
{
    struct ncnn_line line = { .type = words[0], .name = words[1], .number = number };
    if (count < 4 || !count_of(words[2], BLOBS_MAX, &line.bottoms) || !count_of(words[3], BLOBS_MAX, &line.tops)
        || line.bottoms + line.tops > count - 4)
        return fail(err, "%s:%d: a layer must have a type, a name, two counts and that many blobs", path, number);
    line.bottom = words + 4;
    line.top = line.bottom + line.bottoms;
    line.param = line.top + line.tops;
    line.params = count - 4 - line.bottoms - line.tops;
    for (int i = 0; i < line.params; i++)
        if (!param_is_sound(line.param[i]))
            return fail(err, "%s:%d: %s %s: %.40s is not a numeric parameter", path, number, line.type, line.name,
                        line.param[i]);
    if (line.tops > *blobs)
        return fail(err, "%s:%d: more blobs than its second line says", path, number);
    *blobs -= line.tops;
    if (!grow_array(&out->lines, out->count, &out->capacity, sizeof *out->lines, err))
        return false;
    out->lines[out->count++] = line;
    return true;
}

bool ncnn_text_read(struct ncnn_text *out, struct bytes file, const char *path, struct error *err)
{
    int layers = -1, blobs = 0, number = 0;
    *out = (struct ncnn_text){0};
    if (file.size > TEXT_MAX || memchr(file.p, 0, file.size))
        return fail(err, "%s: is not the text of an ncnn param file", path);
    out->copy = new_array(file.size + 1, 1, err);
    out->words = out->copy ? new_array(file.size + 2, sizeof *out->words, err) : NULL;
    if (!out->words)
        return false;
    memcpy(out->copy, file.p, file.size);
    char **words = out->words, *rest = out->copy, *next;
    for (char *line; (line = strsep(&rest, "\n")) != NULL; number++) {
        int count = 0;
        for (char *word = strtok_r(line, " \t\r", &next); word; word = strtok_r(NULL, " \t\r", &next))
            words[count++] = word;
        if (number == 0 && (count != 1 || strcmp(words[0], magic) != 0))
            return fail(err, "%s:1: an ncnn param file begins with %s", path, magic);
        if (number == 1 && (count != 2 || !count_of(words[0], LAYERS_MAX, &layers)
                            || !count_of(words[1], BLOBS_MAX, &blobs)))
            return fail(err, "%s:2: must be the number of layers, at most %d, and of blobs, at most %d", path,
                        LAYERS_MAX, BLOBS_MAX);
        if (number > 1 && count && out->count == layers)
            return fail(err, "%s:%d: more layers than the %d that line 2 says", path, number + 1, layers);
        if (number > 1 && count && !add_line(out, words, count, number + 1, &blobs, path, err))
            return false;
        words += count;
    }
    return out->count == layers
        || fail(err, "%s: ends after %d layers of the %d that its second line says", path, out->count, layers);
}

void ncnn_text_free(struct ncnn_text *t)
{
    free(t->lines);
    free(t->words);
    free(t->copy);
    *t = (struct ncnn_text){0};
}

/* The text after `id=`; NULL if there is none. */
static const char *find(const struct ncnn_line *line, int id)
{
    for (int i = 0; i < line->params; i++)
        if (strtol(line->param[i], NULL, 10) == id)
            return strchr(line->param[i], '=') + 1;
    return NULL;
}

double ncnn_number(const struct ncnn_line *line, int id, double preset)
{
    const char *text = find(line, id);
    return text ? strtod(text, NULL) : preset;
}

static int integer(double v) { return (int)fmax(-INTEGER_MAX, fmin(v, INTEGER_MAX)); }

int ncnn_integer(const struct ncnn_line *line, int id, int preset)
{
    return integer(ncnn_number(line, id, preset));
}

int ncnn_array(const struct ncnn_line *line, int id, double *out, int max)
{
    const char *text = find(line, ARRAY_ID - id);
    char *end;
    int count = 0;
    if (!text)
        return -1;
    strtod(text, &end);                                 /* the count, implied by the list itself */
    for (; *end == ',' && end[1]; count++) {
        const double v = strtod(end + 1, &end);
        if (count < max)
            out[count] = v;
    }
    return count;
}

int ncnn_integers(const struct ncnn_line *line, int id, int *out, int max)
{
    double v[16];
    const int count = ncnn_array(line, id, v, 16);
    for (int i = 0; i < count && i < max && i < 16; i++)
        out[i] = integer(v[i]);
    return count;
}
