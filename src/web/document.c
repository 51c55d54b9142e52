/* document.c - a document as a ward sees it: what its message says of it, and each file in it that a page may show.
 *
 * Invariants
 *   1. An entry is shown under a patient only when that patient's chart came from it: the path alone proves nothing.
 *   2. A file goes to the browser under a type that its bytes bear out, or as bytes to be kept; never under another.
 *   3. What it may do there is nothing: each file has a policy of its own, and none may run a script or load anything.
 */
#include "web/role.h"

#include <stdio.h>
#include <stdlib.h>

static const char file_policy[] = "default-src 'none'; frame-ancestors 'self'; base-uri 'none'; "
                                  "form-action 'none'; sandbox";
static const char page_policy[] =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri "
    "'none'";

/* ---- the path ---- */

struct document_path { /* <patient>/document/<entry>[/file/<n>[/body]] */
    uint64_t patient, entry;
    bool is_file, is_inner;
    uint64_t file;
};

static bool next_is(struct bytes *rest, const char *wanted) {
    struct bytes part;
    return bytes_next_part(rest, '/', &part) && bytes_is(part, wanted);
}

static bool next_number(struct bytes *rest, uint64_t *number) {
    struct bytes part;
    return bytes_next_part(rest, '/', &part) && bytes_to_u64(part, number);
}

static bool read_path(struct bytes rest, struct document_path *path) {
    *path = (struct document_path){0};
    if (!next_number(&rest, &path->patient) || !next_is(&rest, "document") ||
        !next_number(&rest, &path->entry))
        return false;
    if (!rest.data)
        return true;
    path->is_file = true;
    if (!next_is(&rest, "file") || !next_number(&rest, &path->file) ||
        path->file >= FACTS_CONTENTS_MAX)
        return false;
    path->is_inner = rest.data != NULL;
    return !rest.data || (next_is(&rest, "body") && !rest.data);
}

bool web_is_document_path(const char *rest) {
    struct bytes path = bytes_from_string(rest);
    uint64_t patient;
    return next_number(&path, &patient) && next_is(&path, "document");
}

/* ---- whose it is ---- */

/* What was set aside stands under no patient, and is looked at as such: /patient/0/document/<entry>. */
#define NOBODY 0u

static bool is_of_report(const struct chart_report *report, uint64_t entry) {
    bool found = report->source.entry == entry;
    for (size_t i = 0; i < report->result_count; i++) {
        const struct chart_result *result = &report->results[i];
        found |= result->source.entry == entry;
        for (size_t k = 0; k < result->before_count; k++)
            found |= result->before[k].source.entry == entry;
    }
    return found;
}

/* ERR_NOT_FOUND: this patient's chart has nothing of that entry. */
static enum err find(struct web *web, struct document_view *view, uint64_t patient,
                     struct fault *fault) {
    struct chart_document *documents;
    struct chart_report *reports;
    size_t count;
    if (patient == NOBODY)
        return ERR_OK;
    enum err err = chart_patient(web->chart, &web->arena, patient, &view->patient, fault);
    if (!err && view->patient.id != patient)
        return ERR_NOT_FOUND; /* merged: the links of the survivor's page lead here under its own number */
    if (!err)
        err = chart_documents(web->chart, &web->arena, patient, &documents, &count, fault);
    if (err)
        return err;
    view->all = documents;
    view->all_count = count;
    for (size_t i = 0; i < count; i++)
        if (documents[i].source.entry == view->index)
            view->document = &documents[i];
    if (view->document)
        return ERR_OK;
    err = chart_results(web->chart, &web->arena, patient, INSTANT_NONE, SIZE_MAX, &reports, &count,
                        fault);
    for (size_t i = 0; i < count && !err; i++)
        if (is_of_report(&reports[i], view->index))
            view->report = &reports[i];
    return err ? err : view->report ? ERR_OK : ERR_NOT_FOUND;
}

enum http_step web_document(struct web *web, struct http_request *request, struct page *page,
                            const char *rest, bool *is_found, struct fault *fault) {
    struct document_path path;
    struct document_view view = {0};
    *is_found = false;
    if (!read_path(bytes_from_string(rest), &path))
        return HTTP_ANSWERED;
    view.index = path.entry;
    enum err err = find(web, &view, path.patient, fault);
    *is_found = err != ERR_NOT_FOUND;
    if (err)
        return HTTP_ANSWERED;
    struct waiting *waiting =
        web_wait(web, request, page, path.entry, (uint32_t)DOCUMENT_BYTES_MAX);
    if (!waiting)
        return HTTP_ANSWERED;
    waiting->what = path.is_file ? WAITING_FILE : WAITING_DOCUMENT;
    waiting->patient = path.patient;
    waiting->file = (unsigned)path.file;
    waiting->is_inner = path.is_inner;
    waiting->is_raw = http_argument(request, "raw") != NULL;
    return HTTP_WAIT;
}

/* ---- its files ---- */

static enum err read_message(struct web *web, struct document_view *view, struct bytes body,
                             struct facts_content **contents, size_t *count, struct fault *fault) {
    struct facts_context context = {.received_at = view->entry.received_at,
                                    .zone = &web->zone,
                                    .otherwise = web->options->otherwise};
    struct facts facts;
    enum err err = facts_contents(body, &context, &web->arena, contents, count, fault);
    if (!err && view->document)
        err = facts_from_hl7(body, &context, &web->arena, &facts);
    for (size_t i = 0; !err && view->document && i < facts.count; i++)
        if (facts.list[i].kind == FACT_DOCUMENT)
            view->text = facts.list[i].document.text;
    return err;
}

/* `only`: this one alone is decoded; UINT_MAX: all. */
static enum err read_files(struct web *web, struct document_view *view, struct bytes body,
                           unsigned only, struct fault *fault) {
    struct facts_content *contents = NULL;
    struct shown_file *files;
    size_t count = 1;
    bool is_hl7 = bytes_is(view->entry.media_type, "application/hl7-v2");
    enum err err = ERR_OK;
    if (is_hl7)
        err = read_message(web, view, body, &contents, &count, fault);
    files = err ? NULL : arena_array(&web->arena, count, sizeof *files);
    if (!err && count && !files)
        err = ERR_LIMIT;
    for (size_t i = 0; i < count && !err; i++) {
        if (only != UINT32_MAX && only != i)
            continue;
        err = is_hl7 ? shown_read(&contents[i], &web->arena, &files[i])
                     : shown_read_bytes(view->entry.media_type, body, &web->arena, &files[i]);
    }
    view->files = files;
    view->file_count = err ? 0 : count;
    return err;
}

/* ---- answers ---- */

static void answer_error(struct page *page, struct http_answer *answer, unsigned status,
                         const char *title, const char *text) {
    text_clear(page->out);
    page_error(page, &(struct error_view){status, title, text});
    answer->status = status;
}

/* A name that no header or file system can be led astray by. */
static const char *disposition_of(struct web *web, const struct waiting *waiting,
                                  enum shown_kind kind) {
    struct text text;
    if (text_init_arena(&text, &web->arena, 128))
        return "attachment";
    text_put_format(&text, "attachment; filename=\"document-%llu-%u%s\"",
                    (unsigned long long)waiting->index, waiting->file + 1, shown_suffix(kind));
    return text.data;
}

static void answer_file(struct web *web, const struct waiting *waiting,
                        const struct document_view *view, struct page *page,
                        struct http_answer *answer) {
    const struct shown_file *file =
        waiting->file < view->file_count ? &view->files[waiting->file] : NULL;
    if (!file || (waiting->is_inner && !file->cda.has_body)) {
        answer_error(page, answer, 404, "Not found",
                     "There is nothing of this name or number here.");
        return;
    }
    enum shown_kind kind = waiting->is_inner ? file->body_kind : file->kind;
    const char *media_type = waiting->is_raw ? NULL : shown_media_type(kind);
    answer->status = 200;
    answer->body = waiting->is_inner ? file->body : file->bytes;
    if (!answer->body.data)
        answer->body = BYTES("");
    answer->policy = file_policy;
    answer->type = media_type ? media_type : "application/octet-stream";
    if (!media_type)
        answer->disposition = disposition_of(web, waiting, kind);
}

static void finish(struct web *web, struct waiting *waiting, struct page *page,
                   struct http_answer *answer) {
    struct document_view view = {.index = waiting->index, .entry = waiting->view.entry};
    struct fault fault = {0};
    bool is_file = waiting->what == WAITING_FILE;
    enum err err = web->chart ? find(web, &view, waiting->patient, &fault) : ERR_STATE;
    if (err == ERR_NOT_FOUND) { /* merged or restated meanwhile */
        answer_error(page, answer, 404, "Not found",
                     "There is nothing of this name or number here.");
        return;
    }
    if (err) {
        answer_error(page, answer, 503, "Not now",
                     "The chart cannot be read at this moment. Try again; tell IT if it lasts.");
        return;
    }
    view.is_cut = waiting->filled < view.entry.body_bytes;
    if (!view.is_cut && view.entry.body_bytes > 0)
        err = read_files(web, &view, waiting_body(waiting), is_file ? waiting->file : UINT32_MAX,
                         &fault);
    if (view.is_cut)
        view.why = "This document is too large to be shown here. Its whole is in the vault: ask IT "
                   "for this entry.";
    else if (view.entry.body_bytes == 0)
        view.why = "What this entry held was erased when its time was over.";
    else if (err)
        view.why = "This document is too large or too damaged to be shown here. Its whole is in "
                   "the vault.";
    if (is_file && view.why) {
        answer_error(page, answer, 413, "Not now", view.why);
        return;
    }
    if (is_file) {
        answer_file(web, waiting, &view, page, answer);
        return;
    }
    answer->status = 200;
    answer->policy = page_policy;
    page_document(page, &view);
}

void web_finish_document(struct web *web, struct waiting *waiting, struct page *page,
                         struct http_answer *answer) {
    struct fault fault = {0};
    if (web->chart && chart_reader_begin(web->chart, &fault))
        trace_fault("the chart cannot be read", &fault);
    finish(web, waiting, page, answer);
    if (web->chart)
        chart_reader_end(web->chart);
}
