/* tests/parity/figures.h -- the largest difference of numbers to those in a JSON file.  A missing number, another
 * extent or a value that is not a number is an infinite difference. */
#ifndef TESTS_PARITY_FIGURES_H
#define TESTS_PARITY_FIGURES_H
#include <cjson/cJSON.h>

double worse(double a, double b);                       /* the larger; NaN if either is */
double number_off(const cJSON *want, double have);
double numbers_off(const cJSON *want, const double *have, int count);
#endif
