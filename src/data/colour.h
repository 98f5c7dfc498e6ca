/* data/colour.h -- random brightness, contrast and saturation, and normalising.  With v in [0, 1], in this order,
 * nothing clipped:
 *
 *     v + brightness;   v contrast;   saturation;   (v - mean / 255) / (std / 255)
 *
 * Saturation is S *= saturation in the HSV hexcone (Smith 1978) with V = max, S = (V - min) / (|V| + e),
 * e = 2^-23, which on the way there and back comes to v = V - (V - v) saturation V / (|V| + e). */
#ifndef DATA_COLOUR_H
#define DATA_COLOUR_H
#include "base/random.h"
#include "config/config.h"
#include <stddef.h>

struct colour_jitter { float brightness, contrast, saturation; };        /* random factors */
extern const struct colour_jitter no_colour_jitter;                             /* 0, 1, 1 */

/* Each is drawn from its range only if a fair coin says so. */
struct colour_jitter colour_draw(const struct pipeline_config *, struct random *);

/* Bytes to floats of one image, pixels of B, G, R; made once, used for every row of it. */
struct colour_map { float value[3][256], tinted[256], mean[3], std[3], saturation; };
void colour_map(struct colour_map *, const struct pipeline_config *, const struct colour_jitter *);
void colour_row(const struct colour_map *, int pixels, const unsigned char (*in)[3], float (*out)[3]);
#endif
