#include "report/csv.h"

#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_number(struct strbuf *t, double v)
{
    char digits[40] = "nan";
    if (v == floor(v) && fabs(v) < 1e15)
        snprintf(digits, sizeof digits, "%.0f", v == 0 ? 0 : v);        /* no -0 */
    else if (!isnan(v))
        for (int precision = 1; precision <= 9; precision++) {
            snprintf(digits, sizeof digits, "%.*g", precision, v);
            if (strtof(digits, NULL) == (float)v)
                break;
        }
    strbuf_addf(t, "%s", digits);
}

/* Spreadsheets read such a field as a formula unless an apostrophe marks it as text. */
static bool like_a_formula(const char *name)
{
    name += strspn(name, "'");
    return *name && strchr("=+-@", *name);
}

static void add_name(struct strbuf *t, const char *name)
{
    const char *quote = strpbrk(name, ",\"") ? "\"" : "";
    struct strbuf shown = {0};
    strbuf_add_escaped(&shown, name);
    strbuf_addf(t, "%s%s", quote, like_a_formula(name) ? "'" : "");
    for (const char *s = shown.s; s && *s; s++)
        strbuf_addf(t, *s == '"' ? "\"%c" : "%c", *s);
    strbuf_addf(t, "%s", quote);
    t->failed = t->failed || shown.failed;
    strbuf_free(&shown);
}

/* Without the apostrophe of add_name. */
static const char *plain_name(const char *field) { return field + (*field == '\'' && like_a_formula(field)); }

/* Appends to a file and syncs it. */
static bool append_text(FILE *f, const struct strbuf *t, const char *path, struct error *err)
{
    return strbuf_check(t, err) && ((fwrite(t->s, 1, t->size, f) == t->size && fflush(f) == 0 && fsync(fileno(f)) == 0)
                                 || fail(err, "%s: %s", path, errno_text(errno)));
}

static void add_header(struct strbuf *t, const char *const *columns, int count)
{
    for (int i = 0; i < count; i++) {
        add_name(t, columns[i]);
        strbuf_addf(t, i + 1 < count ? "," : "\n");
    }
}

bool csv_fits(const char *path, const char *const *columns, int count, bool *fits, struct error *err)
{
    struct bytes file;
    struct strbuf header = {0};
    const enum path_kind kind = path_kind(path, err);
    *fits = true;
    if (kind != PATH_FILE)
        return kind != PATH_ERROR;
    add_header(&header, columns, count);
    const bool ok = strbuf_check(&header, err) && file_read(&file, path, err);
    if (ok) {
        *fits = file.size == 0 || (file.size >= header.size && memcmp(file.p, header.s, header.size) == 0);
        bytes_free(&file);
    }
    strbuf_free(&header);
    return ok;
}

bool csv_append(const char *path, const char *const *columns, const double *values, int count, struct error *err)
{
    struct strbuf t = {0};
    FILE *f = fopen(path, "abe");
    if (!f)
        return fail(err, "%s: %s", path, errno_text(errno));
    const bool at_end = fseek(f, 0, SEEK_END) == 0 || fail(err, "%s: %s", path, errno_text(errno));
    if (at_end && ftell(f) == 0)
        add_header(&t, columns, count);
    for (int i = 0; i < count; i++) {
        add_number(&t, values[i]);
        strbuf_addf(&t, i + 1 < count ? "," : "\n");
    }
    bool ok = at_end && append_text(f, &t, path, err);
    if (fclose(f) != 0 && ok)
        ok = fail(err, "%s: %s", path, errno_text(errno));
    strbuf_free(&t);
    return ok;
}

/* Splits a line in place into at most `room` fields without their quotes; returns their number. */
static int split(char *s, char **fields, int room)
{
    int count = 0;
    for (;;) {
        const bool quoted = *s == '"';
        char *to = s + quoted, *field = to;
        for (s = to; *s && (quoted || *s != ','); *to++ = *s++)
            if (quoted && *s == '"' && *++s != '"')
                break;
        const bool last = *s != ',';
        *to = 0;
        if (count < room)
            fields[count] = field;
        count++;
        if (last)
            return count;
        s++;
    }
}

/* The next whole line of a file, its end cut off; NULL after the last. */
static char *next_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *rest = end + 1;
    *end = 0;
    if (end > line && end[-1] == '\r')
        end[-1] = 0;
    return line;
}

static double number(const char *field)
{
    char *end;
    const double v = strtod(field, &end);
    return end == field || *end ? NAN : v;
}

static bool read_rows(struct csv *t, char *rest, const char *path, struct error *err)
{
    char *header = next_line(&rest);
    if (!header)
        return fail(err, "%s: no header", path);
    int room = 1;
    for (const char *comma = header; (comma = strchr(comma, ',')); comma++)
        room++;
    char **fields = new_array((size_t)room, sizeof *fields, err), *line;
    bool ok = fields != NULL;
    const int columns = ok ? split(header, fields, room) : 0;
    for (int i = 0; ok && i < columns; i++)
        ok = string_list_add(&t->columns, plain_name(fields[i]), err);
    while (ok && (line = next_line(&rest))) {
        const int count = split(line, fields, room);
        ok = (count == columns || fail(err, "%s:%d: %d fields under a header of %d", path, t->rows + 2, count, columns))
          && grow_array(&t->values, t->rows, &t->capacity, (size_t)columns * sizeof *t->values, err);
        for (int i = 0; ok && i < columns; i++)
            t->values[(size_t)t->rows * (size_t)columns + (size_t)i] = number(fields[i]);
        t->rows += ok;
    }
    free(fields);
    return ok;
}

bool csv_parse(struct csv *t, char *text, const char *name, struct error *err)
{
    *t = (struct csv){0};
    const bool ok = read_rows(t, text, name, err);
    if (!ok)
        csv_free(t);
    return ok;
}

bool csv_read(struct csv *t, const char *path, struct error *err)
{
    struct bytes file;
    *t = (struct csv){0};
    const bool ok = file_read(&file, path, err) && csv_parse(t, (char *)file.p, path, err);
    bytes_free(&file);
    return ok;
}

void csv_free(struct csv *t)
{
    string_list_free(&t->columns);
    free(t->values);
    *t = (struct csv){0};
}

int csv_column(const struct csv *t, const char *name)
{
    for (int i = 0; i < t->columns.count; i++)
        if (strcmp(t->columns.list[i], name) == 0)
            return i;
    return -1;
}

bool csv_cut_after(const char *path, const char *column, double value, struct error *err)
{
    struct csv t = {0};
    struct bytes file;
    struct strbuf kept = {0};
    const enum path_kind kind = path_kind(path, err);
    if (kind != PATH_FILE)
        return kind != PATH_ERROR;
    if (!file_read(&file, path, err))
        return false;
    if (!memchr(file.p, '\n', file.size)) {
        bytes_free(&file);
        return remove(path) == 0 || fail(err, "%s: %s", path, errno_text(errno));
    }
    bool ok = csv_read(&t, path, err);
    const int c = ok ? csv_column(&t, column) : -1;
    ok = ok && (c >= 0 || fail(err, "%s: no column %s", path, column));
    const char *line = (const char *)file.p, *end;
    for (int row = -1; ok && row < t.rows && (end = strchr(line, '\n')); row++, line = end + 1)
        if (row < 0 || t.values[row * t.columns.count + c] <= value)            /* the header is row -1 */
            strbuf_add(&kept, line, (size_t)(end + 1 - line));
    ok = ok && strbuf_check(&kept, err) && file_write(path, kept.s, kept.size, err);
    strbuf_free(&kept);
    bytes_free(&file);
    csv_free(&t);
    return ok;
}
