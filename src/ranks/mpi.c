#include "ranks/mpi.h"

#include <stdlib.h>

bool mpi_launched(void)
{
    /* Open MPI; MPICH, Intel MPI and Slurm's PMI-2; PMIx, also of Slurm */
    static const char *const variables[] = { "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMIX_RANK" };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (getenv(variables[i]))
            return true;
    return false;
}

bool mpi_launched_with_others(void)
{
    const char *open_mpi = getenv("OMPI_COMM_WORLD_SIZE"), *others = getenv("PMI_SIZE");
    return (open_mpi && atoi(open_mpi) > 1) || (others && atoi(others) > 1);
}

#ifdef HAVE_MPI
#include "base/clock.h"
#include <dlfcn.h>
#include <mpi.h>
#include <string.h>

/* The library is loaded when it is needed: linked, it would slow down the start of every command.  The constants of
 * Open MPI are addresses in the library, those of MPICH are numbers. */
#ifdef OPEN_MPI
static const char *const libraries[] = { "libmpi.so.40" };
#define WORLD find("ompi_mpi_comm_world")
#define BYTES find("ompi_mpi_byte")
#else
static const char *const libraries[] = { "libmpich.so.12", "libmpi.so.12" };
#define WORLD MPI_COMM_WORLD
#define BYTES MPI_BYTE
#endif

#define FUNCTIONS(X) X(Init_thread) X(Comm_rank) X(Comm_size) X(Send) X(Recv) X(Isend) X(Irecv) X(Testall) X(Waitall) \
    X(Abort) X(Finalize)

static struct {
    void *library;
    MPI_Comm world;
    MPI_Datatype bytes;
#define X(name) __typeof__(&MPI_##name) name;
    FUNCTIONS(X)
#undef X
    MPI_Request requests[SLOTS][2];
    struct traffic traffic;
    struct ranks ranks;
} mpi;

static void *find(const char *name) { return dlsym(mpi.library, name); }

static bool load(struct error *err)
{
    /* The parts that Open MPI loads itself look for its symbols among the global ones. */
    for (size_t i = 0; !mpi.library && i < sizeof libraries / sizeof *libraries; i++)
        mpi.library = dlopen(libraries[i], RTLD_NOW | RTLD_GLOBAL);
    if (!mpi.library)
        return fail(err, "%s", dlerror());
    mpi.world = WORLD;
    mpi.bytes = BYTES;
    bool complete = mpi.world && mpi.bytes;
#define X(name) void *name = find("MPI_" #name); memcpy(&mpi.name, &name, sizeof name); complete = complete && name;
    FUNCTIONS(X)
#undef X
    return complete || fail(err, "%s lacks functions of MPI", libraries[0]);
}

static void send_bytes(void *context, int to, const void *from, size_t bytes)
{
    (void)context;
    mpi.traffic.bytes += (double)bytes;
    mpi.Send(from, (int)bytes, mpi.bytes, to, 0, mpi.world);
}

static void receive_bytes(void *context, int from, void *to, size_t bytes)
{
    MPI_Status unused;
    (void)context;
    mpi.Recv(to, (int)bytes, mpi.bytes, from, 0, mpi.world, &unused);
}

static void swap_bytes(void *context, int slot, int partner, int tag, const void *send, void *receive, size_t sent,
                       size_t received)
{
    (void)context;
    mpi.traffic.bytes += (double)sent;
    mpi.Irecv(receive, (int)received, mpi.bytes, partner, tag, mpi.world, &mpi.requests[slot][0]);
    mpi.Isend(send, (int)sent, mpi.bytes, partner, tag, mpi.world, &mpi.requests[slot][1]);
}

static bool swapped(void *context, int slot, bool wait)
{
    MPI_Status unused[2];
    int done = 1;
    const double start = clock_seconds();
    (void)context;
    if (wait)
        mpi.Waitall(2, mpi.requests[slot], unused);
    else
        mpi.Testall(2, mpi.requests[slot], &done, unused);
    mpi.traffic.waiting += clock_seconds() - start;
    return done;
}

static const struct transport transport = { send_bytes, receive_bytes, swap_bytes, swapped };

/* Every process finds the failure, and rank 0 says it; format has the number of processes. */
static bool fail_once(struct error *err, const char *format)
{
    misuse(err, format, mpi.ranks.count);
    if (mpi.ranks.rank > 0)
        err->text[0] = 0;
    return false;
}

bool mpi_join(const struct ranks **ranks, struct error *err)
{
    int provided;
    *ranks = NULL;
    if (!mpi_launched())
        return true;
    if (!load(err))
        return false;
    mpi.Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
    mpi.ranks.transport = &transport;
    mpi.ranks.traffic = &mpi.traffic;
    mpi.Comm_rank(mpi.world, &mpi.ranks.rank);
    mpi.Comm_size(mpi.world, &mpi.ranks.count);
    if (mpi.ranks.count & (mpi.ranks.count - 1))
        return fail_once(err, "%d processes cannot share a batch: their number must be 1, 2, 4, 8 and so on");
    if (provided < MPI_THREAD_SERIALIZED)
        return fail_once(err, "the library of MPI of %d processes was built without support of threads");
    if (mpi.ranks.count > 1)
        *ranks = &mpi.ranks;
    return true;
}

void mpi_leave(void)
{
    if (mpi.ranks.transport)
        mpi.Finalize();
}

void mpi_abort(int status)
{
    if (mpi.ranks.transport)
        mpi.Abort(mpi.world, status);
}
#else
bool mpi_join(const struct ranks **ranks, struct error *err)
{
    *ranks = NULL;
    return !mpi_launched() || misuse(err, "this program was built without MPI: it cannot train in several processes");
}

void mpi_leave(void) { }

void mpi_abort(int status) { (void)status; }
#endif
