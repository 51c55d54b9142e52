/* slip39_test.c - split, written, read as people type, combined; and everything that people get wrong. */
#include "guard.h"
#include "slip39_site.h"
#include "tap.h"

#include <sodium.h>

/* What the reference implementation (shamir-mnemonic 0.3.0) writes of the same secret with the same random bytes,
 * iteration exponent 0, no passphrase. */
static const char *const reference_3_of_5[5] = {
    "budget pecan academic acne actress shaft cover royal index mild evoke exchange pharmacy force "
    "human strike steady "
    "chew mixed grocery ancient twice random venture dress racism stick laundry hour knife payment "
    "filter mouse",
    "budget pecan academic agree already tenant class jacket paid adult float answer either "
    "ambition museum coal "
    "reaction oasis squeeze ancient overall sister purchase wisdom envelope triumph mouse paper "
    "shadow shame earth "
    "advocate security",
    "budget pecan academic amazing aunt judicial snake hush fake antenna body busy negative "
    "brother medal equation "
    "romp plot priority verdict center deploy resident famous best grasp impact calcium purchase "
    "crazy velvet lungs "
    "dramatic",
    "budget pecan academic arcade ambition facility subject shadow reward numerous adorn force "
    "laundry evening involve "
    "reaction problem behavior trial package race biology response frost grownup divorce earth "
    "safari black paid "
    "humidity tactics hour",
    "budget pecan academic axle advance diminish forbid behavior research bolt crucial dwarf "
    "kitchen ancestor mule "
    "decrease briefing alive alarm beard elder numerous plastic flavor heat cubic flavor sugar "
    "midst declare luxury "
    "elite merit"};
static const char *const reference_1_of_1 =
    "budget pecan academic academic antenna spelling staff award fragment away agree building "
    "airport bucket shrimp "
    "blue jump prayer being brother soul window lair argue arena wine sniff extra artist surface "
    "short finance grownup";

static struct slip39_share set[SLIP39_SHARE_COUNT_MAX];

static void split(unsigned threshold, unsigned count, size_t size) {
    struct slip39_options options = {.threshold = threshold, .count = count};
    site_random_at = 0;
    is_int(slip39_split(site_secret(size), &options, site_random, set), ERR_OK);
}

static void test_reference(void) {
    char buffer[SLIP39_TEXT_BYTES_MAX];
    split(3, 5, 32);
    for (unsigned i = 0; i < 5; i++) {
        site_text(&set[i], buffer);
        is_string(buffer, reference_3_of_5[i]);
    }
    split(1, 1, 32);
    site_text(&set[0], buffer);
    is_string(buffer, reference_1_of_1);
}

/* Do these of the set give the secret back? */
static enum err combine(unsigned members, size_t size, struct slip39_verdict *verdict) {
    struct slip39_share some[SLIP39_SHARE_COUNT_MAX];
    uint8_t secret[SLIP39_SECRET_BYTES_MAX];
    static const uint8_t nothing[SLIP39_SECRET_BYTES_MAX];
    size_t count = 0, got;
    for (unsigned i = 0; i < SLIP39_SHARE_COUNT_MAX; i++)
        if (members >> i & 1)
            some[count++] = set[i];
    memset(secret, 'x', sizeof secret);
    enum err err = slip39_combine(some, count, BYTES_NONE, secret, &got, verdict);
    if (!err && (got != size || memcmp(secret, site_secret(size).data, size) != 0))
        return ERR_CORRUPT;
    if (err && (got != 0 || memcmp(secret, nothing, sizeof secret) != 0))
        return ERR_CORRUPT; /* something came out after all */
    return err;
}

static unsigned ones(unsigned members) {
    unsigned count = 0;
    for (; members; members &= members - 1)
        count++;
    return count;
}

/* 3 of 5: every subset of three gives the secret, as do larger ones; every smaller one gives nothing. */
static void test_subsets(void) {
    struct slip39_verdict verdict;
    unsigned whole = 0, refused = 0;
    split(3, 5, 32);
    for (unsigned members = 0; members < 32; members++) {
        enum err err = combine(members, 32, &verdict);
        if (ones(members) >= 3)
            whole += err == ERR_OK && verdict.problem == SLIP39_FINE;
        else
            refused += err == ERR_MORE && verdict.problem == SLIP39_TOO_FEW &&
                       (members == 0 || verdict.at == 3 - ones(members));
    }
    is_int(whole, 10 + 5 + 1);
    is_int(refused, 1 + 5 + 10);
}

/* Threshold - 1 shares that claim to be enough are none: the digest does not hold. */
static void test_false_threshold(void) {
    struct slip39_verdict verdict;
    unsigned refused = 0;
    split(3, 5, 32);
    for (unsigned i = 0; i < 5; i++)
        set[i].member_threshold = 2;
    for (unsigned members = 0; members < 32; members++)
        if (ones(members) == 2)
            refused +=
                combine(members, 32, &verdict) == ERR_CRYPTO && verdict.problem == SLIP39_DIGEST;
    is_int(refused, 10);
}

static void test_every_size(void) {
    struct slip39_verdict verdict;
    struct slip39_share again;
    char buffer[SLIP39_TEXT_BYTES_MAX];
    unsigned wrong = 0;
    for (unsigned count = 1; count <= SLIP39_SHARE_COUNT_MAX; count++)
        for (unsigned threshold = count == 1 ? 1 : 2; threshold <= count; threshold++) {
            size_t size = 16 + (count * 2 + threshold * 6) % 18;
            split(threshold, count, size);
            unsigned last = ((1u << threshold) - 1) << (count - threshold);
            wrong += combine(last, size, &verdict) != ERR_OK;
            wrong += threshold > 1 && combine(last & (last - 1), size, &verdict) != ERR_MORE;
            for (unsigned i = 0; i < count; i++)
                wrong += slip39_read_share(site_text(&set[i], buffer), &again, &verdict) ||
                         !site_is_same(&again, &set[i]);
        }
    is_int(wrong, 0);
}

static void test_exponent_and_passphrase(void) {
    struct slip39_options options = {
        .threshold = 2, .count = 2, .iteration_exponent = 2, .passphrase = BYTES("lampe")};
    struct slip39_verdict verdict;
    uint8_t secret[SLIP39_SECRET_BYTES_MAX];
    size_t size;
    is_int(slip39_split(site_secret(32), &options, site_random, set), ERR_OK);
    is_int(set[0].iteration_exponent, 2);
    is_int(slip39_combine(set, 2, options.passphrase, secret, &size, &verdict), ERR_OK);
    ok(size == 32 && !memcmp(secret, site_secret(32).data, 32), "with its passphrase");
    is_int(slip39_combine(set, 2, BYTES_NONE, secret, &size, &verdict), ERR_OK);
    ok(memcmp(secret, site_secret(32).data, 32) != 0, "without it, another secret");
    /* A set without the flag is salted with its identifier. */
    for (unsigned i = 0; i < 2; i++)
        set[i].is_extendable = false;
    is_int(slip39_combine(set, 2, options.passphrase, secret, &size, &verdict), ERR_OK);
    ok(memcmp(secret, site_secret(32).data, 32) != 0, "the flag changes the key");
}

static void test_refused_options(void) {
    static const struct slip39_options impossible[] = {
        {.threshold = 0, .count = 1},
        {.threshold = 3, .count = 2},
        {.threshold = 2, .count = 17},
        {.threshold = 1, .count = 2}, /* the standard: one share, to be copied */
        {.threshold = 0, .count = 0},
        {.threshold = 2, .count = 3, .iteration_exponent = 16},
    };
    struct slip39_options good = {.threshold = 2, .count = 3};
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++)
        is_int(slip39_split(site_secret(32), &impossible[i], site_random, set), ERR_INPUT);
    is_int(slip39_split(site_secret(14), &good, site_random, set), ERR_INPUT);
    is_int(slip39_split(site_secret(17), &good, site_random, set), ERR_INPUT);
    is_int(
        slip39_split(bytes_from("0123456789012345678901234567890123", 34), &good, site_random, set),
        ERR_INPUT);
}

/* Put `word` in the place of the words' n-th. */
static struct bytes with_word(const char *words, unsigned n, const char *word, char *buffer,
                              size_t buffer_bytes) {
    struct bytes rest = bytes_from_string(words), part;
    struct text text;
    text_init(&text, buffer, buffer_bytes);
    for (unsigned i = 0; bytes_next_part(&rest, ' ', &part); i++) {
        if (i)
            text_put_char(&text, ' ');
        text_put(&text, i == n ? bytes_from_string(word) : part);
    }
    return text_bytes(&text);
}

/* Each word mistyped in turn: as no word, it is named; as another word of the list, it is found by the checksum. */
static void test_mistyped(void) {
    static const char *const others[] = {"academic", "zero", "mouse", "acid", "leaf"};
    struct slip39_share share;
    struct slip39_verdict verdict;
    char buffer[SLIP39_TEXT_BYTES_MAX];
    unsigned named = 0, found = 0, tried = 0;
    for (unsigned n = 0; n < 33; n++) {
        enum err err = slip39_read_share(
            with_word(reference_3_of_5[0], n, "lampe", buffer, sizeof buffer), &share, &verdict);
        named += err == ERR_INPUT && verdict.problem == SLIP39_NO_WORD && verdict.at == n + 1;
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            struct bytes text = with_word(reference_3_of_5[0], n, others[k], buffer, sizeof buffer);
            if (bytes_is(text, reference_3_of_5[0]))
                continue;
            tried++;
            err = slip39_read_share(text, &share, &verdict);
            found += err == ERR_INPUT && verdict.problem == SLIP39_CHECKSUM && verdict.at == n + 1;
        }
    }
    is_int(named, 33);
    is_int(found, tried);
    ok(tried > 33 * 4, "other words were tried at every place");
}

/* Two wrong words, neighbours exchanged, a word left out, a word twice: none is taken. */
static void test_mistyped_more(void) {
    struct slip39_share share;
    struct slip39_verdict verdict;
    char once[SLIP39_TEXT_BYTES_MAX], twice[SLIP39_TEXT_BYTES_MAX + 16];
    unsigned taken = 0;
    for (unsigned n = 0; n + 1 < 33; n++) {
        with_word(reference_3_of_5[0], n, "zero", once, sizeof once);
        taken += !slip39_read_share(with_word(once, n + 1, "acid", twice, sizeof twice), &share,
                                    &verdict) ||
                 verdict.problem != SLIP39_CHECKSUM;
        taken += !slip39_read_share(with_word(reference_3_of_5[0], n, "", twice, sizeof twice),
                                    &share, &verdict) ||
                 verdict.problem != SLIP39_WORD_COUNT || verdict.at != 32;
        taken +=
            !slip39_read_share(with_word(reference_3_of_5[0], n, "zero zero", twice, sizeof twice),
                               &share, &verdict) ||
            verdict.problem != SLIP39_WORD_COUNT || verdict.at != 34;
    }
    is_int(taken, 0);
    is_int(slip39_read_share(BYTES(""), &share, &verdict), ERR_INPUT);
    is_int(verdict.problem, SLIP39_WORD_COUNT);
    is_int(slip39_read_share(BYTES("acid\0acid"), &share, &verdict), ERR_INPUT);
    is_int(verdict.problem, SLIP39_NO_WORD);
}

/* As people type: what was read must be the share itself. */
static bool is_read(struct bytes text) {
    struct slip39_share share;
    struct slip39_verdict verdict;
    return slip39_read_share(text, &share, &verdict) == ERR_OK && verdict.problem == SLIP39_FINE &&
           site_is_same(&share, &set[0]);
}

static void test_typing(void) {
    char buffer[1024];
    struct text text;
    static const struct {
        const char *before, *after, *end;
    } ways[] = {{"", ". ", "\r\n"}, {"", ".", "\n\n"}, {"", ") ", "\t"}, {"0", " ", "  "},
                {"", ": ", ", "},   {"(", ") ", "; "}, {"- ", "", "."},  {"\n", "\n", " "}};
    split(3, 5, 32);
    for (size_t k = 0; k < sizeof ways / sizeof ways[0]; k++) {
        struct bytes rest = bytes_from_string(reference_3_of_5[0]), part;
        text_init(&text, buffer, sizeof buffer);
        for (unsigned n = 1; bytes_next_part(&rest, ' ', &part); n++) {
            text_put_string(&text, ways[k].before);
            text_put_u64(&text, n);
            text_put_string(&text, ways[k].after);
            text_put(&text, bytes_first(part, n % 3 ? part.size : 4));
            text_put_string(&text, ways[k].end);
        }
        ok(is_read(text_bytes(&text)), "numbers before words, words cut to four letters");
    }
    text_init(&text, buffer, sizeof buffer);
    text_put_string(&text, "\n   ");
    for (const char *c = reference_3_of_5[0]; *c; c++)
        text_put_char(&text, *c >= 'a' ? (char)(*c - 'a' + 'A') : *c);
    ok(is_read(text_bytes(&text)), "capitals");
}

/* Cut at every byte, against an unreadable page: nothing but the whole is a share, or what ends within the last
 * word after its fourth letter. */
static void test_cut(void) {
    struct guard guard;
    struct slip39_share share;
    struct slip39_verdict verdict;
    struct bytes whole = bytes_from_string(reference_3_of_5[4]);
    size_t last_word_at = whole.size - strlen("merit");
    unsigned wrong = 0;
    guard_init(&guard, whole.size);
    for (size_t size = 0; size <= whole.size; size++) {
        struct bytes cut = guard_copy(&guard, bytes_first(whole, size));
        bool is_whole = slip39_read_share(cut, &share, &verdict) == ERR_OK;
        wrong += is_whole != (size >= last_word_at + 4);
        wrong += is_whole != (verdict.problem == SLIP39_FINE);
    }
    is_int(wrong, 0);
    guard_release(&guard);
}

static void is_refused(size_t count, enum slip39_problem problem, unsigned at, unsigned with) {
    uint8_t secret[SLIP39_SECRET_BYTES_MAX];
    size_t size;
    struct slip39_verdict verdict;
    enum err err = slip39_combine(set, count, BYTES_NONE, secret, &size, &verdict);
    is_int(err, problem == SLIP39_DIGEST ? ERR_CRYPTO : ERR_INPUT);
    is_int(verdict.problem, problem);
    is_int(verdict.at, at);
    is_int(verdict.with, with);
}

static void test_mixed_sets(void) {
    for (unsigned odd = 0; odd < 4; odd++) { /* whichever it is, it is named */
        unsigned with = odd == 0 ? 1 : 0;
        split(3, 5, 32);
        set[odd].identifier ^= 1;
        is_refused(4, SLIP39_OTHER_SET, odd, with);
        split(3, 5, 32);
        set[odd].member_threshold = 4;
        is_refused(4, SLIP39_OTHER_SET, odd, with);
        split(3, 5, 32);
        set[odd].iteration_exponent = 1;
        is_refused(4, SLIP39_OTHER_SET, odd, with);
        split(3, 5, 32);
        set[odd].is_extendable = false;
        is_refused(4, SLIP39_OTHER_SET, odd, with);
        split(3, 5, 32);
        set[odd].value_bytes = 16;
        is_refused(4, SLIP39_OTHER_SET, odd, with);
    }
    split(3, 5, 32);
    set[1].identifier ^= 1; /* one against one: the second is said to be the odd one */
    is_refused(2, SLIP39_OTHER_SET, 1, 0);
    split(3, 5, 32);
    set[4] = set[2];
    is_refused(5, SLIP39_TWICE, 4, 2);
    set[4].value[31] ^= 1;
    is_refused(5, SLIP39_CONFLICT, 4, 2);
    for (unsigned i = 0; i < SLIP39_SHARE_COUNT_MAX; i++)
        set[i] = set[0];
    is_refused(SLIP39_SHARE_COUNT_MAX, SLIP39_TWICE, 1, 0);
}

/* One bit of one share changed, by somebody who can make the checksum right again. */
static void test_forged(void) {
    struct slip39_verdict verdict;
    unsigned refused = 0;
    split(3, 5, 32);
    for (unsigned bit = 0; bit < 256; bit++) {
        set[bit % 3].value[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused += combine(7, 32, &verdict) == ERR_CRYPTO && verdict.problem == SLIP39_DIGEST;
        set[bit % 3].value[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    is_int(refused, 256);
    set[4].value[0] ^= 1; /* more than needed, and one of them does not lie with the others */
    is_refused(5, SLIP39_DIGEST, 0, 0);
    split(1, 1, 32);
    set[1] = set[0];
    set[1].member_index = 1;
    set[1].value[5] ^= 1; /* threshold 1 has no digest; two that differ are noticed all the same */
    is_refused(2, SLIP39_DIGEST, 0, 0);
}

static void test_clear(void) {
    static const struct slip39_share nothing[2];
    split(2, 2, 32);
    slip39_share_clear(set, 2);
    ok(!memcmp(set, nothing, sizeof nothing), "shares are wiped");
}

int main(void) {
    if (sodium_init() < 0)
        skip_all("libsodium does not start");
    test_reference();
    test_subsets();
    test_false_threshold();
    test_every_size();
    test_exponent_and_passphrase();
    test_refused_options();
    test_mistyped();
    test_mistyped_more();
    test_typing();
    test_cut();
    test_mixed_sets();
    test_forged();
    test_clear();
    return done();
}
