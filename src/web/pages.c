/* pages.c - which page a path is, and what it shows. */
#include "web/role.h"

#include "base/embedded.h"

#include <stdio.h>

extern const struct embedded web_static[];
extern const size_t web_static_count;

#define REPORTS_READ 500u
#define HITS_SHOWN   50u
#define ASIDES_SHOWN 100u

/* ---- the frame ---- */

const struct web_patience *web_patience_find(const struct web_patience *patience, size_t count,
                                             struct bytes application) {
    for (size_t i = 0; i < count; i++)
        if (bytes_is(application, patience[i].application))
            return &patience[i];
    return NULL;
}

static void judge(struct web *web, struct feed_view *view, int64_t now) {
    const struct web_patience *own = web_patience_find(
        web->options->patience, web->options->patience_count, view->feed.application);
    struct chart_patience patience = {own ? own->late_s : web->options->late_s,
                                      own ? own->silent_s : web->options->silent_s, own != NULL};
    view->freshness = chart_feed_judge(&view->feed, &web->zone, now, &patience);
    view->missed = chart_feed_missed(&view->feed, &web->zone, now);
}

static void add_counts(const struct web *web, struct feed_view *view) {
    for (size_t i = 0; i < web->state.source_count; i++) {
        const struct source_state *source = &web->state.sources[i];
        if (bytes_is(view->feed.application, source->application) &&
            bytes_is(view->feed.facility, source->facility)) {
            view->repeats = source->repeats;
            view->refused = source->refused;
        }
    }
}

/* What came without a sender's name is no system of the hospital: it is listed under what was set aside. */
static void gather_feeds(struct web *web, struct page *page) {
    struct chart_feed *feeds;
    size_t count;
    struct fault fault = {0};
    if (chart_feeds(web->chart, &web->arena, &feeds, &count, &fault))
        return;
    struct feed_view *views = arena_array(&web->arena, count, sizeof *views);
    for (size_t i = 0; views && i < count; i++) {
        if (bytes_is_empty(feeds[i].application))
            continue;
        struct feed_view *view = &views[page->feed_count++];
        view->feed = feeds[i];
        judge(web, view, page->now);
        add_counts(web, view);
    }
    page->feeds = views;
}

static void gather_problems(struct web *web, struct page *page) {
    struct bytes *problems = arena_array(&web->arena, web->state.problem_count, sizeof *problems);
    for (size_t i = 0; problems && i < web->state.problem_count; i++)
        problems[i] = bytes_from_string(web->state.problems[i]);
    page->problems = problems;
    page->problem_count = problems ? web->state.problem_count : 0;
}

/* Of a path its last part: where the file lies is nobody's business on a ward. */
static const char *file_name(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

void web_page_init(struct web *web, struct page *page, const char *language, const char *theme,
                   const char *path) {
    *page = (struct page){
        .out = &web->out,
        .arena = &web->arena,
        .catalogue = catalogue_find(language),
        .language = language,
        .theme = theme,
        .path = path,
        .zone = &web->zone,
        .shown_at = sys_now_us(web->life.sys),
        .site_name = bytes_from_string(web->options->site_name),
        .node_name = bytes_from_string(web->options->node_name),
        .past_file = file_name(web->options->past_chart),
        .is_demo = web->options->is_demo,
        .durable = web->state.durable,
        .chart = {.newest_received_at = INSTANT_NONE, .known_since = INSTANT_NONE},
    };
    bool is_past = web->as_of.at != INSTANT_NONE;
    page->past = is_past ? &web->as_of : NULL;
    page->now = is_past ? web->as_of.at : page->shown_at;
    page->is_clock_doubtful = !is_past && sys_clock_has_jumped(web->life.sys);
    if (web->state.is_known)
        page->state_age_us = web->life.loop.monotonic_us - web->state.received_at;
    struct fault fault = {0};
    page->has_chart = web->chart && !chart_state(web->chart, &page->chart, &fault);
    if (page->has_chart)
        gather_feeds(web, page);
    page->is_clock_doubtful |= page->chart.newest_received_at != INSTANT_NONE &&
                               page->chart.newest_received_at - page->now > CLOCK_JUMP_US;
    gather_problems(web, page);
}

/* French first; English when the browser asks for it before French. */
static const char *language_of(const struct http_request *request) {
    const char *cookie = http_cookie(request, "lang");
    if (cookie && (!strcmp(cookie, "fr") || !strcmp(cookie, "en")))
        return cookie[0] == 'f' ? "fr" : "en";
    const char *accept = http_header(request, "Accept-Language");
    const char *en = accept ? strstr(accept, "en") : NULL, *fr = accept ? strstr(accept, "fr") : NULL;
    return en && (!fr || en < fr) ? "en" : "fr";
}

static const char *theme_named(const char *name) {
    static const char *const names[] = {"light", "night"};
    for (size_t i = 0; i < 2 && name; i++)
        if (!strcmp(name, names[i]))
            return names[i];
    return "auto";
}

/* ---- pages ---- */

struct visit_to { /* one request to a page */
    struct web *web;
    struct http_request *request;
    struct http_answer *answer;
    struct page page;
    struct fault fault;
};

static void show_error(struct visit_to *v, unsigned status, const char *title, const char *text) {
    text_clear(&v->web->out);
    page_error(&v->page, &(struct error_view){status, title, text});
    v->answer->status = status;
}

static void show_failure(struct visit_to *v, enum err err) {
    if (err == ERR_NOT_FOUND)
        show_error(v, 404, "Not found", "There is nothing of this name or number here.");
    else
        show_error(v, 503, "Not now", "The chart cannot be read at this moment. Try again; tell IT if it lasts.");
}

static void home(struct visit_to *v) {
    struct home_view view = {0};
    enum err err = ERR_OK;
    if (v->page.has_chart)
        err = chart_wards(v->web->chart, &v->web->arena, &view.wards, &view.ward_count, &v->fault);
    if (err)
        show_failure(v, err);
    else
        page_home(&v->page, &view);
}

static bool needs_chart(struct visit_to *v) {
    if (v->page.has_chart)
        return true;
    show_error(v, 503, "Not now", "There is no chart yet: it is being made from the vault.");
    return false;
}

static void ward(struct visit_to *v, const char *code) {
    struct ward_view view = {.code = bytes_from_string(code)};
    if (!needs_chart(v))
        return;
    if (!strcmp(code, "-"))
        view.code = BYTES("");
    enum err err = chart_census(v->web->chart, &v->web->arena, view.code, v->page.now, &view.rows,
                                &view.row_count, &v->fault);
    if (err)
        show_failure(v, err);
    else
        page_ward(&v->page, &view);
}

static enum err gather_results(struct visit_to *v, uint64_t id, struct patient_view *view) {
    struct web *web = v->web;
    struct chart_report *reports = NULL;
    size_t count = 0;
    bool all = http_argument(v->request, "all") != NULL;
    enum err err = chart_results(web->chart, &web->arena, id, INSTANT_NONE, all ? SIZE_MAX : REPORTS_READ,
                                 &reports, &count, &v->fault);
    if (err)
        return err;
    view->gone = series_take_gone(&web->arena, reports, count, &view->gone_count);
    bool is_whole = series_gather(&web->arena, reports, count, all, &view->blocks, &view->block_count);
    view->has_more_results = !is_whole || (!all && count == REPORTS_READ);
    return !view->gone || !view->blocks ? fault_set(&v->fault, ERR_LIMIT, "this patient has more results than a page") : ERR_OK;
}

static enum err gather_patient(struct visit_to *v, uint64_t id, struct patient_view *view) {
    struct web *web = v->web;
    enum err err = chart_patient(web->chart, &web->arena, id, &view->patient, &v->fault);
    if (!err)
        err = chart_stays(web->chart, &web->arena, id, &view->stays, &view->stay_count, &v->fault);
    if (!err)
        err = chart_moves(web->chart, &web->arena, id, &view->moves, &view->move_count, &v->fault);
    if (!err)
        err = chart_diagnoses(web->chart, &web->arena, id, &view->diagnoses, &view->diagnosis_count, &v->fault);
    if (!err)
        err = chart_documents(web->chart, &web->arena, id, &view->documents, &view->document_count, &v->fault);
    if (!err)
        err = care_gather(web->chart, &v->page, id, &view->care, &v->fault);
    return err ? err : gather_results(v, id, view);
}

static void patient(struct visit_to *v, const char *text) {
    struct patient_view view = {0};
    uint64_t id;
    if (!needs_chart(v))
        return;
    if (!bytes_to_u64(bytes_from_string(text), &id)) {
        show_failure(v, ERR_NOT_FOUND);
        return;
    }
    enum err err = gather_patient(v, id, &view);
    if (err) {
        show_failure(v, err);
        return;
    }
    if (view.patient.id != id) { /* merged: the survivor's page, said there */
        struct text location;
        if (!text_init_arena(&location, &v->web->arena, 64)) {
            text_put_format(&location, "/patient/%llu?was=%llu", (unsigned long long)view.patient.id,
                            (unsigned long long)id);
            v->answer->status = 303;
            v->answer->location = location.data;
        }
        return;
    }
    const char *was = http_argument(v->request, "was");
    uint64_t old;
    if (was && bytes_to_u64(bytes_from_string(was), &old) && view.patient.merged_count > 0)
        view.came_from = view.patient.merged[0].number;
    page_patient(&v->page, &view);
}

static void search(struct visit_to *v) {
    const char *query = http_argument(v->request, "q");
    struct search_view view = {.query = bytes_trim(bytes_from_string(query ? query : ""))};
    if (!needs_chart(v))
        return;
    enum err err = chart_search(v->web->chart, &v->web->arena, view.query, HITS_SHOWN, &view.hits,
                                &view.hit_count, &v->fault);
    if (err)
        show_failure(v, err);
    else
        page_search(&v->page, &view);
}

static enum err gather_differences(struct visit_to *v, struct feeds_view *view) {
    struct chart_census_row *rows;
    size_t count;
    struct arena *arena = &v->web->arena;
    if (v->page.chart.census_as_of == INSTANT_NONE)
        return ERR_OK;
    enum err err = chart_census(v->web->chart, arena, BYTES_NONE, v->page.now, &rows, &count, &v->fault);
    if (err)
        return err;
    view->added = arena_array(arena, DIFFERENCES_SHOWN, sizeof *view->added);
    view->unlisted = arena_array(arena, DIFFERENCES_SHOWN, sizeof *view->unlisted);
    if (!view->added || !view->unlisted)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        bool is_unlisted = chart_stay_is_unlisted(&rows[i].stay, v->page.chart.census_as_of);
        if (rows[i].stay.is_from_census && view->added_count++ < DIFFERENCES_SHOWN)
            view->added[view->added_count - 1] = &rows[i];
        if (is_unlisted && view->unlisted_count++ < DIFFERENCES_SHOWN)
            view->unlisted[view->unlisted_count - 1] = &rows[i];
    }
    return ERR_OK;
}

static void feeds(struct visit_to *v) {
    struct feeds_view view = {0};
    enum err err = v->page.has_chart ? gather_differences(v, &view) : ERR_OK;
    if (err)
        show_failure(v, err);
    else
        page_feeds(&v->page, &view);
}

static void aside(struct visit_to *v) {
    const char *text = http_argument(v->request, "from");
    struct aside_view view = {0};
    uint64_t from = UINT64_MAX;
    if (!needs_chart(v))
        return;
    if (text && !bytes_to_u64(bytes_from_string(text), &from))
        from = UINT64_MAX;
    enum err err = chart_asides(v->web->chart, &v->web->arena, from, ASIDES_SHOWN, &view.asides,
                                &view.aside_count, &v->fault);
    if (!err && view.aside_count == ASIDES_SHOWN)
        view.next = view.asides[view.aside_count - 1].entry - 1;
    if (err)
        show_failure(v, err);
    else
        page_aside(&v->page, &view);
}

/* ---- one entry, which open must give ---- */

struct waiting *web_wait(struct web *web, struct http_request *request, const struct page *page,
                         uint64_t index, uint32_t bytes_max) {
    struct role_link *link = &web->life.links[ROLE_OPEN];
    struct waiting *waiting = NULL;
    for (size_t i = 0; i < WAITING_MAX && !waiting; i++)
        if (web->waiting[i].token == 0)
            waiting = &web->waiting[i];
    struct read_request read = {
        .token = http_token(request), .from = index, .count = 1, .bytes_max = bytes_max};
    if (waiting && !waiting->body)
        waiting->body = memory_alloc(1, ENTRY_SHOWN_MAX);
    if (!waiting || !waiting->body || !link->is_open || roles_put_read(&link->ipc, &read))
        return NULL;
    uint8_t *body = waiting->body;
    *waiting = (struct waiting){.token = read.token, .since = web->life.loop.monotonic_us,
                                .index = index, .at = UINT64_MAX, .body = body};
    snprintf(waiting->language, sizeof waiting->language, "%s", page->language);
    snprintf(waiting->theme, sizeof waiting->theme, "%s", page->theme);
    snprintf(waiting->path, sizeof waiting->path, "%s", page->path);
    return waiting;
}

struct bytes waiting_body(const struct waiting *waiting) {
    return bytes_from(waiting->large ? waiting->large : waiting->body, waiting->filled);
}

static enum http_step entry(struct visit_to *v, const char *text) {
    uint64_t index, at = UINT64_MAX;
    const char *mark = http_argument(v->request, "at");
    if (!bytes_to_u64(bytes_from_string(text), &index)) {
        show_failure(v, ERR_NOT_FOUND);
        return HTTP_ANSWERED;
    }
    if (mark && !bytes_to_u64(bytes_from_string(mark), &at))
        at = UINT64_MAX;
    struct waiting *waiting = web_wait(v->web, v->request, &v->page, index, ENTRY_SHOWN_MAX);
    if (!waiting) {
        show_failure(v, ERR_STATE);
        return HTTP_ANSWERED;
    }
    waiting->at = at;
    return HTTP_WAIT;
}

static enum http_step document(struct visit_to *v, const char *rest) {
    bool is_found = true;
    if (!needs_chart(v))
        return HTTP_ANSWERED;
    enum http_step step = web_document(v->web, v->request, &v->page, rest, &is_found, &v->fault);
    if (step == HTTP_ANSWERED)
        show_failure(v, is_found ? ERR_STATE : ERR_NOT_FOUND);
    return step;
}

/* Segments end with CR: shown as lines. What is not UTF-8 is shown by its bytes' Latin letters. */
static size_t put_readable(struct text *text, struct bytes body, size_t i, bool is_utf8) {
    uint8_t c = body.data[i];
    if (c == '\r') {
        text_put_char(text, '\n');
    } else if (c < 0x80 || is_utf8) {
        text_put_char(text, (char)c);
        for (; c >= 0x80 && i + 1 < body.size && (body.data[i + 1] & 0xC0) == 0x80; i++)
            text_put_char(text, (char)body.data[i + 1]);
    } else {
        text_put_char(text, (char)(0xC0 | c >> 6));
        text_put_char(text, (char)(0x80 | (c & 0x3F)));
    }
    return i + 1;
}

/* The character that holds byte `mark_at` is marked. */
static void show_body(struct web *web, struct bytes body, size_t mark_at, struct entry_view *view) {
    struct text text;
    bool is_utf8 = bytes_is_utf8(body, NULL);
    if (text_init_arena(&text, &web->arena, body.size * 2 + 1))
        return;
    for (size_t i = 0; i < body.size;) {
        size_t from = text.size, next = put_readable(&text, body, i, is_utf8);
        if (mark_at > 0 && mark_at >= i && mark_at < next)
            view->marked = bytes_from((uint8_t *)text.data + from, text.size - from);
        i = next;
    }
    view->shown = text_bytes(&text);
}

static void begin_page(struct web *web) {
    arena_clear(&web->arena);
    text_init(&web->out, web->page_buffer, PAGE_BYTES_MAX);
}

void web_finish_entry(struct web *web, struct waiting *waiting, unsigned status) {
    struct page page;
    struct http_answer answer = {.status = status};
    begin_page(web);
    web_page_init(web, &page, waiting->language[0] == 'e' ? "en" : "fr", theme_named(waiting->theme),
                  waiting->path);
    if (waiting->what == WAITING_BINARY) {
        web_finish_binary(web, waiting, status, &answer);
    } else if (waiting->what != WAITING_ENTRY && (status == 200 || status == 413)) {
        web_finish_document(web, waiting, &page, &answer);
    } else if (status == 200) {
        struct bytes body = waiting_body(waiting);
        waiting->view.index = waiting->index;
        show_body(web, body, (size_t)waiting->at, &waiting->view);
        waiting->view.is_cut = waiting->filled < waiting->view.entry.body_bytes;
        page_entry(&page, &waiting->view);
    } else if (status == 404) {
        page_error(&page, &(struct error_view){404, "Not found", page.past ? "No such entry had come by that moment." : "There is nothing of this name or number here."});
    } else {
        page_error(&page, &(struct error_view){503, "Not now", "The vault cannot be read at this moment. Try again; tell IT if it lasts."});
    }
    if (web->out.full) {
        text_clear(&web->out);
        page_error(&page, &(struct error_view){500, "Not now", "This page is too large to be shown whole."});
        answer = (struct http_answer){.status = 500};
    }
    if (!answer.body.data)
        answer.body = text_bytes(&web->out);
    uint64_t token = waiting->token;
    waiting->token = 0;
    http_finish(web->http, token, &answer);
    memory_free(waiting->large);
    waiting->large = NULL;
}

/* ---- what is no page ---- */

static bool static_file(const char *path, struct http_answer *answer) {
    for (size_t i = 0; i < web_static_count; i++) {
        const char *name = web_static[i].name;
        if (strcmp(path, name) != 0)
            continue;
        const char *dot = strrchr(name, '.');
        answer->type = !strcmp(dot, ".css")  ? "text/css; charset=utf-8"
                       : !strcmp(dot, ".js") ? "text/javascript; charset=utf-8"
                       : !strcmp(dot, ".svg") ? "image/svg+xml"
                                              : "application/octet-stream";
        answer->body = web_static[i].content;
        answer->is_static = true;
        return true;
    }
    return false;
}

/* For scripts of the pages and for monitors: has anything new come? */
static void health(struct visit_to *v) {
    struct json json;
    json_init(&json, &v->web->out);
    json_object_begin(&json);
    json_member_bool(&json, "ok", v->page.problem_count == 0 && v->page.has_chart);
    json_member_u64(&json, "applied", v->page.chart.applied);
    json_member_instant(&json, "now", v->page.shown_at);
    json_member_instant(&json, "newest_received_at", v->page.chart.newest_received_at);
    json_member_string(&json, "freshness", v->page.past ? "past" : freshness_class(&v->page, page_freshness(&v->page)));
    if (v->page.past)
        chart_put_as_of(&json, v->page.past);
    json_object_end(&json);
    v->answer->type = "application/json";
    if (v->page.problem_count > 0 || !v->page.has_chart)
        v->answer->status = 503;
}

/* ?lang= and ?theme= are remembered and the page is shown again without them. */
static bool take_choice(struct visit_to *v, const char *name, const char *const *values) {
    const char *wanted = http_argument(v->request, name);
    struct text cookie, location;
    struct arena *arena = &v->web->arena;
    for (; wanted && *values; values++) {
        if (strcmp(wanted, *values) != 0)
            continue;
        size_t path_bytes = strlen(http_path(v->request));
        if (text_init_arena(&cookie, arena, 128) || text_init_arena(&location, arena, path_bytes * 3 + 1))
            return false;
        text_put_format(&cookie, "%s=%s; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict", name, *values);
        struct page page = {.out = &location};
        struct bytes rest = bytes_from_string(http_path(v->request)), part;
        for (bool first = true; bytes_next_part(&rest, '/', &part); first = false) {
            if (!first)
                text_put_char(&location, '/');
            html_put_address_bytes(&page, part);
        }
        v->answer->status = 303;
        v->answer->set_cookie = cookie.data;
        v->answer->location = location.data;
        return true;
    }
    return false;
}

static enum http_step route(struct visit_to *v) {
    static const char *const languages[] = {"fr", "en", NULL};
    static const char *const themes[] = {"light", "night", "auto", NULL};
    const char *path = http_path(v->request);
    if (take_choice(v, "lang", languages) || take_choice(v, "theme", themes))
        return HTTP_ANSWERED;
    if (!strcmp(path, "/"))
        home(v);
    else if (!strncmp(path, "/ward/", 6))
        ward(v, path + 6);
    else if (!strncmp(path, "/patient/", 9) && web_is_document_path(path + 9))
        return document(v, path + 9);
    else if (!strncmp(path, "/patient/", 9))
        patient(v, path + 9);
    else if (!strcmp(path, "/search"))
        search(v);
    else if (!strcmp(path, "/feeds"))
        feeds(v);
    else if (!strcmp(path, "/aside"))
        aside(v);
    else if (!strncmp(path, "/entry/", 7))
        return entry(v, path + 7);
    else if (!strcmp(path, "/help"))
        page_help(&v->page);
    else if (!strcmp(path, "/healthz"))
        health(v);
    else
        show_failure(v, ERR_NOT_FOUND);
    return HTTP_ANSWERED;
}

enum http_step web_answer(void *owner, struct http_request *request, struct http_answer *answer) {
    struct web *web = owner;
    const char *path = http_path(request);
    if (!strncmp(path, "/static/", 8) && static_file(path + 8, answer))
        return HTTP_ANSWERED;
    struct visit_to v = {.web = web, .request = request, .answer = answer};
    begin_page(web);
    if (web->chart && chart_reader_begin(web->chart, &v.fault))
        trace_fault("the chart cannot be read", &v.fault);
    web_page_init(web, &v.page, language_of(request), theme_named(http_cookie(request, "theme")), path);
    enum http_step step = web_is_fhir(path) ? web_fhir(web, request, answer, &v.page) : route(&v);
    if (web->chart)
        chart_reader_end(web->chart);
    if (web->out.full && !web_is_fhir(path))
        show_error(&v, 500, "Not now", "This page is too large to be shown whole.");
    answer->body = text_bytes(&web->out);
    return step;
}
