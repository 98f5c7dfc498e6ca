/* tests/sample.h -- loops over similar cases take every SAMPLE-th.  Builds that run many times slower, with sanitizers
 * or in emulation, define it. */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#ifndef SAMPLE
#define SAMPLE 1
#endif
#endif
