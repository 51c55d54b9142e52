/* take.c - the facts of one message into the records of the batch. */
#include "chart/statement.h"
#include "chart/writer.h"

/* Values in facts are views into the message: what a record keeps is copied into the batch. */
static struct bytes keep(struct chart_writer *writer, struct bytes value) {
    return arena_copy(&writer->batch, value);
}

static struct fact_identifier keep_identifier(struct chart_writer *writer,
                                              const struct fact_identifier *identifier) {
    return (struct fact_identifier){keep(writer, identifier->authority),
                                    keep(writer, identifier->type),
                                    keep(writer, identifier->number)};
}

static struct fact_place keep_place(struct chart_writer *writer, const struct fact_place *place) {
    return (struct fact_place){keep(writer, place->unit), keep(writer, place->room),
                               keep(writer, place->bed), keep(writer, place->facility)};
}

/* An unchanged value needs no new copy. */
static enum err take_cell(struct chart_writer *writer, struct cell *cell, const struct feed *feed,
                          const struct key *key, const struct fact *fact) {
    struct voice voice = {*key, feed->id, fact->cell.is_deleted, fact->cell.value};
    if (!cell_wants(cell, &voice))
        return ERR_OK;
    bool same = cell->is_set && bytes_equal(cell->voice.value, voice.value);
    voice.value = same ? cell->voice.value : keep(writer, voice.value);
    return cell_take(cell, &voice, &writer->batch);
}

/* A list of one more; NULL when the batch is full. */
static void *longer(struct chart_writer *writer, const void *list, size_t count, size_t size) {
    void *copy = arena_array(&writer->batch, count + 1, size);
    if (copy && count)
        memcpy(copy, list, count * size);
    return copy;
}

static enum err take_alias(struct chart_writer *writer, struct subject *subject,
                           const struct key *key, const struct fact_identifier *identifier,
                           struct fault *fault) {
    size_t count = subject->other_count;
    for (size_t i = 0; i < count; i++)
        if (identifier_is(&subject->others[i], identifier)) {
            if (key->entry > subject->other_entries[i])
                subject->other_entries[i] = key->entry;
            return ERR_OK;
        }
    struct fact_identifier *others = longer(writer, subject->others, count, sizeof *others);
    uint64_t *entries = longer(writer, subject->other_entries, count, sizeof *entries);
    if (!others || !entries)
        return fault_set(fault, ERR_LIMIT, "the batch is too large");
    others[count] = keep_identifier(writer, identifier);
    entries[count] = key->entry;
    subject->others = others;
    subject->other_entries = entries;
    subject->other_count++;
    sqlite3_stmt *put = db_statement(&writer->db, SQL_ALIAS_PUT, fault);
    db_bind_bytes(put, 1, identifier->number);
    db_bind_bytes(put, 2, identifier->authority);
    db_bind_bytes(put, 3, identifier->type);
    db_bind_i64(put, 4, (int64_t)subject->id);
    return db_run(&writer->db, put, fault);
}

static enum err take_movement(struct chart_writer *writer, struct visit *visit,
                              const struct key *key, const struct fact *fact) {
    if (fact->kind == FACT_CANCEL) {
        struct fact_cancel cancel = fact->cancel;
        cancel.movement_id = keep(writer, cancel.movement_id);
        return visit_take_cancel(visit, key, &cancel, &writer->batch);
    }
    struct fact_movement movement = fact->movement;
    movement.movement_id = keep(writer, movement.movement_id);
    movement.place = keep_place(writer, &movement.place);
    movement.prior = keep_place(writer, &movement.prior);
    movement.medical_unit = keep(writer, movement.medical_unit);
    movement.care_unit = keep(writer, movement.care_unit);
    return visit_take_movement(visit, key, &movement, &writer->batch);
}

bool writer_edge_changed(struct chart_writer *writer, uint64_t subject) {
    if (writer->edge_end_count == writer->edge_end_capacity) {
        size_t capacity = writer->edge_end_capacity ? writer->edge_end_capacity * 2 : 64;
        uint64_t *ends = arena_array(&writer->batch, capacity, sizeof *ends);
        if (!ends)
            return false;
        if (writer->edge_end_count)
            memcpy(ends, writer->edge_ends, writer->edge_end_count * sizeof *ends);
        writer->edge_ends = ends;
        writer->edge_end_capacity = capacity;
    }
    writer->edge_ends[writer->edge_end_count++] = subject;
    return true;
}

static enum err take_merge(struct chart_writer *writer, const struct key *key,
                           const struct fact_merge *merge, struct fault *fault) {
    struct subject *loser, *survivor;
    enum err err = writer_subject(writer, &merge->loser, &loser, fault);
    if (!err)
        err = writer_subject(writer, &merge->survivor, &survivor, fault);
    if (err)
        return err;
    loser->is_dirty = survivor->is_dirty = true;
    if (!writer_edge_changed(writer, loser->id) || !writer_edge_changed(writer, survivor->id))
        return fault_set(fault, ERR_LIMIT, "the batch is too large");
    return merges_take(&writer->db, loser->id, survivor->id, key, merge->is_unlink, fault);
}

/* Two messages may name one stay under different patients: the greater key says whose it is. */
static void claim_visit(struct visit *visit, const struct subject *subject, const struct key *key) {
    if (visit->subject != 0 && key_compare(key, &visit->subject_key) < 0)
        return;
    visit->subject = subject->id;
    visit->subject_key = *key;
}

static enum err take_visit_merge(struct chart_writer *writer, struct subject *subject,
                                 const struct key *key, const struct fact_visit_merge *merge,
                                 struct fault *fault) {
    struct visit *loser;
    enum err err = writer_visit(writer, subject, &merge->loser, &loser, fault);
    if (err || (loser->let_go_clock && key->clock <= loser->let_go_clock))
        return err;
    claim_visit(loser, subject, key);
    loser->is_dirty = true;
    if (!bytes_is_empty(loser->merged_into.number) && key_compare(key, &loser->merged_key) < 0)
        return ERR_OK;
    loser->merged_into = keep_identifier(writer, &merge->survivor);
    loser->merged_key = *key;
    return ERR_OK;
}

/* ---- lists, kept as rows ---- */

static void bind_key(sqlite3_stmt *put, int at, const struct key *key) {
    db_bind_i64(put, at, key->is_sure);
    db_bind_i64(put, at + 1, key->said);
    db_bind_i64(put, at + 2, (int64_t)key->clock);
    db_bind_i64(put, at + 3, (int64_t)key->entry);
}

static struct text scratch(struct chart_writer *writer) {
    struct text text;
    text_init(&text, writer->scratch, SCRATCH_BYTES);
    return text;
}

static enum err run_packed(struct chart_writer *writer, sqlite3_stmt *put, int at,
                           const struct text *record, struct fault *fault) {
    if (record->full)
        return fault_set(fault, ERR_LIMIT, "a record is too large");
    db_bind_blob(put, at, text_bytes(record));
    return db_run(&writer->db, put, fault);
}

/* What an allergy is to: its code, else its text in capitals; "none known" is an agent of its own. */
struct agent {
    struct text text;
    char buffer[256];
};

static enum err put_word(void *owner, struct bytes word) {
    struct text *text = owner;
    text_put(text, word);
    text_put_char(text, ' ');
    return ERR_OK;
}

static struct bytes agent_of(struct agent *agent, struct bytes code, struct bytes system,
                             struct bytes text) {
    text_init(&agent->text, agent->buffer, sizeof agent->buffer);
    if (bytes_is_empty(code)) {
        enum err err = words_of(text, false, put_word, &agent->text);
        (void)err; /* put_word never fails */
    } else {
        text_put(&agent->text, bytes_first(system, 60));
        text_put_char(&agent->text, '|');
        text_put(&agent->text, bytes_first(code, 180));
    }
    return text_bytes(&agent->text);
}

static enum err take_allergy(struct chart_writer *writer, uint64_t subject, struct feed *feed,
                             const struct key *key, const struct fact_allergy *allergy,
                             struct fault *fault) {
    struct agent agent;
    struct text record = scratch(writer);
    struct bytes name = allergy->action == ALLERGY_NONE_KNOWN
                            ? BYTES("NONE KNOWN")
                            : agent_of(&agent, allergy->code, allergy->system, allergy->text);
    pack_u64(&record, allergy->action);
    const struct bytes parts[] = {allergy->code,         allergy->system,   allergy->text,
                                  allergy->kind,         allergy->severity, allergy->reaction,
                                  allergy->identified_at};
    for (size_t i = 0; i < 7; i++)
        pack_bytes(&record, parts[i]);
    sqlite3_stmt *put = db_statement(&writer->db, SQL_ALLERGY_PUT, fault);
    db_bind_i64(put, 1, (int64_t)subject);
    db_bind_i64(put, 2, (int64_t)feed->id);
    db_bind_bytes(put, 3, name);
    bind_key(put, 4, key);
    return run_packed(writer, put, 8, &record, fault);
}

/* One that is numbered is known by its number, whatever it is called; problems have a list of their own. */
static struct bytes diagnosis_name(struct agent *agent, const struct fact_diagnosis *diagnosis) {
    if (bytes_is_empty(diagnosis->id) && !diagnosis->is_problem)
        return agent_of(agent, diagnosis->code, diagnosis->system, diagnosis->text);
    text_init(&agent->text, agent->buffer, sizeof agent->buffer);
    text_put_string(&agent->text, diagnosis->is_problem ? "problem" : "diagnosis");
    if (bytes_is_empty(diagnosis->id)) {
        text_put_string(&agent->text, "||");
        text_put(&agent->text, bytes_first(diagnosis->system, 50));
        text_put_char(&agent->text, '|');
        text_put(
            &agent->text,
            bytes_first(bytes_is_empty(diagnosis->code) ? diagnosis->text : diagnosis->code, 180));
    } else {
        text_put_char(&agent->text, '|');
        text_put(&agent->text, bytes_first(diagnosis->id, 200));
    }
    return text_bytes(&agent->text);
}

static enum err take_diagnosis(struct chart_writer *writer, uint64_t subject, const struct key *key,
                               const struct fact_diagnosis *diagnosis, struct fault *fault) {
    struct agent agent;
    struct text record = scratch(writer);
    struct bytes name = diagnosis_name(&agent, diagnosis);
    const struct bytes parts[] = {diagnosis->code, diagnosis->system,   diagnosis->text,
                                  diagnosis->type, diagnosis->onset_at, diagnosis->ended_at,
                                  diagnosis->state};
    for (size_t i = 0; i < 7; i++)
        pack_bytes(&record, parts[i]);
    pack_i64(&record, diagnosis->at);
    pack_u64(&record, (uint64_t)diagnosis->is_problem << 1 | diagnosis->is_deleted);
    sqlite3_stmt *put = db_statement(&writer->db, SQL_DIAGNOSIS_PUT, fault);
    db_bind_i64(put, 1, (int64_t)subject);
    db_bind_bytes(put, 2, name);
    bind_key(put, 3, key);
    return run_packed(writer, put, 7, &record, fault);
}

static enum err take_document(struct chart_writer *writer, uint64_t subject, const struct key *key,
                              const struct fact_document *document, struct fault *fault) {
    struct text record = scratch(writer);
    /* A very long text stays in its entry; the chart keeps what a page can show. */
    const struct bytes parts[] = {
        document->parent_id,    document->kind,
        document->title,        document->completion,
        document->availability, document->author,
        document->media_type,   bytes_first(document->text, SCRATCH_BYTES / 2)};
    for (size_t i = 0; i < 8; i++)
        pack_bytes(&record, parts[i]);
    pack_u64(&record, document->encapsulated_bytes);
    pack_i64(&record, document->at);
    pack_u64(&record, (uint64_t)document->is_cancelled | (uint64_t)document->is_replacement << 1 |
                          (uint64_t)document->is_addendum << 2);
    sqlite3_stmt *put = db_statement(&writer->db, SQL_DOCUMENT_PUT, fault);
    db_bind_i64(put, 1, (int64_t)subject);
    db_bind_bytes(put, 2, document->id);
    bind_key(put, 3, key);
    return run_packed(writer, put, 7, &record, fault);
}

static enum err take_report(struct chart_writer *writer, struct subject *subject, struct feed *feed,
                            const struct key *key, unsigned part, const struct fact_report *fact,
                            struct fault *fault) {
    struct text record = scratch(writer);
    struct stored_report report = {.key = *key, .feed = feed->id, .fact = *fact};
    report_pack(&report, &record);
    if (fact->reported_at > subject->newest_result_at)
        subject->newest_result_at = fact->reported_at;
    sqlite3_stmt *put = db_statement(&writer->db, SQL_REPORT_PUT, fault);
    db_bind_i64(put, 1, (int64_t)subject->id);
    db_bind_i64(put, 2, fact->reported_at);
    db_bind_i64(put, 3, (int64_t)key->entry);
    db_bind_i64(put, 4, part);
    return run_packed(writer, put, 5, &record, fault);
}

static enum err take_statement(struct chart_writer *writer, uint64_t subject, struct feed *feed,
                               const struct key *key, unsigned part, const struct fact *fact,
                               struct fault *fault) {
    struct text record = scratch(writer);
    struct statement statement;
    if (!statement_of(fact, &statement))
        return ERR_OK;
    statement.key = *key;
    statement.feed = feed->id;
    statement_pack(&statement, &record);
    sqlite3_stmt *put = db_statement(&writer->db, SQL_STATEMENT_PUT, fault);
    db_bind_i64(put, 1, (int64_t)subject);
    db_bind_i64(put, 2, statement.kind);
    db_bind_i64(put, 3, (int64_t)key->entry);
    db_bind_i64(put, 4, part);
    return run_packed(writer, put, 5, &record, fault);
}

/* ---- all of a message ---- */

static enum err take_fact(struct chart_writer *writer, struct subject *subject, struct visit *visit,
                          struct feed *feed, const struct key *key, unsigned part,
                          const struct fact *fact, struct fault *fault) {
    switch (fact->kind) {
    case FACT_PATIENT:
        return take_cell(writer, &subject->cells[fact->cell.field], feed, key, fact);
    case FACT_IDENTIFIER:
        return take_alias(writer, subject, key, &fact->identifier, fault);
    case FACT_VISIT:
        return take_cell(writer, &visit->cells[fact->cell.field], feed, key, fact);
    case FACT_MOVEMENT:
    case FACT_CANCEL:
        return take_movement(writer, visit, key, fact);
    case FACT_MERGE:
        return take_merge(writer, key, &fact->merge, fault);
    case FACT_ALLERGY:
        return take_allergy(writer, subject->id, feed, key, &fact->allergy, fault);
    case FACT_DIAGNOSIS:
        return take_diagnosis(writer, subject->id, key, &fact->diagnosis, fault);
    case FACT_REPORT:
        return take_report(writer, subject, feed, key, part, &fact->report, fault);
    case FACT_DOCUMENT:
        return take_document(writer, subject->id, key, &fact->document, fault);
    case FACT_ORDER:
    case FACT_MEDICATION_EVENT:
    case FACT_APPOINTMENT:
        return take_statement(writer, subject->id, feed, key, part, fact, fault);
    case FACT_VISIT_MERGE:
        return take_visit_merge(writer, subject, key, &fact->visit_merge, fault);
    case FACT_RESOURCE: /* writer_take_resource: it may be nobody's */
        break;
    }
    return ERR_OK;
}

/* Of an entry that is stated again only some parts count; results and documents are of none. */
static bool counts(const struct fact *fact, unsigned parts) {
    unsigned part = facts_part_of(fact->kind);
    return part ? part & parts : parts & PARTS_NAMELESS;
}

static bool names_a_stay(const struct facts *facts, unsigned parts) {
    if (!(parts & FACTS_STAY))
        return false;
    for (size_t i = 0; i < facts->count; i++)
        if (facts_part_of(facts->list[i].kind) == FACTS_STAY)
            return true;
    return !bytes_is_empty(facts->visit.number);
}

/* The stay that the message names; NULL when it names none, or one that was let go after this was said. */
static enum err find_visit(struct chart_writer *writer, struct subject *subject,
                           const struct facts *facts, const struct key *key, unsigned *parts,
                           struct visit **visit, struct fault *fault) {
    *visit = NULL;
    if (!names_a_stay(facts, *parts))
        return ERR_OK;
    enum err err = writer_visit(writer, subject, &facts->visit, visit, fault);
    if (err || !(*visit)->let_go_clock || key->clock > (*visit)->let_go_clock)
        return err;
    *visit = NULL;
    *parts &= ~(unsigned)FACTS_STAY;
    return ERR_OK;
}

enum err writer_take_facts(struct chart_writer *writer, const struct facts *facts,
                           const struct key *key, struct feed *feed, int64_t received_at,
                           unsigned parts, unsigned first_part, struct fault *fault) {
    struct subject *subject;
    struct visit *visit;
    if (!facts->has_subject)
        return ERR_OK;
    enum err err = writer_subject(writer, &facts->subject, &subject, fault);
    if (!err)
        err = find_visit(writer, subject, facts, key, &parts, &visit, fault);
    if (err)
        return err;
    subject->is_dirty = true;
    if (subject->named_entry == ENTRY_NONE || key->entry > subject->named_entry)
        subject->named_entry = key->entry;
    if (received_at > subject->touched_at)
        subject->touched_at = received_at;
    if (visit) {
        uint64_t before = visit->subject;
        visit->is_dirty = true;
        claim_visit(visit, subject, key);
        if (before != 0 && before != visit->subject) {
            struct subject *old;
            err = writer_subject_by_id(writer, before, &old, fault);
            if (err)
                return err;
            old->is_dirty = true;
        }
    }
    for (size_t i = 0; i < facts->count && !err; i++)
        if (counts(&facts->list[i], parts))
            err = take_fact(writer, subject, visit, feed, key, first_part + (unsigned)i,
                            &facts->list[i], fault);
    return err;
}

/* ---- stays that are let go ---- */

static bool next_value(struct bytes *rest, struct bytes *value) {
    if (rest->size < 2 || rest->size - 2 < load_u16(rest->data))
        return false;
    *value = bytes_from(rest->data + 2, load_u16(rest->data));
    *rest = bytes_skip(*rest, 2 + value->size);
    return true;
}

static bool next_identifier(struct bytes *rest, struct fact_identifier *identifier) {
    return next_value(rest, &identifier->authority) && next_value(rest, &identifier->type) &&
           next_value(rest, &identifier->number);
}

static enum err let_go_one(struct chart_writer *writer, const struct key *key,
                           const struct chart_let_go *stay, struct fault *fault) {
    struct subject *subject;
    struct visit *visit;
    enum err err = writer_subject(writer, &stay->patient, &subject, fault);
    if (!err)
        err = writer_visit(writer, subject, &stay->visit, &visit, fault);
    if (err)
        return err;
    subject->is_dirty = visit->is_dirty = true;
    visit_let_go(visit, key);
    return ERR_OK;
}

/* What does not end as it should says nothing from there on. */
enum err writer_let_go(struct chart_writer *writer, const struct key *key, struct bytes body,
                       struct fault *fault) {
    struct chart_let_go stay;
    while (next_identifier(&body, &stay.visit) && next_identifier(&body, &stay.patient)) {
        enum err err = let_go_one(writer, key, &stay, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}
