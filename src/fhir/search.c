/* search.c - a question: which parameters, whose resources, and the addresses of its pages. */
#include "fhir/search.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool question_refuse(struct question *question, unsigned status, const char *issue,
                     const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(question->why, sizeof question->why, format, arguments);
    va_end(arguments);
    question->status = status;
    question->issue = issue;
    return false;
}

/* ---- parameters ---- */

/* Those that every type has, then its own. */
static enum facet facet_named(const struct question *question, struct bytes name) {
    static const struct search_name common[] = {{"_id", FACET_ID},
                                                {"_lastUpdated", FACET_UPDATED},
                                                {"patient", FACET_PATIENT},
                                                {"subject", FACET_PATIENT},
                                                {"patient.identifier", FACET_PATIENT_IDENTIFIER},
                                                {"subject.identifier", FACET_PATIENT_IDENTIFIER}};
    bool is_patient = question->types[0] == &kind_patient;
    for (size_t i = 0; i < (is_patient ? 2 : sizeof common / sizeof common[0]); i++)
        if (bytes_is(name, common[i].name))
            return common[i].facet;
    for (const struct search_name *own = question->types[0]->names; own->name; own++)
        if (bytes_is(name, own->name) && question->type_count == 1)
            return own->facet;
    return FACET_NONE;
}

/* Commas part values; "\," is one of the value. */
static bool split_values(struct question *question, struct condition *condition,
                         const char *value) {
    struct text text;
    size_t from = 0;
    if (text_init_arena(&text, question->arena, strlen(value) + 1))
        return question_refuse(question, 413, "too-long", "the question is too long");
    for (size_t i = 0;; i++) {
        if (value[i] == '\\' && value[i + 1]) {
            text_put_char(&text, value[++i]);
            continue;
        }
        if (value[i] && value[i] != ',') {
            text_put_char(&text, value[i]);
            continue;
        }
        if (condition->value_count == VALUES_MAX)
            return question_refuse(question, 400, "too-costly", "more than %u values", VALUES_MAX);
        if (text.size > from)
            condition->values[condition->value_count++] =
                bytes_from(text.data + from, text.size - from);
        from = text.size;
        if (!value[i])
            return true;
    }
}

static bool is_date(enum facet facet) {
    return facet == FACET_DATE || facet == FACET_UPDATED || facet == FACET_BIRTHDATE;
}

static bool add_condition(struct question *question, const char *name, enum facet facet,
                          const char *value) {
    if (question->condition_count == CONDITIONS_MAX)
        return question_refuse(question, 400, "too-costly", "more than %u conditions",
                               CONDITIONS_MAX);
    struct condition *condition = &question->conditions[question->condition_count++];
    *condition = (struct condition){.facet = facet};
    if (!split_values(question, condition, value))
        return false;
    if (condition->value_count == 0)
        question->condition_count--; /* an empty parameter says nothing */
    for (size_t i = 0; i < condition->value_count && is_date(facet); i++)
        if (!date_is_asked_well(condition->values[i], question->view->zone))
            return question_refuse(question, 400, "value", "%s: not a date that can be searched by",
                                   name);
    return true;
}

static bool read_count(struct question *question, const char *value) {
    uint64_t count;
    if (!bytes_to_u64(bytes_from_string(value), &count))
        return question_refuse(question, 400, "value", "_count: not a number");
    question->only_count = count == 0; /* as the standard has it */
    question->count = count < FHIR_COUNT_MAX ? (size_t)count : FHIR_COUNT_MAX;
    return true;
}

/* <generation>.<person>[.<type>.<id>] */
static bool read_cursor(struct question *question, const char *value) {
    struct bytes rest = bytes_from_string(value), part;
    uint64_t numbers[3] = {0};
    size_t given = 0;
    struct cursor *cursor = &question->cursor;
    while (given < 3 && bytes_next_part(&rest, '.', &part) && bytes_to_u64(part, &numbers[given]))
        given++;
    if (given != 2 && given != 3)
        return question_refuse(question, 400, "value", "_page: not one of this server's");
    if (numbers[0] != question->view->generation)
        return question_refuse(question, 410, "processing",
                               "the chart was made again since that page: begin again");
    *cursor = (struct cursor){
        .is_set = true, .person = numbers[1], .is_whole = given == 2, .type = (size_t)numbers[2]};
    if (given == 3 && (rest.size == 0 || rest.size >= sizeof cursor->id.text ||
                       cursor->type >= question->type_count))
        return question_refuse(question, 400, "value", "_page: not one of this server's");
    if (given == 3)
        memcpy(cursor->id.text, rest.data, rest.size);
    return true;
}

static bool read_summary(struct question *question, const char *value) {
    if (!strcmp(value, "count"))
        question->only_count = true;
    else if (strcmp(value, "false") != 0 && question->request->is_strict)
        return question_refuse(question, 400, "not-supported", "_summary: only count");
    return true;
}

static bool read_include(struct question *question, const char *value) {
    const char *colon = strchr(value, ':');
    struct bytes what = bytes_from_string(colon ? colon + 1 : "");
    size_t end = bytes_find(what, ':');
    what = end == BYTES_NOT_FOUND ? what : bytes_first(what, end);
    if (bytes_is(what, "patient") || bytes_is(what, "subject"))
        question->with_patient = true;
    else if (!bytes_is(what, "encounter") && question->request->is_strict)
        return question_refuse(question, 400, "not-supported",
                               "_include: only of patient and encounter");
    return true;
}

/* Of the request itself, and read elsewhere. */
static bool is_general(const char *name) {
    return !strcmp(name, "_format") || !strcmp(name, "_pretty");
}

static bool read_one(struct question *question, const struct fhir_parameter *parameter) {
    const char *name = parameter->name, *value = parameter->value ? parameter->value : "";
    const char *colon = strchr(name, ':');
    struct bytes bare = bytes_from(name, colon ? (size_t)(colon - name) : strlen(name));
    if (is_general(name))
        return true;
    if (!strcmp(name, "_count"))
        return read_count(question, value);
    if (!strcmp(name, "_page"))
        return read_cursor(question, value);
    if (!strcmp(name, "_summary"))
        return read_summary(question, value);
    if (!strcmp(name, "_include"))
        return read_include(question, value);
    enum facet facet = facet_named(question, bare);
    if (facet == FACET_NONE && question->request->is_strict)
        return question_refuse(question, 400, "not-supported", "%s: not a parameter of this search",
                               name);
    if (facet == FACET_NONE)
        return true; /* lenient: as if it were not there */
    bool is_typed = facet == FACET_PATIENT && colon && !strcmp(colon, ":Patient");
    if (colon && !is_typed)
        return question_refuse(question, 400, "not-supported", "%s: this modifier is not supported",
                               name);
    return add_condition(question, name, facet, value);
}

bool question_read(struct question *question) {
    question->count = FHIR_COUNT_DEFAULT;
    for (size_t i = 0; i < question->request->parameter_count; i++)
        if (!read_one(question, &question->request->parameters[i]))
            return false;
    return true;
}

/* ---- whose ---- */

static struct condition *condition_on(struct question *question, enum facet facet) {
    for (size_t i = 0; i < question->condition_count; i++)
        if (question->conditions[i].facet == facet)
            return &question->conditions[i];
    return NULL;
}

static int compare_persons(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void add_person(struct question *question, uint64_t person) {
    for (size_t i = 0; i < question->person_count; i++)
        if (question->persons[i] == person)
            return;
    if (question->person_count < FOUND_MAX)
        question->persons[question->person_count++] = person;
}

static bool fail(struct question *question, enum err err) {
    return err == ERR_LIMIT
               ? question_refuse(question, 413, "too-costly", "this asks for too much at once")
               : question_refuse(question, 503, "transient",
                                 "the chart cannot be read at this moment");
}

static struct bytes after_slash(struct bytes value) {
    for (size_t i = value.size; i > 0; i--)
        if (value.data[i - 1] == '/')
            return bytes_skip(value, i);
    return value;
}

/* Of a resource that came as FHIR: whose it is. */
enum err person_of_kept(const struct fhir_view *view, const char *type, struct bytes id,
                        uint64_t *person, struct fault *fault) {
    struct chart_resource kept;
    enum err err = chart_resource(view->chart, view->keep, bytes_from_string(type), id, BYTES_NONE,
                                  &kept, fault);
    *person = err ? 0 : kept.patient;
    return !err && !kept.patient ? ERR_NOT_FOUND : err;
}

enum err find_person(const struct fhir_view *view, struct bytes value, uint64_t *person,
                     size_t *member, struct fault *fault) {
    return chart_find_name(view->chart, bytes_first(after_slash(value), 16), person, member, fault);
}

/* A patient under the id that they have elsewhere: from here on under the one of the chart. */
static enum err rename_value(struct question *question, struct bytes *value, uint64_t person) {
    struct chart_patient patient;
    struct fault fault = {0};
    char name[65];
    arena_clear(question->view->arena);
    enum err err =
        chart_patient(question->view->chart, question->view->arena, person, &patient, &fault);
    if (err)
        return err;
    chart_name_identifier(&patient.main, name);
    *value = arena_copy(question->arena, bytes_from(name, 32));
    return value->data ? ERR_OK : ERR_LIMIT;
}

static enum err find_named(struct question *question, struct condition *condition, size_t i,
                           uint64_t *person) {
    struct fault fault = {0};
    size_t member;
    struct bytes id = after_slash(condition->values[i]);
    bool is_patient = condition->facet == FACET_PATIENT || question->types[0] == &kind_patient;
    enum err err = find_person(question->view, condition->values[i], person, &member, &fault);
    if (err != ERR_NOT_FOUND || (condition->facet == FACET_ID && is_patient))
        return err;
    err = person_of_kept(question->view, is_patient ? "Patient" : question->types[0]->name, id,
                         person, &fault);
    return err || !is_patient ? err : rename_value(question, &condition->values[i], *person);
}

static bool by_name_of(struct question *question, struct condition *condition) {
    for (size_t i = 0; i < condition->value_count; i++) {
        uint64_t person;
        enum err err = find_named(question, condition, i, &person);
        if (err && err != ERR_NOT_FOUND)
            return fail(question, err);
        if (!err)
            add_person(question, person);
    }
    return true;
}

static bool by_identifier(struct question *question, const struct condition *condition) {
    for (size_t i = 0; i < condition->value_count; i++) {
        struct fault fault = {0};
        uint64_t ids[64];
        size_t count;
        struct bytes value = condition->values[i];
        size_t bar = bytes_find(value, '|');
        struct fact_identifier wanted = {
            .number = bar == BYTES_NOT_FOUND ? value : bytes_skip(value, bar + 1)};
        if (bytes_is_empty(wanted.number))
            return question_refuse(question, 400, "too-costly", "an identifier needs its value");
        enum err err =
            chart_find_identifier(question->view->chart, &wanted, ids, 64, &count, &fault);
        if (err)
            return fail(question, err);
        for (size_t k = 0; k < count && k < 64; k++)
            add_person(question, ids[k]);
    }
    return true;
}

static bool by_words(struct question *question, const struct condition *condition) {
    for (size_t i = 0; i < condition->value_count; i++) {
        struct fault fault = {0};
        struct chart_hit *hits;
        size_t count;
        arena_clear(question->view->arena);
        enum err err = chart_search(question->view->chart, question->view->arena,
                                    condition->values[i], FOUND_MAX, &hits, &count, &fault);
        if (err)
            return fail(question, err);
        if (count >= FOUND_MAX)
            return question_refuse(question, 400, "too-costly",
                                   "more than %u patients answer this: say more of the name",
                                   FOUND_MAX - 1);
        for (size_t k = 0; k < count; k++)
            add_person(question, hits[k].patient.id);
    }
    return true;
}

static bool all_are_days(const struct condition *condition) {
    for (size_t i = 0; i < condition->value_count; i++)
        if (condition->values[i].size != 10 || condition->values[i].data[4] != '-')
            return false;
    return true;
}

/* Stays that are there now have patients in beds. */
static bool asks_for_present(struct question *question) {
    const struct condition *status = condition_on(question, FACET_STATUS);
    if (question->types[0] != &kind_encounter)
        return false;
    if (condition_on(question, FACET_LOCATION))
        return true;
    for (size_t i = 0; status && i < status->value_count; i++)
        if (!bytes_is(status->values[i], "in-progress") && !bytes_is(status->values[i], "onleave"))
            return false;
    return status != NULL;
}

bool question_find(struct question *question) {
    struct condition *c;
    bool is_patient = question->types[0] == &kind_patient;
    bool ok = true;
    question->persons = arena_array(question->arena, FOUND_MAX, sizeof *question->persons);
    if (!question->persons)
        return fail(question, ERR_LIMIT);
    if ((c = condition_on(question, FACET_PATIENT)) || (c = condition_on(question, FACET_ID)))
        ok = by_name_of(question, c);
    else if ((c = condition_on(question, FACET_PATIENT_IDENTIFIER)) ||
             (is_patient && (c = condition_on(question, FACET_IDENTIFIER))))
        ok = by_identifier(question, c);
    else if ((c = condition_on(question, FACET_NAME)) ||
             (c = condition_on(question, FACET_FAMILY)) ||
             (c = condition_on(question, FACET_GIVEN)))
        ok = by_words(question, c);
    else if ((c = condition_on(question, FACET_BIRTHDATE)) && all_are_days(c))
        ok = by_words(question, c);
    else
        question->is_walk = true;
    question->present_only = question->is_walk && asks_for_present(question);
    if (question->person_count > 1)
        qsort(question->persons, question->person_count, sizeof *question->persons,
              compare_persons);
    return ok;
}

/* ---- addresses ---- */

static void put_part(struct text *out, const char *part) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~$,:|";
    for (; *part; part++) {
        if (strchr(plain, *part)) {
            text_put_char(out, *part);
        } else {
            const uint8_t byte = (uint8_t)*part;
            text_put_char(out, '%');
            text_put_hex(out, bytes_from(&byte, 1));
        }
    }
}

void put_address(struct text *out, const struct question *question, const struct cursor *cursor) {
    char separator = '?';
    text_put_string(out, question->view->base);
    text_put_char(out, '/');
    text_put_string(out, question->request->path);
    for (size_t i = 0; i < question->request->parameter_count; i++) {
        const struct fhir_parameter *parameter = &question->request->parameters[i];
        if (cursor && !strcmp(parameter->name, "_page"))
            continue;
        text_put_char(out, separator);
        separator = '&';
        put_part(out, parameter->name);
        text_put_char(out, '=');
        put_part(out, parameter->value ? parameter->value : "");
    }
    if (!cursor)
        return;
    text_put_char(out, separator);
    text_put_format(out, "_page=%llu.%llu", (unsigned long long)question->view->generation,
                    (unsigned long long)cursor->person);
    if (!cursor->is_whole)
        text_put_format(out, ".%zu.%s", cursor->type, cursor->id.text);
}
