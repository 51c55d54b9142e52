/* writer.h - the inside of the chart's writer: one batch of entries in memory, then one transaction. */
#ifndef CHART_WRITER_H
#define CHART_WRITER_H

#include "chart/fold.h"
#include "chart/merges.h"

#define SLOTS 16384u

struct feed {
    uint64_t id;
    struct bytes application, facility;
    struct chart_feed figures;
    bool is_dirty;
    struct feed *next;
};

struct chart_writer {
    struct db db;
    struct chart_options options;
    struct zone zone;
    uint64_t applied, entry_count, next_subject, next_visit, next_feed;
    int64_t newest_received_at, first_received_at, census_as_of;
    bool in_batch;
    /* Numbers whose merges changed in this batch. */
    uint64_t *edge_ends;
    size_t edge_end_count, edge_end_capacity;
    /* The batch: records read or made, found by their number; gone at its end. */
    struct arena batch, message;
    struct subject *subject_slots[SLOTS], *subjects;
    struct visit *visit_slots[SLOTS], *visits;
    /* For the whole life: senders are few. */
    struct arena feed_arena;
    struct feed *feeds;
    char *scratch; /* where records are packed */
    struct hl7_thin large; /* the next entry's body, thinned; out NULL: it is not */
    uint8_t *whole;        /* the next entry's body as it came in pieces; NULL: it came whole, or is too large */
    size_t whole_bytes, whole_room;
    bool is_too_large;
};
#define SCRATCH_BYTES ((size_t)8 << 20)

MUST_CHECK enum err writer_subject(struct chart_writer *writer,
                                   const struct fact_identifier *identifier,
                                   struct subject **subject, struct fault *fault);
MUST_CHECK enum err writer_subject_by_id(struct chart_writer *writer, uint64_t id,
                                         struct subject **subject, struct fault *fault);
MUST_CHECK enum err writer_visit(struct chart_writer *writer, struct subject *subject,
                                 const struct fact_identifier *identifier, struct visit **visit,
                                 struct fault *fault);
MUST_CHECK enum err writer_feed(struct chart_writer *writer, struct bytes application,
                                struct bytes facility, struct feed **feed, struct fault *fault);

/* take.c: the facts of one patient into the records of the batch; of an entry that is stated again those of `parts`.
 * first_part: how many facts of the same entry went before. */
#define PARTS_ALL      UINT32_MAX
#define PARTS_NAMELESS 0x80000000u
MUST_CHECK enum err writer_take_facts(struct chart_writer *writer, const struct facts *facts,
                                      const struct key *key, struct feed *feed, int64_t received_at,
                                      unsigned parts, unsigned first_part, struct fault *fault);
/* resource.c: the resource that the facts are of, and what its deletion takes back. */
MUST_CHECK enum err writer_take_resource(struct chart_writer *writer, const struct facts *facts,
                                         const struct key *key, struct feed *feed,
                                         int64_t received_at, struct fault *fault);
/* false: no room in the batch. */
bool writer_edge_changed(struct chart_writer *writer, uint64_t subject);
/* take.c: the stays that a note lists are let go, as of the key's clock. */
MUST_CHECK enum err writer_let_go(struct chart_writer *writer, const struct key *key,
                                  struct bytes body, struct fault *fault);
/* derive.c: census and words of everyone the batch touched. */
MUST_CHECK enum err writer_derive(struct chart_writer *writer, struct fault *fault);
/* Of everyone, once, at the end of a rebuild. */
MUST_CHECK enum err writer_derive_all(struct chart_writer *writer, struct fault *fault);
/* The records of the batch go; they have been written. */
void writer_forget_batch(struct chart_writer *writer);

/* ---- names.c ---- */
/* The first 64 bits of an identifier's name, as the table of subjects keeps them. */
int64_t names_number(const struct fact_identifier *identifier);

#endif
