/* series.c - reports of one kind side by side, newest first: what changed is seen in one row. */
#include "web/views.h"

#define CELL_BYTES_MAX 24u /* longer values are text, which needs lines of its own */

static bool is_short(const struct chart_result *result) {
    return result->value.size <= CELL_BYTES_MAX && bytes_is_empty(result->notes) &&
           bytes_find(result->value, '\n') == BYTES_NOT_FOUND;
}

/* Figures only: texts and comments keep the layout of a report. */
static bool fits(const struct chart_report *report) {
    if (report->result_count == 0 || report->result_count > SERIES_ROWS_MAX ||
        !bytes_is_empty(report->notes))
        return false;
    for (size_t i = 0; i < report->result_count; i++)
        if (!is_short(&report->results[i]) || result_is_file(&report->results[i]))
            return false;
    return true;
}

static size_t results_in(const struct chart_report *reports, size_t report_count) {
    size_t count = 0;
    for (size_t i = 0; i < report_count; i++)
        count += reports[i].result_count;
    return count;
}

struct gone_result *series_take_gone(struct arena *arena, struct chart_report *reports,
                                     size_t report_count, size_t *gone_count) {
    size_t in_all = results_in(reports, report_count), count = 0;
    struct gone_result *gone = arena_array(arena, in_all + 1, sizeof *gone);
    struct chart_result *aside = arena_array(arena, in_all + 1, sizeof *aside);
    if (!gone || !aside)
        return NULL;
    for (size_t i = 0; i < report_count; i++) {
        struct chart_report *report = &reports[i];
        size_t kept = 0;
        for (size_t k = 0; k < report->result_count; k++) {
            if (result_is_listed(&report->results[k])) {
                report->results[kept++] = report->results[k];
                continue;
            }
            aside[count] = report->results[k];
            gone[count] = (struct gone_result){report, &aside[count]};
            count++;
        }
        report->result_count = kept;
    }
    *gone_count = count;
    return gone;
}

static bool is_same_kind(const struct chart_report *a, const struct chart_report *b) {
    return bytes_equal(a->code, b->code) && bytes_equal(a->system, b->system) &&
           bytes_equal(a->text, b->text) && bytes_equal(a->feed, b->feed);
}

/* Another unit or another range is another row: two figures in a row can be compared. */
static bool is_same_row(const struct chart_result *a, const struct chart_result *b) {
    return bytes_equal(a->code, b->code) && bytes_equal(a->system, b->system) &&
           bytes_equal(a->text, b->text) && bytes_equal(a->sub_id, b->sub_id) &&
           bytes_equal(a->unit, b->unit) && bytes_equal(a->range, b->range);
}

/* The row of a result whose cell in this column is free: a report may say the same thing twice. */
static struct series_row *row_for(struct series *series, size_t column,
                                  const struct chart_result *result) {
    for (size_t i = 0; i < series->row_count; i++) {
        struct series_row *row = &series->rows[i];
        if (!row->cells[column] && is_same_row(row->what, result))
            return row;
    }
    struct series_row *row = &series->rows[series->row_count++];
    *row = (struct series_row){.what = result};
    return row;
}

static void add_column(struct series *series, const struct chart_report *report) {
    size_t column = series->column_count++;
    series->columns[column] = report;
    for (size_t i = 0; i < report->result_count; i++) {
        row_for(series, column, &report->results[i])->cells[column] = &report->results[i];
    }
}

/* The last series of its kind, which is the one with the oldest reports. */
static struct series *series_of(struct result_block *blocks, size_t count,
                                const struct chart_report *report) {
    for (size_t i = count; i-- > 0;)
        if (blocks[i].series && is_same_kind(blocks[i].series->columns[0], report))
            return blocks[i].series;
    return NULL;
}

static bool has_room(const struct series *series, const struct chart_report *report) {
    return series->column_count < SERIES_COLUMNS_MAX &&
           report->result_count <= SERIES_ROWS_MAX - series->row_count;
}

static bool is_shown(const struct result_block *blocks, size_t count,
                     const struct chart_report *report, const struct chart_result *result) {
    for (size_t i = 0; i < count; i++) {
        const struct series *series = blocks[i].series;
        if (!series || !is_same_kind(series->columns[0], report))
            continue;
        for (size_t k = 0; k < series->row_count; k++)
            if (is_same_row(series->rows[k].what, result))
                return true;
    }
    return false;
}

/* Only what has newer figures on the page, each of it, waits until older ones are asked for. */
static bool may_wait(const struct result_block *blocks, size_t count,
                     const struct chart_report *report) {
    for (size_t i = 0; i < report->result_count; i++)
        if (!is_shown(blocks, count, report, &report->results[i]))
            return false;
    return true;
}

static struct result_block block_of(struct arena *arena, const struct chart_report *report) {
    struct result_block block = {.report = report};
    if (fits(report))
        block.series = arena_alloc(arena, sizeof *block.series);
    if (block.series) {
        block.series->column_count = block.series->row_count = 0;
        add_column(block.series, report);
    }
    return block;
}

bool series_gather(struct arena *arena, const struct chart_report *reports, size_t report_count,
                   bool all, struct result_block **blocks, size_t *block_count) {
    struct result_block *list = arena_array(arena, report_count, sizeof *list);
    size_t count = 0;
    bool is_whole = true;
    for (size_t i = 0; list && i < report_count; i++) {
        const struct chart_report *report = &reports[i];
        if (report->result_count == 0 && bytes_is_empty(report->notes))
            continue;
        struct series *series = fits(report) ? series_of(list, count, report) : NULL;
        if (series && has_room(series, report))
            add_column(series, report);
        else if (series && !all && may_wait(list, count, report))
            is_whole = false;
        else
            list[count++] = block_of(arena, report);
    }
    *blocks = list;
    *block_count = count;
    return is_whole;
}
