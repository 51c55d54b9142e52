/* folder.h - the inside of the folder role: which file is being taken, and how far it has come.
 *
 * A file's way:
 *
 *   seen --(closed by its writer, or untouched for SETTLED_US)--> TAKING --(all of it sent)--> ASKED
 *     --(commit said of each entry: durable)--> moved to done/
 *
 *   commit gone, disk full, file changed meanwhile: it is given up and taken again later from its beginning; what was
 *   stored of it by then is known as a repeat.
 */
#ifndef FEEDS_FOLDER_H
#define FEEDS_FOLDER_H

#include "facts/facts.h"
#include "feeds/feeds.h"
#include "roles/roles.h"

#include <dirent.h>

#define FOLDER_WINDOW_BYTES                                                                        \
    ((size_t)4 << 20) /* of a file: messages up to this size are looked at whole */
#define FOLDER_FIRST_BYTES 4096u
#define FOLDER_NAME_BYTES  256u
#define FOLDER_CLOSED_MAX  64u

struct watched {
    const struct feeds_folder *folder;
    struct folder_role *role;
    struct loop_watch watch, done_watch; /* inotify: of the folder, of done/ */
    DIR *dir;                /* open while it is gone through */
    int64_t look_at;         /* monotonic: gone through again then */
    bool has_waiting;        /* some files were not whole yet */
    bool is_stale;           /* something came since it was begun to be gone through */
    char closed
        [FOLDER_CLOSED_MAX]
        [FOLDER_NAME_BYTES]; /* by their writers; more than fit wait until they have settled */
    size_t closed_count;
};

enum taking_stage { TAKING_NOTHING, TAKING_FILE, TAKING_ASKED };

/* An entry on its way to commit, out of the window. */
struct folder_blob {
    bool is_begun, is_last; /* is_last: it ends with `left` */
    uint64_t token, bytes;
    size_t left; /* bytes of the window that belong to it and are not sent */
    uint8_t first[FOLDER_FIRST_BYTES];
    size_t first_bytes;
    struct hl7_batch_parts parts;
};

struct taking {
    enum taking_stage stage;
    struct watched *from;
    char name[FOLDER_NAME_BYTES];
    int fd;
    struct stat stat;
    uint8_t *window;
    size_t window_bytes;
    bool is_at_end; /* the window reaches the end of the file */
    bool is_hl7;
    char media_type[FACTS_FILED_TYPE_BYTES_MAX];
    struct folder_blob blob;
    uint64_t first_token, asked, answered; /* its tokens come after first_token */
    bool has_failed;
};

struct folder_role {
    struct role_life life;
    struct feeds_folder_options options;
    struct watched watched[FEEDS_FOLDERS_MAX];
    struct taking taking;
    bool is_full, is_suspect;
    uint64_t next_token, file_count, repeat_count, failed_count;
    int64_t hold_until, reported_at; /* monotonic */
    const char *problem;
};

/* ---- folder_take.c: a file becomes entries ---- */
/* Open it and see what it is. False: not now. */
bool taking_begin(struct folder_role *role, struct watched *from, const char *name);
/* Send what the link takes. True: something went on. */
bool taking_go_on(struct folder_role *role);
void taking_answered(struct folder_role *role, const struct append_answer *answer);
/* Give it up; nothing of it is moved. */
void taking_end(struct folder_role *role);
/* Is the file as it was when it was begun? */
bool taking_is_unchanged(struct folder_role *role);

/* A name in a folder: path of at most PATH_MAX. */
bool folder_path(const struct watched *from, const char *below, const char *name, char *path,
                 size_t path_bytes);

#endif
