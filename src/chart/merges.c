/* merges.c - persons out of merges. Merges are few: all are worked out anew when one comes. */
#include "chart/merges.h"

#include "base/pool.h"

#include <stdlib.h>

struct edge {
    uint64_t loser, survivor;
};
struct node {
    uint64_t subject;
    size_t root; /* union-find by index */
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
    const int64_t values[] = {(int64_t)loser, (int64_t)survivor, key->is_sure, key->said,
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

/* Every edge that was ever said gives its two nodes, so that an unlinked number is worked out too. */
static enum err load(struct db *db, struct graph *graph, struct fault *fault) {
    sqlite3_stmt *rows = db_statement(db, SQL_EDGE_ALL, fault);
    enum err err;
    while (!(err = db_next(db, rows, fault))) {
        if (!make_room(graph)) {
            sqlite3_reset(rows);
            return fault_set(fault, ERR_MEMORY, "no memory for merges");
        }
        graph->row_count++;
        struct edge edge = {(uint64_t)sqlite3_column_int64(rows, 0),
                            (uint64_t)sqlite3_column_int64(rows, 1)};
        graph->nodes[graph->node_count++] = (struct node){.subject = edge.loser};
        graph->nodes[graph->node_count++] = (struct node){.subject = edge.survivor};
        if (sqlite3_column_int(rows, 6) == 0)
            graph->edges[graph->edge_count++] = edge;
    }
    return err == ERR_MORE ? ERR_OK : err;
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

/* The survivor of the component with this root: the only member without exit, else the first by name. */
static enum err find_survivor(struct db *db, struct graph *graph, size_t root, uint64_t *survivor,
                              enum merge_doubt *doubt, struct fault *fault) {
    size_t final_count = 0;
    struct name best = {""}, name;
    for (size_t i = 0; i < graph->node_count; i++)
        final_count += root_of(graph, i) == root && !graph->nodes[i].has_exit;
    *doubt = final_count == 1 ? MERGE_SURE : final_count == 0 ? MERGE_CYCLE : MERGE_TWO_SURVIVORS;
    for (size_t i = 0; i < graph->node_count; i++) {
        if (root_of(graph, i) != root || (final_count > 0 && graph->nodes[i].has_exit))
            continue;
        enum err err = load_name(db, graph->nodes[i].subject, &name, fault);
        if (err)
            return err;
        if (best.text[0] == 0 || strcmp(name.text, best.text) < 0) {
            best = name;
            *survivor = graph->nodes[i].subject;
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

static enum err store_component(struct db *db, struct graph *graph, size_t root,
                                struct fault *fault) {
    uint64_t survivor = 0;
    enum merge_doubt doubt;
    enum err err = find_survivor(db, graph, root, &survivor, &doubt, fault);
    for (size_t i = 0; i < graph->node_count && !err; i++)
        if (root_of(graph, i) == root)
            err = set_person(db, graph->nodes[i].subject, survivor, fault);
    if (err || doubt == MERGE_SURE)
        return err;
    sqlite3_stmt *put = db_statement(db, SQL_DOUBT_PUT, fault);
    db_bind_i64(put, 1, (int64_t)survivor);
    db_bind_i64(put, 2, doubt);
    return db_run(db, put, fault);
}

static enum err store(struct db *db, struct graph *graph, merges_changed changed, void *owner,
                      struct fault *fault) {
    enum err err = db_run(db, db_statement(db, SQL_DOUBT_CLEAR, fault), fault);
    for (size_t i = 0; i < graph->node_count && !err; i++)
        if (graph->nodes[i].root == i)
            err = store_component(db, graph, i, fault);
    for (size_t i = 0; i < graph->node_count && !err; i++)
        err = changed(owner, graph->nodes[i].subject);
    return err;
}

enum err merges_work_out(struct db *db, merges_changed changed, void *owner, struct fault *fault) {
    struct graph graph = {0};
    enum err err = load(db, &graph, fault);
    if (!err)
        join(&graph);
    if (!err)
        err = store(db, &graph, changed, owner, fault);
    memory_free(graph.edges);
    memory_free(graph.nodes);
    return err;
}
