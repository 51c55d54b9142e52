/* verify.h - what the files of the second reader share.
 *
 * Everything here was written from docs/format/vault.md (called "the page" below) and from the public formats that it
 * names; nothing was taken from the program that writes vaults. To audit, read in this order:
 *
 *   log.c    the public formats: trees (RFC 6962), tiles' names, verifier keys, signed checkpoints, proofs
 *   entry.c  the page's "Entry": header and envelope; files, read with a limit
 *   wal.c    the page's "The writer's segments"
 *   check.c  the page's "To verify", step by step
 *   read.c   opening, with an identity; what is above does not need it
 *   main.c   the command line
 *
 * Every byte that is read may be an attacker's: each size is compared with what is left before it is used, each buffer
 * has a fixed maximum, nothing recurses. Functions that give a text give NULL, or what is wrong. */
#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    HASH = 32,         /* SHA-256, X25519, keys: all of 32 bytes */
    WIDTH = 256,       /* hashes of a tile, entries of a bundle */
    LEVELS = 8,        /* tile levels that a size of 64 bits can need */
    ENTRY_MAX = 51282, /* a sealed entry ("Sealed") */
    PLAIN_MAX = 51202, /* an envelope: 1 + 2,048 of fields + 1 + 49,152 of body */
    BUNDLE_MAX = WIDTH * (2 + 65535),
    ORIGIN_MAX = 200,      /* ("Tree") */
    NOTE_MAX = 1 << 16,    /* a signed note; one with 16 witnesses stays far below */
    LINES_MAX = 1 << 20,   /* of `verifier`: some 9,000 epochs of the origin */
    SEGMENT_MAX = 1 << 30, /* the page sets no limit; 16 times the usual segment */
    NAME_ROOM = 128,       /* of a file inside the vault */
    PATH_ROOM = 4096,
    EXIT_USAGE = 64,
    EXIT_DAMAGED = 65,
    EXIT_NOT_FOUND = 66,
    EXIT_IO = 74
};

struct view {
    const uint8_t *data;
    size_t size;
};

/* ---- log.c ---- */

/* The tree while it grows: peak[l] is the root of the last whole subtree of 2^l leaves. */
struct tree {
    uint64_t size;
    uint8_t peak[64][HASH];
};
void leaf_hash(struct view entry, uint8_t out[HASH]);
void tree_push(struct tree *tree, const uint8_t leaf[HASH]);
void tree_root(const struct tree *tree, uint8_t out[HASH]);
bool proof_holds(const uint8_t leaf[HASH], uint64_t index, uint64_t size, uint8_t path[][HASH],
                 size_t path_count, const uint8_t root[HASH]);

/* A verifier line: an origin, and the key that signs under it. */
struct key {
    char name[ORIGIN_MAX + 1];
    uint8_t public_key[HASH];
};
struct checkpoint {
    char origin[ORIGIN_MAX + 1];
    uint64_t size;
    uint8_t root[HASH];
    size_t text_bytes; /* of the note, what is signed */
};
/* The line that *lines begins with; *lines goes on behind it. */
const char *verifier_line_next(const char **lines, struct key *out);
bool same_stem(const char *a, const char *b); /* origins that differ in their epoch only */
const char *checkpoint_read(const char *note, struct checkpoint *out);
const char *checkpoint_signed(const char *note, const struct checkpoint *checkpoint,
                              const uint8_t public_key[HASH]);

bool number_read(const char *text, uint64_t *out); /* decimal, no leading zero, nothing else */
/* Gives the size, or -1. */
int64_t base64_read(const char *text, size_t letters, uint8_t *out, size_t room, bool padded);
bool base64_is(const char *text, size_t letters, uint8_t *out,
               size_t bytes); /* padded, of a size */
void base64_of_hash(const uint8_t hash[HASH], char out[48]);
uint64_t big_endian(const uint8_t *data, unsigned bytes);
/* level -1: entries. width 256: the full one. */
void tile_name(char out[NAME_ROOM], int level, uint64_t n, unsigned width);

/* ---- entry.c ---- */

struct header {
    bool compressed, has_blob, open;
    uint32_t dictionary, epoch;
    const uint8_t *blob; /* 32 bytes, or NULL */
    size_t bytes;        /* h of the page */
};
enum kind { MESSAGE = 1, FACT, KEY_FILE, BLOB, NOTE, DICTIONARY };
enum text_field { MEDIA, SOURCE, AUTHOR, ROLE, TEXT_FIELDS };
enum number_field { FLAGS, CLOCK, RECEIVED, WHOLE_BYTES, OLDER_INDEX, OLDER_CLOCK, NUMBER_FIELDS };
struct plain {
    uint8_t kind;
    bool restates; /* i and w are there */
    struct view text[TEXT_FIELDS], body;
    uint64_t number[NUMBER_FIELDS];
};
const char *header_read(struct view entry, struct header *out);
const char *plain_read(struct view envelope, struct plain *out);

/* A vault: where it is, and what every use of it needs first. */
struct vault {
    char dir[PATH_ROOM - NAME_ROOM - 2];
    char lines[LINES_MAX];           /* `verifier` itself */
    char first_name[ORIGIN_MAX + 1]; /* in its first line: part of what seals an entry */
    struct checkpoint checkpoint;
};
/* Regular files only; NULL and errno. */
FILE *vault_open(const struct vault *vault, const char *name);
/* Into buffer; the size, or -1: errno ENOENT not there, EFBIG larger than max, or what reading it said. */
int64_t vault_read(const struct vault *vault, const char *name, void *buffer, size_t max);
/* The same, of a text: ends in 0, holds none. */
int64_t text_read(const struct vault *vault, const char *name, char *text, size_t room);
/* The same, of a tile or bundle as a tree of some size has it: the partial one, or the beginning of the full one. */
int64_t tile_read(const struct vault *vault, int level, uint64_t n, unsigned width, void *buffer,
                  size_t max, char name[NAME_ROOM]);
/* A bundle's entries as far as it can be split: entry i lies behind its size at place[i]. Gives their number. */
unsigned bundle_split(const uint8_t *data, int64_t size, unsigned width, uint64_t place[WIDTH + 1]);
struct view bundle_entry(const uint8_t *data, const uint64_t place[WIDTH + 1], unsigned i);
void blob_name(char out[NAME_ROOM], const uint8_t name[HASH]);
void *allocate(size_t bytes); /* zeros; does not come back without, as the next one */
/* A file of the user's own, as far as it fits, with a 0 behind it; gives its size. */
size_t own_file_read(const char *path, char *out, size_t room);

/* ---- wal.c ---- */

/* file and at: where the entry lies. */
typedef void entry_taker(void *context, uint64_t index, struct view entry, const char *file,
                         uint64_t at);
struct wal {
    uint64_t durable; /* one more than the last record that counts */
    char file[NAME_ROOM];
    const char *fault; /* NULL: as it should be; otherwise the first, and where: */
    char fault_file[NAME_ROOM];
    uint64_t entry, at;
};
/* Every record from `published` on that counts is given to take. */
void wal_walk(const struct vault *vault, uint64_t published, struct wal *out, entry_taker *take,
              void *context);

/* ---- check.c, read.c ---- */

/* `verifier` and `checkpoint`; *file is the one that is wrong. given: verifier lines that came by another way, or NULL. */
const char *vault_begin(struct vault *vault, const char *given, const char **file);
int vault_check(struct vault *vault, const char *given);
int vault_print(struct vault *vault, const char *identity, const char *passphrase, uint64_t from,
                uint64_t to, bool raw);

#endif
