/* excerpt_test.c - what is left out of a message that is stated again, what stays byte for byte, and that both say the same.
 *
 * The messages of tests/cases/hl7 and the shared real messages, where they are ($VEILLEUSE_DATA/hl7v2), are cut for every set of parts. */
#include "case.h"
#include "tap.h"

#include <ftw.h>

#define RECEIVED_AT    (1795446000 * US_PER_S) /* 2026-11-23 15:00 */
#define FILE_BYTES_MAX ((size_t)8 << 20)
#define DUMP_BYTES     ((size_t)4 << 20)
#define PARTS_ALL      63u

static struct zone zone;
static struct guard guard;
static struct arena arena;
static const struct facts_context context = {.received_at = RECEIVED_AT, .zone = &zone, .otherwise = HL7_LATIN9};

static struct bytes excerpt_of(struct bytes body, unsigned parts) {
    struct bytes excerpt = BYTES_NONE;
    arena_clear(&arena);
    enum err err = facts_excerpt(body, parts, &context, &arena, &excerpt);
    is_int(err, ERR_OK);
    return excerpt;
}

static void is_excerpt(const char *body, unsigned parts, const char *wanted) {
    char got[4096];
    struct bytes excerpt = excerpt_of(guard_copy(&guard, bytes_from_string(body)), parts);
    snprintf(got, sizeof got, "%.*s", (int)excerpt.size, (const char *)excerpt.data);
    is_string(got, wanted);
}

#define MSH(type) "MSH|^~\\&|LABO|CHV|V|V|20261123100000+0100||" type "|1|P|2.5\r"
#define PID       "PID|1||4711^^^CHV^PI||DUPONT^Jeanne||19450714|F\r"
#define PV1       "PV1|1|I|CARD^1^A^CHV||||||||||||||||S1^^^CHV^VN\r"
#define OBR       "OBR|1||F1|K^Potassium^L|||20261123084000+0100\r"
#define OBX       "OBX|1|NM|K^Potassium^L||3.1|mmol/L|||||F\r"

static void test_cuts(void) {
    /* results go, and in a message of results whatever is not known to be of the patient */
    is_excerpt(MSH("ORU^R01") PID "NTE|1||a note\r" PV1 "ORC|RE\r" OBR OBX "ZLB|x\r", FACTS_PATIENT,
               MSH("ORU^R01") PID);
    is_excerpt(MSH("ORU^R01") PID PV1 OBR OBX, FACTS_PATIENT | FACTS_STAY, MSH("ORU^R01") PID PV1);
    /* in an event next of kin and insurance stay; the stay and the diagnoses only when they count */
    is_excerpt(MSH("ADT^A08") PID "NK1|1|DUPONT^Paul\r" PV1 "DG1|1||I10\rIN1|1|X\r" OBX,
               FACTS_PATIENT, MSH("ADT^A08") PID "NK1|1|DUPONT^Paul\rIN1|1|X\r");
    is_excerpt(MSH("ADT^A08") PID PV1 "DG1|1||I10\r" OBX, FACTS_DIAGNOSES | FACTS_STAY,
               MSH("ADT^A08") PID PV1 "DG1|1||I10\r");
    is_excerpt(MSH("MDM^T02") PID PV1 "TXA|1|CR|TX||||||||||D1\rOBX|1|TX|D1||secret||||||F\r",
               FACTS_PATIENT, MSH("MDM^T02") PID);
    /* line feeds between segments become what the standard wants; the second of two messages was never read */
    is_excerpt("MSH|^~\\&|A|B|||20261123||ORU^R01|1|P|2.5\n"
               "PID|1||4711\r\n" OBR OBX,
               FACTS_PATIENT, "MSH|^~\\&|A|B|||20261123||ORU^R01|1|P|2.5\rPID|1||4711\r");
    is_excerpt(MSH("ADT^A08") PID MSH("ADT^A08") "PID|1||9\r", FACTS_PATIENT, MSH("ADT^A08") PID);
    is_excerpt(MSH("ADT^A40") PID "MRG|4712^^^CHV^PI\r" PV1, FACTS_MERGES,
               MSH("ADT^A40") PID "MRG|4712^^^CHV^PI\r");
}

/* Nothing to leave out: the very bytes, and where they lie. */
static void test_whole(void) {
    struct bytes body =
        guard_copy(&guard, BYTES("\r\n" MSH("ADT^A01") PID PV1 "AL1|1|DA|X\nZZZ|1\r"));
    struct bytes excerpt = excerpt_of(body, FACTS_PATIENT | FACTS_STAY | FACTS_ALLERGIES);
    ok(excerpt.data == body.data && excerpt.size == body.size, "the body itself");
    body = guard_copy(&guard, BYTES("no message"));
    excerpt = excerpt_of(body, FACTS_PATIENT);
    ok(excerpt.data == body.data && excerpt.size == body.size, "what is none is left alone");
}

/* What is left out may say something about the rest: then nothing is left out. */
static void test_refuses(void) {
    static const char doubtful[] =
        MSH("ORU^R01") PID "OBR|1||F1|K|||20261123|||||||||||||||20270101\r" OBX;
    is_excerpt(doubtful, FACTS_PATIENT,
               doubtful); /* a date in the future makes all of it doubtful */
    static const char latin[] =
        "MSH|^~\\&|A|B|||20261123||ORU^R01|1|P|2.5\rPID|1||4711||DUPR\xC3\xA9^J\r"
        "OBR|1\rOBX|1|TX|A||\xE9||||||F\r";
    is_excerpt(latin, FACTS_PATIENT, latin); /* which characters they are is decided by all of it */
}

static void test_memory_that_ends(void) {
    static const char body[] = MSH("ORU^R01") PID PV1 OBR OBX;
    enum err err = ERR_LIMIT;
    unsigned limits = 0;
    for (size_t bytes_max = 0; err == ERR_LIMIT && bytes_max < (1 << 20); bytes_max += 16) {
        struct arena small;
        struct bytes excerpt;
        arena_init(&small, bytes_max);
        err = facts_excerpt(bytes_from_string(body), FACTS_PATIENT, &context, &small, &excerpt);
        limits += err == ERR_LIMIT;
        arena_release(&small);
    }
    is_int(err, ERR_OK);
    ok(limits > 10, "an arena that ends anywhere gives ERR_LIMIT");
}

/* ---- in slices ---- */

static enum err put_piece(void *owner, struct bytes piece) {
    text_put(owner, piece);
    return ERR_OK;
}

static struct bytes sieved(struct bytes body, unsigned parts, size_t cut_at, char *buffer,
                           size_t buffer_bytes, bool *is_whole) {
    struct facts_sieve sieve;
    struct text out;
    text_init(&out, buffer, buffer_bytes);
    *is_whole = false;
    if (!facts_sieve_init(&sieve, body, parts, put_piece, &out))
        return BYTES_NONE;
    enum err err = facts_sieve_feed(&sieve, bytes_first(body, cut_at));
    if (!err)
        err = facts_sieve_feed(&sieve, bytes_skip(body, cut_at));
    if (!err)
        err = facts_sieve_end(&sieve);
    is_int(err, ERR_OK);
    *is_whole = sieve.is_whole;
    return text_bytes(&out);
}

/* Cut at every byte it is what it is in one. */
static void test_slices(void) {
    static const char *const bodies[] = {
        MSH("ORU^R01") PID "NTE|1||a note\r" PV1 "ORC|RE\r" OBR OBX "ZLB|x\r",
        "\r\n "
        "\tMSH|^~\\&|A|B|||20261123||ADT^A08|1|P|2.5\r\n\r\nPID|1||4711\nNK1\nZ|1\n\nOBX|1\nLONGER "
        "NAME|1",
        "\xEF\xBB\xBFMSH|^~\\&|A|B|||20261123||ADT^A08|1|P|2.5\rPID|1||9\rPV1\rMSH|^~\\&|A\rPID|"
        "2\r",
        "MSH#^~\\&#A#B###20261123##ADT^A08#1#P#2.5\rPID#1##9\rDG1|1\rOBX#1\rDG1#2\rMSH",
    };
    static const char *const wanted[] = {
        MSH("ORU^R01") PID,
        "MSH|^~\\&|A|B|||20261123||ADT^A08|1|P|2.5\rPID|1||4711\rNK1\rZ|1\rLONGER NAME|1\r",
        "MSH|^~\\&|A|B|||20261123||ADT^A08|1|P|2.5\rPID|1||9\r",
        "MSH#^~\\&#A#B###20261123##ADT^A08#1#P#2.5\rPID#1##9\rDG1|1\r",
    };
    char buffer[4096];
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct bytes body = guard_copy(&guard, bytes_from_string(bodies[i])), got;
        size_t differing = 0;
        bool is_whole;
        got = sieved(body, FACTS_PATIENT, body.size, buffer, sizeof buffer, &is_whole);
        is_string(buffer, wanted[i]);
        ok(!is_whole, "something was left out");
        for (size_t at = 0; at <= body.size; at++) {
            got = sieved(body, FACTS_PATIENT, at, buffer, sizeof buffer, &is_whole);
            differing += !bytes_is(got, wanted[i]) || is_whole;
        }
        is_int(differing, 0);
    }
    bool is_whole;
    struct bytes got =
        sieved(BYTES(MSH("ADT^A01") PID), FACTS_PATIENT, 9, buffer, sizeof buffer, &is_whole);
    ok(is_whole && bytes_is(got, MSH("ADT^A01") PID), "nothing is left out");
    struct facts_sieve sieve;
    ok(!facts_sieve_init(&sieve, BYTES("no message"), FACTS_PATIENT, put_piece, NULL), "none");
    ok(!facts_sieve_init(&sieve, BYTES("MSH|^~\\&|A|B|||20261123||OR"), FACTS_PATIENT, put_piece,
                         NULL),
       "a header that goes on beyond what is there");
}

static enum err refuse_piece(void *owner, struct bytes piece) {
    unsigned *left = owner;
    (void)piece;
    return (*left)-- == 0 ? ERR_FULL : ERR_OK;
}

static void test_error_of_take(void) {
    static const char body[] = MSH("ADT^A01") PID OBX "NK1|1\r";
    for (unsigned nth = 0;; nth++) {
        struct facts_sieve sieve;
        unsigned left = nth;
        ok(facts_sieve_init(&sieve, bytes_from_string(body), FACTS_PATIENT, refuse_piece, &left),
           "begun");
        enum err err = facts_sieve_feed(&sieve, bytes_from_string(body));
        if (!err) {
            ok(nth > 5, "an error of whoever takes is handed back, whichever piece it was");
            break;
        }
        is_int(err, ERR_FULL);
    }
}

/* ---- thinned ---- */

static void thin_of(struct hl7_thin *thin, size_t room, struct bytes body) {
    hl7_thin_init(thin, arena_alloc(&arena, room), room, 64);
    (void)hl7_thin_feed(thin, body);
}

static bool thinned_say_the_same(const char *whole, const char *part, unsigned parts, size_t room) {
    struct hl7_thin of_whole, of_part;
    bool is_same = false;
    arena_clear(&arena);
    thin_of(&of_whole, room, bytes_from_string(whole));
    thin_of(&of_part, 4096, bytes_from_string(part));
    is_int(facts_say_the_same(&of_whole, &of_part, parts, &context, &arena, &is_same), ERR_OK);
    return is_same;
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"
static void test_thinned(void) {
    static const char whole[] = MSH("ADT^A08") PID "OBX|1|ED|P||" LONG LONG "\rNK1|1|" LONG "\r";
    ok(thinned_say_the_same(whole, MSH("ADT^A08") PID "NK1|1|" LONG "\r", FACTS_PATIENT, 4096),
       "a long result is left out");
    ok(!thinned_say_the_same(whole, MSH("ADT^A08") "PID|1||4711^^^CHV^PI||DUPONT^Jean\r",
                             FACTS_PATIENT, 4096),
       "another name is noticed");
    static const char late[] =
        MSH("ADT^A08") PID "OBX|1|TX|P||" LONG "\rAL1|1|DA|LATEX^Latex^L|SV|Choc\r";
    static const char part[] = MSH("ADT^A08") PID "AL1|1|DA|LATEX^Latex^L|SV|Choc\r";
    ok(thinned_say_the_same(late, part, FACTS_ALLERGIES, 4096), "what stands behind it is read");
    ok(!thinned_say_the_same(late, part, FACTS_ALLERGIES, 160),
       "where the whole was read in part only, more must not be said than was read");
}

/* ---- real messages ---- */

static char *file_bytes, *dumped, *dumped_excerpt;
static unsigned messages, shorter, differing, wrong;

static void keep_parts(struct facts *facts, unsigned parts) {
    size_t kept = 0;
    for (size_t i = 0; i < facts->count; i++)
        if (facts_part_of(facts->list[i].kind) & parts)
            facts->list[kept++] = facts->list[i];
    facts->count = kept;
    facts->warning_count = 0;
    facts->aside = NULL;
    facts->is_ambiguous = facts->is_charset_mismatch = false;
    if (!(parts & FACTS_STAY))
        facts->visit = (struct fact_identifier){0};
}

/* The facts of these parts, of all patients of the message, and what orders them. */
static void dump_parts(char *to, struct bytes body, unsigned parts) {
    struct facts facts;
    struct text out;
    text_init(&out, to, DUMP_BYTES);
    if (facts_from_hl7(body, &context, &arena, &facts))
        return;
    for (struct facts *each = &facts; each; each = each->next)
        keep_parts(each, parts);
    dump_facts(&out, &facts, BYTES_NONE);
}

static void cut_one(struct bytes message) {
    struct bytes body = guard_copy(&guard, message), excerpt;
    messages++;
    for (unsigned parts = 0; parts <= PARTS_ALL; parts++) {
        arena_clear(&arena);
        if (facts_excerpt(body, parts, &context, &arena, &excerpt)) {
            wrong++;
            continue;
        }
        shorter += excerpt.size < body.size;
        wrong += excerpt.size > body.size || (parts == FACTS_PATIENT && excerpt.size < body.size &&
                                              memmem(excerpt.data, excerpt.size, "\rOBX", 4));
        dump_parts(dumped, body, parts);
        dump_parts(dumped_excerpt, excerpt, parts);
        differing += strcmp(dumped, dumped_excerpt) != 0;
    }
}

static int take_file(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    size_t at = 0;
    struct bytes message;
    (void)walk;
    if (kind != FTW_F || (size_t)status->st_size > FILE_BYTES_MAX)
        return 0;
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(file_bytes, 1, FILE_BYTES_MAX, file) : 0;
    if (file)
        fclose(file);
    while (hl7_batch_next(bytes_from(file_bytes, size), &at, &message))
        cut_one(message);
    return 0;
}

/* What stands between "--- message" and "--- facts" of each case; its bytes written as <E9> do not matter here. */
static void take_cases(void) {
    struct dirent **entries;
    int count = scandir(CASES, &entries, is_case, alphasort);
    static struct test_case the_case;
    for (int i = 0; i < count; i++) {
        char path[512];
        size_t size;
        snprintf(path, sizeof path, CASES "/%s", entries[i]->d_name);
        if (read_file(path, file_bytes, CASE_BYTES_MAX, &size)) {
            read_case(&the_case, bytes_from(file_bytes, size));
            cut_one(bytes_from(the_case.message, the_case.message_bytes));
        }
        free(entries[i]);
    }
    ok(count > 200, "there are cases");
    if (count >= 0)
        free(entries);
}

static void test_real_messages(void) {
    const char *data = getenv("VEILLEUSE_DATA"), *root = data ? data : "../shared/data";
    char path[4096];
    file_bytes = malloc(FILE_BYTES_MAX);
    dumped = malloc(DUMP_BYTES);
    dumped_excerpt = malloc(DUMP_BYTES);
    snprintf(path, sizeof path, "%s/hl7v2", root);
    take_cases();
    is_int(wrong, 0);
    is_int(differing, 0);
    messages = shorter = 0;
    nftw(path, take_file, 16, FTW_PHYS);
    if (messages == 0)
        printf("# SKIPPED LOUDLY: the shared real messages are not here (set VEILLEUSE_DATA)\n");
    printf("# %u messages, each with %u sets of parts; %u excerpts are shorter\n", messages,
           PARTS_ALL + 1, shorter);
    is_int(wrong, 0);
    is_int(differing, 0);
    ok(messages == 0 || shorter > messages, "most are cut");
    free(file_bytes);
    free(dumped);
    free(dumped_excerpt);
}

static void test_parts(void) {
    is_int(facts_part_of(FACT_PATIENT) | facts_part_of(FACT_IDENTIFIER), FACTS_PATIENT);
    is_int(facts_part_of(FACT_MOVEMENT) | facts_part_of(FACT_CANCEL) | facts_part_of(FACT_VISIT),
           FACTS_STAY);
    is_int(facts_part_of(FACT_MERGE), FACTS_MERGES);
    is_int(facts_part_of(FACT_ALLERGY), FACTS_ALLERGIES);
    is_int(facts_part_of(FACT_DIAGNOSIS), FACTS_DIAGNOSES);
    is_int(facts_part_of(FACT_REPORT) | facts_part_of(FACT_DOCUMENT), 0);
}

int main(void) {
    ok(!zone_init(&zone, "Europe/Paris", NULL), "the zone is known");
    guard_init(&guard, FILE_BYTES_MAX);
    arena_init(&arena, (size_t)64 << 20);
    test_parts();
    test_cuts();
    test_whole();
    test_refuses();
    test_memory_that_ends();
    test_slices();
    test_error_of_take();
    test_thinned();
    test_real_messages();
    arena_release(&arena);
    guard_release(&guard);
    return done();
}
