/* merges.c - persons out of merges: the components that changed are loaded along their edges, and worked out anew. */
#include "chart/merges.h"

#include "base/pool.h"

#include <stdlib.h>

struct edge {
    uint64_t loser, survivor;
};
struct node {
    uint64_t subject;
    size_t root;   /* union-find by index */
    bool has_exit; /* an edge goes out: merged into another */
};
struct graph {
    struct edge *edges;
    struct node *nodes;
    size_t row_count, row_capacity, edge_count, node_count;
};

const char *merge_doubt_text(enum merge_doubt doubt) {
    return doubt == MERGE_CYCLE           ? "numbers were merged in a circle"
           : doubt == MERGE_TWO_SURVIVORS ? "a number was merged into two others"
                                          : NULL;
}

enum err merges_take(struct db *db, uint64_t loser, uint64_t survivor, const struct key *key,
                     bool is_unlink, struct fault *fault) {
    sqlite3_stmt *get = db_statement(db, SQL_EDGE_GET, fault);
    db_bind_i64(get, 1, (int64_t)loser);
    db_bind_i64(get, 2, (int64_t)survivor);
    enum err err = db_next(db, get, fault);
    if (!err) {
        struct key standing = {sqlite3_column_int(get, 0) != 0, sqlite3_column_int64(get, 1),
                               (uint64_t)sqlite3_column_int64(get, 2),
                               (uint64_t)sqlite3_column_int64(get, 3)};
        sqlite3_reset(get);
        if (key_compare(key, &standing) < 0)
            return ERR_OK;
    } else if (err != ERR_MORE) {
        return err;
    }
    sqlite3_stmt *put = db_statement(db, SQL_EDGE_PUT, fault);
    const int64_t values[] = {(int64_t)loser,      (int64_t)survivor,   key->is_sure, key->said,
                              (int64_t)key->clock, (int64_t)key->entry, is_unlink};
    for (int i = 0; i < 7; i++)
        db_bind_i64(put, i + 1, values[i]);
    return db_run(db, put, fault);
}

/* ---- the graph ---- */

static int compare_nodes(const void *a, const void *b) {
    uint64_t left = ((const struct node *)a)->subject, right = ((const struct node *)b)->subject;
    return (left > right) - (left < right);
}

static struct node *find_node(const struct graph *graph, uint64_t subject) {
    struct node wanted = {.subject = subject};
    return bsearch(&wanted, graph->nodes, graph->node_count, sizeof wanted, compare_nodes);
}

static size_t root_of(struct graph *graph, size_t at) {
    while (graph->nodes[at].root != at) {
        graph->nodes[at].root = graph->nodes[graph->nodes[at].root].root;
        at = graph->nodes[at].root;
    }
    return at;
}

static bool make_room(struct graph *graph) {
    if (graph->row_count < graph->row_capacity)
        return true;
    size_t capacity = graph->row_capacity ? graph->row_capacity * 2 : 64;
    struct edge *edges = memory_grow(graph->edges, capacity, sizeof *edges);
    graph->edges = edges ? edges : graph->edges;
    struct node *nodes = memory_grow(graph->nodes, capacity * 2, sizeof *nodes);
    graph->nodes = nodes ? nodes : graph->nodes;
    graph->row_capacity = capacity;
    return edges && nodes;
}

/* An edge that was taken away gives its two nodes all the same, so that an unlinked number is worked out too. */
static bool add_edge(struct graph *graph, uint64_t loser, uint64_t survivor, bool is_unlink) {
    if (!make_room(graph))
        return false;
    graph->row_count++;
    graph->nodes[graph->node_count++] = (struct node){.subject = loser};
    graph->nodes[graph->node_count++] = (struct node){.subject = survivor};
    if (!is_unlink)
        graph->edges[graph->edge_count++] = (struct edge){loser, survivor};
    return true;
}

static enum err load_all(struct db *db, struct graph *graph, struct fault *fault) {
    sqlite3_stmt *rows = db_statement(db, SQL_EDGE_ALL, fault);
    enum err err;
    while (!(err = db_next(db, rows, fault))) {
        if (!add_edge(graph, (uint64_t)sqlite3_column_int64(rows, 0),
                      (uint64_t)sqlite3_column_int64(rows, 1), sqlite3_column_int(rows, 6) != 0)) {
            sqlite3_reset(rows);
            return fault_set(fault, ERR_MEMORY, "no memory for merges");
        }
    }
    return err == ERR_MORE ? ERR_OK : err;
}

/* Numbers seen, in an open hash table; seen in order, so that it is the list of those to visit too. */
struct seen {
    uint64_t *list;
    size_t *slots; /* index + 1 */
    size_t count, slot_count;
};

static size_t *slot_for(const struct seen *seen, uint64_t subject) {
    size_t at = (size_t)(subject * UINT64_C(0x9E3779B97F4A7C15)) & (seen->slot_count - 1);
    while (seen->slots[at] && seen->list[seen->slots[at] - 1] != subject)
        at = (at + 1) & (seen->slot_count - 1);
    return &seen->slots[at];
}

static bool seen_grow(struct seen *seen) {
    size_t slot_count = seen->slot_count ? seen->slot_count * 2 : 256;
    uint64_t *list = memory_grow(seen->list, slot_count / 2, sizeof *list);
    seen->list = list ? list : seen->list;
    size_t *slots = memory_alloc(slot_count, sizeof *slots);
    if (!list || !slots) {
        memory_free(slots);
        return false;
    }
    memory_free(seen->slots);
    seen->slots = slots;
    seen->slot_count = slot_count;
    for (size_t i = 0; i < seen->count; i++)
        *slot_for(seen, seen->list[i]) = i + 1;
    return true;
}

static bool see(struct seen *seen, uint64_t subject) {
    if (seen->count * 2 >= seen->slot_count && !seen_grow(seen))
        return false;
    size_t *slot = slot_for(seen, subject);
    if (*slot)
        return true;
    seen->list[seen->count++] = subject;
    *slot = seen->count;
    return true;
}

/* The edges at one number; each is loaded from both of its ends, and counts once. */
static enum err load_at(struct db *db, struct graph *graph, struct seen *seen, uint64_t subject,
                        struct fault *fault) {
    sqlite3_stmt *rows = db_statement(db, SQL_EDGES_AT, fault);
    enum err err;
    db_bind_i64(rows, 1, (int64_t)subject);
    while (!(err = db_next(db, rows, fault))) {
        uint64_t loser = (uint64_t)sqlite3_column_int64(rows, 0);
        uint64_t survivor = (uint64_t)sqlite3_column_int64(rows, 1);
        bool has_room = see(seen, loser) && see(seen, survivor);
        if (has_room && loser == subject)
            has_room = add_edge(graph, loser, survivor, sqlite3_column_int(rows, 2) != 0);
        if (!has_room) {
            sqlite3_reset(rows);
            return fault_set(fault, ERR_MEMORY, "no memory for merges");
        }
    }
    return err == ERR_MORE ? ERR_OK : err;
}

static enum err load_around(struct db *db, struct graph *graph, const uint64_t *ends,
                            size_t end_count, struct fault *fault) {
    struct seen seen = {0};
    enum err err = ERR_OK;
    for (size_t i = 0; i < end_count && !err; i++)
        if (!see(&seen, ends[i]))
            err = fault_set(fault, ERR_MEMORY, "no memory for merges");
    for (size_t i = 0; i < seen.count && !err; i++)
        err = load_at(db, graph, &seen, seen.list[i], fault);
    memory_free(seen.list);
    memory_free(seen.slots);
    return err;
}

static void join(struct graph *graph) {
    if (graph->node_count == 0) /* no merge at all: qsort(3) takes no NULL */
        return;
    qsort(graph->nodes, graph->node_count, sizeof *graph->nodes, compare_nodes);
    size_t kept = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        if (kept == 0 || graph->nodes[kept - 1].subject != graph->nodes[i].subject)
            graph->nodes[kept++] = graph->nodes[i];
    graph->node_count = kept;
    for (size_t i = 0; i < kept; i++)
        graph->nodes[i].root = i;
    for (size_t i = 0; i < graph->edge_count; i++) {
        struct node *loser = find_node(graph, graph->edges[i].loser);
        struct node *survivor = find_node(graph, graph->edges[i].survivor);
        loser->has_exit = true;
        size_t a = root_of(graph, (size_t)(loser - graph->nodes));
        size_t b = root_of(graph, (size_t)(survivor - graph->nodes));
        graph->nodes[a].root = b;
    }
}

/* ---- survivors ---- */

struct name {
    char text[512];
};

/* Which of several stands for the person does not depend on the order of arrival: the number that sorts first. */
static enum err load_name(struct db *db, uint64_t subject, struct name *name, struct fault *fault) {
    struct text text;
    sqlite3_stmt *get = db_statement(db, SQL_SUBJECT_GET, fault);
    db_bind_i64(get, 1, (int64_t)subject);
    enum err err = db_next(db, get, fault);
    text_init(&text, name->text, sizeof name->text);
    if (!err) {
        for (int i = 0; i < 3; i++) {
            text_put(&text, bytes_first(db_column_bytes(get, i), 150));
            text_put_char(&text, '\x1F');
        }
        sqlite3_reset(get);
    }
    return err;
}

/* A component: nodes that stand together once they are sorted by their root. */
struct component {
    const struct node *nodes;
    size_t count;
};

/* The only member without exit, else the first by name. */
static enum err find_survivor(struct db *db, const struct component *component, uint64_t *survivor,
                              enum merge_doubt *doubt, struct fault *fault) {
    size_t final_count = 0;
    struct name best = {""}, name;
    for (size_t i = 0; i < component->count; i++)
        final_count += !component->nodes[i].has_exit;
    *doubt = final_count == 1 ? MERGE_SURE : final_count == 0 ? MERGE_CYCLE : MERGE_TWO_SURVIVORS;
    for (size_t i = 0; i < component->count; i++) {
        const struct node *node = &component->nodes[i];
        if (final_count > 0 && node->has_exit)
            continue;
        if (final_count == 1) {
            *survivor = node->subject;
            return ERR_OK;
        }
        enum err err = load_name(db, node->subject, &name, fault);
        if (err)
            return err;
        if (best.text[0] == 0 || strcmp(name.text, best.text) < 0) {
            best = name;
            *survivor = node->subject;
        }
    }
    return ERR_OK;
}

static enum err set_person(struct db *db, uint64_t subject, uint64_t person, struct fault *fault) {
    sqlite3_stmt *set = db_statement(db, SQL_SUBJECT_PERSON_SET, fault);
    db_bind_i64(set, 1, (int64_t)subject);
    db_bind_i64(set, 2, (int64_t)person);
    return db_run(db, set, fault);
}

static enum err drop_doubt(struct db *db, uint64_t person, struct fault *fault) {
    sqlite3_stmt *drop = db_statement(db, SQL_DOUBT_DROP, fault);
    db_bind_i64(drop, 1, (int64_t)person);
    return db_run(db, drop, fault);
}

static enum err store_component(struct db *db, const struct component *component,
                                struct fault *fault) {
    uint64_t survivor = 0;
    enum merge_doubt doubt;
    enum err err = find_survivor(db, component, &survivor, &doubt, fault);
    for (size_t i = 0; i < component->count && !err; i++) {
        err = set_person(db, component->nodes[i].subject, survivor, fault);
        if (!err)
            err = drop_doubt(db, component->nodes[i].subject, fault);
    }
    if (err || doubt == MERGE_SURE)
        return err;
    sqlite3_stmt *put = db_statement(db, SQL_DOUBT_PUT, fault);
    db_bind_i64(put, 1, (int64_t)survivor);
    db_bind_i64(put, 2, doubt);
    return db_run(db, put, fault);
}

static int compare_roots(const void *a, const void *b) {
    const struct node *left = a, *right = b;
    return left->root != right->root ? (left->root < right->root ? -1 : 1) : compare_nodes(a, b);
}

static enum err store(struct db *db, struct graph *graph, merges_changed changed, void *owner,
                      struct fault *fault) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < graph->node_count; i++)
        graph->nodes[i].root = root_of(graph, i);
    if (graph->node_count > 1)
        qsort(graph->nodes, graph->node_count, sizeof *graph->nodes, compare_roots);
    for (size_t from = 0, to; from < graph->node_count && !err; from = to) {
        for (to = from + 1;
             to < graph->node_count && graph->nodes[to].root == graph->nodes[from].root;)
            to++;
        err = store_component(db, &(struct component){&graph->nodes[from], to - from}, fault);
    }
    for (size_t i = 0; i < graph->node_count && !err; i++)
        err = changed(owner, graph->nodes[i].subject);
    return err;
}

enum err merges_work_out(struct db *db, const uint64_t *ends, size_t end_count,
                         merges_changed changed, void *owner, struct fault *fault) {
    struct graph graph = {0};
    enum err err =
        ends ? load_around(db, &graph, ends, end_count, fault) : load_all(db, &graph, fault);
    if (!err)
        join(&graph);
    if (!err)
        err = store(db, &graph, changed, owner, fault);
    memory_free(graph.edges);
    memory_free(graph.nodes);
    return err;
}
