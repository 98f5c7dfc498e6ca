/* data/sample.h -- decoded images and their annotations become samples, samples a batch of network input.
 * The geometry is applied when a sample is made, the colour when a batch is stacked. */
#ifndef DATA_SAMPLE_H
#define DATA_SAMPLE_H
#include "data/colour.h"
#include "data/dataset.h"
#include "data/geometry.h"
#include "data/image.h"

struct objects {                /* boxes x1, y1, x2, y2 in pixels of the input, empty if outside of it */
    float (*box)[4];
    int *label;                 /* [count] class of each box */
    float (*ignore)[4];
    int count, ignored, capacity;       /* capacity: of all three arrays */
};

/* {0} is empty and can be made over and over: memory is kept and grows as needed. */
struct sample {
    int image;                  /* index into dataset.images */
    struct image_size source, input;  /* of the image; of this sample, which lies at the top left of its batch */
    struct matrix matrix;       /* from the source to the input */
    struct objects objects;
    struct colour_jitter jitter;
    unsigned char *pixels;      /* [input.height][input.width][3] before colour */
    size_t capacity;
};
void sample_free(struct sample *);

/* An input size under a factor of multi_scale: whole pixels, truncated, but no side below one. */
struct image_size scaled_size(struct image_size, double factor);

/* The input size in an epoch, from 0, of a run of so many epochs: the factor goes linearly from scale[0] to scale[1].
 * Where it is not 1, sides are rounded to multiples of 32, no side below 32. */
struct image_size epoch_size(struct image_size full, const double scale[2], int epoch, int epochs);

/* Draws the random numbers and warps the image.  Sets all but image and objects.  Two samples of the same image,
 * configuration and random numbers have the same bits. */
bool sample_make(struct sample *, const struct data_config *, const struct image *, struct random *, struct error *);

/* The pixels that sample_make reads of an image of that size, with these random numbers; with scaled_decode of the
 * image halved as often as the warp still shrinks it. */
struct region sample_region(const struct data_config *, struct image_size source, struct random);

/* The boxes of an image through the sample's matrix.  label[category] is a class of the model, or -1.  Boxes to
 * ignore are kept apart, whatever their class.  Other boxes without a class are left out, and so is what
 * annotation_trains refuses, but nothing else. */
bool sample_objects(struct sample *, const struct dataset *, int image, const int *label, struct error *);

struct batch {
    int n, h, w;                /* h and w: those of the largest sample, rounded up to a multiple of 32 */
    float *image;               /* [n][h][w][3] B, G, R, normalised; 0 right of and below a sample */
    struct sample *samples;     /* [n] */
    int epoch, step;            /* of the loader that made it */
    size_t capacity;            /* of samples and image, in elements */
    int sample_capacity;
};

/* Room for n samples; those made before keep their memory.  {0} is an empty batch. */
bool batch_resize(struct batch *, int n, struct error *);
void batch_free(struct batch *);

int padded_side(int);          /* rounded up to a multiple of 32 */

/* Makes image, h and w of the n samples. */
bool batch_stack(struct batch *, const struct pipeline_config *, struct error *);
#endif
