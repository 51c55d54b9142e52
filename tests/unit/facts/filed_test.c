/* filed_test.c - files of a folder: the media type that carries what they do not say, and whose documents they are. */
#include "facts/facts.h"
#include "guard.h"
#include "tap.h"

static struct arena arena;
static struct guard guard;
static struct zone zone;
static char type_buffer[FACTS_FILED_TYPE_BYTES_MAX];
static struct facts_batch batch;

#define NOW INT64_C(1767600000000000) /* 2026-01-05T08:00:00Z */

static const struct facts_filed pdf = {
    .kind = FILED_PDF,
    .at = NOW - 60 * US_PER_S,
    .feed = {(const uint8_t *)"GED", 3},
    .authority = {(const uint8_t *)"CHV", 3},
    .type = {(const uint8_t *)"PI", 2},
    .number = {(const uint8_t *)"4711", 4},
    .root = {(const uint8_t *)"1.9", 3},
    .name = {(const uint8_t *)"4711_h\xC3\xA9;mo.pdf", 14},
};

static struct bytes type_of(const struct facts_filed *filed) {
    struct text text;
    text_init(&text, type_buffer, sizeof type_buffer);
    facts_filed_put_type(&text, filed);
    return text_bytes(&text);
}

static const struct facts *translate(const struct facts_filed *filed, const char *body) {
    const struct facts_context context = {.received_at = NOW, .zone = &zone};
    arena_clear(&arena);
    is_int(facts_from_entry(guard_copy(&guard, type_of(filed)), bytes_from_string(body), &context,
                            &arena, &batch),
           ERR_OK);
    return &batch.list[0];
}

static void test_type(void) {
    struct facts_filed back = {0};
    struct bytes type = type_of(&pdf);
    unsigned taken = 0;
    ok(bytes_starts_with(type, BYTES("application/pdf;profile=filed;at=")));
    ok(facts_filed_read_type(guard_copy(&guard, type), &arena, &back));
    ok(back.kind == FILED_PDF && back.at == pdf.at && bytes_equal(back.name, pdf.name));
    ok(bytes_equal(back.number, pdf.number) && bytes_equal(back.root, pdf.root));
    for (size_t size = 0; size < type.size; size++) /* cut, it is none, or says less of its name */
        taken +=
            facts_filed_read_type(guard_copy(&guard, bytes_first(type, size)), &arena, &back) &&
            bytes_equal(back.name, pdf.name);
    is_int(taken, 0);
    ok(!facts_filed_read_type(BYTES("application/pdf"), &arena, &back));
    ok(!facts_filed_read_type(BYTES("application/hl7-v2"), &arena, &back));
}

static void test_pdf(void) {
    const struct facts *facts = translate(&pdf, "%PDF-1.4");
    ok(facts->has_subject && bytes_is(facts->subject.number, "4711"));
    ok(bytes_is(facts->subject.authority, "CHV") && bytes_is(facts->application, "GED"));
    ok(facts->count == 1 && facts->list[0].kind == FACT_DOCUMENT && !facts->aside);
    ok(bytes_equal(facts->list[0].document.title, pdf.name) && facts->said == pdf.at);
    is_int(facts->list[0].document.encapsulated_bytes, 8);
    struct facts_filed nobody = pdf;
    nobody.number = BYTES_NONE;
    facts = translate(&nobody, "%PDF-1.4");
    ok(!facts->has_subject && facts->count == 0 && facts->aside);
    struct facts_filed other = pdf;
    other.kind = FILED_OTHER;
    ok(translate(&other, "x")->aside);
    struct facts_filed future = pdf;
    future.at = NOW + 3600 * US_PER_S;
    ok(translate(&future, "%PDF-1.4")->is_date_doubtful);
}

#define CDA(ids)                                                                                   \
    "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><id root=\"1.2\" extension=\"D2\"/>"               \
    "<code displayName=\"Lettre\"/><title>Sortie</title><effectiveTime value=\"20260104\"/>"       \
    "<recordTarget><patientRole>" ids "</patientRole></recordTarget>"                              \
    "<relatedDocument typeCode=\"RPLC\"><parentDocument><id root=\"1.2\" extension=\"D1\"/>"       \
    "</parentDocument></relatedDocument></ClinicalDocument>"

static void test_cda(void) {
    struct facts_filed cda = pdf;
    cda.kind = FILED_CDA;
    cda.number = BYTES_NONE;
    const struct facts *facts = translate(
        &cda, CDA("<id root=\"1.8\" extension=\"9\"/><id root=\"1.9\" extension=\"815\"/>"));
    ok(facts->has_subject && bytes_is(facts->subject.number, "815") &&
       bytes_is(facts->subject.type, "PI"));
    const struct fact_document *document = &facts->list[0].document;
    ok(bytes_is(document->id, "1.2^D2") && bytes_is(document->parent_id, "1.2^D1"));
    ok(document->is_replacement && bytes_is(document->title, "Sortie") &&
       bytes_is(document->kind, "Lettre"));
    is_int(document->at, NOW - 33 * INT64_C(3600) * US_PER_S); /* midnight of 4 January in Paris */
    ok(translate(&cda, CDA("<id root=\"1.8\" extension=\"9\"/>"))->aside != NULL);
    is_int(batch.list[0].count, 0);
    is_string(translate(&cda, "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><id root=\"1\"")->aside,
              "the document is not well-formed XML");
    is_string(translate(&cda, "<!DOCTYPE x><ClinicalDocument/>")->aside,
              "the document declares a document type, which is refused");
}

int main(void) {
    struct fault fault = {0};
    arena_init(&arena, 4 << 20);
    guard_init(&guard, 4096);
    is_int(zone_init(&zone, "Europe/Paris", &fault), ERR_OK);
    test_type();
    test_pdf();
    test_cda();
    guard_release(&guard);
    arena_release(&arena);
    return done();
}
