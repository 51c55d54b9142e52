/* clinical.c - allergies, diagnoses and problems: AL1, IAM, DG1, PRB. */
#include "facts/translate.h"

/* ---- "none known" ---- */

/* ASCII capitals to small letters, and the accented letters of the phrases below to plain ones. */
static size_t fold(struct bytes text, char *out, size_t out_bytes) {
    size_t size = 0;
    for (size_t i = 0; i < text.size && size < out_bytes; i++) {
        uint8_t c = text.data[i];
        if (c == 0xC3 && i + 1 < text.size) { /* U+00C0 to U+00FF */
            uint8_t low = text.data[++i] | 0x20;
            c = low >= 0xA8 && low <= 0xAB ? 'e' : low >= 0xA0 && low <= 0xA5 ? 'a' : '?';
        } else if (c == 0xE2 && i + 2 < text.size && text.data[i + 1] == 0x80) {
            i += 2; /* a typographic apostrophe */
            c = '\'';
        }
        out[size++] = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
    }
    while (size && (out[size - 1] == '.' || out[size - 1] == ' '))
        size--;
    return size;
}

/* The whole text must be one of these: "no known allergy to latex" says something else. */
bool says_none_known(struct bytes text) {
    static const char *const statements[] = {
        "nka",
        "nkda",
        "nkfa",
        "nkma",
        "716186003",
        "409137002",
        "no-known-allergies",
        "no-known-medication-allergies",
        "no known allergies",
        "no known allergy",
        "no known drug allergies",
        "no known drug allergy",
        "no known medication allergies",
        "no known allergies (situation)",
        "no known allergy (situation)",
        "no allergies",
        "no allergies known",
        "none known",
        "nil known",
        "none",
        "aucune allergie connue",
        "aucune allergie",
        "aucune connue",
        "aucune",
        "pas d'allergie connue",
        "pas d'allergie",
        "pas d'allergies connues",
        "absence d'allergie connue",
        "absence d'allergie",
        "neant",
    };
    char folded[64];
    size_t size = fold(text, folded, sizeof folded);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (bytes_is(bytes_from(folded, size), statements[i]))
            return true;
    return false;
}

/* ---- allergies ---- */

/* The agent is AL1-3 or IAM-3; a message that names none says nothing that could be shown. */
static void add_allergy(struct translation *t, struct fact_allergy allergy) {
    struct coded agent = coded_field(t, 3);
    if (bytes_is_empty(agent.text)) {
        translate_warn(t, "an allergy names no agent");
        return;
    }
    struct fact *fact = translate_add(t, FACT_ALLERGY);
    if (!fact)
        return;
    allergy.code = agent.code;
    allergy.text = agent.text;
    allergy.system = agent.system;
    allergy.kind = value_text(t, 2, 1);
    allergy.severity = value_text(t, 4, 1);
    allergy.reaction = coded_texts(t, 5, ", ");
    if (allergy.action != ALLERGY_DELETE &&
        (says_none_known(agent.code) || says_none_known(agent.text)))
        allergy.action = ALLERGY_NONE_KNOWN;
    fact->allergy = allergy;
}

void translate_al1(struct translation *t) {
    add_allergy(t, (struct fact_allergy){.action = ALLERGY_ADD,
                                         .identified_at = date_text(t, value_raw(t, 6, 1))});
}

/* IAM-6, table 0323; IAM-17 E: it was entered in error. */
static enum allergy_action action_of(const struct translation *t) {
    struct bytes action = value_raw(t, 6, 1);
    if (bytes_is(action, "D") || bytes_is(value_raw(t, 17, 1), "E"))
        return ALLERGY_DELETE;
    return bytes_is(action, "U") ? ALLERGY_UPDATE : ALLERGY_ADD;
}

void translate_iam(struct translation *t) {
    unsigned date = bytes_is_empty(value_raw(t, 11, 1)) ? 13 : 11;
    add_allergy(t, (struct fact_allergy){.action = action_of(t),
                                         .identified_at = date_text(t, value_raw(t, date, 1)),
                                         .id = entity_text(t, 7)});
}

/* ---- diagnoses ---- */

void translate_dg1(struct translation *t) {
    struct coded coded = coded_field(t, 3);
    struct bytes description = value_text(t, 4, 1);
    bool has_words = !bytes_is_empty(coded.text) && !bytes_equal(coded.text, coded.code);
    if (!has_words && !bytes_is_empty(description))
        coded.text = description;
    if (bytes_is_empty(coded.text)) {
        translate_warn(t, "a diagnosis has neither code nor text");
        return;
    }
    struct fact *fact = translate_add(t, FACT_DIAGNOSIS);
    if (!fact)
        return;
    fact->diagnosis = (struct fact_diagnosis){
        .code = coded.code,
        .system = bytes_is_empty(coded.system) ? value_text(t, 2, 1) : coded.system,
        .text = coded.text,
        .type = value_text(t, 6, 1),
        .at = value_time(t, 5),
        .id = entity_text(t, 20),
        .is_deleted = bytes_is(value_raw(t, 21, 1), "D"),
    };
}

/* ---- problems ---- */

/* PRB-14 comes from no table of the standard: the words of people, and those of FHIR. */
static struct bytes state_of_problem(struct translation *t) {
    static const struct {
        const char *word, *state;
    } states[] = {
        {"active", "active"},       {"actif", "active"},          {"inactive", "inactive"},
        {"inactif", "inactive"},    {"resolved", "resolved"},     {"resolu", "resolved"},
        {"remission", "remission"}, {"recurrence", "recurrence"}, {"recidive", "recurrence"},
        {"relapse", "relapse"},     {"rechute", "relapse"},
    };
    struct coded said = coded_field(t, 14);
    const struct bytes names[] = {said.code, said.text};
    for (size_t n = 0; n < 2; n++) {
        char folded[32];
        size_t size = fold(names[n], folded, sizeof folded);
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
            if (bytes_is(bytes_from(folded, size), states[i].word))
                return bytes_from_string(states[i].state);
    }
    if (!bytes_is_empty(said.text))
        translate_warn(t, "a problem's status (PRB-14) is none that is known");
    /* What has its actual end (PRB-9) is over. */
    return bytes_is_empty(value_raw(t, 9, 1)) || hl7_is_null(value_raw(t, 9, 1))
               ? BYTES_NONE
               : BYTES("resolved");
}

/* Table 0287; the event (PC3: a problem is deleted) where PRB-1 says nothing. */
static bool problem_is_deleted(const struct translation *t) {
    struct bytes action = value_raw(t, 1, 1);
    return bytes_is(action, "DE") || (bytes_is_empty(action) && bytes_is(t->facts->trigger, "PC3"));
}

void translate_prb(struct translation *t) {
    struct coded coded = coded_field(t, 3);
    if (bytes_is_empty(coded.text)) {
        translate_warn(t, "a problem has neither code nor text");
        return;
    }
    struct fact *fact = translate_add(t, FACT_DIAGNOSIS);
    if (!fact)
        return;
    fact->diagnosis = (struct fact_diagnosis){
        .code = coded.code,
        .system = coded.system,
        .text = coded.text,
        .at = value_time(t, 7),
        .id = entity_text(t, 4),
        .is_deleted = problem_is_deleted(t),
        .is_problem = true,
        .onset_at = date_text(t, value_raw(t, 16, 1)),
        .ended_at = date_text(t, value_raw(t, 9, 1)),
        .state = state_of_problem(t),
    };
}
