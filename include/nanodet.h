/* nanodet.h -- detect objects in images, and train detectors, from a program in C or C++.
 *
 *     cc detect.c $(pkg-config --cflags --libs nanodet)
 *
 * Functions that can fail write the error and its place to a struct nanodet_error, which may be NULL; they neither
 * print nor exit.  One detector is used by one thread at a time; detectors are independent.
 *
 * OpenMP runs the threads, as its settings say (OMP_PROC_BIND, ...).  Each thread that calls has helpers of its own,
 * which are kept until it ends; two detectors in two threads together are at least as fast as one.  The threads of a
 * detector share nothing with those of another one but the memory for decoding.
 *
 * The helpers spin before they sleep.  How long is the choice of the program that links the library: libgomp's default
 * of milliseconds slows down all programs on a busy machine.  GOMP_SPINCOUNT=2000, set before the program starts, suits
 * most; OMP_WAIT_POLICY=passive never spins.  With libomp call kmp_set_blocktime, or set KMP_BLOCKTIME.
 *
 * OpenMP's runtime ends the process with a message if it cannot start a thread or has no memory.  libomp 14 may crash
 * if a thread ends that has called the library while others go on calling it. */
#ifndef NANODET_H
#define NANODET_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NANODET_VERSION "0.1.0"
const char *nanodet_version(void);      /* of the library that is linked; the program was built for NANODET_VERSION */

enum nanodet_result {
    NANODET_DONE,
    NANODET_FAILED,                         /* a file, its content, or memory */
    NANODET_MISUSED,                        /* an argument or the configuration */
    NANODET_STOPPED                         /* the caller's progress function asked for it */
};

struct nanodet_error { enum nanodet_result result; char text[600]; };   /* a line without its end */

/* ---- detecting ---- */

struct nanodet_options {                    /* {0} and one or two files are enough */
    const char *config;                     /* a configuration file: YAML in the structure of NanoDet; NULL: weights is
                                               a safetensors file that nanodet has trained or exported, which
                                               describes its model */
    const char *weights;                    /* safetensors, PyTorch, ...: detected by content */
    const char *const *overrides;           /* "data.val.input_size=[416, 416]", ...; NULL ends the list; or NULL */
    int threads;                            /* 0: OMP_NUM_THREADS, else as many as there are cores; at most 256 */
    double score_thr;                       /* detections below it are left out; 0: 0.35, or a test.score_thr that
                                               is set in the configuration */
};

/* Image files are decoded within device.decode_mb megabytes (1500), in all threads of the process together; the value
 * of the last nanodet_open or nanodet_train holds. */
struct nanodet;                             /* a detector */
struct nanodet *nanodet_open(const struct nanodet_options *, struct nanodet_error *);       /* NULL: it failed */
void nanodet_close(struct nanodet *);       /* NULL is fine */

int nanodet_class_count(const struct nanodet *);
const char *nanodet_class_name(const struct nanodet *, int id);         /* NULL unless 0 <= id < count */

enum nanodet_order { NANODET_BGR, NANODET_RGB };

struct nanodet_image {
    const unsigned char *pixels;            /* three bytes per pixel, top row first */
    int width, height;
    size_t stride;                          /* bytes from one row to the next; 0: 3 width */
    enum nanodet_order order;
};

struct nanodet_detection {
    float x, y, width, height;              /* in pixels of the image; x and y of the upper left corner */
    float score;                            /* 0 to 1 */
    int class_id;                           /* from 0, in the order of class_names */
    const char *class_name;
};

/* The objects in an image, best first, *count of them.  The list is the detector's, valid until its next call, never
 * NULL but on failure. */
const struct nanodet_detection *nanodet_detect(struct nanodet *, const struct nanodet_image *, int *count,
                                               struct nanodet_error *);
const struct nanodet_detection *nanodet_detect_file(struct nanodet *, const char *jpeg_or_png, int *count,
                                                    struct nanodet_error *);

/* ---- training ---- */

struct nanodet_progress {
    int epoch, epochs;                      /* done; total */
    int batch, batches;                     /* done in the current epoch; per epoch */
    long steps;                             /* of the optimiser, done */
    double best;                            /* the best score so far; -1: none yet */
};

struct nanodet_training {                   /* {0} and a configuration are enough */
    const char *config;
    const char *const *overrides;           /* as above */
    const char *weights;                    /* to start from; NULL: what the configuration says */
    int resume;                             /* not 0: go on from where a run of this configuration stopped */
    int threads;
    /* Called after every step and every epoch; not 0: write a checkpoint and return NANODET_STOPPED.  Or NULL. */
    int (*progress)(void *context, const struct nanodet_progress *);
    void *context;
};

/* Writes the files of `nanodet train` into save_dir of the configuration.  Only one training at a time may use a
 * save_dir. */
enum nanodet_result nanodet_train(const struct nanodet_training *, struct nanodet_error *);

#ifdef __cplusplus
}
#endif
#endif
