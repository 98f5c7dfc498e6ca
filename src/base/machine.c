#include "base/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The number in a file; UINT64_MAX, no limit, if there is no file or its text is not a number, such as "max". */
static uint64_t read_limit(const char *folder, const char *group, const char *file)
{
    char path[600];
    unsigned long long limit;
    snprintf(path, sizeof path, "%s%.400s/%s", folder, group, file);
    FILE *in = fopen(path, "r");
    const bool known = in && fscanf(in, "%llu", &limit) == 1;
    if (in)
        fclose(in);
    return known ? limit : UINT64_MAX;
}

/* A line of /proc/self/cgroup is NUMBER:CONTROLLERS:GROUP; version 2 names no controllers.  Inside a container the
 * group's folder may have another name in the file system; the root's limit applies then. */
static uint64_t limit_of_line(char *line)
{
    static const struct { const char *controllers, *folder, *file; } versions[] = {
        { "", "/sys/fs/cgroup", "memory.max" },
        { "memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes" } };
    uint64_t limit = UINT64_MAX;
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return limit;
    *group++ = 0;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (strcmp(controllers + 1, versions[i].controllers) == 0)
            limit = min_u64(read_limit(versions[i].folder, group, versions[i].file),
                            read_limit(versions[i].folder, "", versions[i].file));
    return limit;
}

uint64_t machine_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t limit = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    FILE *in = fopen("/proc/self/cgroup", "r");
    char *line = NULL;
    size_t size = 0;
    while (in && getline(&line, &size, in) > 0)
        limit = min_u64(limit, limit_of_line(line));
    free(line);
    if (in)
        fclose(in);
    return limit;
}
