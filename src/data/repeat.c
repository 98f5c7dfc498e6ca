#include "data/repeat.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

static bool is_object(const struct annotation *a, const int *label)
{
    return annotation_trains(a) && !a->ignore && label && label[a->category] >= 0;
}

/* images[category]: the number of images that have an object of it. */
static bool count_images(const struct dataset *set, const int *label, int *images, struct error *err)
{
    int *counted = new_array((size_t)set->category_count, sizeof *counted, err);    /* up to image counted - 1 */
    for (int i = 0; counted && i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        if (is_object(a, label) && counted[a->category] <= a->image) {
            counted[a->category] = a->image + 1;
            images[a->category]++;
        }
    }
    free(counted);
    return counted;
}

/* Makes cumulated factors of factors; returns the places. */
static int cumulate(double *factor, int count)
{
    const double places_max = 1 << 30, rounding = 1e-6;
    double all = 0, sum = 0;
    for (int i = 0; i < count; i++)
        all += factor[i];
    const double places = fmin(ceil(all - rounding), places_max);
    for (int i = 0; i < count; i++)
        factor[i] = (sum += factor[i]) * places / all;
    return (int)places;
}

int count_epoch_places(const struct dataset *set, const int *label, double t, double *end, struct error *err)
{
    int *images = new_array((size_t)set->category_count, sizeof *images, err), places = -1;
    double *factor = new_array((size_t)set->image_count, sizeof *factor, err);
    if (images && factor && count_images(set, label, images, err)) {
        for (int i = 0; i < set->image_count; i++)
            factor[i] = 1;
        for (int i = 0; i < set->annotation_count; i++) {
            const struct annotation *a = &set->annotations[i];
            if (is_object(a, label))
                factor[a->image] = fmax(factor[a->image], sqrt(t * set->image_count / images[a->category]));
        }
        places = cumulate(factor, set->image_count);
        for (int i = 0; end && i < set->image_count; i++)
            end[i] = factor[i];
    }
    free(images);
    free(factor);
    return places;
}

void repeat_images(const double *end, int images, int places, struct random *r, int *image)
{
    const double offset = random_unit(r);
    for (int place = 0, i = 0; place < places; place++) {
        while (i < images - 1 && end[i] <= place + offset)
            i++;
        image[place] = i;
    }
}
