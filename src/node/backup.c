/* backup.c - what a backup of keys and configuration holds, as text and sealed. */
#include "node/backup.h"

#include "base/base.h"
#include "formats/age/age.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define FORMAT_PREFIX  "veilleuse-backup/"
#define FORMAT         FORMAT_PREFIX "1"
#define PATH_BYTES     1024u
#define COLLECTS_MAX   20u
#define CONFIG_NAME    "veilleuse.conf"
#define KEYS_PREFIX    "keys/"
#define VERIFIER_BYTES (1u << 20)

/* ---- in memory ---- */

static enum err backup_init(struct backup *backup, struct fault *fault) {
    *backup = (struct backup){.memory = sodium_malloc(BACKUP_BYTES_MAX)};
    return backup->memory ? ERR_OK : fault_set(fault, ERR_MEMORY, "no locked memory for keys");
}

void backup_release(struct backup *backup) {
    sodium_free(backup->memory); /* wipes */
    *backup = (struct backup){0};
}

/* Of a key file, or the configuration: a path that leads out of the site is no such name. */
static bool is_name(struct bytes name) {
    if (bytes_is(name, CONFIG_NAME))
        return true;
    if (!bytes_starts_with(name, BYTES(KEYS_PREFIX)) || name.size > BACKUP_NAME_BYTES_MAX)
        return false;
    struct bytes file = bytes_skip(name, sizeof KEYS_PREFIX - 1);
    for (size_t i = 0; i < file.size; i++) {
        uint8_t c = file.data[i];
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!is_letter && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_')
            return false;
    }
    return file.size > 0 && file.data[0] != '.';
}

static enum err add_file(struct backup *backup, struct bytes name, struct backup_file **file,
                         struct fault *fault) {
    char text[BACKUP_NAME_BYTES_MAX + 1];
    snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
    if (!is_name(name))
        return fault_set(fault, ERR_INPUT, "a file in it is none of a site's keys");
    if (backup->file_count == BACKUP_FILE_COUNT_MAX)
        return fault_set(fault, ERR_LIMIT, "there are too many files of keys");
    *file = &backup->files[backup->file_count++];
    memcpy((*file)->name, text, sizeof text);
    return ERR_OK;
}

static int compare_files(const void *a, const void *b) {
    return strcmp(((const struct backup_file *)a)->name, ((const struct backup_file *)b)->name);
}

/* In order, and with all that a site cannot do without. */
static enum err finish(struct backup *backup, struct fault *fault) {
    static const char *const needed[] = {"keys/signing.key", "keys/node.key", "keys/repeat.key",
                                         CONFIG_NAME};
    if (backup->file_count)
        qsort(backup->files, backup->file_count, sizeof backup->files[0], compare_files);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        struct backup_file wanted;
        snprintf(wanted.name, sizeof wanted.name, "%s", needed[i]);
        if (!backup->file_count || !bsearch(&wanted, backup->files, backup->file_count,
                                            sizeof backup->files[0], compare_files))
            return fault_set_subject(fault, ERR_INPUT, "a file is missing", needed[i]);
    }
    return ERR_OK;
}

/* ---- from a site ---- */

static enum err read_file(struct backup *backup, struct sys *sys, const char *site_dir,
                          const char *name, struct fault *fault) {
    char path[PATH_BYTES];
    size_t size = 0;
    struct backup_file *file;
    enum err err = add_file(backup, bytes_from_string(name), &file, fault);
    if (err)
        return err;
    snprintf(path, sizeof path, "%s/%s", site_dir, name);
    uint8_t *to = backup->memory + backup->filled;
    err = sys_read_file(sys, path, to, BACKUP_BYTES_MAX - backup->filled, &size, fault);
    file->content = bytes_from(to, size);
    backup->filled += size;
    return err;
}

/* Not what a replacement left unfinished. */
static bool is_unfinished(const char *name) {
    size_t size = strlen(name);
    return size > 4 && !strcmp(name + size - 4, ".new");
}

static enum err read_keys(struct backup *backup, struct sys *sys, const char *site_dir,
                          struct fault *fault) {
    char path[PATH_BYTES], name[BACKUP_NAME_BYTES_MAX + 1];
    struct stat st;
    snprintf(path, sizeof path, "%s/keys", site_dir);
    DIR *dir = opendir(path);
    if (!dir)
        return fault_set_errno(fault, ERR_IO, errno, "cannot list", path);
    enum err err = ERR_OK;
    struct dirent *entry;
    while (!err && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || is_unfinished(entry->d_name))
            continue;
        int size = snprintf(name, sizeof name, KEYS_PREFIX "%s", entry->d_name);
        snprintf(path, sizeof path, "%s/%s", site_dir, name);
        /* Left out in silence it would be missed when it is too late. */
        if ((size_t)size >= sizeof name || !is_name(bytes_from_string(name)) ||
            sys_stat(sys, path, &st) || !S_ISREG(st.st_mode))
            err = fault_set_subject(fault, ERR_UNSUPPORTED,
                                    "a backup cannot carry this, which lies among the keys", path);
        else
            err = read_file(backup, sys, site_dir, name, fault);
    }
    closedir(dir);
    return err;
}

static enum err read_log(struct backup *backup, struct sys *sys, const char *site_dir,
                         struct fault *fault) {
    char path[PATH_BYTES];
    size_t size = 0;
    struct bytes rest, line = BYTES_NONE;
    char *buffer = memory_alloc(1, VERIFIER_BYTES);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for the verifier keys");
    snprintf(path, sizeof path, "%s/vault/verifier", site_dir);
    enum err err = sys_read_file(sys, path, buffer, VERIFIER_BYTES, &size, fault);
    rest = bytes_from(buffer, size);
    if (!err && (!bytes_next_part(&rest, '\n', &line) || line.size >= sizeof backup->log))
        err = fault_set_subject(fault, ERR_CORRUPT, "this file cannot be read", path);
    if (!err)
        snprintf(backup->log, sizeof backup->log, "%.*s", (int)line.size, (const char *)line.data);
    memory_free(buffer);
    return err;
}

static enum err collect_once(struct backup *backup, struct sys *sys, const char *site_dir,
                             struct fault *fault) {
    struct text made_at;
    enum err err = backup_init(backup, fault);
    if (!err)
        err = read_log(backup, sys, site_dir, fault);
    if (!err)
        err = read_file(backup, sys, site_dir, CONFIG_NAME, fault);
    if (!err)
        err = read_keys(backup, sys, site_dir, fault);
    if (!err)
        err = finish(backup, fault);
    text_init(&made_at, backup->made_at, sizeof backup->made_at);
    time_put_iso_utc(&made_at, sys_now_us(sys));
    if (err)
        backup_release(backup);
    return err;
}

static bool is_same(const struct backup *a, const struct backup *b) {
    bool same = a->file_count == b->file_count && !strcmp(a->log, b->log);
    for (size_t i = 0; i < a->file_count && same; i++)
        same = !strcmp(a->files[i].name, b->files[i].name) &&
               bytes_equal(a->files[i].content, b->files[i].content);
    return same;
}

/* A node may write meanwhile. Files read twice, all of them between the two readings of each, and found the same both times,
 * stood so together. */
enum err backup_collect(struct backup *backup, struct sys *sys, const char *site_dir,
                        struct fault *fault) {
    if (strlen(site_dir) > PATH_BYTES - 384)
        return fault_set(fault, ERR_LIMIT, "the path is too long");
    enum err err = collect_once(backup, sys, site_dir, fault);
    for (unsigned n = 0; !err && n < COLLECTS_MAX; n++) {
        struct backup again;
        err = collect_once(&again, sys, site_dir, fault);
        if (err)
            break;
        bool same = is_same(backup, &again);
        backup_release(backup);
        *backup = again;
        if (same)
            return ERR_OK;
    }
    backup_release(backup);
    return err ? err : fault_set(fault, ERR_STATE, "the key files do not come to rest");
}

/* ---- as text ---- */

/* Text as it is; anything else in base64. */
static void put_content(struct json *json, struct bytes content) {
    if (bytes_is_utf8(content, NULL) && bytes_find(content, 0) == BYTES_NOT_FOUND) {
        json_put_bytes(json, content);
        return;
    }
    char *buffer = sodium_malloc(content.size * 4 / 3 + 8);
    struct text text;
    json_object_begin(json);
    if (buffer) {
        text_init(&text, buffer, content.size * 4 / 3 + 8);
        text_put_base64(&text, content);
        json_member_bytes(json, "base64", text_bytes(&text));
    }
    json_object_end(json);
    json->text->full |= !buffer;
    sodium_free(buffer);
}

void backup_put(struct text *out, const struct backup *backup) {
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    json_member_string(&json, "format", FORMAT);
    json_member_string(&json, "log", backup->log);
    json_member_string(&json, "made_at", backup->made_at);
    json_name(&json, "files");
    json_object_begin(&json);
    for (size_t i = 0; i < backup->file_count; i++) {
        json_name(&json, backup->files[i].name);
        put_content(&json, backup->files[i].content);
    }
    json_object_end(&json);
    json_object_end(&json);
    text_put_char(out, '\n');
}

static enum err take_content(struct backup *backup, struct backup_file *file, const json_t *value,
                             struct fault *fault) {
    uint8_t *to = backup->memory + backup->filled;
    size_t room = BACKUP_BYTES_MAX - backup->filled, size = 0;
    const json_t *base64 = json_object_get(value, "base64");
    bool good = false;
    if (json_is_string(value)) {
        size = json_string_length(value);
        good = size <= room;
        if (good && size)
            memcpy(to, json_string_value(value), size);
    } else if (json_is_string(base64)) {
        good = base64_decode(bytes_from(json_string_value(base64), json_string_length(base64)), to,
                             room, &size);
    }
    if (!good)
        return fault_set_subject(fault, ERR_INPUT, "this file of the backup cannot be read",
                                 file->name);
    file->content = bytes_from(to, size);
    backup->filled += size;
    return ERR_OK;
}

static enum err take_files(struct backup *backup, json_t *files, struct fault *fault) {
    const char *name;
    json_t *value;
    enum err err = ERR_OK;
    json_object_foreach(files, name, value) {
        struct backup_file *file;
        err = add_file(backup, bytes_from_string(name), &file, fault);
        if (!err)
            err = take_content(backup, file, value, fault);
        if (err)
            break;
    }
    return err;
}

/* A line that may be shown to people. */
static bool take_line(char *to, size_t to_bytes, const json_t *value) {
    size_t size = json_string_length(value);
    const char *text = json_string_value(value);
    bool good = text && size < to_bytes;
    for (size_t i = 0; i < size && good; i++)
        good = text[i] > ' ' && text[i] <= '~';
    if (good)
        memcpy(to, text, size + 1);
    return good;
}

static enum err take_root(struct backup *backup, const json_t *root, struct fault *fault) {
    const char *format = json_string_value(json_object_get(root, "format"));
    json_t *files = json_object_get(root, "files");
    if (!format || strncmp(format, FORMAT_PREFIX, sizeof FORMAT_PREFIX - 1))
        return fault_set(fault, ERR_INPUT, "this is no backup of a site's keys");
    if (strcmp(format, FORMAT))
        return fault_set(fault, ERR_UNSUPPORTED, "this backup is of a later version");
    if (!take_line(backup->log, sizeof backup->log, json_object_get(root, "log")) ||
        !take_line(backup->made_at, sizeof backup->made_at, json_object_get(root, "made_at")) ||
        !json_is_object(files))
        return fault_set(fault, ERR_INPUT, "this backup cannot be read");
    enum err err = take_files(backup, files, fault);
    return err ? err : finish(backup, fault);
}

enum err backup_read(struct backup *backup, struct bytes text, struct fault *fault) {
    json_error_t where;
    enum err err = backup_init(backup, fault);
    if (err)
        return err;
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &where);
    err = root ? take_root(backup, root, fault)
               : fault_set(fault, ERR_INPUT, "this is no backup of a site's keys");
    json_decref(root);
    if (err)
        backup_release(backup);
    return err;
}

/* ---- sealed ---- */

enum err backup_seal(struct bytes text, const uint8_t recipient[VAULT_PUBLIC_KEY_BYTES],
                     uint8_t *sealed, size_t *sealed_bytes, struct fault *fault) {
    char header[AGE_HEADER_BYTES_MAX];
    struct text out;
    assert(text.size <= BACKUP_TEXT_BYTES_MAX);
    struct age_writer *writer = sodium_malloc(sizeof *writer);
    if (!writer)
        return fault_set(fault, ERR_MEMORY, "no locked memory for keys");
    text_init(&out, header, sizeof header);
    enum err err = age_writer_init(writer, recipient, &out);
    if (!err) {
        size_t size = 0, chunk;
        memcpy(sealed, out.data, out.size);
        size += out.size;
        while (!bytes_is_empty(text)) {
            age_writer_feed(writer, &text, sealed + size, &chunk);
            size += chunk;
        }
        age_writer_finish(writer, sealed + size, &chunk);
        *sealed_bytes = size + chunk;
        assert(*sealed_bytes <= BACKUP_SEALED_BYTES_MAX);
    }
    sodium_free(writer); /* wipes */
    return err ? fault_set(fault, err, "the backup cannot be sealed to this recipient") : ERR_OK;
}

/* A piece behind those there are. */
static enum err take_piece(char *text, size_t *filled, const uint8_t *plain, size_t size) {
    if (size > BACKUP_TEXT_BYTES_MAX - *filled)
        return ERR_LIMIT;
    if (size)
        memcpy(text + *filled, plain, size);
    *filled += size;
    return ERR_OK;
}

enum err backup_open(struct bytes sealed, const uint8_t secret[VAULT_PUBLIC_KEY_BYTES], char *text,
                     size_t *text_bytes, struct fault *fault) {
    struct age_reader *reader = sodium_malloc(sizeof *reader);
    uint8_t *plain = sodium_malloc(AGE_CHUNK_BYTES);
    size_t size = 0;
    enum err err = reader && plain ? ERR_OK : ERR_MEMORY;
    bool has_key = true;
    *text_bytes = 0;
    if (!err) {
        age_reader_init(reader, secret);
        while (!err && !bytes_is_empty(sealed)) {
            err = age_reader_feed(reader, &sealed, plain, &size);
            if (!err)
                err = take_piece(text, text_bytes, plain, size);
        }
        if (!err)
            err = age_reader_finish(reader, plain, &size);
        if (!err)
            err = take_piece(text, text_bytes, plain, size);
        has_key = reader->has_key;
    }
    sodium_free(reader); /* wipes */
    sodium_free(plain);
    if (err == ERR_INPUT || err == ERR_CRYPTO)
        return fault_set(fault, err,
                         has_key             ? "the backup is damaged"
                         : err == ERR_CRYPTO ? "this key does not open the backup"
                                             : "this is no backup, or a damaged one");
    return err ? fault_set(fault, err, "the backup cannot be opened") : ERR_OK;
}
