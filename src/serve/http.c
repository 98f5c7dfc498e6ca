#include "serve/http.h"

#ifndef HAVE_MICROHTTPD

struct http_server *http_open(const char *address, const struct http_document *documents, struct error *err)
{
    (void)documents;
    misuse(err, "--serve %.200s: this program was built without libmicrohttpd: install its development files "
           "(libmicrohttpd-dev) and run make again", address);
    return NULL;
}

void http_close(struct http_server *server) { (void)server; }

const char *http_url(const struct http_server *server)
{
    (void)server;
    return "";
}

const char *http_nonce(const struct http_server *server) { return http_url(server); }

void http_publish(struct http_server *server, int document, const void *content, size_t size)
{
    (void)server, (void)document, (void)content, (void)size;
}

bool http_has_client(struct http_server *server, double seconds)
{
    (void)server, (void)seconds;
    return false;
}

#else

#include "base/clock.h"
#include "base/memory.h"
#include "serve/access.h"
#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CONNECTIONS = 64, IDLE_SECONDS = 10, CONNECTION_BYTES = 16384, LOWEST_PRIORITY = 19 };

struct slot {
    _Atomic(struct MHD_Response *) mailbox;     /* published and not yet taken; or NULL */
    struct MHD_Response *current;               /* of the server's thread; NULL: nothing was published */
};

struct http_server {
    struct access access;
    const struct http_document *documents;
    struct slot slots[HTTP_DOCUMENTS];
    struct MHD_Daemon *daemon;
    char nonce[TOKEN_SIZE + 1], policy[400];    /* policy: the header Content-Security-Policy */
    _Atomic double asked;                       /* time of the last request for a document */
};

/* ---- responses ---- */

static struct MHD_Response *make_response(const struct http_server *s, const char *type, const void *content,
                                          size_t size)
{
    const struct { const char *name, *value; } headers[] = {
        { "Content-Type", type }, { "Content-Security-Policy", s->policy }, { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" }, { "Referrer-Policy", "no-referrer" }, { "Cache-Control", "no-store" },
        { "Cross-Origin-Resource-Policy", "same-origin" }, { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Connection", "close" } };
    /* The library takes a pointer to bytes that it copies. */
    struct MHD_Response *r = MHD_create_response_from_buffer(size, (void *)(uintptr_t)content, MHD_RESPMEM_MUST_COPY);
    for (size_t i = 0; r && i < sizeof headers / sizeof *headers; i++)
        if (MHD_add_response_header(r, headers[i].name, headers[i].value) != MHD_YES) {
            MHD_destroy_response(r);
            return NULL;
        }
    return r;
}

static enum MHD_Result refuse(const struct http_server *s, struct MHD_Connection *connection, unsigned status,
                              const char *why)
{
    struct MHD_Response *r = make_response(s, "text/plain; charset=utf-8", why, strlen(why));
    if (!r)
        return MHD_NO;
    enum MHD_Result result = MHD_YES;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        result = MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = result && MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return result;
}

/* ---- the thread of the server ---- */

/* Linux has a priority per thread; 0 is the calling one. */
static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)context, (void)connection, (void)socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
}

/* The newest content of a document, or NULL. */
static struct MHD_Response *newest(struct slot *slot)
{
    struct MHD_Response *fresh = atomic_exchange(&slot->mailbox, NULL);
    if (fresh && slot->current)
        MHD_destroy_response(slot->current);    /* a connection that sends it keeps it */
    if (fresh)
        slot->current = fresh;
    return slot->current;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct http_server *s = context;
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    const char *token = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token");
    (void)version, (void)upload, (void)upload_size, (void)state;
    if (!access_allows(&s->access, host, token))
        return refuse(s, connection, MHD_HTTP_FORBIDDEN, *s->access.token
                      ? "Forbidden: use the address with the token that the training has printed.\n"
                      : "Forbidden: this server answers to localhost and 127.0.0.1 only.\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(s, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are allowed.\n");
    int i = 0;
    while (s->documents[i].path && strcmp(s->documents[i].path, path) != 0)
        i++;
    struct MHD_Response *document = s->documents[i].path ? newest(&s->slots[i]) : NULL;
    if (!document)
        return refuse(s, connection, MHD_HTTP_NOT_FOUND, "Not found.\n");
    atomic_store(&s->asked, clock_seconds());
    return MHD_queue_response(connection, MHD_HTTP_OK, document);
}

/* ---- opening, publishing, closing ---- */

static bool start(struct http_server *s, struct error *err)
{
    snprintf(s->policy, sizeof s->policy, "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; "
             "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
             "require-trusted-types-for 'script'", s->nonce, s->nonce);
    s->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer, s,
                                 MHD_OPTION_LISTEN_SOCKET, s->access.socket,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
    if (s->daemon)
        return true;
    close(s->access.socket);
    return fail(err, "--serve: the server cannot be started: %s", errno_text(errno));
}

struct http_server *http_open(const char *address, const struct http_document *documents, struct error *err)
{
    struct http_server *s = new_array(1, sizeof *s, err);
    if (s) {
        s->documents = documents;
        if (access_open(&s->access, address, err) && draw_token(s->nonce, err) && start(s, err))
            return s;
    }
    free(s);
    return NULL;
}

void http_close(struct http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);                 /* closes the socket, too */
    for (int i = 0; i < HTTP_DOCUMENTS; i++) {
        newest(&s->slots[i]);
        if (s->slots[i].current)
            MHD_destroy_response(s->slots[i].current);
    }
    free(s);
}

const char *http_url(const struct http_server *s) { return s->access.url; }
const char *http_nonce(const struct http_server *s) { return s->nonce; }

void http_publish(struct http_server *s, int document, const void *content, size_t size)
{
    struct MHD_Response *fresh = make_response(s, s->documents[document].type, content, size);
    if (!fresh)
        return;
    fresh = atomic_exchange(&s->slots[document].mailbox, fresh);
    if (fresh)
        MHD_destroy_response(fresh);
}

bool http_has_client(struct http_server *s, double seconds)
{
    const double asked = atomic_load(&s->asked);
    return asked > 0 && clock_seconds() - asked < seconds;
}
#endif
