#include "base/table.h"

#include "base/min_max.h"
#include <string.h>

static const char *name_at(const void *rows, size_t row_size, size_t i)
{
    const char *name;
    memcpy(&name, (const char *)rows + i * row_size, sizeof name);
    return name;
}

const void *find_row(const char *name, const void *rows, size_t row_size)
{
    const char *have;
    for (size_t i = 0; (have = name_at(rows, row_size, i)); i++)
        if (strcmp(have, name) == 0)
            return (const char *)rows + i * row_size;
    return NULL;
}

/* Optimal string alignment distance (Damerau 1964, each part edited once). */
int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 80 };
    int cost[3][LONGEST + 1];
    const int n = (int)strnlen(a, LONGEST), m = (int)strnlen(b, LONGEST);
    for (int j = 0; j <= m; j++)
        cost[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = cost[i % 3], *last = cost[(i + 2) % 3], *before = cost[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = min_int(min_int(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min_int(now[j], before[j - 2] + 1);
        }
    }
    return cost[n % 3][m];
}

const char *nearest_name(const char *name, const void *rows, size_t row_size)
{
    const char *best = "", *have;
    int fewest = -1;
    for (size_t i = 0; (have = name_at(rows, row_size, i)); i++) {
        const int d = edit_distance(name, have);
        if (fewest < 0 || d < fewest) {
            fewest = d;
            best = have;
        }
    }
    return best;
}
