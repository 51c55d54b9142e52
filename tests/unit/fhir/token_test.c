/* token_test.c - tokens and their scopes: what is let in, what never is, and what lies on the disk. */
#include "fhir/fhir.h"
#include "tap.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW (1795446000 * US_PER_S)
#define DAY (INT64_C(24) * 3600 * US_PER_S)

static char dir[] = "/tmp/veilleuse-token-XXXXXX";
static struct fhir_tokens tokens, again;
static struct fault fault;

static void scopes(void) {
    static const char *const good[] = {"system/Patient.read", "system/*.read", "system/*.write",
                                       "system/Observation.*"};
    static const char *const bad[] = {"",
                                      "system/",
                                      "system/Patient",
                                      "patient/Patient.read",
                                      "system/Patient.reads",
                                      "system/patient.read",
                                      "system/.read",
                                      "system/Pat ient.read",
                                      "system/Patient.read ",
                                      "user/*.read",
                                      "system/**.read"};
    struct fhir_scope scope;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!ok(fhir_scope_read(bytes_from_string(good[i]), &scope)))
            printf("# %s\n", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!ok(!fhir_scope_read(bytes_from_string(bad[i]), &scope)))
            printf("# %s\n", bad[i]);
    struct fhir_token token = {.scope_count = 2};
    ok(fhir_scope_read(BYTES("system/Patient.read"), &token.scopes[0]));
    ok(fhir_scope_read(BYTES("system/Observation.write"), &token.scopes[1]));
    ok(fhir_token_may_read(&token, "Patient") && !fhir_token_may_write(&token, "Patient"));
    ok(!fhir_token_may_read(&token, "Observation") && fhir_token_may_write(&token, "Observation"));
    ok(!fhir_token_may_read(&token, "*") && !fhir_token_may_read(&token, "Pat"));
    ok(fhir_token_may_read(NULL, "Patient"), "no token is asked for");
}

static const struct fhir_token *find(const char *before, const char *text, int64_t now) {
    char header[200];
    snprintf(header, sizeof header, "%s%s", before, text);
    return fhir_token_find(&again, header, now);
}

static void round_trip(void) {
    struct fhir_token like = {.name = "laboratoire, étage 2",
                              .created_at = NOW,
                              .expires_at = NOW + DAY,
                              .scope_count = 1};
    struct fhir_token forever = {
        .name = "x", .created_at = NOW, .expires_at = INSTANT_NONE, .scope_count = 1};
    char first[FHIR_TOKEN_TEXT_BYTES], second[FHIR_TOKEN_TEXT_BYTES], path[64], file[4096];
    struct stat stat_of;
    size_t size;
    is_int(fhir_tokens_load(&tokens, NULL, dir, &fault), ERR_OK);
    ok(tokens.count == 0 && !tokens.are_asked_for, "before the first, none is asked for");
    ok(fhir_scope_read(BYTES("system/Patient.read"), &like.scopes[0]) &&
       fhir_scope_read(BYTES("system/*.*"), &forever.scopes[0]));
    is_int(fhir_token_add(&tokens, &like, first, &fault), ERR_OK);
    is_int(fhir_token_add(&tokens, &forever, second, &fault), ERR_OK);
    is_int(fhir_tokens_save(&tokens, NULL, dir, &fault), ERR_OK);
    is_int(fhir_tokens_load(&again, NULL, dir, &fault), ERR_OK);
    is_int(again.count, 2);
    is_string(again.list[0].name, "laboratoire, étage 2");
    ok(again.list[1].scopes[0].may_write && again.list[1].expires_at == INSTANT_NONE);
    ok(find("Bearer ", first, NOW) == &again.list[0] &&
       find("bearer  ", second, NOW) == &again.list[1]);
    ok(!find("Bearer ", first, NOW + DAY), "it ends when it says");
    ok(!find("Basic ", first, NOW) && !find("", first, NOW) && !find("Bearer ", "", NOW) &&
       !find("Bearer", first, NOW));
    first[10] ^= 1;
    ok(!find("Bearer ", first, NOW));
    first[10] ^= 1;
    ok(!fhir_token_find(&again, NULL, NOW));
    /* Neither token stands in the file, and nobody else may read it. */
    snprintf(path, sizeof path, "%s/access/tokens", dir);
    is_int(sys_read_file(NULL, path, file, sizeof file - 1, &size, &fault), ERR_OK);
    file[size] = 0;
    ok(!strstr(file, first + 4) && !strstr(file, second + 4));
    ok(!stat(path, &stat_of) && (stat_of.st_mode & 0777) == 0600);
    again.count = 0;
    is_int(fhir_tokens_save(&again, NULL, dir, &fault), ERR_OK);
    is_int(fhir_tokens_load(&again, NULL, dir, &fault), ERR_OK);
    ok(again.count == 0 && again.are_asked_for, "with the last one revoked, nobody is let in");
}

static void damaged(void) {
    static const char *const contents[] = {
        "",
        "veilleuse-tokens/2\n",
        "veilleuse-tokens/1\nxyz\n",
        "veilleuse-tokens/1\n00\t-\t-\tsystem/*.read\tx\n",
        "veilleuse-tokens/1\n"
        "0000000000000000000000000000000000000000000000000000000000000000\t-\t-\t\tx\n",
        "veilleuse-tokens/1\n"
        "0000000000000000000000000000000000000000000000000000000000000000\t-\tsoon\tsystem/"
        "*.read\tx\n"};
    char path[64];
    snprintf(path, sizeof path, "%s/access/tokens", dir);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        is_int(sys_replace_file(NULL, path, bytes_from_string(contents[i]), 0600, &fault), ERR_OK);
        is_int(fhir_tokens_load(&again, NULL, dir, &fault), ERR_CORRUPT);
    }
    struct fhir_token bad = {.name = "a\tb", .scope_count = 1}, none = {.name = "a"};
    char text[FHIR_TOKEN_TEXT_BYTES];
    is_int(fhir_token_add(&tokens, &bad, text, &fault), ERR_INPUT);
    is_int(fhir_token_add(&tokens, &none, text, &fault), ERR_INPUT);
    tokens.count = FHIR_TOKENS_MAX;
    is_int(fhir_token_add(&tokens, &bad, text, &fault), ERR_LIMIT);
    unlink(path);
    snprintf(path, sizeof path, "%s/access", dir);
    rmdir(path);
    rmdir(dir);
}

int main(void) {
    if (sodium_init() < 0 || !mkdtemp(dir))
        return 1;
    scopes();
    round_trip();
    damaged();
    return done();
}
