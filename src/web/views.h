/* views.h - what each page shows, gathered before it is written. */
#ifndef WEB_VIEWS_H
#define WEB_VIEWS_H

#include "web/page.h"

struct home_view {
    struct chart_ward *wards;
    size_t ward_count;
};
struct ward_view {
    struct bytes code;
    struct chart_census_row *rows;
    size_t row_count;
};
struct patient_view {
    struct chart_patient patient;
    struct chart_stay *stays;
    struct chart_report *reports;
    struct chart_movement *moves;
    struct chart_diagnosis *diagnoses;
    struct chart_document *documents;
    size_t stay_count, report_count, move_count, diagnosis_count, document_count;
    struct bytes came_from; /* the merged number that was asked for */
    bool has_more_results;
};
struct search_view {
    struct bytes query;
    struct chart_hit *hits;
    size_t hit_count;
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
    size_t mark_at;       /* byte to mark, SIZE_MAX: none */
    bool is_cut;
};
struct error_view {
    unsigned status;
    const char *title, *text; /* msgids */
};

void page_home(struct page *page, const struct home_view *view);
void page_ward(struct page *page, const struct ward_view *view);
void page_patient(struct page *page, const struct patient_view *view);
void page_search(struct page *page, const struct search_view *view);
void page_feeds(struct page *page);
void page_aside(struct page *page, const struct aside_view *view);
void page_entry(struct page *page, const struct entry_view *view);
void page_help(struct page *page);
void page_error(struct page *page, const struct error_view *view);
/* Parts shared by pages. */
void part_allergies(struct page *page, const struct chart_patient *patient, bool with_source);
void part_doubt(struct page *page, const struct chart_patient *patient);

#endif
