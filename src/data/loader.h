/* data/loader.h -- batches made ahead of their use by threads of the loader's own.
 *
 * 1. The content of a batch depends on dataset, configuration, seed, epoch and step alone: not on the number of
 *    workers, not on the cache, not on where the loader started.
 * 2. In training, step s of an epoch takes places [s batch, (s+1) batch) of a permutation of the images, or with
 *    repeat_factor of the places of data/repeat.h, drawn from (seed, epoch); the odd rest is dropped unless it is all
 *    there is.  Place p of the epoch draws from (seed, epoch, p).  Epoch follows epoch without end.  The partners of an
 *    image in a mosaic have places drawn uniformly.
 * 3. In testing, images come in their order, all of them, once.
 * 4. An image of a training set that is missing or broken is replaced by the next good one of the permutation; in
 *    testing it is an error.  If the system fails to read an image (I/O, memory, limits), the loader reads it again
 *    after IMAGE_RETRY_MS; a second failure is an error that names the image: which images are replaced depends on the
 *    data alone.
 * 5. Batches are delivered in order; LOADER_AHEAD of them exist, the one lent out included, and are used again. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H
#include "data/image_cache.h"
#include "data/sample.h"
#include "ranks/ranks.h"

enum { LOADER_AHEAD = 3 };

struct loader_config {                          /* all borrowed until loader_close */
    const struct dataset *dataset;
    const struct data_config *data;
    const int *label;                           /* as for sample_objects; NULL: batches without objects */
    struct image_cache *cache;                        /* of this dataset; NULL: none */
    bool train;
    int mosaic_epochs;                          /* epochs of the run, from its first, that have mosaics */
    int batch, workers;                         /* >= 1 */
    struct share share;                         /* of each batch in training, of the images in testing; count 0: all */
    uint64_t seed;
    int epoch, step;                            /* of the first batch */
    double input_scale[2]; int epochs;          /* input sizes: see epoch_size; epochs 0: always the full size */
};

int loader_steps(int places, int batch, bool train);    /* of an epoch; places: count_epoch_places of a training set */

/* Fails if the dataset has no image or a thread cannot be had. */
struct loader *loader_open(const struct loader_config *, struct error *);
void loader_close(struct loader *);             /* at any time; NULL is fine */

/* *batch is lent until the next call; NULL at the end of a test.  After a failure only loader_close. */
bool loader_next(struct loader *, const struct batch **batch, struct error *);

/* Takes the oldest line not yet taken about an image that is missing or broken; false if there is none.  An image has
 * one line in the life of a loader. */
bool loader_complaint(struct loader *, struct error *line);
#endif
