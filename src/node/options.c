/* options.c - the options of commands. */
#include "node/options.h"

#include "base/bytes.h"

#include <stdio.h>

static const struct option_spec *find_option(const struct option_spec *specs, struct bytes name) {
    for (; specs->name; specs++)
        if (bytes_is(name, specs->name))
            return specs;
    return NULL;
}

static bool take_value(const char *command, const struct option_spec *spec, const char *value) {
    if (spec->text) {
        *spec->text = value;
        return true;
    }
    if (bytes_to_u64(bytes_from_string(value), spec->number))
        return true;
    fprintf(stderr, "veilleuse %s: --%s takes a number, not `%s`\n", command, spec->name, value);
    return false;
}

/* Returns how many arguments were used, 0 on an error. */
static int take_option(int argc, char **argv, int at, const struct option_spec *specs) {
    struct bytes name = bytes_from_string(argv[at] + 2);
    size_t equals = bytes_find(name, '=');
    const char *value = equals == BYTES_NOT_FOUND ? NULL : argv[at] + 2 + equals + 1;
    const struct option_spec *spec =
        find_option(specs, equals == BYTES_NOT_FOUND ? name : bytes_first(name, equals));
    if (!spec || (spec->flag && value)) {
        fprintf(stderr, "veilleuse %s: unknown option `%s`\n", argv[0], argv[at]);
        return 0;
    }
    if (spec->flag) {
        *spec->flag = true;
        return 1;
    }
    int used = value ? 1 : 2;
    if (!value && at + 1 < argc)
        value = argv[at + 1];
    if (!value) {
        fprintf(stderr, "veilleuse %s: --%s needs a value\n", argv[0], spec->name);
        return 0;
    }
    return take_value(argv[0], spec, value) ? used : 0;
}

bool options_read(int argc, char **argv, const struct option_spec *specs, int *count) {
    int kept = 1;
    bool ended = false;
    for (int at = 1; at < argc;) {
        if (!ended && strcmp(argv[at], "--") == 0) {
            ended = true;
            at++;
        } else if (!ended && strncmp(argv[at], "--", 2) == 0) {
            int used = take_option(argc, argv, at, specs);
            if (used == 0)
                return false;
            at += used;
        } else {
            argv[kept++] = argv[at++];
        }
    }
    *count = kept - 1;
    return true;
}
