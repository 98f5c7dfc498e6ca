#include "report/heat.h"

#include <stddef.h>

/* Blue, green, red at 0, 1/4, ... 1; linear in between. */
static const double colours[][3] = { { 160, 40, 20 }, { 220, 190, 20 }, { 80, 210, 110 }, { 30, 220, 250 },
                                     { 20, 20, 230 } };
enum { STEPS = sizeof colours / sizeof *colours - 1 };

void draw_heat(unsigned char *bgr, int width, int height, const float *heat)
{
    const double strongest = 0.65, dark = 0.6;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)width * height; i++) {
        const double h = heat[i] > 0 ? heat[i] < 1 ? heat[i] : 1 : 0;
        const int step = h < 1 ? (int)(h * STEPS) : STEPS - 1;
        const double t = h * STEPS - step, part = strongest * h;
        for (int c = 0; c < 3; c++) {
            const double colour = (1 - t) * colours[step][c] + t * colours[step + 1][c];
            const double image = bgr[3 * i + c] * (dark + (1 - dark) * h);
            bgr[3 * i + c] = (unsigned char)((1 - part) * image + part * colour + 0.5);
        }
    }
}
