/* care.c - orders, events of medication and appointments of one patient, sorted for a page, and their words. */
#include "web/care.h"

#define SHOWN_AFTER_END_US (INT64_C(48) * 3600 * US_PER_S)

/* ---- words ---- */

bool order_is_over(const struct page *page, const struct chart_order *order) {
    enum order_state state = order->fact.state;
    bool is_open = state == ORDER_ACTIVE || state == ORDER_HELD || state == ORDER_NOT_SAID;
    return is_open && order->fact.ends_at != INSTANT_NONE && order->fact.ends_at <= page->now;
}

bool order_is_gone(const struct chart_order *order) {
    enum order_state state = order->fact.state;
    return state == ORDER_CANCELLED || state == ORDER_WRONG || state == ORDER_REFUSED;
}

bool order_is_urgent(const struct chart_order *order) {
    struct bytes priority = bytes_first(order->fact.priority, 1);
    return bytes_is(priority, "S") || bytes_is(priority, "A"); /* STAT, as soon as possible */
}

bool event_is_taken_back(const struct chart_medication_event *event) {
    return event->fact.state == MEDICATION_EVENT_DELETED;
}

bool appointment_is_off(const struct chart_appointment *appointment) {
    enum appointment_state state = appointment->fact.state;
    return state == APPOINTMENT_CANCELLED || state == APPOINTMENT_DELETED;
}

static void put_amount(struct text *text, struct page *page, struct bytes amount,
                       struct bytes unit) {
    text_put(text, show_value(page, amount));
    if (!bytes_is_empty(unit)) {
        text_put_char(text, ' ');
        text_put(text, show_unit(unit));
    }
}

/* The greater amount is never shown alone, and never without its unit. */
struct bytes show_dose(struct page *page, const struct fact_order *order) {
    struct text text;
    size_t room =
        order->dose.size + order->dose_max.size + order->dose_unit.size + order->rate.size;
    if (text_init_arena(&text, page->arena, room + 128))
        return BYTES_NONE;
    bool has_range = !bytes_is_empty(order->dose_max) && !bytes_equal(order->dose, order->dose_max);
    if (has_range && !bytes_is_empty(order->dose)) {
        text_put(&text, show_value(page, order->dose));
        text_put_format(&text, " %s ", page_sentence(page, "to"));
    }
    put_amount(&text, page, has_range ? order->dose_max : order->dose, order->dose_unit);
    if (!bytes_is_empty(order->rate)) {
        text_put_string(&text, text.size ? ", " : "");
        text_put(&text, show_value(page, order->rate));
    }
    return bytes_trim(text_bytes(&text));
}

#define WORD(page, words, value)                                                                   \
    page_sentence(page, (words)[(size_t)(value) < sizeof(words) / sizeof((words)[0]) ? (value) : 0])

const char *show_order_state(struct page *page, const struct chart_order *order) {
    static const char *const words[] = {"status not said",
                                        "in force",
                                        "on hold",
                                        "stopped",
                                        "cancelled",
                                        "completed",
                                        "replaced by another order",
                                        "entered in error",
                                        "refused"};
    return WORD(page, words, order->fact.state);
}

const char *show_medication_event(struct page *page, const struct chart_medication_event *event) {
    static const char *const given[] = {"status not said", "given",     "partly given",
                                        "refused",         "not given", "deleted"};
    static const char *const dispensed[] = {"status not said", "dispensed",     "partly dispensed",
                                            "refused",         "not dispensed", "deleted"};
    return event->fact.kind == MEDICATION_DISPENSE ? WORD(page, dispensed, event->fact.state)
                                                   : WORD(page, given, event->fact.state);
}

const char *show_appointment_state(struct page *page, const struct chart_appointment *appointment) {
    static const char *const words[] = {"status not said", "booked",          "asked for",
                                        "arrived",         "took place",      "cancelled",
                                        "did not come",    "entered in error"};
    return WORD(page, words, appointment->fact.state);
}

/* ---- sorting ---- */

static bool is_shown_first(const struct page *page, const struct chart_order *order) {
    return chart_order_stands(order, page->now) ||
           (order_is_over(page, order) && page->now - order->fact.ends_at < SHOWN_AFTER_END_US);
}

static enum err sort_orders(struct page *page, struct care_view *care, struct fault *fault) {
    size_t count = care->order_count;
    care->standing = arena_array(page->arena, count, sizeof *care->standing);
    care->past = arena_array(page->arena, count, sizeof *care->past);
    care->others = arena_array(page->arena, count, sizeof *care->others);
    if (count && (!care->standing || !care->past || !care->others))
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0; i < count; i++) {
        const struct chart_order *order = &care->orders[i];
        if (order->fact.kind != ORDER_MEDICATION)
            care->others[care->other_count++] = order;
        else if (is_shown_first(page, order))
            care->standing[care->standing_count++] = order;
        else
            care->past[care->past_count++] = order;
        if (order->fact.kind == ORDER_MEDICATION && order->source.said > care->medication_said_at)
            care->medication_said_at = order->source.said;
    }
    return ERR_OK;
}

enum err care_gather(struct chart_reader *reader, struct page *page, uint64_t patient,
                     struct care_view *care, struct fault *fault) {
    *care = (struct care_view){.medication_said_at = INSTANT_NONE};
    enum err err =
        chart_orders(reader, page->arena, patient, &care->orders, &care->order_count, fault);
    if (!err)
        err = chart_medication_events(reader, page->arena, patient, &care->given,
                                      &care->given_count, fault);
    if (!err)
        err = chart_appointments(reader, page->arena, patient, &care->appointments,
                                 &care->appointment_count, fault);
    if (!err)
        err = sort_orders(page, care, fault);
    for (size_t i = 0; !err && i < care->given_count; i++)
        if (care->given[i].source.said > care->medication_said_at)
            care->medication_said_at = care->given[i].source.said;
    return err;
}
