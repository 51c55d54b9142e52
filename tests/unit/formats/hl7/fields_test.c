/* fields_test.c - fields, repetitions, components and subcomponents, one by one and all at once. */
#include "hl7_site.h"

static void test_places(void) {
    struct hl7_message m = message_of(BYTES(MSH "PID|1||A^B&C&D^E~F^G||\"\"|x\r"), HL7_UTF8);
    struct hl7_segment pid = segment_of(&m, "PID");
    const struct hl7_delimiters *d = &m.delimiters;
    struct bytes out;
    is_bytes(hl7_field(&pid, 0), "PID");
    is_bytes(hl7_field(&pid, 1), "1");
    is_bytes(hl7_field(&pid, 2), "");
    is_bytes(hl7_field(&pid, 3), "A^B&C&D^E~F^G");
    is_bytes(hl7_field(&pid, 6), "x");
    is_bytes(hl7_field(&pid, 7), "");
    is_bytes(hl7_field(&pid, 4000000000u), "");
    ok(hl7_repetition(&pid, 3, 1, &out) && bytes_is(out, "A^B&C&D^E"));
    ok(hl7_repetition(&pid, 3, 2, &out) && bytes_is(out, "F^G"));
    ok(!hl7_repetition(&pid, 3, 3, &out) && out.size == 0);
    ok(!hl7_repetition(&pid, 3, 0, &out) && out.size == 0);
    ok(hl7_repetition(&pid, 2, 1, &out) && out.size == 0, "an empty field has one repetition");
    ok(!hl7_repetition(&pid, 2, 2, &out), "and no second");
    ok(hl7_repetition(&pid, 9, 1, &out) && out.size == 0, "so has an absent one");
    is_bytes(hl7_component_of(d, BYTES("A^B&C^D"), 1), "A");
    is_bytes(hl7_component_of(d, BYTES("A^B&C^D"), 2), "B&C");
    is_bytes(hl7_component_of(d, BYTES("A^B&C^D"), 3), "D");
    is_bytes(hl7_component_of(d, BYTES("A^B&C^D"), 4), "");
    is_bytes(hl7_component_of(d, BYTES("A^B&C^D"), 0), "");
    is_bytes(hl7_component_of(d, BYTES_NONE, 1), "");
    is_bytes(hl7_component_of(d, BYTES_NONE, 2), "");
    is_bytes(hl7_subcomponent_of(d, BYTES("B&C"), 1), "B");
    is_bytes(hl7_subcomponent_of(d, BYTES("B&C"), 2), "C");
    is_bytes(hl7_subcomponent_of(d, BYTES("B&C"), 3), "");
    is_bytes(hl7_subcomponent_of(d, BYTES("B&C"), 0), "");
    is_bytes(hl7_value(&pid, 3, 1), "A");
    is_bytes(hl7_value(&pid, 3, 2), "B");
    is_bytes(hl7_value(&pid, 3, 3), "E");
    is_bytes(hl7_value(&pid, 3, 4), "");
    is_bytes(hl7_value(&pid, 3, 0), "");
    ok(hl7_is_null(hl7_field(&pid, 5)), "two quotation marks say: delete");
    ok(!hl7_is_null(hl7_field(&pid, 4)), "nothing says: unchanged");
    ok(!hl7_is_null(BYTES("\"\"\"")) && !hl7_is_null(BYTES("\"")) && !hl7_is_null(BYTES("ab")));
}

static void test_header_fields(void) {
    struct hl7_message m = message_of(BYTES(MSH), HL7_UTF8);
    struct hl7_segment msh = segment_of(&m, "MSH");
    struct bytes fields[15], out;
    is_bytes(hl7_field(&msh, 0), "MSH");
    is_bytes(hl7_field(&msh, 1), "|");
    is_bytes(hl7_field(&msh, 2), "^~\\&");
    is_bytes(hl7_field(&msh, 3), "LAB");
    is_bytes(hl7_field(&msh, 12), "2.5");
    is_bytes(hl7_value(&msh, 9, 2), "R01");
    is_bytes(hl7_value(&msh, 2, 1), "^~\\&");
    is_bytes(hl7_value(&msh, 2, 2), "");
    ok(hl7_repetition(&msh, 2, 1, &out) && bytes_is(out, "^~\\&"), "MSH-2 does not repeat");
    ok(!hl7_repetition(&msh, 2, 2, &out));
    is_int(hl7_segment_split(&msh, fields, 15), 13);
    is_bytes(fields[0], "MSH");
    is_bytes(fields[1], "|");
    is_bytes(fields[2], "^~\\&");
    is_bytes(fields[12], "2.5");
    ok(fields[13].data == NULL && fields[14].size == 0, "what is not there is empty");
}

static void test_split_limits(void) {
    struct hl7_message m = message_of(BYTES(MSH "PID|1||3|\rZZZ\r|a\r"), HL7_UTF8);
    struct hl7_segment pid = segment_of(&m, "PID"), zzz = segment_of(&m, "ZZZ");
    struct hl7_segment msh = segment_of(&m, "MSH"), nameless = segment_of(&m, "");
    struct bytes fields[6];
    is_int(hl7_segment_split(&pid, fields, 6), 5);
    is_bytes(fields[3], "3");
    is_bytes(fields[4], "");
    ok(fields[4].data == pid.all.data + pid.all.size, "the empty last field lies at the end");
    is_int(hl7_segment_split(&pid, fields, 2), 2);
    is_bytes(fields[1], "1");
    is_int(hl7_segment_split(&pid, fields, 0), 0);
    is_int(hl7_segment_split(&msh, fields, 1), 1);
    is_int(hl7_segment_split(&msh, fields, 2), 2);
    is_int(hl7_segment_split(&zzz, fields, 6), 1);
    is_bytes(fields[0], "ZZZ");
    is_bytes(hl7_field(&zzz, 1), "");
    is_int(hl7_segment_split(&nameless, fields, 6), 2);
    is_bytes(fields[1], "a");
}

/* Segments of every length with a delimiter at every place: both ways to take fields agree. */
static void test_split_everywhere(struct guard *guard) {
    bool is_good = true;
    uint8_t line[150];
    for (size_t size = 3; size < sizeof line; size++)
        for (size_t step = 1; step < 70; step += step < 8 ? 1 : 9) {
            struct bytes fields[160];
            for (size_t i = 0; i < size; i++)
                line[i] = i >= 3 && (i - 3) % step == 0 ? '|' : (uint8_t)('a' + i % 26);
            struct bytes all = guard_copy(guard, bytes_from(line, size));
            struct hl7_segment segment = {
                all, bytes_first(all, 3), 0, {'|', '^', '~', '\\', '&', 0}};
            unsigned count = hl7_segment_split(&segment, fields, 160);
            is_good &= count == (size - 3 + step - 1) / step + 1;
            for (unsigned i = 0; i < count; i++)
                is_good &= bytes_equal(fields[i], hl7_field(&segment, i));
        }
    ok(is_good, "fields taken at once are the fields taken one by one");
}

static void test_nothing_given(void) {
    struct hl7_message m = message_of(BYTES("MSH|^~|A&B|C\rOBX|1|a&b\\c^d\0e~f\r"), HL7_UTF8);
    struct hl7_segment obx = segment_of(&m, "OBX");
    is_int(m.delimiters.escape, 0);
    is_int(m.delimiters.subcomponent, 0);
    is_bytes(hl7_value(&obx, 2, 1), "a&b\\c");
    ok(bytes_equal(hl7_value(&obx, 2, 2), BYTES("d\0e")), "a zero byte is data");
    is_bytes(hl7_subcomponent_of(&m.delimiters, BYTES("a&b"), 2), "");
}

int main(void) {
    struct guard guard;
    guard_init(&guard, 4096);
    test_places();
    test_header_fields();
    test_split_limits();
    test_split_everywhere(&guard);
    test_nothing_given();
    guard_release(&guard);
    return done();
}
