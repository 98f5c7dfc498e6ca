/* tests/soak/kill_at.c -- ends a command at one of its system calls that change files.
 *
 *     kill_at any N COMMAND...        SIGKILL when the N-th such call is made, before it has any effect: exit 137
 *     kill_at commit N COMMAND...     counts only those that sync, rename or remove a file, or make a folder
 *
 * N 0: none; prints the number of calls of both kinds.  They are counted over all threads of the
 * command.  Otherwise the exit is that of the command; 77 if the kernel has no user notification
 * (SECCOMP_RET_USER_NOTIF). */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNABLE = 77 };

static const struct call { int number; bool commit; } calls[] = {
    { SYS_write, false },       { SYS_writev, false },      { SYS_pwrite64, false },    { SYS_openat, false },
    { SYS_ftruncate, false },   { SYS_fchmod, false },      { SYS_flock, false },
    { SYS_fsync, true },        { SYS_fdatasync, true },    { SYS_renameat2, true },    { SYS_unlinkat, true },
    { SYS_mkdirat, true },
#ifdef SYS_rename
    { SYS_rename, true },       { SYS_unlink, true },       { SYS_mkdir, true },        { SYS_rmdir, true },
#endif
};
enum { CALLS = sizeof calls / sizeof *calls };

/* Kinds of calls, which are counted separately. */
enum kind { ANY, COMMIT, KINDS };
struct counts { long of[KINDS]; };

static void count_call(const struct seccomp_data *call, struct counts *counts)
{
    if (call->nr == SYS_openat && (call->args[2] & O_ACCMODE) == O_RDONLY)
        return;
    counts->of[ANY]++;
    for (int i = 0; i < CALLS; i++)
        counts->of[COMMIT] += calls[i].number == call->nr && calls[i].commit;
}

/* The descriptor that receives the calls of this process; -1 if the kernel has none. */
static int watch_calls(void)
{
    struct sock_filter filter[1 + 2 * CALLS + 1] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
    for (int i = 0; i < CALLS; i++) {
        filter[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
        filter[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    filter[1 + 2 * CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* Passes a descriptor from one process to the other; fd < 0: none. */
union control { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; };

static void send_descriptor(int to, int fd)
{
    union control control = { .header = { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec byte = { "x", 1 };
    const struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = fd < 0 ? NULL : control.room,
                                    .msg_controllen = fd < 0 ? 0 : sizeof control.room };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    sendmsg(to, &message, 0);
}

static int receive_descriptor(int from)
{
    union control control = {0};
    char x;
    int fd = -1;
    struct iovec byte = { &x, 1 };
    struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.room,
                              .msg_controllen = sizeof control.room };
    if (recvmsg(from, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

/* Passes calls, up to the last one of a kind; counts those that were made before the command ended. */
static struct counts pass_calls(int listener, pid_t child, enum kind kind, long last)
{
    struct pollfd end = { .fd = listener, .events = POLLIN };
    struct counts counts = {0};
    while (poll(&end, 1, -1) >= 0 && (end.revents & POLLIN)) {
        struct seccomp_notif call = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
            continue;                           /* its thread has ended */
        count_call(&call.data, &counts);
        if (last && counts.of[kind] == last) {
            kill(child, SIGKILL);
            break;
        }
        struct seccomp_notif_resp pass = { .id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &pass);
    }
    return counts;
}

int main(int argc, char **argv)
{
    int ends[2], status;
    if (argc < 4 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return 2;
    const long last = strtol(argv[2], NULL, 10);
    const pid_t child = fork();
    if (child == 0) {
        const int listener = watch_calls();
        send_descriptor(ends[1], listener);
        if (listener < 0)
            _exit(UNABLE);
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    const int listener = receive_descriptor(ends[0]);
    struct counts counts = {0};
    if (listener >= 0)
        counts = pass_calls(listener, child, strcmp(argv[1], "commit") == 0 ? COMMIT : ANY, last);
    if (waitpid(child, &status, 0) != child)
        return 2;
    if (last == 0 && listener >= 0)
        printf("%ld %ld\n", counts.of[ANY], counts.of[COMMIT]);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
