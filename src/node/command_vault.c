/* command_vault.c - cat: the vault's entries from the command line. */
#include "node/node.h"

#include "node/options.h"
#include "node/passphrase.h"
#include "node/site.h"
#include "roles/roles.h"

#include <stdio.h>

enum cat_form { CAT_JSON, CAT_RAW, CAT_MLLP };

#define PART_BYTES 16383u /* a multiple of 3: base64 of parts is base64 of the whole */

/* A body on its way out, whatever its size. What ends in the middle of a character, or of three bytes, waits for the next. */
struct part {
    uint8_t bytes[PART_BYTES];
    size_t filled;
    bool is_utf8, is_base64;
    char room[PART_BYTES * 6 + 16]; /* as it is written: \u0000 for a byte at worst */
};

struct cat {
    enum cat_form form;
    struct part part;
};

static const char *kind_name(enum vault_kind kind) {
    static const char *const names[] = {"unknown", "message", "fact",      "key",
                                        "blob",    "note",    "dictionary"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : names[0];
}

static bool is_message(const struct vault_entry *entry) {
    return entry->kind == VAULT_MESSAGE || entry->kind == VAULT_BLOB;
}

static enum err print(struct bytes piece) {
    return fwrite(piece.data, 1, piece.size, stdout) == piece.size ? ERR_OK : ERR_IO;
}

/* ---- as it came ---- */

static enum err print_piece(void *owner, struct bytes piece) {
    (void)owner;
    return print(piece);
}

static enum err print_body(const struct cat *cat, const struct site_entry *entry,
                           struct fault *fault) {
    if (!is_message(&entry->entry))
        return ERR_OK;
    if (cat->form == CAT_MLLP)
        putchar(0x0B);
    enum err err = site_entry_body(entry, print_piece, NULL, fault);
    if (!err && cat->form == CAT_MLLP)
        err = print(BYTES("\x1C\r"));
    return err;
}

/* ---- as JSON ---- */

/* How many of the bytes at hand end with a character; of what can be none, all. */
static size_t whole_characters(struct bytes b) {
    size_t at = b.size;
    while (at > 0 && b.size - at < 3 && (b.data[at - 1] & 0xC0) == 0x80)
        at--;
    if (at == 0 || b.data[at - 1] < 0xC0)
        return b.size;
    size_t length = b.data[at - 1] >= 0xF0 ? 4 : b.data[at - 1] >= 0xE0 ? 3 : 2;
    return at - 1 + length > b.size ? at - 1 : b.size;
}

static enum err print_part(struct part *part, struct bytes b) {
    struct text text;
    struct json json;
    text_init(&text, part->room, sizeof part->room);
    if (part->is_base64) {
        text_put_base64(&text, b);
        return print(text_bytes(&text));
    }
    json_init(&json, &text);
    json_put_bytes(&json, b);
    return print(bytes_from(text.data + 1, text.size - 2)); /* without its quotes */
}

typedef enum err (*part_take)(struct part *part, struct bytes b);

static enum err look_at_part(struct part *part, struct bytes b) {
    part->is_utf8 = part->is_utf8 && bytes_is_utf8(b, NULL);
    return ERR_OK;
}

static enum err feed_part(struct part *part, struct bytes piece, part_take take) {
    while (piece.size) {
        struct bytes more = bytes_first(piece, sizeof part->bytes - part->filled);
        memcpy(part->bytes + part->filled, more.data, more.size);
        part->filled += more.size;
        piece = bytes_skip(piece, more.size);
        if (part->filled < sizeof part->bytes)
            break;
        struct bytes all = bytes_from(part->bytes, part->filled);
        size_t whole = part->is_base64 ? all.size : whole_characters(all);
        enum err err = take(part, bytes_first(all, whole));
        if (err)
            return err;
        part->filled -= whole;
        memmove(part->bytes, part->bytes + whole, part->filled);
    }
    return ERR_OK;
}

static enum err look_at_piece(void *owner, struct bytes piece) {
    return feed_part(owner, piece, look_at_part);
}

static enum err print_json_piece(void *owner, struct bytes piece) {
    return feed_part(owner, piece, print_part);
}

/* "body":"..." when all of it is UTF-8, else "body_base64":"..." */
static enum err print_json_body(struct cat *cat, const struct site_entry *entry,
                                struct fault *fault) {
    struct part *part = &cat->part;
    part->filled = 0;
    part->is_utf8 = true;
    part->is_base64 = false;
    enum err err = site_entry_body(entry, look_at_piece, part, fault);
    if (!err)
        err = look_at_part(part, bytes_from(part->bytes, part->filled));
    part->is_base64 = !part->is_utf8;
    part->filled = 0;
    if (!err)
        err = print(part->is_base64 ? BYTES(",\"body_base64\":\"") : BYTES(",\"body\":\""));
    if (!err)
        err = site_entry_body(entry, print_json_piece, part, fault);
    if (!err)
        err = print_part(part, bytes_from(part->bytes, part->filled));
    return err ? err : print(BYTES("\"}\n"));
}

static void put_hex(struct json *json, const char *name, struct bytes b) {
    char hex[129];
    struct text text;
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, bytes_first(b, 64));
    json_member_bytes(json, name, text_bytes(&text));
}

static enum err print_json(struct cat *cat, const struct site_entry *at, struct fault *fault) {
    const struct vault_entry *entry = &at->entry;
    char room[16384]; /* fields are at most 2,048 bytes, and six times that escaped */
    struct text text;
    struct json json;
    text_init(&text, room, sizeof room);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_u64(&json, "index", at->index);
    json_member_string(&json, "kind", kind_name(entry->kind));
    json_member_bytes(&json, "media_type", entry->media_type);
    json_member_bytes(&json, "source", entry->source);
    json_member_instant(&json, "received_at", entry->received_at);
    json_member_u64(&json, "clock", entry->clock);
    json_member_bool(&json, "clock_doubtful", entry->flags & VAULT_CLOCK_DOUBTFUL);
    json_member_bool(&json, "unframed", entry->flags & VAULT_UNFRAMED);
    if (entry->is_restated) {
        json_member_u64(&json, "states_again", entry->restated_index);
        json_member_u64(&json, "first_clock", entry->restated_clock);
        json_member_u64(&json, "parts", entry->restated_parts);
    }
    if (!bytes_is_empty(entry->author))
        json_member_bytes(&json, "author", entry->author);
    if (!bytes_is_empty(entry->role))
        json_member_bytes(&json, "role", entry->role);
    if (!bytes_is_empty(entry->blob_name))
        put_hex(&json, "blob", entry->blob_name);
    json_member_u64(&json, "body_bytes", entry->body_bytes);
    if (text.full)
        return ERR_LIMIT;
    enum err err = print(text_bytes(&text)); /* the object is closed behind the body */
    return err ? err : print_json_body(cat, at, fault);
}

static enum err cat_take(void *owner, const struct site_entry *entry, struct fault *fault) {
    struct cat *cat = owner;
    enum err err =
        cat->form == CAT_JSON ? print_json(cat, entry, fault) : print_body(cat, entry, fault);
    return err ? fault_set_at(fault, err, "an entry cannot be written out", entry->index) : ERR_OK;
}

int node_cat_command(int argc, char **argv) {
    uint64_t from = 0, to = UINT64_MAX;
    bool raw = false, mllp = false;
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"from", NULL, NULL, &from},
                                        {"to", NULL, NULL, &to},
                                        {"raw", &raw, NULL, NULL},
                                        {"mllp", &mllp, NULL, NULL},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1 || (raw && mllp))
        return command_usage(
            "cat DIR [--from N] [--to N] [--raw | --mllp] [--passphrase-file FILE]");
    struct fault fault = {0};
    struct cat cat = {.form = raw ? CAT_RAW : mllp ? CAT_MLLP : CAT_JSON};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = unlocking_need(&unlocking, argv[1], &fault);
    if (!err)
        err = site_each_entry(NULL, argv[1], unlocking.unlock, from, to, cat_take, &cat, &fault);
    unlocking_end(&unlocking);
    if (!err && fflush(stdout))
        err = fault_set(&fault, ERR_IO, "the output cannot be written");
    return err ? command_fail(err, &fault) : 0;
}
