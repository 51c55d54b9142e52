/* fhir_test.c - FHIR's JSON and datatypes: what is one, what is not, and where it goes wrong. */
#include "formats/fhir/fhir.h"

#include "base/pool.h"
#include "guard.h"
#include "tap.h"

static struct arena arena;
static struct guard guard;

static const struct fhir_node *read_text(const char *json) {
    const struct fhir_node *root;
    struct fault fault = {0};
    arena_clear(&arena);
    enum err err = fhir_read(guard_copy(&guard, bytes_from_string(json)), &arena, &root, &fault);
    return err ? NULL : root;
}

static const char *string_of(struct bytes b) {
    static char buffers[4][512];
    static unsigned n;
    char *to = buffers[n++ % 4];
    snprintf(to, 512, "%.*s", (int)b.size, b.size ? (const char *)b.data : "");
    return to;
}

/* RFC 8259, and what FHIR adds: no NUL, UTF-8, no half characters. */
static void test_forms(void) {
    static const char *const right[] = {"{}",
                                        " [ ] ",
                                        "\"\"",
                                        "0",
                                        "-0.10e+5",
                                        "true",
                                        "null",
                                        "{\"a\":[1,{\"b\":null}]}",
                                        "\"\\u00e9\\ud83d\\ude00\\n\\/\"",
                                        "\xEF\xBB\xBF{}"};
    static const char *const wrong[] = {"",
                                        "{",
                                        "}",
                                        "[1,]",
                                        "[1 2]",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{,}",
                                        "{a:1}",
                                        "01",
                                        "1.",
                                        ".5",
                                        "-",
                                        "1e",
                                        "tru",
                                        "nul",
                                        "\"",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\ud800\"",
                                        "\"\\udc00\"",
                                        "\"\\u0000\"",
                                        "\"\x01\"",
                                        "\"\xC3\"",
                                        "\"\xC0\x80\"",
                                        "{}{}",
                                        "[}",
                                        "{]",
                                        "'a'",
                                        "{\"a\":1,}",
                                        "\"\\ud800\\u0041\"",
                                        "+1",
                                        "1e+",
                                        "NaN"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        tap_ok(read_text(right[i]) != NULL, "it is JSON", __FILE__, __LINE__, right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        tap_ok(read_text(wrong[i]) == NULL, "it is none", __FILE__, __LINE__,
               "wrong JSON is refused");
}

static enum err nested(unsigned depth, char open, char close) {
    static char text[4096];
    const struct fhir_node *root;
    memset(text, open, depth);
    memset(text + depth, close, depth);
    arena_clear(&arena);
    return fhir_read(bytes_from(text, 2 * (size_t)depth), &arena, &root, NULL);
}

static void test_limits(void) {
    is_int(nested(FHIR_DEPTH_MAX, '[', ']'), ERR_OK);
    is_int(nested(FHIR_DEPTH_MAX + 1, '[', ']'), ERR_LIMIT);
    is_int(nested(2000, '[', ']'), ERR_LIMIT);
    struct fault fault = {0};
    const struct fhir_node *root;
    arena_clear(&arena);
    is_int(fhir_read(BYTES("{\"a\":tru}"), &arena, &root, &fault), ERR_INPUT);
    is_int(fault.at, 5);
    ok(root == NULL, "what is wrong has no root");
    struct arena small;
    arena_init(&small, 64);
    is_int(fhir_read(BYTES("[1,2,3,4,5]"), &small, &root, NULL), ERR_LIMIT);
    arena_release(&small);
}

static void test_values(void) {
    const struct fhir_node *root = read_text(
        "{\"n\":6.10,\"t\":\" \\u00c9t\\u00e9 "
        "\\ud83d\\ude00\\\\\",\"b\":true,\"z\":null,\"l\":[{\"c\":\"x\"}],"
        "\"valueQuantity\":{\"value\":0.010,\"comparator\":\"<\",\"code\":\"mg\"},\"n\":2}");
    is_string(string_of(fhir_member_text(root, "n", &arena)), "6.10");
    is_string(string_of(fhir_member_text(root, "t", &arena)), "Été 😀\\");
    is_string(string_of(fhir_member_text(root, "b", &arena)), "true");
    ok(fhir_member(root, "z") == NULL, "null is no member");
    ok(fhir_member_is(fhir_member(root, "l"), "c", "x"), "of a list its first item");
    struct bytes kind;
    const struct fhir_node *value = fhir_choice(root, "value", &kind);
    is_string(string_of(kind), "Quantity");
    struct fhir_quantity quantity = fhir_quantity(value, &arena);
    is_string(string_of(quantity.value), "<0.010");
    is_string(string_of(quantity.unit), "mg");
    ok(fhir_member(NULL, "a") == NULL && fhir_items(NULL) == NULL,
       "what is missing has no members");
    is_int(fhir_text(NULL, &arena).size, 0);
    is_string(string_of(fhir_decimal(BYTES("1.20e2"), &arena)), "120");
    is_string(string_of(fhir_decimal(BYTES("1.5E-3"), &arena)), "0.0015");
    is_string(string_of(fhir_decimal(BYTES("1e400"), &arena)), "1e400");
    is_string(string_of(fhir_decimal(BYTES("123456789012345678901"), &arena)),
              "123456789012345678901");
}

static void check_url(const char *url, enum fhir_reference_kind kind, const char *type,
                      const char *id, const char *base) {
    struct fhir_reference r = fhir_url(bytes_from_string(url), &arena);
    bool same =
        r.kind == kind && bytes_is(r.type, type) && bytes_is(r.id, id) && bytes_is(r.base, base);
    if (!tap_ok(same, "the URL is read", __FILE__, __LINE__, url))
        printf("# %d %s %s %s\n", (int)r.kind, string_of(r.type), string_of(r.id),
               string_of(r.base));
}

static void test_references(void) {
    check_url("Patient/123", FHIR_REFERENCE_RELATIVE, "Patient", "123", "");
    check_url("Patient/123/_history/4", FHIR_REFERENCE_RELATIVE, "Patient", "123", "");
    check_url("http://a/fhir/Patient/1.2-x", FHIR_REFERENCE_ABSOLUTE, "Patient", "1.2-x",
              "http://a/fhir");
    check_url("https://a/Patient/1/_history/2", FHIR_REFERENCE_ABSOLUTE, "Patient", "1",
              "https://a");
    check_url("#p", FHIR_REFERENCE_CONTAINED, "", "p", "");
    check_url("urn:uuid:0a0a", FHIR_REFERENCE_URN, "", "0a0a", "");
    check_url("urn:oid:1.2", FHIR_REFERENCE_URN, "", "urn:oid:1.2", "");
    static const char *const none[] = {"",          "Patient",     "Patient/",   "/123",
                                       "patient/1", "Patient/a b", "_history/1", "Patient/1/x"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        is_int(fhir_url(bytes_from_string(none[i]), &arena).kind, FHIR_REFERENCE_NONE);
    struct fhir_reference r =
        fhir_url(BYTES("Patient?_x=1&identifier=http%3A%2F%2Fh%7C4+7"), &arena);
    is_int(r.kind, FHIR_REFERENCE_SEARCH);
    is_string(string_of(r.system), "http://h");
    is_string(string_of(r.value), "4 7");
    is_string(string_of(r.type), "Patient");
    r = fhir_url(BYTES("Patient?identifier=47"), &arena);
    ok(bytes_is_empty(r.system) && bytes_is(r.value, "47"), "a search without a system");
}

static void test_datatypes(void) {
    const struct fhir_node *root = read_text(
        "{\"c\":{\"coding\":[{\"display\":\"d\"},{\"system\":\"http://"
        "loinc.org\",\"code\":\"1-8\"},"
        "{\"code\":\"x\",\"userSelected\":true,\"system\":\"urn:oid:1\"}]},"
        "\"n\":{\"family\":\"D\",\"given\":[\"A\",\"B\"]},\"t\":{\"text\":\"T\"},"
        "\"d\":{\"div\":\"<div xmlns='x'><p>a &lt; b</p>\\n <p>c<br/>d</p><b>e</b>f</div>\"},"
        "\"i\":{\"type\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
        "v2-0203\",\"code\":\"MR\"}]},"
        "\"value\":\" 1 "
        "\",\"period\":{\"end\":\"2020\"}},\"w\":\"2026-11\",\"x\":\"2026-11-23T10:00:00+01:00\","
        "\"y\":\"soon\"}");
    struct fhir_coding coding = fhir_coding(fhir_member(root, "c"), &arena);
    is_string(string_of(coding.code), "x");
    is_string(string_of(coding.text), "x");
    ok(fhir_has_code(fhir_member(root, "c"), "1-8"), "each coding is asked");
    struct fhir_name name = fhir_name(fhir_member(root, "n"), &arena);
    is_string(string_of(fhir_name_line(&name, &arena)), "D, A B");
    is_string(string_of(fhir_narrative(fhir_member(root, "d"), &arena)), "a < b\nc\nd\nef");
    struct fhir_identifier identifier = fhir_identifier(fhir_member(root, "i"), NULL, &arena);
    is_string(string_of(identifier.value), "1");
    is_string(string_of(identifier.type), "MR");
    ok(identifier.ends_at != INSTANT_NONE, "with its end");
    is_string(string_of(fhir_time_text(fhir_member(root, "w"), NULL, &arena)), "2026-11");
    is_string(string_of(fhir_time_text(fhir_member(root, "x"), NULL, &arena)),
              "2026-11-23T09:00:00.000Z");
    is_int(fhir_time_text(fhir_member(root, "y"), NULL, &arena).size, 0);
    is_string(string_of(fhir_system_name(BYTES("http://snomed.info/sct"))), "SCT");
    is_string(string_of(fhir_system_name(BYTES("urn:x"))), "urn:x");
}

/* A document against the unreadable page, cut at every byte: each beginning of it is refused. */
static void test_cut(void) {
    static const char json[] =
        "{\"a\":[1,2.5e3,\"x\\u00e9\\ud83d\\ude00\",true,null,{\"b\":{}}],\"c\":\"\xC3\xA9\"}";
    const struct fhir_node *root;
    unsigned read = 0;
    for (size_t size = 0; size < sizeof json - 1; size++) {
        arena_clear(&arena);
        read += !fhir_read(guard_copy(&guard, bytes_from(json, size)), &arena, &root, NULL);
    }
    is_int(read, 0);
    ok(read_text(json) != NULL, "the whole is read");
}

/* Whatever it is made of, a document takes no more memory than its limit of values does. */
static void test_bounded(void) {
    static const char *const pieces[] = {"[", "{",   "\"",           "\\",     ",",
                                         "1", "[],", "\"\\u0041\",", "{\"a\":"};
    const size_t size = (size_t)8 << 20;
    char *room = memory_alloc(1, size);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] && room; i++) {
        const struct fhir_node *root;
        size_t length = strlen(pieces[i]);
        for (size_t at = 0; at + length <= size; at += length)
            memcpy(room + at, pieces[i], length);
        arena_clear(&arena);
        enum err err = fhir_read(bytes_from(room, size / length * length), &arena, &root, NULL);
        ok((err == ERR_INPUT || err == ERR_LIMIT || err == ERR_OK) &&
               arena.bytes_used <= (FHIR_VALUES_MAX + 1) * sizeof(struct fhir_node),
           "8 MiB of one piece");
    }
    memory_free(room);
}

int main(void) {
    arena_init(&arena, (size_t)1 << 30);
    guard_init(&guard, 65536);
    test_forms();
    test_limits();
    test_values();
    test_references();
    test_datatypes();
    test_cut();
    test_bounded();
    guard_release(&guard);
    arena_release(&arena);
    return done();
}
