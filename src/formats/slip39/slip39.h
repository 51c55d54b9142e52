/* slip39.h - split a secret into shares that people keep on paper, as 20 to 33 English words each.
 *
 * Shapes     a share: who it belongs with, which one it is, its value; as text, words of the standard's
 *            list. One group: any `threshold` of the `count` shares give the secret back.
 * Errors     struct slip39_verdict says in detail what is wrong with a text or a set; the code says
 *            ERR_INPUT: mistyped or not belonging together. ERR_MORE: shares are missing. ERR_CRYPTO:
 *            they do not hold together. ERR_UNSUPPORTED: a set of several groups.
 * Ownership  the caller's memory. Shares, texts and secrets are for the caller to wipe
 *            (slip39_share_clear, sodium_memzero); what is used inside is wiped here.
 * Limits     secrets of 16 to 32 bytes, even; 16 shares.
 * Process    `init` and `key` on the command line; no role holds a share.
 * Source     SLIP-0039 (SatoshiLabs), status Final, with the extendable backup flag of 2024: written
 *            shares carry it, shares without it are read too.
 */
#ifndef FORMATS_SLIP39_SLIP39_H
#define FORMATS_SLIP39_SLIP39_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

#define SLIP39_SHARE_COUNT_MAX  16u
#define SLIP39_SECRET_BYTES_MIN 16u
#define SLIP39_SECRET_BYTES_MAX 32u
#define SLIP39_WORD_COUNT_MIN   20u
#define SLIP39_WORD_COUNT_MAX   33u /* of a secret of 32 bytes */
#define SLIP39_WORD_BYTES_MAX   8u  /* the longest word; the shortest has 4 letters */
/* Room for any share as text: words, a space between two, the final zero. */
#define SLIP39_TEXT_BYTES_MAX (SLIP39_WORD_COUNT_MAX * (SLIP39_WORD_BYTES_MAX + 1))

struct slip39_share {
    uint16_t identifier; /* 15 bits, random, the same throughout a set */
    bool is_extendable;
    uint8_t iteration_exponent; /* 0 to 15 */
    uint8_t member_index;       /* 0 to 15: people count from 1 */
    uint8_t member_threshold;   /* 1 to 16: so many shares are needed */
    uint8_t value_bytes;
    uint8_t value[SLIP39_SECRET_BYTES_MAX];
};

enum slip39_problem {
    SLIP39_FINE,
    /* of one text */
    SLIP39_NO_WORD,    /* word `at` (from 1) is no word of the list */
    SLIP39_WORD_COUNT, /* `at` words were found: no share has so many */
    SLIP39_CHECKSUM, /* words are wrong or exchanged; `at`: the one word whose change would make it
                          right (from 1; a suggestion: look there first), 0 when it is more than one */
    SLIP39_FIELDS,   /* the checksum holds, but no program should have written this */
    SLIP39_GROUPS,   /* of a set of several groups: ERR_UNSUPPORTED */
    /* of a set */
    SLIP39_OTHER_SET, /* share `at` (from 0) is not of the set that `with` is of */
    SLIP39_TWICE,     /* share `at` (from 0) is the same as `with` */
    SLIP39_CONFLICT,  /* share `at` (from 0) has the same index as `with` and another value */
    SLIP39_TOO_FEW,   /* `at` more are needed: ERR_MORE */
    SLIP39_DIGEST     /* the secret's digest is wrong: a share is none of this set's: ERR_CRYPTO */
};

struct slip39_verdict {
    enum slip39_problem problem;
    unsigned at, with;
};
/* What is wrong, in a few English words; static text. */
const char *slip39_problem_text(enum slip39_problem problem);

struct slip39_options {
    unsigned threshold,
        count; /* 1 <= threshold <= count <= 16; of threshold 1 there is one share */
    unsigned iteration_exponent; /* PBKDF2 does 10,000 * 2^e rounds in all; 0 to 15 */
    struct bytes
        passphrase; /* at most 256 bytes, or ERR_INPUT; Veilleuse leaves it empty: BYTES_NONE */
};
/* Split `secret` (16 to 32 bytes, an even number) into options->count shares. `random` fills memory with
 * random bytes: libsodium's randombytes_buf. ERR_INPUT when sizes or counts are not as said above. */
MUST_CHECK enum err slip39_split(struct bytes secret, const struct slip39_options *options,
                                 void (*random)(void *bytes, size_t size),
                                 struct slip39_share *shares);

/* The words, lower case, one space between: 33 for a secret of 32 bytes. */
void slip39_put_share(struct text *out, const struct slip39_share *share);
/* Read one share as people type it: any case, any spaces and line breaks, commas, words cut to their first
 * four letters or more, numbers ("1.", "2)") before words. `verdict` is always filled. */
MUST_CHECK enum err slip39_read_share(struct bytes text, struct slip39_share *share,
                                      struct slip39_verdict *verdict);

/* The secret of which these are shares; more than needed may be given, all are checked. A share given twice
 * is SLIP39_TWICE. When sets are mixed, `at` is the first that is not of the larger one. `secret` has room
 * for SLIP39_SECRET_BYTES_MAX and is zeroed on failure. Takes as long as the iteration exponent says. */
MUST_CHECK enum err slip39_combine(const struct slip39_share *shares, size_t count,
                                   struct bytes passphrase, uint8_t *secret, size_t *secret_bytes,
                                   struct slip39_verdict *verdict);

void slip39_share_clear(struct slip39_share *shares, size_t count);

#endif
