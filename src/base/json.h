/* json.h - write JSON as it is made; reading is jansson's work.
 *
 * Shapes     commas and nesting are kept by the writer; names and values are escaped (RFC 8259).
 * Errors     the text's `full` flag; nesting past JSON_DEPTH_MAX asserts (it is a bug, not input).
 *            Bytes that are not UTF-8 become U+FFFD.
 * Ownership  writes into the caller's text.
 *
 * The names keep clear of jansson's, which is linked beside it.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/text.h"

#define JSON_DEPTH_MAX 32

struct json {
    struct text *text;
    unsigned depth;
    bool has_item[JSON_DEPTH_MAX];
    bool after_name;
};

void json_init(struct json *json, struct text *text);
void json_object_begin(struct json *json);
void json_object_end(struct json *json);
void json_array_begin(struct json *json);
void json_array_end(struct json *json);
void json_name(struct json *json, const char *name);
void json_put_bytes(struct json *json, struct bytes value);
void json_put_string(struct json *json, const char *value);
void json_put_i64(struct json *json, int64_t value);
void json_put_u64(struct json *json, uint64_t value);
/* A value that is JSON already: a number kept exactly, a document kept whole. The caller answers for its form. */
void json_put_raw(struct json *json, struct bytes value);
void json_put_bool(struct json *json, bool value);
void json_put_null(struct json *json);
/* Name and value at once. An empty value is written as null by json_member_bytes. */
void json_member_bytes(struct json *json, const char *name, struct bytes value);
void json_member_string(struct json *json, const char *name, const char *value);
void json_member_i64(struct json *json, const char *name, int64_t value);
void json_member_u64(struct json *json, const char *name, uint64_t value);
void json_member_bool(struct json *json, const char *name, bool value);
/* RFC 3339 UTC, or null for INSTANT_NONE. */
void json_member_instant(struct json *json, const char *name, int64_t at);

#endif
