/* ack_test.c - acknowledgements of good messages and of poor ones, in each version's manner. */
#include "hl7_site.h"

static const char *ack_of(struct bytes in, struct hl7_ack ack) {
    static char room[1024];
    struct hl7_header header;
    struct text text;
    ack.control_id = BYTES("K1");
    ack.time = BYTES("20261123101501");
    hl7_header_read(&header, in);
    text_init(&text, room, sizeof room);
    hl7_put_ack(&text, &header, &ack);
    return room;
}

static const struct hl7_ack accept = {.code = "AA"};
static const struct hl7_ack reject = {.code = "AR", .text = "a|b^c&d~e\\f", .error_code = "207"};

static void test_accept(void) {
    is_string(ack_of(BYTES(MSH), accept),
              "MSH|^~\\&|CHART|SUD|LAB|NORD|20261123101501||ACK^R01^ACK|K1|P|2.5\r"
              "MSA|AA|42\r");
    is_string(ack_of(BYTES("MSH|^~\\&|A|B|C|D|2026||ADT^A01|x y|T|2.3|||AL|NE|FRA|8859/15~X\r"),
                     (struct hl7_ack){.code = "CA"}),
              "MSH|^~\\&|C|D|A|B|20261123101501||ACK^A01|K1|T|2.3||||||8859/15~X\r"
              "MSA|CA|x y\r");
    is_string(ack_of(BYTES("MSH#!@%*#A#B#C#D###ADT!A08!ADT_A01#7#P!T#2.5!FRA"), accept),
              "MSH#!@%*#C#D#A#B#20261123101501##ACK!A08!ACK#K1#P!T#2.5!FRA\r"
              "MSA#AA#7\r");
    is_string(ack_of(BYTES("MSH|^~\\&#|A|B|C|D|||ADT^A08|7|P|2.7"), accept),
              "MSH|^~\\&#|C|D|A|B|20261123101501||ACK^A08^ACK|K1|P|2.7\r"
              "MSA|AA|7\r");
}

static void test_versions(void) {
    static const struct {
        const char *version, *type;
    } cases[] = {{"2.1", "|ACK|"},
                 {"2.2", "|ACK^A01|"},
                 {"2.3", "|ACK^A01|"},
                 {"2.3.1", "|ACK^A01^ACK|"},
                 {"2.4", "|ACK^A01^ACK|"},
                 {"2.8.2", "|ACK^A01^ACK|"},
                 {"", "|ACK^A01^ACK|"},
                 {"none", "|ACK^A01^ACK|"},
                 {"2.5^FRA", "|ACK^A01^ACK|"},
                 {"2", "|ACK|"},
                 {"2.99999999999", "|ACK^A01^ACK|"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char in[128];
        snprintf(in, sizeof in, "MSH|^~\\&|||||||ADT^A01|1|P|%s", cases[i].version);
        const char *ack = ack_of(bytes_from_string(in), reject);
        ok(strstr(ack, cases[i].type) != NULL, "the type is of the version");
        bool is_old = i < 5 || i == 9;
        ok((strstr(ack, "\rERR|^^^207&") != NULL) == is_old, "and so is ERR");
        ok((strstr(ack, "\rERR|||207^") != NULL) == !is_old);
    }
}

static void test_reject(void) {
    is_string(ack_of(BYTES(MSH), reject),
              "MSH|^~\\&|CHART|SUD|LAB|NORD|20261123101501||ACK^R01^ACK|K1|P|2.5\r"
              "MSA|AR|42|a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\r"
              "ERR|||207^a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f^HL70357|E\r");
    is_string(ack_of(BYTES("MSH|^~\\&|||||||ADT^A01|1|P|2.3"), reject),
              "MSH|^~\\&|||||20261123101501||ACK^A01|K1|P|2.3\r"
              "MSA|AR|1|a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\r"
              "ERR|^^^207&a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f&HL70357\r");
    is_string(ack_of(BYTES(MSH), (struct hl7_ack){.code = "AE", .error_code = "207"}),
              "MSH|^~\\&|CHART|SUD|LAB|NORD|20261123101501||ACK^R01^ACK|K1|P|2.5\r"
              "MSA|AE|42\r"
              "ERR|||207^^HL70357|E\r");
    is_string(ack_of(BYTES(MSH), (struct hl7_ack){.code = "AE", .text = "\r\n\xC3\xA9"}),
              "MSH|^~\\&|CHART|SUD|LAB|NORD|20261123101501||ACK^R01^ACK|K1|P|2.5\r"
              "MSA|AE|42|????\r");
}

static void test_poor_messages(void) {
    static const char usual[] = "MSH|^~\\&|||||20261123101501||ACK|K1|P|2.5\r"
                                "MSA|AR|\r";
    struct hl7_ack plain = {.code = "AR"};
    is_string(ack_of(BYTES(""), plain), usual);
    is_string(ack_of(BYTES("noise"), plain), usual);
    is_string(ack_of(BYTES("MSH"), plain), usual);
    is_string(ack_of(BYTES("MSHa"), plain), usual);
    is_string(ack_of(BYTES("MSH|"), plain), usual);
    is_string(ack_of(BYTES("MSH|^~|A|||||||1||2.3"), reject),
              "MSH|^~|||A||20261123101501||ACK|K1|P|2.3\r"
              "MSA|AR|1|a b c&d e\\f\r"
              "ERR|^^^207\r");
    is_string(ack_of(BYTES("MSH|^~\\|A|||||||1||2.3"), reject),
              "MSH|^~\\|||A||20261123101501||ACK|K1|P|2.3\r"
              "MSA|AR|1|a\\F\\b\\S\\c&d\\R\\e\\E\\f\r"
              "ERR|^^^207\r");
}

/* MSA-2 is MSH-10 as it came, whatever it holds. */
static void test_echo(void) {
    struct bytes in = BYTES("MSH|^~\\&|||||||ADT^A01|\xE9^~\\F\\&\0\x1C|P|2.5\r");
    char room[512];
    struct hl7_header header;
    struct text text;
    hl7_header_read(&header, in);
    text_init(&text, room, sizeof room);
    hl7_put_ack(&text, &header, &accept);
    struct bytes ack = text_bytes(&text), tail = BYTES("MSA|AA|\xE9^~\\F\\&\0\x1C\r");
    ok(bytes_equal(bytes_skip(ack, ack.size - tail.size), tail), "byte for byte");
}

/* The answer can be read by the same reader, and asks for what it answers. */
static void test_round(void) {
    const char *ack = ack_of(BYTES("MSH#!@%*#A#B#C#D###ADT!A08#7#P#2.5"), reject);
    struct hl7_message m = message_of(bytes_from_string(ack), HL7_UTF8);
    struct hl7_segment msa = segment_of(&m, "MSA");
    char room[64];
    struct text text;
    is_bytes(hl7_value(&msa, 1, 1), "AR");
    is_bytes(hl7_value(&msa, 2, 1), "7");
    text_init(&text, room, sizeof room);
    hl7_put_text(&text, &m, hl7_field(&msa, 3));
    is_string(room, reject.text);
}

static void test_full(void) {
    struct hl7_header header;
    bool is_good = true;
    size_t whole_bytes =
        strlen(ack_of(BYTES(MSH), accept)) - strlen("K1") - strlen("20261123101501");
    hl7_header_read(&header, BYTES(MSH));
    for (size_t size = 1; size < 100; size++) {
        char room[100];
        struct text text;
        text_init(&text, room, size);
        hl7_put_ack(&text, &header, &accept);
        is_good &= text.full == (size <= whole_bytes) && text.size < size;
    }
    ok(is_good, "a room too small is told");
}

int main(void) {
    test_accept();
    test_versions();
    test_reject();
    test_poor_messages();
    test_echo();
    test_round();
    test_full();
    return done();
}
