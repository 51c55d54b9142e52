/* wards.c - the beds of the hospital: how many each service has, in which rooms, and who lies in
 * them. */
#include "simulate/hospital.h"

#include <assert.h>
#include <stdio.h>

#define BEDS_A_WARD_MAX 28u

static struct ward *add_ward(struct simulator *simulator, enum service service, unsigned nth,
                             unsigned of, uint32_t bed_count) {
    const struct service_kind *kind = &service_kinds[service];
    struct ward *ward = &simulator->wards[simulator->ward_count];
    *ward = (struct ward){.service = service,
                          .first_bed = simulator->bed_count,
                          .bed_count = bed_count,
                          .unit = 2100 + simulator->ward_count};
    if (of > 1) {
        snprintf(ward->code, sizeof ward->code, "%s%u", kind->code, nth + 1);
        snprintf(ward->name, sizeof ward->name, "%s %u", kind->name, nth + 1);
    } else {
        snprintf(ward->code, sizeof ward->code, "%s", kind->code);
        snprintf(ward->name, sizeof ward->name, "%s", kind->name);
    }
    return ward;
}

/* Rooms are numbered by floor; two beds in each unless the service has single ones. */
static void add_beds(struct simulator *simulator, const struct ward *ward) {
    bool is_single = service_kinds[ward->service].has_single_rooms;
    unsigned floor = 1 + simulator->ward_count / 3, wing = simulator->ward_count % 3;
    for (uint32_t i = 0; i < ward->bed_count; i++) {
        unsigned room = 1 + (is_single ? i : i / 2);
        simulator->beds[simulator->bed_count++] =
            (struct bed){.ward = (uint16_t)simulator->ward_count,
                         .room = (uint16_t)(floor * 100 + wing * 30 + room),
                         .letter = is_single ? '1'
                                   : i % 2   ? 'F'
                                             : 'P',
                         .stay = NOBODY};
    }
}

enum err wards_make(struct simulator *simulator) {
    uint32_t total = simulator->options.bed_count, left = total;
    simulator->beds = memory_alloc(total, sizeof *simulator->beds);
    if (!simulator->beds)
        return ERR_MEMORY;
    for (unsigned service = 0; service < SERVICE_COUNT && left > 0; service++) {
        uint32_t beds = total * service_kinds[service].weight / 100;
        beds = beds == 0 ? 1 : beds;
        beds = service + 1 == SERVICE_COUNT || beds > left ? left : beds;
        left -= beds;
        unsigned wards = (beds + BEDS_A_WARD_MAX - 1) / BEDS_A_WARD_MAX;
        wards = service == SERVICE_MED && beds > 1 && wards < 2 ? 2 : wards;
        for (unsigned nth = 0; nth < wards; nth++) {
            uint32_t share = beds * (nth + 1) / wards - beds * nth / wards;
            if (simulator->ward_count == WARD_COUNT)
                return ERR_LIMIT;
            add_beds(simulator, add_ward(simulator, (enum service)service, nth, wards, share));
            simulator->ward_count++;
        }
    }
    assert(simulator->bed_count == total);
    return ERR_OK;
}

uint32_t wards_of(const struct simulator *simulator, enum service service) {
    for (uint32_t i = 0; i < simulator->ward_count; i++)
        if (simulator->wards[i].service == service)
            return i;
    return 0;
}

static bool takes_others(enum service service) {
    return service != SERVICE_URG && service != SERVICE_REA && service != SERVICE_PED &&
           service != SERVICE_MAT;
}

/* Starts at a random bed, so that wards fill evenly. */
static uint32_t find(struct simulator *simulator, enum service service, bool others) {
    uint32_t start = (uint32_t)random_below(&simulator->random, simulator->bed_count);
    for (uint32_t i = 0; i < simulator->bed_count; i++) {
        uint32_t at = (start + i) % simulator->bed_count;
        const struct bed *bed = &simulator->beds[at];
        enum service of_bed = simulator->wards[bed->ward].service;
        if (bed->stay == NOBODY && (others ? takes_others(of_bed) : of_bed == service))
            return at;
    }
    return NOWHERE;
}

uint32_t bed_find(struct simulator *simulator, enum service service) {
    uint32_t bed = find(simulator, service, false);
    return bed == NOWHERE && takes_others(service) ? find(simulator, service, true) : bed;
}

void bed_take(struct simulator *simulator, uint32_t bed, uint32_t stay) {
    assert(simulator->beds[bed].stay == NOBODY || simulator->beds[bed].stay == stay);
    simulator->beds[bed].stay = stay;
    simulator->stays[stay].bed = bed;
    simulator->stays[stay].ward = simulator->beds[bed].ward;
}

void bed_free(struct simulator *simulator, uint32_t bed, uint32_t stay) {
    if (bed != NOWHERE && simulator->beds[bed].stay == stay)
        simulator->beds[bed].stay = NOBODY;
}
