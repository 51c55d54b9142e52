/* ipc_test.c - typed messages between roles. */
#include "base/ipc.h"
#include "base/random.h"
#include "tap.h"
#include <fcntl.h>
#include <unistd.h>

static struct ipc left, right;

static void open_pair(size_t in_bytes_max, size_t out_bytes_max) {
    int fds[2];
    is_int(ipc_pair(NULL, fds, NULL), ERR_OK);
    is_int(ipc_init(&left, NULL, fds[0], in_bytes_max, out_bytes_max), ERR_OK);
    is_int(ipc_init(&right, NULL, fds[1], in_bytes_max, out_bytes_max), ERR_OK);
}

static void close_pair(void) {
    ipc_release(&left);
    ipc_release(&right);
}

static enum err put(struct ipc *ipc, uint16_t type, struct bytes body) {
    ipc_put_begin(ipc, type);
    ipc_put_bytes(ipc, body);
    return ipc_put_end(ipc);
}

static enum err put_empty(struct ipc *ipc, uint16_t type) {
    ipc_put_begin(ipc, type);
    return ipc_put_end(ipc);
}

static void test_fields(void) {
    struct ipc_frame frame = {0};
    struct ipc_reader reader;
    open_pair(0, 0);
    is_int(ipc_read(&right), ERR_MORE);
    ipc_put_begin(&left, 7);
    ipc_put_u8(&left, 200);
    ipc_put_u32(&left, UINT32_MAX);
    ipc_put_u64(&left, UINT64_MAX - 1);
    ipc_put_bytes(&left, BYTES("bytes"));
    ipc_put_bytes(&left, BYTES_NONE);
    is_int(ipc_put_end(&left), ERR_OK);
    ok(ipc_has_output(&left));
    is_int(ipc_flush(&left), ERR_OK);
    ok(!ipc_has_output(&left));
    is_int(ipc_read(&right), ERR_OK);
    is_int(ipc_next(&right, &frame), ERR_OK);
    is_int(frame.type, 7);
    ipc_reader_init(&reader, frame.payload);
    is_int(ipc_get_u8(&reader), 200);
    is_int(ipc_get_u32(&reader), UINT32_MAX);
    ok(ipc_get_u64(&reader) == UINT64_MAX - 1);
    ok(bytes_is(ipc_get_bytes(&reader), "bytes"));
    is_int(ipc_reader_end(&reader), ERR_INPUT);
    is_int(ipc_get_bytes(&reader).size, 0);
    is_int(ipc_reader_end(&reader), ERR_OK);
    is_int(ipc_get_u8(&reader), 0);
    is_int(ipc_reader_end(&reader), ERR_INPUT);
    is_int(ipc_next(&right, &frame), ERR_MORE);
    is_int(put_empty(&left, 8), ERR_OK);
    is_int(ipc_flush(&left), ERR_OK);
    is_int(ipc_read(&right), ERR_OK);
    is_int(ipc_next(&right, &frame), ERR_OK);
    is_int(frame.payload.size, 0);
    close_pair();
}

/* After a field that is missing nothing is given any more, even if a smaller one would fit. */
static void test_short_payload(void) {
    static const uint8_t raw[] = {0, 0, 0, 9, 'a', 'b'};
    struct ipc_reader reader;
    ipc_reader_init(&reader, bytes_from(raw, sizeof raw));
    ok(bytes_is_empty(ipc_get_bytes(&reader)));
    is_int(ipc_get_u8(&reader), 0);
    is_int(ipc_reader_end(&reader), ERR_INPUT);
    ipc_reader_init(&reader, BYTES_NONE);
    is_int(ipc_reader_end(&reader), ERR_OK);
}

/* A stream of frames cut at any byte, and one byte at a time, gives the same frames. */
static void test_cut_everywhere(void) {
    uint8_t stream[128];
    unsigned wrong = 0;
    open_pair(0, 0);
    is_int(put(&left, 1, BYTES("first")), ERR_OK);
    is_int(put(&left, 2, BYTES_NONE), ERR_OK);
    is_int(put(&left, 3, BYTES("third")), ERR_OK);
    size_t size = left.out_end;
    memcpy(stream, left.out, size);
    for (size_t cut = 0; cut <= size; cut++) {
        struct ipc_frame frame;
        unsigned next = 1;
        const size_t ends[] = {cut, size};
        for (size_t i = 0, from = 0; i < 2; from = ends[i++]) {
            if (ends[i] == from)
                continue;
            wrong += write(left.fd, stream + from, ends[i] - from) < 0;
            wrong += ipc_read(&right) != ERR_OK;
            while (ipc_next(&right, &frame) == ERR_OK)
                wrong += frame.type != next++;
        }
        wrong += next != 4;
    }
    is_int(wrong, 0);
    close_pair();
}

static void test_refused(void) {
    static const uint8_t too_large[] = {0, 4, 0, 1, 0, 1, 0, 0},
                         not_zero[] = {0, 0, 0, 0, 0, 1, 0, 1};
    struct ipc_frame frame;
    open_pair(0, 0);
    ok(write(left.fd, too_large, 8) == 8 && ipc_read(&right) == ERR_OK);
    is_int(ipc_next(&right, &frame), ERR_INPUT);
    close_pair();
    open_pair(0, 0);
    ok(write(left.fd, not_zero, 8) == 8 && ipc_read(&right) == ERR_OK);
    is_int(ipc_next(&right, &frame), ERR_INPUT);
    close_pair();
}

static void test_full(void) {
    static uint8_t body[IPC_FRAME_BYTES_MAX];
    struct ipc_frame frame;
    open_pair(0, 0);
    is_int(put(&left, 1, bytes_from(body, sizeof body)), ERR_LIMIT);
    ok(!ipc_has_output(&left), "nothing of a refused frame is put");
    is_int(put(&left, 1, bytes_from(body, sizeof body - 4)), ERR_OK);
    is_int(ipc_room(&left), 0);
    is_int(put(&left, 2, BYTES("x")), ERR_FULL);
    is_int(put_empty(&left, 2), ERR_FULL);
    unsigned reads = 0;
    while (ipc_next(&right, &frame) == ERR_MORE && reads++ < 1000) {
        ok(ipc_flush(&left) == ERR_OK);
        enum err err = ipc_read(&right);
        ok(err == ERR_OK || err == ERR_MORE);
    }
    is_int(frame.payload.size, IPC_FRAME_BYTES_MAX);
    ok(!ipc_has_output(&left) && ipc_room(&left) == left.out_bytes_max - IPC_HEADER_BYTES);
    close_pair();
}

/* Many frames of all sizes, a reader slower than the writer: each arrives once, whole, in order. */
static void test_many(void) {
    static uint8_t body[5000];
    struct random random;
    struct ipc_frame frame;
    uint64_t put_count = 0, got_count = 0, wrong = 0;
    random_init(&random, 9);
    memset(body, 'x', sizeof body);
    open_pair(300000, 300000);
    while (got_count < 20000) {
        for (uint64_t n = random_below(&random, 200); n; n--) {
            store_u64(body, put_count);
            size_t size = 8 + random_below(&random, 4993);
            if (put(&left, (uint16_t)put_count, bytes_from(body, size)))
                break; /* full: nothing of it was put */
            put_count++;
        }
        if (random_chance(&random, 700))
            wrong += ipc_flush(&left) != ERR_OK;
        enum err err = random_chance(&random, 500) ? ipc_read(&right) : ERR_MORE;
        wrong += err && err != ERR_MORE && err != ERR_FULL;
        for (uint64_t n = random_below(&random, 150); n && ipc_next(&right, &frame) == ERR_OK;
             n--) {
            wrong += load_u64(frame.payload.data + 4) != got_count ||
                     frame.type != (uint16_t)got_count ||
                     load_u32(frame.payload.data) != frame.payload.size - 4;
            got_count++;
        }
    }
    is_int(wrong, 0);
    close_pair();
}

static void test_gone(void) {
    struct ipc_frame frame;
    open_pair(0, 0);
    is_int(put(&left, 1, BYTES("last words")), ERR_OK);
    is_int(ipc_flush(&left), ERR_OK);
    ipc_release(&left);
    is_int(ipc_read(&right), ERR_OK);
    is_int(ipc_next(&right, &frame), ERR_OK);
    is_int(ipc_read(&right), ERR_STATE);
    is_int(put(&right, 1, BYTES("anybody?")), ERR_OK);
    is_int(ipc_flush(&right), ERR_STATE);
    ipc_release(&right);
    is_int(ipc_read(&right), ERR_STATE);
    ipc_release(&right);
}

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

/* Each frame finds its own descriptor, also when several lie in the socket, in parts. */
static void test_descriptors(void) {
    struct ipc_frame frame;
    int fds[3];
    open_pair(0, 0);
    is_int(put(&left, 1, BYTES("before")), ERR_OK);
    for (uint32_t i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        fds[i] = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        ok(write(fds[i], name, 1) == 1);
        is_int(ipc_send_fd(&left, 2, i, fds[i]), ERR_OK);
        ok(is_open(fds[i]), "the sender keeps his own");
        close(fds[i]);
    }
    for (uint32_t wanted = 0; wanted < 3;) {
        enum err err = ipc_read(&right);
        if (!ok(err == ERR_OK))
            break;
        while (ipc_next(&right, &frame) == ERR_OK) {
            char name = 0;
            if (frame.type != 2)
                continue;
            int fd = ipc_take_fd(&right);
            ok(fd >= 0 && pread(fd, &name, 1, 0) == 1 && name == (char)('0' + wanted));
            ok(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            is_int(load_u32(frame.payload.data), wanted++);
            close(fd);
        }
    }
    is_int(ipc_take_fd(&right), -1);
    close_pair();
}

static void test_unwanted_descriptor(void) {
    struct ipc_frame frame;
    open_pair(0, 0);
    is_int(ipc_send_fd(&left, 2, 0, STDIN_FILENO), ERR_OK);
    is_int(ipc_read(&right), ERR_OK);
    int fd = right.received_fd;
    is_int(ipc_next(&right, &frame), ERR_OK);
    is_int(ipc_read(&right), ERR_MORE);
    ok(!is_open(fd), "a descriptor that nobody takes is closed");
    close_pair();
}

static void test_descriptor_when_full(void) {
    static uint8_t body[100000];
    open_pair(0, 1u << 20);
    for (int i = 0; i < 8; i++)
        is_int(put(&left, 1, bytes_from(body, sizeof body)), ERR_OK);
    is_int(ipc_send_fd(&left, 2, 0, STDIN_FILENO), ERR_FULL);
    ok(ipc_has_output(&left) && is_open(STDIN_FILENO));
    close_pair();
}

int main(void) {
    test_fields();
    test_short_payload();
    test_cut_everywhere();
    test_refused();
    test_full();
    test_many();
    test_gone();
    test_descriptors();
    test_unwanted_descriptor();
    test_descriptor_when_full();
    return done();
}
