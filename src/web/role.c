/* role.c - the web role: pages from the chart, single entries from open; it writes nothing and holds no key. */
#include "web/role.h"

#define WAIT_US (5 * US_PER_S)

/* Its chart is the one it was given, open from the start on. */
static bool is_viewer(const struct web *web) {
    return web->options->past_chart != NULL;
}

static void open_chart(struct web *web) {
    char path[1024];
    uint64_t generation;
    struct fault fault = {0};
    struct chart_reader *reader = NULL;
    enum err err = chart_current_path(web->life.sys, web->options->site_dir, path, sizeof path,
                                      &generation, &fault);
    if (!err)
        err = chart_reader_open(&reader, path, &fault);
    if (err) {
        if (err != ERR_NOT_FOUND)
            trace_fault("the chart cannot be read", &fault);
        return;
    }
    chart_reader_close(web->chart);
    web->chart = reader;
    web->generation = generation;
}

static void web_chart(struct role_life *life, uint64_t generation) {
    struct web *web = life->owner;
    (void)generation;
    if (!is_viewer(web))
        open_chart(web);
}

static void web_state(struct role_life *life, struct bytes json) {
    struct web *web = life->owner;
    node_state_read(&web->state, json, life->loop.monotonic_us);
}

static void web_listen(struct role_life *life, unsigned index, int fd) {
    struct web *web = life->owner;
    struct fault fault = {0};
    (void)index;
    if (web->http || http_open(&web->http, &life->loop, fd, web_answer, web, &fault)) {
        trace_fault("pages cannot be served", &fault);
        life->loop.is_stopping = true;
    } else if (!is_viewer(web)) {
        http_take_uploads(web->http, &web_fhir_uploads);
    }
}

/* ---- entries ---- */

static struct waiting *find_waiting(struct web *web, uint64_t token) {
    for (size_t i = 0; i < WAITING_MAX; i++)
        if (web->waiting[i].token == token && token != 0)
            return &web->waiting[i];
    return NULL;
}

static void copy_text(char *to, size_t size, struct bytes from) {
    from = bytes_first(from, size - 1);
    if (from.size)
        memcpy(to, from.data, from.size);
    to[from.size] = 0;
}

static void take_body(struct web *web, struct waiting *waiting, struct bytes piece) {
    uint8_t *to = waiting->large ? waiting->large : waiting->body;
    size_t room = waiting->large ? (size_t)waiting->wanted : ENTRY_SHOWN_MAX;
    piece = bytes_first(piece, room - waiting->filled);
    if (piece.size)
        memcpy(to + waiting->filled, piece.data, piece.size);
    waiting->filled += piece.size;
    waiting->since = web->life.loop.monotonic_us; /* as long as it comes it is waited for */
    if (waiting->filled >= waiting->wanted)
        web_finish_entry(web, waiting, 200);
}

/* Room for a document; false: it is answered already. */
static bool make_room(struct web *web, struct waiting *waiting) {
    size_t held = 0;
    if (waiting->wanted <= ENTRY_SHOWN_MAX)
        return true;
    if (waiting->view.entry.body_bytes > DOCUMENT_BYTES_MAX) {
        web_finish_entry(web, waiting, 413);
        return false;
    }
    for (size_t i = 0; i < WAITING_MAX; i++)
        held += web->waiting[i].large ? (size_t)web->waiting[i].wanted : 0;
    if (held + waiting->wanted <= DOCUMENTS_BYTES_MAX)
        waiting->large = memory_alloc(1, (size_t)waiting->wanted);
    if (!waiting->large)
        web_finish_entry(web, waiting, 503);
    return waiting->large != NULL;
}

/* Nothing that came later is shown as of the moment. An entry that was stated again stands later than it was received. */
static bool came_later(const struct web *web, uint64_t index, const struct vault_entry *entry) {
    const struct chart_as_of *as_of = &web->as_of;
    if (as_of->at == INSTANT_NONE)
        return false;
    return (as_of->until != INSTANT_NONE && entry->received_at > as_of->until) ||
           (as_of->until_entry != CHART_NO_ENTRY && index > as_of->until_entry &&
            entry->received_at > as_of->at);
}

static enum err take_entry(struct web *web, const struct ipc_frame *frame) {
    struct entry_message message;
    enum err err = roles_get_entry(frame, &message);
    if (err)
        return err;
    struct waiting *waiting = find_waiting(web, message.token);
    if (!waiting)
        return ERR_OK; /* it has given up */
    if (came_later(web, waiting->index, &message.entry)) {
        web_finish_entry(web, waiting, 404);
        return ERR_OK;
    }
    copy_text(waiting->source, sizeof waiting->source, message.entry.source);
    copy_text(waiting->media_type, sizeof waiting->media_type, message.entry.media_type);
    waiting->view.entry = message.entry;
    waiting->view.entry.source = bytes_from_string(waiting->source);
    waiting->view.entry.media_type = bytes_from_string(waiting->media_type);
    waiting->wanted = message.given_bytes;
    if (make_room(web, waiting))
        take_body(web, waiting, message.entry.body);
    return ERR_OK;
}

static enum err web_frame(struct role_life *life, struct role_link *link, const struct ipc_frame *frame) {
    struct web *web = life->owner;
    uint64_t token;
    struct bytes data;
    bool full, suspect;
    enum err err;
    struct waiting *waiting;
    switch (frame->type) {
    case MESSAGE_ENTRY:
        return link->peer == ROLE_OPEN ? take_entry(web, frame) : ERR_INPUT;
    case MESSAGE_ENTRY_DATA:
        err = roles_get_blob(frame, &token, &data);
        waiting = err ? NULL : find_waiting(web, token);
        if (waiting)
            take_body(web, waiting, data);
        return err;
    case MESSAGE_NO_ENTRY:
        err = roles_get_number(frame, &token);
        waiting = err ? NULL : find_waiting(web, token);
        if (waiting)
            web_finish_entry(web, waiting, 404);
        return err;
    case MESSAGE_APPENDED:
        return link->peer == ROLE_COMMIT ? web_uploads_appended(web, frame) : ERR_INPUT;
    case MESSAGE_VAULT_STATE:
        return roles_get_vault_state(frame, &full, &suspect); /* told by the supervisor too */
    default:
        return ERR_INPUT;
    }
}

static void web_link_lost(struct role_life *life, struct role_link *link) {
    if (link->peer == ROLE_COMMIT)
        web_uploads_link_lost(life->owner);
}

static void web_round(struct role_life *life) {
    struct web *web = life->owner;
    for (size_t i = 0; i < WAITING_MAX; i++)
        if (web->waiting[i].token && life->loop.monotonic_us - web->waiting[i].since > WAIT_US)
            web_finish_entry(web, &web->waiting[i], 503);
    if (!web->chart && !is_viewer(web))
        open_chart(web);
    if (web->http)
        http_round(web->http);
    web_uploads_round(web);
}

static void release(struct web *web) {
    http_close(web->http);
    web_uploads_release(web);
    chart_reader_close(web->chart);
    for (size_t i = 0; i < WAITING_MAX; i++) {
        memory_free(web->waiting[i].body);
        memory_free(web->waiting[i].large);
    }
    arena_release(&web->arena);
    arena_release(&web->record);
    memory_free(web->page_buffer);
    role_life_release(&web->life);
}

static enum err open_past(struct web *web, struct fault *fault) {
    enum err err = chart_reader_open(&web->chart, web->options->past_chart, fault);
    if (err)
        return err;
    web->as_of = *chart_as_of(web->chart);
    return web->as_of.at == INSTANT_NONE
               ? fault_set(fault, ERR_STATE, "this chart is not of the past")
               : ERR_OK;
}

int web_role_main(const struct web_options *options) {
    struct web *web = memory_alloc(1, sizeof *web);
    struct fault fault = {0};
    enum err err = web ? ERR_OK : ERR_MEMORY;
    if (!err)
        web->page_buffer = memory_alloc(1, PAGE_BYTES_MAX);
    if (!err && !web->page_buffer)
        err = ERR_MEMORY;
    if (!err) {
        web->options = options;
        web->as_of.at = INSTANT_NONE;
        if (is_viewer(web))
            err = open_past(web, &fault);
    }
    if (!err)
        err = role_life_init(&web->life, ROLE_WEB, options->sys,
                             is_viewer(web) ? NULL : options->site_dir, &fault);
    if (!err)
        err = zone_init(&web->zone, options->zone, &fault);
    if (err) {
        trace_fault("pages cannot be served", &fault);
        return err_exit_code(err);
    }
    arena_init(&web->arena, ARENA_BYTES_MAX);
    arena_init(&web->record, ARENA_BYTES_MAX);
    web->life.owner = web;
    web->life.on_frame = web_frame;
    web->life.on_listen = web_listen;
    web->life.on_state = web_state;
    web->life.on_chart = web_chart;
    web->life.on_round = web_round;
    web->life.on_link_lost = web_link_lost;
    if (!is_viewer(web))
        open_chart(web);
    int code = role_life_run(&web->life);
    release(web);
    memory_free(web);
    return code;
}
