/* serve/http.h -- a read-only HTTP server for a fixed list of documents, by libmicrohttpd.
 *
 * One thread of low priority answers GET and HEAD.  The thread that publishes never waits for it: each document has a
 * mailbox, an atomic pointer.  Publishing exchanges its content, and so does the server when it is asked for the
 * document.  The connections, their memory and their idle time are bounded; each answers one request. */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H
#include "base/error.h"
#include <stddef.h>

enum { HTTP_DOCUMENTS = 16 };
struct http_document { const char *path, *type; };      /* "/status", "application/json"; a list ends with {0} */

struct http_server;

/* Listens on [HOST:]PORT and answers the requests that access.h allows.  The list, of at most HTTP_DOCUMENTS, is
 * borrowed.  NULL on failure; exit 2 if this program was built without libmicrohttpd. */
struct http_server *http_open(const char *address, const struct http_document *, struct error *);
void http_close(struct http_server *);                  /* may be NULL */

const char *http_url(const struct http_server *);       /* of the first document */
const char *http_nonce(const struct http_server *);     /* lets an inline script or style of a document run */

/* Replaces the content of a document by a copy.  If memory is short, the document remains as it is. */
void http_publish(struct http_server *, int document, const void *content, size_t size);

/* A client has asked for a document within the last `seconds`. */
bool http_has_client(struct http_server *, double seconds);
#endif
