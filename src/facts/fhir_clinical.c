/* fhir_clinical.c - allergies, problems and flags: AllergyIntolerance, Condition, Flag. */
#include "facts/fhir.h"
#include "facts/number.h"

/* ---- allergies ---- */

static struct bytes allergy_kind(const struct fhir_work *w) {
    for (const struct fhir_node *c = fhir_items(own(w, "category")); c; c = c->next) {
        if (fhir_is(c, "food"))
            return BYTES("FA");
        if (fhir_is(c, "medication") || fhir_is(c, "biologic"))
            return BYTES("DA");
        if (fhir_is(c, "environment"))
            return BYTES("EA");
    }
    return BYTES_NONE;
}

/* The worst of the reactions; else what the criticality says. */
static struct bytes allergy_severity(const struct fhir_work *w) {
    static const struct {
        const char *word, *code;
    } grades[] = {{"severe", "SV"}, {"moderate", "MO"}, {"mild", "MI"}};
    for (size_t i = 0; i < 3; i++)
        for (const struct fhir_node *r = fhir_items(own(w, "reaction")); r; r = r->next)
            if (fhir_member_is(r, "severity", grades[i].word))
                return bytes_from_string(grades[i].code);
    return fhir_is(own(w, "criticality"), "high") ? BYTES("SV") : BYTES_NONE;
}

#define REACTIONS_MAX 32u

static struct bytes allergy_reaction(struct fhir_work *w) {
    struct bytes parts[REACTIONS_MAX];
    size_t count = 0;
    for (const struct fhir_node *r = fhir_items(own(w, "reaction")); r && count < REACTIONS_MAX;
         r = r->next)
        parts[count++] = fhir_texts(fhir_member(r, "manifestation"), ", ", w->arena);
    return fhir_join(parts, count, ", ", w->arena);
}

static bool no_longer_stands(const struct fhir_work *w) {
    const struct fhir_node *verification = own(w, "verificationStatus");
    const struct fhir_node *clinical = own(w, "clinicalStatus");
    return is_in_error(w) || fhir_has_code(verification, "refuted") ||
           fhir_has_code(clinical, "inactive") || fhir_has_code(clinical, "resolved");
}

void fhir_allergy(struct fhir_work *w) {
    struct fhir_coding agent = fhir_coding(own(w, "code"), w->arena);
    if (bytes_is_empty(agent.text))
        agent = fhir_coding(fhir_member(own(w, "reaction"), "substance"), w->arena);
    if (bytes_is_empty(agent.text)) {
        fhir_aside(w, "an allergy names no agent");
        return;
    }
    bool is_none = says_none_known(agent.code) || says_none_known(agent.text);
    struct bytes since = own_text(w, "onsetDateTime");
    struct fact *fact = fhir_add(w, FACT_ALLERGY);
    if (!fact)
        return;
    fact->allergy = (struct fact_allergy){
        .action = no_longer_stands(w) ? ALLERGY_DELETE
                  : is_none           ? ALLERGY_NONE_KNOWN
                                      : ALLERGY_ADD,
        .code = agent.code,
        .system = agent.system,
        .text = agent.text,
        .kind = allergy_kind(w),
        .severity = allergy_severity(w),
        .reaction = allergy_reaction(w),
        .identified_at =
            bytes_first(bytes_is_empty(since) ? own_text(w, "recordedDate") : since, 10),
        .id = w->name,
    };
}

/* ---- problems and diagnoses ---- */

static struct bytes clinical_state(const struct fhir_work *w) {
    static const char *const states[] = {"active",     "inactive", "resolved",
                                         "recurrence", "relapse",  "remission"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (fhir_has_code(own(w, "clinicalStatus"), states[i]))
            return bytes_from_string(states[i]);
    return BYTES_NONE;
}

/* DG1-6, table 0052: a working diagnosis, as long as it is not confirmed. */
static struct bytes diagnosis_type(const struct fhir_work *w) {
    static const char *const unsure[] = {"unconfirmed", "provisional", "differential"};
    for (size_t i = 0; i < 3; i++)
        if (fhir_has_code(own(w, "verificationStatus"), unsure[i]))
            return BYTES("W");
    return BYTES_NONE;
}

/* dateTime, or the start of a Period. */
static const struct fhir_node *time_node(const struct fhir_work *w, const char *date_time,
                                         const char *period) {
    const struct fhir_node *node = own(w, date_time);
    return node ? node : fhir_member(own(w, period), "start");
}

void fhir_condition(struct fhir_work *w) {
    struct fhir_coding coding = fhir_coding(own(w, "code"), w->arena);
    const struct fhir_node *verification = own(w, "verificationStatus");
    const struct fhir_node *onset = time_node(w, "onsetDateTime", "onsetPeriod");
    const struct fhir_node *end = time_node(w, "abatementDateTime", "abatementPeriod");
    struct zone *zone = w->context->zone;
    int64_t at = own_instant(w, w->resource, "recordedDate");
    if (bytes_is_empty(coding.text)) {
        fhir_aside(w, "a condition has neither code nor text");
        return;
    }
    struct fact *fact = fhir_add(w, FACT_DIAGNOSIS);
    if (!fact)
        return;
    fact->diagnosis = (struct fact_diagnosis){
        .code = coding.code,
        .system = coding.system,
        .text = coding.text,
        .type = diagnosis_type(w),
        .at = at == INSTANT_NONE ? fhir_instant(onset, zone) : at,
        .id = w->name,
        .is_deleted = is_in_error(w) || fhir_has_code(verification, "refuted"),
        .is_problem = !fhir_has_code(own(w, "category"), "encounter-diagnosis"),
        .onset_at = fhir_time_text(onset, zone, w->arena),
        .ended_at = fhir_time_text(end, zone, w->arena),
        .state = clinical_state(w),
    };
}

/* A flag stands among the problems, with its own type. */
void fhir_flag(struct fhir_work *w) {
    struct fhir_coding coding = fhir_coding(own(w, "code"), w->arena);
    const struct fhir_node *period = own(w, "period");
    if (bytes_is_empty(coding.text)) {
        fhir_aside(w, "a flag has neither code nor text");
        return;
    }
    struct fact *fact = fhir_add(w, FACT_DIAGNOSIS);
    if (!fact)
        return;
    fact->diagnosis = (struct fact_diagnosis){
        .code = coding.code,
        .system = coding.system,
        .text = coding.text,
        .type = BYTES("flag"),
        .at = own_instant(w, period, "start"),
        .id = w->name,
        .is_deleted = status_is(w, "entered-in-error"),
        .is_problem = true,
        .onset_at = fhir_time_text(fhir_member(period, "start"), w->context->zone, w->arena),
        .ended_at = fhir_time_text(fhir_member(period, "end"), w->context->zone, w->arena),
        .state = status_is(w, "active")     ? BYTES("active")
                 : status_is(w, "inactive") ? BYTES("inactive")
                                            : BYTES_NONE,
    };
}
