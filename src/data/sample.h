/* data/sample.h -- decoded images and their annotations become samples, samples a batch of network input.
 * The geometry is applied when a sample is made, the colour when a batch is stacked. */
#ifndef DATA_SAMPLE_H
#define DATA_SAMPLE_H
#include "data/colour.h"
#include "data/dataset.h"
#include "data/geometry.h"
#include "data/image.h"
#include "data/tiles.h"

struct objects {                /* boxes x1, y1, x2, y2 in pixels of the input, empty if outside of it */
    float (*box)[4];
    int *label;                 /* [count] class of each box */
    float (*ignore)[4];
    int count, ignored, capacity;       /* capacity: of all three arrays */
};

bool objects_reserve(struct objects *, int capacity, struct error *);       /* keeps the objects */

/* The part of an input that one image fills: all of it, or a quarter of a mosaic. */
struct part {
    int left, top; struct image_size size;
    int index, count;           /* index of count parts: 0 of 1, or 0 to 3 of QUARTERS */
    int first;                  /* its objects are objects.box[first .. objects.count - 1] */
};

/* A quarter of a mosaic (Bochkovskiy et al. 2020, "YOLOv4"): four images that meet in a point of the input. */
enum { QUARTERS = 4 };
struct quarter {
    int index;                  /* top left, top right, bottom left, bottom right */
    double centre[2];           /* where they meet, as fractions of the input's width and height */
    struct image_size input;    /* of the mosaic; the image of quarter 0 determines it */
};

/* {0} is empty and can be made over and over: memory is kept and grows as needed. */
struct sample {
    int image;                  /* index into dataset.images */
    int partner[QUARTERS - 1];  /* of a mosaic: image and partners are the images of its quarters */
    struct image_size source, input;  /* of the image; of this sample, which lies at the top left of its batch */
    bool tiled;                 /* it shows a tile of the image */
    struct part part;           /* of a mosaic: part, matrix and source are those of the quarter made last */
    struct matrix matrix;       /* from the source to the part */
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

/* Draws the random numbers, also the tile if the configuration has some, and warps the image.  Sets all but image,
 * partner and objects.  Two samples of the same image, configuration and random numbers have the same bits.
 * sample_make_tile: the same with a given tile, in place of the image. */
bool sample_make(struct sample *, const struct data_config *, const struct image *, struct random *, struct error *);
bool sample_make_tile(struct sample *, const struct data_config *, const struct image *, const struct tile *,
                      struct random *, struct error *);

/* The same for one image of a mosaic; quarters are made in their order, each followed by its objects.  The input has
 * the size that the image of quarter 0 would have alone, and its colours.  Each image has the scale that it would have
 * alone, with random factors of its own, but for the translation: its quarter is a window at a random place of the
 * image (geometry_window).  quarter NULL: as sample_make. */
bool sample_quarter(struct sample *, const struct data_config *, const struct image *, const struct quarter *,
                    struct random *, struct error *);

/* The part of the source that the sample, or the quarter made last, shows, or its bounding rectangle: x1, y1, x2, y2.
 * Empty if the matrix has no inverse. */
void sample_view(const struct sample *, float view[4]);

/* The pixels that sample_quarter reads of an image of that size, with these random numbers; with scaled_decode of the
 * image halved as often as the warp still shrinks it. */
struct region sample_region(const struct data_config *, struct image_size source, const struct quarter *,
                            struct random);

/* The boxes of an image through the sample's matrix.  label[category] is a class of the model, or -1.  Boxes to
 * ignore are kept apart, whatever their class.  Other boxes without a class are left out, and so is what
 * annotation_trains refuses, but nothing else.
 *
 * In a mosaic or a tile, boxes are cut at the edges of the quarter or the input.  A box of which less than a third is
 * inside becomes an ignore box (the same limit as in synth).  A box with a side below a pixel there is left out. */
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
