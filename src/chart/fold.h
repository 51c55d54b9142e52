/* fold.h - one person out of everything said under their numbers: banner, stays, results. For the reader and for what the
 * writer derives; both give their own connection.
 *
 * Ownership  all answers live in the arena.
 */
#ifndef CHART_FOLD_H
#define CHART_FOLD_H

#include "chart/chart.h"
#include "chart/db.h"
#include "chart/records.h"

#define PERSON_MEMBERS_MAX 256u

struct person {
    uint64_t id; /* of the survivor */
    uint64_t members[PERSON_MEMBERS_MAX]; /* the survivor first */
    size_t member_count;
    unsigned doubt;
    const char *doubt_reason;
};

/* The person that a subject belongs to. ERR_NOT_FOUND: no such subject. */
MUST_CHECK enum err fold_person(struct db *db, uint64_t subject, struct person *person,
                                struct fault *fault);
MUST_CHECK enum err fold_patient(struct db *db, const struct person *person, struct arena *arena,
                                 struct chart_patient *out, int64_t *touched_at, struct fault *fault);
/* Every stay with its movements worked out. `visits` may be NULL. */
MUST_CHECK enum err fold_stays(struct db *db, const struct person *person, struct arena *arena,
                               struct chart_stay **stays, struct visit ***visits, size_t *count,
                               struct fault *fault);
MUST_CHECK enum err fold_results(struct db *db, const struct person *person, struct arena *arena,
                                 int64_t since, size_t count_max, struct chart_report **reports,
                                 size_t *count, struct fault *fault);

/* The name of a feed by its id: "APP/FACILITY". */
MUST_CHECK enum err fold_feed_name(struct db *db, struct arena *arena, uint64_t id,
                                   struct bytes *name, struct fault *fault);

/* A census row, packed: all that a ward's page shows of a patient. */
struct census_record {
    struct chart_patient patient;
    struct chart_stay stay;
    int64_t newest_result_at;
    const int64_t *abnormal_at; /* when the abnormal results were observed, newest first */
    size_t abnormal_count;
};
void census_pack(const struct census_record *record, struct text *out);
MUST_CHECK enum err census_unpack(struct census_record *record, struct bytes packed,
                                  struct arena *arena);

/* Letters without accents, upper case; other characters separate words. "d'Upont" gives D, UPONT and DUPONT. */
#define WORD_BYTES_MAX 64u
typedef enum err (*word_take)(void *owner, struct bytes word);
MUST_CHECK enum err words_of(struct bytes text, bool with_joined, word_take take, void *owner);

#endif
