/* fhir.h - what the chart knows, given to other programs as FHIR resources: read, search, everything of a patient, a summary.
 *
 * Shapes     in: a request (path below the base, parameters) and a view of the chart. out: one JSON document and a status. An error
 *            is an answer too: an OperationOutcome.
 * Units      instants in microseconds UTC.
 * Errors     fhir_answer never fails. Tokens: ERR_IO, ERR_INPUT (a scope), ERR_LIMIT (too many), ERR_NOT_FOUND.
 * Ownership  nothing is kept; the view's arena is emptied for each patient.
 * Limits     a page: FHIR_COUNT_MAX resources, FHIR_PERSONS_READ patients looked at; what is left is behind its next link.
 * Process    web; commands for tokens.
 * Source     HL7 FHIR R4 (4.0.1); HL7 v2-to-FHIR; IPS 2.0.1; SMART App Launch 2.0, scopes of the first version's form.
 */
#ifndef FHIR_FHIR_H
#define FHIR_FHIR_H

#include "base/base.h"
#include "chart/chart.h"

#define FHIR_COUNT_DEFAULT 50u
#define FHIR_COUNT_MAX     500u
#define FHIR_PERSONS_READ  256u
#define FHIR_BASE_BYTES    300u

/* ---- who may: tokens and their scopes ---- */

#define FHIR_TOKENS_MAX       64u
#define FHIR_SCOPES_MAX       16u
#define FHIR_TOKEN_NAME_BYTES 64u
#define FHIR_TOKEN_PREFIX     "vlt_"
/* DIR/access/tokens has hashes of tokens alone; the directory is 0700, the file 0600. */
#define FHIR_ACCESS_DIR "access"

struct fhir_scope { /* system/Patient.read: type "" is all, `*` */
    char type[48];
    bool may_read, may_write;
};
struct fhir_token {
    char id
        [17]; /* the first 16 hex digits of the hash: it names the token and does not give it away */
    char name[FHIR_TOKEN_NAME_BYTES];
    uint8_t hash[32];               /* SHA-256 of the token, which has 256 random bits */
    int64_t created_at, expires_at; /* INSTANT_NONE: never */
    struct fhir_scope scopes[FHIR_SCOPES_MAX];
    size_t scope_count;
};
struct fhir_tokens {
    struct fhir_token list[FHIR_TOKENS_MAX];
    size_t count;
    bool are_asked_for; /* there is a file: with the last token revoked, nobody is let in */
};
/* "system/Observation.read", "system/ *.read" (without the blank), .write, .* : false on anything else. */
bool fhir_scope_read(struct bytes text, struct fhir_scope *scope);
/* No file: no tokens. ERR_CORRUPT: it cannot be understood, and nobody may be let in. */
MUST_CHECK enum err fhir_tokens_load(struct fhir_tokens *tokens, struct sys *sys,
                                     const char *site_dir, struct fault *fault);
MUST_CHECK enum err fhir_tokens_save(const struct fhir_tokens *tokens, struct sys *sys,
                                     const char *site_dir, struct fault *fault);
/* A new one at the end of the list; `text` gets the token itself, which is kept nowhere. */
#define FHIR_TOKEN_TEXT_BYTES 72u
MUST_CHECK enum err fhir_token_add(struct fhir_tokens *tokens, const struct fhir_token *like,
                                   char text[FHIR_TOKEN_TEXT_BYTES], struct fault *fault);
/* The token of "Bearer ..." that is in force; NULL. Takes as long whichever it is. */
const struct fhir_token *fhir_token_find(const struct fhir_tokens *tokens,
                                         const char *authorization, int64_t now);
/* token NULL: none is asked for, and everything is allowed. type "*": every type. */
bool fhir_token_may_read(const struct fhir_token *token, const char *type);
bool fhir_token_may_write(const struct fhir_token *token, const char *type);

/* ---- questions ---- */

struct fhir_parameter {
    const char *name, *value; /* decoded */
};
struct fhir_view {
    struct chart_reader *chart; /* between begin and end; NULL: there is none now */
    uint64_t generation;        /* of the chart: next links say it */
    struct arena *arena;        /* emptied for each patient that is read */
    struct arena *keep;         /* another, that lasts for the answer */
    const char *base;           /* http://localhost:8080/fhir */
    const char *freshness;      /* current, late, silent, never, then */
    int64_t now, newest_received_at;
    struct zone *zone; /* of days in questions without a time of day; NULL: UTC */
    struct bytes site_name;
};
struct fhir_request {
    const char *path; /* "Patient/123", "" : below the base, without a slash in front */
    const struct fhir_parameter *parameters;
    size_t parameter_count;
    const char *accept; /* NULL: not said */
    bool is_strict;     /* Prefer: handling=strict */
    const struct fhir_token *token;
    const char *if_none_match;
};
struct fhir_answer {
    unsigned status;
    char etag[40];    /* W/"..."; empty: none */
    bool wants_entry; /* a Binary: the caller fetches this entry, then fhir_put_binary */
    uint64_t entry;
    bool is_pretty;
};
void fhir_answer(const struct fhir_view *view, const struct fhir_request *request, struct text *out,
                 struct fhir_answer *answer);
/* The entry as a Binary; `body` is all of it. */
void fhir_put_binary(struct text *out, uint64_t entry, struct bytes media_type, struct bytes body);
/* An OperationOutcome with one issue. `code`: an issue type, "not-found". */
void fhir_put_outcome(struct text *out, const char *severity, const char *code, const char *what);
/* The same JSON, a line a member. */
void fhir_put_pretty(struct text *out, struct bytes json);

#define FHIR_MEDIA_TYPE "application/fhir+json; charset=utf-8"

#endif
