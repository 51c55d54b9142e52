/* message_test.c - headers good and poor, segments however ended, characters however declared. */
#include "hl7_site.h"

static enum err init(struct bytes in, struct hl7_message *message, struct fault *fault) {
    *fault = (struct fault){0};
    return hl7_message_init(message, in, HL7_LATIN9, fault);
}

static void test_poor_headers(struct guard *guard) {
    static const struct {
        const char *in;
        enum err err;
        uint64_t at;
        const char *delimiters; /* field, component, repetition, escape, subcomponent; . is none */
    } poor[] = {
        {"", ERR_INPUT, 0, ""},
        {"M", ERR_INPUT, 0, ""},
        {"MS", ERR_INPUT, 0, ""},
        {"MSH", ERR_INPUT, 3, ""},
        {"MSH\r", ERR_INPUT, 3, ""},
        {"MSHA", ERR_INPUT, 3, ""},
        {"MSH1^~\\&1", ERR_INPUT, 3, ""},
        {"MSH ^~\\& ", ERR_INPUT, 3, ""},
        {"MSH\t^~\\&\t", ERR_INPUT, 3, ""},
        {"MSH\xE9^~\\&", ERR_INPUT, 3, ""},
        {"msh|^~\\&|", ERR_INPUT, 0, ""},
        {"PID|1||2\rMSH|^~\\&|", ERR_INPUT, 0, ""},
        {"\r\n  PID|1", ERR_INPUT, 4, ""},
        {"FHS|^~\\&|", ERR_INPUT, 9, ""},
        {"MSH|", ERR_OK, 0, "|^~\\&"},
        {"MSH||A", ERR_OK, 0, "|^~\\&"},
        {"MSH|^", ERR_OK, 0, "|^~.."},
        {"MSH|^~", ERR_OK, 0, "|^~.."},
        {"MSH|^~|A", ERR_OK, 0, "|^~.."},
        {"MSH|^~\\", ERR_OK, 0, "|^~\\."},
        {"MSH|^~\\|A", ERR_OK, 0, "|^~\\."},
        {"MSH|^~\\&", ERR_OK, 0, "|^~\\&"},
        {"MSH|^~\\&#|A", ERR_OK, 0, "|^~\\&"},
        {"MSH|^~\\&#$%|A", ERR_OK, 0, "|^~\\&"},
        {"MSH#!@%*#A", ERR_OK, 0, "#!@%*"},
        {"MSH^~\\&|^A", ERR_OK, 0, "^~\\&|"},
        {"MSH|^~\\\\&|A", ERR_OK, 0, "|^~\\&"}, /* the escape character was escaped */
        {"MSH|^~ &|A", ERR_OK, 0, "|^~.&"},
        {"MSH|ab|A", ERR_OK, 0, "|^~.."},
    };
    for (size_t i = 0; i < sizeof poor / sizeof poor[0]; i++) {
        struct hl7_message message;
        struct fault fault;
        struct bytes in = guard_copy(guard, bytes_from_string(poor[i].in));
        is_int(init(in, &message, &fault), poor[i].err);
        const struct hl7_delimiters *d = &message.delimiters;
        char given[] = {(char)d->field,  (char)d->component,    (char)d->repetition,
                        (char)d->escape, (char)d->subcomponent, 0};
        for (size_t k = 0; k < 5; k++)
            given[k] = given[k] ? given[k] : '.';
        if (poor[i].err)
            is_int(fault.at, poor[i].at);
        else
            is_string(given, poor[i].delimiters);
    }
    ok(hl7_message_init(&(struct hl7_message){0}, BYTES("x"), HL7_UTF8, NULL) == ERR_INPUT,
       "nobody needs to ask for the fault");
}

static void test_what_stands_before(void) {
    static const char *const before[] = {"",
                                         "\r\n\n ",
                                         "\xEF\xBB\xBF",
                                         "\xEF\xBB\xBF\r\n\t",
                                         "FHS|^~\\&|A\rBHS|^~\\&|B\r",
                                         "FHS|^~\\&\r\n\r\n"};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        char in[256];
        struct hl7_message message;
        struct fault fault;
        int size = snprintf(in, sizeof in, "%s%sPID|1\r", before[i], MSH);
        is_int(init(bytes_from(in, (size_t)size), &message, &fault), ERR_OK);
        is_int(message.all.data - (const uint8_t *)in, strlen(before[i]));
        is_int(message.msh.size, strlen(MSH) - 1);
        is_int(message.msh.data - message.all.data, 0);
    }
    struct hl7_message m = message_of(BYTES("MSH|^~\\&#|A"), HL7_UTF8);
    is_int(m.delimiters.truncation, '#');
}

static void test_walk(void) {
    static const char *const ends[] = {"\r", "\n", "\r\n", "\r\r", "\n\n\n", "\r\n\r\n"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char in[256], names[64] = "";
        struct text text;
        struct hl7_walk walk = {0};
        struct hl7_segment segment;
        snprintf(in, sizeof in, "MSH|^~\\&%sPID|1%sZZZ%sPID|2%s", ends[i], ends[i], ends[i],
                 i % 2 ? ends[i] : "");
        struct hl7_message m = message_of(bytes_from_string(in), HL7_UTF8);
        text_init(&text, names, sizeof names);
        while (hl7_segment_next(&m, &walk, &segment)) {
            text_put(&text, segment.name);
            text_put_char(&text, ' ');
            text_put_u64(&text, segment.all.size);
            text_put_char(&text, ' ');
        }
        is_string(names, "MSH 8 PID 5 ZZZ 3 PID 5 ");
        ok(!hl7_segment_next(&m, &walk, &segment), "the end stays the end");
    }
}

static void test_find(void) {
    struct hl7_message m = message_of(BYTES(MSH "PID|1\rPIDX|9\rPV|8\rPID|2\0\r"), HL7_UTF8);
    struct hl7_segment segment = segment_of(&m, "PID");
    is_bytes(hl7_field(&segment, 1), "1");
    is_int(segment.at, strlen(MSH));
    segment = segment_of(&m, "PIDX");
    is_bytes(hl7_field(&segment, 1), "9");
    ok(hl7_segment_find(&m, "PV", &segment), "odd names are found too");
    ok(!hl7_segment_find(&m, "PV1", &segment), "what is not there is not found");
}

/* "é" in UTF-8 is C3 A9; in Latin characters E9. */
static void test_characters(void) {
    static const struct {
        const char *declared, *word;
        enum hl7_charset otherwise, is_declared, is_read;
        bool is_mismatch;
    } cases[] = {
        {"", "e", HL7_LATIN9, HL7_CHARSET_UNKNOWN, HL7_LATIN9, false},
        {"", "e", HL7_UTF8, HL7_CHARSET_UNKNOWN, HL7_UTF8, false},
        {"", "\xE9", HL7_LATIN9, HL7_CHARSET_UNKNOWN, HL7_LATIN9, false},
        {"", "\xE9", HL7_LATIN1, HL7_CHARSET_UNKNOWN, HL7_LATIN1, false},
        {"", "\xE9", HL7_UTF8, HL7_CHARSET_UNKNOWN, HL7_LATIN9, false},
        {"", "\xE9", HL7_CHARSET_UNKNOWN, HL7_CHARSET_UNKNOWN, HL7_LATIN9, false},
        {"", "\xC3\xA9", HL7_LATIN9, HL7_CHARSET_UNKNOWN, HL7_UTF8, false},
        {"8859/1", "e", HL7_LATIN9, HL7_LATIN1, HL7_LATIN1, false},
        {"8859/1", "\xE9", HL7_LATIN9, HL7_LATIN1, HL7_LATIN1, false},
        {"8859/1", "\xC3\xA9", HL7_LATIN9, HL7_LATIN1, HL7_UTF8, true},
        {"8859/1", "\xC3\xA9 \xE9", HL7_LATIN9, HL7_LATIN1, HL7_LATIN1, false},
        {"8859/15", "\xE9", HL7_LATIN1, HL7_LATIN9, HL7_LATIN9, false},
        {"8859/15", "\xC3\xA9", HL7_LATIN1, HL7_LATIN9, HL7_UTF8, true},
        {"UNICODE UTF-8", "e", HL7_LATIN9, HL7_UTF8, HL7_UTF8, false},
        {"UNICODE UTF-8", "\xC3\xA9", HL7_LATIN9, HL7_UTF8, HL7_UTF8, false},
        {"UNICODE UTF-8", "\xE9", HL7_LATIN9, HL7_UTF8, HL7_LATIN9, true},
        {"UNICODE UTF-8", "\xE9", HL7_LATIN1, HL7_UTF8, HL7_LATIN1, true},
        {"UNICODE UTF-8", "\xC3\xA9 \xC3", HL7_LATIN9, HL7_UTF8, HL7_UTF8, true},
        {"ASCII", "e", HL7_LATIN9, HL7_ASCII, HL7_ASCII, false},
        {"ASCII", "\xE9", HL7_LATIN9, HL7_ASCII, HL7_LATIN9, true},
        {"ASCII", "\xE9", HL7_ASCII, HL7_ASCII, HL7_LATIN9, true},
        {"ASCII", "\xC3\xA9", HL7_LATIN9, HL7_ASCII, HL7_UTF8, true},
        {"8859/1~UNICODE UTF-8", "\xE9", HL7_LATIN9, HL7_LATIN1, HL7_LATIN1, false},
        {"~8859/1", "\xE9", HL7_LATIN9, HL7_CHARSET_UNKNOWN, HL7_LATIN9, false},
        {" 8859/1 ", "\xE9", HL7_LATIN9, HL7_LATIN1, HL7_LATIN1, false},
        {"unicode utf-8", "\xC3\xA9", HL7_LATIN9, HL7_UTF8, HL7_UTF8, false},
        {"utf8", "e", HL7_LATIN9, HL7_UTF8, HL7_UTF8, false},
        {"Windows-1252", "\xE9", HL7_LATIN9, HL7_LATIN1, HL7_LATIN1, false},
        {"8859/2", "\xE9", HL7_LATIN9, HL7_CHARSET_UNKNOWN, HL7_LATIN9, false},
        {"ISO IR87", "e", HL7_LATIN9, HL7_CHARSET_UNKNOWN, HL7_LATIN9, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char in[256];
        snprintf(in, sizeof in, "MSH|^~\\&|||||||ADT^A08|1|P|2.5||||||%s\rPID|1||||%s\r",
                 cases[i].declared, cases[i].word);
        struct hl7_message m = message_of(bytes_from_string(in), cases[i].otherwise);
        is_int(m.declared, cases[i].is_declared);
        is_int(m.characters, cases[i].is_read);
        is_int(m.is_charset_mismatch, cases[i].is_mismatch);
    }
}

static void test_header_read(struct guard *guard) {
    struct hl7_header h;
    hl7_header_read(&h, guard_copy(guard, BYTES("\nMSH|^~\\&|A^1|B|C|D|20261123^S||ADT^A01^ADT_A01|"
                                                "id 7|T^T|2.5^FRA|9|c|AL|NE|FRA|8859/15~X|")));
    ok(h.has_msh);
    is_bytes(h.sending_application, "A^1");
    is_bytes(h.sending_facility, "B");
    is_bytes(h.receiving_application, "C");
    is_bytes(h.receiving_facility, "D");
    is_bytes(h.time, "20261123");
    is_bytes(h.type_code, "ADT");
    is_bytes(h.trigger, "A01");
    is_bytes(h.structure, "ADT_A01");
    is_bytes(h.control_id, "id 7");
    is_bytes(h.processing_id, "T^T");
    is_bytes(h.version, "2.5^FRA");
    is_bytes(h.accept_ack, "AL");
    is_bytes(h.application_ack, "NE");
    is_bytes(h.charset, "8859/15~X");
    hl7_header_read(&h, BYTES("PID|1"));
    ok(!h.has_msh && h.delimiters.field == '|' && h.control_id.size == 0);
    hl7_header_read(&h, BYTES("MSHx"));
    ok(!h.has_msh && h.delimiters.escape == '\\');
    hl7_header_read(&h, BYTES("MSH|^~\\&|A"));
    ok(h.has_msh && h.version.size == 0 && bytes_is(h.sending_application, "A"));
}

static void test_cut(struct guard *guard) {
    const struct bytes samples[] = {
        BYTES("MSH|^~\\&|LAB|NORD|CHART|SUD|20261123101500||ORU^R01^ORU_R01|42|P|2.5|||AL|NE|FRA|"
              "UNICODE UTF-8~8859/1\rPID|1||00042^^^H&1.2.3&ISO^PI~A^^^B^MR||L\xC3\xA9on^Zo\xC3"
              "\xA9^^^Mme^^D~H\\T\\B||19700101|F\rPV1|1|I|CARD^12^1^H\rOBX|1|TX|T||a\\.br\\b\\XC3A9"
              "\\c\\X0D0A\\\\H\\d\\N\\|\"\"\r"),
        BYTES("\xEF\xBB\xBF"
              "FHS|^~\\&|A\r\nBHS|^~\\&|B\r\nMSH#!@%*#A#B\r\nPID#1##x!y@z*%F%\r\n"
              "BTS#1\r\nFTS#1\r\n"),
        BYTES("\x0BMSH|^~|A||\n\nPID|\xE9\\\n\x1C\r\x0BMSH||\x1C\r"),
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        ok(walk_cut_everywhere(guard, samples[i]), "cut at every byte, nothing lies outside");
}

int main(void) {
    struct guard guard;
    guard_init(&guard, 4096);
    test_poor_headers(&guard);
    test_what_stands_before();
    test_walk();
    test_find();
    test_characters();
    test_header_read(&guard);
    test_cut(&guard);
    guard_release(&guard);
    return done();
}
