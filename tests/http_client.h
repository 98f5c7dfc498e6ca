/* tests/http_client.h -- a client that sends any bytes to a server on this machine. */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H
#include "base/strbuf.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static inline int port_of(const char *url) { return atoi(strrchr(url, ':') + 1); }

/* A connection to 127.0.0.1, or -1. */
static inline int http_connect(int port)
{
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                    .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval patience = { .tv_sec = 20 };
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (s >= 0 && connect(s, (const struct sockaddr *)&to, sizeof to) == 0)
        return s;
    close(s);
    return -1;
}

/* Sends the bytes and reads until the server closes the connection; returns the status of the answer, or 0 for none.
 * strbuf_free the answer. */
static inline int http_send(int port, const void *request, size_t size, struct strbuf *answer)
{
    char block[4096];
    ssize_t got;
    int status = 0;
    const int s = http_connect(port);
    *answer = (struct strbuf){0};
    if (s >= 0 && send(s, request, size, MSG_NOSIGNAL) >= 0)
        while ((got = recv(s, block, sizeof block, 0)) > 0)
            strbuf_add(answer, block, (size_t)got);
    close(s);
    if (answer->s)
        sscanf(answer->s, "HTTP/1.1 %d", &status);
    return status;
}

/* "METHOD path" with a Host header, which may be NULL. */
static inline int http_ask(int port, const char *method, const char *path, const char *host, struct strbuf *answer)
{
    struct strbuf request = {0};
    strbuf_addf(&request, "%s %s HTTP/1.1\r\n%s%s%sConnection: close\r\n\r\n", method, path, host ? "Host: " : "",
                host ? host : "", host ? "\r\n" : "");
    const int status = http_send(port, request.s, request.size, answer);
    strbuf_free(&request);
    return status;
}

static inline int http_status(int port, const char *method, const char *path, const char *host)
{
    struct strbuf answer;
    const int status = http_ask(port, method, path, host, &answer);
    strbuf_free(&answer);
    return status;
}

/* The text behind the headers. */
static inline const char *http_body(const struct strbuf *answer)
{
    const char *end = answer->s ? strstr(answer->s, "\r\n\r\n") : NULL;
    return end ? end + 4 : "";
}
#endif
