/* census.c - a hospital's list of who is present, as CSV: a batch with one `struct facts` for each line.
 *
 * Statements of a census outrank nothing (they are marked as doubtful in date): whatever a system says of a patient itself
 * holds. They only fill what nobody said, and record that the patient was listed. */
#include "facts/facts.h"
#include "facts/type_values.h"

#include <csv.h>

#define COLUMNS_MAX 64u

enum column {
    COLUMN_NONE,
    COLUMN_NUMBER,
    COLUMN_AUTHORITY,
    COLUMN_VISIT,
    COLUMN_FAMILY_NAME,
    COLUMN_GIVEN_NAME,
    COLUMN_BIRTH_NAME,
    COLUMN_BIRTH_DATE,
    COLUMN_SEX,
    COLUMN_WARD,
    COLUMN_ROOM,
    COLUMN_BED,
    COLUMN_FACILITY,
    COLUMN_CLASS,
    COLUMN_ADMITTED_AT,
    COLUMN_ATTENDING,
    COLUMN_COUNT
};

/* As hospitals write them, without case, blanks, accents and punctuation. */
static const struct {
    const char *name;
    enum column column;
} names[] = {
    {"ipp", COLUMN_NUMBER},
    {"patient", COLUMN_NUMBER},
    {"patientnumber", COLUMN_NUMBER},
    {"patientid", COLUMN_NUMBER},
    {"number", COLUMN_NUMBER},
    {"mrn", COLUMN_NUMBER},
    {"numero", COLUMN_NUMBER},
    {"numeropatient", COLUMN_NUMBER},
    {"authority", COLUMN_AUTHORITY},
    {"autorite", COLUMN_AUTHORITY},
    {"iep", COLUMN_VISIT},
    {"nda", COLUMN_VISIT},
    {"visit", COLUMN_VISIT},
    {"visitnumber", COLUMN_VISIT},
    {"sejour", COLUMN_VISIT},
    {"numerosejour", COLUMN_VISIT},
    {"encounter", COLUMN_VISIT},
    {"nom", COLUMN_FAMILY_NAME},
    {"familyname", COLUMN_FAMILY_NAME},
    {"lastname", COLUMN_FAMILY_NAME},
    {"nomusuel", COLUMN_FAMILY_NAME},
    {"family", COLUMN_FAMILY_NAME},
    {"name", COLUMN_FAMILY_NAME},
    {"prenom", COLUMN_GIVEN_NAME},
    {"prenoms", COLUMN_GIVEN_NAME},
    {"givenname", COLUMN_GIVEN_NAME},
    {"firstname", COLUMN_GIVEN_NAME},
    {"given", COLUMN_GIVEN_NAME},
    {"nomnaissance", COLUMN_BIRTH_NAME},
    {"nomdenaissance", COLUMN_BIRTH_NAME},
    {"birthname", COLUMN_BIRTH_NAME},
    {"naissance", COLUMN_BIRTH_DATE},
    {"datenaissance", COLUMN_BIRTH_DATE},
    {"datedenaissance", COLUMN_BIRTH_DATE},
    {"ddn", COLUMN_BIRTH_DATE},
    {"birthdate", COLUMN_BIRTH_DATE},
    {"dateofbirth", COLUMN_BIRTH_DATE},
    {"dob", COLUMN_BIRTH_DATE},
    {"sexe", COLUMN_SEX},
    {"sex", COLUMN_SEX},
    {"gender", COLUMN_SEX},
    {"service", COLUMN_WARD},
    {"unite", COLUMN_WARD},
    {"uf", COLUMN_WARD},
    {"ward", COLUMN_WARD},
    {"unit", COLUMN_WARD},
    {"chambre", COLUMN_ROOM},
    {"room", COLUMN_ROOM},
    {"lit", COLUMN_BED},
    {"bed", COLUMN_BED},
    {"etablissement", COLUMN_FACILITY},
    {"facility", COLUMN_FACILITY},
    {"classe", COLUMN_CLASS},
    {"class", COLUMN_CLASS},
    {"entree", COLUMN_ADMITTED_AT},
    {"dateentree", COLUMN_ADMITTED_AT},
    {"admittedat", COLUMN_ADMITTED_AT},
    {"admission", COLUMN_ADMITTED_AT},
    {"admissiondate", COLUMN_ADMITTED_AT},
    {"medecin", COLUMN_ATTENDING},
    {"attending", COLUMN_ATTENDING},
    {"physician", COLUMN_ATTENDING},
};

struct census {
    const struct facts_census *given;
    const struct facts_context *context;
    struct arena *arena;
    struct hl7_message characters; /* how the bytes that are no UTF-8 are to be read */
    struct facts_batch *batch;
    size_t capacity;
    enum column columns[COLUMNS_MAX];
    size_t column_count, at; /* `at`: the next field of the line */
    struct bytes values[COLUMN_COUNT];
    bool has_head, is_full;
    uint64_t line;
};

/* ---- the head ---- */

static size_t fold(struct bytes name, char *out, size_t out_bytes) {
    size_t size = 0;
    for (size_t i = 0; i < name.size && size < out_bytes; i++) {
        uint8_t c = name.data[i];
        if (c == 0xC3 && i + 1 < name.size) {
            uint8_t low = name.data[++i] | 0x20;
            c = low >= 0xA8 && low <= 0xAB   ? 'e'
                : low >= 0xA0 && low <= 0xA5 ? 'a'
                : low == 0xB4                ? 'o'
                                             : '?';
        }
        c = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
        if (c >= 'a' && c <= 'z')
            out[size++] = (char)c;
    }
    return size;
}

static enum column column_named(struct bytes name) {
    char folded[40];
    struct bytes plain = bytes_from(folded, fold(name, folded, sizeof folded));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bytes_is(plain, names[i].name))
            return names[i].column;
    return COLUMN_NONE;
}

static struct bytes text_of(struct census *census, struct bytes raw) {
    bool has_multibyte;
    if (bytes_starts_with(raw, BYTES("\xEF\xBB\xBF")))
        raw = bytes_skip(raw, 3);
    if (bytes_is_utf8(raw, &has_multibyte))
        return arena_copy(census->arena, bytes_trim(raw));
    return bytes_trim(hl7_text(census->arena, &census->characters, raw));
}

static void take_name(struct census *census, struct bytes name) {
    if (census->column_count < COLUMNS_MAX)
        census->columns[census->column_count++] = column_named(name);
}

static bool has_column(const struct census *census, enum column column) {
    for (size_t i = 0; i < census->column_count; i++)
        if (census->columns[i] == column)
            return true;
    return false;
}

/* ---- a line ---- */

static void add_cell(struct facts *facts, enum fact_kind kind, int field, struct bytes value) {
    if (bytes_is_empty(value))
        return;
    facts->list[facts->count++] = (struct fact){.kind = kind, .cell = {field, false, value}};
}

/* 1945-07-14, 14/07/1945, 19450714. */
static struct bytes date_of(struct census *census, struct bytes value) {
    struct text text;
    uint64_t year, month, day;
    struct bytes rest = value, parts[3];
    char separator = bytes_find(value, '/') != BYTES_NOT_FOUND   ? '/'
                     : bytes_find(value, '.') != BYTES_NOT_FOUND ? '.'
                                                                 : '-';
    bool is_split = bytes_next_part(&rest, (uint8_t)separator, &parts[0]) &&
                    bytes_next_part(&rest, (uint8_t)separator, &parts[1]) &&
                    bytes_next_part(&rest, (uint8_t)separator, &parts[2]);
    if (!is_split && value.size == 8 && bytes_is_digits(value)) {
        parts[0] = bytes_first(value, 4);
        parts[1] = bytes_first(bytes_skip(value, 4), 2);
        parts[2] = bytes_skip(value, 6);
    } else if (!is_split) {
        return BYTES_NONE;
    }
    bool is_year_first = parts[0].size == 4;
    if (!bytes_to_u64(parts[is_year_first ? 0 : 2], &year) || !bytes_to_u64(parts[1], &month) ||
        !bytes_to_u64(bytes_first(parts[is_year_first ? 2 : 0], 2), &day) || month < 1 ||
        month > 12 || day < 1 || day > 31 || year < 1800 || year > 2200 ||
        text_init_arena(&text, census->arena, 16))
        return BYTES_NONE;
    text_put_padded(&text, year, 4);
    text_put_char(&text, '-');
    text_put_padded(&text, month, 2);
    text_put_char(&text, '-');
    text_put_padded(&text, day, 2);
    return text_bytes(&text);
}

static struct bytes sex_of(struct bytes value) {
    uint8_t c = value.size ? (uint8_t)(value.data[0] & 0xDF) : 0;
    return c == 'F' || c == 'W' || c == '2'   ? BYTES("F")
           : c == 'M' || c == 'H' || c == '1' ? BYTES("M")
           : c                                ? BYTES("U")
                                              : BYTES_NONE;
}

static struct bytes place_of(struct census *census) {
    static const enum column parts[] = {COLUMN_WARD, COLUMN_ROOM, COLUMN_BED, COLUMN_FACILITY};
    struct text text;
    size_t room = 8;
    for (size_t i = 0; i < 4; i++)
        room += census->values[parts[i]].size;
    if (text_init_arena(&text, census->arena, room))
        return BYTES_NONE;
    for (size_t i = 0; i < 4; i++) {
        text_put(&text, census->values[parts[i]]);
        if (i < 3)
            text_put_char(&text, 0x1F);
    }
    return text_bytes(&text);
}

static struct bytes instant_of(struct census *census, int64_t at) {
    struct text text;
    if (text_init_arena(&text, census->arena, 32))
        return BYTES_NONE;
    time_put_iso_utc(&text, at);
    return text_bytes(&text);
}

static struct bytes admitted_of(struct census *census) {
    struct time_read time;
    struct bytes value = census->values[COLUMN_ADMITTED_AT];
    if (time_read_iso(value, census->context->zone, &time))
        return instant_of(census, time.at);
    return date_of(census, value);
}

static void add_facts(struct census *census, struct facts *facts) {
    const struct bytes *values = census->values;
    struct bytes class = values[COLUMN_CLASS];
    add_cell(facts, FACT_PATIENT, PATIENT_FAMILY_NAME, values[COLUMN_FAMILY_NAME]);
    add_cell(facts, FACT_PATIENT, PATIENT_GIVEN_NAME, values[COLUMN_GIVEN_NAME]);
    add_cell(facts, FACT_PATIENT, PATIENT_BIRTH_NAME, values[COLUMN_BIRTH_NAME]);
    add_cell(facts, FACT_PATIENT, PATIENT_BIRTH_DATE, date_of(census, values[COLUMN_BIRTH_DATE]));
    add_cell(facts, FACT_PATIENT, PATIENT_SEX, sex_of(values[COLUMN_SEX]));
    add_cell(facts, FACT_VISIT, VISIT_CLASS,
             bytes_is_empty(class) ? BYTES("I") : bytes_first(class, 1));
    add_cell(facts, FACT_VISIT, VISIT_STATED_PLACE, place_of(census));
    add_cell(facts, FACT_VISIT, VISIT_ADMITTED_AT, admitted_of(census));
    add_cell(facts, FACT_VISIT, VISIT_ATTENDING, values[COLUMN_ATTENDING]);
    add_cell(facts, FACT_VISIT, VISIT_CENSUS, instant_of(census, census->given->as_of));
}

static struct facts *next_facts(struct census *census) {
    struct facts_batch *batch = census->batch;
    if (batch->count == census->capacity) {
        size_t capacity = census->capacity ? census->capacity * 2 : 64;
        struct facts *larger = arena_array(census->arena, capacity, sizeof *larger);
        if (!larger)
            return NULL;
        if (batch->count)
            memcpy(larger, batch->list, batch->count * sizeof *larger);
        batch->list = larger;
        census->capacity = capacity;
    }
    struct facts *facts = &batch->list[batch->count++];
    *facts = (struct facts){
        .own_time = census->given->as_of,
        .said = census->given->as_of,
        .is_date_doubtful = true,
    };
    return facts;
}

#define FACTS_OF_LINE 12u

static void end_line(struct census *census) {
    struct facts *facts = next_facts(census);
    struct bytes authority = census->values[COLUMN_AUTHORITY];
    if (facts)
        facts->list = arena_array(census->arena, FACTS_OF_LINE, sizeof *facts->list);
    if (!facts || !facts->list) {
        census->is_full = true;
        return;
    }
    facts->has_subject = !bytes_is_empty(census->values[COLUMN_NUMBER]);
    if (!facts->has_subject) {
        facts->aside = "a line of the census names no patient";
        return;
    }
    facts->subject =
        (struct fact_identifier){bytes_is_empty(authority) ? census->given->authority : authority,
                                 census->given->type, census->values[COLUMN_NUMBER]};
    if (!bytes_is_empty(census->values[COLUMN_VISIT]))
        facts->visit =
            (struct fact_identifier){census->given->visit_authority, census->given->visit_type,
                                     census->values[COLUMN_VISIT]};
    add_facts(census, facts);
}

/* ---- what the library calls ---- */

static void on_field(void *data, size_t size, void *owner) {
    struct census *census = owner;
    struct bytes value = text_of(census, bytes_from(data, size));
    if (!census->has_head)
        take_name(census, value);
    else if (census->at < census->column_count)
        census->values[census->columns[census->at]] = value;
    census->at++;
}

static bool is_blank(const struct census *census) {
    for (unsigned i = COLUMN_NUMBER; i < COLUMN_COUNT; i++)
        if (!bytes_is_empty(census->values[i]))
            return false;
    return true;
}

static void on_line(int end, void *owner) {
    struct census *census = owner;
    (void)end;
    census->line++;
    if (!census->has_head)
        census->has_head = true;
    else if (!is_blank(census))
        end_line(census);
    census->at = 0;
    memset(census->values, 0, sizeof census->values);
}

/* The one that stands most often in the first line. */
static uint8_t separator_of(struct bytes body) {
    static const uint8_t candidates[] = {';', ',', '\t', '|'};
    size_t best = 0;
    uint8_t separator = ';';
    for (size_t i = 0; i < sizeof candidates; i++) {
        size_t count = 0;
        for (size_t k = 0; k < body.size && body.data[k] != '\n' && body.data[k] != '\r'; k++)
            count += body.data[k] == candidates[i];
        if (count > best) {
            best = count;
            separator = candidates[i];
        }
    }
    return separator;
}

static enum err read_lines(struct census *census, struct bytes body) {
    struct csv_parser parser;
    if (csv_init(&parser, CSV_APPEND_NULL))
        return ERR_LIMIT;
    csv_set_delim(&parser, separator_of(body));
    size_t used = csv_parse(&parser, body.data, body.size, on_field, on_line, census);
    int end = csv_fini(&parser, on_field, on_line, census);
    csv_free(&parser);
    return used != body.size || end || census->is_full ? ERR_LIMIT : ERR_OK;
}

enum err facts_from_census(struct bytes body, const struct facts_census *given,
                           const struct facts_context *context, struct arena *arena,
                           struct facts_batch *batch) {
    struct census census = {.given = given, .context = context, .arena = arena, .batch = batch};
    census.characters.characters = context->otherwise == HL7_UTF8 ? HL7_LATIN9 : context->otherwise;
    *batch = (struct facts_batch){.census_as_of = given->as_of};
    enum err err = read_lines(&census, body);
    if (err)
        return err;
    const char *aside =
        !has_column(&census, COLUMN_NUMBER) ? "the census has no column with the patients' numbers"
        : !has_column(&census, COLUMN_WARD) ? "the census has no column with the wards"
                                            : NULL;
    if (!aside && batch->count)
        return ERR_OK;
    batch->count = 0;
    struct facts *facts = next_facts(&census);
    if (!facts)
        return ERR_LIMIT;
    facts->aside = aside ? aside : "the census lists nobody";
    batch->census_as_of = INSTANT_NONE;
    return ERR_OK;
}

/* ---- its media type ---- */

#define CENSUS_TYPE "text/csv;profile=census;as-of="

void facts_census_put_type(struct text *type, const struct facts_census *census) {
    const struct bytes values[] = {census->authority, census->type, census->visit_authority,
                                   census->visit_type};
    text_put_string(type, CENSUS_TYPE);
    type_values_put(type, census->as_of, values, 4);
}

bool facts_census_read_type(struct bytes type, struct arena *arena, struct facts_census *census) {
    struct bytes values[4];
    if (!bytes_starts_with(type, BYTES(CENSUS_TYPE)) ||
        !type_values_read(bytes_skip(type, sizeof CENSUS_TYPE - 1), arena, &census->as_of, values,
                          4))
        return false;
    census->authority = values[0];
    census->type = values[1];
    census->visit_authority = values[2];
    census->visit_type = values[3];
    return true;
}
