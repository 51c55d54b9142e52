/* command_vault.c - cat: the vault's entries from the command line. */
#include "node/node.h"

#include "node/options.h"
#include "node/passphrase.h"
#include "node/site.h"
#include "roles/roles.h"

#include <stdio.h>

enum cat_form { CAT_JSON, CAT_RAW, CAT_MLLP };

struct cat {
    enum cat_form form;
    struct arena arena;
};

static const char *kind_name(enum vault_kind kind) {
    static const char *const names[] = {"unknown", "message", "fact", "key", "blob", "note",
                                        "dictionary"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : names[0];
}

static bool is_message(const struct vault_entry *entry) {
    return entry->kind == VAULT_MESSAGE || entry->kind == VAULT_BLOB;
}

static enum err print_body(struct cat *cat, const struct vault_entry *entry) {
    if (!is_message(entry))
        return ERR_OK;
    if (cat->form == CAT_MLLP)
        putchar(0x0B);
    fwrite(entry->body.data, 1, entry->body.size, stdout);
    if (cat->form == CAT_MLLP)
        fputs("\x1C\r", stdout);
    return ferror(stdout) ? ERR_IO : ERR_OK;
}

static void put_body(struct json *json, struct arena *arena, struct bytes body) {
    if (bytes_is_utf8(body, NULL)) {
        json_name(json, "body");
        json_put_bytes(json, body);
        return;
    }
    struct text text;
    if (text_init_arena(&text, arena, body.size * 4 / 3 + 8))
        return;
    text_put_base64(&text, body);
    json_name(json, "body_base64");
    json_put_bytes(json, text_bytes(&text));
}

static void put_hex(struct json *json, const char *name, struct bytes b) {
    char hex[129];
    struct text text;
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, bytes_first(b, 64));
    json_member_bytes(json, name, text_bytes(&text));
}

static enum err print_json(struct cat *cat, uint64_t index, const struct vault_entry *entry) {
    struct text text;
    struct json json;
    arena_clear(&cat->arena);
    enum err err = text_init_arena(&text, &cat->arena, entry->body.size * 6 + 4096);
    if (err)
        return err;
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_u64(&json, "index", index);
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
    put_body(&json, &cat->arena, entry->body);
    json_object_end(&json);
    text_put_char(&text, '\n');
    if (text.full)
        return ERR_LIMIT;
    return fwrite(text.data, 1, text.size, stdout) == text.size ? ERR_OK : ERR_IO;
}

static enum err cat_take(void *owner, uint64_t index, const struct vault_entry *entry,
                         struct fault *fault) {
    struct cat *cat = owner;
    enum err err =
        cat->form == CAT_JSON ? print_json(cat, index, entry) : print_body(cat, entry);
    return err ? fault_set_at(fault, err, "an entry cannot be written out", index) : ERR_OK;
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
    arena_init(&cat.arena, (size_t)2 << 30);
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = unlocking_need(&unlocking, argv[1], &fault);
    if (!err)
        err = site_each_entry(NULL, argv[1], unlocking.unlock, from, to, true, cat_take, &cat,
                              &fault);
    unlocking_end(&unlocking);
    arena_release(&cat.arena);
    if (!err && fflush(stdout))
        err = fault_set(&fault, ERR_IO, "the output cannot be written");
    return err ? command_fail(err, &fault) : 0;
}
