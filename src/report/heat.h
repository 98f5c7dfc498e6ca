/* report/heat.h -- draws a heat map over an image. */
#ifndef REPORT_HEAT_H
#define REPORT_HEAT_H

/* Blends the colours of heat[height][width] into bgr[height][width][3]: 0 only darkens the image; higher values are
 * blue, green, yellow, and red at 1. */
void draw_heat(unsigned char *bgr, int width, int height, const float *heat);
#endif
