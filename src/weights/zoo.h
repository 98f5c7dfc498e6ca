/* weights/zoo.h -- the official detectors, and which of them a file of weights is for. */
#ifndef WEIGHTS_ZOO_H
#define WEIGHTS_ZOO_H
#include "config/config.h"

struct zoo_model {
    const char *name;                   /* as in configs/ and in the names of the official files */
    const char *yaml;                   /* "model:\n  arch:\n ...", without number of classes and auxiliary head */
    enum resize resize;                 /* as it was trained */
};
extern const struct zoo_model zoo[];    /* the first is the default of `init`; ends with {0} */

/* The model of a file: that of its description, or else the official detector whose tensors or structure are equal to
 * those of the file, with COCO's 80 classes. */
struct found_model { const char *name; char *yaml; enum resize resize; };       /* yaml is owned */

/* Exit 1, naming the official detectors, if the file is for none of them. */
bool zoo_identify(struct found_model *, const char *weights, struct error *);
#endif
