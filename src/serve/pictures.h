/* serve/pictures.h -- a few images of data.val, always the same, with the detections of an evaluation. */
#ifndef SERVE_PICTURES_H
#define SERVE_PICTURES_H
#include "base/file.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "data/dataset.h"
#include "eval/detections.h"

enum { PICTURES = 6 };

struct picture {
    struct strbuf json;                         /* an item of "images" in /status: docs/cli.md */
    struct bytes jpeg;
};
void picture_free(struct picture *);

/* The images, indices into dataset.images, spread over the set; those with objects are preferred.  Returns how many. */
int pictures_choose(const struct dataset *, int images[PICTURES]);

/* Draws the detections whose score exceeds config.shown_score.  The longer side has at most 640 pixels. */
bool picture_make(struct picture *, const struct config *, const struct dataset *, int image,
                  const struct detections *, struct error *);
#endif
