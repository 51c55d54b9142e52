/* answer.c - acknowledgements: what was made durable is answered, in the order it came.
 *
 * Invariants
 *   AA and CA are written in one place, and only for a settled slot whose err is ERR_OK.
 *   While an earlier answer waits to be sent, no further one is written; a message that asks for
 *   none is then passed over in silence, so that a peer who never reads can go on sending.
 */
#include "feeds/listener.h"

#include "facts/facts.h"

#include <assert.h>

#define SEND_BYTES (16u << 10) /* so much is gathered before it is sent */

enum outcome { OUTCOME_ACCEPT, OUTCOME_ERROR, OUTCOME_REJECT };

/* What is stored is safe here: the accept acknowledgement says so even when the application's is
 * an error. */
struct verdict {
    enum outcome outcome;
    bool is_stored;
    const char *text, *error_code;
};

/* Error codes are those of HL7 table 0357. */
static struct verdict verdict_of(const struct feeds *feeds, const struct slot *slot,
                                 const struct hl7_header *header) {
    if (slot->err)
        return (struct verdict){OUTCOME_ERROR, false, "cannot be stored", "207"};
    switch (slot->kind) {
    case SLOT_EMPTY:
        return (struct verdict){OUTCOME_REJECT, false, "the frame is empty", "100"};
    case SLOT_OVERSIZE:
        return (struct verdict){OUTCOME_REJECT, false, "larger than the limit", "207"};
    case SLOT_UNFRAMED:
        return (struct verdict){OUTCOME_REJECT, false, "bytes outside an MLLP frame", "100"};
    default:
        break;
    }
    if (!header->has_msh)
        return (struct verdict){OUTCOME_REJECT, false, "there is no MSH", "100"};
    if (feeds->options.unknown_is_ae && !facts_understands(header))
        return (struct verdict){OUTCOME_ERROR, true, "this kind of message is not understood",
                                "200"};
    return (struct verdict){OUTCOME_ACCEPT, true, NULL, NULL};
}

/* ---- writing ---- */

static struct bytes ack_time(struct feeds *feeds) {
    int64_t now_ms = feeds->life.loop.now_us / US_PER_MS;
    if (now_ms != feeds->ack_time_ms) {
        struct text text;
        text_init(&text, feeds->ack_time, sizeof feeds->ack_time);
        time_put_hl7(&text, feeds->life.loop.now_us, NULL);
        feeds->ack_time_ms = now_ms;
    }
    return bytes_from_string(feeds->ack_time);
}

static void put_ack(struct feeds *feeds, struct text *text, const struct hl7_header *header,
                    const struct verdict *verdict, const char *code) {
    char id[24];
    struct text id_text;
    text_init(&id_text, id, sizeof id);
    text_put_i64(&id_text, feeds->started_s);
    text_put_char(&id_text, '.');
    text_put_padded(&id_text, ++feeds->ack_count, 9);
    struct hl7_ack ack = {.code = code,
                          .text = verdict->text,
                          .error_code = verdict->error_code,
                          .control_id = text_bytes(&id_text),
                          .time = ack_time(feeds)};
    if (code[1] == 'A') /* what is accepted needs no excuse */
        ack.text = ack.error_code = NULL;
    text_put_char(text, (char)MLLP_START);
    hl7_put_ack(text, header, &ack);
    text_put_char(text, (char)MLLP_END);
    text_put_char(text, (char)MLLP_RETURN);
}

/* Table 0155: is an acknowledgement asked for, by this field, for this outcome? */
static bool is_asked(struct bytes condition, bool is_good) {
    return bytes_is(condition, "AL") || (is_good && bytes_is(condition, "SU")) ||
           (!is_good && bytes_is(condition, "ER"));
}

static const char *accept_code(const struct verdict *verdict) {
    static const char *const codes[] = {"CA", "CE", "CR"};
    return codes[verdict->is_stored ? OUTCOME_ACCEPT : verdict->outcome];
}

static bool asks_for_nothing(const struct hl7_header *header) {
    return bytes_is(bytes_trim(header->accept_ack), "NE") &&
           !is_asked(bytes_trim(header->application_ack), true) &&
           !is_asked(bytes_trim(header->application_ack), false);
}

/* HL7 v2.5 2.9: both fields empty is the original mode; otherwise an accept acknowledgement, an
 * application acknowledgement, or both. Having accepted nothing, there is nothing an application
 * could add. Returns how many were written. */
static unsigned put_asked(struct feeds *feeds, struct text *text, const struct hl7_header *header,
                          const struct verdict *verdict) {
    static const char *const codes[] = {"AA", "AE", "AR"};
    struct bytes accept = bytes_trim(header->accept_ack);
    struct bytes application = bytes_trim(header->application_ack);
    unsigned count = 0;
    if (accept.size == 0 && application.size == 0) {
        put_ack(feeds, text, header, verdict, codes[verdict->outcome]);
        return 1;
    }
    if (is_asked(accept, verdict->is_stored)) {
        put_ack(feeds, text, header, verdict, accept_code(verdict));
        if (!verdict->is_stored)
            return 1;
        count++;
    }
    if (is_asked(application, verdict->outcome == OUTCOME_ACCEPT)) {
        put_ack(feeds, text, header, verdict, codes[verdict->outcome]);
        count++;
    }
    return count;
}

/* Whatever is framed is answered: on MLLP many wait for an answer whatever their MSH-15 and 16 say.
 * One that was not asked for is left out, though, while the peer does not read. */
static void put_answers(struct feeds *feeds, struct text *text, const struct hl7_header *header,
                        const struct verdict *verdict) {
    if (put_asked(feeds, text, header, verdict) == 0)
        put_ack(feeds, text, header, verdict, accept_code(verdict));
}

/* ---- counting ---- */

static void count(struct feeds *feeds, const struct slot *slot, const struct hl7_header *header,
                  const struct verdict *verdict) {
    struct feeds_counts *counts = &feeds->counts;
    struct source *source =
        sources_find(&feeds->sources, header->sending_application, header->sending_facility);
    bool is_unframed = slot->kind == SLOT_UNFRAMED;
    source->messages += !is_unframed;
    source->unframed += is_unframed;
    source->aa += verdict->outcome == OUTCOME_ACCEPT;
    source->ae += verdict->outcome == OUTCOME_ERROR;
    source->ar += verdict->outcome == OUTCOME_REJECT;
    source->repeats += slot->is_repeat;
    source->oversize += slot->kind == SLOT_OVERSIZE;
    source->newest_at = slot->received_at;
    counts->messages += !is_unframed;
    counts->unframed += is_unframed;
    counts->aa += verdict->outcome == OUTCOME_ACCEPT;
    counts->ae += verdict->outcome == OUTCOME_ERROR;
    counts->ar += verdict->outcome == OUTCOME_REJECT;
    counts->repeats += slot->is_repeat;
    counts->oversize += slot->kind == SLOT_OVERSIZE;
}

/* ---- in order ---- */

/* False: it asks for an answer, but an earlier one waits to be sent, so this one must wait too. */
static bool answer_slot(struct connection *connection, const struct slot *slot, struct text *text) {
    struct feeds *feeds = connection->feeds;
    bool is_full = connection->out.data != NULL;
    struct hl7_header header;
    if (slot->kind == SLOT_CUT || slot->kind == SLOT_LARGE_CUT) {
        feeds->counts.cut++;
        return true;
    }
    hl7_header_read(&header, slot_body(connection, slot));
    connection->asks_for_nothing = asks_for_nothing(&header);
    if (is_full && !connection->asks_for_nothing)
        return false;
    struct verdict verdict = verdict_of(feeds, slot, &header);
    count(feeds, slot, &header, &verdict);
    if (connection->fd >= 0 && !is_full)
        put_answers(feeds, text, &header, &verdict);
    return true;
}

static void drop_first_slot(struct connection *connection) {
    if (slot_is_in_head(connection_slot(connection, 0)))
        buffers_give(&connection->feeds->buffers, &connection->head);
    connection->first_sequence++;
    connection->slot_count--;
}

void connection_answer(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    struct text text;
    text_init(&text, feeds->scratch, SCRATCH_BYTES);
    while (connection->slot_count > 0) {
        const struct slot *slot = connection_slot(connection, 0);
        if (slot->state != SLOT_SETTLED || !answer_slot(connection, slot, &text))
            break;
        drop_first_slot(connection);
        if (text.full) { /* a header made to be larger than any answer */
            connection_hang_up(connection);
            return;
        }
        if (text.size > SEND_BYTES) {
            connection_send(connection, text_bytes(&text));
            text_clear(&text);
        }
    }
    connection_send(connection, text_bytes(&text));
}
