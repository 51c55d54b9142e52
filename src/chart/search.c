/* search.c - find patients by words of their names, birth date, a number or a bed. */
#include "chart/reader.h"

#include <stdlib.h>

#define CANDIDATES_MAX 4096u
#define QUERY_WORDS    8u

struct candidates {
    uint64_t ids[CANDIDATES_MAX];
    size_t count;
};

struct query {
    struct chart_reader *reader;
    struct fault *fault;
    char words[QUERY_WORDS][WORD_BYTES_MAX + 1];
    size_t word_count;
};

static enum err take_word(void *owner, struct bytes word) {
    struct query *query = owner;
    if (query->word_count < QUERY_WORDS) {
        memcpy(query->words[query->word_count], word.data, word.size);
        query->words[query->word_count++][word.size] = 0;
    }
    return ERR_OK;
}

static bool has(const struct candidates *candidates, uint64_t id) {
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->ids[i] == id)
            return true;
    return false;
}

static enum err add_range(struct query *query, const char *word, struct candidates *out) {
    char end[WORD_BYTES_MAX + 4];
    size_t size = strlen(word);
    memcpy(end, word, size);
    memcpy(end + size, "\xF4\x8F\xBF", 4); /* behind every word that begins so */
    sqlite3_stmt *rows = db_statement(&query->reader->db, SQL_WORD_RANGE, query->fault);
    db_bind_bytes(rows, 1, bytes_from(word, size));
    db_bind_bytes(rows, 2, bytes_from(end, size + 3));
    db_bind_i64(rows, 3, CANDIDATES_MAX);
    enum err err;
    while (!(err = db_next(&query->reader->db, rows, query->fault)) && out->count < CANDIDATES_MAX)
        out->ids[out->count++] = (uint64_t)sqlite3_column_int64(rows, 0);
    if (rows)
        sqlite3_reset(rows);
    return err == ERR_MORE || !err ? ERR_OK : err;
}

/* Every word of the query must begin a word of the patient. */
static enum err match_words(struct query *query, struct candidates *found) {
    struct candidates next;
    for (size_t w = 0; w < query->word_count; w++) {
        next.count = 0;
        enum err err = add_range(query, query->words[w], &next);
        if (err)
            return err;
        if (w == 0) {
            *found = next;
            continue;
        }
        size_t kept = 0;
        for (size_t i = 0; i < found->count; i++)
            if (has(&next, found->ids[i]))
                found->ids[kept++] = found->ids[i];
        found->count = kept;
    }
    return ERR_OK;
}

/* ---- birth dates ---- */

#define DATES_MAX 2u

/* The words that stand for the birth dates a query may mean. */
struct dates {
    char digits[DATES_MAX][9]; /* YYYYMMDD */
    unsigned count;
};

static void add_date(struct dates *dates, unsigned year, unsigned month, unsigned day) {
    struct text text;
    if (year < 1850 || year > 2150 || month < 1 || month > 12 || day < 1 || day > 31)
        return;
    text_init(&text, dates->digits[dates->count++], 9);
    text_put_padded(&text, year, 4);
    text_put_padded(&text, month, 2);
    text_put_padded(&text, day, 2);
}

/* 14071945, else 19450714. */
static void dates_of_digits(struct bytes query, struct dates *dates) {
    unsigned digits[8];
    for (size_t i = 0; i < 8; i++)
        digits[i] = (unsigned)(query.data[i] - '0');
    unsigned first = digits[0] * 10 + digits[1], second = digits[2] * 10 + digits[3];
    unsigned third = digits[4] * 10 + digits[5], fourth = digits[6] * 10 + digits[7];
    add_date(dates, third * 100 + fourth, second, first);
    if (dates->count == 0)
        add_date(dates, first * 100 + second, third, fourth);
}

/* Three numbers between / - . and blanks: false when the query is anything else. */
static bool read_parts(struct bytes query, unsigned parts[3], unsigned sizes[3]) {
    unsigned n = 0;
    for (size_t i = 0; i < query.size; i++) {
        uint8_t c = query.data[i];
        if (c >= '0' && c <= '9') {
            parts[n] = parts[n] * 10 + (unsigned)(c - '0');
            if (++sizes[n] > 4)
                return false;
        } else if ((c == '/' || c == '-' || c == '.' || c == ' ') && n < 2 && sizes[n] > 0) {
            n++;
        } else {
            return false;
        }
    }
    return n == 2 && sizes[2] > 0;
}

/* 14/07/1945, 14.7.45 (of either century), 1945-07-14, 14071945. */
static struct dates dates_of(struct bytes query) {
    struct dates dates = {0};
    unsigned parts[3] = {0}, sizes[3] = {0};
    if (query.size == 8 && bytes_is_digits(query)) {
        dates_of_digits(query, &dates);
    } else if (read_parts(query, parts, sizes)) {
        if (sizes[0] == 4) {
            add_date(&dates, parts[0], parts[1], parts[2]);
        } else if (sizes[2] == 4) {
            add_date(&dates, parts[2], parts[1], parts[0]);
        } else if (sizes[2] == 2) {
            add_date(&dates, 1900 + parts[2], parts[1], parts[0]);
            add_date(&dates, 2000 + parts[2], parts[1], parts[0]);
        }
    }
    return dates;
}

/* ---- all together ---- */

static void add_candidate(struct candidates *found, uint64_t id) {
    if (found->count < CANDIDATES_MAX && !has(found, id))
        found->ids[found->count++] = id;
}

static enum err match_bed(struct query *query, struct bytes bed, struct candidates *found) {
    sqlite3_stmt *rows = db_statement(&query->reader->db, SQL_CENSUS_BED, query->fault);
    db_bind_bytes(rows, 1, bed);
    enum err err;
    while (!(err = db_next(&query->reader->db, rows, query->fault)))
        add_candidate(found, (uint64_t)sqlite3_column_int64(rows, 0));
    return err == ERR_MORE ? ERR_OK : err;
}

static enum err match_number(struct query *query, struct bytes number, struct candidates *found) {
    struct fact_identifier wanted = {.number = number};
    uint64_t ids[32];
    size_t count = 0;
    enum err err = chart_find_identifier(query->reader, &wanted, ids, 32, &count, query->fault);
    for (size_t i = 0; i < count && i < 32 && !err; i++)
        add_candidate(found, ids[i]);
    return err;
}

static enum err find_words(struct query *query, struct bytes text, struct candidates *found) {
    struct candidates named = {.count = 0};
    query->word_count = 0;
    enum err err = words_of(text, false, take_word, query);
    if (!err)
        err = match_words(query, &named);
    for (size_t i = 0; i < named.count && !err; i++)
        add_candidate(found, named.ids[i]);
    return err;
}

static enum err find(struct query *query, struct bytes text, struct candidates *found) {
    struct dates dates = dates_of(text);
    enum err err = match_number(query, text, found);
    if (!err)
        err = match_bed(query, text, found);
    for (unsigned i = 0; i < dates.count && !err; i++)
        err = find_words(query, bytes_from_string(dates.digits[i]), found);
    return err || dates.count ? err : find_words(query, text, found);
}

static int compare_hits(const void *a, const void *b) {
    const struct chart_hit *left = a, *right = b;
    if (left->is_present != right->is_present)
        return left->is_present ? -1 : 1;
    int order = bytes_compare(left->patient.family_name, right->patient.family_name);
    if (!order)
        order = bytes_compare(left->patient.given_name, right->patient.given_name);
    return order ? order
                 : (left->patient.id > right->patient.id) - (left->patient.id < right->patient.id);
}

static enum err make_hit(struct chart_reader *reader, struct arena *arena, uint64_t id,
                         struct chart_hit *hit, struct fault *fault) {
    struct chart_stay *stays;
    size_t count;
    enum err err = chart_patient(reader, arena, id, &hit->patient, fault);
    if (!err)
        err = chart_stays(reader, arena, id, &stays, &count, fault);
    if (!err && count > 0 && stays[0].is_present) {
        hit->is_present = true;
        hit->place = stays[0].place;
    }
    return err;
}

enum err chart_search(struct chart_reader *reader, struct arena *arena, struct bytes text,
                      size_t count_max, struct chart_hit **hits, size_t *count,
                      struct fault *fault) {
    struct query query = {.reader = reader, .fault = fault};
    struct candidates found = {.count = 0};
    text = bytes_trim(text);
    *hits = NULL;
    *count = 0;
    if (bytes_is_empty(text))
        return ERR_OK;
    enum err err = find(&query, text, &found);
    if (err)
        return err;
    size_t kept = found.count < count_max ? found.count : count_max;
    *hits = arena_array(arena, kept, sizeof **hits);
    if (kept && !*hits)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0; i < kept && !err; i++)
        err = make_hit(reader, arena, found.ids[i], &(*hits)[i], fault);
    if (err)
        return err;
    qsort(*hits, kept, sizeof **hits, compare_hits);
    *count = kept;
    return ERR_OK;
}
