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

bool facts_understands(const struct hl7_header *header) {
    enum message_kind kind = kind_of_message(header->type_code)->kind;
    if (!header->has_msh)
        return false;
    if (kind == KIND_EVENT && !bytes_is_empty(header->trigger))
        return event_is_read(header->trigger);
    return kind == KIND_EVENT || kind == KIND_RESULTS || kind == KIND_DOCUMENT ||
           kind == KIND_ORDERS || kind == KIND_VACCINATION || kind == KIND_APPOINTMENT ||
           kind == KIND_PROBLEMS;
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
        facts->is_ambiguous = t->is_said_ambiguous = own.is_ambiguous;
    }
    t->is_french = bytes_is(value_raw(t, 17, 1), "FRA") || bytes_is(value_raw(t, 12, 2), "FRA");
    const struct kind_of_type *kind = kind_of_message(facts->type);
    t->kind = kind->kind;
    t->states_place = kind->states_place;
    check_establishment(t, 4);
}

/* ---- segments ---- */

struct reader {
    char name[4];
    uint8_t fields_max; /* one more than the last field that is read */
    void (*read)(struct translation *t);
};
static const struct reader readers[] = {
    {"OBX", 15, translate_obx}, {"NTE", 4, translate_nte},  {"PID", 33, translate_pid},
    {"PV1", 46, translate_pv1}, {"OBR", 37, translate_obr}, {"ORC", 17, translate_orc},
    {"EVN", 8, translate_evn},  {"AL1", 7, translate_al1},  {"DG1", 22, translate_dg1},
    {"PV2", 10, translate_pv2}, {"MRG", 6, translate_mrg},  {"IAM", 18, translate_iam},
    {"TXA", 26, translate_txa}, {"ZBE", 10, translate_zbe}, {"SPM", 5, translate_spm},
    {"TQ1", 12, translate_tq1}, {"RXO", 23, translate_rxo}, {"RXE", 28, translate_rxe},
    {"RXR", 3, translate_rxr},  {"RXC", 7, translate_rxc},  {"RXA", 22, translate_rxa},
    {"RXD", 19, translate_rxd}, {"RXG", 20, translate_rxg}, {"ODS", 5, translate_ods},
    {"ODT", 4, translate_odt},  {"RQD", 7, translate_rqd},  {"BPO", 6, translate_bpo},
    {"SCH", 26, translate_sch}, {"ARQ", 12, translate_arq}, {"AIS", 9, translate_ais},
    {"AIG", 13, translate_aig}, {"AIL", 11, translate_ail}, {"AIP", 11, translate_aip},
    {"PRB", 17, translate_prb},
};

static const struct reader *reader_of(struct bytes name) {
    if (name.size != 3)
        return NULL;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (!memcmp(name.data, readers[i].name, 3))
            return &readers[i];
    return NULL;
}

/* After a PID that names another patient only what a merge says of that pair is read, and what an appointment has for all. */
static bool is_of_other_patient(const struct translation *t, const struct reader *reader) {
    static const char *const own[] = {"PV1", "PV2", "OBX", "DG1", "AL1", "IAM"};
    if (!t->is_other_patient || reader->read == translate_pid || reader->read == translate_mrg)
        return false;
    for (size_t i = 0; t->kind == KIND_APPOINTMENT && i < sizeof own / sizeof own[0]; i++)
        if (!strcmp(reader->name, own[i]))
            return true;
    return t->kind != KIND_APPOINTMENT;
}

/* Two messages in one frame: false. What stands before the second is read. */
static bool is_same_message(struct translation *t) {
    if (!bytes_is(t->segment.name, "MSH") || t->segment.at == 0)
        return true;
    translate_aside(t, "several messages came as one: only the first was read", t->segment.at);
    return false;
}

/* From *walk on, to the end of the message or to where facts about the next patient begin; *walk is left there. */
static void read_segments(struct translation *t, struct hl7_walk *walk) {
    struct hl7_walk before = *walk;
    for (; !t->is_full && hl7_segment_next(&t->message, walk, &t->segment); before = *walk) {
        if (!is_same_message(t))
            return;
        const struct reader *reader = reader_of(t->segment.name);
        if (!reader || is_of_other_patient(t, reader))
            continue;
        hl7_segment_split(&t->segment, t->fields, reader->fields_max);
        reader->read(t);
        if (t->is_at_next) {
            *walk = before;
            return;
        }
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
    case KIND_ORDERS:
    case KIND_ORDER_ANSWER:
    case KIND_VACCINATION:
    case KIND_APPOINTMENT:
    case KIND_PROBLEMS:
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
        return event_is_deletion(trigger)
                   ? "a stay or a person is said to be entered in error: a person has to decide"
                   : "this event is not translated: only patient and stay were read";
    const char *no_merge = reason_no_merge(t);
    if (no_merge)
        return no_merge;
    bool is_correction = bytes_is(trigger, "Z99");
    if (is_correction && !says(t->facts, FACT_MOVEMENT) && !says(t->facts, FACT_CANCEL))
        return "a correction names no movement (ZBE-1) or no event (ZBE-6)";
    return NULL;
}

/* Goals (PGL) and pathways (PPP) have no place in a chart; the problems beside them have. */
static const char *reason_problems_not_read(const struct translation *t) {
    if (!bytes_is(t->facts->type, "PPR"))
        return "goals and pathways are not translated: only patient, stay and problems were read";
    return says(t->facts, FACT_DIAGNOSIS) ? NULL : "a message of problems holds none (PRB)";
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
    case KIND_ORDERS:
        return says(t->facts, FACT_ORDER) || says(t->facts, FACT_MEDICATION_EVENT)
                   ? NULL
                   : "a message of orders holds none (ORC, OBR, RXA)";
    case KIND_VACCINATION:
        return says(t->facts, FACT_MEDICATION_EVENT) ? NULL
                                                     : "a message of vaccines holds none (RXA)";
    case KIND_APPOINTMENT:
        return says(t->facts, FACT_APPOINTMENT) ? NULL
                                                : "a message of appointments holds none (SCH)";
    case KIND_PROBLEMS:
        return reason_problems_not_read(t);
    case KIND_LATER:
        return "this kind of message is not translated: only patient and stay were read";
    case KIND_ORDER_ANSWER:
    case KIND_ANSWER:
    case KIND_QUERY:
    case KIND_SYSTEM:
    case KIND_UNKNOWN:
        break;
    }
    return NULL;
}

static const char *reason_no_patient(const struct translation *t) {
    if (t->kind == KIND_ORDER_ANSWER)
        return "an acknowledgement or answer: it says nothing of a patient";
    if (t->kind == KIND_EVENT && bytes_is(t->facts->trigger, "A20"))
        return "the state of a bed, not of a patient";
    return "there is no PID: the message names no patient";
}

static void finish(struct translation *t, size_t type_at) {
    struct facts *facts = t->facts;
    if (!t->has_pid)
        translate_aside(t, reason_no_patient(t), t->kind == KIND_ORDER_ANSWER ? type_at : 0);
    facts->is_date_doubtful = facts->said > t->context->received_at + FUTURE_US;
    if (!facts->has_subject) { /* there is nobody that facts could be about */
        facts->count = 0;
        return;
    }
    order_close(t);
    finish_visit(t);
    finish_results(t);
    finish_document(t);
    finish_appointment(t);
    const char *reason = reason_lacking(t);
    if (reason)
        translate_aside(t, reason, type_at);
}

/* The escape character stands in MSH-2 at any rate; what matters is whether it does again. */
static bool is_plain(const struct hl7_message *message) {
    struct bytes after = bytes_skip(message->all, 4);
    size_t end = bytes_find(after, message->delimiters.field); /* of MSH-2, which may be short or empty */
    struct bytes rest = end == BYTES_NOT_FOUND ? after : bytes_skip(after, end);
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

/* What is gathered of one patient begins anew; what the message says of itself, and of when, stays. */
static void forget_patient(struct translation *t) {
    struct movement_times times = t->times;
    memset(&t->has_pid, 0, sizeof *t - offsetof(struct translation, has_pid));
    t->order.is_open = false;
    t->report = t->observation = t->document = NO_FACT;
    t->times.event = times.event;
    t->times.has_event = times.has_event;
    t->times.planned = times.planned;
    t->times.has_planned = times.has_planned;
    t->capacity = 0;
}

/* The next patient's facts, of the same sender, said at the same time. NULL: the arena is full. */
static struct facts *begin_next(struct translation *t) {
    const struct facts *before = t->facts;
    struct facts *next = arena_alloc(t->arena, sizeof *next);
    if (!next) {
        t->is_full = true;
        return NULL;
    }
    *next = (struct facts){
        .application = before->application,
        .facility = before->facility,
        .type = before->type,
        .trigger = before->trigger,
        .control_id = before->control_id,
        .own_time = before->own_time,
        .is_charset_mismatch = before->is_charset_mismatch,
        .said = before->said,
        .is_ambiguous = t->is_said_ambiguous,
    };
    if (t->is_same_subject) {
        next->has_subject = before->has_subject;
        next->subject = before->subject;
    }
    return next;
}

/* Of the others who have the same appointment nothing more is read than that. */
static void add_companions(struct translation *t) {
    struct fact_appointment *appointment = t->appointment;
    struct fact_identifier *companions = t->companions;
    size_t count = appointment ? t->companion_count : 0;
    for (size_t i = 0; i < count; i++) {
        struct facts *next = begin_next(t);
        if (!next)
            return;
        next->has_subject = true;
        next->subject = companions[i];
        t->facts->next = next;
        t->facts = next;
        t->capacity = 0;
        struct fact *fact = translate_add(t, FACT_APPOINTMENT);
        if (!fact)
            return;
        *fact->appointment = *appointment;
    }
}

#define PATIENTS_MAX 1000u /* of one message */

static void read_patients(struct translation *t, size_t type_at) {
    struct hl7_walk walk = {0};
    for (unsigned count = 1;; count++) {
        t->splits &= count < PATIENTS_MAX;
        read_segments(t, &walk);
        bool has_next = t->is_at_next, is_same = t->is_same_subject;
        finish(t, type_at);
        struct facts *next = has_next && !t->is_full ? begin_next(t) : NULL;
        if (!next) {
            add_companions(t);
            return;
        }
        t->facts->next = next;
        forget_patient(t);
        t->facts = next;
        t->has_pid = is_same;
        t->survivor = next->subject;
    }
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
    read_patients(t, type_at);
}

static enum err from_hl7(struct bytes body, const struct hl7_thin *thin, uint64_t entry,
                         const struct facts_context *context, struct arena *arena,
                         struct facts *facts) {
    struct translation t;
    struct fault fault = {0};
    memset(&t, 0, offsetof(struct translation, fields));
    t.order.is_open = false;
    t.order.count = 0;
    memset(&t.has_pid, 0, sizeof t - offsetof(struct translation, has_pid));
    t.thin = thin;
    t.splits = !thin; /* of a message that is not whole nobody knows what else is in it */
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
