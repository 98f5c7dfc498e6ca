#include "base/team.h"

#include <omp.h>

int cores(void)
{
    return omp_get_num_procs();
}

void team_for(const struct team *team, int chunks, void (*body)(const void *job, int chunk), const void *job)
{
    const int threads = team->threads < chunks ? team->threads : chunks;
    if (threads <= 1) {
        for (int i = 0; i < chunks; i++)
            body(job, i);
        return;
    }
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int i = 0; i < chunks; i++)
        body(job, i);
}

int team_self(void)
{
    return omp_get_thread_num();
}
