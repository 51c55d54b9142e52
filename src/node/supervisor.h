/* supervisor.h - starts the roles of a node, or of a viewer of the past; links them, starts again what dies, stops all in order.
 *
 * Shapes     one child process a role, one channel to each; links between roles are socket pairs made here and given to
 *            both ends. It never looks inside what roles report: reports are put together as they came.
 * Errors     ERR_CONFIG before anything is started; afterwards only an exit code.
 * Process    supervisor (veilleuse serve, veilleuse serve --chart).
 */
#ifndef NODE_SUPERVISOR_H
#define NODE_SUPERVISOR_H

#include "node/config.h"
#include "node/site.h"
#include "roles/roles.h"

struct supervisor_options {
    struct sys *sys;
    const char *site_dir;
    struct config *config;
    int mllp_fd, web_fd; /* listening sockets, or -1 */
    /* A viewer: pages of this chart of the past, and of the entries below this number. It is no node: it may run beside one,
     * touches nothing of the site and answers no command. NULL: a node. */
    const char *past_chart;
    uint64_t past_entry_count;
    char mllp_address[128], web_address[128];
    const struct vault_unlock *unlock; /* of the secret keys, in locked memory; NULL: they have no passphrase */
};

/* Runs until SIGTERM or SIGINT; returns an exit code. */
int supervisor_run(const struct supervisor_options *options);

/* What a role's process looked like when it ended. */
enum child_end { CHILD_LEFT, CHILD_KILLED_FROM_OUTSIDE, CHILD_CRASHED };
enum child_end child_end_of(int wait_status);

/* After how long a role that died for the nth time in a row is started again. */
int64_t restart_delay_us(unsigned deaths_in_a_row);

#endif
