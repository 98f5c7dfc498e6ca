/* kernel/isa_blas.c -- matrix products by OpenBLAS, all other kernels in portable C.  Processors without a table of
 * their own use it by default.  The library is loaded when the table is wanted: where memory is limited, OpenBLAS does
 * not return from its own start, and other tables do not need it. */
#if defined(HAVE_OPENBLAS) && !defined(REAL_IS_DOUBLE)
#include "kernel/vec_four.h"

#include "base/min_max.h"
#include "kernel/bodies.h"
#include <cblas.h>
#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>

static struct {
    __typeof__(&cblas_sgemm) sgemm;
    __typeof__(&openblas_get_parallel) get_parallel;
    __typeof__(&openblas_set_num_threads) set_num_threads;
    bool complete;
} blas;

static bool find_symbol(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol;
}

static void load(void)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    blas.complete = library && find_symbol(library, "cblas_sgemm", &blas.sgemm)
                 && find_symbol(library, "openblas_get_parallel", &blas.get_parallel)
                 && find_symbol(library, "openblas_set_num_threads", &blas.set_num_threads);
}

static bool is_loaded(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return blas.complete;
}

/* If OpenBLAS is built with OpenMP, each call outside of a parallel region has as many threads as a region would. */
static int set_threads(int threads)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    return before;
}

/* BLAS does not allow lda < k (overlapping rows, as in a convolution's windows), so at most lda columns are multiplied
 * per call.  Sums of more than K_MAX products are added up from shorter ones, which are more accurate. */
static void gemm_unpacked(bool a_by_k, int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add,
                          float *c, int ldc)
{
    enum { K_MAX = 24 };
    const int columns = min_int(K_MAX, a_by_k ? k : min_int(k, lda)), threads = set_threads(1);
    for (int t = 0; t < k; t += columns)
        blas.sgemm(CblasRowMajor, a_by_k ? CblasTrans : CblasNoTrans, CblasNoTrans, m, n, min_int(columns, k - t), 1,
                   a + (ptrdiff_t)t * (a_by_k ? lda : 1), lda, b + (ptrdiff_t)t * ldb, ldb, add || t > 0 ? 1 : 0, c,
                   ldc);
    set_threads(threads);
}

/* The threads are nanodet's: each calls OpenBLAS for products of its own, which a serial OpenBLAS does not allow.  If
 * OpenBLAS is built with OpenMP, this sets the threads of the whole program. */
bool kernels_blas_start(void)
{
    const int threads = omp_get_max_threads();
    if (!is_loaded() || blas.get_parallel() == 0)
        return false;
    blas.set_num_threads(1);
    set_threads(threads);
    return true;
}

const struct kernels kernels_blas = {
    .name = "blas",
#include "kernel/table_rows.h"
};
#endif
