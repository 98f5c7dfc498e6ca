/* tests/seed.h -- the seed of a test's random numbers; failures print it. */
#ifndef TESTS_SEED_H
#define TESTS_SEED_H
#include <inttypes.h>
#include <stdlib.h>

/* SEED of the environment, else 1. */
static inline uint64_t seed(void)
{
    const char *given = getenv("SEED");
    return given ? strtoull(given, NULL, 10) : 1;
}
#endif
