/* rights.h - a role closes itself in; see base/confine.h. */
#ifndef ROLES_RIGHTS_H
#define ROLES_RIGHTS_H

#include "roles/roles.h"

/* Called once a role has its channel and its loop. What it opens later lies in the directories that rights.c names; site_dir
 * NULL: in none of the site's. */
struct confinement role_confine(enum role role, const char *site_dir);

#endif
