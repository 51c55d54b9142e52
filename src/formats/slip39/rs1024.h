/* rs1024.h - the checksum of a share: three words that notice up to three wrong ones. */
#ifndef FORMATS_SLIP39_RS1024_H
#define FORMATS_SLIP39_RS1024_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RS1024_WORDS 3u

/* Fill the last three of `words`; `is_extendable` chooses the customization string. */
void rs1024_fill(uint16_t *words, size_t count, bool is_extendable);
bool rs1024_holds(const uint16_t *words, size_t count, bool is_extendable);
/* The one word (from 0) that another in its place would make right; `count` when there is none. Of one wrong
 * word this is always the place; of several it may be nothing, or a wrong guess. */
size_t rs1024_suspect(const uint16_t *words, size_t count);
/* Do these words say of themselves that their set is extendable? (SLIP-0039: bit 4 of the second word) */
static inline bool rs1024_is_extendable(const uint16_t *words) {
    return words[1] >> 4 & 1;
}

#endif
