/* token.c - bearer tokens: who may read what over FHIR. Only their hashes are kept.
 *
 * DIR/access/tokens: the line "veilleuse-tokens/1", then a line a token: hash, made at, ends at, scopes with blanks between, name; a
 * tab between them. A token has 256 random bits, so that a plain hash is as good as a slow one. */
#include "fhir/fhir.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <sodium.h>
#include <stdio.h>

#define HEAD           "veilleuse-tokens/1\n"
#define TOKEN_BYTES    32u
#define FILE_BYTES_MAX (64u << 10)
#define TOKENS_FILE    FHIR_ACCESS_DIR "/tokens"
#define PATH_BYTES     1024u

/* ---- scopes ---- */

static bool is_type(struct bytes type) {
    if (bytes_is(type, "*"))
        return true;
    for (size_t i = 0; i < type.size; i++) {
        uint8_t c = type.data[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (i > 0 && c >= 'a' && c <= 'z');
        if (!is_letter)
            return false;
    }
    return type.size > 0;
}

bool fhir_scope_read(struct bytes text, struct fhir_scope *scope) {
    static const char context[] = "system/";
    struct bytes rest = bytes_skip(text, sizeof context - 1), type;
    *scope = (struct fhir_scope){.may_read = false};
    if (!bytes_starts_with(text, bytes_from_string(context)) ||
        !bytes_next_part(&rest, '.', &type) || !is_type(type) || type.size >= sizeof scope->type)
        return false;
    memcpy(scope->type, type.data, type.size);
    scope->may_read = bytes_is(rest, "read") || bytes_is(rest, "*");
    scope->may_write = bytes_is(rest, "write") || bytes_is(rest, "*");
    return scope->may_read || scope->may_write;
}

static void put_scope(struct text *text, const struct fhir_scope *scope) {
    text_put_format(text, "system/%s.%s", scope->type,
                    !scope->may_write  ? "read"
                    : !scope->may_read ? "write"
                                       : "*");
}

static bool covers(const struct fhir_token *token, const char *type, bool is_write) {
    if (!token)
        return true;
    for (size_t i = 0; i < token->scope_count; i++) {
        const struct fhir_scope *scope = &token->scopes[i];
        bool is_of_it = !strcmp(scope->type, "*") || !strcmp(scope->type, type);
        if (is_of_it && (is_write ? scope->may_write : scope->may_read))
            return true;
    }
    return false;
}

bool fhir_token_may_read(const struct fhir_token *token, const char *type) {
    return covers(token, type, false);
}

bool fhir_token_may_write(const struct fhir_token *token, const char *type) {
    return covers(token, type, true);
}

/* ---- the file ---- */

static bool read_moment(struct bytes text, int64_t *at) {
    struct time_read read;
    *at = INSTANT_NONE;
    if (bytes_is(text, "-"))
        return true;
    if (!time_read_iso(text, NULL, &read))
        return false;
    *at = read.at;
    return true;
}

static void name_token(struct fhir_token *token) {
    struct text text;
    text_init(&text, token->id, sizeof token->id);
    text_put_hex(&text, bytes_from(token->hash, 8));
}

static bool read_line(struct bytes line, struct fhir_token *token) {
    struct bytes hash, created, expires, scopes, scope;
    *token = (struct fhir_token){.scope_count = 0};
    if (!bytes_next_part(&line, '\t', &hash) || !bytes_next_part(&line, '\t', &created) ||
        !bytes_next_part(&line, '\t', &expires) || !bytes_next_part(&line, '\t', &scopes))
        return false;
    if (hash.size != 2 * sizeof token->hash || !hex_decode(hash, token->hash, sizeof token->hash) ||
        !read_moment(created, &token->created_at) || !read_moment(expires, &token->expires_at) ||
        line.size >= sizeof token->name)
        return false;
    if (line.size)
        memcpy(token->name, line.data, line.size);
    while (bytes_next_part(&scopes, ' ', &scope))
        if (token->scope_count == FHIR_SCOPES_MAX ||
            !fhir_scope_read(scope, &token->scopes[token->scope_count++]))
            return false;
    name_token(token);
    return token->scope_count > 0;
}

static enum err read_tokens(struct fhir_tokens *tokens, struct bytes text, struct fault *fault) {
    struct bytes line;
    if (!bytes_starts_with(text, BYTES(HEAD)))
        return fault_set(fault, ERR_CORRUPT, "the file of tokens cannot be understood");
    text = bytes_skip(text, sizeof HEAD - 1);
    while (bytes_next_part(&text, '\n', &line)) {
        if (bytes_is_empty(line))
            continue;
        if (tokens->count == FHIR_TOKENS_MAX || !read_line(line, &tokens->list[tokens->count++]))
            return fault_set(fault, ERR_CORRUPT, "the file of tokens cannot be understood");
    }
    return ERR_OK;
}

enum err fhir_tokens_load(struct fhir_tokens *tokens, struct sys *sys, const char *site_dir,
                          struct fault *fault) {
    char path[PATH_BYTES], buffer[FILE_BYTES_MAX];
    size_t size;
    *tokens = (struct fhir_tokens){.count = 0};
    snprintf(path, sizeof path, "%s/" TOKENS_FILE, site_dir);
    enum err err = sys_read_file(sys, path, buffer, sizeof buffer, &size, fault);
    if (err == ERR_NOT_FOUND) {
        *fault = (struct fault){0};
        return ERR_OK;
    }
    tokens->are_asked_for = true;
    return err ? err : read_tokens(tokens, bytes_from(buffer, size), fault);
}

static void put_moment(struct text *text, int64_t at) {
    if (at == INSTANT_NONE)
        text_put_char(text, '-');
    else
        time_put_iso_utc(text, at);
}

static void put_token(struct text *text, const struct fhir_token *token) {
    text_put_hex(text, bytes_from(token->hash, sizeof token->hash));
    text_put_char(text, '\t');
    put_moment(text, token->created_at);
    text_put_char(text, '\t');
    put_moment(text, token->expires_at);
    text_put_char(text, '\t');
    for (size_t i = 0; i < token->scope_count; i++) {
        text_put_string(text, i ? " " : "");
        put_scope(text, &token->scopes[i]);
    }
    text_put_char(text, '\t');
    text_put_string(text, token->name);
    text_put_char(text, '\n');
}

enum err fhir_tokens_save(const struct fhir_tokens *tokens, struct sys *sys, const char *site_dir,
                          struct fault *fault) {
    char path[PATH_BYTES], buffer[FILE_BYTES_MAX];
    struct text text;
    snprintf(path, sizeof path, "%s/" FHIR_ACCESS_DIR, site_dir);
    if (sys_mkdir(sys, path, 0700) && errno != EEXIST)
        return fault_set(fault, ERR_IO, "the directory of tokens cannot be made");
    text_init(&text, buffer, sizeof buffer);
    text_put_string(&text, HEAD);
    for (size_t i = 0; i < tokens->count; i++)
        put_token(&text, &tokens->list[i]);
    snprintf(path, sizeof path, "%s/" TOKENS_FILE, site_dir);
    return text.full ? fault_set(fault, ERR_LIMIT, "too many tokens")
                     : sys_replace_file(sys, path, text_bytes(&text), 0600, fault);
}

/* ---- tokens ---- */

static void hash_token(struct bytes token, uint8_t hash[32]) {
    struct sha256_ctx state;
    sha256_init(&state);
    sha256_update(&state, token.size, token.data);
    sha256_digest(&state, 32, hash);
}

static bool is_plain_name(const char *name) {
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == 0x7F)
            return false;
    return true;
}

enum err fhir_token_add(struct fhir_tokens *tokens, const struct fhir_token *like,
                        char text[FHIR_TOKEN_TEXT_BYTES], struct fault *fault) {
    uint8_t secret[TOKEN_BYTES];
    struct text out;
    if (tokens->count == FHIR_TOKENS_MAX)
        return fault_set(fault, ERR_LIMIT, "too many tokens: revoke one first");
    if (like->scope_count == 0 || !is_plain_name(like->name))
        return fault_set(fault, ERR_INPUT, "a token needs a name in plain letters, and a scope");
    struct fhir_token *token = &tokens->list[tokens->count++];
    *token = *like;
    randombytes_buf(secret, sizeof secret);
    text_init(&out, text, FHIR_TOKEN_TEXT_BYTES);
    text_put_string(&out, FHIR_TOKEN_PREFIX);
    text_put_hex(&out, bytes_from(secret, sizeof secret));
    sodium_memzero(secret, sizeof secret);
    hash_token(text_bytes(&out), token->hash);
    name_token(token);
    return ERR_OK;
}

static bool is_scheme(const char *authorization) {
    static const char scheme[] = "bearer ";
    for (size_t i = 0; i < sizeof scheme - 1; i++)
        if ((authorization[i] | 0x20) != (scheme[i] | 0x20))
            return false;
    return true;
}

const struct fhir_token *fhir_token_find(const struct fhir_tokens *tokens,
                                         const char *authorization, int64_t now) {
    const struct fhir_token *found = NULL;
    uint8_t hash[32];
    if (!authorization || !is_scheme(authorization))
        return NULL;
    hash_token(bytes_trim(bytes_from_string(authorization + 7)), hash);
    for (size_t i = 0; i < tokens->count; i++)
        if (!sodium_memcmp(hash, tokens->list[i].hash, sizeof hash))
            found = &tokens->list[i];
    return found && (found->expires_at == INSTANT_NONE || now < found->expires_at) ? found : NULL;
}
