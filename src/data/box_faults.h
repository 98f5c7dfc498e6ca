/* data/box_faults.h -- boxes that are probably mistakes of labelling, judged without a model. */
#ifndef DATA_BOX_FAULTS_H
#define DATA_BOX_FAULTS_H
#include "data/dataset.h"

enum box_fault_kind { FAULT_EQUAL, FAULT_TWO_CLASSES, FAULT_OUTSIDE, FAULT_WHOLE, FAULT_THIN, FAULT_KINDS };
extern const char *const box_fault_texts[FAULT_KINDS];

struct box_fault { enum box_fault_kind kind; int annotation, other; };      /* other: of a pair, before it; else -1 */
struct box_faults { struct box_fault *list; int count, capacity; };

/* In the order of the images, for boxes that are trained on:
 *     equal           an IoU of at least .9 with a box of the same class before it
 *     two classes     the same with a box of another class
 *     outside         more than half of it lies outside of the image
 *     whole           it covers 98 % of the image, unless most boxes do
 *     thin            one side is more than twenty times the other
 * The first kind that applies.  label: the class of each category, or -1: left out. */
bool find_box_faults(struct box_faults *, const struct dataset *, const int *label, struct error *);
void box_faults_free(struct box_faults *);
#endif
