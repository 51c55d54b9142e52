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

#define ENVELOPE_BYTES_MAX 2048u /* without the body */
#define PLAIN_BYTES_MAX    (VAULT_INLINE_BYTES_MAX + ENVELOPE_BYTES_MAX)
#define SEAL_HEADER_BYTES  10u
#define SEAL_BYTES         (SEAL_HEADER_BYTES + 24u + 16u)

/* ERR_LIMIT when it does not fit into `out`. */
MUST_CHECK enum err envelope_put(const struct vault_entry *entry, uint8_t *out, size_t out_bytes,
                                 size_t *size);
/* Views into `plain`. */
MUST_CHECK enum err envelope_read(struct bytes plain, struct vault_entry *entry);

struct sealer; /* contexts and buffers for many entries */
MUST_CHECK enum err sealer_open(struct sealer **sealer, const char *origin);
void sealer_close(struct sealer *sealer);
/* Seal `entry` into `out` (room for PLAIN_BYTES_MAX + SEAL_BYTES); *size gets the sealed size. In haste it is
 * compressed less (55 % of an HL7 message and not 41 %), in a third of the time. */
MUST_CHECK enum err sealer_seal(struct sealer *sealer, const struct vault_entry *entry,
                                bool in_haste, uint32_t epoch, const uint8_t key[32], uint8_t *out,
                                size_t *size);
MUST_CHECK enum err sealed_epoch(struct bytes sealed, uint32_t *epoch);
/* Views into the sealer's buffer until the next call. */
MUST_CHECK enum err sealer_unseal(struct sealer *sealer, struct bytes sealed, const uint8_t key[32],
                                  struct vault_entry *entry);

#endif
