/* answer.h - parts of the answers as JSON, one file for each field of care. */
#ifndef CHART_ANSWER_H
#define CHART_ANSWER_H

#include "chart/chart.h"

void put_source(struct json *json, const struct chart_source *source);
/* ---- answer_orders.c: the members of a person's object ---- */
void put_orders(struct json *json, const struct chart_order *orders, size_t count, int64_t now_us);
void put_medication_events(struct json *json, const struct chart_medication_event *events,
                           size_t count);
void put_appointments(struct json *json, const struct chart_appointment *appointments,
                      size_t count);

#endif
