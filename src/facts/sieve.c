/* sieve.c - which segments of a message stay when it is stated again; they come out as the message comes in.
 *
 * Invariants
 *   1. What comes out are whole segments, in their order, each as it came and ended by CR.
 *   2. It depends on the message alone, not on how it was sliced.
 *
 *   lead --MSH--> name --known--> kept or dropped --the line's end--> name ...
 *                      \--a second MSH--> over */
#include "facts/facts.h"

#define ALWAYS UINT32_MAX

/* For which parts a segment stays. What is not listed stays in an event (next of kin, insurance) and nowhere else, where it
 * may be of a result, an order or an appointment. */
static const struct kept {
    char name[4];
    unsigned parts;
} kept_segments[] = {
    {"MSH", ALWAYS},
    {"EVN", ALWAYS},
    {"PID", ALWAYS},
    {"PD1", ALWAYS},
    {"MRG", ALWAYS},
    {"AL1", ALWAYS},
    {"IAM", ALWAYS},
    {"PV1", FACTS_STAY},
    {"PV2", FACTS_STAY},
    {"ZBE", FACTS_STAY},
    {"DG1", FACTS_DIAGNOSES},
    {"PR1", FACTS_DIAGNOSES},
    {"DRG", FACTS_DIAGNOSES},
    {"ORC", FACTS_ORDERS},
    {"OBR", FACTS_ORDERS},
    {"TQ1", FACTS_ORDERS},
    {"TQ2", FACTS_ORDERS},
    {"RXO", FACTS_ORDERS},
    {"RXE", FACTS_ORDERS},
    {"RXR", FACTS_ORDERS},
    {"RXC", FACTS_ORDERS},
    {"RQD", FACTS_ORDERS},
    {"RQ1", FACTS_ORDERS},
    {"ODS", FACTS_ORDERS},
    {"ODT", FACTS_ORDERS},
    {"BPO", FACTS_ORDERS},
    {"ARQ", FACTS_ORDERS},
    {"SPM", FACTS_ORDERS},
    {"NTE", FACTS_ORDERS},
    {"SCH", FACTS_ORDERS},
    {"RGS", FACTS_ORDERS},
    {"AIS", FACTS_ORDERS},
    {"AIG", FACTS_ORDERS},
    {"AIL", FACTS_ORDERS},
    {"AIP", FACTS_ORDERS},
    {"PRB", FACTS_DIAGNOSES},
    {"OBX", 0},
    {"TXA", 0},
    {"RXA", 0},
    {"RXD", 0},
    {"RXG", 0},
};

static bool is_kept(const struct facts_sieve *sieve, struct bytes name) {
    for (size_t i = 0; i < sizeof kept_segments / sizeof kept_segments[0]; i++)
        if (bytes_is(name, kept_segments[i].name))
            return kept_segments[i].parts & sieve->parts || kept_segments[i].parts == ALWAYS;
    return sieve->is_event;
}

/* The header must stand in `first` as a whole, or nobody knows what the message is. */
bool facts_sieve_init(struct facts_sieve *sieve, struct bytes first, unsigned parts,
                      facts_take take, void *owner) {
    struct hl7_message message;
    struct hl7_header header;
    struct fault none = {0};
    if (hl7_message_init(&message, first, HL7_UTF8, &none) || message.msh.size == message.all.size)
        return false;
    hl7_header_read(&header, message.all);
    *sieve = (struct facts_sieve){
        .take = take,
        .owner = owner,
        .parts = parts,
        .lead = (uint64_t)(message.all.data - first.data),
        .delimiter = message.delimiters.field,
        .is_event = bytes_starts_with(header.type_code, BYTES("ADT")),
        .is_whole = true,
    };
    return true;
}

static bool is_line_end(uint8_t c) {
    return c == '\r' || c == '\n';
}

static size_t line_end(struct bytes b) {
    size_t end = bytes_find(b, '\r');
    b = end == BYTES_NOT_FOUND ? b : bytes_first(b, end);
    size_t other = bytes_find(b, '\n');
    return other == BYTES_NOT_FOUND ? b.size : other;
}

/* The line's first bytes are there: does it stay? */
static enum err judge(struct facts_sieve *sieve, struct bytes name) {
    bool is_header = bytes_is(name, "MSH"), is_second = is_header && sieve->has_header;
    sieve->has_header |= is_header;
    sieve->is_over |= is_second; /* two messages in one frame: the second was never read */
    sieve->is_named = true;
    sieve->is_keeping = !is_second && is_kept(sieve, name);
    sieve->is_whole &= sieve->is_keeping;
    return sieve->is_keeping ? sieve->take(sieve->owner, bytes_from(sieve->name, sieve->name_bytes))
                             : ERR_OK;
}

static enum err end_line(struct facts_sieve *sieve) {
    enum err err = ERR_OK;
    if (!sieve->is_named && sieve->name_bytes)
        err = judge(sieve, bytes_from(sieve->name, sieve->name_bytes));
    if (!err && sieve->is_named && sieve->is_keeping)
        err = sieve->take(sieve->owner, BYTES("\r"));
    sieve->is_named = false;
    sieve->name_bytes = 0;
    return err;
}

static enum err take_name_byte(struct facts_sieve *sieve, uint8_t c) {
    size_t before = sieve->name_bytes;
    if (is_line_end(c))
        return end_line(sieve);
    sieve->name[sieve->name_bytes++] = c;
    if (c == sieve->delimiter)
        return judge(sieve, bytes_from(sieve->name, before));
    if (sieve->name_bytes == sizeof sieve->name) /* longer than any name that is known */
        return judge(sieve, bytes_from(sieve->name, sieve->name_bytes));
    return ERR_OK;
}

enum err facts_sieve_feed(struct facts_sieve *sieve, struct bytes slice) {
    size_t lead = sieve->lead < slice.size ? (size_t)sieve->lead : slice.size;
    enum err err = ERR_OK;
    sieve->lead -= lead;
    slice = bytes_skip(slice, lead);
    while (slice.size > 0 && !sieve->is_over && !err) {
        if (!sieve->is_named) {
            err = take_name_byte(sieve, slice.data[0]);
            slice = bytes_skip(slice, 1);
            continue;
        }
        size_t end = line_end(slice);
        if (sieve->is_keeping && end > 0)
            err = sieve->take(sieve->owner, bytes_first(slice, end));
        if (!err && end < slice.size)
            err = end_line(sieve);
        slice = bytes_skip(slice, end + 1);
    }
    return err;
}

enum err facts_sieve_end(struct facts_sieve *sieve) {
    return sieve->is_over ? ERR_OK : end_line(sieve);
}
