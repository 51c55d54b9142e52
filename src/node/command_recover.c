/* command_recover.c - key recover: a site again, from a copy of its vault and shares of its recovery key, and nothing else. */
#include "node/config.h"
#include "node/options.h"
#include "node/recovery.h"
#include "node/site.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)1 << 20)

static const char recover_usage[] = "key recover COPY DIR [--shares-file FILE] [--node ID]";

static enum err copy_file(const char *from, const char *to, uint8_t *buffer, struct fault *fault) {
    ssize_t size = 0;
    int in = sys_open(NULL, from, O_RDONLY, 0);
    if (in < 0)
        return fault_set_errno(fault, ERR_IO, errno, "this file of the copy cannot be read", from);
    int out = sys_open(NULL, to, O_WRONLY | O_CREAT | O_EXCL, 0644);
    enum err err = out < 0 ? fault_set_errno(fault, ERR_IO, errno, "cannot make", to) : ERR_OK;
    while (!err && (size = sys_read(NULL, in, buffer, COPY_BYTES)) > 0)
        err = sys_write_all(NULL, out, bytes_from(buffer, (size_t)size), to, fault);
    if (!err && size < 0)
        err = fault_set_errno(fault, ERR_IO, errno, "this file of the copy cannot be read", from);
    if (!err && sys_fdatasync(NULL, out))
        err = fault_set_errno(fault, ERR_IO, errno, "cannot sync", to);
    sys_close(NULL, in);
    if (out >= 0)
        sys_close(NULL, out);
    return err;
}

/* Everything of the vault but what is unfinished. */
static enum err copy_tree(const char *from, const char *to, struct fault *fault) {
    char top[SITE_PATH_BYTES], path[SITE_PATH_BYTES * 2];
    char *const paths[] = {top, NULL};
    snprintf(top, sizeof top, "%s", from);
    uint8_t *buffer = memory_alloc(1, COPY_BYTES);
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    enum err err = tree && buffer ? ERR_OK : fault_set(fault, ERR_MEMORY, "no memory to copy with");
    FTSENT *entry;
    while (!err && (entry = fts_read(tree))) {
        size_t size = strlen(entry->fts_path);
        snprintf(path, sizeof path, "%s%s", to, entry->fts_path + strlen(top));
        if (entry->fts_info == FTS_D)
            err = sys_make_dirs(NULL, path, 0755, fault);
        else if (entry->fts_info == FTS_F &&
                 !(size > 4 && !strcmp(entry->fts_path + size - 4, ".new")))
            err = copy_file(entry->fts_path, path, buffer, fault);
        else if (entry->fts_info == FTS_DP)
            err = sys_sync_dir(NULL, path, fault);
        else if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR)
            err = fault_set_errno(fault, ERR_IO, entry->fts_errno, "the copy cannot be read",
                                  entry->fts_path);
    }
    if (tree)
        fts_close(tree);
    memory_free(buffer);
    return err;
}

/* The site's and node's ids stand in the log's name: <site>/veilleuse/<node>/<epoch>. */
static enum err config_of_copy(const char *dir, const char *node, struct config *config,
                               struct fault *fault) {
    char path[SITE_PATH_BYTES], text[512], line[CONFIG_VALUE_BYTES * 2 + 32];
    size_t size = 0;
    struct bytes part;
    struct config checked;
    snprintf(path, sizeof path, "%s/vault/verifier", dir);
    enum err err = sys_read_file(NULL, path, text, sizeof text, &size, fault);
    struct bytes rest = bytes_from(text, size);
    if (err && err != ERR_LIMIT)
        return err;
    if (err == ERR_LIMIT) {
        *fault = (struct fault){0};
        rest = bytes_from(text, sizeof text);
    }
    config_default(config);
    struct bytes site = BYTES_NONE, log_node = BYTES_NONE;
    if (bytes_next_part(&rest, '/', &site) && bytes_next_part(&rest, '/', &part) &&
        bytes_next_part(&rest, '/', &log_node) && site.size < CONFIG_VALUE_BYTES &&
        log_node.size < CONFIG_VALUE_BYTES) {
        snprintf(config->site, sizeof config->site, "%.*s", (int)site.size,
                 (const char *)site.data);
        snprintf(config->name, sizeof config->name, "%s", config->site);
        snprintf(config->node, sizeof config->node, "%.*s", (int)log_node.size,
                 (const char *)log_node.data);
    }
    if (node)
        snprintf(config->node, sizeof config->node, "%s", node);
    snprintf(line, sizeof line, "site = %s\nnode = %s\n", config->site, config->node);
    return config_parse(&checked, bytes_from_string(line), fault);
}

static enum err publish_all(const char *dir, const char *vault_dir, struct fault *fault) {
    struct vault_reader *reader = NULL;
    uint64_t size = 0;
    enum err err = vault_reader_open(&reader, NULL, vault_dir, fault);
    if (!err)
        err = vault_reader_size(reader, &size, fault);
    vault_reader_close(reader);
    return err ? err : site_publish(NULL, dir, NULL, size, fault);
}

static enum err adopt(const char *copy, const char *dir, const char *node, const uint8_t *secret,
                      struct fault *fault) {
    static const char *const parts[] = {"run", "chart", "cache", "keys"};
    char path[SITE_PATH_BYTES];
    struct config config;
    enum err err = sys_make_dirs(NULL, dir, 0750, fault);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !err; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
        err = sys_make_dirs(NULL, path, 0700, fault);
    }
    snprintf(path, sizeof path, "%s/vault", dir);
    if (!err)
        err = copy_tree(copy, path, fault);
    if (!err)
        err = config_of_copy(dir, node, &config, fault);
    if (!err)
        err = vault_adopt(NULL, dir, secret, fault);
    if (!err)
        err = publish_all(dir, path, fault);
    return err ? err : config_write(&config, NULL, dir, fault);
}

static enum err check_copy(const char *copy, struct fault *fault) {
    struct vault_verify_options options = {0};
    struct vault_report report = {0};
    enum err err = vault_verify(NULL, copy, &options, &report, fault);
    if (err == ERR_CORRUPT || err == ERR_CRYPTO) {
        char where[sizeof report.damaged_file + sizeof report.damage + 4];
        snprintf(where, sizeof where, "%s: %s", report.damaged_file, report.damage);
        return fault_set_subject(fault, err, "the copy is damaged", where);
    }
    if (!err)
        printf("The copy is whole: %llu entries.\n", (unsigned long long)report.durable_size);
    return err;
}

static enum err recover(const char *path, const char *dir, const char *shares_path,
                        const char *node, struct fault *fault) {
    char copy[SITE_PATH_BYTES], *buffer = sodium_malloc(RECOVERY_SHARES_BYTES_MAX);
    uint8_t secret[VAULT_PUBLIC_KEY_BYTES];
    struct bytes text;
    struct stat st;
    if (!buffer || strlen(path) > SITE_PATH_BYTES - 256 || strlen(dir) > SITE_PATH_BYTES - 256)
        return fault_set(fault, ERR_LIMIT, "the path is too long");
    snprintf(copy, sizeof copy, "%s/vault", path);
    if (sys_stat(NULL, copy, &st))
        snprintf(copy, sizeof copy, "%s", path);
    enum err err = check_copy(copy, fault);
    if (!err)
        err = recovery_read_shares(shares_path, buffer, &text, fault);
    if (!err)
        err = recovery_combine(copy, text, secret, fault);
    sodium_free(buffer);
    if (!err)
        err = adopt(copy, dir, node, secret, fault);
    sodium_memzero(secret, sizeof secret);
    return err;
}

int node_key_recover(int argc, char **argv) {
    const char *shares_path = NULL, *node = NULL;
    const struct option_spec specs[] = {
        {"shares-file", NULL, &shares_path, NULL}, {"node", NULL, &node, NULL}, {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 2)
        return command_usage(recover_usage);
    struct fault fault = {0};
    struct stat st;
    char path[SITE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/vault", argv[2]);
    if (!sys_stat(NULL, path, &st))
        return command_fail(ERR_STATE, &(struct fault){.code = ERR_STATE,
                                                       .what = "there is a vault there already"});
    enum err err = recover(argv[1], argv[2], shares_path, node, &fault);
    if (err)
        return command_fail(err, &fault);
    printf("%s is a site again: `veilleuse serve %s` shows it, `veilleuse cat %s` prints it.\n"
           "It signs under a key and an origin of its own from here on (%s/vault/verifier).\n",
           argv[2], argv[2], argv[2], argv[2]);
    return 0;
}
