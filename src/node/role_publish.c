/* role_publish.c - turns durable entries into tiles, bundles and signed checkpoints, in the background.
 *
 * Whole bundles are published as they fill; the rest every PARTIAL_EVERY_S seconds, and at a clean stop, because a
 * partial bundle is written again each time. An error ends publication for good until the role is started anew:
 * nothing is signed that was not read back from the disk. */
#include "node/role_main.h"
#include "node/site.h"

#define PARTIAL_EVERY_S 15
#define WORKING_TICK_MS 0
#define RESTING_TICK_MS 200

struct publish {
    struct role_life life;
    struct vault_publisher *publisher;
    uint64_t durable, published, told;
    int64_t partial_at, reported_at;
    enum err failed;
    bool has_looked; /* whether all that was signed is there: once, though nothing may be new */
};

static enum err publish_frame(struct role_life *life, struct role_link *link,
                              const struct ipc_frame *frame) {
    struct publish *publish = life->owner;
    uint64_t durable;
    enum err err = roles_get_number(frame, &durable);
    if (err || link->peer != ROLE_COMMIT || frame->type != MESSAGE_DURABLE)
        return ERR_INPUT;
    publish->durable = durable > publish->durable ? durable : publish->durable;
    return ERR_OK;
}

static void report(struct publish *publish) {
    char buffer[1024];
    struct text text;
    struct json json;
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_u64(&json, "published", publish->published);
    json_member_bool(&json, "failed", publish->failed != ERR_OK);
    bool is_new, is_remembered;
    json_member_string(&json, "origin",
                       vault_publisher_origin(publish->publisher, &is_new, &is_remembered));
    json_member_bool(&json, "origin_began_here", is_new);
    json_member_bool(&json, "origin_remembered", is_remembered);
    uint64_t lost_from = vault_publisher_lost_from(publish->publisher);
    if (lost_from != UINT64_MAX)
        json_member_u64(&json, "lost_from", lost_from);
    json_object_end(&json);
    role_life_report(&publish->life, text_bytes(&text));
}

static bool work(struct publish *publish, bool whole_only) {
    struct fault fault = {0};
    enum err err = vault_publish(publish->publisher, publish->durable, whole_only,
                                 &publish->published, &fault);
    if (err) {
        trace_fault("publishing failed", &fault);
        publish->failed = err;
        role_life_problem(&publish->life, err == ERR_FULL
                                              ? "publishing waits: the disk is full"
                                              : "publishing stopped: the vault must be looked at");
    } else if (publish->failed) {
        publish->failed = ERR_OK;
        role_life_problem(&publish->life, NULL);
    }
    publish->has_looked |= !err;
    if (!err && vault_publisher_lost_from(publish->publisher) != UINT64_MAX) {
        report(publish); /* from where on, before that it is so */
        role_life_problem(&publish->life,
                          "entries that were signed once are missing here: the disk "
                          "was restored, or damaged; look for a copy");
    }
    return !err;
}

static bool may_work(const struct publish *publish) {
    return publish->failed == ERR_OK || publish->failed == ERR_FULL;
}

/* At a clean stop everything durable is published, so that a copy made then is complete. Commit has ended before: what it said
 * last may still lie in the link, which ends behind it. */
static void publish_stop(struct role_life *life) {
    struct publish *publish = life->owner;
    if (life->links[ROLE_COMMIT].is_open)
        return;
    while (publish->published < publish->durable && may_work(publish))
        if (!work(publish, false))
            break;
    life->loop.is_stopping = true;
}

static void publish_round(struct role_life *life) {
    struct publish *publish = life->owner;
    int64_t now = life->loop.monotonic_us;
    bool whole = publish->durable / TLOG_TILE_WIDTH > publish->published / TLOG_TILE_WIDTH;
    bool partial = (publish->durable > publish->published &&
                    now - publish->partial_at >= PARTIAL_EVERY_S * US_PER_S) ||
                   (publish->durable && !publish->has_looked);
    bool worked = false;
    /* After a full disk, try once a second and not at every round. */
    bool rest = publish->failed == ERR_FULL && now - publish->reported_at < US_PER_S;
    if ((whole || partial) && may_work(publish) && !rest) {
        worked = work(publish, whole);
        if (!whole)
            publish->partial_at = now;
    }
    life->loop.tick_ms = worked && whole ? WORKING_TICK_MS : RESTING_TICK_MS;
    if (life->is_stopping)
        publish_stop(life);
    struct role_link *commit = &life->links[ROLE_COMMIT];
    if (publish->published != publish->told && commit->is_open &&
        !roles_put_number(&commit->ipc, MESSAGE_PUBLISHED, publish->published))
        publish->told = publish->published;
    if (now - publish->reported_at >= US_PER_S) {
        publish->reported_at = now;
        report(publish);
    }
}

static void publish_link(struct role_life *life, struct role_link *link) {
    struct publish *publish = life->owner;
    if (link->peer == ROLE_COMMIT)
        publish->told = UINT64_MAX;
}

int role_publish_main(const struct role_start *start) {
    struct publish publish = {0};
    struct fault fault = {0};
    int lock_fd; /* closed by the end of the process alone */
    enum err err = role_life_init(&publish.life, ROLE_PUBLISH, start->sys, start->site_dir, &fault);
    if (!err)
        err = site_role_lock(start->sys, start->site_dir, "publish", &lock_fd, &fault);
    if (!err)
        err = vault_publisher_open(&publish.publisher, start->sys, start->site_dir, start->unlock,
                                   NULL, &fault);
    vault_unlock_free(start->unlock); /* the publisher has its own, for a new origin's key */
    if (err) {
        trace_fault("publishing cannot start", &fault);
        return err_exit_code(err);
    }
    publish.published = vault_published_size(publish.publisher);
    publish.told = UINT64_MAX;
    publish.life.owner = &publish;
    publish.life.on_frame = publish_frame;
    publish.life.on_link = publish_link;
    publish.life.on_round = publish_round;
    publish.life.on_stop = publish_stop;
    int code = role_life_run(&publish.life);
    role_life_release(&publish.life);
    vault_publisher_close(publish.publisher);
    return code;
}
