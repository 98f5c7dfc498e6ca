/* tests/fuzz/fuzz_csv.c -- any text as metrics.csv. */
#include "report/csv.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct csv t;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    if (csv_parse(&t, text, "fuzz", &err)) {
        volatile double sum = 0;                        /* every value is touched */
        for (int i = 0; i < t.rows * t.columns.count; i++)
            sum = sum + t.values[i];
        csv_column(&t, "epoch");
        csv_free(&t);
    }
    free(text);
    return 0;
}
