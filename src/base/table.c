#include "base/table.h"

#include "base/min_max.h"
#include <limits.h>
#include <string.h>

/* The name of row i.  memcpy reads it, since the type of the rows is unknown. */
static const char *name_at(const void *rows, size_t row_size, size_t i)
{
    const char *name;
    memcpy(&name, (const char *)rows + i * row_size, sizeof name);
    return name;
}

const void *find_row(const char *name, const void *rows, size_t row_size)
{
    const char *row_name;
    for (size_t i = 0; (row_name = name_at(rows, row_size, i)); i++)
        if (strcmp(row_name, name) == 0)
            return (const char *)rows + i * row_size;
    return NULL;
}

/* The optimal string alignment distance (Damerau 1964), by dynamic programming; only three rows of its matrix exist. */
int edit_distance(const char *a, const char *b)
{
    enum { MAX_LENGTH = 80 };
    int distance[3][MAX_LENGTH + 1];
    const int a_length = (int)strnlen(a, MAX_LENGTH), b_length = (int)strnlen(b, MAX_LENGTH);
    for (int j = 0; j <= b_length; j++)
        distance[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *now = distance[i % 3], *previous = distance[(i + 2) % 3], *before_previous = distance[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= b_length; j++) {
            now[j] = min_int(min_int(previous[j], now[j - 1]) + 1, previous[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min_int(now[j], before_previous[j - 2] + 1);
        }
    }
    return distance[a_length % 3][b_length];
}

const char *nearest_name(const char *name, const void *rows, size_t row_size)
{
    const char *nearest = "", *row_name;
    int best = INT_MAX;
    for (size_t i = 0; (row_name = name_at(rows, row_size, i)); i++) {
        const int distance = edit_distance(name, row_name);
        if (distance < best) {
            best = distance;
            nearest = row_name;
        }
    }
    return nearest;
}
