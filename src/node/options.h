/* options.h - read the options of a command: `--name VALUE`, `--name=VALUE`, `--flag`, and the rest.
 *
 * Shapes     a table of options; values are texts or numbers; "--" ends options; what is left stays in argv, in order.
 * Errors     false after one sentence on stderr: an unknown option, a value missing or not a number.
 */
#ifndef NODE_OPTIONS_H
#define NODE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct option_spec {
    const char *name;   /* without the dashes */
    bool *flag;         /* one of these three is set */
    const char **text;
    uint64_t *number;
};

/* argv[0] is the command; *count gets how many arguments are left, moved to argv[1].. */
bool options_read(int argc, char **argv, const struct option_spec *specs, int *count);

#endif
