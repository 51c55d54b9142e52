/* vault.h - the signed, sealed, append-only record: everything that happens is one entry here.
 *
 * Shapes     an entry: envelope (kind, source, clock, time received, author) and a raw body. Stored: sealed bytes.
 *            The five users of a vault, each of its own process: writer (commit), publisher (publish), opener (open),
 *            reader (anyone: sealed bytes, no key), verifier (anyone, with the public key).
 * Units      index: position of an entry from 0; size: how many entries; instants in microseconds UTC.
 * Errors     ERR_FULL: no space; the entry was not taken and the vault is unhurt. ERR_IO from a sync: the vault is
 *            suspect, every later append is ERR_STATE. ERR_CORRUPT / ERR_CRYPTO: damaged; fault.at is the index,
 *            fault.subject the file.
 * Ownership  views in a vault_entry live in the arena or buffer the caller gave.
 * Limits     VAULT_INLINE_BYTES_MAX sealed; larger bodies are blobs (age v1 files), streamed.
 * Process    one writer; see the state diagram in writer.c.
 * Source     docs/format/vault.md; C2SP tlog-tiles; age-encryption.org/v1.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/sys.h"
#include "base/time.h"
#include "formats/tlog/tlog.h"

#define VAULT_INLINE_BYTES_MAX (48u * 1024u)
#define VAULT_PATH_BYTES_MAX   1024u
#define VAULT_RESERVE_BYTES    (UINT64_C(256) << 20)
#define VAULT_LABEL_BYTES_MAX  63u /* of a recipient of keys */

enum vault_kind {                    /* numbers are part of the format */
                  VAULT_MESSAGE = 1, /* bytes from a system, as they came */
                  VAULT_FACT = 2,    /* entered by a person: FHIR R4 JSON */
                  VAULT_KEY = 3,     /* the hash of a file in keys/; stored open, not sealed */
                  VAULT_BLOB =
                      4, /* a message whose bytes are in blob/: body is a struct vault_blob_ref as docs/format/vault.md has it */
                  VAULT_NOTE =
                      5, /* of the system: start, declared downtime, a chart that died twice on an entry */
                  VAULT_DICTIONARY = 6 /* what the entries of its epoch are compressed with */
};
enum vault_flag {
    VAULT_CLOCK_DOUBTFUL = 1,
    VAULT_UNFRAMED = 2 /* bytes outside a frame, or cut off */
};

struct vault_entry {
    enum vault_kind kind;
    uint32_t flags;
    struct bytes media_type; /* "application/hl7-v2" */
    struct bytes source;     /* "mllp/<listener name>", or a person */
    hlc_stamp clock;         /* given by the writer */
    int64_t received_at;
    struct bytes author, role; /* empty unless a person wrote it */
    struct bytes
        body; /* raw; for a blob: its first bytes, up to 4 KiB, so that it can be told what it is */
    uint64_t body_bytes;    /* the whole body's size, blob or not */
    struct bytes blob_name; /* 32 bytes of SHA-256 of the sealed file; empty unless a blob */
    struct bytes digest; /* 16 bytes: keyed digest of the body, for repeats; given by the writer */
    /* States again what entry `restated_index` said first, at `restated_clock`, before that one's epoch is erased: of what
     * it says only `restated_parts` counts (enum facts_part; 0: all), as if written at that clock. */
    bool is_restated;
    uint64_t restated_index;
    hlc_stamp restated_clock;
    uint32_t restated_parts;
};

/* ---- making one; its keys ---- */

#define VAULT_PUBLIC_KEY_BYTES 32 /* X25519, of who may read */

/* Lay out <site>/vault and <site>/keys: signing key, node key, repeat key, first epoch key. ERR_STATE if there is one.
 * `recovery`: the public half of the offline recovery key; NULL: none. */
MUST_CHECK enum err vault_create(struct sys *sys, const char *site_dir, const char *origin,
                                 const uint8_t *recovery, struct fault *fault);

/* Those of its directories, and of its keys, that are not there: a copy has no empty ones. */
MUST_CHECK enum err vault_make_dirs(struct sys *sys, const char *site_dir, struct fault *fault);

/* ---- a passphrase on the secret key files of a site ---- */

#define VAULT_SALT_BYTES 16
/* What opens them, worked out once from the passphrase, which is not kept. A function that takes one is given NULL where the
 * keys have no passphrase; where they have one, that is ERR_AUTH. Lies in locked memory; handed from process to process as the
 * bytes it is. */
struct vault_unlock {
    uint8_t salt[VAULT_SALT_BYTES];
    uint64_t passes, memory_bytes;
    uint8_t key[32];
};
MUST_CHECK enum err vault_keys_are_locked(struct sys *sys, const char *site_dir, bool *locked,
                                          struct fault *fault);
/* Takes a good part of a second and up to 256 MiB. *unlock is NULL where there is no passphrase. ERR_AUTH: it is another. */
MUST_CHECK enum err vault_unlock_make(struct vault_unlock **unlock, struct sys *sys,
                                      const char *site_dir, struct bytes passphrase,
                                      struct fault *fault);
/* NULL when there is no memory. */
struct vault_unlock *vault_unlock_copy(const struct vault_unlock *unlock);
void vault_unlock_free(struct vault_unlock *unlock); /* wipes */

struct vault_lock_cost {
    uint64_t passes, memory_bytes;
};
/* From the passphrase that `unlock` is of (NULL: none) to another; empty: none. Under the site's lock, with no node. Whatever
 * fails, the keys are all under the one or all under the other. `cost` NULL: 3 passes over 64 MiB. */
MUST_CHECK enum err vault_passphrase_change(struct sys *sys, const char *site_dir,
                                            const struct vault_unlock *unlock,
                                            struct bytes passphrase,
                                            const struct vault_lock_cost *cost,
                                            struct fault *fault);

/* ---- writer: commit only ---- */
struct vault_writer;
struct vault_writer_options {
    uint64_t
        reserve_bytes; /* kept free for what people enter; VAULT_RESERVE_BYTES by default when 0; UINT64_MAX: none */
    uint64_t segment_bytes;            /* of a write-ahead segment; 0: 64 MiB */
    uint32_t repeat_count_max;         /* 0: 2,000,000 */
    const struct vault_unlock *unlock; /* only while it is opened */
};
/* Recovers: reads the segments from the disk, finds the last whole record, rebuilds the repeat digests.
 * ERR_CORRUPT when something that had been synced is damaged (nothing is cut off then). */
MUST_CHECK enum err vault_writer_open(struct vault_writer **writer, struct sys *sys,
                                      const char *site_dir,
                                      const struct vault_writer_options *options,
                                      struct fault *fault);
void vault_writer_close(struct vault_writer *writer);

struct vault_append {
    const struct vault_entry *entry; /* clock is stamped here; digest computed here. One that is restated
                                        is a message or a note; its body is not remembered as one taken */
    bool check_repeat;   /* an entry with the same body within 7 days is not stored again */
    bool is_from_person; /* may use the reserve */
};
/* Seal into the pending batch. *index is where it will stand, or where the same body stands already (*is_repeat).
 * Nothing is durable before vault_writer_sync; a repeat may be of an entry that is not durable yet. */
MUST_CHECK enum err vault_writer_append(struct vault_writer *writer,
                                        const struct vault_append *append, uint64_t *index,
                                        bool *is_repeat, struct fault *fault);
/* Is the pending batch so large that it must be synced before more is added? */
bool vault_writer_is_ripe(const struct vault_writer *writer);
/* The blobs of the batch synced together, then one write and one fdatasync for all its entries. After an error the pending batch is not durable and must
 * not be acknowledged; ERR_FULL: it was taken back whole and can be tried again; ERR_IO: suspect for good. */
MUST_CHECK enum err vault_writer_sync(struct vault_writer *writer, struct fault *fault);
uint64_t vault_writer_durable_size(const struct vault_writer *writer);
size_t vault_writer_pending_bytes(const struct vault_writer *writer);
bool vault_writer_is_suspect(const struct vault_writer *writer);
/* Has the clock jumped by more than 10 minutes, in this life or since the last, or is it behind the newest entry? Entries
 * are marked VAULT_CLOCK_DOUBTFUL meanwhile. */
bool vault_writer_clock_is_doubtful(const struct vault_writer *writer);
/* Free space below the reserve now? (measured at most once a second by the writer itself) */
bool vault_writer_is_full(struct vault_writer *writer);
/* Publication reached `size`: whole segments below it are not needed any more. */
void vault_writer_published(struct vault_writer *writer, uint64_t size);

/* ---- epochs: only between batches, with nothing pending ---- */
/* The number of the epoch that new entries are sealed under. */
uint32_t vault_writer_epoch(const struct vault_writer *writer);
/* What is due from time to time: the day's new epoch, a better dictionary. Cheap to ask. An error changes nothing and is
 * tried again in a minute. */
bool vault_writer_is_due(const struct vault_writer *writer);
MUST_CHECK enum err vault_writer_tend(struct vault_writer *writer, struct fault *fault);
/* Begin the next epoch, wrapped to the recipients as they are now. After an error the old one goes on. */
MUST_CHECK enum err vault_writer_rotate(struct vault_writer *writer, struct fault *fault);
/* Remove the epoch's key, after a note that says so and why: nobody can read what was sealed under it, here. ERR_STATE: it is
 * in use. ERR_NOT_FOUND: it never began, or is erased. */
MUST_CHECK enum err vault_writer_erase_epoch(struct vault_writer *writer, uint32_t epoch,
                                             const char *why, struct fault *fault);
/* Remove blobs of an epoch that is erased, which nobody can open any more: `names`, 32 bytes each. ERR_STATE: its key is
 * still there. *dropped: how many were there. */
MUST_CHECK enum err vault_writer_drop_blobs(struct vault_writer *writer, uint32_t epoch,
                                            struct bytes names, uint64_t *dropped,
                                            struct fault *fault);
/* Wrap every epoch there is to one who came later. */
MUST_CHECK enum err vault_writer_wrap_past(struct vault_writer *writer,
                                           const uint8_t public_key[VAULT_PUBLIC_KEY_BYTES],
                                           uint32_t *epoch_count, struct fault *fault);

/* A large body, streamed; several at once. finish writes its end, appends its reference as above, and takes the blob
 * whatever comes of it; both are durable with the batch. ERR_LIMIT: the batch was full; sync a ripe one before finish. */
struct vault_blob_writer;
MUST_CHECK enum err vault_blob_begin(struct vault_writer *writer, struct vault_blob_writer **blob,
                                     struct fault *fault);
MUST_CHECK enum err vault_blob_feed(struct vault_blob_writer *blob, struct bytes slice,
                                    struct fault *fault);
MUST_CHECK enum err vault_blob_finish(struct vault_blob_writer *blob,
                                      const struct vault_append *append, uint64_t *index,
                                      bool *is_repeat, struct fault *fault);
void vault_blob_abort(struct vault_blob_writer *blob);

/* ---- publisher: publish only; holds the signing key, no epoch key ---- */
struct vault_publisher;
#define VAULT_MEMORY_DIR "/dev/shm"
/* `memory_dir`: memory that ends with the machine's run, where what was signed last is remembered outside the disk; NULL:
 * VAULT_MEMORY_DIR. When what it says does not show that this disk is the newest, the origin's next epoch begins. */
MUST_CHECK enum err vault_publisher_open(struct vault_publisher **publisher, struct sys *sys,
                                         const char *site_dir, const struct vault_unlock *unlock,
                                         const char *memory_dir, struct fault *fault);
/* The origin it signs under; did that begin in this life; will the next life be able to go on with it? */
const char *vault_publisher_origin(const struct vault_publisher *publisher, bool *is_new,
                                   bool *is_remembered);
/* Entries from this index on were signed once and are not here any more; UINT64_MAX: none are missing. */
uint64_t vault_publisher_lost_from(const struct vault_publisher *publisher);
void vault_publisher_close(struct vault_publisher *publisher);
/* Bundles, tiles, read back and hashed again, checkpoint signed: up to `durable_size`. With `whole_only`, only
 * complete bundles (of 256). Does a bounded amount of work: call again while *published < what is wanted. */
MUST_CHECK enum err vault_publish(struct vault_publisher *publisher, uint64_t durable_size,
                                  bool whole_only, uint64_t *published, struct fault *fault);
uint64_t vault_published_size(const struct vault_publisher *publisher);

/* ---- reader: sealed bytes by index, from bundles or, for what is not published yet, from segments ---- */
struct vault_reader;
MUST_CHECK enum err vault_reader_open(struct vault_reader **reader, struct sys *sys,
                                      const char *vault_dir, struct fault *fault);
void vault_reader_close(struct vault_reader *reader);
/* The sealed bytes of entry `index`; a view until the next call. ERR_MORE: there is no such entry yet.
 * Sequential reading is the fast case. `durable_size`: how far segments may be trusted (UINT64_MAX: what is whole). */
MUST_CHECK enum err vault_reader_sealed(struct vault_reader *reader, uint64_t index,
                                        uint64_t durable_size, struct bytes *sealed,
                                        struct fault *fault);
/* How many entries can be read now (published, and whole records of the segments). */
MUST_CHECK enum err vault_reader_size(struct vault_reader *reader, uint64_t *size,
                                      struct fault *fault);

/* An entry whose epoch is erased, as readers pass it on: a note of this media type, empty. */
#define VAULT_ERASED_MEDIA_TYPE "application/vnd.veilleuse.erased"
void vault_entry_erased(struct vault_entry *entry);

/* ---- opener: open only (and offline commands); holds the epoch keys ---- */
struct vault_opener;
MUST_CHECK enum err vault_opener_open(struct vault_opener **opener, struct sys *sys,
                                      const char *site_dir, const struct vault_unlock *unlock,
                                      struct fault *fault);
void vault_opener_close(struct vault_opener *opener);
/* Unseal; views point into the opener's buffer until the next call. ERR_NOT_FOUND: the entry's epoch is erased. */
MUST_CHECK enum err vault_opener_unseal(struct vault_opener *opener, struct bytes sealed,
                                        struct vault_entry *entry, struct fault *fault);
/* The epoch's key is erased, or will be: forget it. */
void vault_opener_forget(struct vault_opener *opener, uint32_t epoch);
/* The plaintext of a blob, piece by piece, for as long as the caller likes; the entry must be the one unsealed last when it is
 * opened. A piece is a view until the next call. ERR_MORE: that was all. Another error: what was given is right, the rest is
 * damaged or gone. */
struct vault_blob_reader;
MUST_CHECK enum err vault_blob_open(struct vault_opener *opener, const struct vault_entry *entry,
                                    struct vault_blob_reader **reader, struct fault *fault);
MUST_CHECK enum err vault_blob_next(struct vault_blob_reader *reader, struct bytes *piece,
                                    struct fault *fault);
void vault_blob_close(struct vault_blob_reader *reader);
/* The same at one go: `take` gets each piece (return an error to stop). */
typedef enum err (*vault_take)(void *owner, struct bytes piece);
MUST_CHECK enum err vault_opener_blob(struct vault_opener *opener, const struct vault_entry *entry,
                                      vault_take take, void *owner, struct fault *fault);

/* ---- verifier ---- */
struct vault_report {
    uint64_t published_size, durable_size; /* durable: with what stands in the segments */
    uint64_t bytes_read, blob_count, checkpoint_count;
    uint64_t
        erased_count; /* files of keys/ that are not there any more: their epochs cannot be read */
    /* Epochs without any key: what was published under them can be read by nobody, and of the blobs it names so many are not
     * there any more. Not looked for with --quick. */
    uint64_t erased_epoch_count, erased_entry_count, erased_blob_count;
    uint32_t erased_first_epoch, erased_last_epoch;
    uint64_t from; /* entries below this were not looked at: verified before, or --quick */
    char origin[TLOG_ORIGIN_BYTES_MAX + 1];
    char root_base64[64];
    bool is_whole;
    char damaged_file[VAULT_PATH_BYTES_MAX]; /* the first damaged place */
    uint64_t damaged_index;                  /* UINT64_MAX when it is not of one entry */
    uint64_t damaged_at;                     /* byte offset in that file */
    char damage[200];                        /* in words */
};
struct vault_verify_options {
    bool
        quick; /* from the point verified last; without one, the signed edge and the segments alone */
    const char *point_path; /* where that point is kept; NULL: in the site's cache/ */
    unsigned worker_count;  /* processes; 0: one a core */
    /* Public keys, one a line, from elsewhere; NULL: those beside the vault, which only accidents do not change. Other
     * names of a key that is given count as it does. */
    const char *verifier_text;
};
/* `path`: a site or a vault. ERR_OK: whole. ERR_CORRUPT or ERR_CRYPTO: the report says where. */
MUST_CHECK enum err vault_verify(struct sys *sys, const char *path,
                                 const struct vault_verify_options *options,
                                 struct vault_report *report, struct fault *fault);

/* ---- who may read ---- */

typedef void (*vault_recipient_take)(void *owner, const uint8_t public_key[VAULT_PUBLIC_KEY_BYTES],
                                     const char *label);
/* Those who can open the epochs to come. */
MUST_CHECK enum err vault_recipients_each(struct sys *sys, const char *site_dir,
                                          vault_recipient_take take, void *owner,
                                          struct fault *fault);
/* Counts from the next epoch on. ERR_STATE: it is one already. */
MUST_CHECK enum err vault_recipient_add(struct sys *sys, const char *site_dir,
                                        const uint8_t public_key[VAULT_PUBLIC_KEY_BYTES],
                                        const char *label, struct fault *fault);
/* Every one of that label; counts from the next epoch on. */
MUST_CHECK enum err vault_recipient_remove(struct sys *sys, const char *site_dir, const char *label,
                                           struct fault *fault);

struct vault_epoch {
    uint32_t number;
    unsigned file_count; /* keys/<epoch> and keys/<epoch>.<n> */
    bool can_open;       /* by this node */
    int64_t made_at;     /* of the file, as the file system says */
};
typedef void (*vault_epoch_take)(void *owner, const struct vault_epoch *epoch);
MUST_CHECK enum err vault_epochs_each(struct sys *sys, const char *site_dir,
                                      const struct vault_unlock *unlock, vault_epoch_take take,
                                      void *owner, struct fault *fault);
/* The entries sealed under the epoch: from..to-1. ERR_NOT_FOUND: there are none. */
MUST_CHECK enum err vault_epoch_range(struct sys *sys, const char *site_dir, uint32_t epoch,
                                      uint64_t *from, uint64_t *to, struct fault *fault);
/* The entries whose epochs are erased, as few spans as can be, ascending. An error of `take` ends it. */
struct vault_span {
    uint64_t from, to; /* from..to-1 */
};
typedef enum err (*vault_span_take)(void *owner, const struct vault_span *span);
MUST_CHECK enum err vault_erased_each(struct sys *sys, const char *site_dir, vault_span_take take,
                                      void *owner, struct fault *fault);
/* The blobs that the entries from..to-1 name and that are there. No key is needed. */
typedef enum err (*vault_blob_take)(void *owner, const uint8_t name[TLOG_HASH_BYTES]);
MUST_CHECK enum err vault_blobs_each(struct sys *sys, const char *site_dir,
                                     const struct vault_span *span, vault_blob_take take,
                                     void *owner, struct fault *fault);
/* The X25519 secret that opens the epoch's blobs, for the age tool; the caller wipes it. */
MUST_CHECK enum err vault_epoch_identity(struct sys *sys, const char *site_dir,
                                         const struct vault_unlock *unlock, uint32_t epoch,
                                         uint8_t secret[VAULT_PUBLIC_KEY_BYTES],
                                         struct fault *fault);

#define VAULT_SHARE_COUNT_MAX 16u
struct vault_recovery { /* vault/recovery: nothing of it is secret */
    uint8_t public_key[VAULT_PUBLIC_KEY_BYTES];
    unsigned threshold, share_count;
    uint8_t share_hashes[VAULT_SHARE_COUNT_MAX][TLOG_HASH_BYTES];
};
MUST_CHECK enum err vault_recovery_write(struct sys *sys, const char *vault_dir,
                                         const struct vault_recovery *recovery,
                                         struct fault *fault);
MUST_CHECK enum err vault_recovery_read(struct sys *sys, const char *vault_dir,
                                        struct vault_recovery *recovery, struct fault *fault);

/* DIR/vault is a copy, of a node that is lost: make DIR/keys around it with the recovered secret. The new node signs with a
 * key of its own, reads with a key of its own, and goes on with the log under the origin's next epoch. */
MUST_CHECK enum err vault_adopt(struct sys *sys, const char *site_dir,
                                const uint8_t recovered[VAULT_PUBLIC_KEY_BYTES],
                                struct fault *fault);

/* ---- proofs ---- */

/* A proof is one text (C2SP tlog-proof, docs/format/vault.md) that shows, without the vault, that one entry stands in its
 * log. Its extra data is the sealed entry as stored, so that the text alone leads from the entry to its leaf hash, from
 * there to the root, and to the signature under that root. What the entry says stays sealed. */
#define VAULT_PROOF_BYTES_MAX                                                                      \
    (128u * 1024u) /* of any proof; entry, hashes and note fit with room */

/* The proof of entry `index` under the newest checkpoint, from the files alone; a node may run meanwhile. It is verified
 * with the keys in `verifier` before it is handed out; on an error `out` is empty. ERR_MORE: the entry is durable, but not
 * under a checkpoint yet. ERR_NOT_FOUND: there is no such entry. */
MUST_CHECK enum err vault_prove(struct sys *sys, const char *vault_dir, uint64_t index,
                                struct text *out, struct fault *fault);

struct vault_proof_report {
    char origin[TLOG_ORIGIN_BYTES_MAX + 1];
    uint64_t index, size; /* of the entry, of the tree that was signed */
    struct tlog_hash leaf, root;
    uint64_t entry_bytes; /* of the sealed entry */
};
/* Pure arithmetic: no file is read. `verifiers`: verifier keys, one a line, of which one must be the log's, under any epoch of
 * its origin. The report is filled only when the proof holds. ERR_INPUT, ERR_LIMIT: no proof, or no key; ERR_CRYPTO: it does not hold. */
MUST_CHECK enum err vault_proof_verify(struct bytes proof, struct bytes verifiers,
                                       struct vault_proof_report *report, struct fault *fault);

#endif
