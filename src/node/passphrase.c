/* passphrase.c - where a passphrase comes from, and what it opens. */
#include "node/passphrase.h"

#include "roles/roles.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_BYTES 1024u
#define BUFFER_BYTES                                                                               \
    (PASSPHRASE_BYTES_MAX + 3u) /* a line's end, and one byte more to see that it is too long */

static char *buffer_alloc(void) {
    char *buffer = sodium_malloc(BUFFER_BYTES);
    if (buffer)
        sodium_memzero(buffer, BUFFER_BYTES);
    return buffer;
}

void passphrase_free(struct bytes *passphrase) {
    union { /* it came from buffer_alloc; a view is of bytes that nobody writes */
        const uint8_t *in;
        void *out;
    } data = {passphrase->data};
    sodium_free(data.out); /* wipes */
    *passphrase = BYTES_NONE;
}

static struct bytes without_end(struct bytes line) {
    if (line.size && line.data[line.size - 1] == '\n')
        line.size--;
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

static enum err check(struct bytes line, const char *from, struct fault *fault) {
    if (bytes_is_empty(line))
        return fault_set_subject(fault, ERR_INPUT, "the passphrase is empty", from);
    if (line.size > PASSPHRASE_BYTES_MAX)
        return fault_set_subject(fault, ERR_LIMIT, "the passphrase is too long", from);
    if (bytes_find(line, '\n') != BYTES_NOT_FOUND || bytes_find(line, '\r') != BYTES_NOT_FOUND ||
        bytes_find(line, 0) != BYTES_NOT_FOUND)
        return fault_set_subject(fault, ERR_INPUT, "the passphrase is not one line", from);
    return ERR_OK;
}

enum err passphrase_read(const char *path, struct bytes *passphrase, struct fault *fault) {
    size_t size = 0;
    *passphrase = BYTES_NONE;
    char *buffer = buffer_alloc();
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no locked memory for a passphrase");
    struct fault own = {0};
    enum err err = sys_read_file(NULL, path, buffer, BUFFER_BYTES, &size, &own);
    struct bytes line = without_end(bytes_from(buffer, size));
    if (err == ERR_LIMIT)
        err = fault_set_subject(fault, err, "the passphrase is too long", path);
    else if (err)
        *fault = own;
    else
        err = check(line, path, fault);
    if (err) {
        sodium_free(buffer);
        return err;
    }
    *passphrase = line;
    return ERR_OK;
}

/* readpassphrase(3) speaks to /dev/tty, so that stdin may hold something else, and gives the echo back whatever happens. */
static enum err ask_once(const char *prompt, char *buffer, struct fault *fault) {
    if (!readpassphrase(prompt, buffer, BUFFER_BYTES, RPP_ECHO_OFF | RPP_REQUIRE_TTY))
        return errno == EINTR ? fault_set(fault, ERR_INTERRUPTED, "no passphrase was typed")
                              : fault_set_errno(fault, ERR_AUTH, errno,
                                                "the terminal gives no passphrase", "");
    return check(bytes_from_string(buffer), "", fault);
}

enum err passphrase_ask(const char *prompt, bool again, struct bytes *passphrase,
                        struct fault *fault) {
    char *buffer = buffer_alloc(), *second = buffer_alloc();
    *passphrase = BYTES_NONE;
    enum err err = buffer && second
                       ? ask_once(prompt, buffer, fault)
                       : fault_set(fault, ERR_MEMORY, "no locked memory for a passphrase");
    if (!err && again)
        err = ask_once("The same once more: ", second, fault);
    if (!err && again && strcmp(buffer, second))
        err = fault_set(fault, ERR_INPUT, "the two passphrases differ: nothing is changed");
    sodium_free(second);
    if (err) {
        sodium_free(buffer);
        return err;
    }
    *passphrase = bytes_from_string(buffer);
    return ERR_OK;
}

/* ---- opening a site's keys ---- */

static bool find_credential(char path[PATH_BYTES]) {
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    struct stat st;
    int size = dir ? snprintf(path, PATH_BYTES, "%s/" PASSPHRASE_CREDENTIAL, dir) : -1;
    return size > 0 && (size_t)size < PATH_BYTES && !sys_stat(NULL, path, &st);
}

static bool has_terminal(void) {
    int fd = sys_open(NULL, "/dev/tty", O_RDWR | O_NOCTTY, 0);
    if (fd >= 0)
        sys_close(NULL, fd);
    return fd >= 0;
}

bool passphrase_has_source(const char *file) {
    char path[PATH_BYTES];
    return file || find_credential(path) || has_terminal();
}

static enum err have_passphrase(const char *file, const char *site_dir, struct bytes *passphrase,
                                struct fault *fault) {
    char path[PATH_BYTES], prompt[PATH_BYTES + 64];
    *passphrase = BYTES_NONE;
    if (file)
        return passphrase_read(file, passphrase, fault);
    if (find_credential(path))
        return passphrase_read(path, passphrase, fault);
    if (!has_terminal())
        return fault_set(fault, ERR_AUTH,
                         "the keys of this site have a passphrase: give it with --passphrase-file, "
                         "as the credential " PASSPHRASE_CREDENTIAL ", or at a terminal");
    snprintf(prompt, sizeof prompt, "Passphrase of the keys of %s: ", site_dir);
    return passphrase_ask(prompt, false, passphrase, fault);
}

enum err unlocking_need(struct unlocking *unlocking, const char *site_dir, struct fault *fault) {
    struct bytes passphrase = BYTES_NONE;
    bool locked = false;
    if (unlocking->is_done)
        return ERR_OK;
    enum err err = vault_keys_are_locked(NULL, site_dir, &locked, fault);
    if (!err && locked)
        err = have_passphrase(unlocking->file, site_dir, &passphrase, fault);
    if (!err && locked)
        err = vault_unlock_make(&unlocking->unlock, NULL, site_dir, passphrase, fault);
    passphrase_free(&passphrase);
    unlocking->is_done = !err;
    return err;
}

/* Whole and nothing behind it; then nobody can read it again. */
enum err unlocking_take(struct unlocking *unlocking, struct fault *fault) {
    static const struct vault_unlock none;
    struct vault_unlock *unlock = vault_unlock_copy(&none);
    char more;
    if (!unlock)
        return fault_set(fault, ERR_MEMORY, "no locked memory for keys");
    bool good = sys_read(NULL, ROLE_UNLOCK_FD, unlock, sizeof *unlock) == sizeof *unlock &&
                sys_read(NULL, ROLE_UNLOCK_FD, &more, 1) == 0;
    sys_close(NULL, ROLE_UNLOCK_FD);
    unlocking->unlock = unlock;
    unlocking->is_done = true;
    return good ? ERR_OK
                : fault_set(fault, ERR_INPUT, "the supervisor did not say what unlocks the keys");
}

void unlocking_end(struct unlocking *unlocking) {
    vault_unlock_free(unlocking->unlock);
    *unlocking = (struct unlocking){0};
}
