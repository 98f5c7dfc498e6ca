/* serve/watch.h -- the page of a running training, for `train --serve`.  It observes the run: each change becomes new
 * documents of a server (serve/http.h), at most one version per second.  docs/cli.md describes them. */
#ifndef SERVE_WATCH_H
#define SERVE_WATCH_H
#include "train/observer.h"

struct watch;

/* Opens the server at [HOST:]PORT.  The configuration is borrowed.  NULL on failure, as http_open. */
struct watch *watch_open(const char *address, const struct config *, struct error *);
const char *watch_url(const struct watch *);
const struct run_observer *watch_observer(const struct watch *);        /* valid until watch_close */

/* After the run: shows that it has ended.  If the page is open, waits some seconds so that it gets the last state. */
void watch_end(struct watch *);
void watch_close(struct watch *);                                       /* may be NULL */
#endif
