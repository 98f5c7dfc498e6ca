/* tests/defects.h -- format x defect x command. */
#ifndef TESTS_DEFECTS_H
#define TESTS_DEFECTS_H
enum { COCO = 1, VOC = 2, YOLO = 4, DRONE = 8, ALL = 15 };

static const struct row {
    const char *defect;
    unsigned formats;
    const char *steps[5];               /* tests/defect_set.h */
    const char *exits;                  /* of check, train, test, convert and eval; '-': not run */
    const char *says;
    const char *value;
    const char *later;
} rows[] = {
    { "none", ALL, { NULL }, "00000", NULL, "4 8: 9 6 40 30", NULL },
};
#endif
