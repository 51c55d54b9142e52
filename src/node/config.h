/* config.h - the one configuration file of a site, DIR/veilleuse.conf.
 *
 * Shapes     lines `key = value`; # begins a comment; a value is the rest of the line without white space around it.
 * Errors     ERR_CONFIG with the line number in fault.at and a sentence: an unknown key, a bad value, a key given twice (`feed`,
 *            `folder` and `authority` may be).
 * Limits     the file is at most 64 KiB, a value 255 bytes.
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/base.h"
#include "chart/chart.h"
#include "feeds/feeds.h"
#include "formats/hl7/hl7.h"
#include "web/web.h"

#define CONFIG_VALUE_BYTES 256
#define SITE_PATH_BYTES    1024
#define CONFIG_FEEDS_MAX   32u
#define CONFIG_AUTHORITIES_MAX 64u

/* What a FHIR Identifier.system is called in CX.4 of the same hospital's HL7 v2 messages. */
struct config_authority {
    char name[64], system[160];
    char type[16]; /* of numbers that do not say theirs; empty: PI */
};

struct config {
    char site[CONFIG_VALUE_BYTES]; /* the site's id, part of the vault's origin */
    char name[CONFIG_VALUE_BYTES]; /* the hospital's name, for people */
    char node[CONFIG_VALUE_BYTES];
    char zone[CONFIG_VALUE_BYTES];
    char mllp[CONFIG_VALUE_BYTES]; /* ADDRESS:PORT */
    char web[CONFIG_VALUE_BYTES];
    enum hl7_charset characters;
    bool unknown_is_ae;
    bool is_demo;
    int64_t late_s, silent_s;
    struct web_patience feeds[CONFIG_FEEDS_MAX]; /* with thresholds of their own */
    size_t feed_count;
    struct feeds_folder folders[FEEDS_FOLDERS_MAX];
    size_t folder_count;
    struct config_authority authorities[CONFIG_AUTHORITIES_MAX];
    size_t authority_count;
    int64_t message_bytes_max;
    int64_t connection_count_max;
    int64_t reserve_bytes;
    int64_t retention_days; /* 0: for ever */
    bool is_retention_held; /* nothing is erased, whatever its age */
};

/* Read and check DIR/veilleuse.conf. */
MUST_CHECK enum err config_read(struct config *config, struct sys *sys, const char *site_dir,
                                struct fault *fault);
/* Read from text; the tests' door. */
MUST_CHECK enum err config_parse(struct config *config, struct bytes text, struct fault *fault);
/* Write the file of a new site, with a comment on every key. */
MUST_CHECK enum err config_write(const struct config *config, struct sys *sys,
                                 const char *site_dir, struct fault *fault);
void config_default(struct config *config);
/* The authorities as the chart takes them: views into `config`. Returns how many. */
size_t config_authorities(const struct config *config,
                          struct facts_authority list[CONFIG_AUTHORITIES_MAX]);

/* "ADDR:PORT", "[::1]:PORT", ":PORT" or "PORT" (loopback then). False on anything else. */
bool address_split(const char *text, char *host, size_t host_bytes, char *port, size_t port_bytes);

/* A moment as an option gives it, RFC 3339 or a time of the configured zone. It is given whole: a date alone, or an hour that the
 * clocks showed twice, could be read in two ways (ERR_USAGE). */
MUST_CHECK enum err config_read_moment(const struct config *config, const char *option,
                                       const char *value, int64_t *at, struct fault *fault);

#endif
