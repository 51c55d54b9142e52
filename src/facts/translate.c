/* translate.c - from one HL7 v2 message to the list of what it says. */
#include "facts/translate.h"

#define FACTS_FIRST 24u

void translate_warn(struct translation *t, const char *warning) {
    if (t->facts->warning_count++ == 0)
        t->facts->warning = warning;
}

void translate_aside(struct translation *t, const char *reason, size_t at) {
    if (t->facts->aside)
        return;
    t->facts->aside = reason;
    t->facts->aside_at = t->lead + at;
}

/* What few messages say and is large stands elsewhere, so that a list of many small facts stays small. */
static bool add_apart(struct translation *t, struct fact *fact) {
    switch (fact->kind) {
    case FACT_ORDER:
        fact->order = arena_alloc(t->arena, sizeof *fact->order);
        return fact->order;
    case FACT_MEDICATION_EVENT:
        fact->medication_event = arena_alloc(t->arena, sizeof *fact->medication_event);
        return fact->medication_event;
    case FACT_APPOINTMENT:
        fact->appointment = arena_alloc(t->arena, sizeof *fact->appointment);
        return fact->appointment;
    default:
        return true;
    }
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
    }
    struct fact *fact = &facts->list[facts->count];
    fact->kind = kind;
    if (!add_apart(t, fact)) {
        t->is_full = true;
        return NULL;
    }
    facts->count++;
    return fact;
}

/* ---- what kind of message it is ---- */

struct kind_of_type {
    char type[4];
    enum message_kind kind;
    bool states_place; /* its PV1-3 is where the patient is now, not where an appointment or an account is */
};
static const struct kind_of_type kinds[] = {
    {"ORU", KIND_RESULTS, true}, {"ADT", KIND_EVENT, true},   {"MDM", KIND_DOCUMENT, true},
    {"OUL", KIND_RESULTS, true}, {"ORM", KIND_LATER, true},   {"OML", KIND_LATER, true},
    {"OMG", KIND_LATER, true},   {"OMI", KIND_LATER, true},   {"OMP", KIND_LATER, true},
    {"OMS", KIND_LATER, true},   {"OMN", KIND_LATER, true},   {"OMD", KIND_LATER, true},
    {"OMB", KIND_LATER, true},   {"ORA", KIND_LATER, true},   {"RDE", KIND_LATER, true},
    {"RDS", KIND_LATER, true},   {"RAS", KIND_LATER, true},   {"RGV", KIND_LATER, true},
    {"PPR", KIND_LATER, true},   {"PGL", KIND_LATER, true},   {"PPP", KIND_LATER, true},
    {"SIU", KIND_LATER, false},  {"SRM", KIND_LATER, false},  {"VXU", KIND_LATER, false},
    {"BAR", KIND_LATER, false},  {"DFT", KIND_LATER, false},  {"REF", KIND_LATER, false},
    {"RPI", KIND_LATER, false},  {"CCM", KIND_LATER, false},  {"CCR", KIND_LATER, false},
    {"CCU", KIND_LATER, false},  {"CSU", KIND_LATER, false},  {"CRM", KIND_LATER, false},
    {"PEX", KIND_LATER, false},  {"ORD", KIND_ANSWER, false}, {"ACK", KIND_ANSWER, false},
    {"MCF", KIND_ANSWER, false}, {"ORR", KIND_ANSWER, false}, {"ORL", KIND_ANSWER, false},
    {"ORG", KIND_ANSWER, false}, {"ORI", KIND_ANSWER, false}, {"ORP", KIND_ANSWER, false},
    {"ORS", KIND_ANSWER, false}, {"ORN", KIND_ANSWER, false}, {"ORB", KIND_ANSWER, false},
    {"RRE", KIND_ANSWER, false}, {"RRD", KIND_ANSWER, false}, {"RRA", KIND_ANSWER, false},
    {"RRG", KIND_ANSWER, false}, {"RRI", KIND_ANSWER, false}, {"SRR", KIND_ANSWER, false},
    {"MFK", KIND_ANSWER, false}, {"QCK", KIND_ANSWER, false}, {"QRY", KIND_QUERY, false},
    {"QBP", KIND_QUERY, false},  {"QSB", KIND_QUERY, false},  {"QVR", KIND_QUERY, false},
    {"QCN", KIND_QUERY, false},  {"RSP", KIND_QUERY, false},  {"RTB", KIND_QUERY, false},
    {"RDY", KIND_QUERY, false},  {"ADR", KIND_QUERY, false},  {"ORF", KIND_QUERY, false},
    {"OSQ", KIND_QUERY, false},  {"OSR", KIND_QUERY, false},  {"SQM", KIND_QUERY, false},
    {"SQR", KIND_QUERY, false},  {"VXQ", KIND_QUERY, false},  {"VXR", KIND_QUERY, false},
    {"VXX", KIND_QUERY, false},  {"VQQ", KIND_QUERY, false},  {"SPQ", KIND_QUERY, false},
    {"RQI", KIND_QUERY, false},  {"RQP", KIND_QUERY, false},  {"RQA", KIND_QUERY, false},
    {"DSR", KIND_QUERY, false},  {"EQQ", KIND_QUERY, false},  {"TBR", KIND_QUERY, false},
    {"MFN", KIND_SYSTEM, false}, {"MFQ", KIND_SYSTEM, false}, {"MFR", KIND_SYSTEM, false},
    {"NMD", KIND_SYSTEM, false}, {"NMQ", KIND_SYSTEM, false}, {"NMR", KIND_SYSTEM, false},
    {"PMU", KIND_SYSTEM, false}, {"ESU", KIND_SYSTEM, false}, {"ESR", KIND_SYSTEM, false},
    {"EAC", KIND_SYSTEM, false}, {"EAN", KIND_SYSTEM, false}, {"EAR", KIND_SYSTEM, false},
    {"INU", KIND_SYSTEM, false}, {"INR", KIND_SYSTEM, false}, {"LSU", KIND_SYSTEM, false},
    {"LSR", KIND_SYSTEM, false}, {"SSU", KIND_SYSTEM, false}, {"SSR", KIND_SYSTEM, false},
    {"TCU", KIND_SYSTEM, false}, {"TCR", KIND_SYSTEM, false}, {"UDM", KIND_SYSTEM, false},
};

static const struct kind_of_type *kind_of(struct bytes type) {
    static const struct kind_of_type unknown = {"", KIND_UNKNOWN, false};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (bytes_is(type, kinds[i].type))
            return &kinds[i];
    return &unknown;
}

bool facts_understands(const struct hl7_header *header) {
    enum message_kind kind = kind_of(header->type_code)->kind;
    if (!header->has_msh)
        return false;
    if (kind == KIND_EVENT && !bytes_is_empty(header->trigger))
        return event_is_read(header->trigger);
    return kind == KIND_EVENT || kind == KIND_RESULTS || kind == KIND_DOCUMENT;
}

/* ---- the header ---- */

/* MSH-9: type and event; some write ADT_A01, or the structure alone. */
static void read_type(struct translation *t) {
    struct facts *facts = t->facts;
    facts->type = value_upper(t, 9, 1);
    facts->trigger = value_upper(t, 9, 2);
    size_t at = bytes_find(facts->type, '_');
    if (at == BYTES_NOT_FOUND)
        return;
    if (bytes_is_empty(facts->trigger))
        facts->trigger = bytes_skip(facts->type, at + 1);
    facts->type = bytes_first(facts->type, at);
}

static void read_header(struct translation *t) {
    struct facts *facts = t->facts;
    struct time_read own;
    facts->application = value_text(t, 3, 1);
    facts->facility = value_text(t, 4, 1);
    facts->control_id = value_text(t, 10, 1);
    facts->is_charset_mismatch = t->message.is_charset_mismatch;
    read_type(t);
    if (time_stated(t, value_raw(t, 7, 1), &own)) {
        facts->own_time = facts->said = own.at;
        facts->is_ambiguous = own.is_ambiguous;
    }
    t->is_french = bytes_is(value_raw(t, 17, 1), "FRA") || bytes_is(value_raw(t, 12, 2), "FRA");
    const struct kind_of_type *kind = kind_of(facts->type);
    t->kind = kind->kind;
    t->states_place = kind->states_place;
}

/* ---- segments ---- */

struct reader {
    char name[4];
    uint8_t fields_max; /* one more than the last field that is read */
    void (*read)(struct translation *t);
};
static const struct reader readers[] = {
    {"OBX", 15, translate_obx}, {"NTE", 4, translate_nte},  {"PID", 33, translate_pid},
    {"PV1", 46, translate_pv1}, {"OBR", 26, translate_obr}, {"ORC", 4, translate_orc},
    {"EVN", 7, translate_evn},  {"AL1", 7, translate_al1},  {"DG1", 22, translate_dg1},
    {"PV2", 4, translate_pv2},  {"MRG", 5, translate_mrg},  {"IAM", 18, translate_iam},
    {"TXA", 26, translate_txa}, {"ZBE", 7, translate_zbe},  {"SPM", 1, translate_spm},
};

static const struct reader *reader_of(struct bytes name) {
    if (name.size != 3)
        return NULL;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (!memcmp(name.data, readers[i].name, 3))
            return &readers[i];
    return NULL;
}

/* After a PID that names another patient only what a merge says of that pair is read. */
static bool is_of_other_patient(const struct translation *t, const struct reader *reader) {
    return t->is_other_patient && reader->read != translate_pid && reader->read != translate_mrg;
}

/* Two messages in one frame: false. What stands before the second is read. */
static bool is_same_message(struct translation *t, bool *has_header) {
    if (!bytes_is(t->segment.name, "MSH"))
        return true;
    if (*has_header) {
        translate_aside(t, "several messages came as one: only the first was read", t->segment.at);
        return false;
    }
    *has_header = true;
    return true;
}

static void read_segments(struct translation *t) {
    struct hl7_walk walk = {0};
    bool has_header = false;
    while (!t->is_full && hl7_segment_next(&t->message, &walk, &t->segment)) {
        if (!is_same_message(t, &has_header))
            return;
        const struct reader *reader = reader_of(t->segment.name);
        if (!reader || is_of_other_patient(t, reader))
            continue;
        hl7_segment_split(&t->segment, t->fields, reader->fields_max);
        reader->read(t);
    }
}

/* ---- what is not understood ---- */

static const char *reason_not_read(const struct translation *t) {
    switch (t->kind) {
    case KIND_ANSWER:
        return "an acknowledgement or answer: it says nothing of a patient";
    case KIND_QUERY:
        return "a query or its answer: it is not taken into charts";
    case KIND_SYSTEM:
        return "data of a system, not of a patient";
    case KIND_UNKNOWN:
        return bytes_is_empty(t->facts->type) ? "MSH-9 does not say what kind of message this is"
                                              : "this kind of message is not known";
    case KIND_EVENT:
    case KIND_RESULTS:
    case KIND_DOCUMENT:
    case KIND_LATER:
        break;
    }
    return NULL;
}

static bool says(const struct facts *facts, enum fact_kind kind) {
    for (size_t i = 0; i < facts->count; i++)
        if (facts->list[i].kind == kind)
            return true;
    return false;
}

static const char *reason_event_not_read(const struct translation *t) {
    struct bytes trigger = t->facts->trigger;
    if (bytes_is_empty(trigger))
        return "neither MSH-9 nor EVN-1 says which event this is: only patient and stay were read";
    if (!event_is_read(trigger))
        return "this event is not translated yet: only patient and stay were read";
    if (event_is_merge(trigger) && t->merge_count == 0)
        return "a merge without MRG";
    if (event_is_link(trigger) && t->merge_count == 0)
        return "an event about two patients names only one";
    bool is_correction = bytes_is(trigger, "Z99");
    if (is_correction && !says(t->facts, FACT_MOVEMENT) && !says(t->facts, FACT_CANCEL))
        return "a correction names no movement (ZBE-1) or no event (ZBE-6)";
    return NULL;
}

/* What a message of its kind should have given and did not. */
static const char *reason_lacking(const struct translation *t) {
    switch (t->kind) {
    case KIND_EVENT:
        return reason_event_not_read(t);
    case KIND_RESULTS:
        return says(t->facts, FACT_REPORT) ? NULL : "a message of results holds none (OBR, OBX)";
    case KIND_DOCUMENT:
        return says(t->facts, FACT_DOCUMENT) ? NULL : "a message of documents without TXA";
    case KIND_LATER:
        return "this kind of message is not translated yet: only patient and stay were read";
    case KIND_ANSWER:
    case KIND_QUERY:
    case KIND_SYSTEM:
    case KIND_UNKNOWN:
        break;
    }
    return NULL;
}

static void finish(struct translation *t, size_t type_at) {
    struct facts *facts = t->facts;
    if (!t->has_pid)
        translate_aside(t, "there is no PID: the message names no patient", 0);
    facts->is_date_doubtful = facts->said > t->context->received_at + FUTURE_US;
    if (!facts->has_subject) { /* there is nobody that facts could be about */
        facts->count = 0;
        return;
    }
    finish_visit(t);
    finish_results(t);
    finish_document(t);
    const char *reason = reason_lacking(t);
    if (reason)
        translate_aside(t, reason, type_at);
}

/* The escape character stands in MSH-2 at any rate; what matters is whether it does again. */
static bool is_plain(const struct hl7_message *message) {
    struct bytes rest = bytes_skip(message->all, 8);
    uint8_t escape = message->delimiters.escape;
    uint64_t word, seen = 0;
    size_t i = 0;
    if (escape && bytes_find(rest, escape) != BYTES_NOT_FOUND)
        return false;
    for (; i + sizeof word <= rest.size; i += sizeof word) {
        memcpy(&word, rest.data + i, sizeof word);
        seen |= word;
    }
    for (; i < rest.size; i++)
        seen |= rest.data[i];
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

static void translate(struct translation *t) {
    t->is_plain = is_plain(&t->message);
    t->segment = (struct hl7_segment){t->message.msh, bytes_first(t->message.msh, 3), 0,
                                      t->message.delimiters};
    hl7_segment_split(&t->segment, t->fields, 19);
    size_t type_at = t->fields[9].data ? (size_t)(t->fields[9].data - t->message.msh.data) : 0;
    read_header(t);
    const char *reason = reason_not_read(t);
    if (reason) {
        translate_aside(t, reason, type_at);
        return;
    }
    if (t->thin && t->thin->is_full)
        translate_aside(t, "the message is so large that only its beginning was read",
                        t->thin->filled);
    read_segments(t);
    finish(t, type_at);
}

static enum err from_hl7(struct bytes body, const struct hl7_thin *thin, uint64_t entry,
                         const struct facts_context *context, struct arena *arena,
                         struct facts *facts) {
    struct translation t;
    struct fault fault = {0};
    memset(&t, 0, offsetof(struct translation, fields));
    memset(&t.has_pid, 0, sizeof t - offsetof(struct translation, has_pid));
    t.thin = thin;
    t.entry = entry;
    t.context = context;
    t.arena = arena;
    t.facts = facts;
    t.report = t.observation = t.document = NO_FACT;
    *facts = (struct facts){.own_time = INSTANT_NONE, .said = context->received_at};
    if (hl7_message_init(&t.message, body, context->otherwise, &fault)) {
        translate_aside(&t, fault.what, fault.at);
        return ERR_OK;
    }
    t.lead = (uint64_t)(t.message.all.data - body.data);
    translate(&t);
    return t.is_full ? ERR_LIMIT : ERR_OK;
}

enum err facts_from_hl7(struct bytes body, const struct facts_context *context, struct arena *arena,
                        struct facts *facts) {
    return from_hl7(body, NULL, 0, context, arena, facts);
}

enum err facts_from_thinned_hl7(const struct hl7_thin *thin, uint64_t entry,
                                const struct facts_context *context, struct arena *arena,
                                struct facts *facts) {
    return from_hl7(hl7_thin_bytes(thin), thin, entry, context, arena, facts);
}
