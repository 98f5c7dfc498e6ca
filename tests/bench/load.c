/* tests/bench/load.c -- load CONFIG SECONDS [KEY=VALUE...]: the samples of data.train per second that one core
 * reads, warps and colours, as one JSON object.  It measures the processor time of the worker and the
 * caller, so that other programs have little influence. */
#include "base/memory.h"
#include "data/dataset_read.h"
#include "data/loader.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { BATCH = 8 };

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool measure(struct loader *loader, double seconds, struct error *err)
{
    const struct batch *batch;
    bool ok = loader_next(loader, &batch, err);         /* the first one warms up */
    const double start = processor_seconds();
    double images = 0, spent = 0;
    while (ok && spent < seconds) {
        ok = loader_next(loader, &batch, err);
        images += ok ? batch->n : 0;
        spent = processor_seconds() - start;
    }
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    if (ok)
        printf("{\"images_per_second\": %.3f, \"peak_rss_bytes\": %.0f}\n", images / spent,
               1024.0 * (double)usage.ru_maxrss);
    return ok;
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct dataset dataset = {0};
    struct loader *loader = NULL;
    struct error err = {0};
    int *label = NULL;
    if (argc < 3)
        misuse(&err, "usage: load CONFIG SECONDS [KEY=VALUE...]");
    else if (config_read(&config, argv[1], (const char *const *)&argv[3], argc - 3, &err)) {
        const struct dataset_source source = dataset_source_of(&config.train);
        const struct strings *classes = &config.class_names;
        if (dataset_read(&dataset, &source, &err)
            && (label = new_array((size_t)dataset.category_count, sizeof *label, &err))
            && dataset_labels(&dataset, classes->at, classes->count, label, &err)) {
            const struct loader_config options = { .dataset = &dataset, .data = &config.train, .label = label,
                                                   .train = true, .mosaic_epochs = INT_MAX, .batch = BATCH,
                                                   .workers = 1 };
            loader = loader_open(&options, &err);
        }
        if (loader)
            measure(loader, atof(argv[2]), &err);
    }
    if (err.exit)
        fprintf(stderr, "load: %s\n", err.text);
    loader_close(loader);
    free(label);
    dataset_free(&dataset);
    config_free(&config);
    return err.exit;
}
