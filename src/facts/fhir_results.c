/* fhir_results.c - results: Observation with its components, DiagnosticReport.
 *
 * An Observation is a report of its own: it is sent alone, and again when it is corrected, whatever reports list it. */
#include "facts/fhir.h"

#define COMPONENTS_MAX 256u

static enum result_status status_of(const struct fhir_work *w) {
    static const struct {
        const char *word;
        enum result_status status;
    } words[] = {
        {"registered", RESULT_PENDING},      {"partial", RESULT_PRELIMINARY},
        {"preliminary", RESULT_PRELIMINARY}, {"final", RESULT_FINAL},
        {"amended", RESULT_CORRECTED},       {"corrected", RESULT_CORRECTED},
        {"appended", RESULT_CORRECTED},      {"cancelled", RESULT_CANCELLED},
        {"entered-in-error", RESULT_WRONG},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (status_is(w, words[i].word))
            return words[i].status;
    return RESULT_UNKNOWN;
}

static int64_t effective_at(const struct fhir_work *w) {
    const struct fhir_node *node = own(w, "effectiveDateTime");
    if (!node)
        node = own(w, "effectiveInstant");
    if (!node)
        node = fhir_member(own(w, "effectivePeriod"), "start");
    return fhir_instant(node, w->context->zone);
}

/* ---- values ---- */

struct value {
    struct bytes type, text, unit;
};

static struct bytes pair_text(struct fhir_work *w, const struct fhir_node *a,
                              const struct fhir_node *b, const char *between, struct bytes *unit) {
    struct fhir_quantity low = fhir_quantity(a, w->arena), high = fhir_quantity(b, w->arena);
    const struct bytes parts[] = {low.value, high.value};
    *unit = bytes_is_empty(low.unit) ? high.unit : low.unit;
    return fhir_join(parts, 2, between, w->arena);
}

static struct value value_of(struct fhir_work *w, const struct fhir_node *holder) {
    struct bytes kind = BYTES_NONE;
    struct value out = {0};
    const struct fhir_node *v = fhir_choice(holder, "value", &kind);
    if (!v)
        return out;
    if (bytes_is(kind, "Quantity")) {
        struct fhir_quantity quantity = fhir_quantity(v, w->arena);
        bool is_plain = !fhir_member(v, "comparator");
        return (struct value){is_plain ? BYTES("NM") : BYTES("SN"), quantity.value, quantity.unit};
    }
    if (bytes_is(kind, "CodeableConcept"))
        return (struct value){BYTES("CWE"), fhir_coding(v, w->arena).text, BYTES_NONE};
    if (bytes_is(kind, "Integer"))
        return (struct value){BYTES("NM"), fhir_text(v, w->arena), BYTES_NONE};
    out.type = BYTES("SN");
    if (bytes_is(kind, "Range"))
        out.text = pair_text(w, fhir_member(v, "low"), fhir_member(v, "high"), "-", &out.unit);
    else if (bytes_is(kind, "Ratio"))
        out.text = pair_text(w, fhir_member(v, "numerator"), fhir_member(v, "denominator"), ":",
                             &out.unit);
    else if (bytes_is(kind, "DateTime"))
        out =
            (struct value){BYTES("TS"), fhir_time_text(v, w->context->zone, w->arena), BYTES_NONE};
    else if (bytes_is(kind, "Period"))
        out = (struct value){BYTES("TS"),
                             fhir_time_text(fhir_member(v, "start"), w->context->zone, w->arena),
                             BYTES_NONE};
    else if (bytes_is(kind, "SampledData"))
        out = (struct value){BYTES("ST"), fhir_member_text(v, "data", w->arena), BYTES_NONE};
    else
        out = (struct value){BYTES("ST"), fhir_text(v, w->arena), BYTES_NONE};
    return out;
}

/* The normal range: as text, or "low-high"; with one end only, its sign. */
static struct bytes range_of(struct fhir_work *w, const struct fhir_node *holder) {
    const struct fhir_node *range = fhir_items(fhir_member(holder, "referenceRange"));
    struct fhir_quantity low = fhir_quantity(fhir_member(range, "low"), w->arena);
    struct fhir_quantity high = fhir_quantity(fhir_member(range, "high"), w->arena);
    struct bytes text = fhir_member_text(range, "text", w->arena);
    if (!bytes_is_empty(text) || (bytes_is_empty(low.value) && bytes_is_empty(high.value)))
        return text;
    const struct bytes parts[] = {
        bytes_is_empty(low.value)    ? BYTES("<=")
        : bytes_is_empty(high.value) ? BYTES(">=")
                                     : BYTES_NONE,
        low.value,
        bytes_is_empty(low.value) || bytes_is_empty(high.value) ? BYTES_NONE : BYTES("-"),
        high.value,
    };
    return fhir_join(parts, 4, "", w->arena);
}

#define FLAGS_MAX 8u

static struct bytes flags_of(struct fhir_work *w, const struct fhir_node *holder) {
    struct bytes flags[FLAGS_MAX];
    size_t count = 0;
    for (const struct fhir_node *i = fhir_items(fhir_member(holder, "interpretation"));
         i && count < FLAGS_MAX; i = i->next) {
        struct fhir_coding coding = fhir_coding(i, w->arena);
        flags[count++] = bytes_is_empty(coding.code) ? coding.text : coding.code;
    }
    return fhir_join(flags, count, " ", w->arena);
}

static struct fact_observation observation_of(struct fhir_work *w, const struct fhir_node *holder,
                                              enum result_status status, int64_t at) {
    struct fhir_coding coding = fhir_coding(fhir_member(holder, "code"), w->arena);
    struct value value = value_of(w, holder);
    const struct bytes notes[] = {
        fhir_coding(fhir_member(holder, "dataAbsentReason"), w->arena).text,
        fhir_notes(w, holder),
    };
    return (struct fact_observation){
        .code = coding.code,
        .system = coding.system,
        .text = coding.text,
        .type = value.type,
        .value = value.text,
        .unit = value.unit,
        .range = range_of(w, holder),
        .flags = flags_of(w, holder),
        .status = status,
        .observed_at = at,
        .notes = fhir_join(notes, 2, "\n", w->arena),
    };
}

/* ---- reports ---- */

static struct fact_report report_of(struct fhir_work *w) {
    struct fhir_coding coding = fhir_coding(own(w, "code"), w->arena);
    struct bytes filler = fhir_typed_number(w, "FILL");
    int64_t issued = w->is_withdrawn ? INSTANT_NONE : own_instant(w, w->resource, "issued");
    return (struct fact_report){
        .placer = fhir_name_of(w, fhir_items(own(w, "basedOn"))),
        .filler = bytes_is_empty(filler) ? w->name : filler,
        .code = coding.code,
        .system = coding.system,
        .text = coding.text,
        .collected_at = effective_at(w),
        .reported_at = issued == INSTANT_NONE ? w->facts->said : issued,
        .status = status_of(w),
    };
}

static size_t component_count(const struct fhir_work *w) {
    size_t count = 0;
    for (const struct fhir_node *c = fhir_items(own(w, "component")); c && count < COMPONENTS_MAX;
         c = c->next)
        count++;
    return count;
}

void fhir_observation(struct fhir_work *w) {
    struct fact_report report = report_of(w);
    size_t components = component_count(w);
    bool has_own = fhir_choice(w->resource, "value", NULL) || own(w, "dataAbsentReason") ||
                   (components == 0 && !own(w, "hasMember"));
    if (bytes_is_empty(report.text)) {
        fhir_aside(w, "an observation has neither code nor text");
        return;
    }
    report.observations = arena_array(w->arena, components + 1, sizeof *report.observations);
    if (!report.observations) {
        w->is_full = true;
        return;
    }
    if (has_own)
        report.observations[report.observation_count++] =
            observation_of(w, w->resource, report.status, report.collected_at);
    else
        report.notes = fhir_notes(w, w->resource);
    const struct fhir_node *c = fhir_items(own(w, "component"));
    for (size_t i = 0; i < components; i++, c = c->next)
        report.observations[report.observation_count++] =
            observation_of(w, c, report.status, report.collected_at);
    struct fact *fact = fhir_add(w, FACT_REPORT);
    if (fact)
        fact->report = report;
}

/* Its observations are resources of their own; what it adds is what somebody concludes from them. */
void fhir_diagnostic_report(struct fhir_work *w) {
    struct fact_report report = report_of(w);
    const struct bytes parts[] = {own_text(w, "conclusion"),
                                  fhir_texts(own(w, "conclusionCode"), ", ", w->arena)};
    struct bytes conclusion = fhir_join(parts, 2, "\n", w->arena);
    if (bytes_is_empty(report.text)) {
        fhir_aside(w, "a report has neither code nor text");
        return;
    }
    report.requester = fhir_people(w, own(w, "performer"), NULL, ", ");
    if (!bytes_is_empty(conclusion)) {
        report.observations = arena_array(w->arena, 1, sizeof *report.observations);
        if (!report.observations) {
            w->is_full = true;
            return;
        }
        report.observation_count = 1;
        report.observations[0] = (struct fact_observation){
            .code = report.code,
            .system = report.system,
            .text = report.text,
            .type = BYTES("FT"),
            .value = conclusion,
            .status = report.status,
            .observed_at = report.collected_at,
        };
    }
    struct fact *fact = fhir_add(w, FACT_REPORT);
    if (fact)
        fact->report = report;
    fhir_add_forms(w, own(w, "presentedForm"), report.text, report.reported_at);
}
