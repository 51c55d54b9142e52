/* control.c - the supervisor's side of the control socket: status, a new chart generation, a link for import, what retention found. */
#include "node/supervisor_state.h"

#include <signal.h>
#include <unistd.h>

static void put_answer(struct control *control, enum err code, struct bytes text) {
    ipc_put_begin(&control->ipc, CONTROL_ANSWER);
    ipc_put_u8(&control->ipc, (uint8_t)code);
    ipc_put_bytes(&control->ipc, text);
    if (ipc_put_end(&control->ipc) || ipc_flush(&control->ipc))
        control->is_done = true;
}

static void control_import(struct control *control) {
    struct supervisor *supervisor = control->supervisor;
    struct child *commit = &supervisor->children[ROLE_COMMIT];
    int fds[2];
    struct fault fault = {0};
    if (!child_is_running(commit) || ipc_pair(supervisor->options->sys, fds, &fault)) {
        put_answer(control, ERR_STATE, BYTES_NONE);
        return;
    }
    child_give_fd(commit, MESSAGE_PEER, ROLE_IMPORT, fds[0]);
    if (ipc_send_fd(&control->ipc, CONTROL_LINK, 0, fds[1]))
        control->is_done = true;
    sys_close(supervisor->options->sys, fds[0]);
    sys_close(supervisor->options->sys, fds[1]);
}

/* A rebuilt generation lies ready: the file that names the current one is changed by the command, under this
 * socket's order; the chart role is started anew on it. */
static void control_switch(struct control *control) {
    struct child *chart = &control->supervisor->children[ROLE_CHART];
    if (chart->pid > 0)
        kill(chart->pid, SIGKILL);
    chart->deaths_in_a_row = 0;
    put_answer(control, ERR_OK, BYTES_NONE);
}

/* What the command found goes into the state as it came: it is of the same user, and is not parsed here. */
static enum err control_retention(struct control *control, const struct ipc_frame *frame) {
    struct supervisor *supervisor = control->supervisor;
    struct bytes text;
    enum err err = roles_get_text(frame, &text);
    if (err || text.size > sizeof supervisor->retention)
        return ERR_INPUT;
    memcpy(supervisor->retention, text.data, text.size);
    supervisor->retention_bytes = (uint32_t)text.size;
    put_answer(control, ERR_OK, BYTES_NONE);
    return ERR_OK;
}

static enum err control_frame(struct control *control, const struct ipc_frame *frame) {
    uint64_t number;
    if (frame->type == CONTROL_RETENTION)
        return control_retention(control, frame);
    enum err err = roles_get_number(frame, &number);
    if (err)
        return err;
    switch (frame->type) {
    case CONTROL_STATUS:
        put_answer(control, ERR_OK, supervisor_state(control->supervisor));
        return ERR_OK;
    case CONTROL_SWITCH:
        control_switch(control);
        return ERR_OK;
    case CONTROL_IMPORT:
        control_import(control);
        return ERR_OK;
    default:
        return ERR_INPUT;
    }
}

static void control_ready(struct loop_watch *watch, uint32_t ready) {
    struct control *control = watch->owner;
    struct ipc_frame frame;
    (void)ready;
    enum err read = ipc_read(&control->ipc);
    enum err err;
    while (!(err = ipc_next(&control->ipc, &frame)) && !(err = control_frame(control, &frame)))
        continue;
    if (ipc_flush(&control->ipc) || (read && read != ERR_MORE) || (err && err != ERR_MORE))
        control->is_done = true;
    if (control->is_done) {
        loop_watch_clear(&control->supervisor->loop, watch);
        ipc_release(&control->ipc);
        control->is_used = false;
        return;
    }
    uint32_t interest = LOOP_READ | (ipc_has_output(&control->ipc) ? LOOP_WRITE : 0);
    if (loop_watch_set(&control->supervisor->loop, watch, control->ipc.fd, interest))
        control->is_done = true;
}

static bool peer_is_owner(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
           (peer.uid == getuid() || peer.uid == 0);
}

void control_accept(struct loop_watch *watch, uint32_t ready) {
    struct supervisor *supervisor = watch->owner;
    struct sockaddr_storage address;
    (void)ready;
    int fd = sys_accept(supervisor->options->sys, watch->fd, &address);
    if (fd < 0)
        return;
    struct control *control = NULL;
    for (size_t i = 0; i < CONTROL_COUNT_MAX && !control; i++)
        if (!supervisor->controls[i].is_used)
            control = &supervisor->controls[i];
    if (!control || !peer_is_owner(fd) ||
        ipc_init(&control->ipc, supervisor->options->sys, fd, CHANNEL_BYTES, 2 * CHANNEL_BYTES)) {
        sys_close(supervisor->options->sys, fd);
        return;
    }
    control->supervisor = supervisor;
    control->is_used = true;
    control->is_done = false;
    control->watch = (struct loop_watch){.fd = -1, .on_ready = control_ready, .owner = control};
    if (loop_watch_set(&supervisor->loop, &control->watch, fd, LOOP_READ)) {
        ipc_release(&control->ipc);
        control->is_used = false;
    }
}
