/* tests/parity/figures.h -- how far numbers are from those in a JSON file.  What is missing, has another extent or is
 * no number is infinitely far. */
#ifndef TESTS_PARITY_FIGURES_H
#define TESTS_PARITY_FIGURES_H
#include <cjson/cJSON.h>

double worse(double a, double b);                       /* the larger; NaN if either is */
double number_off(const cJSON *want, double have);
double numbers_off(const cJSON *want, const double *have, int count);
#endif
