/* simulate.h - a synthetic hospital that speaks HL7 v2: seeded, repeatable, French names,
 * believable figures.
 *
 * Shapes     a stream of HL7 v2.5 messages in order of their time, MSH-7 and EVN-2 with
 *            milliseconds and offset, control ids unique.
 * Units      instants in microseconds UTC; speed: simulated seconds a second, 0 as fast as
 *            possible.
 * Ownership  a message is a view into the simulator until the next call (copy it to keep it).
 * Process    the command `veilleuse simulate`, tests and benches. No patient is real.
 */
#ifndef SIMULATE_SIMULATE_H
#define SIMULATE_SIMULATE_H

#include "base/base.h"

struct simulator;
struct simulator_options {
    unsigned bed_count; /* 0: 300 */
    uint64_t seed;
    int64_t start_at; /* of the simulated clock */
    const char *zone; /* NULL: Europe/Paris */
    /* Of 1,000 messages, so many have a wrong character set (MSH-18), an end that is missing or a
     * segment without its name; their MSH can be read. The others are the same as without. */
    unsigned spoilt_per_mille;
};
/* A full hospital at start: its patients are told first (A01 with history), spread over the hours
 * before start_at. */
MUST_CHECK enum err simulator_open(struct simulator **simulator,
                                   const struct simulator_options *options, struct fault *fault);
void simulator_close(struct simulator *simulator);
/* The next message and its time. Never ends; the caller stops at a time of its choosing. */
MUST_CHECK enum err simulator_next(struct simulator *simulator, struct bytes *message, int64_t *at,
                                   struct fault *fault);

/* `veilleuse simulate [--beds N] [--seed N] [--speed X] [--hours H] [--history H] [--connections
 * N] [--spoilt N] (HOST:PORT | --out FILE)` */
int simulate_command(int argc, char **argv);

#endif
