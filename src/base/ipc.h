/* ipc.h - typed messages between roles, over a socket pair.
 *
 * Shapes     frame: size u32 (of the payload), type u16, zero u16, payload. Numbers big-endian,
 *            bytes behind u32. Many frames go out with one write and come in with one read.
 * Errors     a reader that finds a byte too few or too many, a frame larger than
 *            IPC_FRAME_BYTES_MAX or an unknown type is a bug of a trusted peer or a peer taken
 *            over: ERR_INPUT, and the role stops.
 *            ERR_FULL from ipc_put_end: the bounded output is full; flush, or stop taking work
 *            (back-pressure). ERR_LIMIT from it: larger than any frame may be.
 *            ERR_STATE: the peer is gone.
 * Ownership  a received frame's payload is a view into the channel's buffer until the next
 *            ipc_read. A descriptor received with a frame is the receiver's once he takes it with
 *            ipc_take_fd; one that nobody took is closed at a later ipc_read or at ipc_release.
 * Limits     IPC_FRAME_BYTES_MAX, out_bytes_max.
 * Process    all.
 */
#ifndef BASE_IPC_H
#define BASE_IPC_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/sys.h"

#define IPC_FRAME_BYTES_MAX (256u * 1024u)
#define IPC_HEADER_BYTES    8u

struct ipc {
    struct sys *sys;
    int fd; /* non-blocking; -1 when closed */
    uint8_t *in, *out;
    size_t in_start, in_end, in_bytes_max;
    size_t out_start, out_end, out_bytes_max;
    size_t frame_start; /* of the frame being put; out_end moves at ipc_put_end */
    size_t put_end;
    bool put_full;
    int received_fd; /* of the last frames read; -1 when none or taken */
    int send_fd;     /* to go with the next write; -1 when none */
};

struct ipc_frame {
    uint16_t type;
    struct bytes payload;
};

/* A connected pair of stream sockets, non-blocking, close-on-exec. */
MUST_CHECK enum err ipc_pair(struct sys *sys, int fds[2], struct fault *fault);
/* Take over `fd`; buffers of these sizes (at least one frame each). */
MUST_CHECK enum err ipc_init(struct ipc *ipc, struct sys *sys, int fd, size_t in_bytes_max,
                             size_t out_bytes_max);
void ipc_release(struct ipc *ipc); /* closes fd too */

/* Put a frame: begin, fields, end. ERR_FULL from _end: nothing of the frame was put. */
void ipc_put_begin(struct ipc *ipc, uint16_t type);
void ipc_put_u8(struct ipc *ipc, uint8_t n);
void ipc_put_u32(struct ipc *ipc, uint32_t n);
void ipc_put_u64(struct ipc *ipc, uint64_t n);
void ipc_put_bytes(struct ipc *ipc, struct bytes b);
MUST_CHECK enum err ipc_put_end(struct ipc *ipc);
/* Bytes that may still be put (one frame's header counted). */
size_t ipc_room(const struct ipc *ipc);
bool ipc_has_output(const struct ipc *ipc);
/* Send what was put, as far as the socket takes it. ERR_OK also when some is left. */
MUST_CHECK enum err ipc_flush(struct ipc *ipc);
/* Send a frame of no payload but one descriptor, at once (supervisor's channel; the output must be
 * empty or is flushed first). */
MUST_CHECK enum err ipc_send_fd(struct ipc *ipc, uint16_t type, uint32_t argument, int fd);

/* Read once what the socket has. ERR_MORE: nothing there. ERR_STATE: the peer is gone.
 * ERR_FULL: the buffer is full of frames; take some first. */
MUST_CHECK enum err ipc_read(struct ipc *ipc);
/* Take the next whole frame out of what was read. ERR_MORE: none. */
MUST_CHECK enum err ipc_next(struct ipc *ipc, struct ipc_frame *frame);
/* The descriptor that came with the frame just taken, now the caller's; -1 when there is none. */
int ipc_take_fd(struct ipc *ipc);

/* Fields of a payload, in order; after a short read all is zero and ipc_reader_end says so. */
struct ipc_reader {
    const uint8_t *at, *end;
    bool is_short;
};
void ipc_reader_init(struct ipc_reader *reader, struct bytes payload);
uint8_t ipc_get_u8(struct ipc_reader *reader);
uint32_t ipc_get_u32(struct ipc_reader *reader);
uint64_t ipc_get_u64(struct ipc_reader *reader);
struct bytes ipc_get_bytes(struct ipc_reader *reader);
/* ERR_INPUT unless every byte was read and none was missing. */
MUST_CHECK enum err ipc_reader_end(const struct ipc_reader *reader);

#endif
