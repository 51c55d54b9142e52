/* answer_orders.c - orders, events of medication and appointments as JSON; docs/chart-json.md describes every member. */
#include "chart/answer.h"

struct member {
    const char *name;
    struct bytes value;
};

static void put_members(struct json *json, const struct member *members, size_t count) {
    for (size_t i = 0; i < count; i++)
        json_member_bytes(json, members[i].name, members[i].value);
}
#define PUT_MEMBERS(json, members)                                                                 \
    put_members(json, members, sizeof(members) / sizeof((members)[0]))

static void put_steps(struct json *json, const struct chart_steps *steps) {
    json_name(json, "statements");
    json_array_begin(json);
    for (size_t i = 0; i < steps->count; i++) {
        const struct chart_step *step = &steps->list[i];
        json_object_begin(json);
        json_member_bytes(json, "control", step->control);
        json_member_string(json, "state", step->state);
        json_member_bytes(json, "feed", step->feed);
        put_source(json, &step->source);
        json_object_end(json);
    }
    json_array_end(json);
}

static void put_order(struct json *json, const struct chart_order *order, int64_t now_us) {
    const struct fact_order *o = &order->fact;
    const struct member members[] = {
        {"placer", o->placer},
        {"filler", o->filler},
        {"group", o->group},
        {"parent", o->parent},
        {"code", o->code},
        {"system", o->system},
        {"text", o->text},
        {"dose", o->dose},
        {"dose_max", o->dose_max},
        {"dose_unit", o->dose_unit},
        {"strength", o->strength},
        {"form", o->form},
        {"route", o->route},
        {"rate", o->rate},
        {"timing", o->timing},
        {"duration", o->duration},
        {"instructions", o->instructions},
        {"indication", o->indication},
        {"components", o->components},
        {"priority", o->priority},
        {"requester", o->requester},
        {"specimen", o->specimen},
        {"notes", o->notes},
        {"feed", order->feed},
    };
    json_object_begin(json);
    json_member_string(json, "kind", facts_order_kind_name(o->kind));
    json_member_string(json, "state", facts_order_state_name(o->state));
    json_member_bool(json, "stands", chart_order_stands(order, now_us));
    PUT_MEMBERS(json, members);
    json_member_bool(json, "is_as_needed", o->is_as_needed);
    json_member_instant(json, "starts_at", o->starts_at);
    json_member_instant(json, "ends_at", o->ends_at);
    json_member_instant(json, "asked_at", o->asked_at);
    json_member_instant(json, "effective_at", o->effective_at);
    put_steps(json, &order->steps);
    put_source(json, &order->source);
    json_object_end(json);
}

void put_orders(struct json *json, const struct chart_order *orders, size_t count, int64_t now_us) {
    json_name(json, "orders");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++)
        put_order(json, &orders[i], now_us);
    json_array_end(json);
}

void put_medication_events(struct json *json, const struct chart_medication_event *events,
                           size_t count) {
    json_name(json, "administrations");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        const struct fact_medication_event *e = &events[i].fact;
        const struct member members[] = {
            {"placer", e->placer},       {"filler", e->filler},    {"event", e->id},
            {"code", e->code},           {"system", e->system},    {"text", e->text},
            {"amount", e->amount},       {"unit", e->unit},        {"form", e->form},
            {"route", e->route},         {"site", e->site},        {"rate", e->rate},
            {"performer", e->performer}, {"reason", e->reason},    {"lot", e->lot},
            {"notes", e->notes},         {"feed", events[i].feed},
        };
        json_object_begin(json);
        json_member_string(json, "kind", facts_medication_event_kind_name(e->kind));
        json_member_string(json, "state", facts_medication_event_state_name(e->state));
        json_member_instant(json, "at", e->at);
        json_member_instant(json, "ended_at", e->ended_at);
        PUT_MEMBERS(json, members);
        put_source(json, &events[i].source);
        json_object_end(json);
    }
    json_array_end(json);
}

void put_appointments(struct json *json, const struct chart_appointment *appointments,
                      size_t count) {
    json_name(json, "appointments");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        const struct fact_appointment *a = &appointments[i].fact;
        const struct member members[] = {
            {"placer", a->placer},       {"filler", a->filler}, {"code", a->code},
            {"system", a->system},       {"text", a->text},     {"kind", a->kind},
            {"reason", a->reason},       {"place", a->place},   {"people", a->people},
            {"resources", a->resources}, {"notes", a->notes},   {"feed", appointments[i].feed},
        };
        json_object_begin(json);
        json_member_string(json, "state", facts_appointment_state_name(a->state));
        json_member_instant(json, "starts_at", a->starts_at);
        json_member_instant(json, "ends_at", a->ends_at);
        PUT_MEMBERS(json, members);
        put_steps(json, &appointments[i].steps);
        put_source(json, &appointments[i].source);
        json_object_end(json);
    }
    json_array_end(json);
}
