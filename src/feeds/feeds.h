/* feeds.h - the hospital's systems speak here: bytes in, acknowledgements out; and a sender for
 * tests and load.
 *
 * Shapes     MLLP over TCP: frames 0x0B ... 0x1C 0x0D. A message goes raw to commit; its
 *            acknowledgement leaves only after commit said that it is durable.
 * Errors     the role stops (exit code) on a broken supervisor or commit link; a peer's bytes never
 *            stop it.
 * Limits     message_bytes_max a message, connection_count_max, connections_per_address_max;
 *            bounded bytes under way to commit.
 * Process    feeds: sees no key, writes no file. The sender runs in `veilleuse send` and
 *            `simulate`.
 * Source     HL7 MLLP release 1; HL7 v2.5 2.9 (original and enhanced acknowledgement). Real
 *            devices: no reply awaited, several messages without waiting, CR missing after 0x1C,
 *            garbage between frames, hours of silence.
 */
#ifndef FEEDS_FEEDS_H
#define FEEDS_FEEDS_H

#include "base/base.h"
#include "formats/hl7/hl7.h"

struct feeds_options {
    struct sys *sys;
    const char *site_dir;
    const char *listener_name;            /* in entries: source "mllp/<name>" */
    uint64_t message_bytes_max;           /* 0: 64 MiB */
    uint32_t connection_count_max;        /* 0: 4096 */
    uint32_t connections_per_address_max; /* 0: 1024; loopback has no limit of its own */
    bool unknown_is_ae;                   /* on_unknown = AE */
};
/* The feeds role: supervisor's channel on ROLE_SUPERVISOR_FD. Returns a code of sysexits.h. */
int feeds_role_main(const struct feeds_options *options);

/* ---- folders ---- */

/* A directory where files arrive: HL7 v2, PDF, CDA. */
#define FEEDS_FOLDERS_MAX 8u
struct feeds_folder {
    char name[64];      /* of the feed, in entries and on pages */
    char pattern[64];   /* of a PDF's name: before <IPP> letter by letter, behind it with * and ?; may be empty */
    char authority[64]; /* of its patient numbers: CX.4, may be empty */
    char type[16];      /* CX.5, may be empty */
    char root[64];      /* the OID of the same in CDA, may be empty */
    char path[256];
};
struct feeds_folder_options {
    struct sys *sys;
    const char *site_dir;
    const struct feeds_folder *folders;
    size_t folder_count;
    uint64_t message_bytes_max; /* 0: 64 MiB */
};
/* The folder role: takes each file that is whole, has it stored, then moves it to done/ in the same directory. Returns a code of
 * sysexits.h. */
int feeds_folder_role_main(const struct feeds_folder_options *options);
/* The patient number in a PDF's name, letters and digits with at least one digit; empty when the name does not say. */
struct bytes feeds_folder_number(const char *pattern, const char *name);

/* ---- the sender ---- */

struct feeds_sender_options {
    struct sys *sys;
    const char *host, *port;
    unsigned connection_count; /* each stop and wait; 0: 1 */
    uint64_t rate_per_second;  /* all together; 0: as fast as answers come */
    int64_t timeout_ms;        /* for one answer; 0: 30,000 */
    const bool *stop;          /* looked at between messages; may be NULL */
};
/* The next message to send and when (monotonic microseconds, 0: now). ERR_MORE: there are no
 * more. The view must live until the same connection asks again (`connection` says which). */
typedef enum err (*feeds_sender_next)(void *owner, unsigned connection, struct bytes *message,
                                      int64_t *due_us);
struct feeds_sender_report {
    uint64_t sent, aa, ae, ar, other; /* ca counts as aa, ce as ae, cr as ar */
    uint64_t mismatched;              /* MSA-2 was not the MSH-10 sent: never counted as accepted */
    uint64_t unanswered;
    double seconds;
    int64_t p50_us, p99_us, max_us;
    char first_nak[200]; /* its MSA, without patient data */
};
/* ERR_OK: all answered (AA or not). ERR_STATE: refused or cut. ERR_TIMEOUT. The report is filled
 * in every case. */
MUST_CHECK enum err feeds_send(const struct feeds_sender_options *options, feeds_sender_next next,
                               void *owner, struct feeds_sender_report *report,
                               struct fault *fault);

/* `veilleuse send HOST:PORT FILE... [--connections N] [--rate N] [--repeat N] [--json]
 * [--timeout S]`; FILE - is standard input. Exits 0 all AA, 65 on a NAK, 69 refused, 75 timeout,
 * 66 a file that is not there. */
int feeds_send_command(int argc, char **argv);

#endif
