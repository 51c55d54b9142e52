/* recovery.c - the recovery key of a vault on paper: one sheet for each holder of a part of it.
 *
 * From above: whose it is, which part, what it is and what to do with it in French and English, the words and
 * the same words as a QR code, who received it. What is secret stands only in the words and the code. */
#include "formats/slip39/slip39.h"
#include "paper/code.h"
#include "paper/file.h"
#include "paper/paper.h"
#include "paper/pen.h"

#include <nettle/sha2.h>
#include <sodium.h>

#define LEFT         (20 * PEN_PER_MM)
#define RIGHT        (PEN_A4_WIDTH - LEFT)
#define WIDTH        (RIGHT - LEFT)
#define CODE_WIDTH   (46 * PEN_PER_MM)
#define CODE_MARGIN  12.0
#define WORDS_WIDTH  (WIDTH - CODE_WIDTH - 2 * CODE_MARGIN)
#define WORD_COLUMNS 3u
#define WORD_DEPTH   17.5
#define WORDS_TOP    12.0 /* from the frame to the first word, and from the last to the frame */
#define FIELD_X      (LEFT + 150)
#define COLUMN_GAP   20.0
#define COLUMN_WIDTH ((WIDTH - COLUMN_GAP) / 2)
#define TEXT_BYTES   512u
#define STACK_BYTES  16384u /* what the functions called from here may have left there */

static const struct pen_font title_font = {PEN_SANS, 21, true, 0};
static const struct pen_font subtitle_font = {PEN_SANS, 12.5, false, 0.25};
static const struct pen_font head_font = {PEN_SANS, 9, true, 0};
static const struct pen_font body_font = {PEN_SANS, 8.6, false, 0};
static const struct pen_font value_font = {PEN_SANS, 9, false, 0};
static const struct pen_font label_font = {PEN_SANS, 8, false, 0.3};
static const struct pen_font mono_font = {PEN_MONO, 8.8, false, 0};
static const struct pen_font word_font = {PEN_MONO, 13.5, true, 0};
static const struct pen_font number_font = {PEN_MONO, 9, false, 0.3};

/* ---- what is given ---- */

struct words {
    struct bytes word[SLIP39_WORD_COUNT_MAX];
    size_t count;
};

static bool read_words(struct bytes text, struct words *words) {
    struct bytes part;
    words->count = 0;
    while (bytes_next_part(&text, ' ', &part)) {
        if (words->count == SLIP39_WORD_COUNT_MAX || part.size == 0 ||
            part.size > SLIP39_WORD_BYTES_MAX)
            return false;
        for (size_t i = 0; i < part.size; i++)
            if (part.data[i] < 'a' || part.data[i] > 'z')
                return false;
        words->word[words->count++] = part;
    }
    return words->count >= SLIP39_WORD_COUNT_MIN;
}

/* One line of UTF-8 without control characters. */
static bool is_line(const char *string) {
    struct bytes text = bytes_from_string(string);
    if (!text.size || text.size >= TEXT_BYTES || !bytes_is_utf8(text, NULL))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return true;
}

static enum err check(const struct paper_recovery *recovery, struct fault *fault) {
    struct words words;
    if (!is_line(recovery->site_name) || !is_line(recovery->origin) ||
        !is_line(recovery->created) || !is_line(recovery->recipient))
        return fault_set(fault, ERR_INPUT, "a text of the sheets is missing, or is no line");
    if (recovery->threshold < 1 || recovery->threshold > recovery->count ||
        recovery->count > PAPER_SHEET_COUNT_MAX)
        return fault_set(fault, ERR_INPUT, "so many sheets are not made");
    for (unsigned i = 0; i < recovery->count; i++)
        if (!read_words(recovery->words[i], &words))
            return fault_set_at(fault, ERR_INPUT, "these are no words of a share", i);
    return ERR_OK;
}

void paper_put_fingerprint(struct text *out, const char *recipient) {
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, strlen(recipient), (const uint8_t *)recipient);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < 16; i += 2) {
        if (i)
            text_put_char(out, ' ');
        text_put_hex(out, bytes_from(digest + i, 2));
    }
}

/* ---- from above to below; each gives back where the next begins ---- */

/* Each sheet is drawn from these; `part` counts from 1. */
struct sheet {
    struct pen *pen;
    const struct paper_recovery *recovery;
    unsigned part;
};

static double draw_title(const struct sheet *sheet, double y) {
    char line[TEXT_BYTES];
    struct text text;
    const struct paper_recovery *recovery = sheet->recovery;
    struct pen_place wide = {.x = LEFT, .y = y, .width = WIDTH, .lines_max = 1};
    pen_text(sheet->pen, &head_font, wide, "Veilleuse");
    wide.is_right = true;
    wide.y += pen_text(sheet->pen, &head_font, wide, "SECRET — à sceller · to be sealed") + 4;
    pen_line(sheet->pen, LEFT, wide.y, RIGHT, wide.y);
    wide.is_right = false;
    wide.y += 10;
    text_init(&text, line, sizeof line);
    text_put_format(&text, "Clé de secours — part %u sur %u", sheet->part, recovery->count);
    wide.y += pen_text(sheet->pen, &title_font, wide, line) + 1;
    text_init(&text, line, sizeof line);
    text_put_format(&text, "Recovery key — part %u of %u", sheet->part, recovery->count);
    return wide.y + pen_text(sheet->pen, &subtitle_font, wide, line);
}

static double draw_field(const struct sheet *sheet, double y, const char *label,
                         const struct pen_font *font, const char *value) {
    struct pen_place label_place = {.x = LEFT, .y = y + 0.8, .lines_max = 1};
    struct pen_place value_place = {.x = FIELD_X, .y = y, .width = RIGHT - FIELD_X, .lines_max = 2};
    pen_text(sheet->pen, &label_font, label_place, label);
    return y + pen_text(sheet->pen, font, value_place, value) + 4;
}

static double draw_fields(const struct sheet *sheet, double y) {
    char line[TEXT_BYTES];
    struct text text;
    const struct paper_recovery *recovery = sheet->recovery;
    y = draw_field(sheet, y, "Établissement / Site", &value_font, recovery->site_name);
    y = draw_field(sheet, y, "Coffre / Vault", &value_font, recovery->origin);
    y = draw_field(sheet, y, "Établie le / Made on", &value_font, recovery->created);
    text_init(&text, line, sizeof line);
    text_put_format(&text, "%05u", recovery->identifier);
    y = draw_field(sheet, y, "Jeu de parts / Set of parts", &mono_font, line);
    y = draw_field(sheet, y, "Clé publique / Public key", &mono_font, recovery->recipient);
    text_init(&text, line, sizeof line);
    paper_put_fingerprint(&text, recovery->recipient);
    return draw_field(sheet, y, "Son empreinte / Its fingerprint", &mono_font, line);
}

/* A column of instructions: a head, a paragraph, a list, and so on. */
struct column {
    const struct sheet *sheet;
    double x, y;
};

static void put_head(struct column *column, const char *head) {
    struct pen_place place = {.x = column->x, .y = column->y, .width = COLUMN_WIDTH};
    column->y += pen_text(column->sheet->pen, &head_font, place, head) + 1;
}

static void put_paragraph(struct column *column, const char *paragraph) {
    struct pen_place place = {.x = column->x, .y = column->y, .width = COLUMN_WIDTH};
    column->y += pen_text(column->sheet->pen, &body_font, place, paragraph) + 5;
}

static void put_item(struct column *column, const char *item) {
    struct pen_place place = {.x = column->x, .y = column->y};
    pen_text(column->sheet->pen, &body_font, place, "•");
    place.x += 9;
    place.width = COLUMN_WIDTH - 9;
    column->y += pen_text(column->sheet->pen, &body_font, place, item) + 1.5;
}

/* How many are needed, as a sentence: one of one, all, or any so many. */
static void put_needed(struct text *text, const struct paper_recovery *recovery, bool is_french) {
    if (recovery->count == 1)
        text_put_string(text, is_french ? "Elle n’a que cette part, qui suffit."
                                        : "This is its only part, and enough.");
    else if (recovery->threshold == recovery->count)
        text_put_string(text, is_french ? "Il les faut toutes ; avec moins, on n’apprend rien."
                                        : "All of them are needed; fewer tell nothing.");
    else if (is_french)
        text_put_format(text,
                        "Il en faut %u sur %u, n’importe lesquelles ; avec moins, on n’apprend "
                        "rien.",
                        recovery->threshold, recovery->count);
    else
        text_put_format(text, "Any %u of the %u are needed; fewer tell nothing.",
                        recovery->threshold, recovery->count);
}

static void put_what_it_is(struct column *column, bool is_french) {
    char line[TEXT_BYTES];
    struct text text;
    unsigned count = column->sheet->recovery->count;
    text_init(&text, line, sizeof line);
    if (is_french)
        text_put_string(&text, "La clé qui rouvre le coffre de Veilleuse quand tout le reste est "
                               "perdu");
    else
        text_put_string(&text, "The key that opens Veilleuse’s vault again when all else is lost");
    if (count > 1)
        text_put_format(&text,
                        is_french ? ", en %u parts, dont celle-ci"
                                  : ", in %u parts, of "
                                    "which this is one",
                        count);
    text_put_string(&text, ". ");
    put_needed(&text, column->sheet->recovery, is_french);
    put_paragraph(column, line);
}

static const struct {
    const char *french, *english;
} duties[] = {
    {"Signez, puis gardez cette feuille dans une enveloppe opaque et scellée, sous clé, loin des "
     "autres parts.",
     "Sign, then keep this sheet in an opaque, sealed envelope, locked away, apart from the other "
     "parts."},
    {"Ne la photographiez jamais, ne la copiez jamais.", "Never photograph it, never copy it."},
    {"Ne saisissez jamais ces mots sur un ordinateur relié à un réseau, sauf pour restaurer.",
     "Never type these words into a computer that is on a network, except to recover."},
    {"Feuille perdue, enveloppe ouverte : prévenez aussitôt l’établissement, qui fera une nouvelle "
     "clé.",
     "Sheet lost or envelope opened: tell the hospital at once; it will make a new key."},
};

static void put_how(struct column *column, bool is_french) {
    char line[TEXT_BYTES];
    struct text text;
    unsigned threshold = column->sheet->recovery->threshold;
    text_init(&text, line, sizeof line);
    if (is_french)
        text_put_format(&text,
                        "Réunissez %u porteur%s. Lancez « veilleuse key recover », puis saisissez "
                        "les mots de chaque feuille dans l’ordre des numéros, ou scannez son code. "
                        "Les quatre premières lettres d’un mot suffisent.",
                        threshold, threshold > 1 ? "s" : "");
    else
        text_put_format(&text,
                        "Bring %u holder%s together. Run “veilleuse key recover” and type the "
                        "words of each sheet in the order of their numbers, or scan its code. The "
                        "first four letters of a word are enough.",
                        threshold, threshold > 1 ? "s" : "");
    put_paragraph(column, line);
}

/* Both go on at the height of the deeper one, so that what stands side by side says the same. */
static void align(struct column *french, struct column *english, double gap) {
    double deeper = french->y > english->y ? french->y : english->y;
    french->y = english->y = deeper + gap;
}

static double draw_instructions(const struct sheet *sheet, double y) {
    struct column french = {sheet, LEFT, y}, english = {sheet, LEFT + COLUMN_WIDTH + COLUMN_GAP, y};
    put_head(&french, "Ce que c’est");
    put_what_it_is(&french, true);
    put_head(&english, "What it is");
    put_what_it_is(&english, false);
    align(&french, &english, 0);
    put_head(&french, "Ce qu’il faut en faire");
    put_head(&english, "What to do with it");
    for (size_t i = 0; i < sizeof duties / sizeof duties[0]; i++) {
        put_item(&french, duties[i].french);
        put_item(&english, duties[i].english);
        align(&french, &english, 0);
    }
    align(&french, &english, 3.5);
    put_head(&french, "Pour restaurer");
    put_how(&french, true);
    put_head(&english, "To recover");
    put_how(&english, false);
    align(&french, &english, 0);
    return french.y;
}

static void draw_word(const struct sheet *sheet, double x, double y, size_t number,
                      struct bytes word) {
    char line[SLIP39_WORD_BYTES_MAX + 1];
    struct text text;
    struct pen_place number_place = {.x = x, .y = y + 3.8, .width = 16, .is_right = true};
    struct pen_place word_place = {.x = x + 22, .y = y};
    text_init(&text, line, sizeof line);
    text_put_u64(&text, number);
    pen_text(sheet->pen, &number_font, number_place, line);
    text_init(&text, line, sizeof line);
    text_put(&text, word);
    pen_text(sheet->pen, &word_font, word_place, line);
    sodium_memzero(line, sizeof line);
}

/* Numbered down the first column, then down the next. Gives back how deep the frame is. */
static double draw_word_frame(const struct sheet *sheet, double y, const struct words *words) {
    size_t rows = (words->count + WORD_COLUMNS - 1) / WORD_COLUMNS;
    double depth = 2 * WORDS_TOP + (double)rows * WORD_DEPTH;
    for (size_t i = 0; i < words->count; i++)
        draw_word(sheet, LEFT + 4 + (double)(i / rows) * (WORDS_WIDTH - 4) / WORD_COLUMNS,
                  y + WORDS_TOP + (double)(i % rows) * WORD_DEPTH, i + 1, words->word[i]);
    pen_box(sheet->pen, LEFT, y, WIDTH, depth);
    pen_line(sheet->pen, LEFT + WORDS_WIDTH, y, LEFT + WORDS_WIDTH, y + depth);
    return depth;
}

/* The code says the words in capitals: its alphanumeric mode has no others, and is a third smaller. */
static enum err draw_code(const struct sheet *sheet, double y, double depth, struct bytes words,
                          struct fault *fault) {
    uint8_t capitals[SLIP39_TEXT_BYTES_MAX];
    struct pen_place place = {.x = LEFT + WORDS_WIDTH + CODE_MARGIN, .width = CODE_WIDTH};
    for (size_t i = 0; i < words.size; i++)
        capitals[i] = words.data[i] == ' ' ? ' ' : (uint8_t)(words.data[i] - 'a' + 'A');
    y += (depth - CODE_WIDTH - 34) / 2;
    enum err err =
        code_draw_qr(sheet->pen, bytes_from(capitals, words.size), place.x, y, CODE_WIDTH, fault);
    place.y = y + CODE_WIDTH + 12;
    place.y += pen_text(sheet->pen, &label_font, place, "Les mêmes mots");
    pen_text(sheet->pen, &label_font, place, "The same words");
    sodium_memzero(capitals, sizeof capitals);
    return err;
}

static enum err draw_words(const struct sheet *sheet, double *y, struct fault *fault) {
    char line[TEXT_BYTES];
    struct text text;
    struct words words;
    struct bytes all = sheet->recovery->words[sheet->part - 1];
    struct pen_place place = {.x = LEFT, .y = *y, .width = WIDTH};
    read_words(all, &words);
    text_init(&text, line, sizeof line);
    text_put_format(&text,
                    "Les %zu mots, dans l’ordre des numéros / The %zu words, in the order of their "
                    "numbers",
                    words.count, words.count);
    *y += pen_text(sheet->pen, &head_font, place, line) + 4;
    double depth = draw_word_frame(sheet, *y, &words);
    enum err err = draw_code(sheet, *y, depth, all, fault);
    *y += depth;
    return err;
}

static void draw_blank(const struct sheet *sheet, double x, double y, double width,
                       const char *label) {
    struct pen_place place = {.x = x, .y = y};
    pen_text(sheet->pen, &label_font, place, label);
    pen_line(sheet->pen, x, y + 36, x + width, y + 36);
}

/* Who received it. */
static void draw_receipt(const struct sheet *sheet, double y) {
    double half = LEFT + COLUMN_WIDTH + COLUMN_GAP;
    draw_blank(sheet, LEFT, y, COLUMN_WIDTH, "Nom du porteur / Name of the holder");
    draw_blank(sheet, half, y, COLUMN_WIDTH, "Lieu de garde / Kept at");
    draw_blank(sheet, LEFT, y + 46, COLUMN_WIDTH, "Date");
    draw_blank(sheet, half, y + 46, COLUMN_WIDTH, "Signature");
}

static void draw_foot(const struct sheet *sheet) {
    char line[TEXT_BYTES];
    struct text text;
    struct pen_place place = {
        .x = LEFT, .y = PEN_A4_DEPTH - 15 * PEN_PER_MM, .width = WIDTH, .lines_max = 1};
    pen_line(sheet->pen, LEFT, place.y - 4, RIGHT, place.y - 4);
    text_init(&text, line, sizeof line);
    text_put_format(&text, "Jeu / Set %05u · %s", sheet->recovery->identifier,
                    sheet->recovery->created);
    pen_text(sheet->pen, &label_font, place, line);
    text_init(&text, line, sizeof line);
    text_put_format(&text, "%u / %u", sheet->part, sheet->recovery->count);
    place.is_right = true;
    pen_text(sheet->pen, &mono_font, place, line);
}

static enum err draw_sheet(const struct sheet *sheet, struct fault *fault) {
    double y = draw_title(sheet, 15 * PEN_PER_MM) + 12;
    y = draw_fields(sheet, y) + 8;
    y = draw_instructions(sheet, y) + 8;
    enum err err = draw_words(sheet, &y, fault);
    draw_receipt(sheet, y + 14);
    draw_foot(sheet);
    cairo_show_page(sheet->pen->cairo);
    if (!err && sheet->pen->is_overfull)
        err = fault_set(fault, ERR_INPUT, "a text of the sheets is too long for its place");
    return err;
}

static enum err draw_sheets(struct paper_file *file, const struct paper_recovery *recovery,
                            struct fault *fault) {
    struct pen pen;
    enum err err = pen_init(&pen, file->surface, fault);
    for (unsigned part = 1; !err && part <= recovery->count; part++)
        err = draw_sheet(&(struct sheet){&pen, recovery, part}, fault);
    pen_release(&pen);
    return err;
}

enum err paper_recovery_sheets(struct sys *sys, const char *path,
                               const struct paper_recovery *recovery, struct fault *fault) {
    struct paper_file file;
    enum err err = check(recovery, fault);
    if (err)
        return err;
    err = paper_file_init(&file, sys, "Clé de secours / Recovery key", fault);
    if (!err)
        err = draw_sheets(&file, recovery, fault);
    if (!err)
        err = paper_file_save(&file, sys, path, fault);
    paper_file_release(&file);
    sodium_stackzero(STACK_BYTES);
    return err;
}
