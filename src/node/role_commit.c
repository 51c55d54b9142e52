/* role_commit.c - the one writer: takes what feeds and people bring, seals it, makes it durable, then answers.
 *
 * Invariants
 *   An answer ERR_OK leaves only after vault_writer_sync has returned ERR_OK for what it answers.
 *   A repeat is answered with the batch it arrived in, so a repeat of an entry that is not durable yet waits for it.
 *   After a failed sync no answer of that batch is ERR_OK.
 *
 *   frames -> append (answer queued) -> ... end of round or batch full: settle = sync, answers released -> flushed
 */
#include "chart/chart.h"
#include "node/door.h"
#include "node/role_main.h"

#include <stdio.h>

#define ANSWER_COUNT_MAX  65536u
#define BLOB_COUNT_MAX    256u
#define ANSWER_FRAME_BYTES 40u

struct queued_answer {
    enum role peer;
    uint32_t link_number; /* of the link it came by; an answer never goes to a later link of that peer */
    struct append_answer answer;
};

struct open_blob {
    struct vault_blob_writer *writer; /* NULL: free, or failed */
    enum role peer;
    uint64_t token;
    bool is_used;
    enum err err;
};

struct commit {
    struct role_life life;
    struct vault_writer *writer;
    struct queued_answer *answers;
    uint32_t answer_count, settled_count;
    uint32_t link_numbers[ROLE_COUNT];
    struct open_blob blobs[BLOB_COUNT_MAX];
    uint64_t published, told_durable, append_count, repeat_count, refused_count;
    int64_t reported_at;
    bool was_full, was_suspect;
    bool is_tending_late; /* what is due each day could not be done */
};

static void queue_answer(struct commit *commit, enum role peer, const struct append_answer *answer) {
    struct queued_answer *queued = &commit->answers[commit->answer_count++];
    *queued = (struct queued_answer){peer, commit->link_numbers[peer], *answer};
}

/* Let go as many settled answers as the links take. */
static void release_answers(struct commit *commit) {
    uint32_t i = 0;
    for (; i < commit->settled_count; i++) {
        const struct queued_answer *queued = &commit->answers[i];
        struct role_link *link = &commit->life.links[queued->peer];
        if (!link->is_open || queued->link_number != commit->link_numbers[queued->peer])
            continue;
        if (roles_put_appended(&link->ipc, &queued->answer))
            break;
    }
    memmove(commit->answers, commit->answers + i,
            (commit->answer_count - i) * sizeof *commit->answers);
    commit->answer_count -= i;
    commit->settled_count -= i;
    bool pause = commit->answer_count > ANSWER_COUNT_MAX / 2;
    for (unsigned peer = 0; peer < ROLE_COUNT; peer++)
        if (commit->life.links[peer].is_open && peer != ROLE_PUBLISH && peer != ROLE_OPEN)
            role_link_pause(&commit->life.links[peer], pause);
}

static void tell_durable(struct commit *commit) {
    uint64_t durable = vault_writer_durable_size(commit->writer);
    static const enum role peers[] = {ROLE_PUBLISH, ROLE_OPEN};
    for (size_t i = 0; i < 2; i++) {
        struct role_link *link = &commit->life.links[peers[i]];
        /* When it does not fit, a later round tells a later number. */
        if (link->is_open && !roles_put_number(&link->ipc, MESSAGE_DURABLE, durable))
            commit->told_durable = durable;
    }
}

/* Make all that is pending durable; whatever came of it, its answers are settled. */
static void settle(struct commit *commit) {
    enum err err = ERR_OK;
    struct fault fault = {0};
    if (vault_writer_pending_bytes(commit->writer) > 0)
        err = vault_writer_sync(commit->writer, &fault);
    if (err) {
        trace_fault("entries could not be made durable", &fault);
        for (uint32_t i = commit->settled_count; i < commit->answer_count; i++)
            if (!commit->answers[i].answer.err)
                commit->answers[i].answer.err = err == ERR_FULL ? ERR_FULL : ERR_STATE;
    }
    commit->settled_count = commit->answer_count;
    if (vault_writer_durable_size(commit->writer) != commit->told_durable)
        tell_durable(commit);
}

/* Between batches: the day's new epoch, a better dictionary. The old ones serve until it succeeds. */
static void tend(struct commit *commit) {
    struct fault fault = {0};
    if (!vault_writer_is_due(commit->writer))
        return;
    commit->is_tending_late = vault_writer_tend(commit->writer, &fault) != ERR_OK;
    if (commit->is_tending_late)
        trace_fault("a new epoch or dictionary could not begin; tried again in a minute", &fault);
}

static struct vault_append append_of(const struct append_request *request,
                                     struct vault_entry *entry) {
    *entry = roles_entry_of(request);
    return (struct vault_append){entry, request->check_repeat, request->is_from_person};
}

static void count_answer(struct commit *commit, enum err err, bool is_repeat) {
    commit->append_count += !err && !is_repeat;
    commit->repeat_count += !err && is_repeat;
    commit->refused_count += err != ERR_OK;
}

/* Only messages from feeds, and what people enter; the vault's own kinds are made by the writer. What counts as written at
 * another time than now, or lets go what was written, comes through the owner's door alone. */
static bool is_allowed(const struct role_link *link, const struct append_request *request) {
    enum vault_kind kind = request->kind;
    bool is_owners = request->is_restated || bytes_is(request->media_type, CHART_LET_GO_MEDIA_TYPE);
    return (kind == VAULT_MESSAGE || kind == VAULT_FACT || kind == VAULT_NOTE) &&
           (!is_owners || link->peer == ROLE_IMPORT);
}

static void settle_when_ripe(struct commit *commit) {
    if (vault_writer_is_ripe(commit->writer) || commit->answer_count >= ANSWER_COUNT_MAX - 1)
        settle(commit);
}

static enum err take_append(struct commit *commit, struct role_link *link,
                            const struct ipc_frame *frame) {
    struct append_request request;
    enum err err = roles_get_append(frame, &request);
    if (err || !is_allowed(link, &request))
        return ERR_INPUT;
    settle_when_ripe(commit);
    struct vault_entry entry;
    struct vault_append append = append_of(&request, &entry);
    struct append_answer answer = {.token = request.token};
    struct fault fault = {0};
    answer.err = vault_writer_append(commit->writer, &append, &answer.index, &answer.is_repeat,
                                     &fault);
    if (answer.err == ERR_LIMIT) { /* the batch is full: this entry opens the next one */
        settle(commit);
        answer.err = vault_writer_append(commit->writer, &append, &answer.index,
                                         &answer.is_repeat, &fault);
    }
    count_answer(commit, answer.err, answer.is_repeat);
    queue_answer(commit, link->peer, &answer);
    return ERR_OK;
}

static struct open_blob *find_blob(struct commit *commit, enum role peer, uint64_t token) {
    for (size_t i = 0; i < BLOB_COUNT_MAX; i++)
        if (commit->blobs[i].is_used && commit->blobs[i].peer == peer &&
            commit->blobs[i].token == token)
            return &commit->blobs[i];
    return NULL;
}

static struct open_blob *free_blob(struct commit *commit) {
    for (size_t i = 0; i < BLOB_COUNT_MAX; i++)
        if (!commit->blobs[i].is_used)
            return &commit->blobs[i];
    return NULL;
}

static void forget_blob(struct open_blob *blob) {
    if (blob->writer)
        vault_blob_abort(blob->writer);
    *blob = (struct open_blob){0};
}

static enum err take_blob_part(struct commit *commit, struct role_link *link,
                               const struct ipc_frame *frame) {
    uint64_t token;
    struct bytes data;
    enum err err = roles_get_blob(frame, &token, &data);
    if (err)
        return err;
    struct open_blob *blob = find_blob(commit, link->peer, token);
    struct fault fault = {0};
    if (frame->type == MESSAGE_BLOB_BEGIN) {
        blob = blob ? NULL : free_blob(commit);
        if (!blob)
            return ERR_OK; /* BLOB_END finds nothing and answers that it was not taken */
        *blob = (struct open_blob){.peer = link->peer, .token = token, .is_used = true};
        blob->err = vault_blob_begin(commit->writer, &blob->writer, &fault);
    } else if (frame->type == MESSAGE_BLOB_ABORT && blob) {
        forget_blob(blob);
    } else if (blob && !blob->err) {
        blob->err = vault_blob_feed(blob->writer, data, &fault);
    }
    return ERR_OK;
}

static enum err take_blob_end(struct commit *commit, struct role_link *link,
                              const struct ipc_frame *frame) {
    struct append_request request;
    enum err err = roles_get_append(frame, &request);
    if (err || !is_allowed(link, &request))
        return ERR_INPUT;
    settle_when_ripe(commit);
    struct open_blob *blob = find_blob(commit, link->peer, request.token);
    struct append_answer answer = {.token = request.token, .err = blob ? blob->err : ERR_LIMIT};
    struct fault fault = {0};
    if (blob && !blob->err) {
        struct vault_entry entry;
        struct vault_append append = append_of(&request, &entry);
        answer.err = vault_blob_finish(blob->writer, &append, &answer.index, &answer.is_repeat,
                                       &fault);
        blob->writer = NULL; /* finish takes it, whatever comes of it */
    }
    if (answer.err)
        trace_fault("a large message was not stored", &fault);
    if (blob)
        forget_blob(blob);
    count_answer(commit, answer.err, answer.is_repeat);
    queue_answer(commit, link->peer, &answer);
    return ERR_OK;
}

/* Orders about keys come from the command line, through the supervisor's door for its owner. */
static enum err take_keys(struct commit *commit, struct role_link *link,
                          const struct ipc_frame *frame) {
    struct keys_request request;
    enum err err = roles_get_keys(frame, &request);
    if (err || link->peer != ROLE_IMPORT)
        return ERR_INPUT;
    settle(commit); /* keys change between batches only */
    struct fault fault = {0};
    struct keys_answer answer = {0};
    char line[512] = "";
    answer.err = keys_obey(commit->writer, &request, &answer.number, &fault);
    if (answer.err) {
        fault_format(&fault, line, sizeof line);
        trace_fault("an order about keys was not carried out", &fault);
    }
    answer.fault = bytes_from_string(line);
    struct role_link *open = &commit->life.links[ROLE_OPEN];
    if (!answer.err && request.order == KEYS_ERASE && open->is_open &&
        roles_put_number(&open->ipc, MESSAGE_ERASED, request.epoch))
        trace_error("open was not told that an epoch is erased: start the node again");
    return roles_put_keys_done(&link->ipc, &answer);
}

static enum err commit_frame(struct role_life *life, struct role_link *link,
                             const struct ipc_frame *frame) {
    struct commit *commit = life->owner;
    switch (frame->type) {
    case MESSAGE_APPEND:
        return take_append(commit, link, frame);
    case MESSAGE_BLOB_BEGIN:
    case MESSAGE_BLOB_DATA:
    case MESSAGE_BLOB_ABORT:
        return take_blob_part(commit, link, frame);
    case MESSAGE_BLOB_END:
        return take_blob_end(commit, link, frame);
    case MESSAGE_KEYS:
        return take_keys(commit, link, frame);
    case MESSAGE_PUBLISHED: {
        enum err err = roles_get_number(frame, &commit->published);
        if (!err)
            vault_writer_published(commit->writer, commit->published);
        return err;
    }
    default:
        return ERR_INPUT;
    }
}

static void commit_link(struct role_life *life, struct role_link *link) {
    struct commit *commit = life->owner;
    commit->link_numbers[link->peer]++;
    enum err err = ERR_OK;
    if (link->peer == ROLE_PUBLISH || link->peer == ROLE_OPEN)
        err = roles_put_number(&link->ipc, MESSAGE_DURABLE,
                               vault_writer_durable_size(commit->writer));
    else
        err = roles_put_vault_state(&link->ipc, vault_writer_is_full(commit->writer),
                                    vault_writer_is_suspect(commit->writer));
    if (err)
        trace_error("a new link takes nothing");
}

static void commit_link_lost(struct role_life *life, struct role_link *link) {
    struct commit *commit = life->owner;
    for (size_t i = 0; i < BLOB_COUNT_MAX; i++)
        if (commit->blobs[i].is_used && commit->blobs[i].peer == link->peer)
            forget_blob(&commit->blobs[i]);
}

static void tell_state(struct commit *commit) {
    bool full = vault_writer_is_full(commit->writer);
    bool suspect = vault_writer_is_suspect(commit->writer);
    role_life_problem(&commit->life,
                      suspect ? "the vault is suspect: the disk failed, nothing is stored any more"
                      : full  ? "the disk is full: messages wait at their senders"
                      : vault_writer_clock_is_doubtful(commit->writer)
                          ? "the clock jumped: ages may be wrong; set it right, then start the node again"
                      : commit->is_tending_late
                          ? "the day's new key could not begin: the old one goes on"
                          : NULL);
    if (full == commit->was_full && suspect == commit->was_suspect)
        return;
    commit->was_full = full;
    commit->was_suspect = suspect;
    static const enum role peers[] = {ROLE_FEEDS, ROLE_WEB, ROLE_IMPORT, ROLE_FOLDER};
    for (size_t i = 0; i < 4; i++) {
        struct role_link *link = &commit->life.links[peers[i]];
        if (link->is_open && roles_put_vault_state(&link->ipc, full, suspect))
            trace_warning("%s was not told the vault's state", role_name(peers[i]));
    }
}

static void report(struct commit *commit) {
    char buffer[1024];
    struct text text;
    struct json json;
    uint64_t free_bytes = 0, total_bytes = 0;
    if (sys_disk_space(commit->life.sys, commit->life.site_dir, &free_bytes, &total_bytes))
        trace_warning("the disk's space cannot be read");
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_u64(&json, "durable", vault_writer_durable_size(commit->writer));
    json_member_u64(&json, "published", commit->published);
    json_member_u64(&json, "epoch", vault_writer_epoch(commit->writer));
    json_member_bool(&json, "full", commit->was_full);
    json_member_bool(&json, "suspect", commit->was_suspect);
    json_member_u64(&json, "disk_free_bytes", free_bytes);
    json_member_u64(&json, "disk_total_bytes", total_bytes);
    json_member_u64(&json, "appended", commit->append_count);
    json_member_u64(&json, "repeats", commit->repeat_count);
    json_member_u64(&json, "refused", commit->refused_count);
    json_object_end(&json);
    role_life_report(&commit->life, text_bytes(&text));
}

static void commit_round(struct role_life *life) {
    struct commit *commit = life->owner;
    settle(commit);
    tend(commit);
    release_answers(commit);
    if (vault_writer_durable_size(commit->writer) != commit->told_durable)
        tell_durable(commit);
    if (life->loop.monotonic_us - commit->reported_at < US_PER_S && !life->is_stopping)
        return;
    commit->reported_at = life->loop.monotonic_us;
    tell_state(commit);
    report(commit);
}

static void commit_stop(struct role_life *life) {
    /* The round that follows settles what is pending and flushes the answers. */
    life->loop.is_stopping = true;
}

int role_commit_main(const struct role_start *start) {
    struct commit *commit = memory_alloc(1, sizeof *commit);
    struct fault fault = {0};
    int lock_fd; /* closed by the end of the process alone */
    enum err err = commit ? ERR_OK : ERR_MEMORY;
    if (!err)
        err = role_life_init(&commit->life, ROLE_COMMIT, start->sys, start->site_dir, &fault);
    if (err)
        goto out;
    commit->answers = memory_alloc(ANSWER_COUNT_MAX, sizeof *commit->answers);
    err = commit->answers ? ERR_OK : ERR_MEMORY;
    struct vault_writer_options options = {.reserve_bytes = (uint64_t)start->config->reserve_bytes,
                                           .unlock = start->unlock};
    if (!err)
        err = site_role_lock(start->sys, start->site_dir, "commit", &lock_fd, &fault);
    if (!err)
        err = vault_writer_open(&commit->writer, start->sys, start->site_dir, &options, &fault);
    vault_unlock_free(start->unlock);
    if (err)
        goto out;
    commit->life.owner = commit;
    commit->life.on_frame = commit_frame;
    commit->life.on_link = commit_link;
    commit->life.on_link_lost = commit_link_lost;
    commit->life.on_round = commit_round;
    commit->life.on_stop = commit_stop;
    int code = role_life_run(&commit->life);
    role_life_release(&commit->life);
    vault_writer_close(commit->writer);
    memory_free(commit->answers);
    memory_free(commit);
    return code;
out:
    trace_fault("the vault cannot be opened for writing", &fault);
    return err_exit_code(err);
}
