/* order.c - what is ordered: an ORC and what stands under it (OBR, RXO, RXE, ODS, RQD, TQ1, RXR, RXC, SPM, NTE) is one order.
 *
 * Invariants
 *   1. A group is open from its ORC (or from an OBR that has none) to the next one; it becomes a fact when it is closed.
 *   2. What RXE says of the drug replaces what RXO said: never the amount of one with the unit of the other.
 *   3. What a group only repeats (earlier results, ORC-1 PR) is no order.
 *
 *   closed --ORC, OBR--> open --OBR, RXO, RXE, ODS...--> with detail --ORC, OBR, end--> closed */
#include "facts/translate.h"

/* ---- control codes ---- */

struct control {
    char code[3];
    enum order_state state;
    bool ends; /* ORC-5 of the same segment, which says how it stood, does not take it back */
};
/* Table 0119. What asks for nothing of an order's state, or answers it by a number alone, is not here. */
static const struct control controls[] = {
    {"NW", ORDER_ACTIVE, false},   {"RO", ORDER_ACTIVE, false},   {"RL", ORDER_ACTIVE, false},
    {"OE", ORDER_ACTIVE, false},   {"OR", ORDER_ACTIVE, false},   {"XO", ORDER_ACTIVE, false},
    {"XR", ORDER_ACTIVE, false},   {"XX", ORDER_ACTIVE, false},   {"SN", ORDER_ACTIVE, false},
    {"CH", ORDER_ACTIVE, false},   {"AF", ORDER_ACTIVE, false},   {"OF", ORDER_ACTIVE, false},
    {"FU", ORDER_ACTIVE, false},   {"HD", ORDER_HELD, true},      {"HR", ORDER_HELD, true},
    {"OH", ORDER_HELD, true},      {"DC", ORDER_STOPPED, true},   {"DR", ORDER_STOPPED, true},
    {"OD", ORDER_STOPPED, true},   {"CA", ORDER_CANCELLED, true}, {"CR", ORDER_CANCELLED, true},
    {"OC", ORDER_CANCELLED, true}, {"CM", ORDER_COMPLETED, true}, {"RP", ORDER_REPLACED, true},
    {"RU", ORDER_REPLACED, true},  {"RQ", ORDER_REPLACED, true},  {"UA", ORDER_REFUSED, true},
    {"UC", ORDER_REFUSED, true},   {"UD", ORDER_REFUSED, true},   {"UF", ORDER_REFUSED, true},
    {"UH", ORDER_REFUSED, true},   {"UM", ORDER_REFUSED, true},   {"UR", ORDER_REFUSED, true},
    {"UX", ORDER_REFUSED, true},   {"DF", ORDER_REFUSED, true},   {"DE", ORDER_REFUSED, true},
    {"SC", ORDER_NOT_SAID, false}, {"SR", ORDER_NOT_SAID, false}, {"RE", ORDER_NOT_SAID, false},
    {"OK", ORDER_NOT_SAID, false}, {"NA", ORDER_NOT_SAID, false}, {"RR", ORDER_NOT_SAID, false},
    {"SS", ORDER_NOT_SAID, false}, {"PA", ORDER_NOT_SAID, false}, {"PR", ORDER_NOT_SAID, false},
    {"CN", ORDER_NOT_SAID, false}, {"LI", ORDER_NOT_SAID, false}, {"UN", ORDER_NOT_SAID, false},
    {"RF", ORDER_NOT_SAID, false}, {"OP", ORDER_NOT_SAID, false}, {"PY", ORDER_NOT_SAID, false},
    {"MC", ORDER_NOT_SAID, false},
};

/* Table 0038. */
static enum order_state state_of_status(struct translation *t, struct bytes status) {
    static const struct {
        char code[3];
        enum order_state state;
    } statuses[] = {
        {"IP", ORDER_ACTIVE},    {"SC", ORDER_ACTIVE},    {"A", ORDER_ACTIVE},
        {"HE", ORDER_ACTIVE},    {"HD", ORDER_HELD},      {"DC", ORDER_STOPPED},
        {"CA", ORDER_CANCELLED}, {"CM", ORDER_COMPLETED}, {"RP", ORDER_REPLACED},
        {"ER", ORDER_REFUSED},
    };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (bytes_is(status, statuses[i].code))
            return statuses[i].state;
    if (!bytes_is_empty(status))
        translate_warn(t, "an order's status (ORC-5) is none of table 0038");
    return ORDER_NOT_SAID;
}

static const struct control *control_named(struct bytes code) {
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        if (bytes_is(code, controls[i].code))
            return &controls[i];
    return NULL;
}

/* What ends, holds or refuses stands whatever ORC-5 says; else ORC-5 is the newer word. */
static enum order_state state_said(struct translation *t, struct bytes code) {
    const struct control *control = control_named(code);
    enum order_state status = state_of_status(t, value_upper(t, 5, 1));
    if (!control && !bytes_is_empty(code))
        translate_warn(t, "an order's control code (ORC-1) is none of table 0119");
    if (control && control->ends)
        return control->state;
    return status != ORDER_NOT_SAID || !control ? status : control->state;
}

/* ---- small parts ---- */

static void put(struct bytes *member, struct bytes value) {
    if (!bytes_is_empty(value))
        *member = value;
}

static void put_time(int64_t *member, int64_t at) {
    if (at != INSTANT_NONE)
        *member = at;
}

static struct bytes two_fields(struct translation *t, unsigned number, unsigned unit) {
    const struct bytes parts[] = {value_text(t, number, 1), unit_text(t, unit)};
    return bytes_is_empty(parts[0]) ? BYTES_NONE : join_texts(t, parts, 2, " ");
}

static void put_coded(struct fact_order *order, struct coded coded) {
    if (bytes_is_empty(coded.text))
        return;
    order->code = coded.code;
    order->system = coded.system;
    order->text = coded.text;
}

static void add_note(struct translation *t, struct bytes note) {
    if (!bytes_is_empty(note))
        add_line(t, &t->order.notes, note);
}

/* ---- when ---- */

/* "0800,2000" or one such time: 08:00, 20:00. What is none stays as it came. */
static struct bytes times_text(struct translation *t, struct bytes raw) {
    struct bytes rest = raw, part, all = BYTES_NONE;
    for (unsigned i = 0; i < 24 && bytes_next_part(&rest, ',', &part); i++) {
        struct bytes time = text_of(t, part);
        const struct bytes clock[] = {bytes_first(time, 2), BYTES(":"),
                                      bytes_first(bytes_skip(time, 2), 2)};
        bool is_clock = (time.size == 4 || time.size == 6) && bytes_is_digits(time);
        append_text(t, &all, is_clock ? join_texts(t, clock, 3, "") : time, ", ");
    }
    return all;
}

static bool says_as_needed(struct translation *t, struct bytes timing) {
    struct bytes upper = upper_of(t, timing);
    for (size_t i = 0; i + 3 <= upper.size; i++)
        if (!memcmp(upper.data + i, "PRN", 3) && (i == 0 || upper.data[i - 1] <= ' '))
            return true;
    for (size_t i = 0; i + 9 <= upper.size; i++)
        if (!memcmp(upper.data + i, "SI BESOIN", 9))
            return true;
    return false;
}

static void put_timing(struct translation *t, struct bytes timing, bool goes_on) {
    struct fact_order *order = &t->order.fact;
    if (bytes_is_empty(timing))
        return;
    if (goes_on)
        append_text(t, &order->timing, timing, "; ");
    else
        order->timing = timing;
    order->is_as_needed = (goes_on && order->is_as_needed) || says_as_needed(t, timing);
}

static int64_t time_of(struct translation *t, struct bytes component) {
    struct time_read time;
    return time_stated(t, subcomponent(t, component, 1), &time) ? time.at : INSTANT_NONE;
}

#define TQ_PARTS 8

/* TQ: 1 quantity, 2 interval (pattern, explicit times), 3 duration, 4 start, 5 end, 6 priority, 7 condition, 8 text. */
void order_quantity_timing(struct translation *t, unsigned field) {
    struct fact_order *order = &t->order.fact;
    struct bytes rest = t->fields[field], repetition, parts[TQ_PARTS];
    for (unsigned r = 0; r < 16 && next_repetition(t, &rest, &repetition); r++) {
        split_components(t, repetition, parts, TQ_PARTS);
        struct bytes condition = text_of(t, subcomponent(t, parts[6], 1));
        struct bytes words = text_of(t, subcomponent(t, parts[7], 1));
        const struct bytes pattern[] = {text_of(t, subcomponent(t, parts[1], 1)),
                                        times_text(t, subcomponent(t, parts[1], 2))};
        struct bytes timing = join_texts(t, pattern, 2, " ");
        put_timing(t, bytes_is_empty(timing) ? words : timing, r > 0);
        put(&order->duration, text_of(t, subcomponent(t, parts[2], 1)));
        if (r == 0)
            put_time(&order->starts_at, time_of(t, parts[3]));
        put_time(&order->ends_at, time_of(t, parts[4]));
        put(&order->priority, text_of(t, subcomponent(t, parts[5], 1)));
        order->is_as_needed |= says_as_needed(t, condition);
        append_text(t, &order->instructions, condition, "; ");
        if (!bytes_is_empty(timing))
            append_text(t, &order->instructions, words, "; ");
    }
}

/* RPT: 1 pattern, 5 and 6 its period, 11 in general terms; TQ1-4 explicit times. */
static struct bytes repeat_pattern(struct translation *t) {
    struct bytes rest = t->fields[3], repetition, all = BYTES_NONE, parts[11];
    for (unsigned r = 0; r < 16 && next_repetition(t, &rest, &repetition); r++) {
        split_components(t, repetition, parts, 11);
        struct bytes words = text_of(t, subcomponent(t, parts[0], 2));
        if (bytes_is_empty(words))
            words = text_of(t, subcomponent(t, parts[0], 1));
        if (bytes_is_empty(words))
            words = text_of(t, subcomponent(t, parts[10], 1));
        const struct bytes period[] = {BYTES("/"), text_of(t, subcomponent(t, parts[4], 1)),
                                       text_of(t, subcomponent(t, parts[5], 1))};
        if (bytes_is_empty(words) && !bytes_is_empty(period[1]))
            words = join_texts(t, period, 3, " ");
        append_text(t, &all, words, ", ");
    }
    rest = t->fields[4];
    for (unsigned r = 0; r < 24 && next_repetition(t, &rest, &repetition); r++)
        append_text(t, &all, times_text(t, subcomponent(t, repetition, 1)), r ? ", " : " ");
    return all;
}

/* TQ1 begins anew below RXE; several of one group are put together. */
static void read_tq1(struct translation *t) {
    struct fact_order *order = &t->order.fact;
    bool goes_on = t->order.timing_count++ > 0;
    const struct bytes condition = value_text(t, 10, 1);
    const struct bytes duration[] = {
        value_text(t, 6, 1),
        text_of(t, subcomponent(
                       t, hl7_component_of(&t->message.delimiters, first_repetition(t, 6), 2), 1))};
    put_timing(t, repeat_pattern(t), goes_on);
    put(&order->duration, join_texts(t, duration, 2, " "));
    if (!goes_on || order->starts_at == INSTANT_NONE)
        put_time(&order->starts_at, value_time(t, 7));
    put_time(&order->ends_at, value_time(t, 8));
    put(&order->priority, value_text(t, 9, 1));
    order->is_as_needed |= says_as_needed(t, condition);
    append_text(t, &order->instructions, condition, "; ");
    append_text(t, &order->instructions, value_text(t, 11, 1), "; ");
}

void translate_tq1(struct translation *t) {
    if (t->kind == KIND_APPOINTMENT)
        appointment_tq1(t);
    else if (t->order.is_open && t->order.event)
        put_time(&t->order.event->at, value_time(t, 7));
    else if (t->order.is_open)
        read_tq1(t);
}

/* ---- a group's life ---- */

bool is_of_orders(const struct translation *t) {
    return t->kind == KIND_ORDERS || t->kind == KIND_ORDER_ANSWER || t->kind == KIND_VACCINATION;
}

static enum order_kind kind_by_message(const struct translation *t) {
    static const struct {
        char type[4];
        enum order_kind kind;
    } types[] = {
        {"OMP", ORDER_MEDICATION}, {"RDE", ORDER_MEDICATION}, {"RDS", ORDER_MEDICATION},
        {"RGV", ORDER_MEDICATION}, {"RAS", ORDER_MEDICATION}, {"RRE", ORDER_MEDICATION},
        {"RRD", ORDER_MEDICATION}, {"RRG", ORDER_MEDICATION}, {"RRA", ORDER_MEDICATION},
        {"ORP", ORDER_MEDICATION}, {"OML", ORDER_LABORATORY}, {"ORL", ORDER_LABORATORY},
        {"OMI", ORDER_IMAGING},    {"ORI", ORDER_IMAGING},    {"OMD", ORDER_DIET},
        {"ORD", ORDER_DIET},       {"OMS", ORDER_SERVICE},    {"ORS", ORDER_SERVICE},
        {"OMN", ORDER_SERVICE},    {"ORN", ORDER_SERVICE},    {"OMB", ORDER_SERVICE},
        {"ORB", ORDER_SERVICE},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (bytes_is(t->facts->type, types[i].type))
            return types[i].kind;
    return ORDER_KIND_NOT_SAID;
}

/* One that names no number gets the message's: sent again it is the same order. */
static struct bytes number_of_message(struct translation *t) {
    struct bytes control = t->facts->control_id;
    struct text number;
    translate_warn(t, "an order has no number (ORC-2, ORC-3): that of the message stands for it");
    if (text_init_arena(&number, t->arena, control.size + 16)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    text_put(&number, control);
    text_put_format(&number, "-%u", t->order.count);
    return text_bytes(&number);
}

/* ORC of a dispense or an administration says only which order it is of. */
static bool says_an_order(struct translation *t) {
    const struct order_group *g = &t->order;
    if (t->kind == KIND_VACCINATION || g->is_prior)
        return false;
    if (g->event_count && !g->has_detail && g->fact.state == ORDER_NOT_SAID)
        return false;
    bool has_number = !bytes_is_empty(g->fact.placer) || !bytes_is_empty(g->fact.filler);
    if (!has_number && !g->has_detail)
        translate_warn(t, "an ORC names neither a number nor what is ordered");
    return has_number || g->has_detail;
}

void order_close(struct translation *t) {
    struct order_group *g = &t->order;
    if (!g->is_open)
        return;
    g->is_open = false;
    g->event = NULL;
    if (!says_an_order(t))
        return;
    g->count++;
    struct fact *fact = translate_add(t, FACT_ORDER);
    if (!fact)
        return;
    struct fact_order *order = fact->order;
    *order = g->fact;
    order->notes = g->notes.text;
    order->components = g->components.text;
    if (bytes_is_empty(order->placer) && bytes_is_empty(order->filler))
        order->placer = number_of_message(t);
    if (order->kind == ORDER_KIND_NOT_SAID)
        order->kind = kind_by_message(t);
    if (bytes_is_empty(order->text))
        order->text = g->first_component;
    if (order->asked_at == INSTANT_NONE)
        order->asked_at = t->facts->said;
}

static void open_group(struct translation *t) {
    struct order_group *g = &t->order;
    order_close(t);
    unsigned count = g->count;
    *g = (struct order_group){.is_open = true, .count = count};
    g->fact.starts_at = g->fact.ends_at = g->fact.asked_at = g->fact.effective_at = INSTANT_NONE;
    g->fact.specimen = t->specimen_ahead;
}

void order_open_bare(struct translation *t) {
    open_group(t);
}

/* EIP: 1 the placer's number, 2 the filler's, each an EI. */
static struct bytes parent_of(struct translation *t, unsigned field) {
    struct bytes placer = value_text(t, field, 1);
    return bytes_is_empty(placer) ? value_text(t, field, 2) : placer;
}

void order_orc(struct translation *t) {
    open_group(t);
    struct order_group *g = &t->order;
    struct fact_order *order = &g->fact;
    struct bytes control = value_upper(t, 1, 1);
    t->is_prior_result = false;
    g->is_prior = bytes_is(control, "PR");
    order->control = control;
    order->placer = entity_text(t, 2);
    order->filler = entity_text(t, 3);
    order->group = entity_text(t, 4);
    order->state = state_said(t, control);
    order_quantity_timing(t, 7);
    order->parent = parent_of(t, 8);
    order->asked_at = value_time(t, 9);
    order->requester = person_text(t, 12, false);
    order->effective_at = value_time(t, 15);
    add_note(t, coded_field(t, 16).text);
    g->has_orc = true;
    g->of_orc = *order;
    g->reason = g->notes;
}

/* ---- what is ordered ---- */

/* An OBR (or a diet, an item) where the group has one already is an order of its own under the same ORC. */
static void open_for_detail(struct translation *t) {
    struct order_group *g = &t->order;
    if (g->is_open && !g->has_detail)
        return;
    struct fact_order of_orc = g->of_orc;
    struct lines reason = g->reason;
    bool has_orc = g->is_open && g->has_orc;
    open_group(t);
    g->is_prior = t->is_prior_result;
    if (!has_orc)
        return;
    g->fact = g->of_orc = of_orc;
    g->notes = g->reason = reason;
    g->notes.capacity = 0; /* not ours to write on in place */
    g->is_further = g->has_orc = true;
}

/* Table 0074, and what imaging senders write in its place. */
static enum order_kind kind_of_section(struct bytes section) {
    static const char laboratory[][4] = {"LAB", "BG",  "BLB", "CH", "CP", "HM", "IMM", "MB",
                                         "MCB", "MYC", "SP",  "SR", "TX", "VR", "CTH", "URN"};
    static const char imaging[][4] = {"RAD", "RX",  "RUS", "CT",  "NMR", "NMS", "CUS",
                                      "OUS", "VUS", "XRC", "MR",  "US",  "XR",  "MG",
                                      "DX",  "CR",  "NM",  "IMG", "VIR"};
    for (size_t i = 0; i < sizeof laboratory / sizeof laboratory[0]; i++)
        if (bytes_is(section, laboratory[i]))
            return ORDER_LABORATORY;
    for (size_t i = 0; i < sizeof imaging / sizeof imaging[0]; i++)
        if (bytes_is(section, imaging[i]))
            return ORDER_IMAGING;
    return bytes_is(section, "PHR") ? ORDER_MEDICATION : ORDER_SERVICE;
}

/* SPS: 1 the source, a code and its text in subcomponents. */
static struct bytes specimen_source(struct translation *t) {
    struct bytes source = hl7_component_of(&t->message.delimiters, first_repetition(t, 15), 1);
    struct bytes words = text_of(t, subcomponent(t, source, 2));
    return bytes_is_empty(words) ? text_of(t, subcomponent(t, source, 1)) : words;
}

static void put_numbers(struct translation *t, struct bytes placer, struct bytes filler) {
    struct order_group *g = &t->order;
    if (bytes_is_empty(g->fact.placer) || (g->is_further && !bytes_is_empty(placer)))
        g->fact.placer = placer;
    if (bytes_is_empty(g->fact.filler) || (g->is_further && !bytes_is_empty(filler)))
        g->fact.filler = filler;
}

void order_obr(struct translation *t) {
    open_for_detail(t);
    struct order_group *g = &t->order;
    struct fact_order *order = &g->fact;
    struct bytes section = value_upper(t, 24, 1), specimen = specimen_source(t);
    enum order_kind by_message = kind_by_message(t);
    g->has_detail = true;
    put_numbers(t, entity_text(t, 2), entity_text(t, 3));
    put_coded(order, coded_field(t, 4));
    put(&order->specimen, specimen);
    order->kind = by_message != ORDER_KIND_NOT_SAID  ? by_message
                  : !bytes_is_empty(section)         ? kind_of_section(section)
                  : !bytes_is_empty(order->specimen) ? ORDER_LABORATORY
                                                     : ORDER_SERVICE;
    if (bytes_is_empty(order->priority))
        order->priority = value_text(t, 5, 1);
    put_time(&order->starts_at, value_time(t, 6));
    put_time(&order->starts_at, value_time(t, 36));
    add_note(t, value_text(t, 13, 1));
    if (bytes_is_empty(order->requester))
        order->requester = person_text(t, 16, false);
    order_quantity_timing(t, 27);
    if (bytes_is_empty(order->parent))
        order->parent = parent_of(t, 29);
    put(&order->indication, coded_texts(t, 31, ", "));
}

static struct bytes instructions_of(struct translation *t, unsigned first, unsigned second) {
    const struct bytes parts[] = {coded_texts(t, first, ", "), coded_texts(t, second, ", ")};
    return join_texts(t, parts, 2, "; ");
}

void translate_rxo(struct translation *t) {
    if (!is_of_orders(t))
        return;
    open_for_detail(t);
    struct fact_order *order = &t->order.fact;
    t->order.has_detail = true;
    order->kind = ORDER_MEDICATION;
    put_coded(order, coded_field(t, 1));
    order->dose = value_text(t, 2, 1);
    order->dose_max = value_text(t, 3, 1);
    order->dose_unit = unit_text(t, 4);
    order->form = coded_field(t, 5).text;
    append_text(t, &order->instructions, instructions_of(t, 7, 6), "; ");
    order->strength = two_fields(t, 18, 19);
    put(&order->indication, coded_texts(t, 20, ", "));
    order->rate = two_fields(t, 21, 22);
}

/* RXE is RXO as the pharmacy encoded it: of the drug nothing of RXO stays. */
void translate_rxe(struct translation *t) {
    if (!is_of_orders(t))
        return;
    if (!t->order.is_open || t->order.is_encoded)
        open_for_detail(t);
    struct order_group *g = &t->order;
    struct fact_order *order = &g->fact;
    g->has_detail = g->is_encoded = true;
    g->timing_count = 0;
    g->components = (struct lines){0};
    g->first_component = BYTES_NONE;
    order->kind = ORDER_MEDICATION;
    put_coded(order, coded_field(t, 2));
    order->dose = value_text(t, 3, 1);
    order->dose_max = value_text(t, 4, 1);
    order->dose_unit = unit_text(t, 5);
    order->form = coded_field(t, 6).text;
    put(&order->instructions, instructions_of(t, 7, 21));
    order->rate = two_fields(t, 23, 24);
    order->strength = two_fields(t, 25, 26);
    put(&order->indication, coded_texts(t, 27, ", "));
    order_quantity_timing(t, 1);
    if (bytes_is_empty(order->placer) && bytes_is_empty(order->filler))
        order->filler = value_text(t, 15, 1);
}

void translate_rxr(struct translation *t) {
    struct order_group *g = &t->order;
    struct bytes route = coded_field(t, 1).text;
    if (!g->is_open)
        return;
    if (g->event) {
        medication_route(t, route, coded_field(t, 2).text);
        return;
    }
    if (g->route_is_encoded == g->is_encoded && !bytes_is_empty(g->fact.route))
        append_text(t, &g->fact.route, route, ", ");
    else
        put(&g->fact.route, route);
    g->route_is_encoded = g->is_encoded;
}

/* RXC: 1 additive or base, 2 what, 3 and 4 how much, 5 and 6 its strength. */
void translate_rxc(struct translation *t) {
    struct order_group *g = &t->order;
    if (!g->is_open || g->event)
        return;
    struct bytes what = coded_field(t, 2).text;
    const struct bytes parts[] = {what, two_fields(t, 3, 4), two_fields(t, 5, 6),
                                  bytes_is(value_raw(t, 1, 1), "B") ? BYTES("(base)") : BYTES_NONE};
    struct bytes line = join_texts(t, parts, 4, " ");
    if (bytes_is_empty(line))
        return;
    add_line(t, &g->components, line);
    if (bytes_is_empty(g->first_component))
        g->first_component = what;
}

/* ODS: 1 diet, supplement or preference, 3 which, 4 in words. Those of one ORC are one order. */
void translate_ods(struct translation *t) {
    if (!is_of_orders(t))
        return;
    if (!t->order.is_open)
        open_for_detail(t);
    struct fact_order *order = &t->order.fact;
    struct coded diet = coded_field(t, 3);
    if (bytes_is_empty(order->code))
        order->code = diet.code;
    put(&order->system, diet.system);
    t->order.has_detail = true;
    order->kind = ORDER_DIET;
    append_text(t, &order->text, coded_texts(t, 3, ", "), ", ");
    append_text(t, &order->instructions, value_text(t, 4, 1), "; ");
}

/* ODT: 1 which tray, 3 in words. */
void translate_odt(struct translation *t) {
    if (!is_of_orders(t))
        return;
    if (!t->order.is_open)
        open_for_detail(t);
    t->order.has_detail = true;
    t->order.fact.kind = ORDER_DIET;
    if (bytes_is_empty(t->order.fact.text))
        put_coded(&t->order.fact, coded_field(t, 1));
    append_text(t, &t->order.fact.instructions, value_text(t, 3, 1), "; ");
}

/* RQD: an item by the numbering of one of three (2, 3, 4), how many of what unit. */
void translate_rqd(struct translation *t) {
    if (!is_of_orders(t))
        return;
    open_for_detail(t);
    struct fact_order *order = &t->order.fact;
    t->order.has_detail = true;
    order->kind = ORDER_SERVICE;
    for (unsigned field = 2; field <= 4 && bytes_is_empty(order->text); field++)
        put_coded(order, coded_field(t, field));
    add_note(t, two_fields(t, 5, 6));
}

/* BPO: 2 the blood product, 4 and 5 how much. */
void translate_bpo(struct translation *t) {
    if (!is_of_orders(t))
        return;
    open_for_detail(t);
    t->order.has_detail = true;
    t->order.fact.kind = ORDER_SERVICE;
    put_coded(&t->order.fact, coded_field(t, 2));
    add_note(t, two_fields(t, 4, 5));
}

/* In OML O33 and O35 the specimen comes first, and its orders follow. */
void order_spm(struct translation *t) {
    bool leads = bytes_is(t->facts->trigger, "O33") || bytes_is(t->facts->trigger, "O35");
    struct bytes specimen = coded_field(t, 4).text;
    if (leads) {
        order_close(t);
        t->specimen_ahead = specimen;
    } else if (t->order.is_open) {
        append_text(t, &t->order.fact.specimen, specimen, ", ");
    }
}

/* ---- notes ---- */

/* The notes of what stands before: the event, else the order. */
static void add_remark(struct translation *t, struct bytes line) {
    struct order_group *g = &t->order;
    if (bytes_is_empty(line) || !g->is_open)
        return;
    if (!g->event) {
        add_line(t, &g->notes, line);
        return;
    }
    add_line(t, &g->event_notes, line);
    g->event->notes = g->event_notes.text;
}

void order_nte(struct translation *t) {
    struct bytes rest = t->fields[3], repetition;
    while (next_repetition(t, &rest, &repetition))
        add_remark(t, layout_of(t, repetition));
}

/* An observation beside an order (weight, an answer to what the laboratory asks, a reaction) is read with it. */
void order_obx(struct translation *t) {
    struct lines value = {0};
    if (!t->order.is_open)
        return;
    read_value(t, value_upper(t, 2, 1), &value);
    if (bytes_is_empty(value.text))
        return;
    const struct bytes measured[] = {value.text, unit_text(t, 6)};
    const struct bytes parts[] = {coded_field(t, 3).text, join_texts(t, measured, 2, " ")};
    add_remark(t, join_texts(t, parts, 2, ": "));
}
