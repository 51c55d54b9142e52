/* reader.c - libxml2's events on a CDA document: which element means what.
 *
 * Invariants
 *   1. libxml2 makes no tree and holds no more than it needs to find the next event; what is kept lies in the arena.
 *   2. There is no document type: with the first sign of one the reading ends. So there are no entities but the five of XML.
 *   3. After the first failure nothing more is taken, and no further chunk is parsed. Inside an event about text the parser is not
 *      stopped: xmlStopParser frees those bytes.
 *
 *   cda_init --> cda_feed... --> cda_end --> cda_release
 */
#include "formats/cda/reader.h"

#include "base/pool.h"
#include <assert.h>

#define HL7_NAMESPACE "urn:hl7-org:v3"
#define CHUNK_BYTES   16384u /* so much may still be parsed after a failure */

void cda_fail(struct cda_reader *reader, enum err err, const char *what) {
    if (reader->err)
        return;
    reader->err =
        fault_set_at(&reader->fault, err, what, (uint64_t)xmlSAX2GetLineNumber(reader->parser));
}

struct bytes cda_attribute(const struct cda_element *element, const char *name) {
    for (int i = 0; i < element->attribute_count; i++) {
        const xmlChar **a = element->attributes + 5 * i; /* name, prefix, namespace, value, end */
        if (!a[1] && bytes_is(bytes_from_string((const char *)a[0]), name))
            return bytes_from(a[3], (size_t)(a[4] - a[3]));
    }
    return BYTES_NONE;
}

struct bytes cda_keep(struct cda_reader *reader, struct bytes value) {
    if (value.size == 0)
        return BYTES_NONE;
    if (value.size > CDA_VALUE_BYTES_MAX) {
        cda_fail(reader, ERR_LIMIT, "a value is too long");
        return BYTES_NONE;
    }
    struct bytes copy = arena_copy(reader->arena, value);
    if (!copy.data)
        cda_fail(reader, ERR_LIMIT, "the document is too large to be shown");
    return copy;
}

static struct bytes reader_path(const struct cda_reader *reader) {
    return bytes_from(reader->path, reader->path_bytes);
}

/* ---- the header ---- */

static struct cda_id id_of(struct cda_reader *reader, const struct cda_element *element) {
    return (struct cda_id){cda_keep(reader, cda_attribute(element, "root")),
                           cda_keep(reader, cda_attribute(element, "extension"))};
}

static void keep_once(struct cda_reader *reader, struct bytes *to, struct bytes value) {
    if (bytes_is_empty(*to))
        *to = cda_keep(reader, value);
}

static void take_id(struct cda_reader *reader, const struct cda_element *element,
                    struct cda_id *id) {
    if (bytes_is_empty(id->root))
        *id = id_of(reader, element);
}

static void take_patient_id(struct cda_reader *reader, const struct cda_element *element) {
    struct cda_document *d = &reader->document;
    if (d->patient_id_count < CDA_IDS_MAX && !bytes_is_empty(cda_attribute(element, "root")))
        d->patient_ids[d->patient_id_count++] = id_of(reader, element);
}

static void take_body(struct cda_reader *reader, const struct cda_element *element) {
    struct cda_document *d = &reader->document;
    d->has_body = true;
    d->is_body_base64 = bytes_is(cda_attribute(element, "representation"), "B64");
    keep_once(reader, &d->body_media_type, cda_attribute(element, "mediaType"));
}

/* What the document replaces or adds to; the first of several. */
static void take_parent(struct cda_reader *reader, const struct cda_element *element) {
    keep_once(reader, &reader->document.relation, cda_attribute(element, "typeCode"));
}

/* The name at birth (BR) is the one that identity is checked by. */
static void take_qualifier(struct cda_reader *reader, const struct cda_element *element) {
    if (!reader->is_name_known && bytes_is(cda_attribute(element, "qualifier"), "BR"))
        reader->document.family_name = BYTES_NONE;
}

#define DOCUMENT "/ClinicalDocument"
#define PATIENT  DOCUMENT "/recordTarget/patientRole"

/* By its attributes. */
static void take_header_attributes(struct cda_reader *reader, const struct cda_element *element) {
    struct cda_document *d = &reader->document;
    const struct {
        const char *path;
        struct cda_id *id;
    } ids[] = {{DOCUMENT "/id", &d->id},
               {DOCUMENT "/setId", &d->set_id},
               {DOCUMENT "/componentOf/encompassingEncounter/id", &d->visit},
               {DOCUMENT "/relatedDocument/parentDocument/id", &d->parent}};
    const struct {
        const char *path, *attribute;
        struct bytes *value;
    } values[] = {{DOCUMENT "/versionNumber", "value", &d->version},
                  {DOCUMENT "/code", "code", &d->code},
                  {DOCUMENT "/code", "displayName", &d->code_name},
                  {DOCUMENT "/confidentialityCode", "code", &d->confidentiality},
                  {DOCUMENT "/effectiveTime", "value", &d->effective_time},
                  {PATIENT "/patient/birthTime", "value", &d->birth_time},
                  {PATIENT "/patient/administrativeGenderCode", "code", &d->sex}};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (!strcmp(reader->path, ids[i].path))
            take_id(reader, element, ids[i].id);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (!strcmp(reader->path, values[i].path))
            keep_once(reader, values[i].value, cda_attribute(element, values[i].attribute));
    if (!strcmp(reader->path, PATIENT "/id"))
        take_patient_id(reader, element);
    else if (!strcmp(reader->path, PATIENT "/patient/name/family"))
        take_qualifier(reader, element);
    else if (!strcmp(reader->path, DOCUMENT "/relatedDocument"))
        take_parent(reader, element);
    else if (!strcmp(reader->path, DOCUMENT "/component/nonXMLBody/text"))
        take_body(reader, element);
}

/* "Family Given": the parts of a name come one by one. */
static void add_to_name(struct cda_reader *reader, struct bytes *name, struct bytes part) {
    char joined[CDA_PATH_BYTES];
    struct text text;
    if (bytes_is_empty(*name)) {
        *name = cda_keep(reader, part);
        return;
    }
    text_init(&text, joined, sizeof joined);
    text_put(&text, *name);
    text_put_char(&text, ' ');
    text_put(&text, part);
    *name = cda_keep(reader, text_bytes(&text));
}

#define AUTHOR DOCUMENT "/author/assignedAuthor"

/* Of several authors and several names of the patient the first is kept. */
static void end_header_element(struct cda_reader *reader) {
    struct cda_document *d = &reader->document;
    if (!strcmp(reader->path, DOCUMENT "/author"))
        reader->is_author_known = !bytes_is_empty(d->author);
    else if (!strcmp(reader->path, PATIENT "/patient/name"))
        reader->is_name_known = !bytes_is_empty(d->family_name);
}

/* By its text. */
static struct bytes *header_text(struct cda_reader *reader, bool *is_added) {
    struct cda_document *d = &reader->document;
    const struct {
        const char *path;
        struct bytes *value;
        bool is_added;
    } texts[] = {
        {DOCUMENT "/title", &d->title, false},
        {PATIENT "/patient/name/family", &d->family_name, false},
        {PATIENT "/patient/name/given", &d->given_name, true},
        {AUTHOR "/assignedPerson/name/family", &d->author, true},
        {AUTHOR "/assignedPerson/name/given", &d->author, true},
        {AUTHOR "/assignedPerson/name", &d->author, false},
        {AUTHOR "/assignedAuthoringDevice/softwareName", &d->author, false},
        {AUTHOR "/representedOrganization/name", &d->author, false},
        {DOCUMENT "/custodian/assignedCustodian/representedCustodianOrganization/name",
         &d->custodian, false},
    };
    if ((reader->is_author_known && bytes_starts_with(reader_path(reader), BYTES(AUTHOR))) ||
        (reader->is_name_known && bytes_starts_with(reader_path(reader), BYTES(PATIENT))))
        return NULL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(reader->path, texts[i].path)) {
            *is_added = texts[i].is_added;
            return texts[i].value;
        }
    return NULL;
}

static void end_header_text(struct cda_reader *reader) {
    bool is_added = false;
    struct bytes *to = header_text(reader, &is_added);
    struct bytes text = bytes_trim(text_bytes(&reader->value));
    reader->value_depth = 0;
    if (to && text.size && is_added)
        add_to_name(reader, to, text);
    else if (to && text.size)
        keep_once(reader, to, text);
    text_clear(&reader->value);
}

/* ---- sections ---- */

static struct bytes parent_name(const struct cda_reader *reader) {
    size_t end = reader->path_before[reader->depth];
    struct bytes path = bytes_from(reader->path, end);
    for (size_t i = path.size; i > 0; i--)
        if (path.data[i - 1] == '/')
            return bytes_skip(path, i);
    return path;
}

static bool is_of_section(const struct cda_reader *reader, struct bytes name, const char *wanted) {
    return reader->section_count > 0 && !reader->options.header_only && bytes_is(name, wanted) &&
           bytes_is(parent_name(reader), "section");
}

static void begin_value(struct cda_reader *reader) {
    text_clear(&reader->value);
    reader->value_depth = reader->depth;
}

static void end_heading(struct cda_reader *reader) {
    struct bytes text = bytes_trim(text_bytes(&reader->value));
    reader->value_depth = 0;
    if (text.size)
        narrative_add(reader, &(struct cda_block){.kind = CDA_HEADING,
                                                  .level = (unsigned)reader->section_count,
                                                  .text = cda_keep(reader, text)});
    text_clear(&reader->value);
}

/* ---- events ---- */

static bool push_path(struct cda_reader *reader, struct bytes name) {
    if (reader->depth == CDA_DEPTH_MAX || reader->path_bytes + name.size + 2 > CDA_PATH_BYTES) {
        cda_fail(reader, ERR_LIMIT, "the document is nested too deeply");
        return false;
    }
    reader->path_before[++reader->depth] = reader->path_bytes;
    reader->path[reader->path_bytes++] = '/';
    memcpy(reader->path + reader->path_bytes, name.data, name.size);
    reader->path_bytes += name.size;
    reader->path[reader->path_bytes] = 0;
    return true;
}

static void take_element(struct cda_reader *reader, const struct cda_element *element) {
    bool is_added;
    if (reader->narrative.depth) {
        narrative_begin_element(reader, element);
        return;
    }
    take_header_attributes(reader, element);
    if (bytes_is(element->name, "section"))
        reader->section_count++;
    if (is_of_section(reader, element->name, "text")) {
        text_clear(&reader->value);
        reader->narrative.depth = reader->depth;
        reader->narrative.pending.kind = CDA_PARAGRAPH;
    } else if (is_of_section(reader, element->name, "title") || header_text(reader, &is_added)) {
        begin_value(reader);
    }
}

static void on_start(void *owner, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int defaulted_count, const xmlChar **attributes) {
    struct cda_reader *reader = owner;
    struct cda_element element = {bytes_from_string((const char *)name), attributes,
                                  attribute_count};
    (void)prefix;
    (void)namespace_count;
    (void)namespaces;
    (void)defaulted_count;
    if (reader->err)
        return;
    if (!uri || strcmp((const char *)uri, HL7_NAMESPACE) != 0)
        element.name = BYTES("?");
    if (!push_path(reader, element.name))
        return;
    if (reader->depth == 1 && !bytes_is(element.name, "ClinicalDocument")) {
        cda_fail(reader, ERR_INPUT, "this XML is no ClinicalDocument of HL7 CDA");
        return;
    }
    reader->has_root = true;
    take_element(reader, &element);
}

static void end_value(struct cda_reader *reader, struct bytes name) {
    if (is_of_section(reader, name, "title"))
        end_heading(reader);
    else
        end_header_text(reader);
}

static void on_end(void *owner, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri) {
    struct cda_reader *reader = owner;
    (void)name;
    (void)prefix;
    (void)uri;
    if (reader->err)
        return;
    assert(reader->depth > 0);
    size_t before = reader->path_before[reader->depth];
    struct bytes element = bytes_from(reader->path + before + 1, reader->path_bytes - before - 1);
    if (reader->narrative.depth == reader->depth)
        narrative_end(reader);
    else if (reader->narrative.depth)
        narrative_end_element(reader, element);
    else if (reader->value_depth == reader->depth)
        end_value(reader, element);
    else if (bytes_is(element, "section"))
        reader->section_count--;
    else
        end_header_element(reader);
    reader->depth--;
    reader->path_bytes = before;
    reader->path[before] = 0;
}

static void give_body(struct cda_reader *reader, struct bytes piece) {
    bool is_base64 = reader->document.is_body_base64;
    enum err err = reader->options.on_body
                       ? reader->options.on_body(reader->options.owner, piece, is_base64)
                       : ERR_OK;
    if (err)
        cda_fail(reader, err, "the body of the document cannot be taken");
}

static void on_text(void *owner, const xmlChar *text, int size) {
    struct cda_reader *reader = owner;
    struct bytes piece = bytes_from(text, (size_t)size);
    if (reader->err)
        return;
    if (reader->narrative.depth) {
        narrative_text(reader, piece);
    } else if (reader->value_depth) {
        text_put(&reader->value, piece);
        if (reader->value.full)
            cda_fail(reader, ERR_LIMIT, "a value is too long");
    } else if (!strcmp(reader->path, DOCUMENT "/component/nonXMLBody/text")) {
        give_body(reader, piece);
    }
}

static void on_document_type(void *owner, const xmlChar *name, const xmlChar *public_id,
                             const xmlChar *system_id) {
    (void)name;
    (void)public_id;
    (void)system_id;
    struct cda_reader *reader = owner;
    cda_fail(reader, ERR_UNSUPPORTED, "the document declares a document type, which is refused");
    xmlStopParser(reader->parser); /* none of its declarations is read: here no bytes are in use */
}

static void on_error(void *owner, xmlErrorPtr error) {
    (void)owner; /* asked for at the end; nothing is printed */
    (void)error;
}

/* ---- life ---- */

enum err cda_init(struct cda_reader **out, struct arena *arena, const struct cda_options *options,
                  struct fault *fault) {
    struct cda_reader *reader = memory_alloc(1, sizeof *reader);
    *out = reader;
    if (!reader)
        return fault_set(fault, ERR_MEMORY, "no memory for a document");
    reader->arena = arena;
    reader->options = *options;
    reader->sax = (xmlSAXHandler){.initialized = XML_SAX2_MAGIC,
                                  .startElementNs = on_start,
                                  .endElementNs = on_end,
                                  .characters = on_text,
                                  .ignorableWhitespace = on_text,
                                  .cdataBlock = on_text,
                                  .internalSubset = on_document_type,
                                  .serror = on_error};
    enum err err = text_init_arena(&reader->value, arena, CDA_VALUE_BYTES_MAX);
    if (err)
        return fault_set(fault, err, "no room for a document");
    reader->parser = xmlCreatePushParserCtxt(&reader->sax, reader, NULL, 0, NULL);
    if (!reader->parser)
        return fault_set(fault, ERR_MEMORY, "no memory for a document");
    xmlCtxtUseOptions(reader->parser, XML_PARSE_NONET);
    return ERR_OK;
}

static void ask_parser(struct cda_reader *reader) {
    const xmlError *error = xmlCtxtGetLastError(reader->parser);
    if (reader->err || !error || error->level < XML_ERR_FATAL)
        return;
    bool is_encoding = error->code == XML_ERR_UNSUPPORTED_ENCODING;
    reader->err = fault_set_at(&reader->fault, is_encoding ? ERR_UNSUPPORTED : ERR_INPUT,
                               is_encoding ? "the document's characters cannot be read here"
                                           : "the document is not well-formed XML",
                               (uint64_t)error->line);
}

static enum err parse(struct cda_reader *reader, struct bytes slice, bool is_last,
                      struct fault *fault) {
    static const uint8_t nothing[1];
    do {
        struct bytes part = bytes_first(slice, CHUNK_BYTES);
        slice = bytes_skip(slice, part.size);
        if (!reader->err)
            xmlParseChunk(reader->parser, (const char *)(part.size ? part.data : nothing),
                          (int)part.size, is_last);
        ask_parser(reader);
    } while (slice.size && !reader->err);
    if (reader->err && fault)
        *fault = reader->fault;
    return reader->err;
}

enum err cda_feed(struct cda_reader *reader, struct bytes slice, struct fault *fault) {
    return slice.size ? parse(reader, slice, false, fault) : reader->err;
}

enum err cda_end(struct cda_reader *reader, struct cda_document *document, struct fault *fault) {
    enum err err = parse(reader, BYTES_NONE, true, fault);
    if (!err && !reader->has_root)
        err = fault_set_at(fault, ERR_INPUT, "the document is not well-formed XML", 0);
    /* What came before a failure is shown as far as it came: tables are closed. */
    reader->err = ERR_OK;
    narrative_end(reader);
    *document = reader->document;
    return err;
}

void cda_release(struct cda_reader *reader) {
    if (!reader)
        return;
    if (reader->parser) {
        xmlFreeDoc(reader->parser->myDoc); /* libxml2 makes one for declarations, whoever listens */
        xmlFreeParserCtxt(reader->parser);
    }
    memory_free(reader);
}

/* ---- is it one ---- */

static struct bytes past(struct bytes in, struct bytes end) {
    for (size_t i = 0; i + end.size <= in.size; i++)
        if (bytes_starts_with(bytes_skip(in, i), end))
            return bytes_skip(in, i + end.size);
    return BYTES_NONE;
}

/* It is refused when it is read: with its reason, which "this is something else" would hide. */
static struct bytes past_type(struct bytes in) {
    size_t end = bytes_find(in, '>'), subset = bytes_find(in, '[');
    return past(in, subset < end ? BYTES("]>") : BYTES(">"));
}

bool cda_is(struct bytes in) {
    if (bytes_starts_with(in, BYTES("\xEF\xBB\xBF")))
        in = bytes_skip(in, 3);
    for (;;) {
        in = bytes_trim(in);
        if (bytes_starts_with(in, BYTES("<?")))
            in = past(in, BYTES("?>"));
        else if (bytes_starts_with(in, BYTES("<!--")))
            in = past(in, BYTES("-->"));
        else if (bytes_starts_with(in, BYTES("<!DOCTYPE")))
            in = past_type(in);
        else
            break;
    }
    size_t end = 1, from = 1;
    if (!bytes_starts_with(in, BYTES("<")))
        return false;
    for (; end < in.size && !strchr(" \t\r\n/>", in.data[end]); end++)
        if (in.data[end] == ':')
            from = end + 1;
    return bytes_is(bytes_from(in.data + from, end - from), "ClinicalDocument");
}
