/* profile.h - a feed's profile as the writer keeps it. */
#ifndef CHART_PROFILE_H
#define CHART_PROFILE_H

#include "chart/chart.h"
#include "chart/pack.h"

void profile_count(struct chart_profile *profile, struct zone *zone, int64_t at);
void profile_pack(const struct chart_profile *profile, struct text *out);
void profile_unpack(struct unpack *in, struct chart_profile *profile);

#endif
