/* rights.h - a role closes itself in; see base/confine.h. */
#ifndef ROLES_RIGHTS_H
#define ROLES_RIGHTS_H

#include "roles/roles.h"

/* Called once a role has its channel and its loop. What it opens later lies in the directories that rights.c names; site_dir
 * NULL: in none of the site's; or in `more`, at most RIGHTS_MORE_MAX. */
#define RIGHTS_MORE_MAX 8u
struct confinement role_confine(enum role role, const char *site_dir,
                                const struct confine_path *more, size_t more_count);

#endif
