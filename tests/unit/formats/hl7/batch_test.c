/* batch_test.c - messages come out of a file whole and unchanged, in whatever way it holds them. */
#include "base/random.h"
#include "hl7_site.h"

#define PARTS_MAX 8

static void is_split(struct guard *guard, struct bytes file, const char *const wanted[PARTS_MAX]) {
    struct bytes in = guard_copy(guard, file), message;
    size_t at = 0, count = 0;
    while (hl7_batch_next(in, &at, &message)) {
        is_bytes(message, count < PARTS_MAX && wanted[count] ? wanted[count] : "(nothing more)");
        count++;
    }
    ok(count >= PARTS_MAX || !wanted[count], "and no more is expected");
    is_int(at, in.size);
    ok(!hl7_batch_next(in, &at, &message), "the end stays the end");
}

static void test_files(struct guard *guard) {
    static const struct {
        const char *file, *messages[PARTS_MAX];
    } files[] = {
        {"", {NULL}},
        {"\r\n\r\n", {NULL}},
        {"  \n\t\n", {NULL}},
        {"MSH|1\rPID|1\r", {"MSH|1\rPID|1\r"}},
        {"MSH|1\rPID|1", {"MSH|1\rPID|1"}},
        {"MSH|1\nPID|1\nMSH|2\nPID|2\n", {"MSH|1\nPID|1\n", "MSH|2\nPID|2\n"}},
        {"MSH|1\r\nPID|1\r\nMSH|2\r\n", {"MSH|1\r\nPID|1\r\n", "MSH|2\r\n"}},
        {"MSH|1\rPID|1\n\nMSH|2\rPID|2\n\n", {"MSH|1\rPID|1\n", "MSH|2\rPID|2\n"}},
        {"\r\nMSH|1\r\r\n\nMSH|2", {"MSH|1\r", "MSH|2"}},
        {"MSH|1\r\rPID|1\r", {"MSH|1\r\rPID|1\r"}},
        {"FHS|^\rBHS|^\rMSH|1\rPID|1\rMSH|2\rBTS|2\rFTS|1\r", {"MSH|1\rPID|1\r", "MSH|2\r"}},
        {"FHS|^\nBHS|^\nBTS|0\nBHS|^\nMSH|1\nBTS|1\nFTS\n", {"MSH|1\n"}},
        {"\xEF\xBB\xBFMSH|1\rMSH|2\r", {"MSH|1\r", "MSH|2\r"}},
        {"MSH|1\r\n\xEF\xBB\xBFMSH|2\r\n", {"MSH|1\r\n", "MSH|2\r\n"}},
        {"\x0BMSH|1\rPID|1\r\x1C\r\x0BMSH|2\r\x1C\r", {"MSH|1\rPID|1\r", "MSH|2\r"}},
        {"\x0BMSH|1\rPID|1\x1C\r\x0BMSH|2\x1C", {"MSH|1\rPID|1", "MSH|2"}},
        {"\x0BMSH|1\x1C\x0BMSH|2\x1C\n", {"MSH|1", "MSH|2"}},
        {"\x0BMSH|1\r\x0BMSH|2\r\x1C\r", {"MSH|1\r", "MSH|2\r"}},
        {"\x0BMSH|1\rMSH|2\r\x1C\r", {"MSH|1\r", "MSH|2\r"}},
        {"\x0B"
         "BHS|^\rMSH|1\rBTS|1\x1C\x0BMSH|2\r\x1C\r",
         {"MSH|1\r", "MSH|2\r"}},
        {"MSH|1\rOBX|a\x1C"
         "b\rNTE|c\r",
         {"MSH|1\rOBX|a\x1C"
          "b\rNTE|c\r"}},
        {"PID|1\rPV1|1\r", {"PID|1\rPV1|1\r"}},
        {"notes\nmore\n\nMSH|1\n", {"notes\nmore\n", "MSH|1\n"}},
        {"MSHX|1\rMSH|1\r", {"MSHX|1\r", "MSH|1\r"}},
        {"MSH|1\rMSHOW|2\rBTSX\r", {"MSH|1\rMSHOW|2\rBTSX\r"}},
        {"MSH#1\rMSH#2\rBTS#2\r", {"MSH#1\r", "MSH#2\r"}},
        {"MSH", {"MSH"}},
        {"MSH\rMSH\r", {"MSH\r", "MSH\r"}},
        {"  MSH|1\r", {"  MSH|1\r"}},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        is_split(guard, bytes_from_string(files[i].file), files[i].messages);
}

static void test_zero_bytes(struct guard *guard) {
    struct bytes in = guard_copy(guard, BYTES("MSH|1\rOBX|\0\rMSH|2\r")), message;
    size_t at = 0;
    ok(hl7_batch_next(in, &at, &message) && message.size == 12, "a zero byte is data");
    ok(hl7_batch_next(in, &at, &message) && bytes_is(message, "MSH|2\r"));
    at = 0;
    ok(!hl7_batch_next(BYTES_NONE, &at, &message), "an empty file");
}

/* A file of 16 MiB in two messages without a CR, and one of only LF: time grows with the size. */
static void test_large(void) {
    size_t size = 16u << 20;
    uint8_t *file = malloc(size);
    struct bytes message;
    size_t at = 0, count = 0;
    if (!ok(file != NULL))
        return;
    memset(file, 'x', size);
    for (size_t i = 100; i < size; i += 100)
        file[i] = '\n';
    memcpy(file, "MSH|", 4);
    memcpy(file + size / 200 * 100 + 1, "MSH|", 4);
    while (hl7_batch_next(bytes_from(file, size), &at, &message))
        count++;
    is_int(count, 2);
    memset(file, '\n', size);
    at = 0;
    ok(!hl7_batch_next(bytes_from(file, size), &at, &message));
    free(file);
}

/* The message at the start of `file`, in parts, with `window` more bytes in sight each time. */
static bool is_in_parts(struct guard *guard, struct bytes file, size_t wanted, size_t window) {
    struct hl7_batch_parts parts = {0};
    size_t used = 0, seen = 0;
    for (;;) {
        bool is_end;
        seen = seen + window < file.size ? seen + window : file.size;
        struct bytes in = guard_copy(guard, bytes_from(file.data + used, seen - used));
        size_t part = hl7_batch_part(&parts, in, seen == file.size, &is_end);
        if (part > in.size)
            return false;
        used += part;
        if (is_end)
            return used == wanted;
        if (used > wanted || (seen == file.size && part == 0))
            return false;
    }
}

static void every_message_in_parts(struct guard *guard, struct bytes file) {
    struct bytes message;
    size_t at = 0, bad = 0;
    while (hl7_batch_next(file, &at, &message)) {
        struct bytes rest = bytes_skip(file, (size_t)(message.data - file.data));
        for (size_t window = 1; window <= rest.size; window++)
            bad += !is_in_parts(guard, rest, message.size, window);
    }
    if (bad)
        printf("# in '%.*s'\n", (int)file.size, (const char *)file.data);
    ok(bad == 0, "in parts, however the file is cut, it is the same message");
}

static void test_parts(struct guard *guard) {
    static const char *const pieces[] = {"MSH|1", "PID|1", "\r",  "\n",     "\r\n", "\x0B",
                                         "\x1C",  "BHS|",  "MSH", "\n\n\n", "x",    "\xEF\xBB\xBF"};
    struct random random;
    random_init(&random, 17);
    for (unsigned n = 0; n < 400; n++) {
        char file[256] = "MSH|";
        size_t size = 4;
        for (unsigned i = 0; i < 24; i++) {
            const char *piece = pieces[random_below(&random, sizeof pieces / sizeof pieces[0])];
            memcpy(file + size, piece, strlen(piece));
            size += strlen(piece);
        }
        every_message_in_parts(guard, bytes_from(file, size));
    }
}

int main(void) {
    struct guard guard;
    guard_init(&guard, 4096);
    test_files(&guard);
    test_parts(&guard);
    test_zero_bytes(&guard);
    test_large();
    guard_release(&guard);
    return done();
}
