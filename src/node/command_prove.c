/* command_prove.c - prove: the proof that one entry stands in the vault, in a file of its own. */
#include "node/node.h"

#include "node/options.h"
#include "node/site.h"

#include <stdio.h>

/* `dir` is a site, its vault, or a copy of it. */
static void find_vault(const char *dir, char vault_dir[SITE_PATH_BYTES]) {
    struct stat st;
    struct text text;
    text_init(&text, vault_dir, SITE_PATH_BYTES);
    text_put_format(&text, "%s/vault", dir);
    if (!sys_stat(NULL, vault_dir, &st))
        return;
    text_clear(&text);
    text_put_string(&text, dir);
}

/* A proof may be evidence: none is written over. */
static enum err write_proof(const char *path, struct bytes proof, struct fault *fault) {
    struct stat st;
    if (!path || !strcmp(path, "-"))
        return fwrite(proof.data, 1, proof.size, stdout) == proof.size && !fflush(stdout)
                   ? ERR_OK
                   : fault_set(fault, ERR_IO, "the output cannot be written");
    if (!sys_stat(NULL, path, &st))
        return fault_set_subject(fault, ERR_STATE, "the file exists already", path);
    return sys_replace_file(NULL, path, proof, 0644, fault);
}

int node_prove_command(int argc, char **argv) {
    const char *out = NULL;
    const struct option_spec specs[] = {{"out", NULL, &out, NULL}, {0}};
    uint64_t index;
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 2 ||
        !bytes_to_u64(bytes_from_string(argv[2]), &index))
        return command_usage("prove DIR INDEX [--out FILE]");
    struct fault fault = {0};
    char vault_dir[SITE_PATH_BYTES];
    if (strlen(argv[1]) + sizeof "/vault" > sizeof vault_dir)
        return command_fail(fault_set(&fault, ERR_LIMIT, "the path is too long"), &fault);
    find_vault(argv[1], vault_dir);
    char *buffer = memory_alloc(1, VAULT_PROOF_BYTES_MAX);
    if (!buffer)
        return command_fail(fault_set(&fault, ERR_MEMORY, "no memory for a proof"), &fault);
    struct text proof;
    text_init(&proof, buffer, VAULT_PROOF_BYTES_MAX);
    enum err err = vault_prove(NULL, vault_dir, index, &proof, &fault);
    if (!err)
        err = write_proof(out, text_bytes(&proof), &fault);
    memory_free(buffer);
    return err ? command_fail(err, &fault) : 0;
}
