/* role_open.c - holds the epoch keys: gives plaintext to the chart in order, and single entries to the pages.
 *
 * Invariants
 *   Nothing beyond what commit called durable is ever given out.
 *   A consumer gets only what it asked for and has credit for; its link's room bounds what is under way.
 *   A large body is given piece by piece, as there is room: nobody else waits for its end, and it is never held whole.
 */
#include "node/role_main.h"

#define ENTRIES_PER_ROUND 2000u
#define PIECES_PER_ROUND  64u
#define PIECE_BYTES       65536u

struct consumer {
    struct role_link *link;
    uint64_t token, next;
    uint64_t credit;
};

/* A large body on its way to somebody, a piece when there is room for it. */
struct blob_way {
    struct vault_blob_reader *reader; /* NULL: none */
    struct role_link *link;
    uint64_t token, left;
};

/* Requests of pages, waiting for their turn. */
#define PAGE_REQUESTS_MAX 256u

struct open_role {
    struct role_life life;
    struct vault_reader *reader;
    struct vault_opener *opener;
    uint64_t durable, told_durable, given_count, failed_count;
    bool knows_durable; /* commit, or who started a viewer, has said it: until then nothing is "not there" */
    bool
        is_viewer; /* of the past: nobody says what is durable, nor which epochs were erased meanwhile */
    struct vault_unlock *unlock; /* of a viewer, which reads the keys again and again */
    struct consumer chart;
    struct blob_way to_chart, to_page;
    struct read_request pages[PAGE_REQUESTS_MAX];
    uint32_t page_first, page_count;
    int64_t reported_at;
};

static bool has_room(const struct role_link *link) {
    return ipc_room(&link->ipc) >= 3 * PIECE_BYTES;
}

/* ---- large bodies ---- */

static void end_way(struct blob_way *way) {
    vault_blob_close(way->reader);
    *way = (struct blob_way){0};
}

/* True: it is done with, and *err says how. */
static bool go_on(struct blob_way *way, unsigned piece_count, enum err *err, struct fault *fault) {
    for (; way->reader && way->left > 0 && has_room(way->link); piece_count--) {
        struct bytes piece;
        if (piece_count == 0)
            return false;
        *err = vault_blob_next(way->reader, &piece, fault);
        if (*err == ERR_MORE) /* its entry promised more */
            *err = fault_set(fault, ERR_CORRUPT, "a blob is shorter than its entry says");
        piece = bytes_first(piece, way->left);
        if (!*err)
            *err = roles_put_blob(&way->link->ipc, MESSAGE_ENTRY_DATA, way->token, piece);
        if (*err)
            break;
        way->left -= piece.size;
    }
    if (way->reader && !*err && way->left > 0)
        return false;
    end_way(way);
    return true;
}

static enum err put_header(struct role_link *link, uint64_t token, uint64_t index,
                           const struct vault_entry *entry, struct bytes body,
                           uint64_t given_bytes) {
    struct entry_message message = {token, index, given_bytes, *entry};
    message.entry.body = body;
    return roles_put_entry(&link->ipc, &message);
}

/* Give one entry; of a large one the beginning, `way` has the rest. There is room for a frame. ERR_MORE: it does not exist
 * yet. */
static enum err give(struct open_role *open, struct role_link *link, uint64_t token, uint64_t index,
                     uint32_t bytes_max, struct blob_way *way, struct fault *fault) {
    struct bytes sealed;
    struct vault_entry entry;
    enum err err = vault_reader_sealed(open->reader, index, open->durable, &sealed, fault);
    if (!err)
        err = vault_opener_unseal(open->opener, sealed, &entry, fault);
    if (err == ERR_NOT_FOUND) {
        vault_entry_erased(&entry);
        *fault = (struct fault){0};
    } else if (err) {
        return err;
    }
    uint64_t wanted = bytes_max && bytes_max < entry.body_bytes ? bytes_max : entry.body_bytes;
    open->given_count++;
    if (bytes_is_empty(entry.blob_name))
        return put_header(link, token, index, &entry, bytes_first(entry.body, wanted), wanted);
    err = vault_blob_open(open->opener, &entry, &way->reader, fault);
    if (!err)
        err = put_header(link, token, index, &entry, BYTES_NONE, wanted);
    way->link = link;
    way->token = token;
    way->left = wanted;
    if (err || wanted == 0)
        end_way(way);
    return err;
}

/* ---- to the chart ---- */

static void chart_fails(struct open_role *open, const struct fault *fault) {
    trace_fault("an entry cannot be opened", fault);
    open->failed_count++;
    role_life_problem(&open->life,
                      "an entry of the vault cannot be opened: the chart stands still");
    open->chart.credit = 0;
}

static bool chart_wants(const struct open_role *open) {
    const struct consumer *chart = &open->chart;
    return chart->link && chart->link->is_open && has_room(chart->link) &&
           (open->to_chart.reader || (chart->credit > 0 && chart->next < open->durable));
}

static void give_to_chart(struct open_role *open) {
    struct consumer *chart = &open->chart;
    for (unsigned n = 0; n < ENTRIES_PER_ROUND && chart_wants(open); n++) {
        struct fault fault = {0};
        enum err err = ERR_OK;
        if (!open->to_chart.reader) {
            err = give(open, chart->link, chart->token, chart->next, 0, &open->to_chart, &fault);
        } else if (!go_on(&open->to_chart, PIECES_PER_ROUND, &err, &fault)) {
            return; /* pages have their turn */
        }
        if (err) {
            chart_fails(open, &fault);
            return;
        }
        if (open->to_chart.reader)
            continue;
        chart->next++;
        chart->credit--;
    }
}

/* ---- to the pages ---- */

/* In a viewer the keys are read for each entry and held no longer: one that was erased since must not live on here. */
static enum err give_once(struct open_role *open, struct role_link *link,
                          const struct read_request *request, struct fault *fault) {
    if (!open->is_viewer)
        return give(open, link, request->token, request->from, request->bytes_max, &open->to_page,
                    fault);
    enum err err =
        vault_opener_open(&open->opener, open->life.sys, open->life.site_dir, open->unlock, fault);
    if (!err)
        err = give(open, link, request->token, request->from, request->bytes_max, &open->to_page,
                   fault);
    vault_opener_close(open->opener);
    open->opener = NULL;
    return err;
}

static bool page_wants(const struct open_role *open) {
    const struct role_link *web = &open->life.links[ROLE_WEB];
    return web->is_open && has_room(web) && open->page_count > 0 && open->knows_durable;
}

/* True: the request is done with, and *err says how. */
static bool give_page(struct open_role *open, struct role_link *web,
                      const struct read_request *request, enum err *err, struct fault *fault) {
    *err = ERR_OK;
    if (!open->to_page.reader && request->from >= open->durable)
        *err = ERR_NOT_FOUND;
    else if (!open->to_page.reader)
        *err = give_once(open, web, request, fault);
    return *err || !open->to_page.reader || go_on(&open->to_page, PIECES_PER_ROUND, err, fault);
}

static void give_to_pages(struct open_role *open) {
    struct role_link *web = &open->life.links[ROLE_WEB];
    while (page_wants(open)) {
        struct read_request *request = &open->pages[open->page_first];
        struct fault fault = {0};
        enum err err;
        if (!give_page(open, web, request, &err, &fault))
            return;
        if (err && roles_put_number(&web->ipc, MESSAGE_NO_ENTRY, request->token))
            return; /* its answers are full: later */
        open->page_first = (open->page_first + 1) % PAGE_REQUESTS_MAX;
        open->page_count--;
    }
}

static enum err take_read(struct open_role *open, struct role_link *link,
                          const struct ipc_frame *frame) {
    struct read_request request;
    enum err err = roles_get_read(frame, &request);
    if (err)
        return err;
    if (link->peer == ROLE_WEB) {
        if (open->page_count == PAGE_REQUESTS_MAX)
            return roles_put_number(&link->ipc, MESSAGE_NO_ENTRY, request.token);
        uint32_t last = (open->page_first + open->page_count++) % PAGE_REQUESTS_MAX;
        open->pages[last] = request;
        return ERR_OK;
    }
    struct consumer *chart = &open->chart;
    if (request.from != READ_MORE) {
        *chart = (struct consumer){.next = request.from};
        end_way(&open->to_chart);
    }
    chart->link = link;
    chart->token = request.token;
    chart->credit += request.count;
    return ERR_OK;
}

static enum err open_frame(struct role_life *life, struct role_link *link,
                           const struct ipc_frame *frame) {
    struct open_role *open = life->owner;
    uint64_t durable;
    if (link->peer == ROLE_COMMIT && frame->type == MESSAGE_DURABLE) {
        enum err err = roles_get_number(frame, &durable);
        if (!err && durable > open->durable)
            open->durable = durable;
        open->knows_durable |= !err;
        return err;
    }
    if (link->peer == ROLE_COMMIT && frame->type == MESSAGE_ERASED) {
        uint64_t epoch;
        enum err err = roles_get_number(frame, &epoch);
        if (!err)
            vault_opener_forget(open->opener, (uint32_t)epoch);
        return err;
    }
    bool may_read = link->peer == ROLE_CHART || link->peer == ROLE_WEB;
    return may_read && frame->type == MESSAGE_READ ? take_read(open, link, frame) : ERR_INPUT;
}

static void open_link(struct role_life *life, struct role_link *link) {
    struct open_role *open = life->owner;
    if (link->peer == ROLE_CHART) {
        open->chart = (struct consumer){0};
        end_way(&open->to_chart);
        open->told_durable = UINT64_MAX;
    }
    if (link->peer == ROLE_WEB) {
        open->page_count = 0;
        end_way(&open->to_page);
    }
}

static void open_round(struct role_life *life) {
    struct open_role *open = life->owner;
    struct role_link *chart = &life->links[ROLE_CHART];
    if (chart->is_open && open->told_durable != open->durable &&
        !roles_put_number(&chart->ipc, MESSAGE_DURABLE, open->durable))
        open->told_durable = open->durable;
    give_to_pages(open);
    give_to_chart(open);
    life->loop.tick_ms = chart_wants(open) || page_wants(open) ? 0 : 100;
    if (life->loop.monotonic_us - open->reported_at < US_PER_S)
        return;
    open->reported_at = life->loop.monotonic_us;
    char buffer[256];
    struct text text;
    struct json json;
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_u64(&json, "given", open->given_count);
    json_member_u64(&json, "failed", open->failed_count);
    json_object_end(&json);
    role_life_report(life, text_bytes(&text));
}

int role_open_main(const struct role_start *start) {
    struct open_role *open = memory_alloc(1, sizeof *open);
    struct fault fault = {0};
    enum err err = open ? ERR_OK : ERR_MEMORY;
    char vault_dir[SITE_PATH_BYTES];
    struct text path;
    text_init(&path, vault_dir, sizeof vault_dir);
    text_put_format(&path, "%s/vault", start->site_dir);
    if (!err)
        err = role_life_init(&open->life, ROLE_OPEN, start->sys, start->site_dir, &fault);
    if (!err && start->below != UINT64_MAX) {
        open->is_viewer = true;
        open->durable = start->below;
        open->knows_durable = true;
        open->unlock = start->unlock;
    } else if (!err) {
        err = vault_opener_open(&open->opener, start->sys, start->site_dir, start->unlock, &fault);
        vault_unlock_free(start->unlock);
    }
    if (!err)
        err = vault_reader_open(&open->reader, start->sys, vault_dir, &fault);
    if (err) {
        trace_fault("the vault cannot be opened for reading", &fault);
        return err_exit_code(err);
    }
    open->life.owner = open;
    open->life.on_frame = open_frame;
    open->life.on_link = open_link;
    open->life.on_round = open_round;
    int code = role_life_run(&open->life);
    role_life_release(&open->life);
    end_way(&open->to_chart);
    end_way(&open->to_page);
    vault_reader_close(open->reader);
    vault_opener_close(open->opener);
    vault_unlock_free(open->unlock);
    memory_free(open);
    return code;
}
