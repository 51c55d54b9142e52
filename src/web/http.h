/* http.h - HTTP/1.1 for the web role: libmicrohttpd in front of one event loop, without its threads.
 *
 * Shapes     a request is GET or HEAD, or POST or PUT where uploads are taken; an answer is a status, a type and a body. A handler may
 *            wait (HTTP_WAIT) and finish later.
 * Errors     ERR_IO when the daemon cannot start; a bad request is answered here (400, 405, 414, 421) and not handed on.
 * Ownership  views in a request live until its answer; the answer's body is copied once.
 * Limits     HTTP_CONNECTIONS_MAX, 30 s without a byte, a request line and headers of 16 KiB.
 * Process    web.
 */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include "base/base.h"

#define HTTP_CONNECTIONS_MAX 1000u

struct http;
struct http_request; /* opaque to handlers: asked by functions */

struct http_field {
    const char *name, *value;
};
struct http_answer {
    unsigned status;
    const char *type; /* text/html; charset=utf-8 */
    struct bytes body;
    const char *location; /* of a redirection */
    const char *set_cookie;
    bool is_static;        /* may be kept by the browser; everything else is no-store */
    const char *policy;      /* Content-Security-Policy; NULL: that of pages */
    const char *disposition; /* Content-Disposition; NULL: none */
    const struct http_field *fields; /* more headers */
    size_t field_count;
};

enum http_step { HTTP_ANSWERED, HTTP_WAIT };
typedef enum http_step (*http_handler)(void *owner, struct http_request *request,
                                       struct http_answer *answer);

MUST_CHECK enum err http_open(struct http **http, struct loop *loop, int listen_fd,
                              http_handler handler, void *owner, struct fault *fault);
void http_close(struct http *http);
/* Requests with a body. `owner` is the handlers'. */
struct http_uploads {
    /* The headers of a POST or PUT are here. HTTP_ANSWERED: refused, its body is not read. HTTP_WAIT: it is wanted. */
    enum http_step (*begin)(void *owner, struct http_request *request, struct http_answer *answer);
    void (*data)(void *owner, uint64_t token, struct bytes piece);
    enum http_step (*end)(void *owner, struct http_request *request, struct http_answer *answer);
    /* It was answered, or its peer has left: nothing more will be asked of it. */
    void (*gone)(void *owner, uint64_t token);
};
/* Without it they are refused. */
void http_take_uploads(struct http *http, const struct http_uploads *uploads);
/* Once a round: timeouts of connections. */
void http_round(struct http *http);

const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request);
/* Of the query, decoded; NULL when absent. */
const char *http_argument(const struct http_request *request, const char *name);
/* Each argument of the query, decoded, in order, also those of one name. */
typedef void (*http_take_argument)(void *owner, const char *name, const char *value);
void http_each_argument(const struct http_request *request, http_take_argument take, void *owner);
/* NULL when absent. */
const char *http_header(const struct http_request *request, const char *name);
const char *http_cookie(const struct http_request *request, const char *name);

/* A request that waits: answer it now. `token` names it, also when it is gone in the meantime (then nothing happens). */
uint64_t http_token(const struct http_request *request);
void http_finish(struct http *http, uint64_t token, const struct http_answer *answer);

#endif
