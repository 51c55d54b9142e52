/* command_census.c - census: a list of who is present, from the hospital's own system, held against the chart.
 *
 * The list is an entry like any other: who is missing is shown as from the census, who is too many is marked. Nothing is
 * deleted. */
#include "chart/chart.h"
#include "node/door.h"
#include "node/node.h"
#include "node/options.h"
#include "node/site_chart.h"

#include <errno.h>
#include <stdio.h>

#define CENSUS_BYTES_MAX ((size_t)32 << 20)
#define PATIENCE_US      (60 * US_PER_S)
#define ARENA_BYTES      ((size_t)512 << 20)

static const char census_usage[] = "census DIR FILE.csv --as-of TIME [--authority NAME] [--type "
                                   "TYPE] [--visit-authority NAME] [--visit-type TYPE] "
                                   "[--passphrase-file FILE]";

struct census {
    const char *dir, *path;
    struct config config;
    struct zone zone;
    struct unlocking unlocking;
    struct facts_census given;
    struct bytes body;
    struct arena arena;
    uint64_t listed;
};

/* A file that says nothing is refused before it becomes an entry. */
static enum err look_through(struct census *census, struct fault *fault) {
    struct facts_batch batch;
    struct facts_context context = {.received_at = sys_now_us(NULL),
                                    .zone = &census->zone,
                                    .otherwise = census->config.characters};
    enum err err =
        facts_from_census(census->body, &census->given, &context, &census->arena, &batch);
    if (err)
        return fault_set_subject(fault, err, "the census cannot be read", census->path);
    if (batch.census_as_of == INSTANT_NONE)
        return fault_set_subject(fault, ERR_INPUT, batch.list->aside, census->path);
    for (size_t i = 0; i < batch.count; i++)
        census->listed += batch.list[i].has_subject;
    if (census->listed < batch.count)
        fprintf(stderr, "veilleuse: %zu of %zu lines name no patient\n",
                batch.count - (size_t)census->listed, batch.count);
    return ERR_OK;
}

static enum err read_file(struct census *census, struct fault *fault) {
    size_t size = 0;
    uint8_t *buffer = arena_alloc(&census->arena, CENSUS_BYTES_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for a census");
    enum err err = sys_read_file(NULL, census->path, buffer, CENSUS_BYTES_MAX, &size, fault);
    census->body = bytes_from(buffer, size);
    return err;
}

static enum err append(struct census *census, struct fault *fault) {
    char buffer[1024];
    struct text type;
    struct door door;
    text_init(&type, buffer, sizeof buffer);
    facts_census_put_type(&type, &census->given);
    if (type.full)
        return fault_set(fault, ERR_USAGE, "an authority's name is too long");
    struct append_request request = {
        .check_repeat = true,
        .kind = VAULT_MESSAGE,
        .received_at = sys_now_us(NULL),
        .media_type = text_bytes(&type),
        .source = BYTES("census"),
        .body = census->body,
    };
    enum err err = door_open(&door, census->dir, &census->unlocking, fault);
    if (err)
        return err;
    err = door_append(&door, &request, fault);
    if (!err)
        err = door_settle(&door, fault);
    if (!err && door.repeats)
        fprintf(stderr, "veilleuse: this census is in the vault already\n");
    struct fault end_fault = {0};
    enum err end = door_close(&door, &end_fault);
    if (!err && end)
        *fault = end_fault;
    return err ? err : end;
}

/* ---- what differs ---- */

static void put_name(const struct chart_census_row *row, const char *what) {
    const struct chart_patient *p = &row->patient;
    const struct fact_place *place = &row->stay.place;
    printf("  %s  %.*s  %.*s %.*s  %.*s %.*s %.*s\n", what, (int)p->main.number.size,
           (const char *)p->main.number.data, (int)p->family_name.size,
           (const char *)p->family_name.data, (int)p->given_name.size,
           (const char *)p->given_name.data, (int)place->unit.size, (const char *)place->unit.data,
           (int)place->room.size, (const char *)place->room.data, (int)place->bed.size,
           (const char *)place->bed.data);
}

static enum err compare(struct census *census, struct chart_reader *reader, struct fault *fault) {
    struct chart_census_row *rows;
    struct chart_state state;
    size_t count, added = 0, unlisted = 0;
    arena_clear(&census->arena);
    enum err err = chart_state(reader, &state, fault);
    if (!err)
        err = chart_census(reader, &census->arena, BYTES_NONE, sys_now_us(NULL), &rows, &count,
                           fault);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        added += rows[i].stay.is_from_census;
        unlisted += chart_stay_is_unlisted(&rows[i].stay, state.census_as_of);
    }
    printf("%llu listed; %zu known from the census alone; %zu present here and not listed\n",
           (unsigned long long)census->listed, added, unlisted);
    for (size_t i = 0; i < count; i++)
        if (rows[i].stay.is_from_census)
            put_name(&rows[i], "added");
        else if (chart_stay_is_unlisted(&rows[i].stay, state.census_as_of))
            put_name(&rows[i], "not listed");
    return ERR_OK;
}

static enum err show(struct census *census, struct fault *fault) {
    char path[SITE_PATH_BYTES];
    struct chart_reader *reader;
    uint64_t generation;
    int lock_fd;
    enum err err;
    if (site_lock(NULL, census->dir, &lock_fd, &(struct fault){0})) {
        err = site_chart_wait(census->dir, site_vault_size(census->dir), PATIENCE_US, fault);
    } else {
        err = site_chart_bring_current_up(census->dir, census->unlocking.unlock, &census->config,
                                          fault);
        sys_close(NULL, lock_fd);
    }
    if (!err)
        err = chart_current_path(NULL, census->dir, path, sizeof path, &generation, fault);
    if (!err)
        err = chart_reader_open(&reader, path, fault);
    if (err)
        return err;
    err = chart_reader_begin(reader, fault);
    if (!err)
        err = compare(census, reader, fault);
    chart_reader_end(reader);
    chart_reader_close(reader);
    return err;
}

static enum err run(struct census *census, const char *as_of, struct fault *fault) {
    enum err err = site_is_there(NULL, census->dir, fault);
    if (!err)
        err = config_read(&census->config, NULL, census->dir, fault);
    if (!err)
        err = zone_init(&census->zone, census->config.zone, fault);
    if (!err)
        err = config_read_moment(&census->config, "--as-of", as_of, &census->given.as_of, fault);
    if (!err && census->given.as_of > sys_now_us(NULL) + CLOCK_JUMP_US)
        err = fault_set_subject(fault, ERR_USAGE, "--as-of: this moment is still to come", as_of);
    if (!err)
        err = read_file(census, fault);
    if (!err)
        err = look_through(census, fault);
    if (!err)
        err = unlocking_need(&census->unlocking, census->dir, fault);
    if (!err)
        err = append(census, fault);
    return err ? err : show(census, fault);
}

int node_census_command(int argc, char **argv) {
    const char *as_of = NULL, *authority = "", *type = "PI", *visit_authority = NULL,
               *visit_type = "VN";
    struct census census = {0};
    const struct option_spec specs[] = {{"as-of", NULL, &as_of, NULL},
                                        {"authority", NULL, &authority, NULL},
                                        {"type", NULL, &type, NULL},
                                        {"visit-authority", NULL, &visit_authority, NULL},
                                        {"visit-type", NULL, &visit_type, NULL},
                                        {"passphrase-file", NULL, &census.unlocking.file, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 2 || !as_of)
        return command_usage(census_usage);
    struct fault fault = {0};
    census.dir = argv[1];
    census.path = argv[2];
    census.given = (struct facts_census){
        .authority = bytes_from_string(authority),
        .type = bytes_from_string(type),
        .visit_authority = bytes_from_string(visit_authority ? visit_authority : authority),
        .visit_type = bytes_from_string(visit_type),
    };
    arena_init(&census.arena, ARENA_BYTES);
    enum err err = run(&census, as_of, &fault);
    unlocking_end(&census.unlocking);
    arena_release(&census.arena);
    return err ? command_fail(err, &fault) : 0;
}
