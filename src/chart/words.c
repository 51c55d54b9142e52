/* words.c - names as words to search by: without accents, in capitals. */
#include "chart/fold.h"

/* Latin letters with marks, from U+00C0 to U+017F, as plain capitals; "" is no letter. */
static const char *const folded_latin[] = {
    "A", "A", "A",  "A",  "A", "A", "AE", "C", "E", "E", "E", "E", "I", "I", "I",  "I",  /* C0 */
    "D", "N", "O",  "O",  "O", "O", "O",  "",  "O", "U", "U", "U", "U", "Y", "TH", "SS", /* D0 */
    "A", "A", "A",  "A",  "A", "A", "AE", "C", "E", "E", "E", "E", "I", "I", "I",  "I",  /* E0 */
    "D", "N", "O",  "O",  "O", "O", "O",  "",  "O", "U", "U", "U", "U", "Y", "TH", "Y",  /* F0 */
    "A", "A", "A",  "A",  "A", "A", "C",  "C", "C", "C", "C", "C", "C", "C", "D",  "D",  /* 100 */
    "D", "D", "E",  "E",  "E", "E", "E",  "E", "E", "E", "E", "E", "G", "G", "G",  "G",  /* 110 */
    "G", "G", "G",  "G",  "H", "H", "H",  "H", "I", "I", "I", "I", "I", "I", "I",  "I",  /* 120 */
    "I", "I", "IJ", "IJ", "J", "J", "K",  "K", "K", "L", "L", "L", "L", "L", "L",  "L",  /* 130 */
    "L", "L", "L",  "N",  "N", "N", "N",  "N", "N", "N", "N", "N", "O", "O", "O",  "O",  /* 140 */
    "O", "O", "OE", "OE", "R", "R", "R",  "R", "R", "R", "S", "S", "S", "S", "S",  "S",  /* 150 */
    "S", "S", "T",  "T",  "T", "T", "T",  "T", "U", "U", "U", "U", "U", "U", "U",  "U",  /* 160 */
    "U", "U", "U",  "U",  "W", "W", "Y",  "Y", "Y", "Z", "Z", "Z", "Z", "Z", "Z",  "S",  /* 170 */
};

/* The same of U+0180 to U+024F (Romanian, Croatian, African alphabets) and of U+1E00 to U+1EFF (Vietnamese, Welsh); a point: the
 * letter stays as it is. */
static const char folded_extended_b[] =
    "B.BB...CCDDDD....FFG...IKKL..NN.OO..PP.....TTTTUU.VYYZZ........."
    ".............AAIIOOUUUUUUUUUU.AAAA....GGKKOOOO..J...GG..NNAA...."
    "AAAAEEEEIIIIOOOORRRRUUUUSSTT..HH.D..ZZAAEEOOOOOOOOYY......ACCLT."
    "...BU.EEJJ..RRYY";
static const char folded_additional[] =
    "AABBBBBBCCDDDDDDDDDDEEEEEEEEEEFFGGHHHHHHHHHHIIIIKKKKKKLLLLLLLLMM"
    "MMMMNNNNNNNNOOOOOOOOPPPPRRRRRRRRSSSSSSSSSSTTTTTTTTUUUUUUUUUUVVVV"
    "WWWWWWWWWWXXXXYYZZZZZZHTWYAS..S.AAAAAAAAAAAAAAAAAAAAAAAAEEEEEEEE"
    "EEEEEEEEIIIIOOOOOOOOOOOOOOOOOOOOOOOOUUUUUUUUUUUUUUYYYYYYYY......";

static uint32_t code_point(struct bytes b, size_t size) {
    if (size == 1)
        return b.data[0];
    uint32_t code = size == 2 ? b.data[0] & 0x1F : size == 3 ? b.data[0] & 0x0F : b.data[0] & 0x07;
    for (size_t i = 1; i < size; i++)
        code = code << 6 | (b.data[i] & 0x3F);
    return code;
}

/* What one character adds to a word; NULL: it separates words. Letters of other scripts stay as they are. */
static bool fold_character(struct bytes b, size_t size, struct text *word) {
    uint32_t code = code_point(b, size);
    if (code < 0x80) {
        char c = (char)code;
        bool is_lower = c >= 'a' && c <= 'z';
        if (!is_lower && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
            return false;
        text_put_char(word, is_lower ? (char)(c - 32) : c);
        return true;
    }
    if (code >= 0xC0 && code <= 0x17F) {
        text_put_string(word, folded_latin[code - 0xC0]);
        return folded_latin[code - 0xC0][0] != 0;
    }
    char base = code >= 0x180 && code < 0x250     ? folded_extended_b[code - 0x180]
                : code >= 0x1E00 && code < 0x1F00 ? folded_additional[code - 0x1E00]
                                                  : '.';
    if (base != '.') {
        text_put_char(word, base);
        return true;
    }
    if (code >= 0x300 && code <= 0x36F)
        return true; /* a mark on the letter before */
    if (code < 0x180 || (code >= 0x2000 && code <= 0x206F) || code == 0x3000 || code == 0xFFFD)
        return false;
    text_put(word, bytes_first(b, size));
    return true;
}

static enum err give(struct text *word, word_take take, void *owner) {
    enum err err = word->size ? take(owner, text_bytes(word)) : ERR_OK;
    text_clear(word);
    return err;
}

enum err words_of(struct bytes text, bool with_joined, word_take take, void *owner) {
    char word_buffer[WORD_BYTES_MAX + 1], joined_buffer[WORD_BYTES_MAX + 1];
    struct text word, joined;
    unsigned count = 0;
    text_init(&word, word_buffer, sizeof word_buffer);
    text_init(&joined, joined_buffer, sizeof joined_buffer);
    while (!bytes_is_empty(text)) {
        size_t size = bytes_utf8_length(text);
        bool is_letter = size > 0 && fold_character(text, size, &word);
        if (is_letter) {
            fold_character(text, size, &joined);
        } else if (word.size) {
            count++;
            enum err err = give(&word, take, owner);
            if (err)
                return err;
        }
        text = bytes_skip(text, size ? size : 1);
    }
    count += word.size > 0;
    enum err err = give(&word, take, owner);
    if (!err && with_joined && count > 1)
        err = give(&joined, take, owner);
    return err;
}

/* ---- a name and a query ---- */

struct sought { /* a word of the query, and whether a word of the name begins with it */
    struct bytes name, word;
    bool is_found, has_all;
};

static enum err look_at(void *owner, struct bytes word) {
    struct sought *sought = owner;
    sought->is_found = sought->is_found || bytes_starts_with(word, sought->word);
    return ERR_OK;
}

static enum err look_for(void *owner, struct bytes word) {
    struct sought *sought = owner;
    struct sought one = {.word = word};
    enum err err = words_of(sought->name, true, look_at, &one);
    sought->has_all = sought->has_all && one.is_found;
    return err;
}

bool chart_name_has(struct bytes name, struct bytes query) {
    struct sought sought = {.name = name, .has_all = true};
    return !words_of(query, false, look_for, &sought) && sought.has_all;
}
