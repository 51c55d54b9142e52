/* match.c - does a resource answer the conditions of a question? */
#include "fhir/search.h"

#include "fhir/put.h"

/* ---- tokens: code, system|code, |code, system| ---- */

static void split_token(struct bytes value, bool *has_system, struct bytes *system,
                        struct bytes *code) {
    size_t bar = bytes_find(value, '|');
    *has_system = bar != BYTES_NOT_FOUND;
    *system = *has_system ? bytes_first(value, bar) : BYTES_NONE;
    *code = *has_system ? bytes_skip(value, bar + 1) : value;
}

static bool token_is(struct bytes value, const struct facet_code *has) {
    struct bytes system, code;
    bool has_system;
    split_token(value, &has_system, &system, &code);
    if (has_system && !bytes_equal(system, has->system))
        return false;
    return bytes_is_empty(code) ? has_system : bytes_equal(code, has->code);
}

static bool any_token(struct bytes value, const struct facet_code *codes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (token_is(value, &codes[i]))
            return true;
    return false;
}

/* A status has but one system, which need not be given. */
static bool word_is(struct bytes value, const char *word) {
    struct bytes system, code;
    bool has_system;
    split_token(value, &has_system, &system, &code);
    return word && bytes_is(code, word);
}

/* The system may be given as it was sent, too. */
static bool identifier_answers(struct bytes value, const struct fact_identifier *identifier) {
    char buffer[128];
    struct text room;
    struct bytes system, number;
    bool has_system;
    text_init(&room, buffer, sizeof buffer);
    split_token(value, &has_system, &system, &number);
    struct bytes address = identifier_system(identifier, &room);
    if (bytes_is_empty(identifier->number))
        return false;
    if (has_system && !bytes_equal(system, address) && !bytes_equal(system, identifier->authority))
        return false;
    return bytes_is_empty(number) ? has_system : bytes_equal(number, identifier->number);
}

static bool patient_has(struct bytes value, const struct chart_patient *patient) {
    if (identifier_answers(value, &patient->main))
        return true;
    for (size_t i = 0; i < patient->other_count; i++)
        if (identifier_answers(value, &patient->others[i]))
            return true;
    for (size_t i = 0; i < patient->merged_count; i++)
        if (identifier_answers(value, &patient->merged[i]))
            return true;
    return false;
}

/* ---- dates ---- */

enum prefix {
    PREFIX_EQ,
    PREFIX_NE,
    PREFIX_LT,
    PREFIX_GT,
    PREFIX_LE,
    PREFIX_GE,
    PREFIX_SA,
    PREFIX_EB,
    PREFIX_BAD
};

static enum prefix take_prefix(struct bytes *value) {
    static const char *const prefixes[] = {"eq", "ne", "lt", "gt", "le", "ge", "sa", "eb"};
    if (value->size < 2 || (value->data[0] >= '0' && value->data[0] <= '9'))
        return PREFIX_EQ;
    for (unsigned i = 0; i < PREFIX_BAD; i++)
        if (bytes_starts_with(*value, bytes_from_string(prefixes[i]))) {
            *value = bytes_skip(*value, 2);
            return (enum prefix)i;
        }
    return PREFIX_BAD;
}

/* The first instant after what was said: a day, a month, a year, a minute, a second long. */
static int64_t end_of(const struct time_read *read, struct zone *zone) {
    int32_t offset = zone ? zone_offset_at(zone, read->at) : 0;
    struct civil_time c = time_civil(read->at, offset);
    switch (read->precision) {
    case TIME_YEAR:
        c.year++;
        break;
    case TIME_MONTH:
        c.year += c.month == 12;
        c.month = c.month == 12 ? 1 : c.month + 1;
        break;
    case TIME_DAY:
        c = time_civil(read->at + 36 * 3600 * US_PER_S, offset); /* some time of the next day */
        c.hour = c.minute = c.second = c.microsecond = 0;
        break;
    case TIME_HOUR:
        return read->at + 3600 * US_PER_S;
    case TIME_MINUTE:
        return read->at + 60 * US_PER_S;
    case TIME_SECOND:
        return read->at + US_PER_S;
    case TIME_FRACTION:
        return read->at + US_PER_MS;
    }
    return time_from_civil(&c, offset);
}

struct span { /* from..to-1 */
    int64_t from, to;
};

static bool read_span(struct bytes value, struct zone *zone, struct span *span) {
    struct time_read read;
    if (!time_read_iso(value, zone, &read))
        return false;
    *span = (struct span){read.at, end_of(&read, read.has_offset ? NULL : zone)};
    return true;
}

static bool span_answers(enum prefix prefix, const struct span *asked, const struct span *has) {
    bool is_inside = has->from >= asked->from && has->to <= asked->to;
    switch (prefix) {
    case PREFIX_EQ:
        return is_inside;
    case PREFIX_NE:
        return !is_inside;
    case PREFIX_LT:
        return has->from < asked->from;
    case PREFIX_GT:
        return has->to > asked->to;
    case PREFIX_LE:
        return has->from < asked->to;
    case PREFIX_GE:
        return has->to > asked->from;
    case PREFIX_SA:
        return has->from >= asked->to;
    case PREFIX_EB:
        return has->to <= asked->from;
    case PREFIX_BAD:
        break;
    }
    return false;
}

bool date_is_asked_well(struct bytes value, struct zone *zone) {
    struct span span;
    return take_prefix(&value) != PREFIX_BAD && read_span(value, zone, &span);
}

static bool moment_answers(struct bytes value, struct zone *zone, int64_t from, int64_t to) {
    struct span asked;
    enum prefix prefix = take_prefix(&value);
    if ((from == INSTANT_NONE && to == INSTANT_NONE) || !read_span(value, zone, &asked))
        return false;
    struct span has = {from,
                       to == INSTANT_NONE ? INT64_MAX : to + 1}; /* from NONE is the least of all */
    return span_answers(prefix, &asked, &has);
}

/* A birth date is a day, a month or a year long, wherever it was. */
static bool birth_answers(struct bytes value, struct bytes birth) {
    struct span asked, has;
    enum prefix prefix = take_prefix(&value);
    return read_span(birth, NULL, &has) && read_span(value, NULL, &asked) &&
           span_answers(prefix, &asked, &has);
}

/* ---- all conditions ---- */

static struct bytes last_part(struct bytes value) {
    for (size_t i = value.size; i > 0; i--)
        if (value.data[i - 1] == '/')
            return bytes_skip(value, i);
    return value;
}

static bool is_of(struct bytes value, const struct record *record) {
    struct bytes id = last_part(value);
    for (size_t i = 0; i < record->member_count; i++)
        if (bytes_equal(id, bytes_from(record->members[i], 32)))
            return true;
    return false;
}

static bool name_answers(enum facet facet, struct bytes value, const struct chart_patient *p) {
    const struct bytes families[] = {p->family_name, p->used_name, p->birth_name};
    if (facet != FACET_FAMILY && chart_name_has(p->given_name, value))
        return true;
    for (size_t i = 0; i < 3 && facet != FACET_GIVEN; i++)
        if (chart_name_has(families[i], value))
            return true;
    return false;
}

struct item {
    const struct question *question;
    const struct kind *kind;
    const struct record *record;
    struct facets facets;
    struct id id;
};

static bool identifiers_answer(const struct item *item, struct bytes value) {
    if (item->kind == &kind_patient)
        return patient_has(value, &item->record->patient);
    for (size_t i = 0; i < item->facets.identifier_count; i++)
        if (identifier_answers(value, &item->facets.identifiers[i]))
            return true;
    return false;
}

static bool answers(const struct item *item, enum facet facet, struct bytes value) {
    const struct facets *f = &item->facets;
    const struct chart_patient *patient = &item->record->patient;
    struct zone *zone = item->question->view->zone;
    switch (facet) {
    case FACET_ID:
        if (item->kind == &kind_patient)
            return is_of(value, item->record);
        return bytes_is(value, item->id.text) ||
               (f->came_as.size && bytes_equal(value, last_part(f->came_as)));
    case FACET_UPDATED:
        return f->said && moment_answers(value, zone, f->said, f->said);
    case FACET_PATIENT:
        return is_of(value, item->record);
    case FACET_STATUS:
        return word_is(value, f->status);
    case FACET_CODE:
        return any_token(value, f->codes, f->code_count);
    case FACET_CATEGORY:
        return any_token(value, f->categories, f->category_count);
    case FACET_DATE:
        return moment_answers(value, zone, f->from, f->to);
    case FACET_IDENTIFIER:
        return identifiers_answer(item, value);
    case FACET_CLASS:
        return any_token(value, &(struct facet_code){BYTES(TERMINOLOGY "v3-ActCode"), f->class}, 1);
    case FACET_LOCATION:
        return f->has_location && bytes_is(last_part(value), f->location.text);
    case FACET_NAME:
    case FACET_FAMILY:
    case FACET_GIVEN:
        return name_answers(facet, value, patient);
    case FACET_BIRTHDATE:
        return birth_answers(value, patient->birth_date);
    case FACET_GENDER:
        return word_is(value, gender_word(patient->sex));
    case FACET_PATIENT_IDENTIFIER:
        return patient_has(value, patient);
    case FACET_NONE:
        break;
    }
    return false;
}

bool question_matches(const struct question *question, const struct kind *kind,
                      const struct record *record, size_t at) {
    struct item item = {.question = question, .kind = kind, .record = record};
    item.facets.from = item.facets.to = INSTANT_NONE;
    kind->facets(record, at, &item.facets);
    kind->identify(record, at, &item.id);
    for (size_t i = 0; i < question->condition_count; i++) {
        const struct condition *condition = &question->conditions[i];
        bool is_met = false;
        for (size_t k = 0; k < condition->value_count && !is_met; k++)
            is_met = answers(&item, condition->facet, condition->values[k]);
        if (!is_met)
            return false;
    }
    return true;
}
