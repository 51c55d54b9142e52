/* command_verify.c - verify: does a vault hold, or the proof of one entry? */
#include "node/node.h"

#include "node/options.h"
#include "node/site.h"

#include <stdio.h>

#define KEY_FILE_BYTES_MAX ((size_t)1 << 20)

static const char verify_usage[] =
    "verify PATH [--quick] [--key VERIFIER | --key-file FILE] [--json]";

struct verify_options {
    bool quick, json;
};

/* ---- a vault ---- */

static void report_vault_json(const struct vault_report *report, enum err err) {
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
    json_member_u64(&json, "erased_keys", report->erased_count);
    json_member_u64(&json, "erased_epochs", report->erased_epoch_count);
    json_member_u64(&json, "erased_entries", report->erased_entry_count);
    json_member_u64(&json, "erased_blobs", report->erased_blob_count);
    json_member_u64(&json, "from", report->from);
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

static void print_erased(const struct vault_report *report) {
    if (report->erased_epoch_count == 1)
        printf("erased: epoch %u", report->erased_first_epoch);
    else
        printf("erased: %llu epochs from %u to %u", (unsigned long long)report->erased_epoch_count,
               report->erased_first_epoch, report->erased_last_epoch);
    printf(", %llu entries, %llu blobs removed\n", (unsigned long long)report->erased_entry_count,
           (unsigned long long)report->erased_blob_count);
}

static void report_vault_text(const struct vault_report *report, enum err err) {
    if (!err) {
        printf("whole: %s, %llu entries published, %llu durable, root %s\n", report->origin,
               (unsigned long long)report->published_size, (unsigned long long)report->durable_size,
               report->root_base64);
        if (report->from > 0)
            printf("Entries below %llu were %s.\n", (unsigned long long)report->from,
                   report->from == report->published_size
                       ? "not looked at, only the signed edge"
                       : "verified before, and not looked at again");
        if (report->erased_epoch_count)
            print_erased(report);
        return;
    }
    printf("DAMAGED: %s: %s", report->damaged_file, report->damage);
    if (report->damaged_index != UINT64_MAX)
        printf(", entry %llu", (unsigned long long)report->damaged_index);
    printf(", byte %llu\n", (unsigned long long)report->damaged_at);
}

static int verify_vault(const char *path, const struct verify_options *given, const char *keys) {
    struct vault_verify_options options = {.quick = given->quick, .verifier_text = keys};
    struct vault_report report = {0};
    struct fault fault = {0};
    enum err err = vault_verify(NULL, path, &options, &report, &fault);
    if (err && err != ERR_CORRUPT && err != ERR_CRYPTO)
        return command_fail(err, &fault);
    if (given->json)
        report_vault_json(&report, err);
    else
        report_vault_text(&report, err);
    return err_exit_code(err);
}

/* ---- the proof of one entry ---- */

/* Whoever could change the proof could change the key beside it. */
static const char beside_sentence[] = "with the key found beside it: only accidents are noticed";

static void report_proof_json(const struct vault_proof_report *report, const struct fault *fault,
                              bool is_beside) {
    char buffer[4096], root[64], leaf[80];
    struct text text, root_text, leaf_text;
    struct json json;
    text_init(&text, buffer, sizeof buffer);
    text_init(&root_text, root, sizeof root);
    text_init(&leaf_text, leaf, sizeof leaf);
    text_put_base64(&root_text, bytes_from(report->root.bytes, TLOG_HASH_BYTES));
    text_put_hex(&leaf_text, bytes_from(report->leaf.bytes, TLOG_HASH_BYTES));
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_bool(&json, "holds", fault->code == ERR_OK);
    json_member_bool(&json, "key_beside", is_beside);
    if (fault->code) {
        json_member_string(&json, "what", fault->what);
    } else {
        json_member_string(&json, "origin", report->origin);
        json_member_u64(&json, "entry", report->index);
        json_member_u64(&json, "size", report->size);
        json_member_string(&json, "leaf", leaf);
        json_member_string(&json, "root", root);
        json_member_u64(&json, "entry_bytes", report->entry_bytes);
    }
    json_object_end(&json);
    printf("%s\n", text.data);
}

static void report_proof_text(const struct vault_proof_report *report, const struct fault *fault,
                              bool is_beside) {
    char leaf[80];
    struct text text;
    if (fault->code) {
        printf("DOES NOT HOLD: %s\n", fault->what);
        return;
    }
    text_init(&text, leaf, sizeof leaf);
    text_put_hex(&text, bytes_from(report->leaf.bytes, TLOG_HASH_BYTES));
    printf("holds: entry %llu of %s, in the tree of %llu entries, leaf %s\n",
           (unsigned long long)report->index, report->origin, (unsigned long long)report->size,
           leaf);
    if (is_beside)
        printf("%s\n", beside_sentence);
}

static int verify_proof(struct bytes proof, const struct verify_options *given, const char *keys,
                        bool is_beside) {
    struct vault_proof_report report = {0};
    struct fault fault = {0};
    enum err err = vault_proof_verify(proof, bytes_from_string(keys), &report, &fault);
    if (err && err_exit_code(err) != err_exit_code(ERR_CRYPTO))
        return command_fail(err, &fault);
    if (given->json)
        report_proof_json(&report, &fault, is_beside);
    else
        report_proof_text(&report, &fault, is_beside);
    return err_exit_code(err);
}

/* ---- with what key ---- */

/* A verifier file's text; zero-terminated, the caller frees it. */
static enum err read_keys(const char *path, char **keys, struct fault *fault) {
    size_t size;
    *keys = memory_alloc(1, KEY_FILE_BYTES_MAX + 1);
    if (!*keys)
        return fault_set(fault, ERR_MEMORY, "no memory for a key");
    return sys_read_file(NULL, path, *keys, KEY_FILE_BYTES_MAX, &size, fault);
}

/* The `verifier` in the same directory as the proof. */
static enum err read_keys_beside(const char *path, char **keys, struct fault *fault) {
    char beside[VAULT_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    struct text text;
    text_init(&text, beside, sizeof beside);
    text_put(&text, bytes_from(path, slash ? (size_t)(slash - path) + 1 : 0));
    text_put_string(&text, "verifier");
    if (text.full)
        return fault_set_subject(fault, ERR_LIMIT, "the path is too long", path);
    struct fault own = {0};
    enum err err = read_keys(beside, keys, &own);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_USAGE,
                         "a proof needs the log's verifier key: --key VERIFIER or --key-file FILE");
    if (err)
        *fault = own;
    return err;
}

static int verify_file(const char *path, const struct verify_options *given, const char *keys) {
    struct fault fault = {0};
    struct bytes header = BYTES(TLOG_PROOF_HEADER "\n");
    size_t size = 0;
    char *beside = NULL;
    uint8_t *proof = memory_alloc(1, VAULT_PROOF_BYTES_MAX);
    enum err err = proof ? sys_read_file(NULL, path, proof, VAULT_PROOF_BYTES_MAX, &size, &fault)
                         : fault_set(&fault, ERR_MEMORY, "no memory for a proof");
    if (err == ERR_LIMIT || (!err && !bytes_starts_with(bytes_from(proof, size), header))) {
        fault = (struct fault){0};
        err = fault_set_subject(&fault, ERR_INPUT, "this is neither a vault nor a proof", path);
    }
    if (!err && !keys)
        err = read_keys_beside(path, &beside, &fault);
    int code = err ? command_fail(err, &fault)
                   : verify_proof(bytes_from(proof, size), given, keys ? keys : beside, beside);
    memory_free(beside);
    memory_free(proof);
    return code;
}

int node_verify_command(int argc, char **argv) {
    struct verify_options given = {0};
    const char *key = NULL, *key_file = NULL;
    const struct option_spec specs[] = {{"quick", &given.quick, NULL, NULL},
                                        {"json", &given.json, NULL, NULL},
                                        {"key", NULL, &key, NULL},
                                        {"key-file", NULL, &key_file, NULL},
                                        {0}};
    int count;
    struct stat st;
    if (!options_read(argc, argv, specs, &count) || count != 1 || (key && key_file))
        return command_usage(verify_usage);
    bool is_file = !sys_stat(NULL, argv[1], &st) && S_ISREG(st.st_mode);
    if (is_file && given.quick)
        return command_usage(verify_usage);
    struct fault fault = {0};
    char *keys = NULL;
    enum err err = key_file ? read_keys(key_file, &keys, &fault) : ERR_OK;
    const char *used = keys ? keys : key;
    int code = err       ? command_fail(err, &fault)
               : is_file ? verify_file(argv[1], &given, used)
                         : verify_vault(argv[1], &given, used);
    memory_free(keys);
    return code;
}
