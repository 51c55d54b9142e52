/* messages.c - write and read each message that roles exchange.
 *
 * Every get_ function ends with ipc_reader_end: a payload with a byte too few or too many is refused whole. */
#include "roles/roles.h"

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_SUPERVISOR] = "supervisor", [ROLE_COMMIT] = "commit",   [ROLE_PUBLISH] = "publish",
    [ROLE_OPEN] = "open",             [ROLE_FEEDS] = "feeds",     [ROLE_CHART] = "chart",
    [ROLE_WEB] = "web",               [ROLE_IMPORT] = "import", [ROLE_FOLDER] = "folder",
};

const char *role_name(enum role role) {
    return (unsigned)role < ROLE_COUNT ? role_names[role] : "unknown";
}

bool role_from_name(const char *name, enum role *role) {
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if (strcmp(name, role_names[i]) == 0) {
            *role = (enum role)i;
            return true;
        }
    return false;
}

enum { APPEND_CHECK_REPEAT = 1, APPEND_FROM_PERSON = 2, APPEND_RESTATED = 4 };

static uint8_t append_bits(const struct append_request *request) {
    return (uint8_t)((request->check_repeat ? APPEND_CHECK_REPEAT : 0) |
                     (request->is_from_person ? APPEND_FROM_PERSON : 0) |
                     (request->is_restated ? APPEND_RESTATED : 0));
}

struct vault_entry roles_entry_of(const struct append_request *request) {
    return (struct vault_entry){
        .kind = request->kind,
        .flags = request->flags,
        .media_type = request->media_type,
        .source = request->source,
        .received_at = request->received_at,
        .author = request->author,
        .role = request->role,
        .body = request->body,
        .body_bytes = request->body.size,
        .is_restated = request->is_restated,
        .restated_index = request->restated_index,
        .restated_clock = request->restated_clock,
        .restated_parts = request->restated_parts,
    };
}

enum err roles_put_append(struct ipc *ipc, enum role_message type,
                          const struct append_request *request) {
    ipc_put_begin(ipc, (uint16_t)type);
    ipc_put_u64(ipc, request->token);
    ipc_put_u8(ipc, append_bits(request));
    ipc_put_u8(ipc, (uint8_t)request->kind);
    ipc_put_u32(ipc, request->flags);
    ipc_put_u64(ipc, (uint64_t)request->received_at);
    ipc_put_bytes(ipc, request->media_type);
    ipc_put_bytes(ipc, request->source);
    ipc_put_bytes(ipc, request->author);
    ipc_put_bytes(ipc, request->role);
    ipc_put_bytes(ipc, request->body);
    if (request->is_restated) {
        ipc_put_u64(ipc, request->restated_index);
        ipc_put_u64(ipc, request->restated_clock);
        ipc_put_u32(ipc, request->restated_parts);
    }
    return ipc_put_end(ipc);
}

enum err roles_get_append(const struct ipc_frame *frame, struct append_request *request) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    *request = (struct append_request){.token = ipc_get_u64(&reader)};
    uint8_t bits = ipc_get_u8(&reader);
    request->check_repeat = bits & APPEND_CHECK_REPEAT;
    request->is_from_person = bits & APPEND_FROM_PERSON;
    request->is_restated = bits & APPEND_RESTATED;
    request->kind = (enum vault_kind)ipc_get_u8(&reader);
    request->flags = ipc_get_u32(&reader);
    request->received_at = (int64_t)ipc_get_u64(&reader);
    request->media_type = ipc_get_bytes(&reader);
    request->source = ipc_get_bytes(&reader);
    request->author = ipc_get_bytes(&reader);
    request->role = ipc_get_bytes(&reader);
    request->body = ipc_get_bytes(&reader);
    if (request->is_restated) {
        request->restated_index = ipc_get_u64(&reader);
        request->restated_clock = ipc_get_u64(&reader);
        request->restated_parts = ipc_get_u32(&reader);
    }
    return ipc_reader_end(&reader);
}

enum err roles_put_blob(struct ipc *ipc, enum role_message type, uint64_t token,
                        struct bytes data) {
    ipc_put_begin(ipc, (uint16_t)type);
    ipc_put_u64(ipc, token);
    ipc_put_bytes(ipc, data);
    return ipc_put_end(ipc);
}

enum err roles_get_blob(const struct ipc_frame *frame, uint64_t *token, struct bytes *data) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    *token = ipc_get_u64(&reader);
    *data = ipc_get_bytes(&reader);
    return ipc_reader_end(&reader);
}

enum err roles_put_keys(struct ipc *ipc, const struct keys_request *request) {
    ipc_put_begin(ipc, MESSAGE_KEYS);
    ipc_put_u8(ipc, (uint8_t)request->order);
    ipc_put_u32(ipc, request->epoch);
    ipc_put_bytes(ipc, request->public_key);
    ipc_put_bytes(ipc, request->why);
    ipc_put_bytes(ipc, request->names);
    return ipc_put_end(ipc);
}

enum err roles_get_keys(const struct ipc_frame *frame, struct keys_request *request) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    uint8_t order = ipc_get_u8(&reader);
    request->order = (enum keys_order)order;
    request->epoch = ipc_get_u32(&reader);
    request->public_key = ipc_get_bytes(&reader);
    request->why = ipc_get_bytes(&reader);
    request->names = ipc_get_bytes(&reader);
    enum err err = ipc_reader_end(&reader);
    bool has_key = request->public_key.size == VAULT_PUBLIC_KEY_BYTES;
    bool good = order <= KEYS_DROP_BLOBS && (order != KEYS_WRAP_PAST || has_key) &&
                request->why.size <= 128 && request->names.size % TLOG_HASH_BYTES == 0 &&
                request->names.size <= KEYS_BLOB_COUNT_MAX * TLOG_HASH_BYTES;
    return !err && !good ? ERR_INPUT : err;
}

enum err roles_put_keys_done(struct ipc *ipc, const struct keys_answer *answer) {
    ipc_put_begin(ipc, MESSAGE_KEYS_DONE);
    ipc_put_u8(ipc, (uint8_t)answer->err);
    ipc_put_u64(ipc, answer->number);
    ipc_put_bytes(ipc, answer->fault);
    return ipc_put_end(ipc);
}

enum err roles_get_keys_done(const struct ipc_frame *frame, struct keys_answer *answer) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    uint8_t code = ipc_get_u8(&reader);
    answer->err = (enum err)code;
    answer->number = ipc_get_u64(&reader);
    answer->fault = ipc_get_bytes(&reader);
    enum err err = ipc_reader_end(&reader);
    return !err && code >= ERR_COUNT ? ERR_INPUT : err;
}

enum err roles_put_appended(struct ipc *ipc, const struct append_answer *answer) {
    ipc_put_begin(ipc, MESSAGE_APPENDED);
    ipc_put_u64(ipc, answer->token);
    ipc_put_u64(ipc, answer->index);
    ipc_put_u8(ipc, answer->is_repeat);
    ipc_put_u8(ipc, (uint8_t)answer->err);
    return ipc_put_end(ipc);
}

enum err roles_get_appended(const struct ipc_frame *frame, struct append_answer *answer) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    answer->token = ipc_get_u64(&reader);
    answer->index = ipc_get_u64(&reader);
    answer->is_repeat = ipc_get_u8(&reader) != 0;
    uint8_t err = ipc_get_u8(&reader);
    answer->err = err < ERR_COUNT ? (enum err)err : ERR_INPUT;
    return err < ERR_COUNT ? ipc_reader_end(&reader) : ERR_INPUT;
}

enum err roles_put_vault_state(struct ipc *ipc, bool is_full, bool is_suspect) {
    ipc_put_begin(ipc, MESSAGE_VAULT_STATE);
    ipc_put_u8(ipc, is_full);
    ipc_put_u8(ipc, is_suspect);
    return ipc_put_end(ipc);
}

enum err roles_get_vault_state(const struct ipc_frame *frame, bool *is_full, bool *is_suspect) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    *is_full = ipc_get_u8(&reader) != 0;
    *is_suspect = ipc_get_u8(&reader) != 0;
    return ipc_reader_end(&reader);
}

enum err roles_put_number(struct ipc *ipc, enum role_message type, uint64_t number) {
    ipc_put_begin(ipc, (uint16_t)type);
    ipc_put_u64(ipc, number);
    return ipc_put_end(ipc);
}

enum err roles_get_number(const struct ipc_frame *frame, uint64_t *number) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    *number = ipc_get_u64(&reader);
    return ipc_reader_end(&reader);
}

enum err roles_put_text(struct ipc *ipc, enum role_message type, struct bytes text) {
    ipc_put_begin(ipc, (uint16_t)type);
    ipc_put_bytes(ipc, text);
    return ipc_put_end(ipc);
}

enum err roles_get_text(const struct ipc_frame *frame, struct bytes *text) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    *text = ipc_get_bytes(&reader);
    return ipc_reader_end(&reader);
}

enum err roles_put_read(struct ipc *ipc, const struct read_request *request) {
    ipc_put_begin(ipc, MESSAGE_READ);
    ipc_put_u64(ipc, request->token);
    ipc_put_u64(ipc, request->from);
    ipc_put_u32(ipc, request->count);
    ipc_put_u32(ipc, request->bytes_max);
    return ipc_put_end(ipc);
}

enum err roles_get_read(const struct ipc_frame *frame, struct read_request *request) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    request->token = ipc_get_u64(&reader);
    request->from = ipc_get_u64(&reader);
    request->count = ipc_get_u32(&reader);
    request->bytes_max = ipc_get_u32(&reader);
    return ipc_reader_end(&reader);
}

enum err roles_put_entry(struct ipc *ipc, const struct entry_message *message) {
    const struct vault_entry *entry = &message->entry;
    ipc_put_begin(ipc, MESSAGE_ENTRY);
    ipc_put_u64(ipc, message->token);
    ipc_put_u64(ipc, message->index);
    ipc_put_u64(ipc, message->given_bytes);
    ipc_put_u8(ipc, (uint8_t)entry->kind);
    ipc_put_u32(ipc, entry->flags);
    ipc_put_u64(ipc, entry->clock);
    ipc_put_u64(ipc, (uint64_t)entry->received_at);
    ipc_put_bytes(ipc, entry->media_type);
    ipc_put_bytes(ipc, entry->source);
    ipc_put_bytes(ipc, entry->author);
    ipc_put_bytes(ipc, entry->role);
    ipc_put_bytes(ipc, entry->blob_name);
    ipc_put_bytes(ipc, entry->digest);
    ipc_put_u64(ipc, entry->body_bytes);
    ipc_put_bytes(ipc, entry->body);
    ipc_put_u8(ipc, entry->is_restated);
    if (entry->is_restated) {
        ipc_put_u64(ipc, entry->restated_index);
        ipc_put_u64(ipc, entry->restated_clock);
        ipc_put_u32(ipc, entry->restated_parts);
    }
    return ipc_put_end(ipc);
}

enum err roles_get_entry(const struct ipc_frame *frame, struct entry_message *message) {
    struct vault_entry *entry = &message->entry;
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    message->token = ipc_get_u64(&reader);
    message->index = ipc_get_u64(&reader);
    message->given_bytes = ipc_get_u64(&reader);
    *entry = (struct vault_entry){0};
    entry->kind = (enum vault_kind)ipc_get_u8(&reader);
    entry->flags = ipc_get_u32(&reader);
    entry->clock = ipc_get_u64(&reader);
    entry->received_at = (int64_t)ipc_get_u64(&reader);
    entry->media_type = ipc_get_bytes(&reader);
    entry->source = ipc_get_bytes(&reader);
    entry->author = ipc_get_bytes(&reader);
    entry->role = ipc_get_bytes(&reader);
    entry->blob_name = ipc_get_bytes(&reader);
    entry->digest = ipc_get_bytes(&reader);
    entry->body_bytes = ipc_get_u64(&reader);
    entry->body = ipc_get_bytes(&reader);
    entry->is_restated = ipc_get_u8(&reader) != 0;
    if (entry->is_restated) {
        entry->restated_index = ipc_get_u64(&reader);
        entry->restated_clock = ipc_get_u64(&reader);
        entry->restated_parts = ipc_get_u32(&reader);
    }
    return ipc_reader_end(&reader);
}
