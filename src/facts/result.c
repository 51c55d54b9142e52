/* result.c - results: ORC and OBR make a report, OBX its observations, NTE the notes to what stands before them.
 *
 * OBX that stand under no OBR (height and weight in an ADT) make a report of their own, of the same code, for each
 * observation, so that its key tells it from others by code and by time. */
#include "facts/translate.h"

/* How far back an OBX may continue one that is not the last. */
#define LOOK_BACK 64u

/* ---- status ---- */

/* Tables 0085 and 0123. S is a partial result in the one, a scheduled procedure in the other. */
static enum result_status status_of(struct bytes code, bool is_observation) {
    static const struct {
        char code;
        enum result_status status;
    } statuses[] = {
        {'F', RESULT_FINAL},       {'P', RESULT_PRELIMINARY}, {'C', RESULT_CORRECTED},
        {'R', RESULT_PRELIMINARY}, {'A', RESULT_PRELIMINARY}, {'I', RESULT_PENDING},
        {'O', RESULT_PENDING},     {'U', RESULT_FINAL},       {'D', RESULT_DELETED},
        {'W', RESULT_WRONG},       {'X', RESULT_CANCELLED},   {'N', RESULT_CANCELLED},
    };
    if (code.size != 1)
        return RESULT_UNKNOWN;
    if ((code.data[0] | 0x20) == 's')
        return is_observation ? RESULT_PRELIMINARY : RESULT_PENDING;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if ((code.data[0] & 0xDF) == (uint8_t)statuses[i].code)
            return statuses[i].status;
    return RESULT_UNKNOWN;
}

static bool is_taken_back(enum result_status status) {
    return status == RESULT_DELETED || status == RESULT_WRONG || status == RESULT_CANCELLED;
}

/* Of several lines that make one value: it is as unfinished as its most unfinished line, and corrected by any. */
static enum result_status status_of_both(enum result_status a, enum result_status b) {
    if (a == b)
        return a;
    enum result_status least = a < b ? a : b;
    return least == RESULT_FINAL ? RESULT_CORRECTED : least;
}

/* ---- reports ---- */

static struct fact_report *report_at(struct translation *t) {
    return t->report == NO_FACT ? NULL : &t->facts->list[t->report].report;
}

static void close_report(struct translation *t) {
    struct fact_report *report = report_at(t);
    if (report)
        report->notes = t->report_notes.text;
    t->report = t->observation = NO_FACT;
    t->report_notes = (struct lines){0};
    t->is_report_of_obx = false;
}

static struct fact_report *open_report(struct translation *t) {
    close_report(t);
    struct fact *fact = translate_add(t, FACT_REPORT);
    if (!fact)
        return NULL;
    t->report = t->facts->count - 1;
    t->observation_capacity = 0;
    t->room = NULL;
    fact->report.collected_at = fact->report.reported_at = INSTANT_NONE;
    return &fact->report;
}

/* OBR and OBX of an order, a document or an event's procedure are no results. */
static bool reads_results(const struct translation *t) {
    return t->kind == KIND_RESULTS;
}

/* In OUL the ORC follows its OBR; in all others it stands before. */
static bool order_follows(const struct translation *t) {
    return bytes_is(t->facts->type, "OUL");
}

void translate_orc(struct translation *t) {
    if (is_of_orders(t)) {
        order_orc(t);
        return;
    }
    struct bytes placer = entity_text(t, 2), filler = entity_text(t, 3);
    if (!reads_results(t))
        return;
    struct fact_report *report = order_follows(t) && !t->is_report_of_obx ? report_at(t) : NULL;
    if (!report) {
        close_report(t);
        t->order_placer = placer;
        t->order_filler = filler;
        return;
    }
    if (bytes_is_empty(report->placer))
        report->placer = placer;
    if (bytes_is_empty(report->filler))
        report->filler = filler;
}

void translate_obr(struct translation *t) {
    if (is_of_orders(t)) {
        order_obr(t);
        return;
    }
    struct fact_report *report = reads_results(t) ? open_report(t) : NULL;
    if (!report)
        return;
    struct coded service = coded_field(t, 4);
    struct bytes placer = entity_text(t, 2), filler = entity_text(t, 3);
    report->placer = bytes_is_empty(placer) ? t->order_placer : placer;
    report->filler = bytes_is_empty(filler) ? t->order_filler : filler;
    report->code = service.code;
    report->text = service.text;
    report->system = service.system;
    report->collected_at = value_time(t, 7);
    report->reported_at = value_time(t, 22);
    report->status = status_of(value_raw(t, 25, 1), false);
    report->requester = person_text(t, 16, false);
    t->order_placer = t->order_filler = BYTES_NONE;
}

/* ---- observations ---- */

/* What identifies it is needed first: a report may have to be opened for it. */
static void read_observation(struct translation *t, struct fact_observation *out) {
    struct coded code = coded_field(t, 3);
    *out = (struct fact_observation){
        .code = code.code,
        .system = code.system,
        .text = code.text,
        .sub_id = text_of(t, t->fields[4]),
        .type = value_upper(t, 2, 1),
        .unit = unit_text(t, 6),
        .range = text_of(t, first_repetition(t, 7)),
        .flags = coded_codes(t, 8, " "),
        .status = status_of(value_raw(t, 11, 1), true),
        .observed_at = value_time(t, 14),
    };
    if (bytes_is_empty(code.text))
        translate_warn(t, "a result names no observation (OBX-3)");
}

static bool is_same(const struct fact_observation *a, const struct fact_observation *b) {
    return bytes_equal(a->code, b->code) && bytes_equal(a->sub_id, b->sub_id) &&
           (!bytes_is_empty(a->code) || bytes_equal(a->text, b->text));
}

/* The observation of this report that `next` goes on with; NO_FACT when it begins one. */
static size_t continued(const struct fact_report *report, const struct fact_observation *next) {
    size_t oldest =
        report->observation_count > LOOK_BACK ? report->observation_count - LOOK_BACK : 0;
    if (!type_is_textual(next->type))
        return NO_FACT;
    for (size_t i = report->observation_count; i-- > oldest;) {
        const struct fact_observation *o = &report->observations[i];
        if (is_same(o, next) && type_is_textual(o->type) &&
            (o->status == next->status ||
             !(is_taken_back(o->status) || is_taken_back(next->status))))
            return i;
    }
    return NO_FACT;
}

static bool grow_observations(struct translation *t, struct fact_report *report) {
    size_t count = report->observation_count;
    if (count < t->observation_capacity)
        return true;
    size_t capacity = count ? count * 2 : 8;
    struct fact_observation *list = arena_array(t->arena, capacity, sizeof *list);
    struct observation_room *room = arena_array(t->arena, capacity, sizeof *room);
    if (!list || !room) {
        t->is_full = true;
        return false;
    }
    if (count) {
        memcpy(list, report->observations, count * sizeof *list);
        memcpy(room, t->room, count * sizeof *room);
    }
    report->observations = list;
    t->room = room;
    t->observation_capacity = capacity;
    return true;
}

/* The report an OBX belongs to: the OBR's, or one of its own. */
static struct fact_report *report_for(struct translation *t, const struct fact_observation *next) {
    struct fact_report *report = report_at(t);
    if (report && (!t->is_report_of_obx ||
                   (report->observation_count && is_same(&report->observations[0], next) &&
                    report->collected_at == next->observed_at)))
        return report;
    if (reads_results(t))
        translate_warn(t, "a result stands under no order (OBR)");
    report = open_report(t);
    if (!report)
        return NULL;
    t->is_report_of_obx = true;
    report->code = next->code;
    report->system = next->system;
    report->text = next->text;
    report->collected_at = next->observed_at;
    report->status = next->status;
    return report;
}

/* U says only that what was preliminary is final: without a value it must not replace the one that stands. */
static bool only_changes_status(const struct translation *t) {
    return bytes_is(value_raw(t, 11, 1), "U") && bytes_is_empty(t->fields[5]);
}

static void put_observation(struct translation *t, struct fact_report *report,
                            struct fact_observation *next) {
    size_t at = continued(report, next);
    bool is_new = at == NO_FACT;
    if (is_new) {
        if (!grow_observations(t, report))
            return;
        at = report->observation_count++;
        report->observations[at] = *next;
        t->room[at] = (struct observation_room){0};
    }
    struct fact_observation *o = &report->observations[at];
    struct lines lines = {o->value, t->room[at].value};
    read_value(t, next->type, &lines);
    o->value = lines.text;
    t->room[at].value = lines.capacity;
    o->status = status_of_both(o->status, next->status);
    t->observation = at;
}

void translate_obx(struct translation *t) {
    struct fact_observation next;
    if (t->kind == KIND_DOCUMENT) {
        translate_document_content(t);
        return;
    }
    if (is_of_orders(t))
        order_obx(t);
    if (t->kind != KIND_RESULTS && t->kind != KIND_EVENT)
        return;
    if (only_changes_status(t)) {
        translate_warn(t, "a result becomes final (OBX-11 U) without its value being said again");
        return;
    }
    read_observation(t, &next);
    struct fact_report *report = report_for(t, &next);
    if (!report)
        return;
    if (next.status == RESULT_UNKNOWN)
        next.status = report->status;
    if (next.observed_at == INSTANT_NONE)
        next.observed_at = report->collected_at;
    put_observation(t, report, &next);
}

/* In OUL a specimen begins a group: what follows is of its own orders. */
void translate_spm(struct translation *t) {
    if (is_of_orders(t))
        order_spm(t);
    if (order_follows(t))
        close_report(t);
}

static void add_notes(struct translation *t, struct lines *notes) {
    struct bytes rest = t->fields[3], repetition;
    while (next_repetition(t, &rest, &repetition)) {
        struct bytes line = layout_of(t, repetition);
        if (!bytes_is_empty(line))
            add_line(t, notes, line);
    }
}

/* A note belongs to what stands before it; those to patients and stays are not read. */
void translate_nte(struct translation *t) {
    if (is_of_orders(t))
        order_nte(t);
    if (t->kind == KIND_APPOINTMENT)
        appointment_nte(t);
    struct fact_report *report = report_at(t);
    if (t->kind == KIND_DOCUMENT) {
        translate_document_note(t);
        return;
    }
    if (!report)
        return;
    if (t->observation == NO_FACT) {
        add_notes(t, &t->report_notes);
        return;
    }
    struct fact_observation *o = &report->observations[t->observation];
    struct lines notes = {o->notes, t->room[t->observation].notes};
    add_notes(t, &notes);
    o->notes = notes.text;
    t->room[t->observation].notes = notes.capacity;
}

/* What has no OBR-22 was reported when it was said. One from the future outranks nothing. */
void finish_results(struct translation *t) {
    struct facts *facts = t->facts;
    close_report(t);
    for (size_t i = 0; i < facts->count; i++) {
        if (facts->list[i].kind != FACT_REPORT)
            continue;
        struct fact_report *report = &facts->list[i].report;
        if (report->reported_at == INSTANT_NONE)
            report->reported_at = facts->said;
        facts->is_date_doubtful |= report->reported_at > t->context->received_at + FUTURE_US;
    }
}
