/* content_test.c - the files that a message carries, as they stand in it. */
#include "facts/facts.h"
#include "guard.h"
#include "tap.h"

static struct arena arena;
static struct guard guard;
static struct facts_content *list;
static size_t count;

static enum err contents(const char *message) {
    struct fault fault = {0};
    const struct facts_context context = {.otherwise = HL7_LATIN9};
    arena_clear(&arena);
    return facts_contents(guard_copy(&guard, bytes_from_string(message)), &context, &arena, &list,
                          &count, &fault);
}

#define MSH(type) "MSH|^~\\&|DOC|HOP|||20260105080000||" type "|1|P|2.5\r"

static void test_document(void) {
    is_int(contents(MSH("MDM^T02") "PID|1||7\rTXA|1|DS|PDF\rOBX|1|TX|A^Texte||lu\r"
                                   "OBX|2|ED|PDF^Scan||^AP^PDF^Base64^JVBE\\.br\\Ri0x||||||F\r"
                                   "OBX|3|ED|B^Brut||^TEXT^plain^A^du texte\r"
                                   "OBX|4|ED|R^Rtf||^application^rtf^A^{\\E\\rtf1 x}\r"
                                   "OBX|5|RP|P^Ailleurs||\\\\srv\\E\\a.pdf^DOC^application^pdf\r"),
           ERR_OK);
    is_int(count, 3);
    ok(bytes_is(list[0].media_type, "application/pdf") && bytes_is(list[0].name, "Scan"));
    ok(list[0].encoding == CONTENT_BASE64 && list[0].escape == '\\');
    ok(bytes_is(list[0].data, "JVBE\\.br\\Ri0x"));
    ok(list[1].encoding == CONTENT_TEXT && bytes_is(list[1].data, "{\\rtf1 x}"));
    ok(bytes_is(list[1].media_type, "application/rtf"));
    ok(list[2].encoding == CONTENT_ELSEWHERE && bytes_is(list[2].media_type, "application/pdf"));
}

static void test_results(void) {
    is_int(contents(MSH("ORU^R01") "PID|1||7\rOBR|1\rOBX|1|ED|A||^text^plain^A^du "
                                   "texte\rOBX|2|ED|I||^image^png^Hex^8950"),
           ERR_OK);
    is_int(count, 2);
    ok(list[0].encoding == CONTENT_TEXT && bytes_is(list[0].data, "du texte"));
    ok(list[1].encoding == CONTENT_HEX && bytes_is(list[1].data, "8950"));
}

static void test_none(void) {
    is_int(contents(MSH("ADT^A01") "PID|1||7\r"), ERR_OK);
    is_int(count, 0);
    is_int(contents("%PDF-1.4"), ERR_INPUT);
    is_int(count, 0);
    is_int(contents(MSH("ORU^R01") "OBX|1|ED\rOBX|2|ED|||\r"), ERR_OK);
    is_int(count, 2);
    ok(bytes_is_empty(list[0].data) && bytes_is_empty(list[1].media_type));
}

/* Of the first message only, and no more than the list holds. */
static void test_limits(void) {
    static char many[8192];
    struct text text;
    is_int(contents(MSH("ORU^R01") "OBX|1|ED|A\r" MSH("ORU^R01") "OBX|2|ED|B\r"), ERR_OK);
    is_int(count, 1);
    text_init(&text, many, sizeof many);
    text_put_string(&text, MSH("ORU^R01"));
    for (unsigned i = 0; i < 100; i++)
        text_put_format(&text, "OBX|%u|ED|A||^image^png^Base64^QQ==\r", i);
    is_int(contents(many), ERR_OK);
    is_int(count, FACTS_CONTENTS_MAX);
}

int main(void) {
    arena_init(&arena, 1 << 20);
    guard_init(&guard, 8192);
    test_document();
    test_results();
    test_none();
    test_limits();
    guard_release(&guard);
    arena_release(&arena);
    return done();
}
