/* pack.h - small records as bytes: numbers of variable length, texts behind their length.
 *
 * Errors     a reader that runs short gives zeros and empty texts from then on, and says so by is_short.
 * Source     LEB128; signed numbers zigzag, INSTANT_NONE as one byte.
 */
#ifndef CHART_PACK_H
#define CHART_PACK_H

#include "base/text.h"

void pack_u64(struct text *out, uint64_t number);
void pack_i64(struct text *out, int64_t number); /* instants too */
void pack_bytes(struct text *out, struct bytes b);

struct unpack {
    struct bytes rest;
    bool is_short;
};
uint64_t unpack_u64(struct unpack *in);
int64_t unpack_i64(struct unpack *in);
struct bytes unpack_bytes(struct unpack *in); /* a view */
/* A count that the rest can hold, each of at least one byte; else 0 and is_short. */
size_t unpack_count(struct unpack *in);

#endif
