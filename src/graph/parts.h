/* graph/parts.h -- sums over the images of a batch, the same for every number of processes.
 *
 * The images of a batch form node.parts parts.  A sum over the batch is computed part by part, and the sums of the
 * parts are added as a binary tree.  The sum of a part depends on the images of that part alone, so processes that
 * share a batch by whole parts, and then add as the same tree, get the bits of one process. */
#ifndef GRAPH_PARTS_H
#define GRAPH_PARTS_H
#include "graph/op.h"

struct ranks;

/* The images of a part: `image` is the first.  With fewer images than parts some parts are empty. */
struct batch_part { int image, images; };
struct batch_part part_of(int images, int parts, int index);
int part_with(int images, int parts, int image);

/* The parts of one process's share of a batch. */
int parts_of_share(const struct ranks *);

/* Adds the sums of the parts as a tree: a sum that all processes know, and this process's share of the gradient of a
 * parameter, which is rounded first because gradients are added across processes later. */
double sum_of_parts(const double *sums, int parts);
real gradient_of_parts(const double *sums, int parts);
/* The same of a sum per image of x[0], `stride` elements apart. */
real gradient_of_images(const struct node *, const double *sums, ptrdiff_t stride);
#endif
