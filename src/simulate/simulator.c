/* simulator.c - the clock of the synthetic hospital: takes the soonest thing to happen and lets it
 * be told.
 *
 * Invariants
 *   Chance comes from one seeded source, drawn in the order of events: same seed and start, same
 *   bytes.
 *   Every message has a time of its own, in milliseconds, later than all before.
 *   An event about a stay or an order that has become another does nothing.
 */
#include "simulate/hospital.h"

#include <assert.h>

void happen(struct simulator *simulator, int64_t at, enum event_kind kind, uint32_t index,
            uint32_t generation, uint32_t argument) {
    struct event event = {.at = at - at % US_PER_MS,
                          .kind = (int)kind,
                          .index = index,
                          .generation = generation,
                          .argument = argument};
    enum err err = event_queue_put(&simulator->queue, &event);
    if (err && !simulator->err)
        simulator->err = err;
}

void happen_to(struct simulator *simulator, uint32_t stay, int64_t at, enum event_kind kind,
               uint32_t argument) {
    happen(simulator, at, kind, stay, simulator->stays[stay].generation, argument);
}

int64_t after_minutes(struct simulator *simulator, int64_t at, int64_t low, int64_t high) {
    return at + random_between(&simulator->random, low * 60000, high * 60000) * US_PER_MS;
}

struct civil_time local_time(struct simulator *simulator, int64_t at) {
    return time_civil(at, zone_offset_at(&simulator->zone, at));
}

int64_t next_at_hour(struct simulator *simulator, int64_t at, int hour, int minute) {
    int32_t offset_s = zone_offset_at(&simulator->zone, at);
    struct civil_time civil = time_civil(at, offset_s);
    civil.hour = hour;
    civil.minute = minute;
    civil.second = civil.microsecond = 0;
    int64_t then = time_from_civil(&civil, offset_s);
    return then > at ? then : then + 24 * HOUR;
}

static enum err make_room(struct simulator *simulator) {
    simulator->stay_count = simulator->options.bed_count * 2 + 512;
    simulator->order_count = simulator->options.bed_count * 24 + 512;
    simulator->stays = memory_alloc(simulator->stay_count, sizeof *simulator->stays);
    simulator->orders = memory_alloc(simulator->order_count, sizeof *simulator->orders);
    return simulator->stays && simulator->orders ? wards_make(simulator) : ERR_MEMORY;
}

enum err simulator_open(struct simulator **out, const struct simulator_options *options,
                        struct fault *fault) {
    struct simulator *simulator = memory_alloc(1, sizeof *simulator);
    if (!simulator)
        return fault_set(fault, ERR_MEMORY, "there is no memory for a hospital");
    simulator->options = *options;
    if (simulator->options.bed_count == 0)
        simulator->options.bed_count = 300;
    random_init(&simulator->random, options->seed);
    random_init(&simulator->spoilt_chance, options->seed ^ UINT64_C(0x73706f696c7421));
    random_init(&simulator->drug_chance, options->seed ^ UINT64_C(0x6d65646963616d65));
    enum err err =
        zone_init(&simulator->zone, options->zone ? options->zone : "Europe/Paris", fault);
    if (!err && make_room(simulator))
        err = fault_set(fault, ERR_MEMORY, "there is no memory for so many beds");
    if (err) {
        simulator_close(simulator);
        return err;
    }
    message_init(&simulator->message, simulator->buffer, sizeof simulator->buffer,
                 &simulator->zone);
    simulator->person_number = 800000000 + random_below(&simulator->random, 90000000);
    simulator->visit_number = 26000000 + random_below(&simulator->random, 900000);
    simulator->now = INT64_MIN;
    flow_start(simulator);
    *out = simulator;
    return ERR_OK;
}

void simulator_close(struct simulator *simulator) {
    if (!simulator)
        return;
    event_queue_release(&simulator->queue);
    memory_free(simulator->beds);
    memory_free(simulator->stays);
    memory_free(simulator->orders);
    memory_free(simulator);
}

/* Whether what the event is about still is what it was. */
static bool is_valid(const struct simulator *simulator, const struct event *event) {
    switch ((enum event_kind)event->kind) {
    case EVENT_ADMIT_FIRST:
    case EVENT_ARRIVE:
    case EVENT_PLAN:
    case EVENT_PLANNED:
    case EVENT_OUTPATIENT:
        return true;
    case EVENT_PRELIMINARY:
    case EVENT_FINAL:
    case EVENT_CORRECTED: {
        const struct order *order = &simulator->orders[event->index];
        return order->is_used && order->generation == event->generation;
    }
    default: {
        const struct stay *stay = &simulator->stays[event->index];
        return stay->is_used && stay->generation == event->generation;
    }
    }
}

enum err simulator_next(struct simulator *simulator, struct bytes *message, int64_t *at,
                        struct fault *fault) {
    simulator->has_message = false;
    while (!simulator->has_message) {
        struct event event;
        if (simulator->err || !event_queue_take(&simulator->queue, &event))
            return fault_set(fault, simulator->err ? simulator->err : ERR_STATE,
                             "the simulated hospital has come to a stand");
        if (!is_valid(simulator, &event))
            continue;
        simulator->now = event.at > simulator->now ? event.at : simulator->now + US_PER_MS;
        message_clear(&simulator->message);
        flow_event(simulator, &event);
        if (!simulator->has_message && simulator->now > event.at)
            simulator->now -= US_PER_MS; /* nothing was said, so its time is still free */
    }
    *message = spoil(simulator, message_end(&simulator->message));
    *at = simulator->now;
    return ERR_OK;
}
