/* http.c - libmicrohttpd behind http.h.
 *
 * Invariant
 *   http->waiting is the list of the suspended requests, each once: the pool itself is never searched, for most of it
 *   belongs to nobody.
 *
 *   accept --> handler --HTTP_ANSWERED--> queued
 *                  \--HTTP_WAIT--> suspended --http_finish--> resumed, queued
 */
#include "web/http.h"

#include <microhttpd.h>

#define HEADER_BYTES (16u * 1024u)
#define IDLE_S       30u

struct http_request {
    struct http *http;
    struct MHD_Connection *connection;
    const char *path, *method;
    bool is_upload; /* its body is wanted, or was */
    uint64_t token;
    struct http_request *next_waiting;
    struct MHD_Response *response; /* made by http_finish */
    unsigned status;
};

struct http {
    struct MHD_Daemon *daemon;
    struct loop *loop;
    struct loop_watch watch;
    http_handler handler;
    const struct http_uploads *uploads; /* NULL: none are taken */
    void *owner;
    struct pool requests;
    struct http_request *waiting;
    uint64_t next_token;
};

static const char security_policy[] = "default-src 'none'; style-src 'self'; img-src 'self' data:; "
                                      "script-src 'self'; connect-src 'self'; "
                                      "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/* ---- answers ---- */

static struct MHD_Response *make_response(const struct http_answer *answer) {
    /* The library copies the body and leaves it alone; its type for it is not const. */
    union {
        const void *in;
        void *out;
    } body = {.in = answer->body.data ? (const void *)answer->body.data : ""};
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->body.size, body.out, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    MHD_add_response_header(response, "Content-Type",
                            answer->type ? answer->type : "text/html; charset=utf-8");
    MHD_add_response_header(response, "Content-Security-Policy",
                            answer->policy ? answer->policy : security_policy);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    if (answer->disposition)
        MHD_add_response_header(response, "Content-Disposition", answer->disposition);
    MHD_add_response_header(response, "Cache-Control",
                            answer->is_static ? "public, max-age=3600" : "no-store");
    if (answer->location)
        MHD_add_response_header(response, "Location", answer->location);
    if (answer->set_cookie)
        MHD_add_response_header(response, "Set-Cookie", answer->set_cookie);
    for (size_t i = 0; i < answer->field_count; i++)
        MHD_add_response_header(response, answer->fields[i].name, answer->fields[i].value);
    return response;
}

static enum MHD_Result queue(struct MHD_Connection *connection, struct MHD_Response *response,
                             unsigned status) {
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status,
                              const char *text) {
    struct http_answer answer = {
        .status = status, .type = "text/plain; charset=utf-8", .body = bytes_from_string(text)};
    return queue(connection, make_response(&answer), status);
}

/* ---- requests ---- */

/* A page of another name that resolves to this machine must not read it (DNS rebinding). */
/* 127.x.y.z and not 127.some.name. */
static bool is_loopback_number(struct bytes name) {
    if (!bytes_starts_with(name, BYTES("127.")))
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] != '.' && (name.data[i] < '0' || name.data[i] > '9'))
            return false;
    return true;
}

static bool host_is_ours(const char *host) {
    if (!host)
        return false;
    struct bytes name = bytes_from_string(host);
    if (name.size && name.data[0] == '[') {
        size_t end = bytes_find(name, ']');
        name = end == BYTES_NOT_FOUND ? name : bytes_first(name, end + 1);
    } else {
        size_t end = bytes_find(name, ':');
        name = end == BYTES_NOT_FOUND ? name : bytes_first(name, end);
    }
    return bytes_is(name, "localhost") || bytes_is(name, "[::1]") || is_loopback_number(name);
}

static enum MHD_Result handle(struct http_request *request) {
    struct http *http = request->http;
    struct http_answer answer = {.status = 200};
    http_handler handler = request->is_upload ? http->uploads->end : http->handler;
    if (handler(http->owner, request, &answer) == HTTP_WAIT) {
        request->next_waiting = http->waiting;
        http->waiting = request;
        MHD_suspend_connection(request->connection);
        return MHD_YES;
    }
    return queue(request->connection, make_response(&answer), answer.status);
}

/* A body that nobody wants is not read: the answer goes out at once. */
static enum MHD_Result begin_upload(struct http_request *request) {
    struct http *http = request->http;
    struct http_answer answer = {.status = 200};
    bool has_body = !strcmp(request->method, "POST") || !strcmp(request->method, "PUT");
    if (!http->uploads || !has_body)
        return MHD_YES;
    if (!host_is_ours(MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Host")))
        return refuse(request->connection, 421, "this name is not served here\n");
    request->is_upload = http->uploads->begin(http->owner, request, &answer) == HTTP_WAIT;
    return request->is_upload ? MHD_YES
                              : queue(request->connection, make_response(&answer), answer.status);
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context) {
    struct http *http = owner;
    struct http_request *request = *context;
    (void)version;
    if (!request) { /* the headers are here; a body, if any, follows */
        request = *context = pool_take(&http->requests);
        if (!request)
            return MHD_NO;
        *request = (struct http_request){.http = http,
                                         .connection = connection,
                                         .path = url,
                                         .method = method,
                                         .token = ++http->next_token};
        return begin_upload(request);
    }
    if (*upload_size != 0) {
        if (request->is_upload)
            http->uploads->data(http->owner, request->token, bytes_from(upload, *upload_size));
        *upload_size = 0; /* nothing else here takes a body */
        return MHD_YES;
    }
    if (request->response) {
        struct MHD_Response *response = request->response;
        request->response = NULL;
        return queue(connection, response, request->status);
    }
    if (!request->is_upload && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(connection, 405, "only GET and HEAD\n");
    if (!host_is_ours(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
        return refuse(connection, 421, "this name is not served here\n");
    request->path = url;
    return handle(request);
}

static void on_completed(void *owner, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    struct http *http = owner;
    struct http_request *request = *context;
    (void)connection;
    (void)code;
    if (!request)
        return;
    if (request->response)
        MHD_destroy_response(request->response);
    if (request->is_upload)
        http->uploads->gone(http->owner, request->token);
    pool_give(&http->requests, request);
    *context = NULL;
}

void http_take_uploads(struct http *http, const struct http_uploads *uploads) {
    http->uploads = uploads;
}

const char *http_method(const struct http_request *request) {
    return request->method;
}

const char *http_path(const struct http_request *request) {
    return request->path;
}

const char *http_argument(const struct http_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct arguments {
    http_take_argument take;
    void *owner;
};

static enum MHD_Result on_argument(void *owner, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
    const struct arguments *arguments = owner;
    (void)kind;
    arguments->take(arguments->owner, name, value ? value : "");
    return MHD_YES;
}

void http_each_argument(const struct http_request *request, http_take_argument take, void *owner) {
    struct arguments arguments = {take, owner};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, on_argument, &arguments);
}

const char *http_header(const struct http_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_cookie(const struct http_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, name);
}

uint64_t http_token(const struct http_request *request) {
    return request->token;
}

void http_finish(struct http *http, uint64_t token, const struct http_answer *answer) {
    struct http_request **link = &http->waiting;
    while (*link && (*link)->token != token)
        link = &(*link)->next_waiting;
    struct http_request *request = *link;
    if (!request)
        return;
    *link = request->next_waiting;
    request->response = make_response(answer);
    request->status = answer->status;
    MHD_resume_connection(request->connection);
}

/* ---- the loop ---- */

/* One run takes each connection one step on: from headers to body, from a body to its answer. What could go on at once is not left
 * for the loop's next tick, but others have their turn too. */
#define STEPS_MAX 16

static void run(struct http *http) {
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    for (int i = 0; i < STEPS_MAX && wait_ms == 0; i++) {
        MHD_run(http->daemon);
        if (MHD_get_timeout(http->daemon, &wait_ms) != MHD_YES)
            break;
    }
}

static void on_ready(struct loop_watch *watch, uint32_t ready) {
    struct http *http = watch->owner;
    (void)ready;
    run(http);
}

void http_round(struct http *http) {
    run(http);
}

enum err http_open(struct http **out, struct loop *loop, int listen_fd, http_handler handler,
                   void *owner, struct fault *fault) {
    struct http *http = memory_alloc(1, sizeof *http);
    if (!http || pool_init(&http->requests, HTTP_CONNECTIONS_MAX + 16, sizeof(struct http_request)))
        return fault_set(fault, ERR_MEMORY, "no memory for pages");
    http->loop = loop;
    http->handler = handler;
    http->owner = owner;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_BYTES * 2, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_END);
    if (!http->daemon)
        return fault_set(fault, ERR_IO, "pages cannot be served");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    http->watch = (struct loop_watch){.fd = -1, .on_ready = on_ready, .owner = http};
    *out = http;
    return info ? loop_watch_set(loop, &http->watch, info->epoll_fd, LOOP_READ)
                : fault_set(fault, ERR_IO, "pages cannot be served");
}

void http_close(struct http *http) {
    if (!http)
        return;
    loop_watch_clear(http->loop, &http->watch);
    /* The library refuses to stop over suspended connections. */
    for (struct http_request *request = http->waiting; request; request = request->next_waiting)
        MHD_resume_connection(request->connection);
    http->waiting = NULL;
    MHD_stop_daemon(http->daemon);
    pool_release(&http->requests);
    memory_free(http);
}
