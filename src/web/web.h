/* web.h - the pages that a ward sees: charts read and written out as HTML, in French or English.
 *
 * Shapes     HTTP/1.1 through libmicrohttpd (src/web/http.h); pages from templates compiled into C that escape by default.
 * Errors     a page for each: 404, 400, 503 with the node's state; a broken supervisor link ends the role.
 * Process    web: reads the chart read-only, asks open for single entries; holds no key of the vault, writes no file.
 *            In a viewer of the past it reaches no file of the site: its chart is open before it closes itself in.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "base/base.h"
#include "chart/chart.h"
#include "roles/roles.h"

/* One feed that may say nothing for longer, or less long, than the others. */
struct web_patience {
    char application[64]; /* MSH-3 */
    int64_t late_s, silent_s;
};

struct web_options {
    struct sys *sys;
    const char *site_dir;
    const char *site_name, *node_name;
    const char *zone;              /* IANA name, for times on pages */
    int64_t late_s, silent_s;      /* a source is late, then silent, after so many seconds without a message */
    const struct web_patience *patience; /* feeds of which this is not true */
    size_t patience_count;
    enum hl7_charset otherwise;    /* the characters of messages that do not say theirs */
    int64_t message_bytes_max;     /* the largest body that is taken */
    bool is_demo;                  /* says so on every page */
    const char *past_chart;        /* a viewer: this file, of the past, and nothing else; NULL: the site's living chart */
};
/* The web role: supervisor's channel on ROLE_SUPERVISOR_FD. Returns an exit code. */
int web_role_main(const struct web_options *options);

/* The one for this feed, or NULL. */
const struct web_patience *web_patience_find(const struct web_patience *patience, size_t count,
                                             struct bytes application);

#endif
