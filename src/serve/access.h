/* serve/access.h -- where a server listens, and which requests it answers.
 *
 * [HOST:]PORT without HOST listens on 127.0.0.1 and answers requests whose Host header names this machine: a web site
 * whose name resolves to 127.0.0.1 (DNS rebinding) gets nothing.  With HOST, every request needs a random token. */
#ifndef SERVE_ACCESS_H
#define SERVE_ACCESS_H
#include "base/error.h"

/* 128 random bits as hexadecimal digits, of the kernel's generator. */
enum { TOKEN_SIZE = 32 };
bool draw_token(char token[TOKEN_SIZE + 1], struct error *);

struct access {
    int socket;                                 /* listening, non-blocking; the caller closes it */
    char token[TOKEN_SIZE + 1];                 /* "": none is needed */
    char url[400];                              /* of the page, with the token */
};

/* Port 0 is a free port, which the url names.  HOST is a name, an IPv4 address or an IPv6 address in brackets.  Exit 2
 * if the address is none, exit 1 if it cannot be listened on; errors name it. */
bool access_open(struct access *, const char *address, struct error *);

/* host: the Host header; token: the parameter of the url; NULL: the request has none.  The time of the comparison does
 * not depend on the token. */
bool access_allows(const struct access *, const char *host, const char *token);
#endif
