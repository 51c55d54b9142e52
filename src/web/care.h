/* care.h - what is ordered, given and planned for a patient, sorted for a page, and its words. */
#ifndef WEB_CARE_H
#define WEB_CARE_H

#include "web/page.h"

#define CARE_GIVEN_SHOWN 30u

struct care_view {
    struct chart_order *orders; /* all; the lists below point into it */
    const struct chart_order **standing,
        **past; /* medication; standing ones with those that ended within two days */
    const struct chart_order **others;      /* of all other kinds */
    struct chart_medication_event *given;   /* newest first */
    struct chart_appointment *appointments; /* by start */
    size_t order_count, standing_count, past_count, other_count, given_count, appointment_count;
    int64_t medication_said_at; /* the newest word on this patient's medication, or INSTANT_NONE */
};
MUST_CHECK enum err care_gather(struct chart_reader *reader, struct page *page, uint64_t patient,
                                struct care_view *care, struct fault *fault);

/* Its end lies behind the moment that is shown, and nobody said that it ended. */
bool order_is_over(const struct page *page, const struct chart_order *order);
/* Cancelled, refused, entered in error. */
bool order_is_gone(const struct chart_order *order);
bool order_is_urgent(const struct chart_order *order);
bool event_is_taken_back(const struct chart_medication_event *event);
bool appointment_is_off(const struct chart_appointment *appointment);
struct bytes show_dose(struct page *page,
                       const struct fact_order *order); /* 500 mg, 500 to 1000 mg, 20 mL/h */
const char *show_order_state(struct page *page, const struct chart_order *order);
const char *show_medication_event(struct page *page, const struct chart_medication_event *event);
const char *show_appointment_state(struct page *page, const struct chart_appointment *appointment);

#endif
