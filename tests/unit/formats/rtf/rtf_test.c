/* rtf_test.c - the text of RTF: letters, what is left out, what is hostile, and every place where it may be cut. */
#include "formats/rtf/rtf.h"
#include "guard.h"
#include "tap.h"

static struct guard guard;
static char buffer[65536];
static struct rtf_report report;

static enum err read_rtf(struct bytes in, struct text *text) {
    struct fault fault = {0};
    text_init(text, buffer, sizeof buffer);
    return rtf_put_text(text, guard_copy(&guard, in), &report, &fault);
}

static void gives(const char *rtf, const char *wanted) {
    struct text text;
    is_int(read_rtf(bytes_from_string(rtf), &text), ERR_OK);
    is_string(text.data, wanted);
    ok(!report.is_cut);
}

static void test_text(void) {
    gives("{\\rtf1\\ansi\\deff0 Bonjour\\par\nMadame}", "Bonjour\nMadame");
    gives("{\\rtf1 a\\tab b\\line c\\par}", "a\tb\nc\n");
    gives("{\\rtf1\\ansi\\ansicpg1252 H\\'e9matologie \\'80 \\'9c}", "Hématologie € œ");
    gives("{\\rtf1 \\\\ \\{ \\} a\\~b\\_c opt\\-ion}", "\\ { } a b-c option");
    gives("{\\rtf1 dose\\emdash\\ldblquote 5\\rdblquote\\bullet}", "dose—“5”•");
    gives("{\\rtf1{\\b gras}{\\i  et} plat}", "gras et plat");
    gives("{\\rtf1\\trowd Na\\cell 140\\cell\\row K\\cell 4,1\\cell\\row}",
          "Na\t140\t\nK\t4,1\t\n");
}

static void test_unicode(void) {
    gives("{\\rtf1\\uc1 \\u233?t\\u233 \\'3f}", "été"); /* the space ends the word */
    gives("{\\rtf1\\uc0 \\u8364 5}", "€5");
    gives("{\\rtf1\\uc2\\u8364 ab5}", "€5");
    gives("{\\rtf1\\u-3844?}", "\xEF\x83\xBC"); /* below zero: 65536 is added */
    gives("{\\rtf1\\uc1\\u-10179?\\u-8704?}", "😀");
    gives("{\\rtf1\\uc1\\u-10179?x\\u-8704?}", "\xEF\xBF\xBDx\xEF\xBF\xBD");
    gives("{\\rtf1{\\uc0 \\u8364 5}\\u8364 ?5}", "€5€5"); /* \uc ends with its group */
    gives("{\\rtf1{\\upr{plain}{\\*\\ud{\\u233?}}}}", "plainé");
}

static void test_left_out(void) {
    gives("{\\rtf1{\\fonttbl{\\f0 Arial;}}{\\colortbl;\\red0;}{\\info{\\author X}}ok}", "ok");
    gives("{\\rtf1{\\*\\generator Word;}{\\*\\unknown{deep} text}ok}", "ok");
    gives("{\\rtf1{\\field{\\*\\fldinst HYPERLINK \"http://x\"}{\\fldrslt lien}}}", "lien");
    gives("{\\rtf1 a{\\v hidden}b\\v c\\v0 d{\\deleted struck}e}", "abde");
    gives("{\\rtf1{\\pict\\pngblip 89504e47}ok}", "ok");
    ok(report.has_pictures);
    gives("{\\rtf1{\\pict\\bin5 }}}}}}ok}", "ok"); /* five bytes that look like groups */
    gives("{\\rtf1 ok} what follows the document", "ok");
}

static void test_letters_unknown(void) {
    gives("{\\rtf1\\ansicpg1250 \\'b9\\u261 a a}", "\xEF\xBF\xBDą a");
    ok(report.has_unknown_letters);
    gives("{\\rtf1 a\x01\x1b"
          "b}",
          "a\xEF\xBF\xBD\xEF\xBF\xBD"
          "b");
    ok(!report.has_unknown_letters);
}

static void test_bad(void) {
    struct text text;
    is_int(read_rtf(BYTES(""), &text), ERR_INPUT);
    is_int(read_rtf(BYTES("%PDF-1.4"), &text), ERR_INPUT);
    is_int(read_rtf(BYTES("{\\rtf1 begun"), &text), ERR_OK);
    is_string(text.data, "begun");
    ok(report.is_cut);
    is_int(read_rtf(BYTES("{\\rtf1 a\\bin99999999999999999999 b}"), &text), ERR_OK);
    is_string(text.data, "a");
    ok(report.is_cut);
    gives("{\\rtf1 a\\u99999999999999999999?b\\uc-4 c}", "a\xEF\xBF\xBD"
                                                         "bc");
    gives("{\\rtf1 \\'zz}", "zz");
}

static void test_depth(void) {
    char deep[4000] = "{\\rtf1 top";
    struct text text;
    memset(deep + 10, '{', 3000);
    is_int(read_rtf(bytes_from(deep, 3010), &text), ERR_LIMIT);
    is_string(text.data, "top");
}

static void test_full(void) {
    struct fault fault = {0};
    struct text text;
    text_init(&text, buffer, 4);
    is_int(rtf_put_text(&text, BYTES("{\\rtf1 abcdef}"), &report, &fault), ERR_LIMIT);
    is_string(text.data, "abc");
}

/* Cut at every byte it gives a beginning of the whole, and says that it was cut. */
static void test_cut(void) {
    static const char whole[] =
        "{\\rtf1\\ansi{\\fonttbl{\\f0 A;}}\\uc1 \\u233?t\\'e9 {\\b gras}\\par fin}";
    unsigned wrong = 0;
    for (size_t size = 5; size + 1 < sizeof whole; size++) {
        struct text text;
        wrong += read_rtf(bytes_from(whole, size), &text) != ERR_OK || !report.is_cut ||
                 !bytes_is_utf8(text_bytes(&text), NULL);
    }
    is_int(wrong, 0);
}

int main(void) {
    guard_init(&guard, 65536);
    test_text();
    test_unicode();
    test_left_out();
    test_letters_unknown();
    test_bad();
    test_depth();
    test_full();
    test_cut();
    guard_release(&guard);
    return done();
}
