/* config.c - read, check and write a site's configuration. */
#include "node/config.h"

#include <assert.h>
#include <stdio.h>

enum value_kind {
    VALUE_TEXT,
    VALUE_ID,
    VALUE_ADDRESS,
    VALUE_COUNT,
    VALUE_YES_NO,
    VALUE_CHARACTERS,
    VALUE_UNKNOWN,
    VALUE_RETENTION,
    VALUE_FEED,
    VALUE_FOLDER,
    VALUE_AUTHORITY
};

#define RETENTION_DAYS_MAX 36500

static const struct key {
    const char *name;
    enum value_kind kind;
    size_t at; /* offset of the member in struct config */
    const char *comment;
} keys[] = {
    {"site", VALUE_ID, offsetof(struct config, site),
     "The site's identifier. It is part of the vault's origin: never change it."},
    {"name", VALUE_TEXT, offsetof(struct config, name), "The hospital's name, as people say it."},
    {"node", VALUE_ID, offsetof(struct config, node), "This machine's name in the site."},
    {"zone", VALUE_TEXT, offsetof(struct config, zone),
     "The time zone of messages that name none, and of the pages."},
    {"mllp", VALUE_ADDRESS, offsetof(struct config, mllp),
     "Where HL7 messages arrive (MLLP): ADDRESS:PORT."},
    {"web", VALUE_ADDRESS, offsetof(struct config, web),
     "Where the pages are served: ADDRESS:PORT. Loopback only, until accounts exist."},
    {"characters", VALUE_CHARACTERS, offsetof(struct config, characters),
     "Characters of messages without MSH-18: 8859/15, 8859/1 or UTF-8."},
    {"on_unknown", VALUE_UNKNOWN, offsetof(struct config, unknown_is_ae),
     "How a message that is not understood is answered, once stored: AA or AE."},
    {"late_s", VALUE_COUNT, offsetof(struct config, late_s),
     "A source is late after so many seconds without a message,"},
    {"silent_s", VALUE_COUNT, offsetof(struct config, silent_s), "and silent after so many."},
    {"feed", VALUE_FEED, 0,
     "One source with numbers of its own, a line for each: NAME (MSH-3) LATE_S SILENT_S."},
    {"folder", VALUE_FOLDER, 0,
     "A directory where files arrive (HL7, PDF, CDA), a line for each: NAME PATTERN AUTHORITY TYPE OID DIRECTORY. PATTERN "
     "says where a PDF's name holds the patient number; AUTHORITY and TYPE are CX.4 and CX.5 of that number in HL7, OID the "
     "root of the same in CDA; - for none."},
    {"authority", VALUE_AUTHORITY, 0,
     "An identifier system of FHIR by its name in HL7 v2 (CX.4), a line for each: NAME SYSTEM [TYPE]."},
    {"message_bytes_max", VALUE_COUNT, offsetof(struct config, message_bytes_max),
     "The largest message that is taken."},
    {"connection_count_max", VALUE_COUNT, offsetof(struct config, connection_count_max),
     "How many senders may be connected at once."},
    {"reserve_bytes", VALUE_COUNT, offsetof(struct config, reserve_bytes),
     "Space on the disk that messages may not use, kept for what people enter."},
    {"retention_days", VALUE_COUNT, offsetof(struct config, retention_days),
     "An epoch of the vault is erased so many days after its newest entry came; what still counts "
     "is stated again. 0: never."},
    {"retention", VALUE_RETENTION, offsetof(struct config, is_retention_held),
     "on; hold: nothing is erased until this says `on` again (an investigator's word)."},
    {"demo", VALUE_YES_NO, offsetof(struct config, is_demo),
     "yes: every page says that its patients are invented."},
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

void config_default(struct config *config) {
    *config = (struct config){
        .node = "node1",
        .zone = "Europe/Paris",
        .mllp = "127.0.0.1:2575",
        .web = "127.0.0.1:8080",
        .characters = HL7_LATIN9,
        .late_s = 300,
        .silent_s = 900,
        .message_bytes_max = 64 << 20,
        .connection_count_max = 4096,
        .reserve_bytes = 256 << 20,
        .retention_days = 400,
    };
}

bool address_split(const char *text, char *host, size_t host_bytes, char *port, size_t port_bytes) {
    const char *colon = strrchr(text, ':');
    struct bytes name = bytes_from(text, colon ? (size_t)(colon - text) : 0);
    struct bytes number = bytes_from_string(colon ? colon + 1 : text);
    if (name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']')
        name = bytes_from(name.data + 1, name.size - 2);
    else if (bytes_find(name, ':') != BYTES_NOT_FOUND)
        return false; /* an IPv6 address stands in brackets */
    if (bytes_is_empty(name))
        name = BYTES("127.0.0.1");
    uint64_t n;
    if (!bytes_to_u64(number, &n) || n > 65535 || name.size >= host_bytes ||
        number.size >= port_bytes)
        return false;
    memcpy(host, name.data, name.size);
    host[name.size] = 0;
    memcpy(port, number.data, number.size);
    port[number.size] = 0;
    return true;
}

static bool is_id(struct bytes value) {
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_';
        if (!fine)
            return false;
    }
    return value.size > 0 && value.size <= 64;
}

static bool take_text(char *member, struct bytes value) {
    if (value.size >= CONFIG_VALUE_BYTES || !bytes_is_utf8(value, NULL))
        return false;
    memcpy(member, value.data, value.size);
    member[value.size] = 0;
    return true;
}

static bool take_address(char *member, struct bytes value) {
    char host[CONFIG_VALUE_BYTES], port[8];
    return take_text(member, value) && address_split(member, host, sizeof host, port, sizeof port);
}

static bool take_count(int64_t *member, struct bytes value) {
    uint64_t n;
    if (!bytes_to_u64(value, &n) || n > INT64_MAX)
        return false;
    *member = (int64_t)n;
    return true;
}

static bool take_choice(bool *member, struct bytes value, const char *yes, const char *no) {
    *member = bytes_is(value, yes);
    return *member || bytes_is(value, no);
}

static bool take_characters(enum hl7_charset *member, struct bytes value) {
    *member = bytes_is(value, "UTF-8")    ? HL7_UTF8
              : bytes_is(value, "8859/1") ? HL7_LATIN1
                                          : HL7_LATIN9;
    return *member != HL7_LATIN9 || bytes_is(value, "8859/15");
}

/* "NAME LATE_S SILENT_S"; the name may hold spaces. */
static bool take_feed(struct config *config, struct bytes value) {
    uint64_t seconds[2];
    for (int i = 1; i >= 0; i--) {
        size_t from = value.size;
        while (from > 0 && value.data[from - 1] != ' ')
            from--;
        if (from == 0 || !bytes_to_u64(bytes_skip(value, from), &seconds[i]) ||
            seconds[i] > INT64_MAX / US_PER_S)
            return false;
        value = bytes_trim(bytes_first(value, from));
    }
    if (config->feed_count == CONFIG_FEEDS_MAX || bytes_is_empty(value) ||
        value.size >= sizeof config->feeds[0].application || seconds[0] > seconds[1] ||
        web_patience_find(config->feeds, config->feed_count, value))
        return false;
    struct web_patience *feed = &config->feeds[config->feed_count++];
    memcpy(feed->application, value.data, value.size);
    feed->late_s = (int64_t)seconds[0];
    feed->silent_s = (int64_t)seconds[1];
    return true;
}

static bool next_word(struct bytes *rest, char *to, size_t to_bytes) {
    struct bytes word;
    *rest = bytes_trim(*rest);
    if (!bytes_next_part(rest, ' ', &word) || bytes_is_empty(word) || word.size >= to_bytes)
        return false;
    if (bytes_is(word, "-"))
        word = BYTES_NONE;
    if (word.size)
        memcpy(to, word.data, word.size);
    to[word.size] = 0;
    return true;
}

static bool is_pattern(const char *pattern) {
    const char *number = strstr(pattern, "<IPP>");
    return !pattern[0] || (number && !strchr(pattern, '/') && !strstr(number + 1, "<IPP>"));
}

/* "NAME PATTERN AUTHORITY TYPE OID DIRECTORY"; the directory may hold spaces. */
static bool take_folder(struct config *config, struct bytes value) {
    if (config->folder_count == FEEDS_FOLDERS_MAX || !bytes_is_utf8(value, NULL))
        return false;
    struct feeds_folder *folder = &config->folders[config->folder_count];
    *folder = (struct feeds_folder){0};
    if (!next_word(&value, folder->name, sizeof folder->name) ||
        !next_word(&value, folder->pattern, sizeof folder->pattern) ||
        !next_word(&value, folder->authority, sizeof folder->authority) ||
        !next_word(&value, folder->type, sizeof folder->type) ||
        !next_word(&value, folder->root, sizeof folder->root))
        return false;
    value = bytes_trim(value);
    if (!folder->name[0] || !is_pattern(folder->pattern) || value.size < 2 ||
        value.data[0] != '/' || !take_text(folder->path, value))
        return false;
    for (size_t i = 0; i < config->folder_count; i++)
        if (!strcmp(config->folders[i].name, folder->name) ||
            !strcmp(config->folders[i].path, folder->path))
            return false;
    config->folder_count++;
    return true;
}

/* "NAME SYSTEM [TYPE]"; one system has one name. */
static bool take_authority(struct config *config, struct bytes value) {
    struct config_authority authority = {0};
    const struct {
        char *to;
        size_t bytes;
    } parts[] = {{authority.name, sizeof authority.name},
                 {authority.system, sizeof authority.system},
                 {authority.type, sizeof authority.type}};
    size_t count = 0;
    struct bytes part;
    while (bytes_next_part(&value, ' ', &part)) {
        if (bytes_is_empty(part))
            continue;
        if (count == 3 || part.size >= parts[count].bytes || !bytes_is_utf8(part, NULL))
            return false;
        memcpy(parts[count++].to, part.data, part.size);
    }
    for (size_t i = 0; i < config->authority_count; i++)
        if (!strcmp(config->authorities[i].system, authority.system))
            return false;
    if (count < 2 || config->authority_count == CONFIG_AUTHORITIES_MAX)
        return false;
    config->authorities[config->authority_count++] = authority;
    return true;
}

size_t config_authorities(const struct config *config,
                          struct facts_authority list[CONFIG_AUTHORITIES_MAX]) {
    for (size_t i = 0; i < config->authority_count; i++)
        list[i] = (struct facts_authority){bytes_from_string(config->authorities[i].name),
                                           bytes_from_string(config->authorities[i].system),
                                           bytes_from_string(config->authorities[i].type)};
    return config->authority_count;
}

static bool take_value(struct config *config, const struct key *key, struct bytes value) {
    void *member = (char *)config + key->at;
    switch (key->kind) {
    case VALUE_TEXT:
        return take_text(member, value);
    case VALUE_ID:
        return is_id(value) && take_text(member, value);
    case VALUE_ADDRESS:
        return take_address(member, value);
    case VALUE_COUNT:
        return take_count(member, value);
    case VALUE_YES_NO:
        return take_choice(member, value, "yes", "no");
    case VALUE_UNKNOWN:
        return take_choice(member, value, "AE", "AA");
    case VALUE_RETENTION:
        return take_choice(member, value, "hold", "on");
    case VALUE_CHARACTERS:
        return take_characters(member, value);
    case VALUE_FEED:
        return take_feed(config, value);
    case VALUE_FOLDER:
        return take_folder(config, value);
    case VALUE_AUTHORITY:
        return take_authority(config, value);
    }
    return false;
}

/* What a value of that kind has to be, in the words of the refusal. */
static const char *refusal_of(enum value_kind kind) {
    switch (kind) {
    case VALUE_COUNT:
        return "veilleuse.conf: this value is not a whole number from 0";
    case VALUE_YES_NO:
        return "veilleuse.conf: this value is neither `yes` nor `no`";
    case VALUE_UNKNOWN:
        return "veilleuse.conf: this value is neither `AA` nor `AE`";
    case VALUE_RETENTION:
        return "veilleuse.conf: this value is neither `on` nor `hold`";
    case VALUE_CHARACTERS:
        return "veilleuse.conf: this value is not 8859/15, 8859/1 or UTF-8";
    case VALUE_ADDRESS:
        return "veilleuse.conf: this value is not an ADDRESS:PORT";
    case VALUE_FEED:
        return "veilleuse.conf: this value is not NAME LATE_S SILENT_S, of a name not given before";
    case VALUE_FOLDER:
        return "veilleuse.conf: this value is not NAME PATTERN AUTHORITY TYPE OID DIRECTORY (- for none; PATTERN with one "
               "<IPP>; DIRECTORY from /), of a name and a directory not given before";
    case VALUE_AUTHORITY:
        return "veilleuse.conf: this value is not NAME SYSTEM [TYPE], of a system not given before";
    case VALUE_TEXT:
    case VALUE_ID:
        break;
    }
    return "veilleuse.conf: this value cannot be used";
}

static const struct key *find_key(struct bytes name) {
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (bytes_is(name, keys[i].name))
            return &keys[i];
    return NULL;
}

/* With the line, by its number and its beginning: a person looks for it in the file. */
static enum err refuse(struct fault *fault, const char *what, uint64_t number, struct bytes line) {
    char subject[100];
    struct text text;
    text_init(&text, subject, sizeof subject);
    text_put_format(&text, "line %llu: ", (unsigned long long)number);
    for (size_t i = 0; i < line.size && i < 60; i++)
        text_put_char(&text, line.data[i] < ' ' || line.data[i] >= 0x7F ? '?' : (char)line.data[i]);
    return fault_set_subject(fault, ERR_CONFIG, what, subject);
}

static enum err take_line(struct config *config, struct bytes line, uint64_t number, bool *seen,
                          struct fault *fault) {
    size_t equals = bytes_find(line, '=');
    if (equals == BYTES_NOT_FOUND)
        return refuse(fault, "veilleuse.conf: this is not `key = value`", number, line);
    const struct key *key = find_key(bytes_trim(bytes_first(line, equals)));
    if (!key)
        return refuse(fault, "veilleuse.conf: there is no such key", number, line);
    bool may_repeat = key->kind == VALUE_FEED || key->kind == VALUE_FOLDER || key->kind == VALUE_AUTHORITY;
    if (seen[key - keys] && !may_repeat)
        return refuse(fault, "veilleuse.conf: this key is given twice", number, line);
    seen[key - keys] = true;
    if (!take_value(config, key, bytes_trim(bytes_skip(line, equals + 1))))
        return refuse(fault, refusal_of(key->kind), number, line);
    return ERR_OK;
}

enum err config_parse(struct config *config, struct bytes text, struct fault *fault) {
    config_default(config);
    bool seen[KEY_COUNT] = {false};
    struct bytes line;
    for (uint64_t number = 1; bytes_next_part(&text, '\n', &line); number++) {
        line = bytes_trim(line);
        if (bytes_is_empty(line) || line.data[0] == '#')
            continue;
        enum err err = take_line(config, line, number, seen, fault);
        if (err)
            return err;
    }
    if (!config->site[0])
        return fault_set(fault, ERR_CONFIG, "veilleuse.conf: `site` is missing");
    if (config->silent_s > INT64_MAX / US_PER_S)
        return fault_set(fault, ERR_CONFIG, "veilleuse.conf: silent_s is too large");
    if (config->late_s > config->silent_s)
        return fault_set(fault, ERR_CONFIG, "veilleuse.conf: late_s is more than silent_s");
    if (config->retention_days > RETENTION_DAYS_MAX)
        return fault_set(fault, ERR_CONFIG, "veilleuse.conf: retention_days is more than 36500");
    return ERR_OK;
}

static void config_path(char *path, const char *site_dir) {
    snprintf(path, SITE_PATH_BYTES, "%s/veilleuse.conf", site_dir);
}

enum err config_read(struct config *config, struct sys *sys, const char *site_dir,
                     struct fault *fault) {
    char path[SITE_PATH_BYTES];
    static_assert(sizeof path > 64, "room for the file's name");
    config_path(path, site_dir);
    char buffer[65536];
    size_t size = 0;
    enum err err = sys_read_file(sys, path, buffer, sizeof buffer, &size, fault);
    return err ? err : config_parse(config, bytes_from(buffer, size), fault);
}

static void put_feeds(struct text *text, const struct config *config, const struct key *key) {
    text_put_format(text, "\n# %s\n", key->comment);
    if (config->feed_count == 0)
        text_put_format(text, "# %s = PHARMACY 3600 14400\n", key->name);
    for (size_t i = 0; i < config->feed_count; i++)
        text_put_format(text, "%s = %s %lld %lld\n", key->name, config->feeds[i].application,
                        (long long)config->feeds[i].late_s, (long long)config->feeds[i].silent_s);
}

static void put_folders(struct text *text, const struct config *config, const struct key *key) {
    text_put_format(text, "\n# %s\n", key->comment);
    if (config->folder_count == 0)
        text_put_format(text, "# %s = GED <IPP>_*.pdf CHV PI 1.2.250.1.999.1.1 /srv/ged\n", key->name);
    for (size_t i = 0; i < config->folder_count; i++) {
        const struct feeds_folder *folder = &config->folders[i];
        const char *const words[] = {folder->name, folder->pattern, folder->authority, folder->type,
                                     folder->root};
        text_put_format(text, "%s =", key->name);
        for (size_t k = 0; k < 5; k++)
            text_put_format(text, " %s", words[k][0] ? words[k] : "-");
        text_put_format(text, " %s\n", folder->path);
    }
}

static void put_authorities(struct text *text, const struct config *config, const struct key *key) {
    text_put_format(text, "\n# %s\n", key->comment);
    if (config->authority_count == 0)
        text_put_format(text, "# %s = CHU urn:oid:1.2.250.1.71.4.2.7 PI\n", key->name);
    for (size_t i = 0; i < config->authority_count; i++) {
        const struct config_authority *a = &config->authorities[i];
        text_put_format(text, "%s = %s %s%s%s\n", key->name, a->name, a->system,
                        a->type[0] ? " " : "", a->type);
    }
}

static void put_value(struct text *text, const struct config *config, const struct key *key) {
    const void *member = (const char *)config + key->at;
    switch (key->kind) {
    case VALUE_TEXT:
    case VALUE_ID:
    case VALUE_ADDRESS:
        text_put_string(text, member);
        break;
    case VALUE_COUNT:
        text_put_i64(text, *(const int64_t *)member);
        break;
    case VALUE_YES_NO:
        text_put_string(text, *(const bool *)member ? "yes" : "no");
        break;
    case VALUE_UNKNOWN:
        text_put_string(text, *(const bool *)member ? "AE" : "AA");
        break;
    case VALUE_RETENTION:
        text_put_string(text, *(const bool *)member ? "hold" : "on");
        break;
    case VALUE_CHARACTERS: {
        enum hl7_charset set = *(const enum hl7_charset *)member;
        text_put_string(text, set == HL7_UTF8 ? "UTF-8" : set == HL7_LATIN1 ? "8859/1" : "8859/15");
        break;
    }
    case VALUE_FEED: /* put_feeds */
    case VALUE_FOLDER:
    case VALUE_AUTHORITY: /* put_authorities */
        break;
    }
}

enum err config_write(const struct config *config, struct sys *sys, const char *site_dir,
                      struct fault *fault) {
    char buffer[8192], path[SITE_PATH_BYTES];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_put_string(&text, "# Veilleuse: the configuration of this site. `kill -HUP` the node, or "
                           "start it again, after a change.\n");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].kind == VALUE_FEED) {
            put_feeds(&text, config, &keys[i]);
            continue;
        }
        if (keys[i].kind == VALUE_FOLDER) {
            put_folders(&text, config, &keys[i]);
            continue;
        }
        if (keys[i].kind == VALUE_AUTHORITY) {
            put_authorities(&text, config, &keys[i]);
            continue;
        }
        text_put_format(&text, "\n# %s\n%s = ", keys[i].comment, keys[i].name);
        put_value(&text, config, &keys[i]);
        text_put_char(&text, '\n');
    }
    if (text.full)
        return fault_set(fault, ERR_LIMIT, "the configuration is too long");
    config_path(path, site_dir);
    return sys_replace_file(sys, path, text_bytes(&text), 0644, fault);
}

/* ---- moments ---- */

enum err config_read_moment(const struct config *config, const char *option, const char *value,
                            int64_t *at, struct fault *fault) {
    struct zone zone;
    struct time_read time;
    char subject[128];
    enum err err = zone_init(&zone, config->zone, fault);
    snprintf(subject, sizeof subject, "%s %s", option, value);
    if (err)
        return err;
    if (!time_read_iso(bytes_from_string(value), &zone, &time) || time.precision < TIME_MINUTE)
        return fault_set_subject(fault, ERR_USAGE,
                                 "this is not a time (RFC 3339, as 2021-02-08T23:14:00+01:00)", subject);
    if (time.is_ambiguous)
        return fault_set_subject(fault, ERR_USAGE,
                                 "the clocks showed this hour twice: give its offset", subject);
    *at = time.at;
    return ERR_OK;
}
