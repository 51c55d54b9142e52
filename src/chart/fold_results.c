/* fold_results.c - a person's results out of every statement of them: which one holds, and what stood before it (rule 9). */
#include "chart/fold.h"

#include <stdlib.h>

#define RESULT_LOOKBACK_US (INT64_C(14) * 24 * 3600 * US_PER_S)
#define STATEMENTS_MAX     20000

/* One value said by one statement. */
struct statement {
    const struct stored_report *report;
    const struct fact_observation *observation;
    size_t place; /* in the report */
};

static bool has_key_number(const struct fact_report *report) {
    return !bytes_is_empty(report->filler);
}

/* Which report it belongs to: sender and filler number, else placer, service and collection. */
static int compare_report_keys(const struct stored_report *a, const struct stored_report *b) {
    if (a->feed != b->feed)
        return a->feed < b->feed ? -1 : 1;
    int order = bytes_compare(a->fact.filler, b->fact.filler);
    if (order)
        return order;
    order = bytes_compare(a->fact.code, b->fact.code);
    if (order || has_key_number(&a->fact))
        return order;
    order = bytes_compare(a->fact.placer, b->fact.placer);
    if (order)
        return order;
    if (a->fact.collected_at != b->fact.collected_at)
        return a->fact.collected_at < b->fact.collected_at ? -1 : 1;
    return bytes_compare(a->fact.text, b->fact.text);
}

static unsigned tier(enum result_status status) {
    return status == RESULT_UNKNOWN || status == RESULT_PENDING || status == RESULT_PRELIMINARY ? 0 : 1;
}

/* Rule 9 as one order: what is preliminary below what is not; then when it was reported; a correction over a final of
 * the same time; then what was said and received later. */
static int compare_strength(const struct stored_report *a, enum result_status status_a,
                            const struct stored_report *b, enum result_status status_b) {
    if (tier(status_a) != tier(status_b))
        return tier(status_a) < tier(status_b) ? -1 : 1;
    if (a->key.is_sure != b->key.is_sure)
        return a->key.is_sure ? 1 : -1;
    if (a->fact.reported_at != b->fact.reported_at)
        return a->fact.reported_at < b->fact.reported_at ? -1 : 1;
    if (status_a != status_b)
        return status_a < status_b ? -1 : 1;
    return key_compare(&a->key, &b->key);
}

static int compare_statements(const void *a, const void *b) {
    const struct statement *left = a, *right = b;
    int order = compare_report_keys(left->report, right->report);
    if (order)
        return order;
    order = bytes_compare(left->observation->code, right->observation->code);
    if (!order && bytes_is_empty(left->observation->code))
        order = bytes_compare(left->observation->text, right->observation->text);
    if (!order)
        order = bytes_compare(left->observation->sub_id, right->observation->sub_id);
    if (order)
        return order;
    /* The strongest first. */
    order = compare_strength(right->report, right->observation->status, left->report,
                             left->observation->status);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

static bool same_observation(const struct statement *a, const struct statement *b) {
    return !compare_report_keys(a->report, b->report) &&
           bytes_equal(a->observation->code, b->observation->code) &&
           (!bytes_is_empty(a->observation->code) ||
            bytes_equal(a->observation->text, b->observation->text)) &&
           bytes_equal(a->observation->sub_id, b->observation->sub_id);
}

static bool says_the_same(const struct fact_observation *a, const struct fact_observation *b) {
    return bytes_equal(a->value, b->value) && bytes_equal(a->unit, b->unit) && a->status == b->status;
}

/* Everything a result said before, newest first; a statement merely sent again says nothing. */
static enum err gather_before(const struct statement *statements, size_t count, struct arena *arena,
                              struct chart_result *result) {
    result->before = arena_array(arena, count, sizeof *result->before);
    if (count && !result->before)
        return ERR_LIMIT;
    const struct fact_observation *last = statements[0].observation;
    for (size_t i = 1; i < count; i++) {
        const struct statement *s = &statements[i];
        if (says_the_same(last, s->observation))
            continue;
        last = s->observation;
        result->before[result->before_count++] = (struct chart_version){
            .value = last->value,
            .unit = last->unit,
            .status = last->status,
            .reported_at = s->report->fact.reported_at,
            .source = {s->report->key.entry, s->report->key.said},
        };
    }
    return ERR_OK;
}

static enum err make_result(const struct statement *statements, size_t count, struct arena *arena,
                            struct chart_result *result) {
    const struct fact_observation *o = statements[0].observation;
    const struct stored_report *report = statements[0].report;
    *result = (struct chart_result){
        .code = o->code, .system = o->system, .text = o->text, .sub_id = o->sub_id,
        .type = o->type, .value = o->value, .unit = o->unit, .range = o->range,
        .flags = o->flags, .notes = o->notes, .status = o->status,
        .observed_at = o->observed_at == INSTANT_NONE ? report->key.said : o->observed_at,
        .reported_at = report->fact.reported_at,
        .source = {report->key.entry, report->key.said},
    };
    return gather_before(statements, count, arena, result);
}

struct folded { /* a result with its place in the strongest report */
    struct chart_result result;
    size_t place;
};

static int compare_folded(const void *a, const void *b) {
    const struct folded *left = a, *right = b;
    return (left->place > right->place) - (left->place < right->place);
}

/* All statements of one report: its head from the strongest, its results each by their own strength. */
static enum err make_report(struct statement *statements, size_t count, struct arena *arena,
                            struct chart_report *out) {
    const struct stored_report *head = statements[0].report;
    for (size_t i = 1; i < count; i++)
        if (compare_strength(statements[i].report, statements[i].report->fact.status, head,
                             head->fact.status) > 0)
            head = statements[i].report;
    const struct stored_report *first = statements[0].report;
    for (size_t i = 1; i < count; i++)
        if (key_compare(&statements[i].report->key, &first->key) < 0)
            first = statements[i].report;
    const struct fact_report *fact = &head->fact;
    *out = (struct chart_report){
        .placer = fact->placer, .filler = fact->filler, .code = fact->code, .system = fact->system,
        .text = fact->text, .requester = fact->requester, .notes = fact->notes, .status = fact->status,
        .collected_at = fact->collected_at, .reported_at = fact->reported_at,
        .source = {head->key.entry, head->key.said}, .member = first->member,
    };
    struct folded *folded = arena_array(arena, count, sizeof *folded);
    if (!folded)
        return ERR_LIMIT;
    for (size_t i = 0; i < count;) {
        size_t n = 1;
        while (i + n < count && same_observation(&statements[i], &statements[i + n]))
            n++;
        if (statements[i].observation->type.size || statements[i].observation->code.size ||
            statements[i].observation->text.size || statements[i].observation->value.size) {
            struct folded *f = &folded[out->result_count++];
            enum err err = make_result(&statements[i], n, arena, &f->result);
            if (err)
                return err;
            f->place = statements[i].place;
        }
        i += n;
    }
    qsort(folded, out->result_count, sizeof *folded, compare_folded);
    out->results = arena_array(arena, out->result_count, sizeof *out->results);
    if (out->result_count && !out->results)
        return ERR_LIMIT;
    for (size_t i = 0; i < out->result_count; i++)
        out->results[i] = folded[i].result;
    return ERR_OK;
}

struct loaded {
    struct stored_report **reports;
    size_t count, capacity, observation_count;
};

static enum err load_reports(struct db *db, uint64_t subject, size_t member, int64_t since, struct arena *arena,
                             struct loaded *loaded, struct fault *fault) {
    sqlite3_stmt *rows = db_statement(db, SQL_REPORTS_OF, fault);
    enum err err;
    db_bind_i64(rows, 1, (int64_t)subject);
    db_bind_i64(rows, 2, since);
    db_bind_i64(rows, 3, STATEMENTS_MAX);
    while (!(err = db_next(db, rows, fault))) {
        if (loaded->count == loaded->capacity) {
            size_t capacity = loaded->capacity ? loaded->capacity * 2 : 64;
            struct stored_report **larger = arena_array(arena, capacity, sizeof *larger);
            if (larger && loaded->count)
                memcpy(larger, loaded->reports, loaded->count * sizeof *larger);
            loaded->reports = larger;
            loaded->capacity = capacity;
        }
        struct stored_report *report =
            loaded->reports ? arena_alloc(arena, sizeof *report) : NULL;
        err = report ? report_unpack(report, db_column_bytes(rows, 0), arena) : ERR_LIMIT;
        if (err) {
            sqlite3_reset(rows);
            return fault_set(fault, err, "a result cannot be read");
        }
        report->member = member;
        loaded->reports[loaded->count++] = report;
        loaded->observation_count += report->fact.observation_count ? report->fact.observation_count : 1;
    }
    return err == ERR_MORE ? ERR_OK : err;
}

static int compare_reports(const void *a, const void *b) {
    const struct chart_report *left = a, *right = b;
    int64_t l = left->collected_at == INSTANT_NONE ? left->reported_at : left->collected_at;
    int64_t r = right->collected_at == INSTANT_NONE ? right->reported_at : right->collected_at;
    if (l != r)
        return l > r ? -1 : 1;
    int order = bytes_compare(left->text, right->text);
    return order ? order : bytes_compare(left->filler, right->filler);
}

static enum err name_feeds(struct db *db, struct arena *arena, struct chart_report *reports,
                           const uint64_t *feeds, size_t count, struct fault *fault) {
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && feeds[i] == feeds[i - 1];
        enum err err = ERR_OK;
        if (same)
            reports[i].feed = reports[i - 1].feed;
        else
            err = fold_feed_name(db, arena, feeds[i], &reports[i].feed, fault);
        if (err)
            return err;
        for (size_t k = 0; k < reports[i].result_count; k++)
            reports[i].results[k].feed = reports[i].feed;
    }
    return ERR_OK;
}

static enum err group_reports(struct db *db, struct statement *statements, size_t statement_count,
                              struct arena *arena, struct chart_report **reports, size_t *count,
                              struct fault *fault) {
    uint64_t *feeds = arena_array(arena, statement_count, sizeof *feeds);
    *reports = arena_array(arena, statement_count, sizeof **reports);
    *count = 0;
    if (statement_count && (!feeds || !*reports))
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0; i < statement_count;) {
        size_t n = 1;
        while (i + n < statement_count &&
               !compare_report_keys(statements[i].report, statements[i + n].report))
            n++;
        feeds[*count] = statements[i].report->feed;
        enum err err = make_report(&statements[i], n, arena, &(*reports)[(*count)++]);
        if (err)
            return fault_set(fault, err, "too much for one page");
        i += n;
    }
    return name_feeds(db, arena, *reports, feeds, *count, fault);
}

enum err fold_results(struct db *db, const struct person *person, struct arena *arena, int64_t since,
                      size_t count_max, struct chart_report **reports, size_t *count,
                      struct fault *fault) {
    static const struct fact_observation nothing;
    struct loaded loaded = {0};
    /* What stood before may be older than what is asked for. */
    int64_t from = since == INSTANT_NONE ? INT64_MIN : since - RESULT_LOOKBACK_US;
    for (size_t m = 0; m < person->member_count; m++) {
        enum err err = load_reports(db, person->members[m], m, from, arena, &loaded, fault);
        if (err)
            return err;
    }
    struct statement *statements = arena_array(arena, loaded.observation_count, sizeof *statements);
    if (loaded.observation_count && !statements)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    size_t n = 0;
    for (size_t i = 0; i < loaded.count; i++) {
        const struct fact_report *fact = &loaded.reports[i]->fact;
        if (fact->observation_count == 0)
            statements[n++] = (struct statement){loaded.reports[i], &nothing, 0};
        for (size_t k = 0; k < fact->observation_count; k++)
            statements[n++] = (struct statement){loaded.reports[i], &fact->observations[k], k};
    }
    qsort(statements, n, sizeof *statements, compare_statements);
    enum err err = group_reports(db, statements, n, arena, reports, count, fault);
    if (err)
        return err;
    qsort(*reports, *count, sizeof **reports, compare_reports);
    size_t kept = 0;
    for (size_t i = 0; i < *count && kept < count_max; i++)
        if (since == INSTANT_NONE || (*reports)[i].reported_at >= since)
            (*reports)[kept++] = (*reports)[i];
    *count = kept;
    return ERR_OK;
}

bool result_is_listed(const struct chart_result *result) {
    return result->status != RESULT_DELETED && result->status != RESULT_WRONG;
}

bool result_is_abnormal(const struct chart_result *result) {
    struct bytes flags = result->flags, flag;
    if (!result_is_listed(result))
        return false;
    while (bytes_next_part(&flags, ' ', &flag))
        if (bytes_is(flag, "H") || bytes_is(flag, "L") || bytes_is(flag, "HH") ||
            bytes_is(flag, "LL") || bytes_is(flag, "A") || bytes_is(flag, "AA") ||
            bytes_is(flag, ">") || bytes_is(flag, "<"))
            return true;
    return false;
}
