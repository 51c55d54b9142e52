/* statement.c - orders, events of medication and appointments out of all that was said of them. */
#include "chart/statement.h"

#include <stddef.h>
#include <stdlib.h>

#define STATEMENTS_MAX 100000u /* of one person; more are not read */

/* ---- the shape of each kind: where its texts, its instants and its numbers stand ---- */

struct shape {
    const size_t *texts, *instants, *numbers;
    size_t text_count, instant_count, number_count;
};
#define SHAPE(texts, instants, numbers)                                                            \
    {                                                                                              \
        texts, instants, numbers, sizeof(texts) / sizeof(size_t),                                  \
            sizeof(instants) / sizeof(size_t), sizeof(numbers) / sizeof(size_t)                    \
    }
#define OF_ORDER(field)       offsetof(struct statement, order.field)
#define OF_EVENT(field)       offsetof(struct statement, event.field)
#define OF_APPOINTMENT(field) offsetof(struct statement, appointment.field)

static const size_t order_texts[] = {
    OF_ORDER(placer),   OF_ORDER(filler),       OF_ORDER(group),      OF_ORDER(parent),
    OF_ORDER(control),  OF_ORDER(code),         OF_ORDER(system),     OF_ORDER(text),
    OF_ORDER(dose),     OF_ORDER(dose_max),     OF_ORDER(dose_unit),  OF_ORDER(strength),
    OF_ORDER(form),     OF_ORDER(route),        OF_ORDER(rate),       OF_ORDER(timing),
    OF_ORDER(duration), OF_ORDER(instructions), OF_ORDER(indication), OF_ORDER(components),
    OF_ORDER(priority), OF_ORDER(requester),    OF_ORDER(specimen),   OF_ORDER(notes)};
static const size_t order_instants[] = {OF_ORDER(starts_at), OF_ORDER(ends_at), OF_ORDER(asked_at),
                                        OF_ORDER(effective_at)};
static const size_t order_numbers[] = {OF_ORDER(kind), OF_ORDER(state)};
static const size_t event_texts[] = {
    OF_EVENT(placer),    OF_EVENT(filler), OF_EVENT(id),     OF_EVENT(code),
    OF_EVENT(system),    OF_EVENT(text),   OF_EVENT(amount), OF_EVENT(unit),
    OF_EVENT(form),      OF_EVENT(route),  OF_EVENT(site),   OF_EVENT(rate),
    OF_EVENT(performer), OF_EVENT(reason), OF_EVENT(lot),    OF_EVENT(notes)};
static const size_t event_instants[] = {OF_EVENT(at), OF_EVENT(ended_at)};
static const size_t event_numbers[] = {OF_EVENT(kind), OF_EVENT(state)};
static const size_t appointment_texts[] = {
    OF_APPOINTMENT(placer), OF_APPOINTMENT(filler),   OF_APPOINTMENT(code),
    OF_APPOINTMENT(system), OF_APPOINTMENT(text),     OF_APPOINTMENT(kind),
    OF_APPOINTMENT(reason), OF_APPOINTMENT(place),    OF_APPOINTMENT(people),
    OF_APPOINTMENT(notes),  OF_APPOINTMENT(resources)};
static const size_t appointment_instants[] = {OF_APPOINTMENT(starts_at), OF_APPOINTMENT(ends_at)};
static const size_t appointment_numbers[] = {OF_APPOINTMENT(state)};

static const struct shape shapes[] = {
    [STATEMENT_ORDER] = SHAPE(order_texts, order_instants, order_numbers),
    [STATEMENT_MEDICATION_EVENT] = SHAPE(event_texts, event_instants, event_numbers),
    [STATEMENT_APPOINTMENT] = SHAPE(appointment_texts, appointment_instants, appointment_numbers),
};

static struct bytes *text_at(struct statement *s, size_t offset) {
    return (struct bytes *)((char *)s + offset);
}

static int64_t *instant_at(struct statement *s, size_t offset) {
    return (int64_t *)((char *)s + offset);
}

static unsigned number_at(const struct statement *s, size_t offset) {
    unsigned number; /* an enumeration, whichever */
    memcpy(&number, (const char *)s + offset, sizeof number);
    return number;
}

static void set_number(struct statement *s, size_t offset, unsigned number) {
    memcpy((char *)s + offset, &number, sizeof number);
}

/* ---- as stored ---- */

bool statement_of(const struct fact *fact, struct statement *statement) {
    *statement = (struct statement){0};
    switch (fact->kind) {
    case FACT_ORDER:
        statement->kind = STATEMENT_ORDER;
        statement->order = *fact->order;
        return true;
    case FACT_MEDICATION_EVENT:
        statement->kind = STATEMENT_MEDICATION_EVENT;
        statement->event = *fact->medication_event;
        return true;
    case FACT_APPOINTMENT:
        statement->kind = STATEMENT_APPOINTMENT;
        statement->appointment = *fact->appointment;
        return true;
    default:
        return false;
    }
}

void statement_pack(const struct statement *statement, struct text *out) {
    const struct shape *shape = &shapes[statement->kind];
    struct statement s = *statement;
    pack_u64(out, s.kind);
    key_pack(out, &s.key);
    pack_u64(out, s.feed);
    for (size_t i = 0; i < shape->text_count; i++)
        value_pack(out, *text_at(&s, shape->texts[i]));
    for (size_t i = 0; i < shape->instant_count; i++)
        pack_i64(out, *instant_at(&s, shape->instants[i]));
    for (size_t i = 0; i < shape->number_count; i++)
        pack_u64(out, number_at(&s, shape->numbers[i]));
    pack_u64(out, (s.kind == STATEMENT_ORDER && s.order.is_as_needed) ||
                      (s.kind == STATEMENT_MEDICATION_EVENT && s.event.is_identified));
}

enum err statement_unpack(struct statement *s, struct bytes record, struct arena *arena) {
    struct unpack in;
    *s = (struct statement){0};
    if (!record_unpack(&in, record, arena))
        return ERR_LIMIT;
    uint64_t kind = unpack_u64(&in);
    if (kind < STATEMENT_ORDER || kind > STATEMENT_APPOINTMENT)
        return ERR_CORRUPT;
    const struct shape *shape = &shapes[kind];
    s->kind = (enum statement_kind)kind;
    s->key = key_unpack(&in);
    s->feed = unpack_u64(&in);
    for (size_t i = 0; i < shape->text_count; i++)
        *text_at(s, shape->texts[i]) = unpack_bytes(&in);
    for (size_t i = 0; i < shape->instant_count; i++)
        *instant_at(s, shape->instants[i]) = unpack_i64(&in);
    for (size_t i = 0; i < shape->number_count; i++)
        set_number(s, shape->numbers[i], (unsigned)unpack_u64(&in));
    bool flag = unpack_u64(&in);
    if (s->kind == STATEMENT_ORDER)
        s->order.is_as_needed = flag;
    else if (s->kind == STATEMENT_MEDICATION_EVENT)
        s->event.is_identified = flag;
    return in.is_short ? ERR_CORRUPT : ERR_OK;
}

/* ---- all of a person's ---- */

/* group: statements that are of one thing have one number, that of the least of them. */
struct said {
    struct statement s;
    size_t group;
    unsigned part; /* its place in what its entry says */
    size_t member; /* of its person */
};
struct saids {
    struct said *list;
    size_t count, capacity;
};

static enum err take_row(struct saids *saids, sqlite3_stmt *row, size_t member,
                         struct arena *arena) {
    if (saids->count == saids->capacity) {
        size_t capacity = saids->capacity ? saids->capacity * 2 : 32;
        struct said *larger =
            saids->count < STATEMENTS_MAX ? arena_array(arena, capacity, sizeof *larger) : NULL;
        if (!larger)
            return ERR_LIMIT;
        if (saids->count)
            memcpy(larger, saids->list, saids->count * sizeof *larger);
        saids->list = larger;
        saids->capacity = capacity;
    }
    struct said *said = &saids->list[saids->count++];
    said->part = (unsigned)sqlite3_column_int64(row, 1);
    said->member = member;
    return statement_unpack(&said->s, db_column_bytes(row, 0), arena);
}

/* One entry may say several things: they keep the order they stand in. */
static int compare_keys(const void *a, const void *b) {
    const struct said *left = a, *right = b;
    int order = key_compare(&left->s.key, &right->s.key);
    return order ? order : (left->part > right->part) - (left->part < right->part);
}

/* What was stated again, at the same moment and by the same clock in a later entry, counts there alone. */
static void drop_restated(struct saids *saids) {
    size_t kept = 0;
    for (size_t i = 0; i < saids->count; i++) {
        const struct key *key = &saids->list[i].s.key;
        bool is_again = false;
        for (size_t k = i + 1; k < saids->count && !is_again; k++) {
            const struct key *next = &saids->list[k].s.key;
            if (next->said != key->said || next->clock != key->clock)
                break;
            is_again = next->entry > key->entry;
        }
        if (!is_again)
            saids->list[kept++] = saids->list[i];
    }
    saids->count = kept;
}

static enum err read_statements(struct db *db, const struct person *person,
                                enum statement_kind kind, struct arena *arena, struct saids *saids,
                                struct fault *fault) {
    *saids = (struct saids){0};
    for (size_t m = 0; m < person->member_count; m++) {
        sqlite3_stmt *rows = db_statement(db, SQL_STATEMENTS_OF, fault);
        enum err err;
        db_bind_i64(rows, 1, (int64_t)person->members[m]);
        db_bind_i64(rows, 2, kind);
        while (!(err = db_next(db, rows, fault)))
            if ((err = take_row(saids, rows, m, arena))) {
                sqlite3_reset(rows);
                return fault_set(fault, err, "what was said of a patient cannot be read");
            }
        if (err != ERR_MORE)
            return err;
    }
    if (saids->count > 1)
        qsort(saids->list, saids->count, sizeof *saids->list, compare_keys);
    drop_restated(saids);
    for (size_t i = 0; i < saids->count; i++)
        saids->list[i].group = i;
    return ERR_OK;
}

/* ---- which are of one thing ---- */

static size_t group_of(struct saids *saids, size_t i) {
    while (saids->list[i].group != i)
        i = saids->list[i].group = saids->list[saids->list[i].group].group;
    return i;
}

static void join(struct saids *saids, size_t a, size_t b) {
    a = group_of(saids, a);
    b = group_of(saids, b);
    if (a < b)
        saids->list[b].group = a;
    else
        saids->list[a].group = b;
}

static struct bytes placer_of(const struct statement *s) {
    return s->kind == STATEMENT_ORDER         ? s->order.placer
           : s->kind == STATEMENT_APPOINTMENT ? s->appointment.placer
                                              : s->event.placer;
}

static struct bytes filler_of(const struct statement *s) {
    return s->kind == STATEMENT_ORDER         ? s->order.filler
           : s->kind == STATEMENT_APPOINTMENT ? s->appointment.filler
                                              : s->event.filler;
}

struct numbered {
    struct bytes number;
    unsigned field;
    size_t at;
};

static int compare_numbers(const void *a, const void *b) {
    const struct numbered *left = a, *right = b;
    int order = bytes_compare(left->number, right->number);
    if (order)
        return order;
    return left->field != right->field ? (left->field < right->field ? -1 : 1)
                                       : (left->at > right->at) - (left->at < right->at);
}

/* A control code alone (ORC) does not say what it is about. Medication has numbers of its own; all else is one field, for what
 * one system calls a service another calls a test. */
enum field_of_order { FIELD_ANY, FIELD_DRUG, FIELD_OTHER };

static enum field_of_order field_of(const struct statement *s) {
    if (s->kind != STATEMENT_ORDER)
        return FIELD_OTHER;
    return s->order.kind == ORDER_KIND_NOT_SAID ? FIELD_ANY
           : s->order.kind == ORDER_MEDICATION  ? FIELD_DRUG
                                                : FIELD_OTHER;
}

/* Statements of one number, sorted by their field. What does not say its field goes with the only one there is. */
static void join_run(struct saids *saids, const struct numbered *run, size_t count) {
    bool has_both = false;
    for (size_t i = 1; i < count; i++)
        has_both |= run[i - 1].field == FIELD_DRUG && run[i].field == FIELD_OTHER;
    for (size_t i = 1; i < count; i++)
        if (run[i].field == run[i - 1].field || (!has_both && run[i - 1].field == FIELD_ANY))
            join(saids, run[i - 1].at, run[i].at);
}

static bool join_by(struct saids *saids, struct bytes (*number_of)(const struct statement *),
                    struct arena *arena) {
    size_t count = 0;
    struct numbered *list = arena_array(arena, saids->count, sizeof *list);
    if (saids->count && !list)
        return false;
    for (size_t i = 0; i < saids->count; i++) {
        const struct statement *s = &saids->list[i].s;
        if (!bytes_is_empty(number_of(s)))
            list[count++] = (struct numbered){number_of(s), field_of(s), i};
    }
    if (count > 1)
        qsort(list, count, sizeof *list, compare_numbers);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && bytes_equal(list[to].number, list[from].number);)
            to++;
        join_run(saids, list + from, to - from);
    }
    return true;
}

static int compare_groups(const void *a, const void *b) {
    const struct said *left = a, *right = b;
    return left->group != right->group ? (left->group > right->group ? 1 : -1) : compare_keys(a, b);
}

/* Groups one behind the other, in each the order of the keys. */
static enum err gather(struct saids *saids, struct arena *arena, struct fault *fault) {
    if (!join_by(saids, placer_of, arena) || !join_by(saids, filler_of, arena))
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0; i < saids->count; i++)
        saids->list[i].group = group_of(saids, i);
    if (saids->count > 1)
        qsort(saids->list, saids->count, sizeof *saids->list, compare_groups);
    return ERR_OK;
}

static size_t group_end(const struct saids *saids, size_t from) {
    size_t to = from + 1;
    while (to < saids->count && saids->list[to].group == saids->list[from].group)
        to++;
    return to;
}

/* ---- what they say together ---- */

static void lay_over(struct statement *below, const struct statement *over) {
    const struct shape *shape = &shapes[below->kind];
    struct statement s = *over;
    below->key = s.key;
    below->feed = s.feed;
    for (size_t i = 0; i < shape->text_count; i++)
        if (!bytes_is_empty(*text_at(&s, shape->texts[i])))
            *text_at(below, shape->texts[i]) = *text_at(&s, shape->texts[i]);
    for (size_t i = 0; i < shape->instant_count; i++)
        if (*instant_at(&s, shape->instants[i]) != INSTANT_NONE)
            *instant_at(below, shape->instants[i]) = *instant_at(&s, shape->instants[i]);
}

static enum err put_steps(struct db *db, struct arena *arena, const struct saids *saids,
                          size_t from, size_t to, struct bytes code, struct chart_steps *steps,
                          struct fault *fault) {
    steps->list = arena_array(arena, to - from, sizeof *steps->list);
    if (!steps->list)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = from; i < to; i++) {
        const struct statement *s = &saids->list[i].s;
        bool is_order = s->kind == STATEMENT_ORDER;
        struct chart_step *step = &steps->list[steps->count];
        if (is_order && code.data && !bytes_is_empty(s->order.code) &&
            !bytes_equal(s->order.code, code))
            continue;
        *step = (struct chart_step){
            .control = is_order ? s->order.control : BYTES_NONE,
            .state = is_order ? facts_order_state_name(s->order.state)
                              : facts_appointment_state_name(s->appointment.state),
            .source = {s->key.entry, s->key.said},
        };
        enum err err = fold_feed_name(db, arena, s->feed, &step->feed, fault);
        if (err)
            return err;
        steps->count++;
    }
    return ERR_OK;
}

/* A request that was not carried out (UA, UH, UD) leaves the order as it stood. */
static enum order_state next_state(enum order_state state, enum order_state said) {
    return said == ORDER_NOT_SAID || (said == ORDER_REFUSED && state != ORDER_NOT_SAID) ? state
                                                                                        : said;
}

static struct fact_order order_together(const struct saids *saids, size_t from, size_t to,
                                        struct bytes code, struct statement *together) {
    enum order_state state = ORDER_NOT_SAID;
    bool is_begun = false;
    for (size_t i = from; i < to; i++) {
        const struct statement *s = &saids->list[i].s;
        if (code.data && !bytes_is_empty(s->order.code) && !bytes_equal(s->order.code, code))
            continue;
        bool has_timing = !bytes_is_empty(s->order.timing) || s->order.is_as_needed;
        bool is_as_needed =
            has_timing ? s->order.is_as_needed : is_begun && together->order.is_as_needed;
        if (!is_begun)
            *together = *s;
        else
            lay_over(together, s);
        is_begun = true;
        if (together->order.kind == ORDER_KIND_NOT_SAID)
            together->order.kind = s->order.kind;
        state = next_state(state, s->order.state);
        together->order.is_as_needed = is_as_needed;
    }
    together->order.state = state;
    return together->order;
}

struct orders {
    struct db *db;
    struct arena *arena;
    struct chart_order *list;
    size_t count, capacity;
    struct fault *fault;
};

static enum err add_order(struct orders *orders, const struct saids *saids, size_t from, size_t to,
                          struct bytes code) {
    if (orders->count == orders->capacity)
        return fault_set(orders->fault, ERR_LIMIT, "too much for one page");
    struct statement together;
    struct chart_order *order = &orders->list[orders->count++];
    *order = (struct chart_order){.fact = order_together(saids, from, to, code, &together),
                                  .member = saids->list[from].member};
    order->source = (struct chart_source){together.key.entry, together.key.said};
    enum err err =
        fold_feed_name(orders->db, orders->arena, together.feed, &order->feed, orders->fault);
    return err ? err
               : put_steps(orders->db, orders->arena, saids, from, to, code, &order->steps,
                           orders->fault);
}

static bool code_is_new(const struct saids *saids, size_t from, size_t at) {
    struct bytes code = saids->list[at].s.order.code;
    for (size_t i = from; i < at; i++)
        if (bytes_equal(saids->list[i].s.order.code, code))
            return false;
    return !bytes_is_empty(code);
}

/* One number of the sender may ask for several tests; a drug that is substituted stays one order. */
static enum err add_orders(struct orders *orders, const struct saids *saids, size_t from,
                           size_t to) {
    size_t codes = 0;
    bool is_drug = false;
    for (size_t i = from; i < to; i++) {
        is_drug |= saids->list[i].s.order.kind == ORDER_MEDICATION;
        codes += code_is_new(saids, from, i);
    }
    if (is_drug || codes < 2)
        return add_order(orders, saids, from, to, BYTES_NONE);
    for (size_t i = from; i < to; i++) {
        enum err err = code_is_new(saids, from, i)
                           ? add_order(orders, saids, from, to, saids->list[i].s.order.code)
                           : ERR_OK;
        if (err)
            return err;
    }
    return ERR_OK;
}

static int newest_order_first(const void *a, const void *b) {
    const struct chart_order *left = a, *right = b;
    int64_t x = left->fact.starts_at != INSTANT_NONE ? left->fact.starts_at : left->fact.asked_at;
    int64_t y =
        right->fact.starts_at != INSTANT_NONE ? right->fact.starts_at : right->fact.asked_at;
    if (x != y)
        return x < y ? 1 : -1;
    int order = bytes_compare(left->fact.placer, right->fact.placer);
    return order ? order : bytes_compare(left->fact.code, right->fact.code);
}

enum err fold_orders(struct db *db, const struct person *person, struct arena *arena,
                     struct chart_order **list, size_t *count, struct fault *fault) {
    struct saids saids;
    *count = 0;
    enum err err = read_statements(db, person, STATEMENT_ORDER, arena, &saids, fault);
    if (!err)
        err = gather(&saids, arena, fault);
    if (err)
        return err;
    struct orders orders = {db, arena,       arena_array(arena, saids.count, sizeof *orders.list),
                            0,  saids.count, fault};
    if (saids.count && !orders.list)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t from = 0, to; from < saids.count && !err; from = to) {
        to = group_end(&saids, from);
        err = add_orders(&orders, &saids, from, to);
    }
    if (orders.count > 1)
        qsort(orders.list, orders.count, sizeof *orders.list, newest_order_first);
    *list = orders.list;
    *count = orders.count;
    return err;
}

/* ---- events: the last statement of each holds ---- */

static int compare_what(const void *a, const void *b) {
    const struct fact_medication_event *left = &((const struct said *)a)->s.event;
    const struct fact_medication_event *right = &((const struct said *)b)->s.event;
    const struct bytes of_left[] = {left->placer, left->filler, left->id, left->code, left->text};
    const struct bytes of_right[] = {right->placer, right->filler, right->id, right->code,
                                     right->text};
    if (left->at != right->at)
        return left->at < right->at ? 1 : -1;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    for (size_t i = 0; i < 5; i++) {
        int order =
            i == 4 && !bytes_is_empty(left->code) ? 0 : bytes_compare(of_left[i], of_right[i]);
        if (order)
            return order;
    }
    return 0;
}

static int compare_events(const void *a, const void *b) {
    int order = compare_what(a, b);
    return order ? order : compare_keys(a, b);
}

static int compare_ids(const void *a, const void *b) {
    int order =
        bytes_compare(((const struct said *)a)->s.event.id, ((const struct said *)b)->s.event.id);
    return order ? order : compare_keys(a, b);
}

/* Of an event that its id alone tells from all others, the last statement holds, whatever time it says. */
static void drop_older_versions(struct saids *saids) {
    size_t kept = 0;
    if (saids->count > 1)
        qsort(saids->list, saids->count, sizeof *saids->list, compare_ids);
    for (size_t i = 0; i < saids->count; i++) {
        const struct fact_medication_event *event = &saids->list[i].s.event;
        bool is_older = i + 1 < saids->count && event->is_identified &&
                        saids->list[i + 1].s.event.is_identified &&
                        bytes_equal(event->id, saids->list[i + 1].s.event.id);
        if (!is_older)
            saids->list[kept++] = saids->list[i];
    }
    saids->count = kept;
}

enum err fold_medication_events(struct db *db, const struct person *person, struct arena *arena,
                                struct chart_medication_event **list, size_t *count,
                                struct fault *fault) {
    struct saids saids;
    *count = 0;
    enum err err = read_statements(db, person, STATEMENT_MEDICATION_EVENT, arena, &saids, fault);
    if (err)
        return err;
    drop_older_versions(&saids);
    if (saids.count > 1)
        qsort(saids.list, saids.count, sizeof *saids.list, compare_events);
    *list = arena_array(arena, saids.count, sizeof **list);
    if (saids.count && !*list)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0, first = 0; i < saids.count && !err; i++) {
        const struct statement *s = &saids.list[i].s;
        if (i + 1 < saids.count && compare_what(&saids.list[i], &saids.list[i + 1]) == 0)
            continue; /* the next one is of the same, and later */
        size_t member = saids.list[first].member;
        first = i + 1;
        struct chart_medication_event *event = &(*list)[(*count)++];
        *event = (struct chart_medication_event){
            .fact = s->event, .member = member, .source = {s->key.entry, s->key.said}};
        err = fold_feed_name(db, arena, s->feed, &event->feed, fault);
    }
    return err;
}

/* ---- appointments ---- */

static enum err add_appointment(struct db *db, struct arena *arena, const struct saids *saids,
                                size_t from, size_t to, struct chart_appointment *out,
                                struct fault *fault) {
    struct statement together = saids->list[from].s;
    enum appointment_state state = together.appointment.state;
    for (size_t i = from + 1; i < to; i++) {
        const struct statement *s = &saids->list[i].s;
        lay_over(&together, s);
        if (s->appointment.state != APPOINTMENT_NOT_SAID)
            state = s->appointment.state;
    }
    together.appointment.state = state;
    *out = (struct chart_appointment){.fact = together.appointment,
                                      .member = saids->list[from].member,
                                      .source = {together.key.entry, together.key.said}};
    enum err err = fold_feed_name(db, arena, together.feed, &out->feed, fault);
    return err ? err : put_steps(db, arena, saids, from, to, BYTES_NONE, &out->steps, fault);
}

static int by_start(const void *a, const void *b) {
    const struct chart_appointment *left = a, *right = b;
    if (left->fact.starts_at != right->fact.starts_at)
        return left->fact.starts_at < right->fact.starts_at ? -1 : 1;
    int order = bytes_compare(left->fact.placer, right->fact.placer);
    return order ? order : bytes_compare(left->fact.filler, right->fact.filler);
}

enum err fold_appointments(struct db *db, const struct person *person, struct arena *arena,
                           struct chart_appointment **list, size_t *count, struct fault *fault) {
    struct saids saids;
    *count = 0;
    enum err err = read_statements(db, person, STATEMENT_APPOINTMENT, arena, &saids, fault);
    if (!err)
        err = gather(&saids, arena, fault);
    if (err)
        return err;
    *list = arena_array(arena, saids.count, sizeof **list);
    if (saids.count && !*list)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t from = 0, to; from < saids.count && !err; from = to) {
        to = group_end(&saids, from);
        err = add_appointment(db, arena, &saids, from, to, &(*list)[(*count)++], fault);
    }
    if (*count > 1)
        qsort(*list, *count, sizeof **list, by_start);
    return err;
}
