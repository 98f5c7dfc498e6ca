/* report/heat.h -- a map of numbers as colours over an image. */
#ifndef REPORT_HEAT_H
#define REPORT_HEAT_H

/* Blends into bgr[height][width][3] the colours of heat[height][width]: from 0, where the image stays as it is but
 * darker, over blue, green and yellow to red at 1. */
void draw_heat(unsigned char *bgr, int width, int height, const float *heat);
#endif
