/* answer.c - which question a request asks, and its answer: read, search, everything, summary; an OperationOutcome for every error. */
#include "fhir/bundle.h"
#include "fhir/kept.h"
#include "fhir/put.h"
#include "formats/fhir/fhir.h"

#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>

struct visit { /* one request */
    const struct fhir_view *view;
    const struct fhir_request *request;
    struct text *out;
    struct fhir_answer *answer;
};

/* ---- errors ---- */

static void refuse(struct visit *v, unsigned status, const char *issue, const char *what) {
    text_clear(v->out);
    fhir_put_outcome(v->out, "error", issue, what);
    v->answer->status = status;
}

static void fail(struct visit *v, enum err err) {
    if (err == ERR_NOT_FOUND)
        refuse(v, 404, "not-found", "there is nothing of this id here");
    else if (err == ERR_LIMIT)
        refuse(v, 413, "too-costly", "this is more than one answer can hold");
    else
        refuse(v, 503, "transient", "the chart cannot be read at this moment");
}

static const char *parameter(const struct visit *v, const char *name) {
    for (size_t i = 0; i < v->request->parameter_count; i++)
        if (!strcmp(v->request->parameters[i].name, name))
            return v->request->parameters[i].value;
    return NULL;
}

static bool may(struct visit *v, const char *type) {
    if (fhir_token_may_read(v->request->token, type))
        return true;
    refuse(v, 403, "forbidden", "the token's scopes do not allow this");
    return false;
}

/* ---- the items of one type ---- */

struct one {
    struct id id;
    size_t at;
    const struct chart_resource
        *kept; /* what it came as, which is given instead; NULL: it is made of the chart */
};

static int compare_ones(const void *a, const void *b) {
    return strcmp(((const struct one *)a)->id.text, ((const struct one *)b)->id.text);
}

/* Several items of the chart may have come as one resource, which is given once; of two senders' resources of one id the second
 * goes by the chart's own name. */
static bool settle_twins(const struct kind *kind, const struct record *record, struct one *list,
                         size_t *count) {
    size_t kept = 0;
    bool is_renamed = false;
    for (size_t i = 0; i < *count; i++) {
        struct one *last = kept ? &list[kept - 1] : NULL;
        bool is_twin =
            last && list[i].kept && last->kept && !strcmp(last->id.text, list[i].id.text);
        if (is_twin && bytes_equal(last->kept->source, list[i].kept->source))
            continue;
        list[kept] = list[i];
        if (is_twin) {
            kind->identify(record, list[kept].at, &list[kept].id);
            list[kept].kept = NULL;
            is_renamed = true;
        }
        kept++;
    }
    *count = kept;
    return is_renamed;
}

/* Those that answer, by id: so a page can go on behind any of them, whatever has come in the meantime. */
static enum err list_ones(const struct question *question, const struct kind *kind,
                          const struct record *record, struct one **list, size_t *count) {
    size_t all = kind->count(record);
    enum err err = ERR_OK;
    *count = 0;
    *list = arena_array(question->view->arena, all, sizeof **list);
    if (all && !*list)
        return ERR_LIMIT;
    for (size_t at = 0; at < all && !err; at++) {
        if ((kind->is_one && !kind->is_one(record, at)) ||
            !question_matches(question, kind, record, at))
            continue;
        struct one *one = &(*list)[(*count)++];
        one->at = at;
        one->kept = kept_of(record, kind, at, &err);
        kind->identify(record, at, &one->id);
        if (one->kept)
            snprintf(one->id.text, sizeof one->id.text, "%.*s", (int)one->kept->id.size,
                     (const char *)one->kept->id.data);
    }
    if (*count > 1)
        qsort(*list, *count, sizeof **list, compare_ones);
    if (settle_twins(kind, record, *list, count))
        qsort(*list, *count, sizeof **list, compare_ones);
    return err;
}

/* ---- a search ---- */

struct page {
    struct question question;
    struct bundle bundle;
    struct visit *v;
    uint64_t total;
    size_t matches;
    bool is_full, has_room_error;
    struct cursor last; /* behind what was written */
};

static void include_patient(struct page *page, const struct record *record) {
    struct id id;
    kind_patient.identify(record, 0, &id);
    bundle_entry_begin(&page->bundle, "Patient", &id);
    kind_patient.put(&page->bundle.json, record, 0);
    bool fits = bundle_entry_end(&page->bundle, "include");
    (void)fits; /* one that is full has its patient on the next page too */
}

static bool is_behind(const struct cursor *cursor, uint64_t person, size_t type,
                      const struct id *id) {
    if (!cursor->is_set || person != cursor->person)
        return !cursor->is_set || person > cursor->person;
    if (cursor->is_whole || type != cursor->type)
        return !cursor->is_whole && type > cursor->type;
    return strcmp(id->text, cursor->id.text) > 0;
}

static void begin_one(struct page *page, const struct kind *kind, const struct record *record,
                      const struct one *one) {
    char type[64];
    struct id id;
    if (kind != &kind_others) {
        bundle_entry_begin(&page->bundle, kind->name, &one->id);
        return;
    }
    const struct chart_resource *other = &record->others[one->at];
    snprintf(type, sizeof type, "%.*s", (int)other->type.size, (const char *)other->type.data);
    snprintf(id.text, sizeof id.text, "%.*s", (int)other->id.size, (const char *)other->id.data);
    bundle_entry_begin(&page->bundle, type, &id);
}

/* Counts it; writes it unless it was on a page before or the page is full. */
static bool take_one(struct page *page, const struct record *record, size_t type,
                     const struct one *one) {
    const struct kind *kind = page->question.types[type];
    page->total++;
    if (page->question.only_count || page->is_full ||
        !is_behind(&page->question.cursor, record->person, type, &one->id))
        return false;
    page->is_full = page->matches == page->question.count;
    if (page->is_full)
        return false;
    begin_one(page, kind, record, one);
    struct fault fault = {0};
    if (!one->kept || kept_put(&page->bundle.json, one->kept, page->question.view->arena, &fault))
        kind->put(&page->bundle.json, record, one->at);
    if (!bundle_entry_end(&page->bundle, "match")) {
        page->has_room_error = page->matches == 0;
        page->is_full = true;
        return false;
    }
    page->matches++;
    page->last =
        (struct cursor){.is_set = true, .person = record->person, .type = type, .id = one->id};
    return true;
}

static enum err search_person(struct page *page, uint64_t person, struct fault *fault) {
    struct record record;
    struct question *question = &page->question;
    bool has_any = false, includes = question->with_patient &&
                                     question->types[0] != &kind_patient &&
                                     fhir_token_may_read(page->v->request->token, "Patient");
    enum err err = record_open(&record, question->view, person, fault);
    for (size_t t = 0; t < question->type_count && !err; t++) {
        struct one *list;
        size_t count;
        err = record_gather(&record, question->types[t]->needs, fault);
        if (!err)
            err = list_ones(question, question->types[t], &record, &list, &count);
        for (size_t i = 0; i < count && !err; i++)
            has_any |= take_one(page, &record, t, &list[i]);
    }
    if (!err && has_any && includes)
        include_patient(page, &record);
    return err;
}

static enum err search_list(struct page *page, struct fault *fault) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < page->question.person_count && !err; i++)
        err = search_person(page, page->question.persons[i], fault);
    return err;
}

/* Everybody: so many a request, and on with the next. *is_done: nobody is left. */
static enum err search_walk(struct page *page, bool *is_done, struct fault *fault) {
    struct question *question = &page->question;
    uint64_t *ids = arena_array(question->arena, FHIR_PERSONS_READ, sizeof *ids);
    uint64_t after = question->cursor.is_set ? question->cursor.person : 0;
    size_t count = 0;
    if (!ids)
        return ERR_LIMIT;
    if (question->cursor.is_set && !question->cursor.is_whole && after > 0)
        after--; /* the rest of that person's first */
    enum err err = chart_persons(question->view->chart, after, question->present_only, ids,
                                 FHIR_PERSONS_READ, &count, fault);
    for (size_t i = 0; i < count && !err && !page->is_full; i++) {
        err = search_person(page, ids[i], fault);
        if (!page->is_full)
            page->last = (struct cursor){.is_set = true, .is_whole = true, .person = ids[i]};
    }
    *is_done = count < FHIR_PERSONS_READ && !page->is_full;
    return err;
}

static void put_link(struct page *page, const char *relation, const struct cursor *cursor) {
    struct text address;
    struct json *json = &page->bundle.json;
    if (text_init_arena(&address, page->question.arena, 8192))
        return;
    put_address(&address, &page->question, cursor);
    json_object_begin(json);
    json_member_string(json, "relation", relation);
    json_member_bytes(json, "url", text_bytes(&address));
    json_object_end(json);
}

static void end_page(struct page *page, bool is_done) {
    struct bundle *bundle = &page->bundle;
    bool knows_total = !page->question.is_walk || (is_done && !page->question.cursor.is_set);
    if (bundle->written > 0)
        json_array_end(&bundle->json);
    bundle->out->capacity = bundle->capacity;
    if (knows_total)
        json_member_u64(&bundle->json, "total", page->total);
    json_name(&bundle->json, "link");
    json_array_begin(&bundle->json);
    put_link(page, "self", NULL);
    if (!is_done)
        put_link(page, "next", &page->last);
    json_array_end(&bundle->json);
    json_object_end(&bundle->json);
    page->v->answer->status = 200;
}

static void run_search(struct page *page) {
    struct fault fault = {0};
    struct question *question = &page->question;
    struct visit *v = page->v;
    bool is_done = true;
    if (!question_read(question) || !question_find(question)) {
        refuse(v, question->status, question->issue, question->why);
        return;
    }
    bundle_begin(&page->bundle, v->view, v->out, "searchset");
    bundle_put_age(&page->bundle);
    enum err err =
        question->is_walk ? search_walk(page, &is_done, &fault) : search_list(page, &fault);
    if (!question->is_walk)
        is_done = !page->is_full;
    if (err || page->has_room_error) {
        v->out->capacity = page->bundle.capacity;
        fail(v, err ? err : ERR_LIMIT);
    } else if (question->only_count && !is_done) {
        v->out->capacity = page->bundle.capacity;
        refuse(v, 400, "too-costly",
               "counting this would read every patient: ask for it page by page");
    } else {
        end_page(page, is_done);
    }
}

static struct page *new_page(struct visit *v) {
    struct page *page = arena_alloc(v->view->keep, sizeof *page);
    if (!page) {
        fail(v, ERR_LIMIT);
        return NULL;
    }
    *page = (struct page){.v = v};
    page->question =
        (struct question){.view = v->view, .request = v->request, .arena = v->view->keep};
    return page;
}

static void search_type(struct visit *v, const struct kind *kind) {
    struct page *page = may(v, kind->name) ? new_page(v) : NULL;
    if (!page)
        return;
    page->question.types[page->question.type_count++] = kind;
    run_search(page);
}

/* ---- one resource ---- */

/* Of the resource and not of how it is laid out. */
static void set_etag(struct visit *v) {
    uint8_t digest[8];
    struct sha256_ctx hash;
    struct text text;
    sha256_init(&hash);
    sha256_update(&hash, v->out->size, (const uint8_t *)v->out->data);
    sha256_digest(&hash, sizeof digest, digest);
    text_init(&text, v->answer->etag, sizeof v->answer->etag);
    text_put_string(&text, "W/\"");
    text_put_hex(&text, bytes_from(digest, sizeof digest));
    text_put_string(&text, "\"");
    v->answer->status = 200;
    if (v->request->if_none_match && !strcmp(v->request->if_none_match, v->answer->etag)) {
        v->answer->status = 304;
        text_clear(v->out);
    }
}

static enum err find_record(struct visit *v, const char *id, struct record *record,
                            size_t *member) {
    struct fault fault = {0};
    uint64_t person;
    enum err err = find_person(v->view, bytes_from_string(id), &person, member, &fault);
    return err ? err : record_open(record, v->view, person, &fault);
}

/* What came as FHIR under this id. */
static void read_kept(struct visit *v, struct bytes type, const char *id) {
    struct fault fault = {0};
    struct chart_resource kept;
    struct json json;
    arena_clear(v->view->arena);
    enum err err = chart_resource(v->view->chart, v->view->arena, type, bytes_from_string(id),
                                  BYTES_NONE, &kept, &fault);
    if (!err && kept.is_deleted) {
        refuse(v, 410, "deleted", "this resource was deleted by who had sent it");
        return;
    }
    json_init(&json, v->out);
    if (!err && bytes_is_empty(kept.json))
        err = ERR_NOT_FOUND;
    if (!err)
        err = kept_put(&json, &kept, v->view->arena, &fault);
    if (err)
        fail(v, err);
    else
        set_etag(v);
}

static void read_patient(struct visit *v, const char *id) {
    struct record record;
    struct json json;
    size_t member;
    enum err err = find_record(v, id, &record, &member);
    if (!err && !bytes_is(bytes_from(record.members[member], 32), id))
        err = ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND) {
        read_kept(v, BYTES("Patient"), id);
        return;
    }
    if (err) {
        fail(v, err);
        return;
    }
    json_init(&json, v->out);
    if (member == 0)
        kind_patient.put(&json, &record, 0);
    else
        patient_put_merged(&json, &record, member);
    set_etag(v);
}

static void read_one(struct visit *v, const struct kind *kind, const char *id) {
    struct record record;
    struct fault fault = {0};
    struct json json;
    struct id has;
    size_t member;
    if (!may(v, kind->name))
        return;
    if (kind == &kind_patient) {
        read_patient(v, id);
        return;
    }
    enum err err = find_record(v, id, &record, &member);
    if (!err)
        err = record_gather(&record, kind->needs, &fault);
    for (size_t at = 0; !err && at < kind->count(&record); at++) {
        if (kind->is_one && !kind->is_one(&record, at))
            continue;
        kind->identify(&record, at, &has);
        if (strcmp(has.text, id) != 0)
            continue;
        json_init(&json, v->out);
        kind->put(&json, &record, at);
        set_etag(v);
        return;
    }
    if (err && err != ERR_NOT_FOUND)
        fail(v, err);
    else
        read_kept(v, bytes_from_string(kind->name), id);
}

/* ---- places ---- */

static enum err places_and_wards(struct visit *v, struct fact_place **places, size_t *count) {
    struct fault fault = {0};
    struct fact_place *found;
    size_t found_count;
    enum err err = chart_places(v->view->chart, v->view->keep, &found, &found_count, &fault);
    *places = err ? NULL : arena_array(v->view->keep, found_count * 2, sizeof **places);
    *count = 0;
    if (err || (found_count && !*places))
        return err ? err : ERR_LIMIT;
    for (size_t i = 0; i < found_count; i++) {
        bool is_new = i == 0 || !bytes_equal(found[i].unit, found[i - 1].unit);
        bool is_more = found[i].room.size || found[i].bed.size;
        if (is_new && is_more && found[i].unit.size)
            (*places)[(*count)++] = (struct fact_place){.unit = found[i].unit};
        if (found[i].unit.size || is_more)
            (*places)[(*count)++] = found[i];
    }
    return ERR_OK;
}

/* All of them at once: a hospital has some thousands. */
static void search_places(struct visit *v) {
    struct fact_place *places;
    size_t count, written = 0;
    const char *wanted = parameter(v, "_id"), *name = parameter(v, "name"),
               *only = parameter(v, "_summary");
    struct page *page = may(v, "Location") ? new_page(v) : NULL;
    enum err err = page ? places_and_wards(v, &places, &count) : ERR_OK;
    if (!page || err) {
        if (err)
            fail(v, err);
        return;
    }
    bundle_begin(&page->bundle, v->view, v->out, "searchset");
    bundle_put_age(&page->bundle);
    for (size_t i = 0; i < count; i++) {
        struct id id;
        id_of_place(&id, &places[i]);
        if ((wanted && strcmp(wanted, id.text) != 0) ||
            (name && !chart_name_has(places[i].unit, bytes_from_string(name))))
            continue;
        page->total++;
        if (only && !strcmp(only, "count"))
            continue;
        bundle_entry_begin(&page->bundle, "Location", &id);
        location_put(&page->bundle.json, &places[i]);
        written += bundle_entry_end(&page->bundle, "match");
    }
    bool has_all = written == page->total || (only && !strcmp(only, "count"));
    end_page(page, true);
    if (!has_all)
        fail(v, ERR_LIMIT);
}

static void read_place(struct visit *v, const char *wanted) {
    struct fact_place *places;
    struct json json;
    struct id id;
    size_t count;
    if (!may(v, "Location"))
        return;
    enum err err = places_and_wards(v, &places, &count);
    for (size_t i = 0; i < count && !err; i++) {
        id_of_place(&id, &places[i]);
        if (strcmp(id.text, wanted) != 0)
            continue;
        json_init(&json, v->out);
        location_put(&json, &places[i]);
        set_etag(v);
        return;
    }
    if (err)
        fail(v, err);
    else
        read_kept(v, BYTES("Location"), wanted);
}

/* ---- all of a patient ---- */

static void everything(struct visit *v, const char *id) {
    struct record record;
    size_t member;
    struct page *page = may(v, "*") ? new_page(v) : NULL;
    if (!page)
        return;
    enum err err = find_record(v, id, &record, &member);
    if (!err && !bytes_is(bytes_from(record.members[member], 32), id))
        err = ERR_NOT_FOUND;
    if (err) {
        fail(v, err);
        return;
    }
    struct question *question = &page->question;
    for (size_t i = 0; i < KIND_COUNT; i++)
        question->types[question->type_count++] = kinds[i];
    question->types[question->type_count++] = &kind_others;
    question->conditions[0] = (struct condition){FACET_PATIENT, {bytes_from_string(id)}, 1};
    question->condition_count = 1;
    run_search(page);
}

static void summary(struct visit *v, const char *id) {
    struct record record;
    struct fault fault = {0};
    struct json json;
    size_t member;
    if (!may(v, "*"))
        return;
    enum err err = find_record(v, id, &record, &member);
    if (!err && !bytes_is(bytes_from(record.members[member], 32), id))
        err = ERR_NOT_FOUND;
    if (!err)
        err = record_gather(&record, UINT_MAX, &fault);
    if (err) {
        fail(v, err);
        return;
    }
    json_init(&json, v->out);
    summary_put(&json, &record);
    v->answer->status = 200;
}

/* ---- types that the chart makes nothing of: kept as they came ---- */

static void put_kept_entry(struct page *page, const struct chart_resource *kept, enum err *err) {
    struct fault fault = {0};
    struct id id;
    char type[64];
    snprintf(id.text, sizeof id.text, "%.*s", (int)kept->id.size, (const char *)kept->id.data);
    snprintf(type, sizeof type, "%.*s", (int)kept->type.size, (const char *)kept->type.data);
    bundle_entry_begin(&page->bundle, type, &id);
    if (!*err)
        *err = kept_put(&page->bundle.json, kept, page->question.arena, &fault);
    if (!bundle_entry_end(&page->bundle, "match") && !*err)
        *err = ERR_LIMIT;
}

/* Of one patient, all at once. */
static void search_kept(struct visit *v, struct bytes type) {
    const char *patient =
        parameter(v, "patient") ? parameter(v, "patient") : parameter(v, "subject");
    struct fault fault = {0};
    struct chart_resource *list;
    size_t count = 0, member;
    uint64_t person;
    struct page *page = new_page(v);
    if (!page)
        return;
    if (!patient) {
        refuse(v, 400, "too-costly",
               "resources of this type are kept as they came, and found by their patient or their "
               "id alone");
        return;
    }
    arena_clear(v->view->arena);
    enum err err = find_person(v->view, bytes_from_string(patient), &person, &member, &fault);
    if (err == ERR_NOT_FOUND)
        err = person_of_kept(
            v->view, "Patient",
            bytes_from_string(!strncmp(patient, "Patient/", 8) ? patient + 8 : patient), &person,
            &fault);
    bool is_nobody = err == ERR_NOT_FOUND;
    if (!err)
        err =
            chart_resources_of(v->view->chart, v->view->arena, person, type, &list, &count, &fault);
    bundle_begin(&page->bundle, v->view, v->out, "searchset");
    bundle_put_age(&page->bundle);
    for (size_t i = 0; i < count && !err; i++) {
        if (list[i].is_deleted || bytes_is_empty(list[i].json))
            continue;
        page->total++;
        put_kept_entry(page, &list[i], &err);
    }
    end_page(page, true);
    if (err && !is_nobody)
        fail(v, err);
}

static void route_kept(struct visit *v, struct bytes type, const char *rest, bool is_search) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)type.size, (const char *)type.data);
    if (!fhir_is_type(type) || type.size >= sizeof name)
        refuse(v, 404, "not-supported", "there are no resources of this type");
    else if (!may(v, name))
        return;
    else if (is_search)
        search_kept(v, type);
    else
        read_kept(v, type, rest + 1);
}

/* ---- routes ---- */

static void binary(struct visit *v, const char *id) {
    if (!may(v, "Binary"))
        return;
    if (strncmp(id, "entry-", 6) != 0 ||
        !bytes_to_u64(bytes_from_string(id + 6), &v->answer->entry)) {
        fail(v, ERR_NOT_FOUND);
        return;
    }
    v->answer->wants_entry = true;
    v->answer->status = 200;
}

static void capability(struct visit *v) {
    struct json json;
    json_init(&json, v->out);
    capability_put(v->view, &json);
    v->answer->status = 200;
}

static void route_patient(struct visit *v, const char *id, const char *operation) {
    char patient[65];
    struct bytes name = bytes_from(id, (size_t)(operation - id));
    if (name.size >= sizeof patient) {
        fail(v, ERR_NOT_FOUND);
        return;
    }
    memcpy(patient, name.data, name.size);
    patient[name.size] = 0;
    if (!strcmp(operation, "/$everything"))
        everything(v, patient);
    else if (!strcmp(operation, "/$summary"))
        summary(v, patient);
    else
        refuse(v, 404, "not-supported", "this operation is not offered");
}

static void route_type(struct visit *v, struct bytes type, const char *rest) {
    const struct kind *kind = kind_named(type);
    const char *operation = *rest ? strchr(rest + 1, '/') : NULL;
    bool is_search = !*rest || !strcmp(rest, "/") || !strcmp(rest, "/_search");
    if (operation && kind == &kind_patient)
        route_patient(v, rest + 1, operation);
    else if (operation)
        refuse(v, 404, "not-supported", "this interaction is not offered");
    else if (kind && is_search)
        search_type(v, kind);
    else if (kind)
        read_one(v, kind, rest + 1);
    else if (bytes_is(type, "Location") && is_search)
        search_places(v);
    else if (bytes_is(type, "Location"))
        read_place(v, rest + 1);
    else if (bytes_is(type, "Binary") && !is_search)
        binary(v, rest + 1);
    else
        route_kept(v, type, rest, is_search);
}

/* JSON alone is spoken. A browser's Accept names it by its last resort. */
static bool wants_json(const struct visit *v) {
    static const char *const fits[] = {"json", "*/*", "application/*"};
    const char *wanted = parameter(v, "_format");
    if (!wanted)
        wanted = v->request->accept;
    if (!wanted || !*wanted)
        return true;
    for (size_t i = 0; i < 3; i++)
        if (strstr(wanted, fits[i]))
            return true;
    return false;
}

static void route(struct visit *v) {
    const char *path = v->request->path, *slash = strchr(path, '/');
    struct bytes type = bytes_from(path, slash ? (size_t)(slash - path) : strlen(path));
    if (!wants_json(v))
        refuse(v, 406, "not-supported", "only JSON is offered: application/fhir+json");
    else if (!strcmp(path, "metadata"))
        capability(v);
    else if (!*path)
        refuse(v, 400, "not-supported",
               "which resources? Patient, Encounter, Observation ...: see metadata");
    else if (!v->view->chart)
        refuse(v, 503, "transient", "there is no chart yet: it is being made from the vault");
    else
        route_type(v, type, slash ? slash : "");
}

void fhir_answer(const struct fhir_view *view, const struct fhir_request *request, struct text *out,
                 struct fhir_answer *answer) {
    struct visit v = {view, request, out, answer};
    const char *pretty = NULL;
    *answer = (struct fhir_answer){.status = 500};
    pretty = parameter(&v, "_pretty");
    answer->is_pretty = pretty && !strcmp(pretty, "true");
    route(&v);
    if (out->full)
        fail(&v, ERR_LIMIT);
}
