/* shown.c - decodes a file out of its message and decides, by its bytes, whether and as what it is shown. */
#include "web/shown.h"

#include "formats/base64/base64.h"

#define TEXT_BYTES_MAX ((size_t)2 << 20)

struct shown_type {
    enum shown_kind kind;
    const char *media_type, *suffix;
    const char *begins;
    size_t begin_bytes;
};
static const struct shown_type types[] = {
    {SHOWN_PDF, "application/pdf", ".pdf", "%PDF-", 5},
    {SHOWN_PNG, "image/png", ".png", "\x89PNG\r\n\x1a\n", 8},
    {SHOWN_JPEG, "image/jpeg", ".jpg", "\xff\xd8\xff", 3},
    {SHOWN_GIF, "image/gif", ".gif", "GIF87a", 6},
    {SHOWN_GIF, "image/gif", ".gif", "GIF89a", 6},
    {SHOWN_RTF, "application/rtf", ".rtf", "{\\rtf", 5},
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

static const struct shown_type *type_of(enum shown_kind kind) {
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (types[i].kind == kind)
            return &types[i];
    return NULL;
}

bool shown_is_image(enum shown_kind kind) {
    return kind == SHOWN_PNG || kind == SHOWN_JPEG || kind == SHOWN_GIF;
}

const char *shown_media_type(enum shown_kind kind) {
    bool is_given = kind == SHOWN_PDF || shown_is_image(kind);
    return is_given ? type_of(kind)->media_type : NULL;
}

const char *shown_suffix(enum shown_kind kind) {
    const struct shown_type *type = type_of(kind);
    return type ? type->suffix : kind == SHOWN_TEXT ? ".txt" : kind == SHOWN_CDA ? ".xml" : ".bin";
}

enum shown_kind shown_kind_of_bytes(struct bytes bytes) {
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (bytes_starts_with(bytes, bytes_from(types[i].begins, types[i].begin_bytes)))
            return types[i].kind;
    return cda_is(bytes_first(bytes, 4096)) ? SHOWN_CDA : SHOWN_NOT;
}

/* What the sender says it is. `is_open`: that says nothing, and the bytes decide. */
static enum shown_kind kind_said(struct bytes said, bool *is_open) {
    static const struct {
        const char *media_type;
        enum shown_kind kind;
    } names[] = {{"application/pdf", SHOWN_PDF},     {"application/x-pdf", SHOWN_PDF},
                 {"image/png", SHOWN_PNG},           {"image/jpeg", SHOWN_JPEG},
                 {"image/jpg", SHOWN_JPEG},          {"image/gif", SHOWN_GIF},
                 {"application/rtf", SHOWN_RTF},     {"text/rtf", SHOWN_RTF},
                 {"application/xml", SHOWN_CDA},     {"text/xml", SHOWN_CDA},
                 {"application/cda+xml", SHOWN_CDA}, {"text/plain", SHOWN_TEXT}};
    size_t end = bytes_find(said, ';');
    said = bytes_trim(end == BYTES_NOT_FOUND ? said : bytes_first(said, end));
    *is_open = bytes_is_empty(said) || bytes_is(said, "application/octet-stream") ||
               bytes_is(said, "application") || bytes_is(said, "octet-stream");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bytes_is(said, names[i].media_type))
            return names[i].kind;
    return SHOWN_NOT;
}

static void decide(struct shown_file *file) {
    bool is_open;
    enum shown_kind said = kind_said(file->said_type, &is_open);
    enum shown_kind is = shown_kind_of_bytes(file->bytes);
    if (is_open)
        file->kind = is;
    else if (said == SHOWN_TEXT)
        file->kind =
            is == SHOWN_RTF ? SHOWN_RTF : SHOWN_TEXT; /* as text nothing else does anything */
    else
        file->kind = said == is ? said : SHOWN_NOT;
    if (file->kind != SHOWN_NOT)
        return;
    if (bytes_is_empty(file->bytes))
        file->why = "The message holds nothing here.";
    else if (said != SHOWN_NOT)
        file->why = "Its bytes are not what its sender says they are: it is not shown.";
    else
        file->why = "Files of this kind are not shown here.";
}

/* ---- text ---- */

/* Bytes that are no UTF-8 are Latin letters; control characters go, so that nothing can hide or move what stands beside it. */
static void put_plain(struct text *text, struct bytes in) {
    bool is_utf8 = bytes_is_utf8(in, NULL);
    for (size_t i = 0; i < in.size && !text->full; i++) {
        uint8_t c = in.data[i];
        bool is_crlf = c == '\r' && i + 1 < in.size && in.data[i + 1] == '\n';
        if (c == '\r')
            text_put_string(text, is_crlf ? "" : "\n");
        else if (c == '\n' || c == '\t' || (c >= ' ' && c < 0x7F) || (c >= 0x80 && is_utf8))
            text_put_char(text, (char)c);
        else if (c >= 0xA0) {
            text_put_char(text, (char)(0xC0 | c >> 6));
            text_put_char(text, (char)(0x80 | (c & 0x3F)));
        } else
            text_put_string(text, "\xEF\xBF\xBD");
    }
}

static const char cut_short[] = "The text is too long for a page: only its beginning is shown.";

static enum err read_text(struct shown_file *file, struct arena *arena) {
    struct text text;
    struct fault fault = {0};
    size_t room = file->bytes.size * 3 + 64;
    enum err err = text_init_arena(&text, arena, room < TEXT_BYTES_MAX ? room : TEXT_BYTES_MAX);
    if (err)
        return err;
    if (file->kind == SHOWN_TEXT)
        put_plain(&text, file->bytes);
    else
        err = rtf_put_text(&text, file->bytes, &file->rtf, &fault);
    file->text = text_bytes(&text);
    if (text.full)
        file->why = cut_short;
    else if (err || file->rtf.is_cut)
        file->why = "The text ends too early or is damaged: what could be read of it is shown.";
    else if (file->rtf.has_unknown_letters)
        file->why = "Some letters of this text could not be read.";
    return ERR_OK;
}

/* ---- CDA ---- */

struct body_taking {
    struct base64_stream stream;
    struct text out;
};

static enum err take_body(void *owner, struct bytes piece, bool is_base64) {
    struct body_taking *taking = owner;
    uint8_t room[BASE64_ROOM(3072)];
    enum err err = ERR_OK;
    if (!is_base64) {
        text_put(&taking->out, piece);
        return ERR_OK;
    }
    while (piece.size && !err) {
        struct bytes part = bytes_first(piece, 3072);
        size_t size = 0;
        piece = bytes_skip(piece, part.size);
        err = base64_feed(&taking->stream, part, room, &size, NULL);
        text_put(&taking->out, bytes_from(room, size));
    }
    return err;
}

/* Inside the document nothing is given to the browser that would not be given by itself. */
static void judge_body(struct shown_file *file, struct bytes body, bool is_whole) {
    bool is_open;
    enum shown_kind said = kind_said(file->cda.body_media_type, &is_open);
    enum shown_kind is = shown_kind_of_bytes(body);
    file->body = body;
    if (said == SHOWN_TEXT && is == SHOWN_NOT)
        file->body_kind = SHOWN_TEXT;
    else if (is_whole && said == is && shown_media_type(is))
        file->body_kind = is;
}

static enum err read_cda(struct shown_file *file, struct arena *arena) {
    struct body_taking taking = {0};
    struct cda_reader *reader;
    struct fault fault = {0};
    const struct cda_options options = {.on_body = take_body, .owner = &taking};
    base64_init(&taking.stream, 0);
    enum err err = text_init_arena(&taking.out, arena, file->bytes.size + 64);
    if (err)
        return err;
    err = cda_init(&reader, arena, &options, &fault);
    if (!err)
        err = cda_feed(reader, file->bytes, &fault);
    enum err ended = reader ? cda_end(reader, &file->cda, &fault) : err;
    cda_release(reader);
    if (err == ERR_MEMORY)
        return err;
    if (err || ended) {
        file->why = "The document is damaged or too large: what could be read of it is shown.";
        file->detail = fault.what;
    }
    if (file->cda.has_body)
        judge_body(file, text_bytes(&taking.out), !base64_end(&taking.stream, NULL));
    return ERR_OK;
}

/* ---- decoding ---- */

static enum err decode_base64(const struct facts_content *content, struct arena *arena,
                              struct shown_file *file) {
    struct base64_stream stream;
    struct fault fault = {0};
    uint8_t *out = arena_alloc(arena, BASE64_ROOM(content->data.size));
    size_t size = 0;
    if (!out)
        return ERR_LIMIT;
    base64_init(&stream, content->escape);
    enum err err = base64_feed(&stream, content->data, out, &size, &fault);
    if (!err)
        err = base64_end(&stream, &fault);
    file->bytes = bytes_from(out, size);
    if (err)
        file->why = "Its base64 is damaged or was cut off: it is not shown.";
    return ERR_OK;
}

static enum err decode_hex(const struct facts_content *content, struct arena *arena,
                           struct shown_file *file) {
    size_t size = content->data.size / 2;
    uint8_t *out = arena_alloc(arena, size + 1);
    if (!out)
        return ERR_LIMIT;
    if (content->data.size % 2 || !hex_decode(content->data, out, size))
        file->why = "Its hexadecimal digits are damaged: it is not shown.";
    else
        file->bytes = bytes_from(out, size);
    return ERR_OK;
}

static enum err look_into(struct shown_file *file, struct arena *arena) {
    decide(file);
    if (file->kind == SHOWN_TEXT || file->kind == SHOWN_RTF)
        return read_text(file, arena);
    return file->kind == SHOWN_CDA ? read_cda(file, arena) : ERR_OK;
}

enum err shown_read(const struct facts_content *content, struct arena *arena,
                    struct shown_file *file) {
    enum err err = ERR_OK;
    *file = (struct shown_file){.name = content->name, .said_type = content->media_type};
    switch (content->encoding) {
    case CONTENT_ELSEWHERE:
        file->kind = SHOWN_ELSEWHERE;
        file->text = content->data;
        return ERR_OK;
    case CONTENT_TEXT:
        file->bytes = content->data;
        break;
    case CONTENT_BASE64:
        err = decode_base64(content, arena, file);
        break;
    case CONTENT_HEX:
        err = decode_hex(content, arena, file);
        break;
    }
    /* Half a file is not shown as if it were whole. */
    return err || file->why ? err : look_into(file, arena);
}

enum err shown_read_bytes(struct bytes said_type, struct bytes bytes, struct arena *arena,
                          struct shown_file *file) {
    *file = (struct shown_file){.said_type = said_type, .bytes = bytes};
    return look_into(file, arena);
}
