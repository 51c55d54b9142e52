/* age_file.c - src/formats/age at a command line, so that files can be exchanged with others that write and read them.
 *
 *   age_file open IDENTITY SLICE    an age file from standard input; what comes out of it goes to standard output,
 *                                   the verdict to standard error, in the words of the age test vectors
 *   age_file seal RECIPIENT SLICE   the other way round
 *   age_file recipient IDENTITY     its public half
 *
 * The input is shown in slices of SLICE bytes, each against an unreadable page. */
#include "formats/age/age.h"
#include "guard.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static void say(const char *verdict) {
    fprintf(stderr, "%s\n", verdict);
}

static int stop(const char *why) {
    fprintf(stderr, "age_file: %s\n", why);
    return 64;
}

static void put(const void *data, size_t size) {
    if (fwrite(data, 1, size, stdout) != size)
        exit(74);
}

static bool next_slice(struct guard *guard, size_t slice_bytes, struct bytes *slice) {
    static uint8_t buffer[1 << 20];
    size_t size =
        fread(buffer, 1, slice_bytes < sizeof buffer ? slice_bytes : sizeof buffer, stdin);
    *slice = guard_copy(guard, bytes_from(buffer, size));
    return size > 0;
}

/* What a vector expects. The reader has a MAC that holds before anything of the payload is looked at. */
static const char *verdict_of(enum err err, const struct age_reader *reader) {
    if (!err)
        return "success";
    if (reader->has_header)
        return "payload failure";
    if (err != ERR_CRYPTO)
        return "header failure";
    return reader->has_key ? "HMAC failure" : "no match";
}

static enum err open_slice(struct age_reader *reader, struct bytes slice) {
    static uint8_t plain[AGE_CHUNK_BYTES];
    size_t plain_bytes;
    enum err err = ERR_OK;
    while (!err && !bytes_is_empty(slice)) {
        err = age_reader_feed(reader, &slice, plain, &plain_bytes);
        put(plain, plain_bytes);
    }
    return err;
}

static int open_file(const char *identity, struct guard *guard, size_t slice_bytes) {
    static struct age_reader reader;
    static uint8_t plain[AGE_CHUNK_BYTES];
    uint8_t secret[32];
    struct bytes slice;
    size_t plain_bytes;
    enum err err = age_secret_read(bytes_from_string(identity), secret);
    if (err)
        return stop("that is no identity");
    age_reader_init(&reader, secret);
    while (!err && next_slice(guard, slice_bytes, &slice))
        err = open_slice(&reader, slice);
    if (!err) {
        err = age_reader_finish(&reader, plain, &plain_bytes);
        put(plain, plain_bytes);
    }
    say(verdict_of(err, &reader));
    age_reader_clear(&reader);
    return err ? 1 : 0;
}

static int seal_file(const char *recipient, struct guard *guard, size_t slice_bytes) {
    static struct age_writer writer;
    static uint8_t sealed[AGE_SEALED_BYTES_MAX];
    char header[AGE_HEADER_BYTES_MAX];
    uint8_t public_key[32];
    struct text text;
    struct bytes slice;
    size_t sealed_bytes;
    text_init(&text, header, sizeof header);
    if (age_recipient_read(bytes_from_string(recipient), public_key) ||
        age_writer_init(&writer, public_key, &text))
        return stop("that is no recipient");
    put(text.data, text.size);
    while (next_slice(guard, slice_bytes, &slice))
        while (!bytes_is_empty(slice)) {
            age_writer_feed(&writer, &slice, sealed, &sealed_bytes);
            put(sealed, sealed_bytes);
        }
    age_writer_finish(&writer, sealed, &sealed_bytes);
    put(sealed, sealed_bytes);
    age_writer_clear(&writer);
    return 0;
}

static int print_recipient(const char *identity) {
    uint8_t secret[32], public_key[32];
    char line[128];
    struct text text;
    if (age_secret_read(bytes_from_string(identity), secret))
        return stop("that is no identity");
    age_public_key(secret, public_key);
    text_init(&text, line, sizeof line);
    age_put_recipient(&text, public_key);
    puts(text.data);
    return 0;
}

int main(int count, char **words) {
    struct guard guard;
    size_t slice_bytes = count == 4 ? strtoull(words[3], NULL, 10) : 0;
    if (sodium_init() < 0)
        return stop("libsodium does not start");
    if (count == 3 && !strcmp(words[1], "recipient"))
        return print_recipient(words[2]);
    if (slice_bytes == 0)
        return stop("open IDENTITY SLICE, seal RECIPIENT SLICE, recipient IDENTITY");
    guard_init(&guard, 1 << 20);
    if (!strcmp(words[1], "open"))
        return open_file(words[2], &guard, slice_bytes);
    return seal_file(words[2], &guard, slice_bytes);
}
