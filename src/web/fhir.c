/* fhir.c - /fhir: who asks, with which token, and what src/fhir answers; over HTTP as the standard has it. */
#include "web/role.h"

#include "fhir/fhir.h"

#include <stdio.h>

#define PARAMETERS_MAX   64u
#define BINARY_BYTES_MAX (2u << 20) /* of an entry; in base64 it still fits a page */
#define ENTRY_HL7        "application/hl7-v2"

bool web_is_fhir(const char *path) {
    return !strcmp(path, "/fhir") || !strncmp(path, "/fhir/", 6);
}

/* ---- the question ---- */

struct parameters {
    struct fhir_parameter list[PARAMETERS_MAX];
    size_t count;
    bool are_too_many;
};

static void take_parameter(void *owner, const char *name, const char *value) {
    struct parameters *parameters = owner;
    if (parameters->count == PARAMETERS_MAX)
        parameters->are_too_many = true;
    else
        parameters->list[parameters->count++] = (struct fhir_parameter){name, value};
}

/* %41 and + of a form, in place; what is no code stays. */
static void decode(char *text) {
    char *to = text;
    for (; *text; text++) {
        uint8_t byte;
        if (*text == '+') {
            *to++ = ' ';
        } else if (*text == '%' && text[1] && hex_decode(bytes_from(text + 1, 2), &byte, 1)) {
            *to++ = (char)byte;
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = 0;
}

/* name=value&name=value; `form` is copied. */
static void take_form(struct parameters *parameters, struct arena *arena, struct bytes form) {
    struct bytes pair;
    while (bytes_next_part(&form, '&', &pair)) {
        size_t at = bytes_find(pair, '=');
        char *name = arena_string(arena, bytes_first(pair, at));
        char *value =
            arena_string(arena, at == BYTES_NOT_FOUND ? BYTES_NONE : bytes_skip(pair, at + 1));
        if (!name || !value || bytes_is_empty(pair))
            continue;
        decode(name);
        decode(value);
        take_parameter(parameters, name, value);
    }
}

struct visit_of_fhir {
    struct web *web;
    struct http_request *request;
    struct http_answer *answer;
    const struct page *page;
    struct fhir_view view;
    struct parameters parameters;
    struct fhir_answer said;
    struct bytes form; /* of a search by POST */
};

static void make_view(struct visit_of_fhir *v) {
    struct web *web = v->web;
    struct text base;
    const char *host = http_header(v->request, "Host");
    v->view = (struct fhir_view){
        .chart = v->page->has_chart ? web->chart : NULL,
        .generation = web->generation,
        .arena = &web->record,
        .keep = &web->arena,
        .base = "",
        .freshness = freshness_class(v->page, page_freshness(v->page)),
        .now = v->page->now,
        .newest_received_at = v->page->has_chart ? v->page->chart.newest_received_at : INSTANT_NONE,
        .zone = &web->zone,
        .site_name = v->page->site_name,
    };
    if (!host || strlen(host) > FHIR_BASE_BYTES - 20 ||
        text_init_arena(&base, &web->arena, FHIR_BASE_BYTES))
        return;
    text_put_string(&base, "http://");
    text_put_string(&base, host);
    text_put_string(&base, "/fhir");
    v->view.base = base.data;
}

/* ---- the answer ---- */

/* A header's worth lives as long as the answer: in the arena. */
static void add_field(struct visit_of_fhir *v, struct http_field *fields, const char *name,
                      const char *value) {
    char *kept = arena_string(&v->web->arena, bytes_from_string(value));
    if (kept)
        fields[v->answer->field_count++] = (struct http_field){name, kept};
}

#define FIELDS_MAX 5u

/* The age of the data goes with every answer: no client may take old data for new. */
static void put_fields(struct visit_of_fhir *v) {
    struct http_field *fields = arena_array(&v->web->arena, FIELDS_MAX, sizeof *fields);
    char moment[40], age[24];
    struct text text;
    if (!fields)
        return;
    v->answer->fields = fields;
    if (v->view.newest_received_at != INSTANT_NONE) {
        text_init(&text, moment, sizeof moment);
        time_put_iso_utc(&text, v->view.newest_received_at);
        add_field(v, fields, "Veilleuse-Data-As-Of", moment);
        snprintf(age, sizeof age, "%lld",
                 (long long)((v->view.now - v->view.newest_received_at) / US_PER_S));
        add_field(v, fields, "Veilleuse-Data-Age-Seconds", age);
    }
    add_field(v, fields, "Veilleuse-Freshness", v->view.freshness);
    if (*v->said.etag)
        add_field(v, fields, "ETag", v->said.etag);
    if (v->said.status == 401)
        add_field(v, fields, "WWW-Authenticate", "Bearer realm=\"veilleuse\"");
}

static void make_pretty(struct web *web) {
    struct text pretty;
    size_t room = web->out.size * 4 + 64;
    if (text_init_arena(&pretty, &web->arena, room < PAGE_BYTES_MAX ? room : PAGE_BYTES_MAX))
        return;
    fhir_put_pretty(&pretty, text_bytes(&web->out));
    if (!pretty.full) { /* else it stays as it is: right, and on one line */
        text_clear(&web->out);
        text_put(&web->out, text_bytes(&pretty));
    }
}

static void finish(struct visit_of_fhir *v) {
    v->answer->status = v->said.status;
    v->answer->type = FHIR_MEDIA_TYPE;
    if (v->said.is_pretty)
        make_pretty(v->web);
    put_fields(v);
    v->answer->body = text_bytes(&v->web->out);
}

static void refuse(struct visit_of_fhir *v, unsigned status, const char *code, const char *what) {
    text_clear(&v->web->out);
    fhir_put_outcome(&v->web->out, "error", code, what);
    v->said.status = status;
}

/* ---- who asks ---- */

/* Before the first token is made, whoever is on this machine may read, as with pages. From then on every question needs
 * one, but what is offered (metadata) is nobody's secret. false: refused. */
static bool may_come_in(struct visit_of_fhir *v, const char *path, const struct fhir_tokens *tokens,
                        const struct fhir_token **token) {
    *token = NULL;
    if (!tokens->are_asked_for || !strcmp(path, "metadata"))
        return true;
    *token = fhir_token_find(tokens, http_header(v->request, "Authorization"), v->page->shown_at);
    if (!*token)
        refuse(v, 401, "login", "this needs a token: Authorization: Bearer ...");
    return *token != NULL;
}

/* ---- a Binary ---- */

static enum http_step fetch_entry(struct visit_of_fhir *v) {
    struct waiting *waiting =
        web_wait(v->web, v->request, v->page, v->said.entry, BINARY_BYTES_MAX);
    if (!waiting) {
        refuse(v, 503, "transient", "the vault cannot be read at this moment");
        return HTTP_ANSWERED;
    }
    waiting->what = WAITING_BINARY;
    waiting->is_pretty = v->said.is_pretty;
    return HTTP_WAIT;
}

void web_finish_binary(struct web *web, struct waiting *waiting, unsigned status,
                       struct http_answer *answer) {
    struct bytes body = waiting_body(waiting), type = waiting->view.entry.media_type;
    answer->type = FHIR_MEDIA_TYPE;
    answer->status = status;
    if (status == 413 || (status == 200 && waiting->filled < waiting->view.entry.body_bytes)) {
        answer->status = 413;
        fhir_put_outcome(&web->out, "error", "too-costly",
                         "this entry is larger than a Binary here may be");
    } else if (status == 200) {
        fhir_put_binary(&web->out, waiting->index, bytes_is_empty(type) ? BYTES(ENTRY_HL7) : type,
                        body);
    } else {
        fhir_put_outcome(&web->out, "error", status == 404 ? "not-found" : "transient",
                         status == 404 ? "there is no such entry"
                                       : "the vault cannot be read at this moment");
    }
    if (waiting->is_pretty)
        make_pretty(web);
    answer->body = text_bytes(&web->out);
}

/* ---- all together ---- */

static void ask(struct visit_of_fhir *v, const char *path) {
    struct fault fault = {0};
    struct fhir_tokens *tokens = arena_alloc(&v->web->arena, sizeof *tokens);
    const char *prefer = http_header(v->request, "Prefer");
    const struct fhir_token *token;
    if (!tokens || fhir_tokens_load(tokens, v->web->life.sys, v->web->options->site_dir, &fault)) {
        trace_fault("the tokens cannot be read", &fault);
        refuse(v, 503, "security", "the tokens cannot be read: nobody is let in");
        return;
    }
    http_each_argument(v->request, take_parameter, &v->parameters);
    take_form(&v->parameters, &v->web->arena, v->form);
    if (v->parameters.are_too_many) {
        refuse(v, 400, "too-costly", "too many parameters");
        return;
    }
    if (!may_come_in(v, path, tokens, &token))
        return;
    const struct fhir_request request = {
        .path = path,
        .parameters = v->parameters.list,
        .parameter_count = v->parameters.count,
        .accept = http_header(v->request, "Accept"),
        .is_strict = prefer && strstr(prefer, "handling=strict"),
        .token = token,
        .if_none_match = http_header(v->request, "If-None-Match"),
    };
    fhir_answer(&v->view, &request, &v->web->out, &v->said);
}

enum http_step web_fhir_search(struct web *web, struct http_request *request, struct bytes form,
                               struct http_answer *answer) {
    struct page page;
    struct fault fault = {0};
    arena_clear(&web->arena);
    text_init(&web->out, web->page_buffer, PAGE_BYTES_MAX);
    if (web->chart && chart_reader_begin(web->chart, &fault))
        trace_fault("the chart cannot be read", &fault);
    web_page_init(web, &page, "en", "auto", http_path(request));
    struct visit_of_fhir v = {
        .web = web, .request = request, .answer = answer, .page = &page, .form = form};
    make_view(&v);
    if (page.past)
        refuse(&v, 404, "not-supported", "a viewer of the past shows pages alone");
    else
        ask(&v, http_path(request) + 6);
    finish(&v);
    if (web->chart)
        chart_reader_end(web->chart);
    return HTTP_ANSWERED;
}

enum http_step web_fhir(struct web *web, struct http_request *request, struct http_answer *answer,
                        const struct page *page) {
    struct visit_of_fhir v = {.web = web, .request = request, .answer = answer, .page = page};
    const char *path = http_path(request) + 5;
    make_view(&v);
    if (page->past) /* it reaches no file of the site, and so no token */
        refuse(&v, 404, "not-supported", "a viewer of the past shows pages alone");
    else
        ask(&v, *path == '/' ? path + 1 : path);
    if (v.said.wants_entry && fetch_entry(&v) == HTTP_WAIT)
        return HTTP_WAIT;
    finish(&v);
    return HTTP_ANSWERED;
}
