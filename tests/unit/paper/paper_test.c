/* paper_test.c - the sheets of a recovery key: whole or not at all, readable by people and by scanners.
 *
 * What stands on the pages is read back with poppler's pdftotext and pdftoppm and with zbarimg, where they are. */
#include "formats/slip39/slip39.h"
#include "paper/paper.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECIPIENT "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

extern char **environ;

/* Under AddressSanitizer: fontconfig keeps one pattern for the process and lets go of its address. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig\n";
}
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) {
    return "print_suppressions=0";
}

static char dir[] = "/tmp/veilleuse-paper-XXXXXX";
static struct slip39_share shares[PAPER_SHEET_COUNT_MAX];
static char texts[PAPER_SHEET_COUNT_MAX][SLIP39_TEXT_BYTES_MAX];
static struct bytes words[PAPER_SHEET_COUNT_MAX];
static uint8_t file_bytes[PAPER_FILE_BYTES_MAX], first_bytes[PAPER_FILE_BYTES_MAX];

static const char *path_of(const char *name) {
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", dir, name);
    return path;
}

static struct paper_recovery make_recovery(unsigned threshold, unsigned count) {
    uint8_t secret[32];
    struct slip39_options options = {.threshold = threshold, .count = count};
    struct text text;
    randombytes_buf(secret, sizeof secret);
    is_int(slip39_split(bytes_from(secret, 32), &options, randombytes_buf, shares), ERR_OK);
    for (unsigned i = 0; i < count; i++) {
        text_init(&text, texts[i], sizeof texts[i]);
        slip39_put_share(&text, &shares[i]);
        words[i] = text_bytes(&text);
    }
    return (struct paper_recovery){
        .site_name = "Centre hospitalier de la Côte d’Argent",
        .origin = "chca.example/veilleuse/node1",
        .created = "2025-07-21",
        .recipient = RECIPIENT,
        .identifier = shares[0].identifier,
        .threshold = threshold,
        .count = count,
        .words = words,
    };
}

static struct bytes read_file(const char *path) {
    size_t size = 0;
    enum err err = sys_read_file(NULL, path, file_bytes, sizeof file_bytes, &size, NULL);
    return err ? BYTES_NONE : bytes_from(file_bytes, size);
}

static bool is_there(const char *path) {
    return access(path, F_OK) == 0;
}

/* Run a program with its output into `out`; its exit code, 127 when it is not installed. */
static int run(const char *out, const char *const arguments[]) {
    char text[16][PATH_MAX], *copies[17];
    pid_t pid;
    int status = 0, count = 0;
    posix_spawn_file_actions_t actions;
    for (; arguments[count]; count++) {
        snprintf(text[count], sizeof text[count], "%s", arguments[count]);
        copies[count] = text[count];
    }
    copies[count] = NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int result = posix_spawnp(&pid, copies[0], &actions, NULL, copies, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (result)
        return 127;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool has_program(const char *name, const char *option) {
    const char *const arguments[] = {name, option, NULL};
    return run("/dev/null", arguments) != 127;
}

static void skip(const char *what) {
    printf("ok %d - %s # SKIP LOUDLY: not installed, the sheets were not looked at with it\n",
           ++tap_count, what);
}

/* ---- the file ---- */

static void test_file(void) {
    struct stat stat;
    struct fault fault = {0};
    struct paper_recovery recovery = make_recovery(3, 5);
    const char *path = path_of("sheets.pdf");
    umask(0);
    is_int(paper_recovery_sheets(NULL, path, &recovery, &fault), ERR_OK);
    is_int(sys_stat(NULL, path, &stat), 0);
    is_int(stat.st_mode & 07777, 0600);
    struct bytes file = read_file(path);
    ok(bytes_starts_with(file, BYTES("%PDF-")) &&
           bytes_is(bytes_trim(bytes_skip(file, file.size - 6)), "%%EOF"),
       "a PDF, with its end");
    printf("# %zu bytes for 5 sheets\n", file.size);
}

static void test_most_sheets(void) {
    struct fault fault = {0};
    struct paper_recovery recovery = make_recovery(16, 16);
    const char *path = path_of("sheets.pdf");
    is_int(paper_recovery_sheets(NULL, path, &recovery, &fault), ERR_OK);
    printf("# %zu bytes for 16 sheets\n", read_file(path).size);
    recovery = make_recovery(1, 1);
    is_int(paper_recovery_sheets(NULL, path, &recovery, &fault), ERR_OK);
}

/* Every system call fails in turn: the old file stands, or the new one, each whole, and nothing beside it. */
static void test_failing(void) {
    struct paper_recovery recovery = make_recovery(2, 2);
    const char *path = path_of("failing.pdf"), *beside = path_of("failing.pdf.new");
    unsigned failed = 0, wrong = 0;
    struct sys sys;
    sys_init(&sys);
    sys.has_false_clock = true;
    is_int(paper_recovery_sheets(&sys, path, &recovery, NULL), ERR_OK);
    struct bytes file = read_file(path);
    size_t first_size = file.size;
    memcpy(first_bytes, file.data, file.size);
    for (uint64_t n = 0; n < 100; n++) {
        struct fault fault = {0};
        is_int(sys_replace_file(NULL, path, BYTES("old"), 0600, NULL), ERR_OK);
        sys_init(&sys);
        sys.has_false_clock = true;
        sys.fail_at = n;
        sys.fail_errno = ENOSPC;
        enum err err = paper_recovery_sheets(&sys, path, &recovery, &fault);
        file = read_file(path);
        bool is_new = bytes_equal(file, bytes_from(first_bytes, first_size));
        wrong += is_there(beside) || !(is_new || (err && bytes_is(file, "old")));
        wrong += err && err != ERR_FULL;
        failed += err != ERR_OK;
        if (sys.call_count <= n)
            break;
    }
    is_int(wrong, 0);
    ok(failed >= 4, "opening, writing, syncing and renaming failed");
    is_int(paper_recovery_sheets(NULL, path_of("none/sheets.pdf"), &recovery, NULL), ERR_NOT_FOUND);
}

/* ---- what is refused ---- */

static void is_refused(const struct paper_recovery *recovery) {
    const char *path = path_of("refused.pdf");
    struct fault fault = {0};
    is_int(paper_recovery_sheets(NULL, path, recovery, &fault), ERR_INPUT);
    ok(fault.code == ERR_INPUT && fault.what && !is_there(path), "with a reason, without a file");
}

static void test_refused_texts(void) {
    static char long_name[400];
    struct paper_recovery recovery = make_recovery(2, 3), changed = recovery;
    memset(long_name, 'W', sizeof long_name - 1);
    changed.site_name = "";
    is_refused(&changed);
    changed.site_name = NULL;
    is_refused(&changed);
    changed.site_name = "H\xf4pital"; /* Latin-1 */
    is_refused(&changed);
    changed.site_name = long_name;
    is_refused(&changed);
    changed = recovery;
    changed.created = "2025-07-21\n";
    is_refused(&changed);
    changed = recovery;
    changed.origin = NULL;
    is_refused(&changed);
    changed = recovery;
    changed.recipient = "";
    is_refused(&changed);
}

static void test_refused_words(void) {
    struct paper_recovery recovery = make_recovery(2, 3), changed = recovery;
    struct bytes good = words[2];
    changed.threshold = 4;
    is_refused(&changed);
    changed.threshold = 0;
    is_refused(&changed);
    changed.threshold = changed.count = 17;
    is_refused(&changed);
    words[2] = BYTES("acid acid");
    is_refused(&recovery);
    words[2] = BYTES_NONE;
    is_refused(&recovery);
    words[2] = bytes_first(good, good.size - 1);
    texts[2][0] = 'A';
    is_refused(&recovery);
    texts[2][0] = ' ';
    is_refused(&recovery);
}

/* Where DejaVu is absent another font would be taken; the sheets say so instead. */
static void test_no_font(void) {
    struct paper_recovery recovery = make_recovery(2, 3);
    const char *configuration = path_of("fonts.conf");
    int status = 0;
    is_int(sys_replace_file(NULL, configuration, BYTES("<fontconfig></fontconfig>\n"), 0600, NULL),
           ERR_OK);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("FONTCONFIG_FILE", configuration, 1);
        _exit(paper_recovery_sheets(NULL, path_of("refused.pdf"), &recovery, NULL) ==
                      ERR_UNSUPPORTED
                  ? 0
                  : 1);
    }
    waitpid(pid, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0 && !is_there(path_of("refused.pdf")),
       "without the fonts there are no sheets");
}

static void test_fingerprint(void) {
    char line[64];
    struct text text;
    text_init(&text, line, sizeof line);
    paper_put_fingerprint(&text, RECIPIENT); /* by sha256sum */
    is_string(line, "cf7e 5682 3131 5068 5bf1 6e42 c4ea 48e1");
}

/* ---- what stands on the pages ---- */

static bool page_says(struct bytes page, const char *what) {
    return memmem(page.data, page.size, what, strlen(what)) != NULL;
}

/* Does each word stand behind its number? */
static bool page_has_words(struct bytes page, struct bytes all) {
    struct bytes word;
    for (unsigned n = 1; bytes_next_part(&all, ' ', &word); n++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u %.*s\n", n, (int)word.size, (const char *)word.data);
        if (!page_says(page, wanted))
            return false;
    }
    return true;
}

/* The words of a page as pdftotext finds them, with one space between and a line end behind each. */
static struct bytes one_a_line(struct bytes page) {
    size_t size = 0;
    for (size_t i = 0; i < page.size; i++) {
        uint8_t c = page.data[i];
        bool follows_number = size && file_bytes[size - 1] >= '0' && file_bytes[size - 1] <= '9';
        if (c != ' ' && c != '\n')
            file_bytes[size++] = c;
        else if (size && file_bytes[size - 1] != ' ' && file_bytes[size - 1] != '\n')
            file_bytes[size++] = follows_number ? ' ' : '\n';
    }
    return bytes_from(file_bytes, size);
}

static void check_text(const char *path, unsigned part, unsigned count) {
    char number[8], title[64], english[64], foot[16], set[16];
    const char *out = path_of("page.txt");
    snprintf(number, sizeof number, "%u", part);
    snprintf(title, sizeof title, "Clé de secours — part %u sur %u", part, count);
    snprintf(english, sizeof english, "Recovery key — part %u of %u", part, count);
    snprintf(foot, sizeof foot, "%u / %u", part, count);
    snprintf(set, sizeof set, "%05u", shares[0].identifier);
    const char *const arguments[] = {"pdftotext", "-layout", "-f", number, "-l",
                                     number,      path,      out,  NULL};
    is_int(run("/dev/null", arguments), 0);
    struct bytes page = read_file(out);
    const char *const wanted[] = {title,
                                  english,
                                  foot,
                                  set,
                                  RECIPIENT,
                                  "Côte d’Argent",
                                  "cf7e 5682 3131 5068 5bf1 6e42 c4ea 48e1",
                                  count > 1 ? "avec moins, on" : "qui suffit"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!ok(page_says(page, wanted[i]), "a page says which part of what it is"))
            printf("# not there: %s\n", wanted[i]);
    ok(page_has_words(one_a_line(page), words[part - 1]), "its words stand behind their numbers");
}

/* The code, decoded, is the share. */
static void check_code(const char *path, unsigned part) {
    char number[8];
    struct slip39_share share;
    struct slip39_verdict verdict;
    const char *image = path_of("page.png"), *prefix = path_of("page"), *out = path_of("code.txt");
    snprintf(number, sizeof number, "%u", part);
    const char *const draw[] = {"pdftoppm", "-r",   "100",         "-gray", "-png", "-f", number,
                                "-l",       number, "-singlefile", path,    prefix, NULL};
    const char *const decode[] = {"zbarimg", "-q", "--raw", "--nodbus", image, NULL};
    is_int(run("/dev/null", draw), 0);
    is_int(run(out, decode), 0);
    struct bytes text = bytes_trim(read_file(out));
    is_int(slip39_read_share(text, &share, &verdict), ERR_OK);
    bool is_capital = text.size == words[part - 1].size;
    for (size_t i = 0; is_capital && i < text.size; i++)
        is_capital = text.data[i] == (words[part - 1].data[i] & ~0x20) || text.data[i] == ' ';
    ok(is_capital && share.member_index == part - 1 &&
           !memcmp(share.value, shares[part - 1].value, sizeof share.value),
       "the code of a page is its share, in capitals");
}

static void check_pages(unsigned threshold, unsigned count) {
    const char *path = path_of("pages.pdf");
    struct paper_recovery recovery = make_recovery(threshold, count);
    is_int(paper_recovery_sheets(NULL, path, &recovery, NULL), ERR_OK);
    bool has_poppler = has_program("pdftotext", "-v"), has_zbar = has_program("zbarimg", "-h");
    if (!has_poppler)
        skip("pdftotext");
    if (!has_poppler || !has_zbar)
        skip("zbarimg");
    for (unsigned part = 1; part <= count; part++) {
        char kept[PATH_MAX];
        snprintf(kept, sizeof kept, "%s", path_of("pages.pdf"));
        if (has_poppler)
            check_text(kept, part, count);
        if (has_poppler && has_zbar)
            check_code(kept, part);
    }
}

int main(void) {
    if (sodium_init() < 0)
        skip_all("libsodium does not start");
    ok(mkdtemp(dir) != NULL, "a directory");
    test_no_font(); /* before fontconfig has read its own configuration */
    test_file();
    test_most_sheets();
    test_failing();
    test_refused_texts();
    test_refused_words();
    test_fingerprint();
    check_pages(3, 5);
    check_pages(1, 1);
    const char *const sweep[] = {"rm", "-r", dir, NULL};
    is_int(run("/dev/null", sweep), 0);
    return done();
}
