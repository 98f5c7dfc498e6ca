/* eval/detections.h -- a detector's results on the images of a dataset: a list, and its files. */
#ifndef EVAL_DETECTIONS_H
#define EVAL_DETECTIONS_H
#include "base/file.h"

struct dataset;

struct detection {
    int image;                  /* index into the images of the dataset */
    int category;               /* index into its categories, or -1: never evaluated; files that are read give none */
    double box[4];              /* x, y, width, height in pixels of the image */
    double score;               /* finite, as is the box */
};

struct detections { struct detection *list; int count, capacity; };     /* in the order of the file */

bool detections_add(struct detections *, struct detection, struct error *);
void detections_free(struct detections *);

/* Reads a COCO result list, whose records are joined with the ground truth by name or by id (eval/join.h), or, if
 * path is a folder, the text files of the VisDrone toolkit: for each image of the ground truth the file of its name
 * ending in .txt, one row x,y,width,height,score,category[,-1,-1] per detection.  Errors are: a record whose image or
 * category the ground truth does not have; a record whose image_count, if it has one, is not the number of images of
 * the ground truth; a missing text file; a text file that belongs to no image; two images of one name in different
 * folders.  Broken records are counted and the first three named, by number and byte or by file and line.  On failure
 * the list is empty. */
bool detections_read(struct detections *, const char *path, const struct dataset *gt, struct error *);

/* The same from memory, where a 0 byte follows the text; path is for messages only.  They append to the list. */
bool detections_parse(struct detections *, struct bytes text, const char *path, const struct dataset *gt,
                      struct error *);
bool detections_parse_rows(struct detections *, struct bytes text, const char *path, const struct dataset *gt,
                           int image, struct error *);

/* Writes a COCO result list or, if path is a folder or ends in '/', the toolkit's text files, one per image of the
 * ground truth, in that folder, which is created.  Records of the list also have file_name, category_name and
 * image_count, the number of images of the ground truth, so that a list is never scored against other images.  All
 * digits of each number are written.  No category may be -1. */
bool detections_write(const struct detections *, const char *path, const struct dataset *gt, struct error *);
#endif
