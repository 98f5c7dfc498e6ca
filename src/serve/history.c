#include "serve/history.h"

#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "report/csv.h"
#include <math.h>
#include <stdlib.h>

bool history_init(struct history *h, const char *const *columns, int count, struct error *err)
{
    *h = (struct history){ .merged = 1 };
    for (int i = 0; i < count; i++)
        if (!string_list_add(&h->columns, columns[i], err))
            return false;
    h->rows = new_array(HISTORY_ROWS, (size_t)count * sizeof *h->rows, err);
    h->sum = h->rows ? new_array((size_t)count, sizeof *h->sum, err) : NULL;
    return h->sum;
}

void history_free(struct history *h)
{
    string_list_free(&h->columns);
    free(h->rows);
    free(h->sum);
    *h = (struct history){0};
}

static void halve(struct history *h)
{
    const int columns = h->columns.count;
    for (int i = 0; i < HISTORY_ROWS / 2; i++)
        for (int k = 0; k < columns; k++)
            h->rows[i * columns + k] = (h->rows[2 * i * columns + k] + h->rows[(2 * i + 1) * columns + k]) / 2;
    h->count = HISTORY_ROWS / 2;
    h->merged *= 2;
}

void history_add(struct history *h, const double *row)
{
    const int columns = h->columns.count;
    for (int k = 0; k < columns; k++)
        h->sum[k] += row[k];
    if (++h->summed < h->merged)
        return;
    if (h->count == HISTORY_ROWS) {
        halve(h);
        return;                                 /* the sum is half of the next row now */
    }
    for (int k = 0; k < columns; k++) {
        h->rows[h->count * columns + k] = h->sum[k] / h->summed;
        h->sum[k] = 0;
    }
    h->count++;
    h->summed = 0;
}

void history_read(struct history *h, const char *path)
{
    struct error err;
    struct csv table;
    double *row = new_array((size_t)h->columns.count, sizeof *row, &err);
    if (row && path_kind(path, &err) == PATH_FILE && csv_read(&table, path, &err)) {
        for (int i = 0; i < table.rows; i++) {
            for (int k = 0; k < h->columns.count; k++) {
                const int from = csv_column(&table, h->columns.list[k]);
                row[k] = from < 0 ? NAN : table.values[(ptrdiff_t)i * table.columns.count + from];
            }
            history_add(h, row);
        }
        csv_free(&table);
    }
    free(row);
}

void history_json(const struct history *h, struct strbuf *out)
{
    strbuf_addf(out, "{");
    for (int k = 0; k < h->columns.count; k++) {
        strbuf_addf(out, k ? ",\n" : "");
        json_add_string(out, h->columns.list[k]);
        strbuf_addf(out, ":[");
        for (int i = 0; i < h->count; i++) {
            strbuf_addf(out, i ? "," : "");
            json_add_number(out, h->rows[i * h->columns.count + k], 7);
        }
        strbuf_addf(out, "]");
    }
    strbuf_addf(out, "}");
}
