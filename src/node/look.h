/* look.h - may what is old be judged by this clock? What the last looks at it saw, and what this one does.
 *
 * Shapes     one look: the machine's start (boot), its clock, how long it has run. The last one that was trusted is kept in
 *            DIR/cache/retention, a few lines of text, which may be deleted: then the clock is watched anew.
 * Units      microseconds; `ran_us` is CLOCK_BOOTTIME, which never jumps.
 * Errors     a reason, in words, instead of trust; it stays until the clock is right again or a person says `go on`.
 * Process    the node's own commands (key retain).
 *
 * Within one run of the machine the clock must go as its running time does. Across a start of the machine nothing tells a
 * machine that was off from a clock that was set ahead: the longer the time between, the more is asked for. Up to a day,
 * nothing; up to LOOK_OFF_DAYS, that the clock then goes on rightly for a day, in which a time server would put it right;
 * beyond, a person.
 */
#ifndef NODE_LOOK_H
#define NODE_LOOK_H

#include "base/base.h"

#define LOOK_DAY_US   (INT64_C(86400) * US_PER_S)
#define LOOK_OFF_DAYS 31

struct look {
    bool is_there; /* false: there was none */
    char boot[40];
    int64_t now_us, ran_us;
    int64_t watch_until; /* ran_us from which the clock is trusted in this run; 0: it is */
    char lost[96];       /* why entries are missing, since that was seen; empty: they are not */
};

/* Judge `now` (boot, now_us, ran_us) by the last look, and make of it the next one to keep. Empty: it is trusted. Else the reason, and
 * *keep false when the last look is to stay as it is. */
void look_judge(const struct look *last, struct look *now, bool *keep, struct text *reason);
/* A person has looked: trusted from here on, and nothing is known to be missing. */
void look_go_on(struct look *now);

/* The machine as it is. */
void look_around(struct sys *sys, struct look *now);
void look_load(struct sys *sys, const char *site_dir, struct look *last);
/* Best effort: what cannot be kept is watched anew. */
void look_save(struct sys *sys, const char *site_dir, const struct look *look);

#endif
