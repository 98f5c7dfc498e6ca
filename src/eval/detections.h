/* eval/detections.h -- what a detector found in the images of a dataset: a list, and the files it comes in. */
#ifndef EVAL_DETECTIONS_H
#define EVAL_DETECTIONS_H
#include "base/file.h"

struct dataset;

struct detection {
    int image;                  /* index into the images of the dataset */
    int category;               /* index into its categories, or -1: one that it does not know, never evaluated */
    double box[4];              /* x, y, width, height in pixels of the image */
    double score;               /* finite, as is the box */
};

struct detections { struct detection *list; int count, capacity; };     /* in the order of the file */

bool detections_add(struct detections *, struct detection, struct error *);
void detections_free(struct detections *);

/* Reads a COCO result list or, if path is a folder, the text files of the VisDrone toolkit: for each image of truth
 * the file of its name ending in .txt, a row x,y,width,height,score,category[,-1,-1] a detection.  Errors are: an image
 * id unknown to truth, a missing text file.  Text files that belong to no image are not looked at.  On failure the
 * list is empty. */
bool detections_read(struct detections *, const char *path, const struct dataset *truth, struct error *);

/* The same from memory, where a 0 byte follows the text; path is for messages only.  What is read is appended. */
bool detections_parse(struct detections *, struct bytes text, const char *path, const struct dataset *truth,
                      struct error *);
bool detections_parse_rows(struct detections *, struct bytes text, const char *path, const struct dataset *truth,
                           int image, struct error *);

/* A COCO result list with all digits of each number.  No category may be -1. */
bool detections_write(const struct detections *, const char *path, const struct dataset *truth, struct error *);
#endif
