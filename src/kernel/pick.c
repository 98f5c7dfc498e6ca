#include "base/strbuf.h"
#include "base/table.h"
#include "kernel/tables.h"
#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static bool always(void) { return true; }

#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}

/* The processor must have the unit, and the process must ask the operating system to save its registers. */
static bool has_amx(void)
{
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AVX512_BF16 = 1 << 5, ASK = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d, more = 0;
    if (!has_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !__get_cpuid_count(7, 1, &more, &b, &c, &a))
        return false;
    return (d & AMX_BF16) && (d & AMX_TILE) && (more & AVX512_BF16) && syscall(SYS_arch_prctl, ASK, TILE_DATA) == 0;
}
#endif

/* Slowest first. */
static const struct isa {
    const char *name;
    const struct kernels *kernels;
    bool (*works)(void);
    bool (*start)(void);                /* called whenever the table is picked; NULL: there is nothing to do */
} isas[] = {
    { "ref",    &kernels_ref,    always, NULL },
#if defined(HAVE_OPENBLAS) && !defined(REAL_IS_DOUBLE)
    { "blas",   &kernels_blas,   always, kernels_blas_start },
#endif
#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
    { "sse",    &kernels_sse,    always, NULL },
    { "avx2",   &kernels_avx2,   has_avx2, NULL },
    { "avx512", &kernels_avx512, has_avx512, NULL },
    { "amx",    &kernels_amx,    has_amx, NULL },
#elif defined(__aarch64__) && !defined(REAL_IS_DOUBLE)
    { "neon",   &kernels_neon,   always, NULL },
#endif
    {0} };

static bool starts(const struct isa *isa) { return isa->works() && (!isa->start || isa->start()); }

const struct kernels *kernels_pick(const char *name, struct error *err)
{
    const struct isa *best = isas + sizeof isas / sizeof *isas - 2;     /* the fastest; slower ones are not tried */
    while (!name && !starts(best))
        best--;
    if (name && (!(best = find_row(name, isas, sizeof *isas)) || !starts(best))) {
        misuse(err, "NANODET_ISA=%s: this machine or build cannot run such kernels; fastest is %s", name,
               kernels_pick(NULL, err)->name);
        return NULL;
    }
    return best->kernels;
}

void add_kernel_names(enum kernel_names which, struct strbuf *names)
{
    for (const struct isa *isa = isas; isa->name; isa++)
        if (isa->works() == (which == KERNELS_USABLE))
            strbuf_addf(names, " %s", isa->name);
}
