/* command_vault.c - verify, cat, import: the vault from the command line. */
#include "node/node.h"

#include "node/options.h"
#include "node/site.h"
#include "roles/roles.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* ---- verify ---- */

static void report_json(const struct vault_report *report, enum err err) {
    char buffer[8192];
    struct text text;
    struct json json;
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_bool(&json, "whole", !err && report->is_whole);
    json_member_string(&json, "origin", report->origin);
    json_member_u64(&json, "published", report->published_size);
    json_member_u64(&json, "durable", report->durable_size);
    json_member_string(&json, "root", report->root_base64);
    json_member_u64(&json, "checkpoints", report->checkpoint_count);
    json_member_u64(&json, "blobs", report->blob_count);
    json_member_u64(&json, "bytes_read", report->bytes_read);
    if (err) {
        json_name(&json, "damage");
        json_object_begin(&json);
        json_member_string(&json, "what", report->damage);
        json_member_string(&json, "file", report->damaged_file);
        if (report->damaged_index != UINT64_MAX)
            json_member_u64(&json, "entry", report->damaged_index);
        json_member_u64(&json, "at", report->damaged_at);
        json_object_end(&json);
    }
    json_object_end(&json);
    printf("%s\n", text.data);
}

static void report_text(const struct vault_report *report, enum err err) {
    if (!err) {
        printf("whole: %s, %llu entries published, %llu durable, root %s\n", report->origin,
               (unsigned long long)report->published_size,
               (unsigned long long)report->durable_size, report->root_base64);
        return;
    }
    printf("DAMAGED: %s: %s", report->damaged_file, report->damage);
    if (report->damaged_index != UINT64_MAX)
        printf(", entry %llu", (unsigned long long)report->damaged_index);
    printf(", byte %llu\n", (unsigned long long)report->damaged_at);
}

int node_verify_command(int argc, char **argv) {
    struct vault_verify_options options = {0};
    bool json = false;
    const struct option_spec specs[] = {{"quick", &options.quick, NULL, NULL},
                                        {"json", &json, NULL, NULL},
                                        {"key", NULL, &options.verifier_text, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1)
        return command_usage("verify PATH [--quick] [--key VERIFIER] [--json]");
    struct vault_report report = {0};
    struct fault fault = {0};
    enum err err = vault_verify(NULL, argv[1], &options, &report, &fault);
    if (err && err != ERR_CORRUPT && err != ERR_CRYPTO)
        return command_fail(err, &fault);
    if (json)
        report_json(&report, err);
    else
        report_text(&report, err);
    return err_exit_code(err);
}

/* ---- cat ---- */

enum cat_form { CAT_JSON, CAT_RAW, CAT_MLLP };

struct cat {
    enum cat_form form;
    struct arena arena;
};

static const char *kind_name(enum vault_kind kind) {
    static const char *const names[] = {"unknown", "message", "fact", "key", "blob", "note"};
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
    const struct option_spec specs[] = {{"from", NULL, NULL, &from}, {"to", NULL, NULL, &to},
                                        {"raw", &raw, NULL, NULL},   {"mllp", &mllp, NULL, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1 || (raw && mllp))
        return command_usage("cat DIR [--from N] [--to N] [--raw | --mllp]");
    struct fault fault = {0};
    struct cat cat = {.form = raw ? CAT_RAW : mllp ? CAT_MLLP : CAT_JSON};
    arena_init(&cat.arena, (size_t)2 << 30);
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = site_each_entry(NULL, argv[1], from, to, true, cat_take, &cat, &fault);
    arena_release(&cat.arena);
    if (!err && fflush(stdout))
        err = fault_set(&fault, ERR_IO, "the output cannot be written");
    return err ? command_fail(err, &fault) : 0;
}

/* ---- import ---- */

#define IMPORT_FILE_BYTES_MAX ((size_t)1 << 30)
#define IMPORT_WINDOW         4096u

/* Where imported messages go: a running node's commit, or a writer of our own under the lock. */
struct import {
    struct ipc ipc;
    struct vault_writer *writer;
    bool is_linked;
    uint64_t sent, answered, taken, repeats;
    enum err refused;
};

static enum err take_answers(struct import *import, uint64_t until) {
    while (import->answered < until) {
        struct ipc_frame frame;
        bool full, suspect;
        struct append_answer answer;
        enum err err = ipc_wait_frame(&import->ipc, 60000, &frame);
        if (err)
            return err;
        if (frame.type == MESSAGE_VAULT_STATE) {
            err = roles_get_vault_state(&frame, &full, &suspect);
        } else {
            err = frame.type == MESSAGE_APPENDED ? roles_get_appended(&frame, &answer) : ERR_INPUT;
            import->answered++;
            if (!err && answer.err)
                import->refused = answer.err;
            import->taken += !err && !answer.err && !answer.is_repeat;
            import->repeats += !err && !answer.err && answer.is_repeat;
        }
        if (err)
            return err;
    }
    return import->refused;
}

static struct append_request request_of(struct bytes message, const char *media_type) {
    struct hl7_header header;
    hl7_header_read(&header, message);
    return (struct append_request){
        .check_repeat = !header.has_msh || !bytes_is_empty(header.control_id),
        .kind = VAULT_MESSAGE,
        .received_at = sys_now_us(NULL),
        .media_type = bytes_from_string(media_type),
        .source = BYTES("import"),
        .body = message,
    };
}

static enum err link_put(struct import *import, enum role_message type,
                         const struct append_request *request, struct bytes data) {
    for (;;) {
        enum err err = type == MESSAGE_BLOB_BEGIN || type == MESSAGE_BLOB_DATA
                           ? roles_put_blob(&import->ipc, type, request->token, data)
                           : roles_put_append(&import->ipc, type, request);
        if (err != ERR_FULL)
            return err;
        err = ipc_flush(&import->ipc);
        if (err)
            return err;
        if (ipc_has_output(&import->ipc))
            usleep(500);
    }
}

static enum err link_large(struct import *import, struct append_request *request) {
    struct bytes rest = request->body;
    enum err err = link_put(import, MESSAGE_BLOB_BEGIN, request, BYTES_NONE);
    for (; !err && !bytes_is_empty(rest); rest = bytes_skip(rest, 65536))
        err = link_put(import, MESSAGE_BLOB_DATA, request, bytes_first(rest, 65536));
    request->body = bytes_first(request->body, 4096);
    return err ? err : link_put(import, MESSAGE_BLOB_END, request, BYTES_NONE);
}

static enum err import_by_link(struct import *import, struct append_request *request) {
    request->token = import->sent++;
    enum err err = request->body.size <= VAULT_INLINE_BYTES_MAX
                       ? link_put(import, MESSAGE_APPEND, request, BYTES_NONE)
                       : link_large(import, request);
    if (err || import->sent - import->answered < IMPORT_WINDOW)
        return err;
    return take_answers(import, import->sent - IMPORT_WINDOW / 2);
}

static enum err write_large(struct import *import, const struct vault_append *append,
                            struct bytes body, uint64_t *index, bool *is_repeat,
                            struct fault *fault) {
    struct vault_blob_writer *blob;
    enum err err = vault_blob_begin(import->writer, &blob, fault);
    if (err)
        return err;
    err = vault_blob_feed(blob, body, fault);
    if (err) {
        vault_blob_abort(blob);
        return err;
    }
    return vault_blob_finish(blob, append, index, is_repeat, fault);
}

static enum err import_by_writer(struct import *import, const struct append_request *request,
                                 struct fault *fault) {
    struct vault_entry entry = {
        .kind = request->kind,
        .media_type = request->media_type,
        .source = request->source,
        .received_at = request->received_at,
        .body = request->body,
        .body_bytes = request->body.size,
    };
    struct vault_append append = {&entry, request->check_repeat, false};
    uint64_t index;
    bool is_repeat = false, is_large = request->body.size > VAULT_INLINE_BYTES_MAX;
    if (is_large)
        entry.body = bytes_first(entry.body, 4096);
    enum err err = is_large ? write_large(import, &append, request->body, &index, &is_repeat, fault)
                            : vault_writer_append(import->writer, &append, &index, &is_repeat, fault);
    import->sent++;
    import->taken += !err && !is_repeat;
    import->repeats += !err && is_repeat;
    if (!err && vault_writer_pending_bytes(import->writer) > (1u << 20))
        err = vault_writer_sync(import->writer, fault);
    return err;
}

static enum err import_message(struct import *import, struct bytes message, const char *media_type,
                               struct fault *fault) {
    struct append_request request = request_of(message, media_type);
    return import->is_linked ? import_by_link(import, &request)
                             : import_by_writer(import, &request, fault);
}

/* JSON is kept whole for a translator to come; everything else is read as HL7 messages. */
static enum err import_bytes(struct import *import, struct bytes file, struct fault *fault) {
    struct bytes start = bytes_trim(bytes_first(file, 64));
    if (start.size && (start.data[0] == '{' || start.data[0] == '['))
        return import_message(import, file, "application/fhir+json", fault);
    size_t at = 0;
    struct bytes message;
    enum err err = ERR_OK;
    while (!err && hl7_batch_next(file, &at, &message))
        err = import_message(import, message, "application/hl7-v2", fault);
    return err;
}

static enum err import_file(struct import *import, const char *path, struct fault *fault) {
    struct stat st;
    if (sys_stat(NULL, path, &st))
        return fault_set_errno(fault, ERR_NOT_FOUND, errno, "there is no such file", path);
    if (!S_ISREG(st.st_mode) || (size_t)st.st_size > IMPORT_FILE_BYTES_MAX)
        return fault_set_subject(fault, ERR_INPUT, "this is not a file of at most 1 GiB", path);
    uint8_t *buffer = memory_alloc(1, (size_t)st.st_size + 1);
    size_t size = 0;
    enum err err = buffer ? sys_read_file(NULL, path, buffer, (size_t)st.st_size + 1, &size, fault)
                          : fault_set_subject(fault, ERR_MEMORY, "no memory for this file", path);
    if (!err)
        err = import_bytes(import, bytes_from(buffer, size), fault);
    memory_free(buffer);
    return err;
}

static enum err import_begin(struct import *import, const char *dir, struct fault *fault) {
    struct ipc control;
    struct bytes answer;
    int fd = -1, lock_fd;
    enum err err = site_lock(NULL, dir, &lock_fd, fault);
    if (!err) {
        err = site_role_lock(NULL, dir, "commit", fault);
        return err ? err : vault_writer_open(&import->writer, NULL, dir, NULL, fault);
    }
    *fault = (struct fault){0};
    err = control_connect(NULL, dir, &control, fault);
    if (err)
        return err;
    err = control_ask(&control, CONTROL_IMPORT, 0, &answer, &fd, fault);
    ipc_release(&control);
    if (!err)
        err = ipc_init(&import->ipc, NULL, fd, 1u << 20, 1u << 20);
    import->is_linked = !err;
    return err;
}

static enum err import_end(struct import *import, struct fault *fault) {
    enum err err = import->is_linked ? take_answers(import, import->sent)
                                     : vault_writer_sync(import->writer, fault);
    if (err)
        fault_set(fault, err, "not everything was stored; import the same files again");
    if (import->is_linked)
        ipc_release(&import->ipc);
    else
        vault_writer_close(import->writer);
    return err;
}

int node_import_command(int argc, char **argv) {
    const struct option_spec specs[] = {{0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count < 2)
        return command_usage("import DIR PATH...");
    struct import import = {0};
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = import_begin(&import, argv[1], &fault);
    if (err)
        return command_fail(err, &fault);
    for (int i = 2; i <= count && !err; i++)
        err = import_file(&import, argv[i], &fault);
    enum err end = import_end(&import, &fault);
    err = err ? err : end;
    printf("%llu messages, %llu stored, %llu repeats\n", (unsigned long long)import.sent,
           (unsigned long long)import.taken, (unsigned long long)import.repeats);
    return err ? command_fail(err, &fault) : 0;
}
