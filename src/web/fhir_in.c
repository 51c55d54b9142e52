/* fhir_in.c - FHIR that other programs send: checked as far as the sender can be helped by it, stored, and answered once it lasts.
 *
 * Invariants
 *   Nothing is answered as taken before commit has said that it is durable. What is not JSON, or not what the URL says, is refused
 *   and not stored: its sender keeps it.
 *   A body is held until then, so that nothing of it is lost by a commit that is started again: its sender is told to try again,
 *   and commit knows a repeat by its content.
 *
 *   COMING --end--> SENDING --round*--> ASKED --web_uploads_appended--> answered
 *      \--refused--/      \--link lost, too late--> 503 --/
 */
#include "web/role.h"

#include "fhir/fhir.h"
#include "formats/fhir/fhir.h"

#include <stdio.h>

#define PIECE_BYTES ((size_t)64 << 10)
#define FRAME_BYTES ((size_t)256 << 10) /* larger bodies become blobs */
#define FIRST_BYTES ((size_t)16 << 10)
#define BLOB_HEAD   4096u
#define PATIENCE_US (30 * US_PER_S)
#define ENTRIES_MAX 20000u /* of a Bundle that is answered entry by entry */

/* ---- answers ---- */

static void begin_answer(struct web *web) {
    arena_clear(&web->arena);
    text_init(&web->out, web->page_buffer, PAGE_BYTES_MAX);
}

static enum http_step refuse(struct web *web, struct http_answer *answer, unsigned status,
                             const char *code, const char *what) {
    static const struct http_field later[] = {{"Retry-After", "10"}};
    static const struct http_field who[] = {{"WWW-Authenticate", "Bearer realm=\"veilleuse\""}};
    text_init(&web->out, web->page_buffer, PAGE_BYTES_MAX);
    fhir_put_outcome(&web->out, "error", code, what);
    answer->status = status;
    answer->type = FHIR_MEDIA_TYPE;
    answer->body = text_bytes(&web->out);
    answer->fields = status == 503 ? later : status == 401 ? who : NULL;
    answer->field_count = answer->fields ? 1 : 0;
    return HTTP_ANSWERED;
}

/* ---- slots ---- */

static struct upload *find_upload(struct web *web, uint64_t token) {
    for (size_t i = 0; i < UPLOADS_MAX; i++)
        if (web->uploads.list[i].phase != UPLOAD_FREE && web->uploads.list[i].token == token)
            return &web->uploads.list[i];
    return NULL;
}

static struct upload *free_upload(struct web *web) {
    for (size_t i = 0; i < UPLOADS_MAX; i++)
        if (web->uploads.list[i].phase == UPLOAD_FREE)
            return &web->uploads.list[i];
    return NULL;
}

static void forget_body(struct web *web, struct upload *upload) {
    web->uploads.held_bytes -= upload->room;
    memory_free(upload->body);
    upload->body = NULL;
    upload->size = upload->room = 0;
}

static void forget(struct web *web, struct upload *upload) {
    forget_body(web, upload);
    memory_free(upload->reply);
    *upload = (struct upload){0};
}

static size_t bytes_max(const struct web *web) {
    int64_t limit = web->options->message_bytes_max;
    return limit > 0 && (uint64_t)limit < UPLOAD_BYTES_MAX ? (size_t)limit : UPLOAD_BYTES_MAX;
}

static bool make_room(struct web *web, struct upload *upload, size_t size) {
    size_t room = upload->room ? upload->room : FIRST_BYTES;
    while (room < size)
        room *= 2;
    room = room > UPLOAD_BYTES_MAX ? UPLOAD_BYTES_MAX : room;
    if (web->uploads.held_bytes - upload->room + room > UPLOAD_BYTES_MAX)
        return false;
    uint8_t *body = memory_grow(upload->body, room, 1);
    if (!body)
        return false;
    web->uploads.held_bytes += room - upload->room;
    upload->body = body;
    upload->room = room;
    return true;
}

/* ---- the headers ---- */

/* application/fhir+json or application/json, in UTF-8; NDJSON at the base alone. */
static bool type_is_taken(const char *type, bool is_base, bool *is_lines) {
    struct bytes rest = bytes_from_string(type ? type : ""), name, part;
    if (!bytes_next_part(&rest, ';', &name))
        return false;
    name = bytes_trim(name);
    *is_lines = bytes_is(name, "application/fhir+ndjson") || bytes_is(name, "application/x-ndjson");
    if (!bytes_is(name, "application/fhir+json") && !bytes_is(name, "application/json") &&
        !(*is_lines && is_base))
        return false;
    while (bytes_next_part(&rest, ';', &part)) {
        part = bytes_trim(part);
        if (bytes_starts_with(part, BYTES("charset=")) &&
            strncasecmp((const char *)part.data + 8, "utf-8", part.size - 8) != 0 &&
            strncasecmp((const char *)part.data + 8, "\"utf-8\"", part.size - 8) != 0)
            return false;
    }
    return true;
}

struct target {
    struct bytes type, id; /* empty: the base */
    bool is_wrong;
};

/* /fhir, /fhir/Type, /fhir/Type/id */
static struct target target_of(const char *path) {
    struct bytes rest = bytes_from_string(path), part;
    struct target out = {0};
    if (strncmp(path, "/fhir", 5) != 0 || (path[5] && path[5] != '/')) {
        out.is_wrong = true;
        return out;
    }
    rest = bytes_skip(rest, 6);
    if (bytes_next_part(&rest, '/', &part) && !bytes_is_empty(part))
        out.type = part;
    if (!bytes_is_empty(out.type) && bytes_next_part(&rest, '/', &part) && !bytes_is_empty(part))
        out.id = part;
    out.is_wrong = (out.type.size && !fhir_is_type(out.type)) ||
                   (out.id.size && !fhir_is_id(out.id)) ||
                   (out.id.size && bytes_next_part(&rest, '/', &part));
    return out;
}

static bool is_put(const struct http_request *request) {
    return !strcmp(http_method(request), "PUT");
}

static enum http_step refuse_url(struct web *web, struct http_request *request,
                                 const struct target *target, struct http_answer *answer) {
    if (!web_is_fhir(http_path(request))) {
        answer->status = 405;
        answer->type = "text/plain; charset=utf-8";
        answer->body = BYTES("only GET and HEAD\n");
        return HTTP_ANSWERED;
    }
    if (target->is_wrong)
        return refuse(web, answer, 404, "not-found", "there is no such place to send to");
    return is_put(request)
               ? refuse(web, answer, 405, "not-supported", "PUT names a resource: /fhir/Type/id")
               : refuse(web, answer, 405, "not-supported",
                        "POST goes to /fhir or /fhir/Type; a resource with an id is PUT");
}

/* Until the first token is made, whoever is on this machine may send, as with pages. */
static bool may_send(struct web *web, struct http_request *request, struct http_answer *answer,
                     struct bytes type, struct upload *upload) {
    struct fault fault = {0};
    struct fhir_tokens *tokens = arena_alloc(&web->arena, sizeof *tokens);
    char name[64] = "*";
    if (!tokens || fhir_tokens_load(tokens, web->life.sys, web->options->site_dir, &fault)) {
        trace_fault("the tokens cannot be read", &fault);
        refuse(web, answer, 503, "security", "the tokens cannot be read: nobody is let in");
        return false;
    }
    snprintf(upload->source, sizeof upload->source, "fhir");
    if (!tokens->are_asked_for)
        return true;
    const struct fhir_token *token =
        fhir_token_find(tokens, http_header(request, "Authorization"), sys_now_us(web->life.sys));
    if (!token) {
        refuse(web, answer, 401, "login", "this needs a token: Authorization: Bearer ...");
        return false;
    }
    if (type.size && type.size < sizeof name)
        snprintf(name, sizeof name, "%.*s", (int)type.size, (const char *)type.data);
    if (!fhir_token_may_write(token, name)) {
        refuse(web, answer, 403, "forbidden", "this token may not write that");
        return false;
    }
    /* Whose logical ids these are: the token's name. */
    snprintf(upload->source, sizeof upload->source, "fhir:%s", token->name);
    return true;
}

/* POST /fhir/Type/_search asks, and sends nothing: its body are the parameters. */
static bool is_search(const struct http_request *request) {
    static const char end[] = "/_search";
    size_t size = strlen(http_path(request));
    return !is_put(request) && web_is_fhir(http_path(request)) && size >= sizeof end &&
           !strcmp(http_path(request) + size - (sizeof end - 1), end);
}

static enum http_step begin_search(struct web *web, struct http_request *request,
                                   struct upload *wanted, struct http_answer *answer) {
    const char *type = http_header(request, "Content-Type");
    if (type && strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return refuse(web, answer, 415, "not-supported",
                      "a search's body is application/x-www-form-urlencoded");
    struct upload *upload = free_upload(web);
    if (!upload || !make_room(web, wanted, FIRST_BYTES))
        return refuse(web, answer, 503, "throttled", "too much is being sent at once: try again");
    wanted->is_search = true;
    *upload = *wanted;
    return HTTP_WAIT;
}

static enum http_step end_search(struct web *web, struct http_request *request,
                                 struct upload *upload, struct http_answer *answer) {
    enum http_step step =
        upload->is_too_large || upload->size > FIRST_BYTES
            ? refuse(web, answer, 413, "too-long", "these are too many parameters")
            : web_fhir_search(web, request, bytes_from(upload->body, upload->size), answer);
    forget(web, upload);
    return step;
}

static enum http_step begin(void *owner, struct http_request *request, struct http_answer *answer) {
    struct web *web = owner;
    struct target target = target_of(http_path(request));
    struct upload wanted = {.token = http_token(request),
                            .phase = UPLOAD_COMING,
                            .since = web->life.loop.monotonic_us,
                            .is_put = is_put(request)};
    const char *length = http_header(request, "Content-Length");
    uint64_t size = 0;
    begin_answer(web);
    if (is_search(request))
        return begin_search(web, request, &wanted, answer);
    if (target.is_wrong || wanted.is_put != !bytes_is_empty(target.id))
        return refuse_url(web, request, &target, answer);
    if (!may_send(web, request, answer, target.type, &wanted))
        return HTTP_ANSWERED;
    if (!type_is_taken(http_header(request, "Content-Type"), bytes_is_empty(target.type),
                       &wanted.is_lines))
        return refuse(
            web, answer, 415, "not-supported",
            "the body is application/fhir+json in UTF-8; at /fhir also application/fhir+ndjson");
    if (http_header(request, "If-None-Exist") || http_header(request, "If-Match"))
        return refuse(
            web, answer, 412, "conflict",
            "what stands here may be behind its source, so no condition can be decided: send "
            "without one; the same content is stored once");
    if (length && bytes_to_u64(bytes_from_string(length), &size) && size > bytes_max(web))
        return refuse(web, answer, 413, "too-long", "this body is larger than is taken");
    if (strlen(http_path(request)) >= sizeof wanted.path)
        return refuse(web, answer, 404, "not-found", "there is no such place to send to");
    struct upload *upload = free_upload(web);
    if (!upload || !make_room(web, &wanted, (size_t)size))
        return refuse(web, answer, 503, "throttled", "too much is being sent at once: try again");
    snprintf(wanted.path, sizeof wanted.path, "%s", http_path(request));
    *upload = wanted;
    return HTTP_WAIT;
}

static void data(void *owner, uint64_t token, struct bytes piece) {
    struct web *web = owner;
    struct upload *upload = find_upload(web, token);
    if (!upload || upload->is_too_large)
        return;
    upload->since = web->life.loop.monotonic_us;
    if (piece.size > bytes_max(web) - upload->size ||
        (upload->size + piece.size > upload->room &&
         !make_room(web, upload, upload->size + piece.size))) {
        upload->is_too_large = true;
        forget_body(web, upload);
        return;
    }
    memcpy(upload->body + upload->size, piece.data, piece.size);
    upload->size += piece.size;
}

/* ---- what the body is ---- */

/* What the check of a body found; status 0: it may be stored. */
struct verdict {
    unsigned status;
    const char *code, *what;
};
static const struct verdict fine = {0};

struct check {
    struct web *web;
    struct upload *upload;
    struct http_request *request;
    struct target target;
    const struct fhir_tokens *tokens;
    const struct fhir_token *token;
};

static struct verdict read_json(struct web *web, struct bytes body, const struct fhir_node **root) {
    struct fault fault = {0};
    struct text what;
    enum err err = fhir_read(body, &web->arena, root, &fault);
    if (!err)
        return fine;
    if (text_init_arena(&what, &web->arena, 200))
        return (struct verdict){413, "too-long", "this body is too large to be read"};
    text_put_string(&what, fault.what);
    if (err == ERR_INPUT)
        text_put_format(&what, ", at byte %llu", (unsigned long long)fault.at);
    return err == ERR_INPUT ? (struct verdict){400, "structure", what.data}
                            : (struct verdict){413, "too-long", what.data};
}

static bool may_write(const struct check *check, struct bytes type) {
    char name[64];
    if (!check->tokens->are_asked_for)
        return true;
    snprintf(name, sizeof name, "%.*s", (int)(type.size < 60 ? type.size : 60),
             (const char *)type.data);
    return check->token && fhir_token_may_write(check->token, name);
}

static struct verdict check_entry(const struct check *check, const struct fhir_node *entry,
                                  bool is_asked) {
    struct arena *arena = &check->web->arena;
    const struct fhir_node *request = fhir_member(entry, "request");
    const struct fhir_node *resource = fhir_member(entry, "resource");
    struct fhir_reference url = fhir_url(fhir_member_text(request, "url", arena), arena);
    bool deletes = fhir_member_is(request, "method", "DELETE");
    struct bytes type = deletes ? url.type : fhir_member_text(resource, "resourceType", arena);
    if (is_asked && !deletes && !fhir_member_is(request, "method", "POST") &&
        !fhir_member_is(request, "method", "PUT"))
        return (struct verdict){400, "not-supported",
                                "an entry's request is POST, PUT or DELETE; nothing was stored"};
    if (deletes && bytes_is_empty(url.id))
        return (struct verdict){412, "multiple-matches",
                                "a deletion names a resource by its id; nothing was stored"};
    if (fhir_member(request, "ifMatch"))
        return (struct verdict){412, "conflict",
                                "ifMatch cannot be decided here; nothing was stored"};
    if (!deletes && (!resource || !fhir_is_type(type)))
        return (struct verdict){422, "required", "an entry has no resource; nothing was stored"};
    if (fhir_member_is(request, "method", "PUT") && url.kind == FHIR_REFERENCE_RELATIVE &&
        !bytes_equal(url.id, fhir_member_text(resource, "id", arena)))
        return (struct verdict){
            400, "invariant",
            "an entry's resource has another id than its PUT; nothing was stored"};
    return may_write(check, type)
               ? fine
               : (struct verdict){403, "forbidden",
                                  "this token may not write that; nothing was stored"};
}

/* ---- replies, made before the body goes and kept until it lasts ---- */

static void put_entry_reply(struct json *json, struct web *web, const struct fhir_node *entry,
                            const char bundle_id[FACTS_FHIR_ID_BYTES], int64_t now) {
    struct arena *arena = &web->arena;
    const struct fhir_node *request = fhir_member(entry, "request");
    const struct fhir_node *resource = fhir_member(entry, "resource");
    struct bytes id = facts_fhir_entry_id(entry, bundle_id, arena);
    char location[256];
    bool deletes = fhir_member_is(request, "method", "DELETE");
    bool puts = fhir_member_is(request, "method", "PUT");
    struct bytes type = fhir_member_text(resource, "resourceType", arena);
    json_object_begin(json);
    json_name(json, "response");
    json_object_begin(json);
    json_member_string(json, "status", deletes ? "204" : puts ? "200" : "201");
    if (!deletes) {
        snprintf(location, sizeof location, "%.*s/%.*s", (int)(type.size < 64 ? type.size : 64),
                 (const char *)type.data, (int)(id.size < 128 ? id.size : 128),
                 (const char *)id.data);
        json_member_string(json, "location", location);
    }
    json_member_instant(json, "lastModified", now);
    json_object_end(json);
    json_object_end(json);
}

static void put_bundle_reply(struct web *web, const struct fhir_node *bundle, int64_t now) {
    struct json json;
    struct bytes type = fhir_member_text(bundle, "type", &web->arena);
    char bundle_id[FACTS_FHIR_ID_BYTES];
    size_t count = 0;
    facts_fhir_id(bundle->raw, bundle_id);
    json_init(&json, &web->out);
    json_object_begin(&json);
    json_member_string(&json, "resourceType", "Bundle");
    json_member_string(&json, "type",
                       bytes_is(type, "transaction") ? "transaction-response" : "batch-response");
    json_name(&json, "entry");
    json_array_begin(&json);
    for (const struct fhir_node *entry = fhir_items(fhir_member(bundle, "entry"));
         entry && count < ENTRIES_MAX; entry = entry->next, count++)
        put_entry_reply(&json, web, entry, bundle_id, now);
    json_array_end(&json);
    json_object_end(&json);
}

static bool keep_reply(struct web *web, struct upload *upload, unsigned status) {
    struct bytes reply = text_bytes(&web->out);
    upload->status = status;
    if (web->out.full) { /* a Bundle of very many entries */
        text_init(&web->out, web->page_buffer, PAGE_BYTES_MAX);
        fhir_put_outcome(&web->out, "information", "informational",
                         "stored; its entries are too many to be listed here");
        reply = text_bytes(&web->out);
    }
    upload->reply = memory_alloc(1, reply.size + 1);
    if (!upload->reply)
        return false;
    memcpy(upload->reply, reply.data, reply.size);
    upload->reply_bytes = reply.size;
    return true;
}

/* ---- each kind of body ---- */

static struct verdict check_bundle(const struct check *check, const struct fhir_node *bundle) {
    struct arena *arena = &check->web->arena;
    struct bytes type = fhir_member_text(bundle, "type", arena);
    bool is_asked = bytes_is(type, "transaction") || bytes_is(type, "batch");
    if (bytes_is_empty(type))
        return (struct verdict){422, "required", "a Bundle says its type"};
    for (const struct fhir_node *entry = fhir_items(fhir_member(bundle, "entry")); entry;
         entry = entry->next) {
        struct verdict verdict = check_entry(check, entry, is_asked);
        if (verdict.status)
            return verdict;
    }
    text_init(&check->web->out, check->web->page_buffer, PAGE_BYTES_MAX);
    put_bundle_reply(check->web, bundle, check->upload->received_at);
    return keep_reply(check->web, check->upload, 200)
               ? fine
               : (struct verdict){503, "throttled", "no memory for the answer: try again"};
}

static struct verdict check_resource(const struct check *check, const struct fhir_node *root) {
    struct web *web = check->web;
    struct upload *upload = check->upload;
    struct bytes type = fhir_member_text(root, "resourceType", &web->arena);
    struct bytes id = fhir_member_text(root, "id", &web->arena);
    char digest[FACTS_FHIR_ID_BYTES];
    if (!bytes_equal(type, check->target.type))
        return (struct verdict){400, "invariant",
                                "the resource is of another type than its URL says"};
    if (upload->is_put && !bytes_equal(id, check->target.id))
        return (struct verdict){400, "invariant", "the resource has another id than its URL"};
    if (id.size && !fhir_is_id(id))
        return (struct verdict){400, "value", "the resource's id is not of the form"};
    if (bytes_is_empty(id)) {
        facts_fhir_id(root->raw, digest);
        id = bytes_from_string(digest);
    }
    snprintf(upload->location, sizeof upload->location, "/fhir/%.*s/%.*s", (int)type.size,
             (const char *)type.data, (int)id.size, (const char *)id.data);
    text_init(&web->out, web->page_buffer, PAGE_BYTES_MAX);
    fhir_put_outcome(&web->out, "information", "informational", "stored");
    return keep_reply(web, upload, upload->is_put ? 200 : 201)
               ? fine
               : (struct verdict){503, "throttled", "no memory for the answer: try again"};
}

/* Every line is a document of its own: all are, or nothing is stored. */
static struct verdict check_lines(const struct check *check) {
    struct web *web = check->web;
    struct bytes rest = bytes_from(check->upload->body, check->upload->size), line;
    size_t used = web->arena.bytes_used;
    while (bytes_next_part(&rest, '\n', &line)) {
        const struct fhir_node *root;
        struct verdict verdict =
            bytes_is_empty(bytes_trim(line)) ? fine : read_json(web, line, &root);
        if (!verdict.status && !bytes_is_empty(bytes_trim(line))) {
            struct bytes type = fhir_member_text(root, "resourceType", &web->arena);
            if (!fhir_is_type(type))
                verdict = (struct verdict){422, "structure", "a line is no FHIR resource"};
            else if (!may_write(check, bytes_is(type, "Bundle") ? BYTES("*") : type))
                verdict = (struct verdict){403, "forbidden", "this token may not write that"};
        }
        if (verdict.status)
            return verdict;
        if (web->arena.bytes_used - used > ARENA_BYTES_MAX / 2 && !check->tokens->are_asked_for) {
            arena_clear(&web->arena); /* the tokens lie in it, where they are asked for */
            used = 0;
        }
    }
    text_init(&web->out, web->page_buffer, PAGE_BYTES_MAX);
    fhir_put_outcome(&web->out, "information", "informational", "stored");
    return keep_reply(web, check->upload, 200)
               ? fine
               : (struct verdict){503, "throttled", "no memory for the answer: try again"};
}

static struct verdict check_body(struct check *check) {
    const struct fhir_node *root;
    struct upload *upload = check->upload;
    struct fault fault = {0};
    struct fhir_tokens *tokens = arena_alloc(&check->web->arena, sizeof *tokens);
    if (!tokens ||
        fhir_tokens_load(tokens, check->web->life.sys, check->web->options->site_dir, &fault))
        return (struct verdict){503, "security", "the tokens cannot be read: nobody is let in"};
    check->tokens = tokens;
    check->token =
        fhir_token_find(tokens, http_header(check->request, "Authorization"), upload->received_at);
    if (upload->is_too_large)
        return (struct verdict){413, "too-long", "this body is larger than is taken"};
    if (upload->is_lines)
        return check_lines(check);
    struct verdict verdict = read_json(check->web, bytes_from(upload->body, upload->size), &root);
    if (verdict.status)
        return verdict;
    struct bytes type = fhir_member_text(root, "resourceType", &check->web->arena);
    if (root->kind != FHIR_OBJECT || !fhir_is_type(type))
        return (struct verdict){422, "structure", "this JSON is no FHIR resource"};
    if (bytes_is_empty(check->target.type) && !bytes_is(type, "Bundle"))
        return (struct verdict){422, "structure", "what is sent to /fhir is a Bundle"};
    if (bytes_is(type, "Bundle") && !upload->is_put)
        return check_bundle(check, root);
    return check_resource(check, root);
}

static enum http_step end(void *owner, struct http_request *request, struct http_answer *answer) {
    struct web *web = owner;
    struct upload *upload = find_upload(web, http_token(request));
    begin_answer(web);
    if (!upload)
        return refuse(web, answer, 503, "transient", "this was given up: try again");
    if (upload->is_search)
        return end_search(web, request, upload, answer);
    upload->received_at = sys_now_us(web->life.sys);
    struct check check = {
        .web = web, .upload = upload, .request = request, .target = target_of(upload->path)};
    struct verdict verdict = check_body(&check);
    if (verdict.status)
        return refuse(web, answer, verdict.status, verdict.code, verdict.what);
    upload->phase = UPLOAD_SENDING;
    upload->since = web->life.loop.monotonic_us;
    return HTTP_WAIT;
}

static void gone(void *owner, uint64_t token) {
    struct web *web = owner;
    struct upload *upload = find_upload(web, token);
    if (upload)
        forget(web, upload);
}

const struct http_uploads web_fhir_uploads = {begin, data, end, gone};

/* ---- to commit ---- */

static struct append_request request_of(const struct upload *upload, size_t body_bytes) {
    return (struct append_request){
        .token = upload->token,
        .check_repeat = true,
        .kind = VAULT_MESSAGE,
        .received_at = upload->received_at,
        .media_type =
            upload->is_lines ? BYTES("application/fhir+ndjson") : BYTES("application/fhir+json"),
        .source = bytes_from_string(upload->source),
        .body = bytes_from(upload->body, body_bytes),
    };
}

static bool link_has_room(struct ipc *ipc, size_t size) {
    if (ipc_room(ipc) >= size)
        return true;
    /* A failing link is found again, and closed, by the loop. */
    return !ipc_flush(ipc) && ipc_room(ipc) >= size;
}

static bool send_whole(struct ipc *ipc, struct upload *upload) {
    struct append_request request = request_of(upload, upload->size);
    return link_has_room(ipc, upload->size + 4096) &&
           !roles_put_append(ipc, MESSAGE_APPEND, &request);
}

/* As much as there is room for; true at the end. */
static bool send_pieces(struct ipc *ipc, struct upload *upload) {
    while (link_has_room(ipc, PIECE_BYTES + 8192)) {
        size_t left = upload->size - upload->sent, size = left < PIECE_BYTES ? left : PIECE_BYTES;
        struct append_request request =
            request_of(upload, upload->size < BLOB_HEAD ? upload->size : BLOB_HEAD);
        if (!upload->is_begun) {
            if (roles_put_blob(ipc, MESSAGE_BLOB_BEGIN, upload->token, BYTES_NONE))
                return false;
            upload->is_begun = true;
        }
        if (left == 0)
            return !roles_put_append(ipc, MESSAGE_BLOB_END, &request);
        if (roles_put_blob(ipc, MESSAGE_BLOB_DATA, upload->token,
                           bytes_from(upload->body + upload->sent, size)))
            return false;
        upload->sent += size;
    }
    return false;
}

static void give_up(struct web *web, struct upload *upload, unsigned status, const char *code,
                    const char *what) {
    struct http_answer answer = {0};
    struct role_link *link = &web->life.links[ROLE_COMMIT];
    if (upload->is_begun && upload->phase == UPLOAD_SENDING && link->is_open &&
        roles_put_blob(&link->ipc, MESSAGE_BLOB_ABORT, upload->token, BYTES_NONE))
        trace_warning("commit was not told that a large body is given up");
    upload->phase = UPLOAD_ASKED; /* until its request is gone nothing more is sent */
    upload->is_begun = false;
    refuse(web, &answer, status, code, what);
    http_finish(web->http, upload->token, &answer);
    forget(web, upload);
}

void web_uploads_round(struct web *web) {
    struct role_link *link = &web->life.links[ROLE_COMMIT];
    int64_t now = web->life.loop.monotonic_us;
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        struct upload *upload = &web->uploads.list[i];
        if (upload->phase == UPLOAD_SENDING && link->is_open &&
            (upload->size <= FRAME_BYTES ? send_whole(&link->ipc, upload)
                                         : send_pieces(&link->ipc, upload)))
            upload->phase = UPLOAD_ASKED;
        if ((upload->phase == UPLOAD_SENDING || upload->phase == UPLOAD_ASKED) &&
            now - upload->since > PATIENCE_US)
            give_up(web, upload, 503, "timeout", "it could not be stored in time: try again");
    }
}

/* Whether it was stored is not known: sent again, it is stored once. */
void web_uploads_link_lost(struct web *web) {
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        struct upload *upload = &web->uploads.list[i];
        if (upload->phase == UPLOAD_ASKED || (upload->phase == UPLOAD_SENDING && upload->is_begun))
            give_up(web, upload, 503, "transient", "the vault is being started again: try again");
    }
}

static void answer_error(struct web *web, struct upload *upload, enum err err) {
    if (err == ERR_FULL)
        give_up(web, upload, 503, "no-store", "the disk is full: nothing was stored");
    else if (err == ERR_LIMIT)
        give_up(web, upload, 413, "too-long", "this body is larger than is taken");
    else
        give_up(web, upload, 503, "exception", "the vault takes nothing: nothing was stored");
}

enum err web_uploads_appended(struct web *web, const struct ipc_frame *frame) {
    struct append_answer appended;
    enum err err = roles_get_appended(frame, &appended);
    struct upload *upload = err ? NULL : find_upload(web, appended.token);
    if (!upload || upload->phase != UPLOAD_ASKED)
        return err; /* its sender has left, or was told to try again */
    if (appended.err) {
        answer_error(web, upload, appended.err);
        return ERR_OK;
    }
    struct http_answer answer = {
        .status = appended.is_repeat && upload->status == 201 ? 200 : upload->status,
        .type = FHIR_MEDIA_TYPE,
        .location = upload->location[0] ? upload->location : NULL,
        .body = bytes_from(upload->reply, upload->reply_bytes),
    };
    http_finish(web->http, upload->token, &answer);
    forget(web, upload);
    return ERR_OK;
}

void web_uploads_release(struct web *web) {
    for (size_t i = 0; i < UPLOADS_MAX; i++)
        if (web->uploads.list[i].phase != UPLOAD_FREE)
            forget(web, &web->uploads.list[i]);
}
