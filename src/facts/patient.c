/* patient.c - who the patient is: names, birth date, sex, address, phone, death, of PID. */
#include "facts/translate.h"

void add_text_cell(struct translation *t, enum fact_kind kind, int field, struct bytes text) {
    if (bytes_is_empty(text))
        return;
    struct fact *fact = translate_add(t, kind);
    if (!fact)
        return;
    fact->cell.field = field;
    fact->cell.value = text;
}

void add_cell(struct translation *t, enum fact_kind kind, int field, struct bytes raw) {
    if (!hl7_is_null(raw)) {
        add_text_cell(t, kind, field, text_of(t, raw));
        return;
    }
    struct fact *fact = translate_add(t, kind);
    if (!fact)
        return;
    fact->cell.field = field;
    fact->cell.is_deleted = true;
}

/* ---- names ---- */

#define XPN_PARTS  7
#define XPN_PREFIX 4
#define XPN_TYPE   6
#define NAMES_MAX  16u

/* The repetitions of PID-5 that matter, by type; empty when there is none. */
struct names {
    struct bytes usual, legal, birth, plain, any;
};

static bool is_said(const struct bytes *parts) {
    return !bytes_is_empty(parts[0]) || !bytes_is_empty(parts[1]);
}

static void keep_first(struct bytes *kept, struct bytes name) {
    if (!kept->data)
        *kept = name;
}

/* Table 0200: alias, nickname, pseudonym, partner's name, known to be wrong, no longer to be used. */
static bool is_by_name(struct bytes type) {
    return (type.size == 1 && strchr("ANSP", type.data[0])) || bytes_is(type, "BAD") ||
           bytes_is(type, "NOUSE");
}

static void sort_name(struct names *names, struct bytes name, struct bytes type) {
    keep_first(&names->any, name);
    if (bytes_is(type, "D"))
        keep_first(&names->usual, name);
    else if (bytes_is(type, "L"))
        keep_first(&names->legal, name);
    else if (bytes_is(type, "M") || bytes_is(type, "B"))
        keep_first(&names->birth, name);
    else if (!is_by_name(type))
        keep_first(&names->plain, name);
}

static struct names gather_names(struct translation *t) {
    struct names names = {0};
    struct bytes rest = t->fields[5], name, parts[XPN_PARTS];
    for (unsigned r = 0; r < NAMES_MAX && next_repetition(t, &rest, &name); r++) {
        split_components(t, name, parts, XPN_PARTS);
        if (is_said(parts))
            sort_name(&names, name, subcomponent(t, parts[XPN_TYPE], 1));
    }
    return names;
}

/* FN: the whole surname, else put together of own prefix, own surname, the partner's prefix and surname. */
static struct bytes family_of(struct translation *t, struct bytes name) {
    struct bytes parts[4], family = hl7_component_of(&t->message.delimiters, name, 1);
    struct bytes whole = subcomponent(t, family, 1);
    if (!bytes_is_empty(whole))
        return whole;
    for (unsigned i = 0; i < 4; i++) {
        struct bytes part = subcomponent(t, family, i + 2);
        parts[i] = hl7_is_null(part) ? BYTES_NONE : part;
    }
    return join_texts(t, parts, 4, " ");
}

/* In France the third component lists all given names, the first among them; elsewhere it goes on after the first. */
static bool lists_first(const struct translation *t, struct bytes further, struct bytes first) {
    if (!bytes_starts_with(further, first))
        return false;
    if (further.size == first.size)
        return t->is_french;
    return further.data[first.size] == ' ' || further.data[first.size] == ',';
}

static struct bytes given_of(struct translation *t, struct bytes name) {
    struct bytes parts[3];
    split_components(t, name, parts, 3);
    struct bytes both[] = {subcomponent(t, parts[1], 1), subcomponent(t, parts[2], 1)};
    if (bytes_is_empty(both[1]) || hl7_is_null(both[1]) || hl7_is_null(both[0]))
        return both[0];
    return lists_first(t, both[1], both[0]) ? both[1] : join_texts(t, both, 2, " ");
}

static struct bytes prefix_of(struct translation *t, struct bytes name) {
    struct bytes parts[XPN_PARTS];
    split_components(t, name, parts, XPN_PARTS);
    return subcomponent(t, parts[XPN_PREFIX], 1);
}

/* The raw part of the first of two names that has it. */
static struct bytes either(struct translation *t,
                           struct bytes (*part_of)(struct translation *, struct bytes),
                           struct bytes name, struct bytes otherwise) {
    struct bytes part = part_of(t, name);
    bool is_missing = bytes_is_empty(part) || (hl7_is_null(part) && otherwise.data);
    return is_missing && otherwise.data ? part_of(t, otherwise) : part;
}

/* Staff call a patient by the usual name (D), else the legal one (L), else the first that is no birth name, alias or
 * pseudonym. The name of birth is M or B; else, beside a usual name, the legal one, which in France it always is. */
void translate_names(struct translation *t) {
    struct names names = gather_names(t);
    struct bytes fallback = names.legal.data   ? names.legal
                            : names.plain.data ? names.plain
                                               : names.any;
    struct bytes main = names.usual.data ? names.usual : fallback;
    struct bytes birth = names.birth;
    if (!birth.data && names.legal.data && (names.usual.data || t->is_french))
        birth = names.legal;
    if (!main.data)
        return;
    struct bytes whole = bytes_trim(main);
    add_cell(t, FACT_PATIENT, PATIENT_FAMILY_NAME,
             hl7_is_null(whole) ? whole : either(t, family_of, main, fallback));
    add_cell(t, FACT_PATIENT, PATIENT_GIVEN_NAME,
             hl7_is_null(whole) ? whole : either(t, given_of, main, fallback));
    add_cell(t, FACT_PATIENT, PATIENT_PREFIX, either(t, prefix_of, main, fallback));
    if (names.usual.data)
        add_cell(t, FACT_PATIENT, PATIENT_USED_NAME, family_of(t, names.usual));
    if (birth.data)
        add_cell(t, FACT_PATIENT, PATIENT_BIRTH_NAME, family_of(t, birth));
}

/* ---- the rest of PID ---- */

static void read_birth_date(struct translation *t) {
    struct bytes raw = value_raw(t, 7, 1);
    if (hl7_is_null(raw))
        add_cell(t, FACT_PATIENT, PATIENT_BIRTH_DATE, raw);
    else
        add_text_cell(t, FACT_PATIENT, PATIENT_BIRTH_DATE, date_text(t, raw));
}

static void read_sex(struct translation *t) {
    struct bytes raw = value_raw(t, 8, 1);
    if (hl7_is_null(raw))
        add_cell(t, FACT_PATIENT, PATIENT_SEX, raw);
    else
        add_text_cell(t, FACT_PATIENT, PATIENT_SEX, upper_of(t, text_of(t, raw)));
}

#define XAD_PARTS 7
#define XAD_TYPE  6

/* The first address a person lives at: not where they were born (BDL, N, BR), nor one known to be bad. */
static struct bytes home_address(struct translation *t) {
    struct bytes rest = t->fields[11], address, parts[XAD_PARTS];
    while (next_repetition(t, &rest, &address)) {
        split_components(t, address, parts, XAD_PARTS);
        struct bytes type = subcomponent(t, parts[XAD_TYPE], 1);
        if (!bytes_is_empty(bytes_trim(address)) && !bytes_is(type, "BDL") &&
            !bytes_is(type, "N") && !bytes_is(type, "BR") && !bytes_is(type, "BA"))
            return address;
    }
    return BYTES_NONE;
}

/* SAD: the line as a whole, else number and street. */
static struct bytes street_of(struct translation *t, struct bytes line) {
    struct bytes whole = text_of(t, subcomponent(t, line, 1));
    if (!bytes_is_empty(whole))
        return whole;
    const struct bytes parts[] = {text_of(t, subcomponent(t, line, 3)),
                                  text_of(t, subcomponent(t, line, 2))};
    return join_texts(t, parts, 2, " ");
}

static void read_address(struct translation *t) {
    struct bytes address = home_address(t), raw[XAD_PARTS], line[5];
    if (hl7_is_null(bytes_trim(address))) {
        add_cell(t, FACT_PATIENT, PATIENT_ADDRESS, bytes_trim(address));
        return;
    }
    split_components(t, address, raw, XAD_PARTS);
    const struct bytes town[] = {text_of(t, subcomponent(t, raw[4], 1)),
                                 text_of(t, subcomponent(t, raw[2], 1))};
    line[0] = street_of(t, raw[0]);
    line[1] = text_of(t, subcomponent(t, raw[1], 1));
    line[2] = join_texts(t, town, 2, " ");
    line[3] = text_of(t, subcomponent(t, raw[3], 1));
    line[4] = text_of(t, subcomponent(t, raw[5], 1));
    add_text_cell(t, FACT_PATIENT, PATIENT_ADDRESS, join_texts(t, line, 5, ", "));
}

#define XTN_PARTS 12

/* XTN: 1 in the old form, 12 as dialled in the new; else country, area and local number. */
static struct bytes phone_of(struct translation *t, struct bytes repetition) {
    struct bytes parts[XTN_PARTS];
    split_components(t, repetition, parts, XTN_PARTS);
    if (bytes_is(parts[1], "NET") || bytes_is(parts[2], "Internet") || bytes_is(parts[2], "X.400"))
        return BYTES_NONE;
    struct bytes number = parts[0];
    if (bytes_is_empty(number))
        number = parts[11];
    if (!bytes_is_empty(number) || bytes_is_empty(parts[6]))
        return number;
    const struct bytes country[] = {bytes_is_empty(parts[4]) ? BYTES_NONE : BYTES("+"), parts[4]};
    const struct bytes pieces[] = {join_texts(t, country, 2, ""), parts[5], parts[6]};
    return join_texts(t, pieces, 3, " ");
}

static void read_phone(struct translation *t) {
    struct bytes rest = t->fields[13], repetition;
    while (next_repetition(t, &rest, &repetition)) {
        struct bytes number = phone_of(t, repetition);
        if (bytes_is_empty(number))
            continue;
        add_cell(t, FACT_PATIENT, PATIENT_PHONE, number);
        return;
    }
}

/* PID-30 N says that the patient lives, whatever stands in PID-29. */
static void read_death(struct translation *t) {
    static const struct bytes null = {(const uint8_t *)"\"\"", 2};
    struct bytes when = value_raw(t, 29, 1), is_dead = value_raw(t, 30, 1);
    struct time_read time;
    if (bytes_is(is_dead, "N") || hl7_is_null(is_dead) ||
        (hl7_is_null(when) && !bytes_is(is_dead, "Y"))) {
        if (time_stated(t, when, &time))
            translate_warn(t, "a time of death (PID-29) stands beside PID-30 N");
        add_cell(t, FACT_PATIENT, PATIENT_DEATH, null);
    } else if (time_stated(t, when, &time)) {
        add_text_cell(t, FACT_PATIENT, PATIENT_DEATH,
                      time.precision > TIME_DAY ? instant_text(t, time.at) : date_text(t, when));
    } else if (bytes_is(is_dead, "Y")) {
        add_text_cell(t, FACT_PATIENT, PATIENT_DEATH, BYTES("Y"));
    }
}

/* What the banner of a French identity knows, and table 0445. */
static void check_identity_status(struct translation *t) {
    static const char known[][5] = {"PROV", "VALI", "DPOT", "DOUA", "COLP", "COLV", "ANOM",
                                    "CACH", "FICT", "AL",   "UA",   "UD",   "US"};
    struct bytes rest = t->fields[32], repetition;
    while (next_repetition(t, &rest, &repetition)) {
        struct bytes code =
            subcomponent(t, hl7_component_of(&t->message.delimiters, repetition, 1), 1);
        bool is_known = bytes_is_empty(code) || hl7_is_null(code);
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            is_known |= bytes_is(code, known[i]);
        if (!is_known)
            translate_warn(t, "an identity's status (PID-32) is none that is known");
    }
}

static void read_identity_status(struct translation *t) {
    if (hl7_is_null(value_raw(t, 32, 1)))
        add_cell(t, FACT_PATIENT, PATIENT_IDENTITY_STATUS, value_raw(t, 32, 1));
    else
        add_text_cell(t, FACT_PATIENT, PATIENT_IDENTITY_STATUS, coded_codes(t, 32, " "));
    if (t->is_french)
        check_identity_status(t);
}

static void read_account(struct translation *t) {
    struct identifier_read read;
    if (read_identifier(t, first_repetition(t, 18), &read))
        t->account = read.identifier;
}

static void read_first_pid(struct translation *t, const struct identifier_list *all) {
    const struct fact_identifier *subject = choose_subject(all);
    if (!subject) {
        translate_aside(t, "PID names no patient number", t->segment.at);
        return;
    }
    t->facts->has_subject = true;
    t->facts->subject = t->survivor = *subject;
    add_other_identifiers(t, all);
    translate_names(t);
    read_birth_date(t);
    read_sex(t);
    read_address(t);
    read_phone(t);
    read_account(t);
    read_death(t);
    read_identity_status(t);
}

/* Where facts of another patient begin, or of another of the pairs that an event about stays lists. */
static bool begins_next(const struct translation *t) {
    struct bytes trigger = t->facts->trigger;
    if (!t->splits || t->kind == KIND_APPOINTMENT || t->kind == KIND_LATER)
        return false;
    if (t->kind != KIND_EVENT)
        return t->is_other_patient;
    if (event_is_of_visits(trigger))
        return true;
    return t->is_other_patient && !event_is_merge(trigger) && !event_is_link(trigger);
}

/* Merge messages may hold several pairs of PID and MRG: the facts are about the first patient, each MRG about its own
 * pair. In other messages what follows is of the next patient; below one that is repeated stand orders of earlier results. */
static void read_further_pid(struct translation *t, const struct identifier_list *all) {
    const struct fact_identifier *next = choose_subject(all);
    struct bytes trigger = t->facts->trigger;
    t->survivor = next ? *next : (struct fact_identifier){0};
    t->is_other_patient = !next || !identifier_equal(next, &t->facts->subject);
    t->is_at_next = begins_next(t);
    if (!t->is_other_patient && is_of_orders(t)) {
        order_close(t);
        t->is_prior_result = true;
    }
    if (!t->is_other_patient || t->is_at_next)
        return;
    if (next && t->kind == KIND_APPOINTMENT && appointment_companion(t, next))
        return;
    if (next && t->kind == KIND_EVENT && event_is_link(trigger))
        translate_linked_pid(t);
    else if (!next || t->kind != KIND_EVENT || !event_is_merge(trigger))
        translate_aside(t, "the message speaks of a second patient: only the first was read",
                        t->segment.at);
}

void translate_pid(struct translation *t) {
    struct identifier_list all;
    read_identifiers(t, &all);
    for (unsigned field = 2; field <= 4; field++)
        t->survivor_fields[field] = t->fields[field];
    if (t->has_pid)
        read_further_pid(t, &all);
    else
        read_first_pid(t, &all);
    t->has_pid = true;
}
