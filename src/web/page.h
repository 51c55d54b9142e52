/* page.h - what every page has: language, time, the age of the data, what is wrong; and how values are written into it.
 *
 * Ownership  views handed to templates live in the request's arena.
 */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "base/base.h"
#include "chart/chart.h"
#include "web/catalogue.h"

struct feed_view {
    struct chart_feed feed;
    enum freshness freshness;
    uint64_t repeats, refused; /* since the feeds role began */
    int64_t missed;            /* messages that usually come in the time since the last, in thousandths; -1: not known */
};
#define FEEDS_NAMED 8u /* at the head of a page; more are counted there and named on their own page */
enum alarm_level { ALARM_NONE, ALARM_NOTICE, ALARM_ALARM };

struct page {
    struct text *out;
    struct arena *arena;
    const struct catalogue *catalogue;
    const char *language, *theme; /* "auto", "light", "night" */
    const char *path;             /* of this page, for the links that change it */
    struct zone *zone;
    int64_t now;      /* what ages are counted from: in a viewer of the past the moment it shows */
    int64_t shown_at; /* now */
    const struct chart_as_of *past; /* NULL: the present */
    const char *past_file;
    struct bytes site_name, node_name;
    bool is_demo;
    struct chart_state chart;
    uint64_t durable;       /* entries in the vault; the chart may lag */
    bool has_chart, is_clock_doubtful;
    const struct feed_view *feeds;
    size_t feed_count;
    const struct bytes *problems;
    size_t problem_count;
    int64_t state_age_us;   /* of what the supervisor said last */
};

/* ---- values ---- */
void html_put_bytes(struct page *page, struct bytes text);
void html_put_string(struct page *page, const char *text);
void html_put_i64(struct page *page, int64_t number);
void html_put_u64(struct page *page, uint64_t number);
#define html_put(page, value)                                                                      \
    _Generic((value), struct bytes: html_put_bytes, const char *: html_put_string,                 \
             char *: html_put_string, int64_t: html_put_i64, int: html_put_int,                    \
             uint64_t: html_put_u64, uint32_t: html_put_u32)((page), (value))
void html_put_int(struct page *page, int number);
void html_put_u32(struct page *page, uint32_t number);
void html_put_sentence(struct page *page, const char *id);
const char *page_sentence(const struct page *page, const char *id);
/* A part of an address: everything but letters, digits and -._~ is percent-encoded. */
void html_put_address_bytes(struct page *page, struct bytes part);
void html_put_address_string(struct page *page, const char *part);
void html_put_address_u64(struct page *page, uint64_t number);
#define html_put_address(page, value)                                                              \
    _Generic((value), struct bytes: html_put_address_bytes, const char *: html_put_address_string, \
             char *: html_put_address_string, uint64_t: html_put_address_u64)((page), (value))

/* ---- times and people, as text in the arena ---- */
struct bytes show_date_time(struct page *page, int64_t at); /* 05-janv.-2026 14:05 */
struct bytes show_day(struct page *page, int64_t at);       /* 05-janv.-2026 */
struct bytes show_time(struct page *page, int64_t at);      /* 14:05, with the date when it is not today, or of the past */
struct bytes show_birth_date(struct page *page, struct bytes date); /* 14-juil.-1945 (81 ans) */
struct bytes show_age_of(struct page *page, int64_t at);    /* 12 s, 5 min, 3 h, 2 j; "... before that moment" of the past */
struct bytes show_age_before(struct page *page, int64_t at); /* "5 min before", where another age has said before what */
struct bytes show_moment(struct page *page, int64_t at);    /* 05-janv.-2026 à 14:05, with the seconds when there are any */
struct bytes show_years(struct page *page, struct bytes birth_date); /* 81 ans */
struct bytes show_name(struct page *page, const struct chart_patient *patient); /* DUPONT, Jeanne (Mme) */
const char *dispute_label(const char *field); /* a msgid */
struct bytes show_sex(struct page *page, struct bytes sex);
const char *show_result_status(struct page *page, enum result_status status);
const char *show_movement_class(struct page *page, enum movement_class class);
/* Did this correct what stood before it, or only confirm it? */
bool version_differs(const struct chart_result *result, size_t before);
struct bytes show_value(struct page *page, struct bytes value); /* of a result */
struct bytes show_unit(struct bytes unit);                      /* °C for Cel */
struct bytes show_flags(struct page *page, struct bytes flags); /* OBX-8, in words */
struct bytes report_name(struct page *page, const struct chart_report *report);
int64_t report_time(const struct chart_report *report); /* when it was taken, else when it was said */
/* How a system was at the moment that is shown: of the past in the past tense, and without the marks of what is so now. */
const char *freshness_word(const struct page *page, enum freshness freshness); /* a msgid */
const char *freshness_class(const struct page *page, enum freshness freshness);
/* What a role said is wrong, in the page's language, with the role's name. */
struct bytes page_problem(struct page *page, struct bytes problem);
/* The worst state of all feeds. */
enum freshness page_freshness(const struct page *page);
size_t page_feeds_alike(const struct page *page, enum freshness freshness);
/* One system silent is a notice; half of them, or all that send movements, results or medication, an alarm. */
enum alarm_level page_silence(const struct page *page);
/* "37", "less than 1"; empty when it is not known. */
struct bytes show_missed(struct page *page, int64_t missed);

/* Agents only, on a line; too many to fit: how many, and where they stand. */
struct bytes show_allergies(struct page *page, const struct chart_patient *patient);

/* ---- the frame, in pages/frame_*.html; `patient` stands on every sheet of paper, NULL: a page of no one ---- */
void page_head(struct page *page, const char *title, const struct chart_patient *patient);
void page_foot(struct page *page);

#endif
