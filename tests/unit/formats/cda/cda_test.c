/* cda_test.c - header and narrative of CDA documents, whole and cut into slices, and hostile ones. */
#include "base/text.h"
#include "formats/cda/cda.h"
#include "guard.h"
#include "tap.h"

static struct guard guard;
static struct arena arena;
static struct cda_document document;
static struct fault fault;
static char body[4096];
static size_t body_bytes;

static enum err take_body(void *owner, struct bytes piece, bool is_base64) {
    (void)owner;
    if (!is_base64)
        return ERR_STATE;
    if (piece.size > sizeof body - body_bytes)
        return ERR_LIMIT;
    memcpy(body + body_bytes, piece.data, piece.size);
    body_bytes += piece.size;
    return ERR_OK;
}

static enum err read_slices(struct bytes in, size_t step) {
    struct cda_reader *reader;
    const struct cda_options options = {.on_body = take_body};
    arena_clear(&arena);
    body_bytes = 0;
    fault = (struct fault){0};
    enum err err = cda_init(&reader, &arena, &options, &fault);
    for (size_t at = 0; at < in.size && !err; at += step)
        err = cda_feed(reader, guard_copy(&guard, bytes_first(bytes_skip(in, at), step)), &fault);
    enum err ended = cda_end(reader, &document, &fault);
    cda_release(reader);
    return err ? err : ended;
}

#define HEAD                                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a comment -->\n"                             \
    "<ClinicalDocument xmlns=\"urn:hl7-org:v3\" xmlns:x=\"urn:other\">"
#define TAIL "</ClinicalDocument>"
#define NARRATIVE(text)                                                                            \
    HEAD "<component><structuredBody><component><section><title>Titre</title><text>" text          \
         "</text></section></component></structuredBody></component>" TAIL

/* The blocks in one line: a letter for each kind, its text. */
static const char *shape(void) {
    static char line[8192];
    static const char letters[] = "HPCITRD/M";
    struct text text;
    text_init(&text, line, sizeof line);
    for (size_t i = 0; i < document.block_count; i++) {
        const struct cda_block *b = &document.blocks[i];
        text_put_format(&text, "%s%c", i ? " " : "", letters[b->kind]);
        if (b->level)
            text_put_format(&text, "%u", b->level);
        if (b->ordinal)
            text_put_format(&text, "#%u", b->ordinal);
        if (b->is_header)
            text_put_char(&text, '!');
        if (b->columns > 1)
            text_put_format(&text, "x%u", b->columns);
        if (b->kind != CDA_TABLE && b->kind != CDA_ROW && b->kind != CDA_TABLE_END) {
            text_put_char(&text, '(');
            text_put(&text, b->text);
            text_put_char(&text, ')');
        }
    }
    return line;
}

/* In slices of many sizes it is the same. */
static void gives(const char *xml, const char *wanted) {
    const size_t steps[] = {1, 2, 3, 7, 16, 61, 1000, 100000};
    struct bytes in = bytes_from_string(xml);
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !err; i++) {
        err = read_slices(in, steps[i]);
        if (strcmp(shape(), wanted) != 0)
            break;
    }
    is_int(err, ERR_OK);
    is_string(shape(), wanted);
}

static void test_header(void) {
    static const char xml[] = HEAD
        "<id root=\"1.2.3\" extension=\"D1\"/><id root=\"9\"/><code code=\"11488-4\" "
        "displayName=\"CR\"/>"
        "<title>Compte  rendu &lt;b&gt;</title><effectiveTime value=\"20260105140500+0100\"/>"
        "<confidentialityCode code=\"R\"/><setId root=\"1.2.4\" extension=\"S\"/><versionNumber "
        "value=\"2\"/>"
        "<recordTarget><patientRole><id root=\"1.2.250.1.213.1.4.8\" "
        "extension=\"245067512345678\"/>"
        "<id root=\"1.9\" extension=\"IPP7\"/><id nullFlavor=\"UNK\"/><patient><name>"
        "<given>Jeanne</given><given>Marie</given><family qualifier=\"SP\">MARTIN</family>"
        "<family qualifier=\"BR\">DUPONT</family></name><name><family>AUTRE</family></name>"
        "<administrativeGenderCode code=\"F\"/><birthTime "
        "value=\"19450714\"/></patient></patientRole></recordTarget>"
        "<author><assignedAuthor><id "
        "root=\"5\"/><assignedPerson><name><family>LEGRAND</family><given>Paul</given></name>"
        "</assignedPerson></assignedAuthor></author><author><assignedAuthor><assignedPerson><name>"
        "<family>SECOND</family></name></assignedPerson></assignedAuthor></author>"
        "<custodian><assignedCustodian><representedCustodianOrganization><name>CH de Dax</name>"
        "</representedCustodianOrganization></assignedCustodian></custodian>"
        "<relatedDocument typeCode=\"RPLC\"><parentDocument><id root=\"1.2.3\" "
        "extension=\"D0\"/></parentDocument></relatedDocument>"
        "<componentOf><encompassingEncounter><id root=\"1.10\" "
        "extension=\"S9\"/></encompassingEncounter></componentOf>"
        "<x:title>another namespace</x:title>" TAIL;
    for (size_t step = 1; step < 200; step += 13) {
        is_int(read_slices(bytes_from_string(xml), step), ERR_OK);
        ok(bytes_is(document.id.root, "1.2.3") && bytes_is(document.id.extension, "D1"));
        ok(bytes_is(document.title, "Compte  rendu <b>"));
        ok(bytes_is(document.effective_time, "20260105140500+0100"));
        ok(bytes_is(document.family_name, "DUPONT") &&
           bytes_is(document.given_name, "Jeanne Marie"));
        ok(bytes_is(document.author, "LEGRAND Paul") && bytes_is(document.custodian, "CH de Dax"));
    }
    ok(bytes_is(document.code, "11488-4") && bytes_is(document.code_name, "CR"));
    ok(bytes_is(document.confidentiality, "R") && bytes_is(document.version, "2"));
    ok(bytes_is(document.set_id.extension, "S"));
    is_int(document.patient_id_count, 2);
    ok(bytes_is(document.patient_ids[1].root, "1.9") &&
       bytes_is(document.patient_ids[1].extension, "IPP7"));
    ok(bytes_is(document.birth_time, "19450714") && bytes_is(document.sex, "F"));
    ok(bytes_is(document.relation, "RPLC") && bytes_is(document.parent.extension, "D0"));
    ok(bytes_is(document.visit.extension, "S9"));
    ok(!document.has_body && document.block_count == 0);
}

static void test_narrative(void) {
    gives(NARRATIVE("simple"), "H1(Titre) P(simple)");
    gives(NARRATIVE("<paragraph>un\n  deux</paragraph><paragraph>trois<br/>quatre</paragraph>"),
          "H1(Titre) P(un deux) P(trois\nquatre)");
    gives(NARRATIVE("<paragraph><content styleCode=\"Bold\">gras</content> et "
                    "<content>plat</content>.</paragraph>"),
          "H1(Titre) P(gras et plat.)");
    gives(NARRATIVE("<paragraph>10<sup>9</sup>/L H<sub>2</sub>O</paragraph>"),
          "H1(Titre) P(10^9/L H2O)");
    gives(NARRATIVE("<paragraph>voir<footnote>la note</footnote> ici</paragraph>"),
          "H1(Titre) P(voir[la note] ici)");
    gives(NARRATIVE("<paragraph><linkHtml href=\"http://a/b\">le site</linkHtml> fin</paragraph>"),
          "H1(Titre) P(le site (http://a/b) fin)");
    gives(NARRATIVE("<caption>Avant</caption><renderMultiMedia referencedObject=\"i\"/>apr&#233;s"),
          "H1(Titre) C(Avant) M() P(aprés)");
    gives(NARRATIVE("<paragraph><![CDATA[<script>alert(1)</script>]]></paragraph>"),
          "H1(Titre) P(<script>alert(1)</script>)");
    gives(NARRATIVE("<paragraph>5 mg<content revised=\"delete\"> puis 50 mg "
                    "<content>x</content></content> le soir</paragraph>"),
          "H1(Titre) P(5 mg le soir)");
    ok(document.has_deleted_text);
}

static void test_lists(void) {
    gives(NARRATIVE("<list><item>un</item><item><content>deux</content></item></list>"),
          "H1(Titre) I1(un) I1(deux)");
    gives(NARRATIVE("<list "
                    "listType=\"ordered\"><item>un<list><item>dedans</item></list></"
                    "item><item><paragraph>deux</paragraph></item></list>fin"),
          "H1(Titre) I1#1(un) I2(dedans) I1#2(deux) P(fin)");
}

static void test_tables(void) {
    gives(NARRATIVE("<table "
                    "border=\"1\"><caption>Bilan</caption><col/><thead><tr><th>Nom</th><th>Val</"
                    "th></tr></thead>"
                    "<tbody><tr><td>Na</td><td>140<br/>mmol/L</td></tr><tr><td "
                    "colspan=\"2\"/></tr></tbody></table>fin"),
          "H1(Titre) T R D!x100(Bilan) R D!(Nom) D!(Val) R D(Na) D(140\nmmol/L) R Dx2() / P(fin)");
    gives(NARRATIVE("<table><tr><td><list><item>a</item><item>b</item></list></"
                    "td><td><paragraph>c</paragraph><paragraph>d</paragraph></td></tr></table>"),
          "H1(Titre) T R D(• a\n• b) D(c\nd) /");
    gives(
        NARRATIVE("<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td></tr></table>"),
        "H1(Titre) T R D(a\nb\tc) /");
    gives(NARRATIVE("<table><td>sans ligne</td></table><td>sans table</td>"),
          "H1(Titre) T R D(sans ligne) / P(sans table)");
}

static void test_sections(void) {
    gives(HEAD "<component><structuredBody><component><section><title>A</title><text>a</text>"
               "<entry><observation><text>not shown</text><value>7</value></observation></entry>"
               "<component><section><title>B</title><text>b</text></section></component></"
               "section></component>"
               "<component><section><text>sans "
               "titre</text></section></component></structuredBody></component>" TAIL,
          "H1(A) P(a) H2(B) P(b) P(sans titre)");
}

static void test_body(void) {
    static const char xml[] =
        HEAD "<component><nonXMLBody><text mediaType=\"application/pdf\" representation=\"B64\">"
             "JVBE\nRi0x</text></nonXMLBody></component>" TAIL;
    for (size_t step = 1; step < 50; step += 6) {
        is_int(read_slices(bytes_from_string(xml), step), ERR_OK);
        ok(document.has_body && document.is_body_base64);
        ok(bytes_is(document.body_media_type, "application/pdf"));
        ok(bytes_is(bytes_from(body, body_bytes), "JVBE\nRi0x"));
    }
}

static void refuses(const char *xml, enum err wanted, const char *what) {
    is_int(read_slices(bytes_from_string(xml), 100000), wanted);
    is_string(fault.what, what);
    is_int(read_slices(bytes_from_string(xml), 1), wanted);
}

static const char no_type[] = "the document declares a document type, which is refused";
static const char not_well[] = "the document is not well-formed XML";

static void test_hostile(void) {
    refuses("<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c "
            "\"&b;&b;&b;&b;&b;&b;\">]>"
            "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><title>&c;</title></ClinicalDocument>",
            ERR_UNSUPPORTED, no_type);
    refuses(
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>",
        ERR_UNSUPPORTED, no_type);
    refuses("<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><ClinicalDocument "
            "xmlns=\"urn:hl7-org:v3\"><title>&f;</title></ClinicalDocument>",
            ERR_UNSUPPORTED, no_type);
    refuses(HEAD "<title>&undeclared;</title>" TAIL, ERR_INPUT, not_well);
    refuses(HEAD "<title>a</titel>" TAIL, ERR_INPUT, not_well);
    refuses(HEAD "<title>cut", ERR_INPUT, not_well);
    refuses("", ERR_INPUT, not_well);
    refuses("%PDF-1.4 no xml at all", ERR_INPUT, not_well);
    refuses("<html><body/></html>", ERR_INPUT, "this XML is no ClinicalDocument of HL7 CDA");
    refuses("<ClinicalDocument/>", ERR_INPUT,
            "this XML is no ClinicalDocument of HL7 CDA"); /* of no namespace */
    refuses(
        "<?xml version=\"1.0\" encoding=\"x-none\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>",
        ERR_UNSUPPORTED, "the document's characters cannot be read here");
}

/* What came before the failure is there, and its table is closed. */
static void test_cut(void) {
    static const char xml[] = NARRATIVE("<paragraph>a</paragraph><table><tr><td>b</td><td>c<br/>");
    size_t size = sizeof xml - 1 -
                  sizeof("</text></section></component></structuredBody></component>" TAIL) + 1;
    is_int(read_slices(bytes_from(xml, size), 100000), ERR_INPUT);
    is_string(shape(), "H1(Titre) P(a) T R D(b) D(c) /");
}

static char large[8 << 20];

static void test_depth(void) {
    struct text text;
    text_init(&text, large, sizeof large);
    text_put_string(&text, HEAD);
    for (unsigned i = 0; i < 100000; i++)
        text_put_string(&text, "<component>");
    struct cda_reader *reader;
    arena_clear(&arena);
    fault = (struct fault){0};
    is_int(cda_init(&reader, &arena, &(struct cda_options){0}, &fault), ERR_OK);
    is_int(cda_feed(reader, text_bytes(&text), &fault), ERR_LIMIT);
    is_string(fault.what, "the document is nested too deeply");
    cda_release(reader);
}

static void feed_repeated(const char *before, const char *piece, unsigned count, enum err wanted,
                          const char *what) {
    struct cda_reader *reader;
    arena_clear(&arena);
    fault = (struct fault){0};
    enum err err = cda_init(&reader, &arena, &(struct cda_options){0}, &fault);
    if (!err)
        err = cda_feed(reader, bytes_from_string(before), &fault);
    for (unsigned i = 0; i < count && !err; i++)
        err = cda_feed(reader, bytes_from_string(piece), &fault);
    is_int(err, wanted);
    is_string(fault.what, what);
    ok(cda_end(reader, &document, &fault) == wanted);
    cda_release(reader);
}

#define OPENED HEAD "<component><structuredBody><component><section><text>"

static void test_limits(void) {
    feed_repeated(OPENED, "<paragraph>x</paragraph>", 30000, ERR_LIMIT,
                  "the document has more paragraphs and cells than can be shown");
    feed_repeated(OPENED "<table><tr><td>", "a long cell, ", 10000, ERR_LIMIT,
                  "a cell of a table is too long to be shown");
    feed_repeated(HEAD "<title>", "a long title, ", 10000, ERR_LIMIT, "a value is too long");
    feed_repeated(OPENED, "<list>", 50, ERR_LIMIT, "lists are nested too deeply");
}

/* A paragraph longer than a block goes on in another: nothing of it is missing. */
static void test_long_paragraph(void) {
    struct cda_reader *reader;
    size_t size = 0;
    arena_clear(&arena);
    enum err err = cda_init(&reader, &arena, &(struct cda_options){0}, &fault);
    if (!err)
        err = cda_feed(reader, BYTES(OPENED "<paragraph>"), &fault);
    for (unsigned i = 0; i < 20000 && !err; i++)
        err = cda_feed(reader, BYTES("dose"), &fault);
    if (!err)
        err = cda_feed(
            reader,
            BYTES("</paragraph></text></section></component></structuredBody></component>" TAIL),
            &fault);
    is_int(err, ERR_OK);
    is_int(cda_end(reader, &document, &fault), ERR_OK);
    for (size_t i = 0; i < document.block_count; i++)
        size += document.blocks[i].text.size;
    is_int(size, 80000);
    cda_release(reader);
}

static void test_is(void) {
    ok(cda_is(BYTES(HEAD TAIL)));
    ok(cda_is(BYTES("\xEF\xBB\xBF <c:ClinicalDocument xmlns:c=\"urn:hl7-org:v3\">")));
    ok(cda_is(BYTES("<!DOCTYPE x [<!ENTITY a \"b\">]><ClinicalDocument/>")));
    ok(cda_is(BYTES("<!DOCTYPE x SYSTEM \"y\"><ClinicalDocument/>")));
    ok(!cda_is(BYTES("<!DOCTYPE html><html>")));
    ok(!cda_is(BYTES("<!DOCTYPE x [")));
    ok(!cda_is(BYTES("<html>")));
    ok(!cda_is(BYTES("")));
    ok(!cda_is(BYTES("<")));
    ok(!cda_is(BYTES("<!-- never ends")));
    ok(!cda_is(BYTES("%PDF-1.4")));
}

int main(void) {
    guard_init(&guard, 200000);
    arena_init(&arena, 16 << 20);
    test_header();
    test_narrative();
    test_lists();
    test_tables();
    test_sections();
    test_body();
    test_hostile();
    test_cut();
    test_depth();
    test_limits();
    test_long_paragraph();
    test_is();
    arena_release(&arena);
    guard_release(&guard);
    return done();
}
