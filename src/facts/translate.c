/* translate.c - from one HL7 v2 message to the list of what it says. */
#include "facts/translate.h"

#define FUTURE_US      (5 * 60 * US_PER_S)
#define FACTS_FIRST    16u

void translate_warn(struct translation *t, const char *warning) {
    if (t->facts->warning_count++ == 0)
        t->facts->warning = warning;
}

void translate_aside(struct translation *t, const char *reason, uint64_t at) {
    if (t->facts->aside)
        return;
    t->facts->aside = reason;
    t->facts->aside_at = at;
}

struct fact *translate_add(struct translation *t, enum fact_kind kind) {
    struct facts *facts = t->facts;
    if (facts->count == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : FACTS_FIRST;
        struct fact *list = arena_array(t->arena, capacity, sizeof *list);
        if (!list) {
            t->is_full = true;
            return NULL;
        }
        if (facts->count)
            memcpy(list, facts->list, facts->count * sizeof *list);
        facts->list = list;
        t->capacity = capacity;
        t->report = t->report ? &list[t->report_at].report : NULL;
        t->document = t->document ? &list[t->document_at].document : NULL;
    }
    struct fact *fact = &facts->list[facts->count++];
    fact->kind = kind;
    return fact;
}

/* ---- values ---- */

struct bytes component_of(const struct translation *t, struct bytes repetition, unsigned component) {
    return hl7_component_of(&t->message.delimiters, repetition, component);
}

bool repetition_of(const struct translation *t, struct bytes field, unsigned repetition,
                   struct bytes *out) {
    for (unsigned i = 1; i < repetition; i++) {
        size_t at = bytes_find(field, t->message.delimiters.repetition);
        if (at == BYTES_NOT_FOUND)
            return false;
        field = bytes_skip(field, at + 1);
    }
    size_t end = bytes_find(field, t->message.delimiters.repetition);
    *out = bytes_first(field, end == BYTES_NOT_FOUND ? field.size : end);
    return true;
}

struct bytes value_raw(const struct translation *t, unsigned field, unsigned component) {
    struct bytes repetition = BYTES_NONE;
    if (field >= FIELDS_MAX || bytes_is_empty(t->fields[field]))
        return BYTES_NONE;
    repetition_of(t, t->fields[field], 1, &repetition);
    return bytes_trim(hl7_subcomponent_of(&t->message.delimiters,
                                          component_of(t, repetition, component), 1));
}

struct bytes text_of(struct translation *t, struct bytes raw) {
    struct bytes text = hl7_text(t->arena, &t->message, raw);
    if (!bytes_is_empty(raw) && !text.data)
        t->is_full = true;
    return bytes_trim(text);
}

struct bytes value_text(struct translation *t, unsigned field, unsigned component) {
    struct bytes raw = value_raw(t, field, component);
    return hl7_is_null(raw) ? BYTES_NONE : text_of(t, raw);
}

static int64_t read_time(struct translation *t, struct bytes raw, bool *is_ambiguous) {
    struct time_read time;
    raw = bytes_trim(raw);
    if (bytes_is_empty(raw) || hl7_is_null(raw))
        return INSTANT_NONE;
    if (!time_read_hl7(raw, t->context->zone, &time)) {
        translate_warn(t, "a time is not of the form");
        return INSTANT_NONE;
    }
    if (is_ambiguous)
        *is_ambiguous = time.is_ambiguous;
    return time.at;
}

int64_t time_of(struct translation *t, struct bytes raw) {
    return read_time(t, raw, NULL);
}

int64_t value_time(struct translation *t, unsigned field) {
    return time_of(t, value_raw(t, field, 1));
}

struct bytes instant_text(struct translation *t, int64_t at) {
    struct text text;
    if (at == INSTANT_NONE)
        return BYTES_NONE;
    if (text_init_arena(&text, t->arena, 40)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    time_put_iso_utc(&text, at);
    return text_bytes(&text);
}

static struct bytes upper(struct translation *t, struct bytes b) {
    bool has_lower = false;
    for (size_t i = 0; i < b.size; i++)
        has_lower = has_lower || (b.data[i] >= 'a' && b.data[i] <= 'z');
    if (!has_lower)
        return b;
    uint8_t *copy = arena_alloc(t->arena, b.size);
    if (!copy) {
        t->is_full = true;
        return BYTES_NONE;
    }
    for (size_t i = 0; i < b.size; i++)
        copy[i] = b.data[i] >= 'a' && b.data[i] <= 'z' ? (uint8_t)(b.data[i] - 32) : b.data[i];
    return bytes_from(copy, b.size);
}

/* CX: number, check digit, scheme, authority (HD: namespace & universal id), type. */
bool identifier_of(struct translation *t, struct bytes repetition, struct fact_identifier *out) {
    const struct hl7_delimiters *d = &t->message.delimiters;
    struct bytes number =
        bytes_trim(hl7_subcomponent_of(d, component_of(t, repetition, 1), 1));
    struct bytes authority = component_of(t, repetition, 4);
    struct bytes name = bytes_trim(hl7_subcomponent_of(d, authority, 1));
    if (bytes_is_empty(name))
        name = bytes_trim(hl7_subcomponent_of(d, authority, 2));
    *out = (struct fact_identifier){
        .authority = text_of(t, name),
        .type = upper(t, text_of(t, bytes_trim(component_of(t, repetition, 5)))),
        .number = hl7_is_null(number) ? BYTES_NONE : text_of(t, number),
    };
    return !bytes_is_empty(out->number);
}

/* ---- the header ---- */

static void read_header(struct translation *t) {
    struct facts *facts = t->facts;
    struct hl7_segment msh = {t->message.msh, bytes_first(t->message.msh, 3), 0,
                              t->message.delimiters};
    t->segment = msh;
    hl7_segment_split(&t->segment, t->fields, FIELDS_MAX);
    facts->application = value_text(t, 3, 1);
    facts->facility = value_text(t, 4, 1);
    facts->type = upper(t, value_text(t, 9, 1));
    facts->trigger = upper(t, value_text(t, 9, 2));
    facts->control_id = value_text(t, 10, 1);
    facts->own_time = read_time(t, value_raw(t, 7, 1), &facts->is_ambiguous);
    facts->said = facts->own_time;
    facts->is_charset_mismatch = t->message.is_charset_mismatch;
    /* Some send ADT_A01, or ADT with the structure only, in the first component. */
    size_t at = bytes_find(facts->type, '_');
    if (bytes_is_empty(facts->trigger) && at != BYTES_NOT_FOUND) {
        facts->trigger = bytes_skip(facts->type, at + 1);
        facts->type = bytes_first(facts->type, at);
    }
}

static void read_evn(struct translation *t) {
    struct facts *facts = t->facts;
    bool is_ambiguous = false;
    int64_t recorded = read_time(t, value_raw(t, 2, 1), &is_ambiguous);
    if (recorded != INSTANT_NONE) {
        facts->said = recorded;
        facts->is_ambiguous = is_ambiguous;
    }
    t->event_at = value_time(t, 6);
    if (bytes_is_empty(facts->trigger)) /* before v2.3 the event may stand only here */
        facts->trigger = upper(t, value_text(t, 1, 1));
}

static void read_zbe(struct translation *t) {
    struct bytes repetition = BYTES_NONE;
    repetition_of(t, t->fields[1], 1, &repetition);
    t->movement_id = text_of(t, bytes_trim(component_of(t, repetition, 1)));
    t->movement_at = value_time(t, 2);
    t->movement_action = value_text(t, 4, 1);
    t->original_event = upper(t, value_text(t, 6, 1));
}

/* ---- segments ---- */

struct reader {
    char name[4];
    void (*read)(struct translation *t);
};
static const struct reader readers[] = {
    {"OBX", translate_obx}, {"NTE", translate_nte}, {"PID", translate_pid}, {"PV1", translate_pv1},
    {"OBR", translate_obr}, {"ORC", translate_orc}, {"EVN", read_evn},      {"AL1", translate_al1},
    {"DG1", translate_dg1}, {"MRG", translate_mrg}, {"IAM", translate_iam}, {"TXA", translate_txa},
    {"ZBE", read_zbe},
};

static void read_segments(struct translation *t) {
    struct hl7_walk walk = {0};
    while (hl7_segment_next(&t->message, &walk, &t->segment) && !t->is_full) {
        for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
            if (t->segment.name.size == 3 && !memcmp(t->segment.name.data, readers[i].name, 3)) {
                hl7_segment_split(&t->segment, t->fields, FIELDS_MAX);
                readers[i].read(t);
                break;
            }
    }
}

/* ---- what kind of message it is ---- */

enum kind { KIND_READ, KIND_NOT_YET, KIND_NO_PATIENT, KIND_UNKNOWN };

static enum kind kind_of(struct bytes type) {
    static const struct {
        const char *type;
        enum kind kind;
    } kinds[] = {
        {"ADT", KIND_READ},       {"ORU", KIND_READ},       {"MDM", KIND_READ},
        {"OUL", KIND_READ},       {"ORM", KIND_NOT_YET},    {"OML", KIND_NOT_YET},
        {"OMG", KIND_NOT_YET},    {"OMI", KIND_NOT_YET},    {"OMP", KIND_NOT_YET},
        {"ORL", KIND_NOT_YET},    {"ORR", KIND_NOT_YET},    {"RDE", KIND_NOT_YET},
        {"RDS", KIND_NOT_YET},    {"RAS", KIND_NOT_YET},    {"RGV", KIND_NOT_YET},
        {"SIU", KIND_NOT_YET},    {"SRM", KIND_NOT_YET},    {"VXU", KIND_NOT_YET},
        {"PPR", KIND_NOT_YET},    {"BAR", KIND_NOT_YET},    {"DFT", KIND_NOT_YET},
        {"REF", KIND_NOT_YET},    {"CCM", KIND_NOT_YET},    {"PGL", KIND_NOT_YET},
        {"ACK", KIND_NO_PATIENT}, {"MFN", KIND_NO_PATIENT}, {"QRY", KIND_NO_PATIENT},
        {"QBP", KIND_NO_PATIENT}, {"RSP", KIND_NO_PATIENT}, {"ADR", KIND_NO_PATIENT},
        {"NMD", KIND_NO_PATIENT}, {"QCK", KIND_NO_PATIENT}, {"VXQ", KIND_NO_PATIENT},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (bytes_is(type, kinds[i].type))
            return kinds[i].kind;
    return KIND_UNKNOWN;
}

static bool adt_is_read(struct bytes trigger) {
    static const char read[] = "A01A02A03A04A05A06A07A08A11A12A13A18A28A31A34A36A40A60";
    for (size_t i = 0; i + 3 < sizeof read; i += 3)
        if (trigger.size == 3 && !memcmp(trigger.data, read + i, 3))
            return true;
    return false;
}

bool facts_understands(const struct hl7_header *header) {
    if (!header->has_msh)
        return false;
    enum kind kind = kind_of(header->type_code);
    if (kind == KIND_READ && bytes_is(header->type_code, "ADT") && !bytes_is_empty(header->trigger))
        return adt_is_read(header->trigger);
    return kind == KIND_READ;
}

static void judge(struct translation *t) {
    struct facts *facts = t->facts;
    switch (kind_of(facts->type)) {
    case KIND_READ:
        if (bytes_is(facts->type, "ADT") && !adt_is_read(facts->trigger))
            translate_aside(t, bytes_is_empty(facts->trigger)
                                   ? "the message does not say which event it is"
                                   : "this event is not translated yet; patient and stay were read",
                            0);
        break;
    case KIND_NOT_YET:
        translate_aside(t, "this kind of message is not translated yet; patient and stay were read", 0);
        break;
    case KIND_NO_PATIENT:
        translate_aside(t, "this kind of message is not about a patient", 0);
        break;
    case KIND_UNKNOWN:
        translate_aside(t, bytes_is_empty(facts->type) ? "the message does not say what kind it is"
                                                       : "this kind of message is not known",
                        0);
        break;
    }
    if (!facts->has_subject)
        translate_aside(t, "no patient number was found", 0);
}

enum err facts_from_hl7(struct bytes body, const struct facts_context *context, struct arena *arena,
                        struct facts *facts) {
    struct translation t = {
        .context = context,
        .arena = arena,
        .facts = facts,
        .event_at = INSTANT_NONE,
        .admitted_at = INSTANT_NONE,
        .discharged_at = INSTANT_NONE,
        .movement_at = INSTANT_NONE,
    };
    struct fault fault = {0};
    *facts = (struct facts){.own_time = INSTANT_NONE, .said = context->received_at};
    if (hl7_message_init(&t.message, body, context->otherwise, &fault)) {
        translate_aside(&t, fault.what, fault.at);
        return ERR_OK;
    }
    read_header(&t);
    read_segments(&t);
    if (facts->said == INSTANT_NONE)
        facts->said = context->received_at;
    facts->is_date_doubtful = facts->said > context->received_at + FUTURE_US;
    /* Movements and cells need the event's time, which may stand in any segment. */
    translate_movement(&t);
    judge(&t);
    /* Without a patient there is nobody that facts could be about. */
    if (!facts->has_subject)
        facts->count = 0;
    return t.is_full ? ERR_LIMIT : ERR_OK;
}
