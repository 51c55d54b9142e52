/* fuzz_hl7.c - any bytes as a file of HL7 messages: everything is read, and answered. */
#include "formats/hl7/hl7.h"

#include <assert.h>
#include <stdlib.h>

#define FIELDS_MAX    40u
#define PARTS_MAX     16u
#define ROOM_BYTES    512u
#define ARENA_BYTES   (1u << 16)
#define ACK_BYTES_MAX (1u << 12)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct bytes outer, struct bytes inner) {
    assert(inner.size == 0 || (inner.data >= outer.data && inner.size <= outer.size &&
                               (size_t)(inner.data - outer.data) <= outer.size - inner.size));
}

/* Into a room that may be too small, and into an arena whose room must suffice. */
static void read_text(const struct hl7_message *message, struct bytes value, struct arena *arena) {
    char room[ROOM_BYTES];
    struct text text;
    text_init(&text, room, sizeof room);
    hl7_put_text(&text, message, value);
    assert(bytes_is_utf8(text_bytes(&text), NULL));
    struct bytes whole = hl7_text(arena, message, value);
    if (whole.data) {
        assert(bytes_is_utf8(whole, NULL));
        assert(bytes_starts_with(whole, text_bytes(&text)));
        assert(text.full || whole.size == text.size);
    }
    arena_clear(arena);
}

static void read_field(const struct hl7_message *message, const struct hl7_segment *segment,
                       unsigned field, struct bytes whole, struct arena *arena) {
    struct bytes repetition;
    for (unsigned r = 1; r <= PARTS_MAX; r++) {
        if (!hl7_repetition(segment, field, r, &repetition))
            break;
        assert_inside(whole, repetition);
        for (unsigned c = 1; c <= PARTS_MAX; c++) {
            struct bytes component = hl7_component_of(&message->delimiters, repetition, c);
            assert_inside(repetition, component);
            assert_inside(component,
                          hl7_subcomponent_of(&message->delimiters, component, c % 3 + 1));
        }
        assert_inside(whole, hl7_value(segment, field, r));
    }
    read_text(message, whole, arena);
}

static void read_segment(const struct hl7_message *message, const struct hl7_segment *segment,
                         struct arena *arena) {
    struct bytes fields[FIELDS_MAX];
    assert(segment->all.size > 0);
    assert(segment->all.data == message->all.data + segment->at);
    assert_inside(message->all, segment->all);
    assert_inside(segment->all, segment->name);
    unsigned count = hl7_segment_split(segment, fields, FIELDS_MAX);
    assert(count > 0 && count <= FIELDS_MAX);
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        assert_inside(segment->all, fields[i]);
        assert(i < count || !fields[i].data);
    }
    for (unsigned i = 0; i < count; i++) {
        assert(bytes_equal(fields[i], hl7_field(segment, i)));
        read_field(message, segment, i, fields[i], arena);
    }
}

static void read_message(struct bytes in, enum hl7_charset otherwise, struct arena *arena) {
    struct hl7_message message;
    struct fault fault = {0};
    struct hl7_walk walk = {0};
    struct hl7_segment segment;
    size_t end = 0;
    if (hl7_message_init(&message, in, otherwise, &fault)) {
        assert(fault.code == ERR_INPUT && fault.at <= in.size);
        return;
    }
    assert_inside(in, message.all);
    assert_inside(message.all, message.msh);
    while (hl7_segment_next(&message, &walk, &segment)) {
        assert(segment.at >= end);
        end = segment.at + segment.all.size;
        read_segment(&message, &segment, arena);
    }
    assert(walk.at == message.all.size);
    if (hl7_segment_find(&message, "PID", &segment))
        assert(bytes_is(segment.name, "PID"));
}

static void assert_header_inside(const struct hl7_header *header, struct bytes in) {
    const struct bytes views[] = {header->sending_application,
                                  header->sending_facility,
                                  header->receiving_application,
                                  header->receiving_facility,
                                  header->time,
                                  header->type_code,
                                  header->trigger,
                                  header->structure,
                                  header->control_id,
                                  header->processing_id,
                                  header->version,
                                  header->accept_ack,
                                  header->application_ack,
                                  header->charset};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        assert_inside(in, views[i]);
}

/* Whatever came, the answer is a message, and MSA-2 is MSH-10 byte for byte. */
static void answer(struct bytes in, bool is_accepted) {
    static const struct hl7_ack accept = {.code = "AA"};
    static const struct hl7_ack reject = {
        .code = "AR", .text = "a|b^c~d\\e&f", .error_code = "207"};
    char room[ACK_BYTES_MAX];
    struct text text;
    struct hl7_header header;
    struct hl7_message message;
    struct hl7_segment msa = {0};
    struct fault fault;
    hl7_header_read(&header, in);
    assert_header_inside(&header, in);
    text_init(&text, room, sizeof room);
    hl7_put_ack(&text, &header, is_accepted ? &accept : &reject);
    if (text.full)
        return;
    assert(room[text.size - 1] == '\r');
    enum err err = hl7_message_init(&message, text_bytes(&text), HL7_LATIN9, &fault);
    assert(!err && message.delimiters.field == header.delimiters.field);
    bool is_found = hl7_segment_find(&message, "MSA", &msa);
    assert(is_found && bytes_is(hl7_field(&msa, 1), is_accepted ? "AA" : "AR"));
    assert(bytes_equal(hl7_field(&msa, 2), header.control_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    enum hl7_charset otherwise = (enum hl7_charset)(data[0] % (HL7_CHARSET_UNKNOWN + 1));
    struct bytes file = bytes_from(data + 1, size - 1), message;
    struct arena arena;
    size_t at = 0, end = 0;
    arena_init(&arena, ARENA_BYTES);
    while (hl7_batch_next(file, &at, &message)) {
        assert_inside(file, message);
        assert(message.size > 0 && message.data >= file.data + end && at <= file.size);
        end = (size_t)(message.data - file.data) + message.size;
        assert(at == end);
        read_message(message, otherwise, &arena);
        answer(message, data[0] & 0x80);
    }
    read_message(file, otherwise, &arena);
    answer(file, true);
    arena_release(&arena);
    return 0;
}
