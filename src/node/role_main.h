/* role_main.h - the roles that live in node/: each runs until its supervisor stops it and returns an exit code. */
#ifndef NODE_ROLE_MAIN_H
#define NODE_ROLE_MAIN_H

#include "node/config.h"
#include "roles/roles.h"

struct role_start {
    struct sys *sys;
    const char *site_dir;
    const struct config *config;
    /* What opens the site's secret keys, in locked memory; NULL: they have no passphrase, or this role reads none. It is the
     * role's, which frees it as soon as its keys are read. */
    struct vault_unlock *unlock;
    uint64_t set_aside; /* chart: this entry killed the role twice; UINT64_MAX: none */
    bool is_careful;    /* chart: take entries one by one and say which */
    /* Of a viewer. */
    const char *past_chart; /* web: the chart it shows; NULL in a node */
    uint64_t below;         /* open: only entries below this are given; UINT64_MAX in a node */
};

int role_commit_main(const struct role_start *start);
int role_publish_main(const struct role_start *start);
int role_open_main(const struct role_start *start);
int role_chart_main(const struct role_start *start);

#endif
