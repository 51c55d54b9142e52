/* verify_files.c - the files that entries name: blobs by their hash, keys by what the log says of them; and the point up to which
 * all was whole once. */
#include "vault/continuity.h"
#include "vault/keys.h"
#include "vault/verify.h"

#include "base/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <unistd.h>

#define ATTEMPTS        3
#define ATTEMPT_WAIT_US 200000

static enum err hash_file(struct verify *verify, const char *path, uint8_t hash[TLOG_HASH_BYTES],
                          struct damage *damage) {
    int fd = sys_open(verify->sys, path, O_RDONLY, 0);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    struct sha256_ctx sha;
    ssize_t size;
    sha256_init(&sha);
    while ((size = sys_read(verify->sys, fd, verify->file, VERIFY_FILE_BYTES)) > 0) {
        sha256_update(&sha, (size_t)size, verify->file);
        damage->bytes_read += (uint64_t)size;
    }
    sys_close(verify->sys, fd);
    sha256_digest(&sha, TLOG_HASH_BYTES, hash);
    return size < 0 ? ERR_IO : ERR_OK;
}

/* A mark that is there: what an erasure has left of the epoch's files, which end with the writer's next start, counts for nothing.
 * For the epoch in use the mark itself does not count; which that is, is known at the end. */
static bool is_erasing(struct verify *verify, uint32_t epoch) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    if (verify->newest && epoch >= verify->newest)
        return false;
    vault_path(path, verify->vault_dir, "keys/%u" EPOCH_ERASING, epoch);
    return !sys_stat(verify->sys, path, &st);
}

/* Is any key of the epoch left? Of an erased one the blobs may be gone too. */
static bool is_erased(struct verify *verify, uint32_t epoch) {
    char path[VAULT_PATH_BYTES_MAX], name[EPOCH_FILE_BYTES_MAX];
    struct stat st;
    if (is_erasing(verify, epoch))
        return true;
    for (unsigned nth = 1; nth <= 2; nth++) {
        epoch_file_name(name, epoch, nth);
        vault_path(path, verify->vault_dir, "keys/%s", name);
        if (!sys_stat(verify->sys, path, &st))
            return false;
    }
    return true;
}

static void blob_path(const struct verify *verify, struct bytes name,
                      char path[VAULT_PATH_BYTES_MAX]) {
    char hex[2 * TLOG_HASH_BYTES + 1];
    struct text text;
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, name);
    vault_path(path, verify->vault_dir, "blob/%.2s/%s", hex, hex);
}

/* *gone_count: of what may be gone. */
static void check_named_blob(struct verify *verify, const struct seal_header *header,
                             uint64_t index, struct damage *damage, uint64_t *gone_count) {
    char path[VAULT_PATH_BYTES_MAX];
    uint8_t hash[TLOG_HASH_BYTES];
    struct stat st;
    blob_path(verify, header->blob_name, path);
    if (sys_stat(verify->sys, path, &st)) {
        if (errno != ENOENT || !is_erased(verify, header->epoch))
            damage_found(damage, path, index, 0, "the blob of this entry is missing");
        else
            ++*gone_count;
        return;
    }
    if (!verify->is_quick)
        return; /* all blobs are looked at anyway */
    damage->blob_count++;
    if (hash_file(verify, path, hash, damage) ||
        memcmp(hash, header->blob_name.data, TLOG_HASH_BYTES))
        damage_found(damage, path, index, 0, "the blob's bytes are not those of its name");
}

/* Room for one more; false: no memory. */
static bool make_room(void **list, size_t count, size_t *max, size_t size) {
    if (count < *max)
        return true;
    size_t more = *max ? 2 * *max : 256;
    void *grown = memory_grow(*list, more, size);
    if (!grown)
        return false;
    *list = grown;
    *max = more;
    return true;
}

bool verify_name_key(struct verify *verify, struct named_key key) {
    void *list = verify->named;
    bool has_room = make_room(&list, verify->named_count, &verify->named_max, sizeof key);
    verify->named = list;
    if (has_room)
        verify->named[verify->named_count++] = key;
    return has_room;
}

/* ---- how much stands under each epoch ---- */

bool verify_add_tally(struct verify *verify, const struct tally *more) {
    void *list = verify->tallies;
    struct tally *last = verify->tally_count ? &verify->tallies[verify->tally_count - 1] : NULL;
    if (last && last->epoch == more->epoch) { /* an epoch's entries stand together */
        last->entry_count += more->entry_count;
        last->gone_count += more->gone_count;
        return true;
    }
    bool has_room = make_room(&list, verify->tally_count, &verify->tally_max, sizeof *more);
    verify->tallies = list;
    if (has_room)
        verify->tallies[verify->tally_count++] = *more;
    return has_room;
}

/* "<epoch>" or "<epoch>.<n>", n from 2, as a writer names them; nth 0: another name. */
static struct named_key key_of(struct bytes name) {
    struct bytes rest = name, number;
    char as_named[EPOCH_FILE_BYTES_MAX];
    uint64_t epoch, nth = 1;
    if (!bytes_next_part(&rest, '.', &number) || !bytes_to_u64(number, &epoch) ||
        epoch > UINT32_MAX || (!bytes_is_empty(rest) && !bytes_to_u64(rest, &nth)) ||
        nth > UINT32_MAX)
        return (struct named_key){0};
    epoch_file_name(as_named, (uint32_t)epoch, (uint32_t)nth);
    if (epoch == 0 || !bytes_is(name, as_named))
        return (struct named_key){0};
    return (struct named_key){(uint32_t)epoch, (uint32_t)nth};
}

static void check_named_key(struct verify *verify, struct bytes stored, uint64_t index,
                            struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    uint8_t hash[TLOG_HASH_BYTES];
    struct vault_entry entry;
    struct bytes name;
    uint32_t epoch;
    if (open_entry_read(stored, &entry) || !key_entry_name(&entry, &name, &epoch) ||
        name.size >= EPOCH_FILE_BYTES_MAX)
        return; /* of a later version, or of another kind of log */
    struct named_key key = key_of(name);
    if (key.nth == 0)
        return;
    if (!verify_name_key(verify, key)) {
        damage_found(damage, verify->vault_dir, index, 0, "no memory to verify with");
        return;
    }
    vault_path(path, verify->vault_dir, "keys/%.*s", (int)name.size, (const char *)name.data);
    enum err err = hash_file(verify, path, hash, damage);
    if (err == ERR_NOT_FOUND)
        damage->erased_count++;
    else if (err || memcmp(hash, entry.body.data, TLOG_HASH_BYTES))
        damage_found(damage, path, index, 0, "the key file is not the one that the log names");
}

void verify_named_files(struct verify *verify, struct bytes stored, uint64_t index,
                        struct damage *damage) {
    struct seal_header header;
    if (seal_header_read(stored, &header))
        return; /* an entry of another kind of log: its hash is all there is to verify */
    if (header.is_open) {
        check_named_key(verify, stored, index, damage);
        return;
    }
    struct tally tally = {header.epoch, 1, 0};
    if (!bytes_is_empty(header.blob_name))
        check_named_blob(verify, &header, index, damage, &tally.gone_count);
    if (!verify_add_tally(verify, &tally))
        damage_found(damage, verify->vault_dir, index, 0, "no memory to verify with");
}

/* ---- all of keys/ ---- */

/* What was durable, but not published, when the checkpoint was read. */
static void name_unpublished(struct verify *verify) {
    struct vault_reader *reader;
    if (vault_reader_open(&reader, verify->sys, verify->vault_dir, NULL))
        return;
    struct bytes stored, name;
    struct vault_entry entry;
    uint32_t epoch;
    for (uint64_t index = verify->checkpoint->checkpoint.size;
         !vault_reader_sealed(reader, index, UINT64_MAX, &stored, NULL); index++)
        if (!open_entry_read(stored, &entry) && key_entry_name(&entry, &name, &epoch) &&
            !verify_name_key(verify, key_of(name)))
            break;
    vault_reader_close(reader);
}

static bool is_named_key(const struct verify *verify, uint32_t epoch, uint32_t nth) {
    for (size_t i = 0; i < verify->named_count; i++)
        if (verify->named[i].epoch == epoch && verify->named[i].nth == nth)
            return true;
    return false;
}

static uint32_t newest_named(const struct verify *verify) {
    uint32_t newest = 0;
    for (size_t i = 0; i < verify->named_count; i++)
        if (verify->named[i].epoch > newest)
            newest = verify->named[i].epoch;
    return newest;
}

/* Of an epoch that is newer than all that began: nobody's harm, left by a beginning that came to nothing, or comes next. */
static bool has_place(const struct verify *verify, const char *name, uint32_t newest) {
    struct named_key key = key_of(bytes_from_string(name));
    uint32_t erasing;
    size_t size = strlen(name);
    bool is_unfinished = size > 4 && !strcmp(name + size - 4, ".new");
    return name[0] == '.' || is_unfinished || epoch_is_erasing(name, &erasing) ||
           (key.nth > 0 && (key.epoch > newest || is_named_key(verify, key.epoch, key.nth)));
}

static void check_present(struct verify *verify, const char *name, uint32_t newest,
                          struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    if (has_place(verify, name, newest))
        return;
    snprintf(path, sizeof path, "%s/keys/%.200s", verify->vault_dir, name);
    damage_found(damage, path, DAMAGE_OF_NO_ENTRY, 0, "no entry names this key file");
}

static void check_absent(struct verify *verify, const struct named_key *key,
                         struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX], name[EPOCH_FILE_BYTES_MAX];
    struct stat st;
    if (is_erasing(verify, key->epoch))
        return;
    epoch_file_name(name, key->epoch, key->nth);
    vault_path(path, verify->vault_dir, "keys/%s.new", name);
    if (key->nth > 1 && !sys_stat(verify->sys, path, &st))
        return; /* cut off before it got its name: the writer's next start gives it */
    vault_path(path, verify->vault_dir, "keys/%s", name);
    if (!sys_stat(verify->sys, path, &st))
        return;
    for (size_t i = 0; i < verify->named_count; i++) {
        char other[VAULT_PATH_BYTES_MAX];
        if (verify->named[i].epoch != key->epoch)
            continue;
        epoch_file_name(name, key->epoch, verify->named[i].nth);
        vault_path(other, verify->vault_dir, "keys/%s", name);
        if (!sys_stat(verify->sys, other, &st)) {
            damage_found(damage, path, DAMAGE_OF_NO_ENTRY, 0,
                         "a key file of an epoch that is not erased is missing");
            return;
        }
    }
}

static void check_all_present(struct verify *verify, struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, verify->vault_dir, "keys");
    DIR *dir = opendir(path);
    struct dirent *entry;
    name_unpublished(verify);
    uint32_t newest = verify->newest = newest_named(verify);
    while (dir && (entry = readdir(dir)))
        check_present(verify, entry->d_name, newest, damage);
    if (dir)
        closedir(dir);
}

/* Of the epoch in use nothing may be gone; a mark that says otherwise was believed so far. */
static void check_in_use(struct verify *verify, struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, verify->vault_dir, "keys/%u", verify->newest);
    for (size_t i = 0; i < verify->tally_count; i++)
        if (verify->tallies[i].epoch == verify->newest && verify->tallies[i].gone_count &&
            !is_erased(verify, verify->newest))
            damage_found(damage, path, DAMAGE_OF_NO_ENTRY, 0,
                         "blobs of the epoch in use are missing");
}

/* A running node writes a key file a moment before the entry that names it: what looks strange is looked at again. */
void verify_key_files(struct verify *verify, struct damage *damage) {
    struct damage own = *damage;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        own = *damage;
        check_all_present(verify, &own);
        if (!own.is_found)
            break;
        usleep(ATTEMPT_WAIT_US);
    }
    *damage = own;
    for (size_t i = 0; i < verify->named_count; i++)
        check_absent(verify, &verify->named[i], damage);
    check_in_use(verify, damage);
}

/* ---- what is erased ---- */

static void count_erased(struct verify *verify, uint32_t epoch) {
    struct vault_report *report = verify->report;
    report->erased_epoch_count++;
    if (report->erased_first_epoch == 0 || epoch < report->erased_first_epoch)
        report->erased_first_epoch = epoch;
    if (epoch > report->erased_last_epoch)
        report->erased_last_epoch = epoch;
    for (size_t i = 0; i < verify->tally_count; i++)
        if (verify->tallies[i].epoch == epoch) {
            report->erased_entry_count += verify->tallies[i].entry_count;
            report->erased_blob_count += verify->tallies[i].gone_count;
        }
}

/* An epoch begins with the entry for its first file, of which there is one. */
void verify_count_erased(struct verify *verify) {
    for (size_t i = 0; i < verify->named_count; i++)
        if (verify->named[i].nth == 1 && is_erased(verify, verify->named[i].epoch))
            count_erased(verify, verify->named[i].epoch);
}

/* ---- all blobs ---- */

static void check_blob_dir(struct verify *verify, const char *name, struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, verify->vault_dir, "blob/%s", name);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        uint8_t hash[TLOG_HASH_BYTES], wanted[TLOG_HASH_BYTES];
        if (strlen(entry->d_name) != sizeof hash * 2)
            continue;
        vault_path(path, verify->vault_dir, "blob/%s/%s", name, entry->d_name);
        damage->blob_count++;
        if (!hex_decode(bytes_from_string(entry->d_name), wanted, sizeof wanted) ||
            hash_file(verify, path, hash, damage) || memcmp(hash, wanted, sizeof hash))
            damage_found(damage, path, DAMAGE_OF_NO_ENTRY, 0,
                         "the blob's bytes are not those of its name");
    }
    if (dir)
        closedir(dir);
}

void verify_blobs(struct verify *verify, unsigned worker, unsigned worker_count,
                  struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, verify->vault_dir, "blob");
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        uint8_t first;
        if (strlen(entry->d_name) == 2 &&
            hex_decode(bytes_from_string(entry->d_name), &first, sizeof first) &&
            first % worker_count == worker)
            check_blob_dir(verify, entry->d_name, damage);
    }
    if (dir)
        closedir(dir);
}

/* ---- the point verified last ---- */

#define POINT_BYTES_MAX (TLOG_ORIGIN_BYTES_MAX + 128u)

void verify_load_point(struct verify *verify) {
    char line[POINT_BYTES_MAX];
    size_t size = 0;
    struct signed_tree tree;
    struct fault own = {0};
    verify->from = 0;
    if (!verify->point_path ||
        sys_read_file(verify->sys, verify->point_path, line, sizeof line, &size, &own) ||
        !signed_tree_read(bytes_trim(bytes_from(line, size)), NULL, &tree))
        return;
    verify->from = tree.size;
    verify->from_root = tree.root;
}

/* Only a help for the next time: that it cannot be written is no fault of the vault. */
void verify_save_point(struct verify *verify) {
    char line[POINT_BYTES_MAX], origin[TLOG_ORIGIN_BYTES_MAX + 1];
    const struct tlog_checkpoint *checkpoint = &verify->checkpoint->checkpoint;
    struct signed_tree tree = {checkpoint->size, checkpoint->root};
    struct text text;
    struct fault own = {0};
    if (!verify->point_path || checkpoint->size == 0)
        return;
    snprintf(origin, sizeof origin, "%.*s", (int)checkpoint->origin.size,
             (const char *)checkpoint->origin.data);
    text_init(&text, line, sizeof line);
    signed_tree_put(&text, &tree, origin);
    if (text.full ||
        sys_replace_file(verify->sys, verify->point_path, text_bytes(&text), 0600, &own))
        return;
}
