/* names.c - the vocabulary's words, as JSON and FHIR write them. */
#include "facts/facts.h"

static const char *name_of(const char *const *names, size_t count, unsigned value) {
    return value < count ? names[value] : names[0];
}
#define NAME_OF(names, value) name_of(names, sizeof(names) / sizeof(names)[0], (unsigned)(value))

const char *facts_result_status_name(enum result_status status) {
    static const char *const names[] = {"unknown",   "registered", "preliminary",      "final",
                                        "corrected", "deleted",    "entered-in-error", "cancelled"};
    return NAME_OF(names, status);
}

const char *facts_movement_class_name(enum movement_class class) {
    static const char *const names[MOVEMENT_CLASS_COUNT] = {
        "unknown",          "admit",         "register",
        "preadmit",         "transfer",      "discharge",
        "to_inpatient",     "to_outpatient", "leave",
        "return",           "pending_admit", "pending_transfer",
        "pending_discharge"};
    return NAME_OF(names, class);
}

const char *facts_order_kind_name(enum order_kind kind) {
    static const char *const names[] = {"unknown", "medication", "laboratory",
                                        "imaging", "diet",       "service"};
    return NAME_OF(names, kind);
}

const char *facts_order_state_name(enum order_state state) {
    static const char *const names[] = {"",         "active",           "on-hold",
                                        "stopped",  "revoked",          "completed",
                                        "replaced", "entered-in-error", "refused"};
    return NAME_OF(names, state);
}

const char *facts_medication_event_kind_name(enum medication_event_kind kind) {
    static const char *const names[] = {"unknown", "administration", "dispense", "immunization"};
    return NAME_OF(names, kind);
}

const char *facts_medication_event_state_name(enum medication_event_state state) {
    static const char *const names[] = {"unknown", "completed", "partial",
                                        "refused", "not-done",  "deleted"};
    return NAME_OF(names, state);
}

const char *facts_appointment_state_name(enum appointment_state state) {
    static const char *const names[] = {"",          "booked",    "pending", "arrived",
                                        "fulfilled", "cancelled", "noshow",  "entered-in-error"};
    return NAME_OF(names, state);
}
