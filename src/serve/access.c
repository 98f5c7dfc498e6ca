#include "serve/access.h"

#include "base/strbuf.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the address ---- */

struct address { char host[256], port[6]; };    /* host "": not given; an IPv6 address without its brackets */

static bool split_address(struct address *a, const char *text, struct error *err)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    const bool bracketed = colon && *text == '[' && colon[-1] == ']';
    const char *host = text + bracketed;
    const size_t size = colon ? (size_t)(colon - host) - bracketed : 0, digits = strspn(port, "0123456789");
    const bool has_port = digits >= 1 && digits < sizeof a->port && !port[digits] && atoi(port) <= 65535;
    if (!has_port || (colon && size == 0) || size >= sizeof a->host || (!bracketed && memchr(host, ':', size)))
        return misuse(err, "--serve %.200s: not [HOST:]PORT, such as 8080, 0.0.0.0:8080 or [::1]:8080", text);
    snprintf(a->host, sizeof a->host, "%.*s", (int)size, host);
    snprintf(a->port, sizeof a->port, "%s", port);
    return true;
}

/* -1, with errno, if this address cannot be listened on. */
static int listen_on(const struct addrinfo *a)
{
    const int s = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol), yes = 1;
    if (s < 0)
        return -1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(s, a->ai_addr, a->ai_addrlen) == 0 && listen(s, 64) == 0)
        return s;
    const int reason = errno;
    close(s);
    errno = reason;
    return -1;
}

static bool open_socket(struct access *access, const struct address *a, const char *text, struct error *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *list;
    const int unknown = getaddrinfo(*a->host ? a->host : "127.0.0.1", a->port, &hints, &list);
    if (unknown)
        return fail(err, "--serve %.200s: %s", text, unknown == EAI_SYSTEM ? errno_text(errno) : gai_strerror(unknown));
    for (const struct addrinfo *one = list; one && access->socket < 0; one = one->ai_next)
        access->socket = listen_on(one);
    const int reason = errno;
    freeaddrinfo(list);
    return access->socket >= 0 || fail(err, "--serve %.200s: cannot listen there: %s", text, errno_text(reason));
}

bool draw_token(char token[TOKEN_SIZE + 1], struct error *err)
{
    unsigned char bytes[TOKEN_SIZE / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return fail(err, "--serve: no random numbers: %s", errno_text(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

/* 0.0.0.0 and :: listen on all addresses of the machine; its name stands for them. */
static bool make_url(struct access *access, const struct address *a, const char *text, struct error *err)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    char host[256] = "", port[8];
    const bool all = strcmp(a->host, "0.0.0.0") == 0 || strcmp(a->host, "::") == 0;
    if (getsockname(access->socket, (struct sockaddr *)&own, &size) != 0
        || getnameinfo((struct sockaddr *)&own, size, NULL, 0, port, sizeof port, NI_NUMERICSERV) != 0)
        return fail(err, "--serve %.200s: the port has no number", text);
    if (!all || gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "%s", *a->host ? a->host : "127.0.0.1");
    const bool v6 = strchr(host, ':');
    snprintf(access->url, sizeof access->url, "http://%s%s%s:%s/%s%s", v6 ? "[" : "", host, v6 ? "]" : "", port,
             *access->token ? "?token=" : "", access->token);
    return true;
}

bool access_open(struct access *access, const char *address, struct error *err)
{
    struct address a;
    *access = (struct access){ .socket = -1 };
    if (split_address(&a, address, err) && (!*a.host || draw_token(access->token, err))
        && open_socket(access, &a, address, err) && make_url(access, &a, address, err))
        return true;
    if (access->socket >= 0)
        close(access->socket);
    return false;
}

/* ---- requests ---- */

/* With any port: a tunnel may have another one. */
static bool names_this_machine(const char *host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t size = strlen(names[i]);
        const char *port = host + size;
        if (strncasecmp(host, names[i], size) == 0
            && (!*port || (*port == ':' && !port[1 + strspn(port + 1, "0123456789")])))
            return true;
    }
    return false;
}

static bool same_token(const char *given, const char *token)
{
    volatile unsigned char difference = 0;
    if (strlen(given) != TOKEN_SIZE)
        return false;
    for (int i = 0; i < TOKEN_SIZE; i++)
        difference = (unsigned char)(difference | (given[i] ^ token[i]));
    return difference == 0;
}

bool access_allows(const struct access *access, const char *host, const char *token)
{
    return *access->token ? token && same_token(token, access->token) : host && names_this_machine(host);
}
