/* ipc.c - typed messages between roles: many small frames gathered into few writes and reads.
 *
 * Invariants
 *   1. in_start <= in_end <= in_bytes_max; the bytes between are what was read and not yet taken.
 *   2. out_start <= out_end <= out_bytes_max; the bytes between are whole frames, the first of
 * which may be sent in part. A frame being put lies from frame_start = out_end on and is not yet
 * sent.
 *   3. put_end goes on counting when the frame does not fit, so that its end knows how large it
 * was.
 *   4. At most one received descriptor is held. As long as it is not taken, nothing is read beyond
 * the frame it came with, so that no two can be confused. */
#include "base/ipc.h"
#include "base/pool.h"
#include <assert.h>
#include <errno.h>
#include <stdalign.h>

#define FRAME_AND_HEADER_MAX ((size_t)IPC_FRAME_BYTES_MAX + IPC_HEADER_BYTES)

enum err ipc_pair(struct sys *sys, int fds[2], struct fault *fault) {
    if (sys_socketpair(sys, fds) < 0)
        return fault_set_errno(fault, ERR_IO, errno, "cannot make a socket pair", NULL);
    return ERR_OK;
}

static size_t at_least_a_frame(size_t size) {
    return size > FRAME_AND_HEADER_MAX ? size : FRAME_AND_HEADER_MAX;
}

enum err ipc_init(struct ipc *ipc, struct sys *sys, int fd, size_t in_bytes_max,
                  size_t out_bytes_max) {
    *ipc = (struct ipc){.sys = sys,
                        .fd = fd,
                        .in_bytes_max = at_least_a_frame(in_bytes_max),
                        .out_bytes_max = at_least_a_frame(out_bytes_max),
                        .received_fd = -1,
                        .send_fd = -1};
    ipc->in = memory_alloc(ipc->in_bytes_max, 1);
    ipc->out = memory_alloc(ipc->out_bytes_max, 1);
    if (ipc->in && ipc->out)
        return ERR_OK;
    ipc_release(ipc);
    return ERR_MEMORY;
}

static void close_received(struct ipc *ipc) {
    if (ipc->received_fd >= 0)
        sys_close(ipc->sys, ipc->received_fd);
    ipc->received_fd = -1;
}

void ipc_release(struct ipc *ipc) {
    close_received(ipc);
    if (ipc->fd >= 0)
        sys_close(ipc->sys, ipc->fd);
    memory_free(ipc->in);
    memory_free(ipc->out);
    *ipc = (struct ipc){.fd = -1, .received_fd = -1, .send_fd = -1};
}

/* ---- putting ---- */

/* Move what is still to be sent, and the frame being put, to the start of the buffer. */
static void compact_output(struct ipc *ipc, size_t end) {
    memmove(ipc->out, ipc->out + ipc->out_start, end - ipc->out_start);
    ipc->out_end -= ipc->out_start;
    ipc->frame_start -= ipc->out_start;
    ipc->put_end -= ipc->out_start;
    ipc->out_start = 0;
}

/* Where the next `size` bytes of the frame go, or NULL when there is no room for them. */
static uint8_t *put_room(struct ipc *ipc, size_t size) {
    if (!ipc->put_full && size > ipc->out_bytes_max - ipc->put_end && ipc->out_start > 0)
        compact_output(ipc, ipc->put_end);
    if (ipc->put_full || size > ipc->out_bytes_max - ipc->put_end) {
        ipc->put_full = true;
        if (__builtin_add_overflow(ipc->put_end, size, &ipc->put_end))
            ipc->put_end = SIZE_MAX;
        return NULL;
    }
    uint8_t *room = ipc->out + ipc->put_end;
    ipc->put_end += size;
    return room;
}

void ipc_put_begin(struct ipc *ipc, uint16_t type) {
    ipc->frame_start = ipc->put_end = ipc->out_end;
    ipc->put_full = false;
    uint8_t *header = put_room(ipc, IPC_HEADER_BYTES);
    if (!header)
        return;
    store_u32(header, 0);
    store_u16(header + 4, type);
    store_u16(header + 6, 0);
}

void ipc_put_u8(struct ipc *ipc, uint8_t n) {
    uint8_t *room = put_room(ipc, 1);
    if (room)
        *room = n;
}

void ipc_put_u32(struct ipc *ipc, uint32_t n) {
    uint8_t *room = put_room(ipc, 4);
    if (room)
        store_u32(room, n);
}

void ipc_put_u64(struct ipc *ipc, uint64_t n) {
    uint8_t *room = put_room(ipc, 8);
    if (room)
        store_u64(room, n);
}

void ipc_put_bytes(struct ipc *ipc, struct bytes b) {
    ipc_put_u32(ipc, b.size < UINT32_MAX ? (uint32_t)b.size : UINT32_MAX);
    uint8_t *room = put_room(ipc, b.size);
    if (room && b.size)
        memcpy(room, b.data, b.size);
}

enum err ipc_put_end(struct ipc *ipc) {
    size_t payload_bytes = ipc->put_end - ipc->frame_start - IPC_HEADER_BYTES;
    if (payload_bytes > IPC_FRAME_BYTES_MAX)
        return ERR_LIMIT;
    if (ipc->put_full)
        return ERR_FULL;
    store_u32(ipc->out + ipc->frame_start, (uint32_t)payload_bytes);
    ipc->out_end = ipc->put_end;
    return ERR_OK;
}

size_t ipc_room(const struct ipc *ipc) {
    size_t room = ipc->out_bytes_max - (ipc->out_end - ipc->out_start);
    return room > IPC_HEADER_BYTES ? room - IPC_HEADER_BYTES : 0;
}

bool ipc_has_output(const struct ipc *ipc) {
    return ipc->out_end > ipc->out_start;
}

/* ---- sending ---- */

static bool is_gone(int errnum) {
    return errnum == EPIPE || errnum == ECONNRESET || errnum == ENOTCONN;
}

/* One write of what is waiting; *sent 0 when the socket takes nothing now. */
static enum err send_once(struct ipc *ipc, size_t *sent) {
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {ipc->out + ipc->out_start, ipc->out_end - ipc->out_start};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (ipc->send_fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &ipc->send_fd, sizeof(int));
    }
    ssize_t n = sys_sendmsg(ipc->sys, ipc->fd, &message, MSG_DONTWAIT);
    *sent = n > 0 ? (size_t)n : 0;
    if (n < 0 && errno != EAGAIN)
        return is_gone(errno) ? ERR_STATE : ERR_IO;
    if (*sent)
        ipc->send_fd = -1;
    return ERR_OK;
}

enum err ipc_flush(struct ipc *ipc) {
    if (ipc->fd < 0)
        return ERR_STATE;
    while (ipc_has_output(ipc)) {
        size_t sent;
        enum err err = send_once(ipc, &sent);
        if (err)
            return err;
        if (sent == 0)
            break;
        ipc->out_start += sent;
    }
    if (!ipc_has_output(ipc))
        ipc->out_start = ipc->out_end = 0;
    else if (ipc->out_start > ipc->out_bytes_max / 2)
        compact_output(ipc, ipc->out_end);
    return ERR_OK;
}

enum err ipc_send_fd(struct ipc *ipc, uint16_t type, uint32_t argument, int fd) {
    enum err err = ipc_flush(ipc);
    if (err)
        return err;
    if (ipc_has_output(ipc))
        return ERR_FULL;
    ipc_put_begin(ipc, type);
    ipc_put_u32(ipc, argument);
    err = ipc_put_end(ipc);
    if (err)
        return err;
    ipc->send_fd = fd;
    err = ipc_flush(ipc);
    if (err || ipc->send_fd < 0)
        return err;
    /* The socket took nothing. The descriptor is the caller's and may be closed any moment, so it
     * cannot wait here. */
    ipc->send_fd = -1;
    ipc->out_start = ipc->out_end = 0;
    return ERR_FULL;
}

/* ---- reading ---- */

static size_t waiting_bytes(const struct ipc *ipc) {
    return ipc->in_end - ipc->in_start;
}

/* How many bytes the frame at in_start lacks, as far as can be seen: first those of its header. */
static size_t missing_bytes(const struct ipc *ipc) {
    size_t waiting = waiting_bytes(ipc);
    if (waiting < IPC_HEADER_BYTES)
        return IPC_HEADER_BYTES - waiting;
    size_t whole = IPC_HEADER_BYTES + (size_t)load_u32(ipc->in + ipc->in_start);
    return whole > waiting ? whole - waiting : 0;
}

/* Room behind what waits; the part of a frame that waits is moved only when room gets short. */
static size_t make_input_room(struct ipc *ipc) {
    size_t waiting = waiting_bytes(ipc);
    if (waiting == 0) {
        ipc->in_start = ipc->in_end = 0;
    } else if (ipc->in_start > 0 && ipc->in_bytes_max - ipc->in_end < ipc->in_bytes_max / 2) {
        memmove(ipc->in, ipc->in + ipc->in_start, waiting);
        ipc->in_start = 0;
        ipc->in_end = waiting;
    }
    return ipc->in_bytes_max - ipc->in_end;
}

static void take_descriptor(struct ipc *ipc, struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len < CMSG_LEN(sizeof(int)))
        return;
    close_received(ipc);
    memcpy(&ipc->received_fd, CMSG_DATA(header), sizeof(int));
}

static enum err read_once(struct ipc *ipc, size_t room) {
    /* The length admits one descriptor: the kernel closes what a false peer sends beyond that. */
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {ipc->in + ipc->in_end, room};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t n = sys_recvmsg(ipc->sys, ipc->fd, &message, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return ERR_MORE;
    if (n < 0)
        return is_gone(errno) ? ERR_STATE : ERR_IO;
    take_descriptor(ipc, &message);
    ipc->in_end += (size_t)n;
    return n == 0 ? ERR_STATE : ERR_OK;
}

enum err ipc_read(struct ipc *ipc) {
    if (ipc->fd < 0)
        return ERR_STATE;
    size_t room = make_input_room(ipc);
    if (waiting_bytes(ipc) == 0)
        close_received(ipc);
    if (ipc->received_fd >= 0 && missing_bytes(ipc) < room)
        room = missing_bytes(ipc);
    return room ? read_once(ipc, room) : ERR_FULL;
}

enum err ipc_next(struct ipc *ipc, struct ipc_frame *frame) {
    size_t waiting = waiting_bytes(ipc);
    const uint8_t *header = ipc->in + ipc->in_start;
    if (waiting < IPC_HEADER_BYTES)
        return ERR_MORE;
    size_t payload_bytes = load_u32(header);
    if (payload_bytes > IPC_FRAME_BYTES_MAX || load_u16(header + 6) != 0)
        return ERR_INPUT;
    if (waiting - IPC_HEADER_BYTES < payload_bytes)
        return ERR_MORE;
    frame->type = load_u16(header + 4);
    frame->payload = bytes_from(header + IPC_HEADER_BYTES, payload_bytes);
    ipc->in_start += IPC_HEADER_BYTES + payload_bytes;
    assert(ipc->in_start <= ipc->in_end);
    return ERR_OK;
}

int ipc_take_fd(struct ipc *ipc) {
    int fd = ipc->received_fd;
    ipc->received_fd = -1;
    return fd;
}

/* ---- fields ---- */

void ipc_reader_init(struct ipc_reader *reader, struct bytes payload) {
    static const uint8_t nothing[1];
    const uint8_t *start = payload.data ? payload.data : nothing;
    *reader = (struct ipc_reader){.at = start, .end = start + payload.size};
}

/* The next `size` bytes, or NULL when they are not all there. */
static const uint8_t *get(struct ipc_reader *reader, size_t size) {
    const uint8_t *field = reader->at;
    if (reader->is_short || size > (size_t)(reader->end - reader->at)) {
        reader->is_short = true;
        return NULL;
    }
    reader->at += size;
    return field;
}

uint8_t ipc_get_u8(struct ipc_reader *reader) {
    const uint8_t *field = get(reader, 1);
    return field ? *field : 0;
}

uint32_t ipc_get_u32(struct ipc_reader *reader) {
    const uint8_t *field = get(reader, 4);
    return field ? load_u32(field) : 0;
}

uint64_t ipc_get_u64(struct ipc_reader *reader) {
    const uint8_t *field = get(reader, 8);
    return field ? load_u64(field) : 0;
}

struct bytes ipc_get_bytes(struct ipc_reader *reader) {
    size_t size = ipc_get_u32(reader);
    const uint8_t *field = get(reader, size);
    return field ? bytes_from(field, size) : BYTES_NONE;
}

enum err ipc_reader_end(const struct ipc_reader *reader) {
    return reader->is_short || reader->at != reader->end ? ERR_INPUT : ERR_OK;
}
