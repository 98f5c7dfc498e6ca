/* tests/bench/detectors.c -- detectors CONFIG ROUNDS [KEY=VALUE...]: images per second of one detector, and of two in
 * two threads together, each on OMP_NUM_THREADS threads, or as many as there are cores.  They take turns of a second.
 * Prints the medians and the median of the rounds' ratios as one JSON object. */
#include "base/clock.h"
#include "base/sort.h"
#include "base/team.h"
#include "policy.h"
#include "runtime/detector.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 100 };

struct runner {
    struct config config;
    struct model model;
    struct detector detector;
    struct image image;
    struct error err;
    double end; int images;             /* time to stop; images detected */
};

static bool open_runner(struct runner *r, int argc, char **argv)
{
    if (!config_read(&r->config, argv[1], (const char *const *)&argv[3], argc - 3, &r->err)
        || !model_open(&r->model, &r->config, &r->err))
        return false;
    model_start(&r->model);
    if (!image_new(&r->image, 640, 480, &r->err))
        return false;
    for (int i = 0; i < 640 * 480 * 3; i++)
        r->image.p[i] = (unsigned char)((unsigned)i * 2654435761u >> 24);
    return detector_init(&r->detector, &r->model, r->model.params.value, policy_under_test(default_threads()), &r->err)
        && detector_detect_image(&r->detector, &r->image, &r->err);
}

static void close_runner(struct runner *r)
{
    if (r->err.exit)
        fprintf(stderr, "detectors: %s\n", r->err.text);
    detector_free(&r->detector);
    image_free(&r->image);
    model_free(&r->model);
    config_free(&r->config);
}

static void *detect(void *runner)
{
    struct runner *r = runner;
    r->images = 0;
    while (clock_seconds() < r->end && detector_detect_image(&r->detector, &r->image, &r->err))
        r->images++;
    return NULL;
}

/* Images per second of the first runner in this thread, and of the second one, if asked, in another thread. */
static double measure(struct runner *runners, bool both)
{
    pthread_t thread;
    const double start = clock_seconds();
    runners[0].end = runners[1].end = start + 1;
    runners[1].images = 0;
    const bool started = both && pthread_create(&thread, NULL, detect, &runners[1]) == 0;
    if (both && !started)
        fail(&runners[1].err, "a thread cannot be started");
    detect(&runners[0]);
    if (started)
        pthread_join(thread, NULL);
    return (runners[0].images + runners[1].images) / (clock_seconds() - start);
}

static double median(double *values, int count)
{
    sort_doubles(values, count);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    static struct runner runners[2];
    double one[ROUNDS_MAX], two[ROUNDS_MAX], ratio[ROUNDS_MAX];
    const int rounds = argc < 3 ? 0 : atoi(argv[2]);
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: detectors CONFIG ROUNDS [KEY=VALUE...]; at most %d rounds\n", ROUNDS_MAX);
        return 2;
    }
    const bool ok = open_runner(&runners[0], argc, argv) && open_runner(&runners[1], argc, argv);
    for (int i = 0; ok && i < rounds; i++) {
        one[i] = measure(runners, false);
        two[i] = measure(runners, true);
        ratio[i] = two[i] / one[i];
    }
    if (ok)
        printf("{\"threads\": %d, \"one\": %.2f, \"two\": %.2f, \"ratio\": %.3f}\n", default_threads(),
               median(one, rounds), median(two, rounds), median(ratio, rounds));
    close_runner(&runners[0]);
    close_runner(&runners[1]);
    return ok && !runners[0].err.exit && !runners[1].err.exit ? 0 : 1;
}
