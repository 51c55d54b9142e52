/* text_test.c - every escape, every character set, and texts that do not fit. */
#include "hl7_site.h"

static struct hl7_message message_in(enum hl7_charset set) {
    struct hl7_message m = message_of(BYTES("MSH|^~\\&#|A"), set);
    m.characters = set;
    return m;
}

static void is_text(const struct hl7_message *message, struct bytes value, const char *wanted) {
    char room[256];
    struct text text;
    struct arena arena;
    text_init(&text, room, sizeof room);
    hl7_put_text(&text, message, value);
    is_string(room, wanted);
    arena_init(&arena, 1 << 16);
    is_bytes(hl7_text(&arena, message, value), wanted);
    arena_release(&arena);
}

static void test_escapes(void) {
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\\F\\\\S\\\\T\\\\R\\\\E\\\\P\\", "|^&~\\#"},
        {"a\\F\\b", "a|b"},
        {"\\H\\loud\\N\\ quiet", "loud quiet"},
        {"one\\.br\\two\\.BR\\three", "one\ntwo\nthree"},
        {"one\\.sp\\two\\.sp3\\three\\.sp+2\\four", "one\ntwo\nthree\nfour"},
        {"\\.ce\\title", "\ntitle"},
        {"5\\.sk4\\6", "5 6"},
        {"\\.in+4\\\\.ti-2\\\\.fi\\\\.nf\\x", "x"},
        {"\\.info\\x", "\\.info\\x"},
        {"\\.in+\\x", "\\.in+\\x"},
        {"\\.in4a\\x", "\\.in4a\\x"},
        {"\\.b\\\\.\\", "\\.b\\\\.\\"},
        {"\\X41\\\\X6a6B\\", "Ajk"},
        {"\\X0D\\a\\X0A\\b", "\na\nb"},
        {"\\X0D0A\\a\\X0D\\\\X0A\\b\\X0A0A\\c\\X0D0D\\", "\na\nb\n\nc\n\n"},
        {"\\X0D\\.\\X0A\\", "\n.\n"},
        {"\\X\\x", "\\X\\x"},
        {"\\X4\\x", "\\X4\\x"},
        {"\\X4G\\x", "\\X4G\\x"},
        {"\\x41\\", "\\x41\\"},
        {"\\C2842\\\\M2442\\\\Zown\\", "\\C2842\\\\M2442\\\\Zown\\"},
        {"\\f\\\\Q\\", "\\f\\\\Q\\"},
        {"\\", "\\"},
        {"\\\\", "\\\\"},
        {"end\\", "end\\"},
        {"C:\\dir\\F\\x", "C:\\dir|x"},
        {"a\\b\\T\\c", "a\\b&c"},
    };
    struct hl7_message m = message_in(HL7_UTF8);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_text(&m, bytes_from_string(cases[i].value), cases[i].text);
}

static void test_delimiters_of_the_message(void) {
    struct hl7_message m = message_of(BYTES("MSH#!@%*#A"), HL7_UTF8);
    is_text(&m, BYTES("%F%%S%%R%%E%%T%\\F\\"), "#!@%*\\F\\");
    is_text(&m, BYTES("%P%"), "%P%");
    m = message_of(BYTES("MSH|^~|A"), HL7_UTF8);
    is_text(&m, BYTES("\\F\\ & \\"), "\\F\\ & \\");
    m = message_of(BYTES("MSH|^~\\|A"), HL7_UTF8);
    is_text(&m, BYTES("\\T\\"), "&");
}

static void test_latin(void) {
    struct hl7_message m = message_in(HL7_LATIN1);
    is_text(&m, BYTES("Zo\xE9 \xA4\xA6\xA8\xB4\xB8\xBC\xBD\xBE \xFF\xA0"),
            "Zoé ¤¦¨´¸¼½¾ ÿ\xC2\xA0");
    is_text(&m, BYTES("\x80\x81\x8A\x8C\x8D\x8E\x8F\x90\x92\x96\x9C\x9D\x9F"),
            "€\xEF\xBF\xBDŠŒ\xEF\xBF\xBDŽ\xEF\xBF\xBD\xEF\xBF\xBD’–œ\xEF\xBF\xBDŸ");
    is_text(&m, BYTES("\\XE9\\\\X80\\"), "é€");
    m = message_in(HL7_LATIN9);
    is_text(&m, BYTES("Zo\xE9 \xA4\xA6\xA8\xB4\xB8\xBC\xBD\xBE \xFF"), "Zoé €ŠšŽžŒœŸ ÿ");
    is_text(&m, BYTES("\x80\x9C"), "€œ");
    is_text(&m, BYTES("C\xBDur \\T\\ \\XBDE9\\"), "Cœur & œé");
}

static void test_ascii(void) {
    struct hl7_message m = message_in(HL7_ASCII);
    is_text(&m, BYTES("a\xE9z"), "a\xEF\xBF\xBDz");
    m = message_in(HL7_CHARSET_UNKNOWN);
    is_text(&m, BYTES("a\xE9z"), "a\xEF\xBF\xBDz");
}

static void test_utf8(void) {
    struct hl7_message m = message_in(HL7_UTF8);
    is_text(&m, BYTES("Zo\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x92\x89"), "Zoé € 💉");
    is_text(&m, BYTES("a\xC3"), "a\xEF\xBF\xBD");
    is_text(&m, BYTES("\xE9z\xFF"), "\xEF\xBF\xBDz\xEF\xBF\xBD");
    is_text(&m, BYTES("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    is_text(&m, BYTES("\\XC3A9\\\\XE282AC\\"), "é€");
    is_text(&m, BYTES("\\XC3\\\\XA9\\\\XF0\\\\X9F9289\\"), "é💉");
    is_text(&m, BYTES("\\XC3\\a\\XA9\\"),
            "\xEF\xBF\xBD"
            "a\xEF\xBF\xBD");
    is_text(&m, BYTES("\\XC3\\\\H\\\\XA9\\"), "\xEF\xBF\xBD\xEF\xBF\xBD");
    is_text(&m, BYTES("\\XC3\\\\XZZ\\"), "\xEF\xBF\xBD\\XZZ\\");
    is_text(&m, BYTES("\\XFFFEFDFC41\\"),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "A");
    is_text(&m, BYTES("\\XC341\\"),
            "\xEF\xBF\xBD"
            "A");
}

static void test_zero_byte(void) {
    struct hl7_message m = message_in(HL7_LATIN9);
    char room[16];
    struct text text;
    text_init(&text, room, sizeof room);
    hl7_put_text(&text, &m, BYTES("a\0b\\X00\\c"));
    ok(bytes_equal(text_bytes(&text), BYTES("a\0b\0c")), "a zero byte is a character like others");
}

/* A long run of hexadecimal, as embedded documents come: nothing limits its length. */
static void test_long_hex(void) {
    struct hl7_message m = message_in(HL7_LATIN1);
    char value[6004] = "\\X", room[9100];
    struct text text;
    for (size_t i = 0; i < 3000; i++)
        memcpy(value + 2 + 2 * i, "80", 2);
    value[6002] = '\\';
    text_init(&text, room, sizeof room);
    hl7_put_text(&text, &m, bytes_from(value, 6003));
    is_int(text.size, 9000);
    struct arena arena;
    arena_init(&arena, 1 << 16);
    is_int(hl7_text(&arena, &m, bytes_from(value, 6003)).size, 9000);
    arena_release(&arena);
}

static void test_full(void) {
    struct hl7_message m = message_in(HL7_UTF8);
    struct bytes value =
        BYTES("a\xC3\xA9\xE2\x82\xAC\\T\\\xF0\x9F\x92\x89\\XC3A9\\bcd\\.br\\\xFF!");
    char whole[64], room[64];
    struct text all, text;
    bool is_good = true;
    text_init(&all, whole, sizeof whole);
    hl7_put_text(&all, &m, value);
    for (size_t size = 1; size <= all.size + 1; size++) {
        text_init(&text, room, size);
        hl7_put_text(&text, &m, value);
        is_good &= bytes_is_utf8(text_bytes(&text), NULL);
        is_good &= bytes_starts_with(text_bytes(&all), text_bytes(&text));
        is_good &= text.full == (size <= all.size);
        is_good &= text.size + 4 >= size || !text.full;
    }
    ok(is_good, "in a room of every size: a true beginning, cut between characters");
}

static void test_arena(void) {
    struct hl7_message m = message_in(HL7_LATIN9);
    struct arena arena;
    arena_init(&arena, 64);
    struct bytes plain = BYTES("plain"), escaped = BYTES("a\\T\\b");
    ok(hl7_text(&arena, &m, plain).data == plain.data, "what needs no decoding is not copied");
    ok(hl7_text(&arena, &m, BYTES_NONE).data == NULL);
    is_bytes(hl7_text(&arena, &m, escaped), "a&b");
    char large[200];
    memset(large, 0xE9, sizeof large);
    ok(hl7_text(&arena, &m, bytes_from(large, sizeof large)).data == NULL, "the arena is full");
    arena_release(&arena);
    m = message_in(HL7_UTF8);
    struct bytes accented = BYTES("\xC3\xA9");
    ok(hl7_text(NULL, &m, accented).data == accented.data, "valid UTF-8 is not copied either");
}

/* Values of random bytes and escapes: what comes out is UTF-8 and the arena's room suffices. */
static void test_random(struct guard *guard) {
    static const char *const pieces[] = {"\\",   "X",     "80",  "C3", "A9", "\\X", "\xC3", "\xA9",
                                         "\xFF", ".br\\", "F\\", "a",  "0D", "0A",  "\\H",  "\xE2"};
    bool is_good = true;
    unsigned seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        char made[128];
        struct text value;
        struct arena arena;
        text_init(&value, made, sizeof made);
        seed = seed * 1103515245u + 12345u;
        for (unsigned i = 0; i < (seed >> 16) % 30; i++)
            text_put_string(&value, pieces[(seed >> 8 ^ i * 2654435761u >> 13) % 16]);
        struct hl7_message m = message_in((enum hl7_charset)(round % 4));
        struct bytes in = guard_copy(guard, text_bytes(&value)), out;
        arena_init(&arena, 4096);
        out = hl7_text(&arena, &m, in);
        is_good &= (out.data != NULL) == (in.size > 0) && bytes_is_utf8(out, NULL);
        char room[400];
        struct text again;
        text_init(&again, room, sizeof room);
        hl7_put_text(&again, &m, in);
        is_good &= bytes_equal(out, text_bytes(&again)) && !again.full;
        arena_release(&arena);
    }
    ok(is_good, "random values");
}

int main(void) {
    struct guard guard;
    guard_init(&guard, 4096);
    test_escapes();
    test_delimiters_of_the_message();
    test_latin();
    test_ascii();
    test_utf8();
    test_zero_byte();
    test_long_hex();
    test_full();
    test_arena();
    test_random(&guard);
    guard_release(&guard);
    return done();
}
