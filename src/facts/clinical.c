/* clinical.c - allergies, diagnoses, results and documents: AL1, IAM, DG1, ORC, OBR, OBX, NTE, TXA. */
#include "facts/translate.h"

/* A CE or CWE: code, text, system; the alternate triplet where the first is empty. */
struct coded {
    struct bytes code, text, system;
};

static struct coded coded_of(struct translation *t, struct bytes repetition) {
    struct bytes parts[9] = {BYTES_NONE};
    for (unsigned c = 1; c <= 9; c++) {
        if (c > 6 && c < 9)
            continue;
        struct bytes raw = bytes_trim(
            hl7_subcomponent_of(&t->message.delimiters, component_of(t, repetition, c), 1));
        parts[c - 1] = hl7_is_null(raw) ? BYTES_NONE : text_of(t, raw);
    }
    unsigned at = bytes_is_empty(parts[0]) && bytes_is_empty(parts[1]) ? 3 : 0;
    struct coded coded = {parts[at], parts[at + 1], parts[at + 2]};
    if (bytes_is_empty(coded.text))
        coded.text = bytes_is_empty(parts[8]) ? parts[4] : parts[8];
    return coded;
}

static struct coded coded_field(struct translation *t, unsigned field) {
    struct bytes repetition = BYTES_NONE;
    repetition_of(t, t->fields[field], 1, &repetition);
    return coded_of(t, repetition);
}

/* ---- joining texts ---- */

/* a LF b, either may be empty. */
static struct bytes joined(struct translation *t, struct bytes a, const char *between,
                           struct bytes b) {
    struct text text;
    if (bytes_is_empty(a))
        return b;
    if (text_init_arena(&text, t->arena, a.size + strlen(between) + b.size + 1)) {
        t->is_full = true;
        return a;
    }
    text_put(&text, a);
    text_put_string(&text, between);
    text_put(&text, b);
    return text_bytes(&text);
}

/* All repetitions of a field, decoded, with `between` between them. */
static struct bytes repetitions_text(struct translation *t, unsigned field, const char *between) {
    struct bytes repetition, all = BYTES_NONE;
    for (unsigned r = 1; repetition_of(t, t->fields[field], r, &repetition); r++) {
        struct coded coded = coded_of(t, repetition);
        struct bytes text = bytes_is_empty(coded.text) ? coded.code : coded.text;
        if (!bytes_is_empty(text))
            all = joined(t, all, between, text);
    }
    return all;
}

/* ---- allergies ---- */

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool contains_word(struct bytes text, const char *word) {
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= text.size; i++) {
        size_t k = 0;
        while (k < size && lower(text.data[i + k]) == (uint8_t)word[k])
            k++;
        if (k == size)
            return true;
    }
    return false;
}

static bool equals_folded(struct bytes text, const char *word) {
    return text.size == strlen(word) && contains_word(text, word);
}

/* "None known" in the codes and words that are used for it. A statement, different from silence. */
static bool is_none_known(const struct coded *coded) {
    static const char *const codes[] = {"nka", "nkda", "nkfa", "716186003", "409137002", "no known allergies"};
    static const char *const phrases[] = {"no known allerg", "no known drug allerg", "nil known",
                                          "aucune allergie", "pas d'allergie", "pas d\xE2\x80\x99"
                                          "allergie", "absence d'allergie"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (equals_folded(coded->code, codes[i]) || equals_folded(coded->text, codes[i]))
            return true;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (contains_word(coded->text, phrases[i]))
            return true;
    return false;
}

static struct bytes date_text(struct translation *t, unsigned field) {
    int64_t at = value_time(t, field);
    return bytes_first(instant_text(t, at), 10);
}

static void add_allergy(struct translation *t, struct fact_allergy allergy, struct coded agent) {
    if (bytes_is_empty(agent.code) && bytes_is_empty(agent.text)) {
        translate_warn(t, "an allergy names no agent");
        return;
    }
    struct fact *fact = translate_add(t, FACT_ALLERGY);
    if (!fact)
        return;
    allergy.code = agent.code;
    allergy.text = bytes_is_empty(agent.text) ? agent.code : agent.text;
    allergy.system = agent.system;
    if (is_none_known(&agent))
        allergy.action = allergy.action == ALLERGY_DELETE ? ALLERGY_DELETE : ALLERGY_NONE_KNOWN;
    fact->allergy = allergy;
}

void translate_al1(struct translation *t) {
    struct fact_allergy allergy = {
        .action = ALLERGY_ADD,
        .kind = value_text(t, 2, 1),
        .severity = value_text(t, 4, 1),
        .reaction = repetitions_text(t, 5, ", "),
        .identified_at = date_text(t, 6),
    };
    add_allergy(t, allergy, coded_field(t, 3));
}

void translate_iam(struct translation *t) {
    struct bytes action = value_raw(t, 6, 1);
    struct fact_allergy allergy = {
        .action = bytes_is(action, "D")   ? ALLERGY_DELETE
                  : bytes_is(action, "U") ? ALLERGY_UPDATE
                                          : ALLERGY_ADD,
        .kind = value_text(t, 2, 1),
        .severity = value_text(t, 4, 1),
        .reaction = repetitions_text(t, 5, ", "),
        .identified_at = date_text(t, 11),
    };
    add_allergy(t, allergy, coded_field(t, 3));
}

/* ---- diagnoses ---- */

void translate_dg1(struct translation *t) {
    struct coded coded = coded_field(t, 3);
    struct bytes description = value_text(t, 4, 1);
    if (bytes_is_empty(coded.text))
        coded.text = description;
    if (bytes_is_empty(coded.code) && bytes_is_empty(coded.text)) {
        translate_warn(t, "a diagnosis has neither code nor text");
        return;
    }
    struct fact *fact = translate_add(t, FACT_DIAGNOSIS);
    if (!fact)
        return;
    fact->diagnosis = (struct fact_diagnosis){
        .code = coded.code,
        .system = bytes_is_empty(coded.system) ? value_text(t, 2, 1) : coded.system,
        .text = coded.text,
        .type = value_text(t, 6, 1),
        .at = value_time(t, 5),
    };
}

/* ---- results ---- */

static enum result_status status_of(struct bytes code) {
    if (code.size != 1)
        return RESULT_UNKNOWN;
    switch (code.data[0]) {
    case 'I':
    case 'O':
    case 'S':
        return RESULT_PENDING;
    case 'P':
    case 'R':
    case 'A':
        return RESULT_PRELIMINARY;
    case 'F':
    case 'U':
        return RESULT_FINAL;
    case 'C':
        return RESULT_CORRECTED;
    case 'D':
        return RESULT_DELETED;
    case 'W':
        return RESULT_WRONG;
    case 'X':
    case 'N':
        return RESULT_CANCELLED;
    default:
        return RESULT_UNKNOWN;
    }
}

const char *facts_result_status_name(enum result_status status) {
    static const char *const names[] = {"unknown",   "registered",  "preliminary",      "final",
                                        "corrected", "deleted", "entered-in-error", "cancelled"};
    return (unsigned)status < sizeof names / sizeof names[0] ? names[status] : names[0];
}

/* EI: the entity's id, before its namespace. */
static struct bytes entity(struct translation *t, unsigned field) {
    return value_text(t, field, 1);
}

void translate_orc(struct translation *t) {
    t->order_placer = entity(t, 2);
    t->order_filler = entity(t, 3);
    t->report = NULL;
    t->observation = NULL;
}

static struct fact_report *begin_report(struct translation *t) {
    struct fact *fact = translate_add(t, FACT_REPORT);
    if (!fact)
        return NULL;
    fact->report = (struct fact_report){
        .collected_at = INSTANT_NONE, .reported_at = t->facts->said, .placer = t->order_placer,
        .filler = t->order_filler};
    t->observation = NULL;
    t->observation_capacity = 0;
    t->report = &fact->report;
    t->report_at = t->facts->count - 1;
    return t->report;
}

void translate_obr(struct translation *t) {
    struct fact_report *report = begin_report(t);
    if (!report)
        return;
    struct coded service = coded_field(t, 4);
    struct bytes placer = entity(t, 2), filler = entity(t, 3);
    int64_t reported_at = value_time(t, 22);
    report->placer = bytes_is_empty(placer) ? t->order_placer : placer;
    report->filler = bytes_is_empty(filler) ? t->order_filler : filler;
    report->code = service.code;
    report->text = bytes_is_empty(service.text) ? service.code : service.text;
    report->system = service.system;
    report->collected_at = value_time(t, 7);
    if (reported_at != INSTANT_NONE)
        report->reported_at = reported_at;
    report->status = status_of(value_raw(t, 25, 1));
    struct bytes family = value_text(t, 16, 2), id = value_text(t, 16, 1);
    report->requester = bytes_is_empty(family) ? id : joined(t, family, ", ", value_text(t, 16, 3));
    t->order_placer = t->order_filler = BYTES_NONE;
}

/* A numeric structure: comparator, first number, separator, second number. */
static struct bytes structured_number(struct translation *t, struct bytes repetition) {
    struct bytes value = BYTES_NONE;
    for (unsigned c = 1; c <= 4; c++)
        value = joined(t, value, "", text_of(t, bytes_trim(component_of(t, repetition, c))));
    return value;
}

/* A time as people read it, in the site's zone; what is not a time stays as sent. */
static struct bytes readable_time(struct translation *t, struct bytes raw) {
    struct time_read time;
    struct text text;
    raw = bytes_trim(raw);
    if (!time_read_hl7(raw, t->context->zone, &time))
        return text_of(t, raw);
    if (text_init_arena(&text, t->arena, 32)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    struct civil_time civil = time_civil(time.at, zone_offset_at(t->context->zone, time.at));
    text_put_padded(&text, (uint64_t)civil.year, 4);
    text_put_char(&text, '-');
    text_put_padded(&text, (uint64_t)civil.month, 2);
    text_put_char(&text, '-');
    text_put_padded(&text, (uint64_t)civil.day, 2);
    if (time.precision >= TIME_HOUR) {
        text_put_char(&text, ' ');
        text_put_padded(&text, (uint64_t)civil.hour, 2);
        text_put_char(&text, ':');
        text_put_padded(&text, (uint64_t)civil.minute, 2);
    }
    return text_bytes(&text);
}

static struct bytes encapsulated_note(struct translation *t, struct bytes repetition) {
    struct text text;
    struct bytes kind = text_of(t, component_of(t, repetition, 3));
    struct bytes data = component_of(t, repetition, 5);
    if (text_init_arena(&text, t->arena, kind.size + 64)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    text_put_string(&text, "[document");
    if (!bytes_is_empty(kind)) {
        text_put_string(&text, ", ");
        text_put(&text, kind);
    }
    text_put_format(&text, ", %zu bytes]", data.size / 4 * 3);
    return text_bytes(&text);
}

static bool type_is(struct bytes type, const char *a, const char *b, const char *c) {
    return bytes_is(type, a) || bytes_is(type, b) || bytes_is(type, c);
}

static struct bytes readable_value(struct translation *t, struct bytes type, struct bytes repetition) {
    if (hl7_is_null(repetition))
        return BYTES_NONE;
    if (type_is(type, "CE", "CWE", "CNE") || type_is(type, "CF", "IS", "ID")) {
        struct coded coded = coded_of(t, repetition);
        return bytes_is_empty(coded.text) ? coded.code : coded.text;
    }
    if (bytes_is(type, "SN"))
        return structured_number(t, repetition);
    if (type_is(type, "TS", "DTM", "DT"))
        return readable_time(t, component_of(t, repetition, 1));
    if (type_is(type, "ED", "RP", "ED"))
        return encapsulated_note(t, repetition);
    if (bytes_is(type, "NM"))
        return text_of(t, bytes_trim(component_of(t, repetition, 1)));
    return text_of(t, repetition); /* ST, TX, FT and what is not known: as written */
}

/* Every repetition is a line. */
static struct bytes observation_value(struct translation *t, struct bytes type) {
    struct bytes repetition, value = BYTES_NONE;
    for (unsigned r = 1; repetition_of(t, t->fields[5], r, &repetition); r++) {
        struct bytes line = readable_value(t, type, repetition);
        value = r == 1 ? line : joined(t, value, "\n", line);
    }
    return value;
}

/* ---- the content of documents comes in OBX too ---- */

static void read_document_content(struct translation *t) {
    struct fact_document *document = t->document;
    struct bytes type = value_raw(t, 2, 1), repetition = BYTES_NONE;
    if (bytes_is_empty(document->title)) {
        struct coded title = coded_field(t, 3);
        document->title = bytes_is_empty(title.text) ? title.code : title.text;
    }
    if (!type_is(type, "ED", "RP", "ED")) {
        document->text = joined(t, document->text, "\n", observation_value(t, type));
        return;
    }
    repetition_of(t, t->fields[5], 1, &repetition);
    struct bytes major = text_of(t, component_of(t, repetition, 2));
    struct bytes minor = text_of(t, component_of(t, repetition, 3));
    document->encapsulated_bytes += component_of(t, repetition, 5).size / 4 * 3;
    document->media_type = bytes_is_empty(major) ? minor : joined(t, major, "/", minor);
}

static struct fact_observation *add_observation(struct translation *t, struct fact_report *report) {
    if (report->observation_count == t->observation_capacity) {
        size_t capacity = t->observation_capacity ? t->observation_capacity * 2 : 8;
        struct fact_observation *list = arena_array(t->arena, capacity, sizeof *list);
        if (!list) {
            t->is_full = true;
            return NULL;
        }
        if (report->observation_count)
            memcpy(list, report->observations, report->observation_count * sizeof *list);
        report->observations = list;
        t->observation_capacity = capacity;
    }
    return &report->observations[report->observation_count++];
}

static bool is_textual(struct bytes type) {
    return type_is(type, "TX", "FT", "ST");
}

/* Lines of one text are sent as several OBX of one code. */
static struct fact_observation *continued(const struct fact_report *report,
                                          const struct fact_observation *next) {
    if (report->observation_count == 0 || !is_textual(next->type))
        return NULL;
    struct fact_observation *last = &report->observations[report->observation_count - 1];
    bool same = is_textual(last->type) && bytes_equal(last->code, next->code) &&
                bytes_equal(last->text, next->text) && bytes_equal(last->sub_id, next->sub_id);
    return same ? last : NULL;
}

void translate_obx(struct translation *t) {
    if (t->document) {
        read_document_content(t);
        return;
    }
    /* OBX without an OBR (weight and height in an ADT): a report of their own. */
    struct fact_report *report = t->report ? t->report : begin_report(t);
    if (!report)
        return;
    struct coded code = coded_field(t, 3);
    struct bytes type = value_raw(t, 2, 1);
    enum result_status status = status_of(value_raw(t, 11, 1));
    int64_t observed_at = value_time(t, 14);
    struct coded unit = coded_field(t, 6);
    struct fact_observation next = {
        .code = code.code,
        .system = code.system,
        .text = bytes_is_empty(code.text) ? code.code : code.text,
        .sub_id = value_text(t, 4, 1),
        .type = type,
        .value = observation_value(t, type),
        .unit = bytes_is_empty(unit.code) ? unit.text : unit.code,
        .range = value_text(t, 7, 1),
        .flags = repetitions_text(t, 8, " "),
        .status = status == RESULT_UNKNOWN ? report->status : status,
        .observed_at = observed_at == INSTANT_NONE ? report->collected_at : observed_at,
    };
    if (bytes_is_empty(next.code) && bytes_is_empty(next.text))
        translate_warn(t, "a result names no observation");
    struct fact_observation *last = continued(report, &next);
    if (last) {
        last->value = joined(t, last->value, "\n", next.value);
        t->observation = last;
        return;
    }
    t->observation = add_observation(t, report);
    if (t->observation)
        *t->observation = next;
}

/* A note belongs to what stands before it. */
void translate_nte(struct translation *t) {
    struct bytes text = repetitions_text(t, 3, "\n");
    if (bytes_is_empty(text))
        return;
    if (t->observation)
        t->observation->notes = joined(t, t->observation->notes, "\n", text);
    else if (t->report)
        t->report->notes = joined(t, t->report->notes, "\n", text);
}

/* ---- documents ---- */

void translate_txa(struct translation *t) {
    struct fact *fact = translate_add(t, FACT_DOCUMENT);
    if (!fact)
        return;
    struct bytes trigger = t->facts->trigger;
    struct bytes family = value_text(t, 9, 2);
    int64_t at = value_time(t, 4);
    if (at == INSTANT_NONE)
        at = value_time(t, 6);
    fact->document = (struct fact_document){
        .id = value_text(t, 12, 1),
        .parent_id = value_text(t, 13, 1),
        .kind = value_text(t, 2, 1),
        .title = value_text(t, 16, 1),
        .completion = value_text(t, 17, 1),
        .availability = value_text(t, 19, 1),
        .author = bytes_is_empty(family) ? value_text(t, 9, 1)
                                         : joined(t, family, ", ", value_text(t, 9, 3)),
        .at = at == INSTANT_NONE ? t->facts->said : at,
        .media_type = BYTES("text/plain"),
        .is_cancelled = bytes_is(trigger, "T11"),
        .is_replacement = bytes_is(trigger, "T09") || bytes_is(trigger, "T10"),
    };
    if (bytes_is_empty(fact->document.id)) {
        translate_warn(t, "a document has no id");
        fact->document.id = t->facts->control_id;
    }
    t->document = &fact->document;
    t->document_at = t->facts->count - 1;
}
