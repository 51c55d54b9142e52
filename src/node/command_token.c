/* command_token.c - token: who may ask /fhir; a token is shown once and kept nowhere. */
#include "node/node.h"

#include "fhir/fhir.h"
#include "node/options.h"
#include "node/site.h"

#include <stdio.h>
#include <stdlib.h>

static const char token_usage[] =
    "token DIR create --name NAME --scope SCOPE[,SCOPE...] [--days D] | list | revoke ID";

#define DAYS_MAX 36500u

/* ---- create ---- */

static enum err read_scopes(const char *text, struct fhir_token *token, struct fault *fault) {
    struct bytes rest = bytes_from_string(text), scope;
    while (bytes_next_part(&rest, ',', &scope)) {
        if (token->scope_count == FHIR_SCOPES_MAX)
            return fault_set(fault, ERR_LIMIT, "too many scopes");
        if (!fhir_scope_read(bytes_trim(scope), &token->scopes[token->scope_count++]))
            return fault_set_subject(
                fault, ERR_USAGE,
                "a scope is system/TYPE.read, .write or .*, TYPE a type of resource or *", text);
    }
    return token->scope_count ? ERR_OK : fault_set(fault, ERR_USAGE, "a token needs a scope");
}

static enum err create(const char *dir, struct fhir_tokens *tokens, const char *name,
                       const char *scopes, uint64_t days, struct fault *fault) {
    struct fhir_token like = {.created_at = sys_now_us(NULL), .expires_at = INSTANT_NONE};
    char text[FHIR_TOKEN_TEXT_BYTES];
    if (!name || !*name || strlen(name) >= sizeof like.name)
        return fault_set(fault, ERR_USAGE, "a token needs a name, of at most 63 bytes");
    if (days > DAYS_MAX)
        return fault_set(fault, ERR_USAGE, "a token may last 36500 days at most");
    snprintf(like.name, sizeof like.name, "%s", name);
    if (days)
        like.expires_at = like.created_at + (int64_t)days * 24 * 3600 * US_PER_S;
    enum err err = scopes ? read_scopes(scopes, &like, fault)
                          : fault_set(fault, ERR_USAGE, "a token needs a scope");
    if (!err)
        err = fhir_token_add(tokens, &like, text, fault);
    if (!err)
        err = fhir_tokens_save(tokens, NULL, dir, fault);
    if (!err)
        printf("%s\n", text);
    return err;
}

/* ---- list and revoke ---- */

static void print_moment(int64_t at) {
    char buffer[40] = "never";
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    if (at == INSTANT_NONE)
        text_put_string(&text, "never");
    else
        time_put_iso_utc(&text, at);
    printf("%s", buffer);
}

static void list(const struct fhir_tokens *tokens) {
    for (size_t i = 0; i < tokens->count; i++) {
        const struct fhir_token *token = &tokens->list[i];
        printf("%s  made ", token->id);
        print_moment(token->created_at);
        printf("  ends ");
        print_moment(token->expires_at);
        if (token->expires_at != INSTANT_NONE && token->expires_at <= sys_now_us(NULL))
            printf(" (ENDED)");
        for (size_t k = 0; k < token->scope_count; k++)
            printf("  system/%s.%s", token->scopes[k].type,
                   !token->scopes[k].may_write  ? "read"
                   : !token->scopes[k].may_read ? "write"
                                                : "*");
        printf("  %s\n", token->name);
    }
    if (!tokens->are_asked_for)
        fprintf(stderr,
                "no token was ever made: /fhir asks for none, and answers this machine alone\n");
}

/* With the last one gone nobody is let in, and not everybody. */
static enum err revoke(const char *dir, struct fhir_tokens *tokens, const char *id,
                       struct fault *fault) {
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->list[i].id, id) != 0)
            continue;
        tokens->list[i] = tokens->list[--tokens->count];
        enum err err = fhir_tokens_save(tokens, NULL, dir, fault);
        if (!err && tokens->count == 0)
            fprintf(stderr,
                    "no token is left: /fhir asks for none, and answers this machine alone\n");
        return err;
    }
    return fault_set_subject(fault, ERR_NOT_FOUND, "there is no token of this id", id);
}

/* ---- the command ---- */

int node_token_command(int argc, char **argv) {
    const char *name = NULL, *scopes = NULL;
    uint64_t days = 0;
    const struct option_spec specs[] = {{"name", NULL, &name, NULL},
                                        {"scope", NULL, &scopes, NULL},
                                        {"days", NULL, NULL, &days},
                                        {0}};
    struct fault fault = {0};
    int count;
    if (!options_read(argc, argv, specs, &count) || count < 2)
        return command_usage(token_usage);
    const char *dir = argv[1], *verb = argv[2];
    struct fhir_tokens *tokens = memory_alloc(1, sizeof *tokens);
    enum err err = tokens ? site_is_there(NULL, dir, &fault)
                          : fault_set(&fault, ERR_MEMORY, "no memory for tokens");
    if (!err)
        err = fhir_tokens_load(tokens, NULL, dir, &fault);
    bool is_known = true;
    if (!err && !strcmp(verb, "create") && count == 2)
        err = create(dir, tokens, name, scopes, days, &fault);
    else if (!err && !strcmp(verb, "list") && count == 2)
        list(tokens);
    else if (!err && !strcmp(verb, "revoke") && count == 3)
        err = revoke(dir, tokens, argv[3], &fault);
    else
        is_known = err != ERR_OK;
    memory_free(tokens);
    if (!is_known)
        return command_usage(token_usage);
    return err ? command_fail(err, &fault) : 0;
}
