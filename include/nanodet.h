/* nanodet.h -- detect objects in images and train detectors from a program in C or C++.
 *
 *     cc detect.c $(pkg-config --cflags --libs nanodet)
 *
 * Functions that can fail write a message into a struct nanodet_error, which may be NULL; the library never prints or
 * exits.  Only one thread at a time may use a detector; detectors are independent of each other.
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
const char *nanodet_version(void);      /* of the linked library; NANODET_VERSION is that of the header */

enum nanodet_result {
    NANODET_DONE,
    NANODET_FAILED,                         /* a file, its content, or memory */
    NANODET_MISUSED,                        /* an argument or the configuration */
    NANODET_STOPPED                         /* the caller's progress function requested it */
};

struct nanodet_error { enum nanodet_result result; char text[600]; };   /* text: one line without a newline */

/* ---- detection ---- */

struct nanodet_options {                    /* {0} except for one or two files is valid */
    const char *config;                     /* a configuration file: YAML in the structure of NanoDet; NULL: weights is
                                               a safetensors file of nanodet train or export, which describes its
                                               model */
    const char *weights;                    /* safetensors, PyTorch, ...; the content determines the format */
    const char *const *overrides;           /* "data.val.input_size=[416, 416]", ...; NULL ends the list; or NULL */
    int threads;                            /* 0: OMP_NUM_THREADS, else as many as there are cores; at most 256 */
    double score_thr;                       /* detections with lower scores are dropped; 0: test.score_thr of the
                                               configuration or, if that is not set, 0.35 */
};

/* All threads of the process together use at most device.decode_mb megabytes (default 1500) to decode image files; the
 * value of the last nanodet_open or nanodet_train applies. */
struct nanodet;                             /* a detector */
struct nanodet *nanodet_open(const struct nanodet_options *, struct nanodet_error *);       /* NULL: it failed */
void nanodet_close(struct nanodet *);       /* may be NULL */

int nanodet_class_count(const struct nanodet *);
const char *nanodet_class_name(const struct nanodet *, int id);         /* NULL unless 0 <= id < count */

enum nanodet_order { NANODET_BGR, NANODET_RGB };

struct nanodet_image {
    const unsigned char *pixels;            /* three bytes per pixel, rows from top to bottom */
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

/* Detects the objects in an image: *count detections, best first.  The detector owns the list, which is valid until its
 * next call; NULL only on failure. */
const struct nanodet_detection *nanodet_detect(struct nanodet *, const struct nanodet_image *, int *count,
                                               struct nanodet_error *);
const struct nanodet_detection *nanodet_detect_file(struct nanodet *, const char *jpeg_or_png, int *count,
                                                    struct nanodet_error *);

/* ---- training ---- */

struct nanodet_progress {
    int epoch, epochs;                      /* finished; total */
    int batch, batches;                     /* finished in the current epoch; per epoch */
    long steps;                             /* of the optimiser, finished */
    double best;                            /* the best score until now; -1: none yet */
};

struct nanodet_training {                   /* {0} except for config is valid */
    const char *config;
    const char *const *overrides;           /* as above */
    const char *weights;                    /* initial weights; NULL: as the configuration specifies */
    int resume;                             /* not 0: continue the run in save_dir from its last checkpoint */
    int threads;
    /* Called after every step and every epoch; if it returns non-zero, the training writes a checkpoint and returns
     * NANODET_STOPPED.  May be NULL. */
    int (*progress)(void *context, const struct nanodet_progress *);
    void *context;
};

/* Trains as `nanodet train` does and writes the same files into save_dir of the configuration.  Only one training at a
 * time may use a save_dir. */
enum nanodet_result nanodet_train(const struct nanodet_training *, struct nanodet_error *);

#ifdef __cplusplus
}
#endif
#endif
