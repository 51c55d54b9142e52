/* page.c - values written into pages: escaped, in the page's language and the site's zone. */
#include "web/page.h"

/* ---- escaping ---- */

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD: something stood here that pages do not show */

/* Characters that turn the direction of what follows them: U+202A to 202E, U+2066 to 2069. */
static bool turns_direction(struct bytes text, size_t i) {
    if (text.size - i < 3 || text.data[i + 1] < 0x80 || text.data[i + 1] > 0x81)
        return false;
    uint8_t last = text.data[i + 2];
    return text.data[i + 1] == 0x80 ? last >= 0xAA && last <= 0xAE : last >= 0xA6 && last <= 0xA9;
}

/* What stands for the character at `i`, and how many bytes it replaces; NULL: itself. */
static const char *escaped(struct bytes text, size_t i, size_t *size) {
    uint8_t c = text.data[i];
    *size = 1;
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
    case '\t':
        return NULL;
    case 0xE2:
        if (!turns_direction(text, i))
            return NULL;
        *size = 3;
        return REPLACEMENT;
    default:
        return c < ' ' || c == 0x7F ? REPLACEMENT : NULL;
    }
}

void html_put_bytes(struct page *page, struct bytes text) {
    size_t from = 0, size;
    for (size_t i = 0; i < text.size; i += size) {
        const char *with = escaped(text, i, &size);
        if (!with)
            continue;
        text_put(page->out, bytes_from(text.data + from, i - from));
        text_put_string(page->out, with);
        from = i + size;
    }
    text_put(page->out, bytes_skip(text, from));
}

void html_put_string(struct page *page, const char *text) {
    html_put_bytes(page, bytes_from_string(text));
}

void html_put_i64(struct page *page, int64_t number) {
    text_put_i64(page->out, number);
}

void html_put_u64(struct page *page, uint64_t number) {
    text_put_u64(page->out, number);
}

void html_put_int(struct page *page, int number) {
    text_put_i64(page->out, number);
}

void html_put_u32(struct page *page, uint32_t number) {
    text_put_u64(page->out, number);
}

const char *page_sentence(const struct page *page, const char *id) {
    return catalogue_sentence(page->catalogue, id);
}

void html_put_sentence(struct page *page, const char *id) {
    html_put_string(page, page_sentence(page, id));
}

void html_put_address_bytes(struct page *page, struct bytes part) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < part.size; i++) {
        uint8_t c = part.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            text_put_char(page->out, (char)c);
            continue;
        }
        text_put_char(page->out, '%');
        text_put_char(page->out, digits[c >> 4]);
        text_put_char(page->out, digits[c & 15]);
    }
}

void html_put_address_string(struct page *page, const char *part) {
    html_put_address_bytes(page, bytes_from_string(part));
}

void html_put_address_u64(struct page *page, uint64_t number) {
    text_put_u64(page->out, number);
}

/* ---- times ---- */

#define NO_BREAK "\xC2\xA0"

static struct text small_text(struct page *page, size_t size) {
    struct text text = {0};
    static char nothing[1];
    if (text_init_arena(&text, page->arena, size))
        text_init(&text, nothing, sizeof nothing);
    return text;
}

static const char *month_name(const struct page *page, int month) {
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return page_sentence(page, names[month - 1]);
}

static void put_date(const struct page *page, struct text *text, int year, int month, int day) {
    text_put_padded(text, (uint64_t)day, 2);
    text_put_format(text, "-%s-%d", month_name(page, month), year);
}

static struct civil_time civil(struct page *page, int64_t at) {
    return time_civil(at, zone_offset_at(page->zone, at));
}

static void put_clock(struct text *text, const struct civil_time *time) {
    text_put_padded(text, (uint64_t)time->hour, 2);
    text_put_char(text, ':');
    text_put_padded(text, (uint64_t)time->minute, 2);
}

struct bytes show_date_time(struct page *page, int64_t at) {
    struct text text = small_text(page, 48);
    if (at == INSTANT_NONE)
        return bytes_from_string(page_sentence(page, "unknown"));
    struct civil_time time = civil(page, at);
    put_date(page, &text, time.year, time.month, time.day);
    text_put_char(&text, ' ');
    put_clock(&text, &time);
    return text_bytes(&text);
}

struct bytes show_day(struct page *page, int64_t at) {
    struct text text = small_text(page, 32);
    struct civil_time time = civil(page, at);
    put_date(page, &text, time.year, time.month, time.day);
    return text_bytes(&text);
}

struct bytes show_time(struct page *page, int64_t at) {
    struct text text = small_text(page, 16);
    if (at == INSTANT_NONE)
        return bytes_from_string(page_sentence(page, "unknown"));
    struct civil_time time = civil(page, at), today = civil(page, page->now);
    if (page->past || time.year != today.year || time.month != today.month || time.day != today.day)
        return show_date_time(page, at);
    put_clock(&text, &time);
    return text_bytes(&text);
}

struct bytes show_moment(struct page *page, int64_t at) {
    struct text text = small_text(page, 64);
    struct civil_time time = civil(page, at);
    put_date(page, &text, time.year, time.month, time.day);
    text_put_format(&text, " %s ", page_sentence(page, "at"));
    put_clock(&text, &time);
    if (time.second || time.microsecond) {
        text_put_char(&text, ':');
        text_put_padded(&text, (uint64_t)time.second, 2);
    }
    return text_bytes(&text);
}

/* `before` stands behind it on a page of the past. */
static struct bytes show_age(struct page *page, int64_t at, const char *before) {
    struct text text = small_text(page, 80);
    if (at == INSTANT_NONE)
        return bytes_from_string(page_sentence(page, "never"));
    int64_t s = (page->now - at) / US_PER_S;
    s = s < 0 ? 0 : s;
    if (s < 120)
        text_put_format(&text, "%lld" NO_BREAK "s", (long long)s);
    else if (s < 120 * 60)
        text_put_format(&text, "%lld" NO_BREAK "min", (long long)(s / 60));
    else if (s < 48 * 3600)
        text_put_format(&text, "%lld" NO_BREAK "h", (long long)(s / 3600));
    else
        text_put_format(&text, "%lld" NO_BREAK "%s", (long long)(s / 86400),
                        page_sentence(page, "d"));
    if (page->past)
        text_put_format(&text, " %s", page_sentence(page, before));
    return text_bytes(&text);
}

struct bytes show_age_of(struct page *page, int64_t at) {
    return show_age(page, at, "before that moment");
}

struct bytes show_age_before(struct page *page, int64_t at) {
    return show_age(page, at, "before");
}

/* "YYYY-MM-DD", or as much of it as is known. */
static bool read_date(struct bytes date, struct civil_time *out) {
    uint64_t parts[3] = {0, 0, 0};
    struct bytes rest = date, part;
    size_t n = 0;
    while (n < 3 && bytes_next_part(&rest, '-', &part))
        if (!bytes_to_u64(part, &parts[n++]))
            return false;
    *out = (struct civil_time){.year = (int)parts[0], .month = (int)parts[1], .day = (int)parts[2]};
    return n > 0 && parts[0] > 0 && parts[1] <= 12 && parts[2] <= 31;
}

struct bytes show_years(struct page *page, struct bytes birth_date) {
    struct text text = small_text(page, 48);
    struct civil_time birth, today = civil(page, page->now);
    if (!read_date(birth_date, &birth))
        return BYTES_NONE;
    bool is_whole = birth.month > 0 && birth.day > 0;
    int years = is_whole ? time_age_years(birth, today) : today.year - birth.year;
    int months =
        (today.year - birth.year) * 12 + today.month - birth.month - (today.day < birth.day);
    if (is_whole && years < 2 && months >= 0)
        text_put_format(&text, "%d %s", months, page_sentence(page, "months"));
    else
        text_put_format(&text, "%s%d %s", is_whole ? "" : "~", years, page_sentence(page, "years"));
    return text_bytes(&text);
}

struct bytes show_birth_date(struct page *page, struct bytes date) {
    struct text text = small_text(page, 64);
    struct civil_time birth;
    if (bytes_is_empty(date))
        return bytes_from_string(page_sentence(page, "birth date not known"));
    if (!read_date(date, &birth))
        return date;
    if (birth.month && birth.day)
        put_date(page, &text, birth.year, birth.month, birth.day);
    else
        text_put(&text, date);
    text_put_string(&text, " (");
    text_put(&text, show_years(page, date));
    text_put_char(&text, ')');
    return text_bytes(&text);
}

/* ---- people ---- */

/* Capitals for Latin letters; others stay. */
static void put_upper(struct text *out, struct bytes name) {
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (c >= 'a' && c <= 'z') {
            text_put_char(out, (char)(c - 32));
        } else if (c == 0xC3 && i + 1 < name.size && name.data[i + 1] >= 0xA0 &&
                   name.data[i + 1] != 0xB7 && name.data[i + 1] != 0xBF) { /* U+00E0..U+00FE */
            text_put_char(out, (char)c);
            text_put_char(out, (char)(name.data[++i] - 0x20));
        } else if (c == 0xC5 && i + 1 < name.size && name.data[i + 1] == 0x93) { /* oe ligature */
            text_put(out, BYTES("\xC5\x92"));
            i++;
        } else {
            text_put_char(out, (char)c);
        }
    }
}

/* MME, DR: systems shout what people write Mme, Dr. */
static void put_prefix(struct text *text, struct bytes prefix) {
    bool is_shouted = true;
    for (size_t i = 0; i < prefix.size; i++)
        is_shouted &= prefix.data[i] >= 'A' && prefix.data[i] <= 'Z';
    for (size_t i = 0; i < prefix.size; i++)
        text_put_char(text, (char)(is_shouted && i > 0 ? prefix.data[i] | 0x20 : prefix.data[i]));
}

struct bytes show_name(struct page *page, const struct chart_patient *patient) {
    struct text text = small_text(page, patient->family_name.size + patient->given_name.size +
                                            patient->prefix.size + 32);
    if (bytes_is_empty(patient->family_name) && bytes_is_empty(patient->given_name))
        return bytes_from_string(page_sentence(page, "name not known"));
    put_upper(&text, patient->family_name);
    if (!bytes_is_empty(patient->given_name)) {
        text_put_string(&text, ", ");
        text_put(&text, patient->given_name);
    }
    if (!bytes_is_empty(patient->prefix)) {
        text_put_string(&text, " (");
        put_prefix(&text, patient->prefix);
        text_put_char(&text, ')');
    }
    return text_bytes(&text);
}

#define ALLERGY_LINE_MAX 300u

struct bytes show_allergies(struct page *page, const struct chart_patient *patient) {
    if (patient->allergy_statement != ALLERGIES_LISTED)
        return bytes_from_string(page_sentence(
            page, patient->allergy_statement == ALLERGIES_NONE_KNOWN ? "No known allergy (stated)"
                                                                     : "Allergies not recorded"));
    struct text text = small_text(page, ALLERGY_LINE_MAX);
    text_put_format(&text, "%s ", page_sentence(page, "Allergies:"));
    for (size_t i = 0; i < patient->allergy_count; i++) {
        text_put_string(&text, i ? "; " : "");
        text_put(&text, patient->allergies[i].text);
    }
    if (!text.full)
        return text_bytes(&text);
    text_clear(&text);
    text_put_format(&text, "%s %zu. %s", page_sentence(page, "Allergies:"), patient->allergy_count,
                    page_sentence(page, "All of them stand on the first sheet."));
    return text_bytes(&text);
}

const char *dispute_label(const char *field) {
    static const struct {
        const char *field, *label;
    } labels[] = {
        {"family_name", "Name"},      {"given_name", "Given name"},
        {"birth_name", "Birth name"}, {"used_name", "Used name"},
        {"birth_date", "Born"},       {"sex", "Sex"},
        {"address", "Address"},       {"phone", "Phone"},
        {"death", "Deceased"},        {"attending", "Physician"},
        {"service", "Service"},       {"reason", "Reason"},
        {"admitted_at", "Admitted"},  {"discharged_at", "Discharged"},
        {"place", "Place"},
    };
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (!strcmp(field, labels[i].field))
            return labels[i].label;
    return "Other";
}

struct bytes show_sex(struct page *page, struct bytes sex) {
    const char *word = bytes_is(sex, "F")    ? "female"
                       : bytes_is(sex, "M")  ? "male"
                       : bytes_is_empty(sex) ? "sex not known"
                                             : "other sex";
    return bytes_from_string(page_sentence(page, word));
}

const char *show_result_status(struct page *page, enum result_status status) {
    static const char *const words[] = {"status not said", "pending", "preliminary", "final",
                                        "corrected",       "deleted", "wrong",       "cancelled"};
    return page_sentence(page, words[(unsigned)status < 8 ? status : 0]);
}

const char *show_movement_class(struct page *page, enum movement_class class) {
    static const char *const words[MOVEMENT_CLASS_COUNT] = {
        "unknown",   "admission", "registration",      "pre-admission",      "transfer",
        "discharge", "becomes inpatient", "becomes outpatient", "on leave",  "back from leave",
        "admission announced", "transfer announced", "discharge announced"};
    return page_sentence(page, words[class < MOVEMENT_CLASS_COUNT ? class : 0]);
}

/* ---- freshness ---- */

/* A point at the head of a figure is easily missed: 0.5, never .5. */
struct bytes show_value(struct page *page, struct bytes value) {
    size_t at = 0;
    while (at < value.size && value.data[at] && strchr("<>=~+- ", value.data[at]))
        at++;
    bool is_bare = at + 1 < value.size && (value.data[at] == '.' || value.data[at] == ',') &&
                   value.data[at + 1] >= '0' && value.data[at + 1] <= '9';
    struct text text;
    if (!is_bare || text_init_arena(&text, page->arena, value.size + 2))
        return value;
    text_put(&text, bytes_first(value, at));
    text_put_char(&text, '0');
    text_put(&text, bytes_skip(value, at));
    return text_bytes(&text);
}

/* What people write for the codes of UCUM whose print symbol is another (its tables 1 to 4); `u` for micro only in units
 * of amount and volume, for a microgram is too easily read as a milligram. Anything else stays as its sender said it. */
struct bytes show_unit(struct bytes unit) {
    static const struct {
        const char *code, *symbol;
    } units[] = {
        {"Cel", "°C"},
        {"[degF]", "°F"},
        {"mm[Hg]", "mmHg"},
        {"cm[H2O]", "cmH₂O"},
        {"umol/L", "µmol/L"},
        {"umol/mmol", "µmol/mmol"},
        {"10*3/uL", "10³/µL"},
        {"10*6/uL", "10⁶/µL"},
        {"10*6/L", "10⁶/L"},
        {"10*9/L", "10⁹/L"},
        {"10*12/L", "10¹²/L"},
        {"[IU]/L", "IU/L"},
        {"[iU]/L", "IU/L"},
        {"m[IU]/L", "mIU/L"},
        {"m[iU]/L", "mIU/L"},
        {"k[IU]/L", "kIU/L"},
        {"{INR}", "INR"},
        {"[pH]", "pH"},
        {"mL/min/{1.73_m2}", "mL/min/1.73 m²"},
        {"kg/m2", "kg/m²"},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (bytes_is(unit, units[i].code))
            return bytes_from_string(units[i].symbol);
    return unit;
}

static const char *flag_word(struct bytes flag) {
    static const struct {
        const char *code, *word;
    } words[] = {
        {"H", "high"},
        {"HH", "critically high"},
        {"L", "low"},
        {"LL", "critically low"},
        {"A", "abnormal"},
        {"AA", "critically abnormal"},
        {"<", "below what can be measured"},
        {">", "above what can be measured"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (bytes_is(flag, words[i].code))
            return words[i].word;
    return NULL;
}

struct bytes show_flags(struct page *page, struct bytes flags) {
    struct text text = small_text(page, flags.size + 128);
    struct bytes flag;
    while (bytes_next_part(&flags, ' ', &flag)) {
        const char *word = flag_word(flag);
        if (bytes_is_empty(flag))
            continue;
        text_put_string(&text, text.size ? ", " : "");
        if (word)
            text_put_string(&text, page_sentence(page, word));
        else
            text_put(&text, flag);
    }
    return text_bytes(&text);
}

bool version_differs(const struct chart_result *result, size_t before) {
    const struct chart_version *older = &result->before[before];
    struct bytes value = before ? older[-1].value : result->value;
    struct bytes unit = before ? older[-1].unit : result->unit;
    return !bytes_equal(older->value, value) || !bytes_equal(older->unit, unit);
}

struct bytes report_name(struct page *page, const struct chart_report *report) {
    return report->text.size ? report->text
                             : bytes_from_string(page_sentence(page, "Observations"));
}

int64_t report_time(const struct chart_report *report) {
    return report->collected_at == INSTANT_NONE ? report->reported_at : report->collected_at;
}

const char *freshness_word(const struct page *page, enum freshness freshness) {
    static const char *const words[] = {"current", "late", "sends old messages", "silent",
                                        "never fed"};
    static const char *const past_words[] = {"was current", "was late", "was sending old messages",
                                             "was silent", "never fed"};
    return page->past ? past_words[freshness] : words[freshness];
}

/* Green would call fresh what is of the past; amber and red would call for something to be done about it. */
const char *freshness_class(const struct page *page, enum freshness freshness) {
    static const char *const classes[] = {"current", "late", "late", "silent", "never"};
    return page->past ? "then" : classes[freshness];
}

enum freshness page_freshness(const struct page *page) {
    enum freshness worst = page->feed_count ? FRESH_CURRENT : FRESH_NEVER;
    for (size_t i = 0; i < page->feed_count; i++)
        if (page->feeds[i].freshness > worst)
            worst = page->feeds[i].freshness;
    return worst;
}

size_t page_feeds_alike(const struct page *page, enum freshness freshness) {
    size_t count = 0;
    for (size_t i = 0; i < page->feed_count; i++)
        count += page->feeds[i].freshness == freshness;
    return count;
}

/* Are all systems silent that ever sent what this instant is of? */
static bool all_silent(const struct page *page, size_t instant_offset) {
    size_t count = 0, silent = 0;
    for (size_t i = 0; i < page->feed_count; i++) {
        int64_t newest;
        memcpy(&newest, (const char *)&page->feeds[i].feed + instant_offset, sizeof newest);
        count += newest != INSTANT_NONE;
        silent += newest != INSTANT_NONE && page->feeds[i].freshness == FRESH_SILENT;
    }
    return count && silent == count;
}

enum alarm_level page_silence(const struct page *page) {
    static const size_t instants[] = {offsetof(struct chart_feed, newest_movement_at),
                                      offsetof(struct chart_feed, newest_result_at),
                                      offsetof(struct chart_feed, newest_medication_at)};
    size_t silent = 0;
    for (size_t i = 0; i < page->feed_count; i++)
        silent += page->feeds[i].freshness == FRESH_SILENT;
    if (silent == 0)
        return ALARM_NONE;
    for (size_t i = 0; i < 3; i++)
        if (all_silent(page, instants[i]))
            return ALARM_ALARM;
    return 2 * silent >= page->feed_count ? ALARM_ALARM : ALARM_NOTICE;
}

struct bytes show_missed(struct page *page, int64_t missed) {
    struct text text = small_text(page, 32);
    if (missed < 0)
        return BYTES_NONE;
    if (missed < 1000)
        text_put_string(&text, page_sentence(page, "less than 1"));
    else
        text_put_i64(&text, (missed + 500) / 1000);
    return text_bytes(&text);
}

struct bytes page_problem(struct page *page, struct bytes problem) {
    struct bytes rest = problem, role;
    struct text text = small_text(page, problem.size * 2 + 256);
    if (!bytes_next_part(&rest, ':', &role))
        return problem;
    const char *sentence = arena_string(page->arena, bytes_trim(rest));
    if (!sentence)
        return problem;
    text_put_string(&text, page_sentence(page, sentence));
    text_put_string(&text, " (");
    text_put(&text, role);
    text_put_char(&text, ')');
    return text.full ? problem : text_bytes(&text);
}
