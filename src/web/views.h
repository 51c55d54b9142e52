/* views.h - what each page shows, gathered before it is written. */
#ifndef WEB_VIEWS_H
#define WEB_VIEWS_H

#include "web/care.h"
#include "web/page.h"
#include "web/shown.h"

struct home_view {
    struct chart_ward *wards;
    size_t ward_count;
};
struct ward_view {
    struct bytes code;
    struct chart_census_row *rows;
    size_t row_count;
};
/* Reports of one kind and source side by side: a column for each, newest first; NULL where one says nothing. */
#define SERIES_COLUMNS_MAX 6u
#define SERIES_ROWS_MAX    100u
struct series_row {
    const struct chart_result *what; /* the newest: name, unit and range, which all cells share */
    const struct chart_result *cells[SERIES_COLUMNS_MAX];
};
struct series {
    const struct chart_report *columns[SERIES_COLUMNS_MAX];
    struct series_row rows[SERIES_ROWS_MAX];
    size_t column_count, row_count;
};
struct result_block {
    const struct chart_report *report; /* the newest of the series; the only one of a report of texts */
    struct series *series;             /* NULL: the report has texts or comments, and is shown alone */
};
/* A result that its sender deleted or called wrong. */
struct gone_result {
    const struct chart_report *report;
    const struct chart_result *result;
};
/* Takes what was taken back out of the reports. NULL when the arena is full. */
struct gone_result *series_take_gone(struct arena *arena, struct chart_report *reports,
                                     size_t report_count, size_t *gone_count);
/* Reports, newest first, into blocks. Unless `all`, older reports of a full series are left out when everything they measure
 * has newer figures shown; false when any was. Blocks are NULL when the arena is full. */
bool series_gather(struct arena *arena, const struct chart_report *reports, size_t report_count,
                   bool all, struct result_block **blocks, size_t *block_count);

struct patient_view {
    struct chart_patient patient;
    struct chart_stay *stays;
    struct result_block *blocks;
    struct gone_result *gone; /* newest first */
    struct chart_movement *moves;
    struct chart_diagnosis *diagnoses;
    struct chart_document *documents;
    size_t stay_count, block_count, gone_count, move_count, diagnosis_count, document_count;
    struct care_view care;
    struct bytes came_from; /* the merged number that was asked for */
    bool has_more_results;
};
struct search_view {
    struct bytes query;
    struct chart_hit *hits;
    size_t hit_count;
};
/* How the newest list of who is present differs from the chart. */
#define DIFFERENCES_SHOWN 100u
struct feeds_view {
    const struct chart_census_row **added, **unlisted; /* at most DIFFERENCES_SHOWN of each */
    size_t added_count, unlisted_count;
};
struct aside_view {
    struct chart_aside *asides;
    size_t aside_count;
    uint64_t next; /* entry to go on from; 0: none */
};
struct entry_view {
    uint64_t index;
    struct vault_entry entry;
    struct bytes shown;   /* the body, or its beginning, as lines */
    struct bytes marked;  /* the character of it where an error was found; empty: none */
    bool is_cut;
};
struct document_view {
    struct chart_patient patient;
    const struct chart_document *document; /* NULL: the files of a report */
    const struct chart_document *all;      /* of the patient */
    size_t all_count;
    const struct chart_report *report;
    uint64_t index;
    struct vault_entry entry;
    struct bytes text; /* of the message itself */
    const struct shown_file *files;
    size_t file_count;
    const char *why; /* a msgid: nothing could be read; NULL: it could */
    bool is_cut;     /* the message is too large to be looked into */
};
struct error_view {
    unsigned status;
    const char *title, *text; /* msgids */
};

/* ---- words of documents, in words_of_documents.c ---- */
struct bytes document_name(struct page *page, const struct chart_document *document);
bool result_is_file(const struct chart_result *result); /* OBX-2 ED */
bool document_is_unsigned(const struct chart_document *document); /* TXA-17 */
/* Does `later` replace `document`, or add to it? */
bool document_is_of(const struct chart_document *later, const struct chart_document *document);
/* What it replaces or adds to; NULL when it does not, or the chart has it not. */
const struct chart_document *document_parent(const struct chart_document *document, const struct chart_document *all,
                                             size_t count);
struct bytes plain_type(struct bytes media_type); /* without its parameters */
struct bytes file_title(struct page *page, const struct shown_file *file, size_t n);
/* A CDA document that names another person than the banner does: by the birth date where both say one, else by the name,
 * which systems spell in many ways. */
bool file_is_of_other(struct page *page, const struct document_view *view, const struct shown_file *file);
struct bytes cda_birth_date(struct page *page, const struct cda_document *document); /* YYYY-MM-DD */
bool cda_is_restricted(const struct cda_document *document);
uint64_t block_depth(const struct cda_block *block); /* 1 to 4, for a class */
struct bytes block_mark(struct page *page, const struct cda_block *block);
const char *block_span(struct page *page, unsigned span, unsigned columns);
/* Where the cells that begin at `at` end; the most columns of a row of the table at `at`. */
size_t block_row_end(const struct cda_block *blocks, size_t count, size_t at);
bool block_row_has_values(const struct cda_block *cells, size_t count); /* not headers alone */
unsigned block_columns(const struct cda_block *blocks, size_t count, size_t at);

void page_home(struct page *page, const struct home_view *view);
void page_ward(struct page *page, const struct ward_view *view);
void page_patient(struct page *page, const struct patient_view *view);
void page_search(struct page *page, const struct search_view *view);
void page_feeds(struct page *page, const struct feeds_view *view);
void page_aside(struct page *page, const struct aside_view *view);
void page_entry(struct page *page, const struct entry_view *view);
void page_document(struct page *page, const struct document_view *view);
void page_help(struct page *page);
void page_error(struct page *page, const struct error_view *view);
/* Parts shared by pages. */
void part_banner(struct page *page, const struct chart_patient *patient);
void part_document_state(struct page *page, const struct chart_patient *patient, const struct chart_document *document,
                         const struct chart_document *all, size_t count);
void part_file(struct page *page, const struct document_view *view, size_t n);
void part_blocks(struct page *page, const struct cda_block *blocks, size_t count);
void part_block_row(struct page *page, const struct cda_block *cells, size_t count, unsigned columns);
void part_past(struct page *page);
void part_past_about(struct page *page);
void part_running(struct page *page, const struct chart_patient *patient);
void part_report(struct page *page, const struct chart_patient *patient, const struct chart_report *report);
void part_series(struct page *page, const struct series *series);
void part_result_value(struct page *page, const struct chart_result *result);
void part_result_state(struct page *page, const struct chart_result *result);
void part_medication(struct page *page, const struct care_view *care);
void part_orders(struct page *page, const struct care_view *care);
void part_appointments(struct page *page, const struct care_view *care);
void part_stay_marks(struct page *page, const struct chart_stay *stay);
void part_difference(struct page *page, const char *heading, const struct chart_census_row *const *rows, size_t count);
void part_allergies(struct page *page, const struct chart_patient *patient, bool with_source);
void part_disputes(struct page *page, const struct chart_dispute *disputes, size_t count);
void part_doubt(struct page *page, const struct chart_patient *patient);

#endif
