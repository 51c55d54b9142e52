/* peer_test.c - shares exchanged with the reference implementation, both ways.
 *
 * It is the Python package shamir-mnemonic (0.3.0 or later); $PYTHON chooses the Python that has it. */
#include "slip39_site.h"
#include "tap.h"

#include <assert.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT         "tests/unit/formats/slip39/peer.py"
#define LINE_BYTES_MAX (SLIP39_SHARE_COUNT_MAX * SLIP39_TEXT_BYTES_MAX + 128)

extern char **environ;

struct peer {
    pid_t pid;
    FILE *to, *from;
    char line[LINE_BYTES_MAX];
};

/* The next line of the peer, without its end; empty when it has gone. */
static struct bytes peer_hear(struct peer *peer) {
    if (!fgets(peer->line, sizeof peer->line, peer->from))
        return BYTES_NONE;
    return bytes_trim(bytes_from_string(peer->line));
}

static struct bytes peer_ask(struct peer *peer, struct bytes question) {
    fprintf(peer->to, "%.*s\n", (int)question.size, (const char *)question.data);
    fflush(peer->to);
    return peer_hear(peer);
}

static bool peer_open(struct peer *peer) {
    int down[2], up[2];
    posix_spawn_file_actions_t actions;
    const char *python = getenv("PYTHON");
    char program[512], script[] = SCRIPT;
    char *arguments[] = {program, script, NULL};
    snprintf(program, sizeof program, "%s", python ? python : "python3");
    if (pipe(down) || pipe(up))
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, down[0], 0);
    posix_spawn_file_actions_adddup2(&actions, up[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    posix_spawn_file_actions_addclose(&actions, down[1]);
    posix_spawn_file_actions_addclose(&actions, up[0]);
    bool is_started = posix_spawnp(&peer->pid, program, &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(down[0]);
    close(up[1]);
    peer->to = fdopen(down[1], "w");
    peer->from = fdopen(up[0], "r");
    return is_started && bytes_is(peer_hear(peer), "shamir_mnemonic");
}

static void peer_close(struct peer *peer) {
    fclose(peer->to);
    fclose(peer->from);
    waitpid(peer->pid, NULL, 0);
}

/* Ours, the last `threshold` of them, to the peer: it must find the secret; with one less it must not. */
static bool they_combine(struct peer *peer, const struct slip39_options *options, size_t size) {
    static char question[LINE_BYTES_MAX];
    char word[SLIP39_TEXT_BYTES_MAX], wanted[2 * SLIP39_SECRET_BYTES_MAX + 1];
    struct slip39_share shares[SLIP39_SHARE_COUNT_MAX];
    struct text text;
    struct bytes secret = site_secret(size);
    enum err err = slip39_split(secret, options, randombytes_buf, shares);
    assert(!err);
    bool is_right = true;
    for (unsigned left_out = 0; left_out < 2 && left_out < options->threshold; left_out++) {
        text_init(&text, question, sizeof question);
        text_put_string(&text, "combine ");
        for (unsigned i = options->count - options->threshold + left_out; i < options->count; i++) {
            text_put(&text, site_text(&shares[i], word));
            text_put_string(&text, i + 1 < options->count ? "|" : "");
        }
        struct bytes answer = peer_ask(peer, text_bytes(&text));
        text_init(&text, wanted, sizeof wanted);
        text_put_hex(&text, secret);
        is_right = is_right && bytes_is(answer, left_out ? "refused" : wanted);
    }
    return is_right;
}

/* Theirs, the first `threshold`, to us. */
static bool we_combine(struct peer *peer, const struct slip39_options *options, bool is_extendable,
                       size_t size) {
    char question[256];
    struct slip39_share shares[SLIP39_SHARE_COUNT_MAX];
    struct slip39_verdict verdict;
    uint8_t secret[SLIP39_SECRET_BYTES_MAX];
    size_t got = 0, count = 0;
    struct text text;
    struct bytes rest, part;
    text_init(&text, question, sizeof question);
    text_put_format(&text, "split %u %u %u %u ", options->threshold, options->count,
                    options->iteration_exponent, is_extendable);
    text_put_hex(&text, site_secret(size));
    rest = peer_ask(peer, text_bytes(&text));
    while (count < SLIP39_SHARE_COUNT_MAX && bytes_next_part(&rest, '|', &part))
        if (slip39_read_share(part, &shares[count++], &verdict))
            return false;
    return count == options->count && shares[0].is_extendable == is_extendable &&
           !slip39_combine(shares, options->threshold, BYTES_NONE, secret, &got, &verdict) &&
           got == size && !memcmp(secret, site_secret(size).data, size);
}

int main(void) {
    static struct peer peer;
    static const struct slip39_options sets[] = {
        {.threshold = 1, .count = 1},  {.threshold = 2, .count = 3, .iteration_exponent = 1},
        {.threshold = 3, .count = 5},  {.threshold = 5, .count = 5, .iteration_exponent = 2},
        {.threshold = 7, .count = 16}, {.threshold = 16, .count = 16},
    };
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || !peer_open(&peer))
        skip_all("LOUDLY: the Python package shamir-mnemonic is not installed; no shares were "
                 "exchanged with it");
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        for (size_t size = 16; size <= 32; size += 2) {
            ok(they_combine(&peer, &sets[i], size), "they combine what we split");
            ok(we_combine(&peer, &sets[i], true, size), "we combine what they split");
            ok(we_combine(&peer, &sets[i], false, size), "and what they split in the older way");
        }
    peer_close(&peer);
    return done();
}
