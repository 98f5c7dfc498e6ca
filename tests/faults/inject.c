/* tests/faults/inject.c -- preloaded into a program, lets its n-th allocation or its n-th I/O system call fail.
 *
 *     FAULT=alloc:N | io:N    N from 1, counted over all threads and child processes from main on
 *     FAULT=alloc:list | io:list      nothing fails: FILE gets a line "alloc N" or "io N" for the first allocation or
 *                             call on each path through the program (that is, with each stack of return addresses)
 *     FAULT_LOG=FILE          gets a line with the failed call appended
 *
 * Allocations are counted in malloc and the functions beside it, which the C library and all others call, too.
 * System calls are trapped by a seccomp filter: the handler of SIGSYS counts them, then makes them or sets errno.  This
 * includes the calls of the C library's streams.  Each call has two errors: odd N give the first one. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* path: the argument that names a file, -1: none. */
#define CALL(name, path, first, second) { SYS_##name, #name, path, { first, second } }
static const struct call { int number; const char *name; int path, error[2]; } calls[] = {
#ifdef SYS_open                                         /* newer machines have only the calls that end in "at" */
    CALL(open, 0, EMFILE, EIO), CALL(stat, 0, EIO, ENOMEM), CALL(lstat, 0, EIO, ENOMEM), CALL(access, 0, EIO, ENOMEM),
    CALL(readlink, 0, EIO, ENOMEM), CALL(mkdir, 0, ENOSPC, EIO), CALL(rename, 0, EIO, ENOSPC),
    CALL(unlink, 0, EIO, EIO), CALL(rmdir, 0, EIO, EIO),
#endif
    CALL(openat, 1, EMFILE, EIO), CALL(newfstatat, 1, EIO, ENOMEM), CALL(statx, 1, EIO, ENOMEM),
    CALL(faccessat, 1, EIO, ENOMEM), CALL(readlinkat, 1, EIO, ENOMEM), CALL(mkdirat, 1, ENOSPC, EIO),
    CALL(renameat, 1, EIO, ENOSPC), CALL(renameat2, 1, EIO, ENOSPC), CALL(unlinkat, 1, EIO, EIO),
    CALL(fstat, -1, EIO, ENOMEM), CALL(read, -1, EIO, ENOMEM), CALL(pread64, -1, EIO, ENOMEM),
    CALL(readv, -1, EIO, ENOMEM), CALL(getdents64, -1, EIO, ENOMEM), CALL(lseek, -1, EIO, EIO),
    CALL(write, -1, ENOSPC, EIO), CALL(pwrite64, -1, ENOSPC, EIO), CALL(writev, -1, ENOSPC, EIO),
    CALL(ftruncate, -1, EIO, ENOSPC), CALL(fsync, -1, EIO, ENOSPC), CALL(fdatasync, -1, EIO, ENOSPC),
    CALL(close, -1, EIO, ENOSPC), CALL(flock, -1, EIO, ENOMEM), CALL(fchmod, -1, EIO, EIO),
    CALL(mmap, -1, ENOMEM, ENOMEM) };
enum { CALLS = sizeof calls / sizeof *calls };

static atomic_long *counts;                             /* of allocations and system calls, shared with children */
static long failing_allocation, failing_call;           /* 0: none */
static bool counting;                                   /* allocations: main runs */
static bool listing;
static const char *log_path;

/* ---- system calls ---- */

/* The filter passes calls from `made_here`, the address after the system call of the function below. */
extern const char made_here[];
#if defined(__x86_64__)
#define ARGUMENT(c, i) (c)->uc_mcontext.gregs[(const int[]){ REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9 }[i]]
#define RESULT(c) (c)->uc_mcontext.gregs[REG_RAX]
__asm__(".text\nmake_call:\n mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n mov %r8, %r10\n"
        " mov %r9, %r8\n mov 8(%rsp), %r9\n syscall\nmade_here:\n ret\n");
#elif defined(__aarch64__)
#define ARGUMENT(c, i) (c)->uc_mcontext.regs[i]
#define RESULT(c) (c)->uc_mcontext.regs[0]
__asm__(".text\nmake_call:\n mov x8, x0\n mov x0, x1\n mov x1, x2\n mov x2, x3\n mov x3, x4\n mov x4, x5\n mov x5, x6\n"
        " svc 0\nmade_here:\n ret\n");
#else
#error "system calls are made here on x86-64 and 64-bit ARM only"
#endif
long make_call(long number, long a, long b, long c, long d, long e, long f);

static void log_line(const char *what, long n, const char *detail)
{
    char line[600];
    const int length = snprintf(line, sizeof line, "%s %ld%s%s\n", what, n, *detail ? " " : "", detail);
    const long fd = make_call(SYS_openat, AT_FDCWD, (long)log_path, O_WRONLY | O_APPEND | O_CREAT, 0666, 0, 0);
    make_call(SYS_write, fd, (long)line, length, 0, 0, 0);
    make_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* Logs an event if it is the first one whose innermost `most` return addresses, some of them here, are these. */
static void list_path(const char *what, long n, int most)
{
    enum { MOST = 10, PATHS = 1 << 16 };
    static atomic_ulong seen[PATHS];
    void *frames[MOST];
    const int depth = backtrace(frames, most);
    unsigned long hash = 14695981039346656037u;         /* FNV-1a */
    for (int i = 0; i < depth; i++)
        hash = (hash ^ (unsigned long)frames[i]) * 1099511628211u;
    hash += !hash;
    for (unsigned long i = hash; ; i++) {
        unsigned long there = 0;
        if (atomic_compare_exchange_strong(&seen[i % PATHS], &there, hash)) {
            log_line(what, n, "");
            return;
        }
        if (there == hash)
            return;
    }
}

static void on_call(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    const struct call *call = calls;
    const long n = atomic_fetch_add(&counts[1], 1) + 1;
    const int saved = errno;
    (void)signal;
    while (call->number != info->si_syscall)
        call++;
    const bool fails = n == failing_call;
    if (fails && log_path) {
        char first[24];                                 /* a descriptor, but for mmap */
        snprintf(first, sizeof first, "%ld", (long)ARGUMENT(c, 0));
        log_line(call->name, -call->error[n % 2 == 0],
                 call->path >= 0 ? (const char *)(uintptr_t)ARGUMENT(c, call->path) : first);
    }
    if (listing)
        list_path("io", n, 10);
    long result = 0;
    if (!fails || call->number == SYS_close)            /* a descriptor is closed whatever close returns */
        result = make_call(info->si_syscall, (long)ARGUMENT(c, 0), (long)ARGUMENT(c, 1), (long)ARGUMENT(c, 2),
                           (long)ARGUMENT(c, 3), (long)ARGUMENT(c, 4), (long)ARGUMENT(c, 5));
    if (fails)
        result = -call->error[n % 2 == 0];
    RESULT(c) = (__typeof__(RESULT(c)))result;
    errno = saved;
}

static void trap_calls(void)
{
    enum { HEAD = 7 };
    struct sock_filter filter[HEAD + CALLS + 2];
    const uint64_t here = (uint64_t)(uintptr_t)made_here;
    const struct sock_filter head[HEAD] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)here, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(here >> 32), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0) };
    memcpy(filter, head, sizeof head);
    for (int i = 0; i < CALLS; i++)
        filter[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number,
                                                        (unsigned char)(CALLS - i), 0);
    filter[HEAD + CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[HEAD + CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    const struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    const struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("inject: seccomp");
        _exit(99);
    }
}

/* ---- allocations ---- */

static bool denied(const char *name, const void *caller)
{
    static _Thread_local bool inside;                   /* allocations of logging do not count */
    if (!counting || inside)
        return false;
    const long n = atomic_fetch_add(&counts[0], 1) + 1;
    inside = true;
    if (listing)
        list_path("alloc", n, 7);
    if (n == failing_allocation && log_path) {
        Dl_info place = {0};
        char detail[500];
        dladdr(caller, &place);
        snprintf(detail, sizeof detail, "%s+%#zx", place.dli_fname ? place.dli_fname : "?",
                 (size_t)((const char *)caller - (const char *)place.dli_fbase));
        log_line(name, n, detail);
    }
    inside = false;
    if (n != failing_allocation)
        return false;
    errno = ENOMEM;
    return true;
}

#define CALLER __builtin_return_address(0)
#define NEXT(name) static __typeof__(name) *next; if (!next) *(void **)&next = dlsym(RTLD_NEXT, #name)

void *malloc(size_t size) { NEXT(malloc); return denied("malloc", CALLER) ? NULL : next(size); }
void *calloc(size_t n, size_t size) { NEXT(calloc); return denied("calloc", CALLER) ? NULL : next(n, size); }
void *realloc(void *p, size_t size) { NEXT(realloc); return denied("realloc", CALLER) ? NULL : next(p, size); }
void *aligned_alloc(size_t a, size_t n)
{
    NEXT(aligned_alloc);
    return denied("aligned_alloc", CALLER) ? NULL : next(a, n);
}
int posix_memalign(void **p, size_t a, size_t n)
{
    NEXT(posix_memalign);
    return denied("posix_memalign", CALLER) ? ENOMEM : next(p, a, n);
}

/* ---- main ---- */

typedef int main_function(int, char **, char **);
static main_function *true_main;

static int counted_main(int argc, char **argv, char **environment)
{
    void *frame;
    const char *fault = getenv("FAULT"), *which = fault ? strchr(fault, ':') : NULL;
    const bool io = which && strncmp(fault, "io:", 3) == 0;
    log_path = getenv("FAULT_LOG");
    listing = log_path && which && strcmp(which + 1, "list") == 0;
    counts = mmap(NULL, 2 * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED) {
        perror("inject: mmap");
        _exit(99);
    }
    if (listing)
        backtrace(&frame, 1);                           /* loads a library the first time */
    if (which)
        *(io ? &failing_call : &failing_allocation) = atol(which + 1);
    if (io)
        trap_calls();
    counting = which && !io;
    return true_main(argc, argv, environment);
}

int __libc_start_main(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    NEXT(__libc_start_main);
    true_main = program;
    return next(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
