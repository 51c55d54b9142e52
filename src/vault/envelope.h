/* envelope.h - an entry as bytes, before sealing and sealed. Only vault/ and its tests see this.
 *
 * Shapes     plain: version, fields (tag, u16 length, value), 'B', the body to the end.
 *            sealed: version, compression, dictionary, epoch, nonce, XChaCha20-Poly1305 of the plain form.
 * Errors     ERR_INPUT: not of the form; ERR_CRYPTO: the seal does not hold; ERR_UNSUPPORTED: a newer version.
 * Source     docs/format/vault.md, "Entry".
 */
#ifndef VAULT_ENVELOPE_H
#define VAULT_ENVELOPE_H

#include "vault/vault.h"

#define ENVELOPE_BYTES_MAX    2048u /* without the body */
#define PLAIN_BYTES_MAX       (VAULT_INLINE_BYTES_MAX + ENVELOPE_BYTES_MAX)
#define SEAL_HEADER_BYTES_MAX 42u /* with a blob's name */
#define SEAL_BYTES            (SEAL_HEADER_BYTES_MAX + 24u + 16u)

/* ERR_LIMIT when it does not fit into `out`. */
MUST_CHECK enum err envelope_put(const struct vault_entry *entry, uint8_t *out, size_t out_bytes,
                                 size_t *size);
/* Views into `plain`. */
MUST_CHECK enum err envelope_read(struct bytes plain, struct vault_entry *entry);

/* What of a stored entry can be read without a key. */
struct seal_header {
    bool is_compressed, is_open; /* open: not sealed, anyone may read it */
    uint32_t dictionary, epoch;  /* 0: none */
    struct bytes blob_name;      /* 32 bytes, or empty */
    size_t bytes;                /* how long it is itself */
};
MUST_CHECK enum err seal_header_read(struct bytes stored, struct seal_header *header);
/* An open entry as it is stored; views into `stored`. */
MUST_CHECK enum err open_entry_read(struct bytes stored, struct vault_entry *entry);
/* "vault/keys/<epoch>" or "vault/keys/<epoch>.<n>" of an open entry of kind VAULT_KEY; false: of another form. */
bool key_entry_name(const struct vault_entry *entry, struct bytes *file_name, uint32_t *epoch);

struct sealer; /* contexts and buffers for many entries */
/* `log_name`: the name in the first line of vault/verifier. */
MUST_CHECK enum err sealer_open(struct sealer **sealer, const char *log_name);
void sealer_close(struct sealer *sealer);
void sealer_use_no_dictionary(struct sealer *sealer);
/* From here on entries are compressed with `dictionary`, which stands in entry `index`. */
MUST_CHECK enum err sealer_use_dictionary(struct sealer *sealer, uint32_t index,
                                          struct bytes dictionary);
/* The one in use; a view until another is. Empty: none. */
struct bytes sealer_dictionary(const struct sealer *sealer);
/* Know a dictionary for unsealing; the few used last are kept. */
MUST_CHECK enum err sealer_add_dictionary(struct sealer *sealer, uint32_t index,
                                          struct bytes dictionary);

struct seal_options {
    uint32_t epoch;
    const uint8_t *key; /* NULL: store it open */
    /* Compressed less (55 % of an HL7 message and not 41 % without a dictionary), in a third of the time. */
    bool in_haste;
};
/* Seal `entry` into `out` (room for PLAIN_BYTES_MAX + SEAL_BYTES); *size gets the stored size. */
MUST_CHECK enum err sealer_seal(struct sealer *sealer, const struct vault_entry *entry,
                                const struct seal_options *options, uint8_t *out, size_t *size);
/* The plaintext of what was sealed last; a view until the next call. */
struct bytes sealer_last_plain(const struct sealer *sealer);
/* Views into the sealer's buffer until the next call. ERR_NOT_FOUND: *dictionary must be added first. `key` may be NULL for
 * an open entry. */
MUST_CHECK enum err sealer_unseal(struct sealer *sealer, struct bytes stored, const uint8_t key[32],
                                  struct vault_entry *entry, uint32_t *dictionary);

#endif
