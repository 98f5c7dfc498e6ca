/* data/validate.h -- one check of a data set, before its first use, for every command that opens one.
 *
 * The check adds notes to the set, and problems where nothing can be learned or scored.  docs/data.md has the table
 * of errors, warnings and notes. */
#ifndef DATA_VALIDATE_H
#define DATA_VALIDATE_H
#include "base/strbuf.h"
#include "config/config.h"
#include "data/dataset.h"

enum set_use { USE_TRAINING, USE_SCORING, USE_CONVERSION };

struct validation {
    enum set_use use;
    const char *path;                   /* of the annotations, for messages */
    const int *label;                   /* [categories] as from dataset_labels; NULL: every category is a class */
    const struct data_config *config;   /* folder of images and input size; NULL: images are not checked */
    bool decode;                        /* images are decoded whole; else their first and last bytes are read */
    int threads;
};

/* Errors: no image; unless the set is converted, no box that can be learned or scored, or most boxes outside of their
 * images; in scoring, an image that is missing or broken.  fail() if the set has a problem, and if the system fails to
 * read an image. */
bool dataset_validate(struct dataset *, const struct validation *, struct error *);

/* Factors by which an image, or in training a tile of it, is enlarged to the input, along x and y.  Its size is
 * known. */
void data_input_scale(const struct data_config *, const struct image_record *, double scale[2]);

/* Notes the images of a training set that the validation set has, too: files of equal base name and size. */
bool dataset_note_shared(struct dataset *training, const char *folder, const struct dataset *validation,
                         const char *validation_folder, struct error *);

/* A digest of what training takes from a set: names, sizes in pixels and bytes of the images, categories and boxes, in
 * their order; not of the folder's name.  Equal for a set that was moved.  A missing image counts 0 bytes. */
bool dataset_digest(uint64_t *, const struct dataset *, const char *folder, struct error *);

/* Adds "section: 160 images, 3 without a box; 217 boxes, cat 120, dog 97", and a line of box sizes at the input size.
 * label as above. */
void dataset_summary(const struct dataset *, const char *section, const struct data_config *, const int *label,
                     const struct strings *class_names, struct strbuf *);
#endif
