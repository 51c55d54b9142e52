/* command_site.c - init, serve, and the door of roles: a site's life from the command line. */
#include "node/node.h"

#include "chart/chart.h"
#include "fhir/fhir.h"
#include "feeds/feeds.h"
#include "node/options.h"
#include "node/passphrase.h"
#include "node/recovery.h"
#include "node/role_main.h"
#include "node/site.h"
#include "node/site_chart.h"
#include "node/supervisor.h"
#include "web/web.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define BIND_TRIES   100
#define BIND_WAIT_US 30000

static const char init_usage[] =
    "init DIR --site ID [--name TEXT] [--node ID] [--shares K/N] [--sheets FILE.pdf] [--demo]";
static const char serve_usage[] = "serve DIR [--mllp [ADDR:]PORT] [--web [ADDR:]PORT] | serve DIR "
                                  "--chart FILE [--web [ADDR:]PORT]; either: [--passphrase-file FILE]";

/* ---- init ---- */

/* `recovery` NULL: none, in a demonstration. */
static enum err make_site(const char *dir, const struct config *config,
                          const struct recovery *recovery, const char *sheets,
                          struct fault *fault) {
    static const char *const parts[] = {"run", "chart", "cache", FHIR_ACCESS_DIR};
    char path[SITE_PATH_BYTES], origin[CONFIG_VALUE_BYTES * 2 + 32];
    enum err err = sys_make_dirs(NULL, dir, 0750, fault);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !err; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
        err = sys_make_dirs(NULL, path, 0700, fault);
    }
    snprintf(origin, sizeof origin, "%s/veilleuse/%s/1", config->site, config->node);
    /* Sheets that cannot be written must not leave a vault behind that nobody could recover. */
    if (!err && recovery && sheets)
        err = recovery_give_out(recovery, config->name, origin, sheets, fault);
    if (!err)
        err = vault_create(NULL, dir, origin, recovery ? recovery->public_key : NULL, fault);
    if (!err && recovery)
        err = recovery_write_public(recovery, dir, fault);
    if (!err)
        err = site_publish(NULL, dir, NULL, 1, fault); /* the first epoch's key: it begins signed */
    /* The configuration comes last: a directory is a site once it has one. */
    if (!err)
        err = config_write(config, NULL, dir, fault);
    if (!err && recovery && !sheets)
        err = recovery_give_out(recovery, config->name, origin, NULL, fault);
    return err;
}

static bool set_text(char *to, const char *value, const char *what) {
    if (strlen(value) >= CONFIG_VALUE_BYTES || strpbrk(value, "\n\r")) {
        fprintf(stderr, "veilleuse init: the %s is too long or has a line break\n", what);
        return false;
    }
    snprintf(to, CONFIG_VALUE_BYTES, "%s", value);
    return true;
}

int node_init_command(int argc, char **argv) {
    const char *site = NULL, *name = NULL, *node = NULL, *split = "3/5", *sheets = NULL;
    struct config config;
    struct recovery recovery = {0};
    config_default(&config);
    const struct option_spec specs[] = {{"site", NULL, &site, NULL},
                                        {"name", NULL, &name, NULL},
                                        {"node", NULL, &node, NULL},
                                        {"shares", NULL, &split, NULL},
                                        {"sheets", NULL, &sheets, NULL},
                                        {"demo", &config.is_demo, NULL, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1 || !site)
        return command_usage(init_usage);
    if (!set_text(config.site, site, "site") || !set_text(config.name, name ? name : site, "name") ||
        (node && !set_text(config.node, node, "node")))
        return err_exit_code(ERR_USAGE);
    struct fault fault = {0};
    char line[CONFIG_VALUE_BYTES * 2 + 16];
    snprintf(line, sizeof line, "site = %s\nnode = %s\n", config.site, config.node);
    struct config checked;
    if (config_parse(&checked, bytes_from_string(line), &fault)) {
        fprintf(stderr, "veilleuse init: a site's or node's id has letters, digits, '.', '-' and "
                        "'_', at most 64\n");
        return err_exit_code(ERR_USAGE);
    }
    if (!site_is_there(NULL, argv[1], &(struct fault){0}))
        return command_fail(ERR_STATE, &(struct fault){.code = ERR_STATE,
                                                       .what = "there is a site here already"});
    if (!recovery_read_split(split, &recovery))
        return err_exit_code(ERR_USAGE);
    enum err err = recovery_make(&recovery, &fault);
    if (!err)
        err = make_site(argv[1], &config, config.is_demo ? NULL : &recovery, sheets, &fault);
    recovery_clear(&recovery);
    if (err)
        return command_fail(err, &fault);
    printf("%s: a new site, %s. Keep %s/keys safe: without them the vault cannot be read.\n",
           argv[1], config.site, argv[1]);
    return 0;
}

/* ---- serve ---- */

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        uint8_t bytes[4];
        memcpy(bytes, (const char *)address + 4, 4); /* sin_addr, network order */
        return bytes[0] == 127;
    }
    static const uint8_t loopback[16] = {[15] = 1};
    return address->sa_family == AF_INET6 && !memcmp((const char *)address + 8, loopback, 16);
}

static void describe(int fd, char *text, size_t text_bytes) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[64] = "", port[16] = "";
    if (getsockname(fd, (struct sockaddr *)&address, &size) ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    bool v6 = strchr(host, ':');
    snprintf(text, text_bytes, "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

/* The roles of a node that was killed a moment ago may still hold the port. */
static bool bind_patiently(int fd, const struct addrinfo *at) {
    for (int tries = 0; sys_bind(NULL, fd, at->ai_addr, at->ai_addrlen); tries++) {
        if (errno != EADDRINUSE || tries == BIND_TRIES)
            return false;
        usleep(BIND_WAIT_US);
    }
    return true;
}

static enum err listen_on(const char *text, bool loopback_only, int *fd, struct fault *fault) {
    char host[CONFIG_VALUE_BYTES], port[8];
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (!address_split(text, host, sizeof host, port, sizeof port) ||
        getaddrinfo(host, port, &hints, &found))
        return fault_set_subject(fault, ERR_CONFIG, "this is not an address to listen on", text);
    enum err err = ERR_OK;
    if (loopback_only && !is_loopback(found->ai_addr))
        err = fault_set_subject(fault, ERR_CONFIG,
                                "pages are served on loopback only, until accounts exist", text);
    int one = 1;
    if (!err) {
        *fd = sys_socket(NULL, found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
            !bind_patiently(*fd, found) || sys_listen(NULL, *fd, 1024))
            err = fault_set_errno(fault, ERR_STATE, errno, "cannot listen", text);
    }
    freeaddrinfo(found);
    return err;
}

/* Patients' data must not lie in a core file, nor be read by a debugger of the same user. */
static void close_in(void) {
    struct rlimit none = {0, 0}, files;
    if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        trace_warning("core files cannot be switched off");
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files))
            trace_warning("the number of open files cannot be raised");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        trace_warning("privileges cannot be given up");
}

/* Before anything is started: the key of the passphrase is worked out here, once, and stays with the supervisor. */
static enum err unlock_keys(const char *dir, struct unlocking *unlocking, struct fault *fault) {
    enum err err = unlocking_need(unlocking, dir, fault);
    if (err == ERR_AUTH && !passphrase_has_source(unlocking->file))
        err = fault->code = ERR_CONFIG;
    if (!err && unlocking->file && !unlocking->unlock)
        trace_warning("a passphrase was given, but the keys of this site have none");
    return err;
}

static int serve(const char *dir, struct config *config, const char *mllp, const char *web,
                 struct unlocking *unlocking) {
    struct fault fault = {0};
    struct supervisor_options options = {.site_dir = dir, .config = config, .mllp_fd = -1, .web_fd = -1};
    int lock_fd = -1;
    char access_dir[PATH_MAX + 16];
    enum err err = site_lock(NULL, dir, &lock_fd, &fault);
    /* A site of an older version has none, and the web role can reach only what is there when it begins. */
    snprintf(access_dir, sizeof access_dir, "%s/" FHIR_ACCESS_DIR, dir);
    if (!err)
        err = sys_make_dirs(NULL, access_dir, 0700, &fault);
    if (!err)
        err = unlock_keys(dir, unlocking, &fault);
    if (!err)
        err = listen_on(mllp ? mllp : config->mllp, false, &options.mllp_fd, &fault);
    if (!err)
        err = listen_on(web ? web : config->web, true, &options.web_fd, &fault);
    if (err)
        return command_fail(err, &fault);
    describe(options.mllp_fd, options.mllp_address, sizeof options.mllp_address);
    describe(options.web_fd, options.web_address, sizeof options.web_address);
    options.unlock = unlocking->unlock;
    return supervisor_run(&options);
}

/* Pages of a chart of the past. No lock, no control socket: the site is the node's. The node has the port of the configuration,
 * so that another one is chosen here. */
static int view(const char *dir, struct config *config, const char *chart, const char *web,
                struct unlocking *unlocking) {
    struct fault fault = {0};
    struct supervisor_options options = {
        .site_dir = dir, .config = config, .mllp_fd = -1, .web_fd = -1};
    struct chart_reader *reader = NULL;
    char path[PATH_MAX] = "";
    enum err err = site_chart_open_file(chart, &reader, &fault);
    if (!err && chart_as_of(reader)->at == INSTANT_NONE)
        err = fault_set_subject(
            &fault, ERR_STATE, "this chart is not of the past: make one by rebuild --until", chart);
    if (!err && (!realpath(chart, path) || strlen(path) >= SITE_PATH_BYTES))
        err = fault_set_subject(&fault, ERR_LIMIT, "the path is too long", chart);
    if (!err)
        err = unlock_keys(dir, unlocking, &fault);
    if (!err)
        err = listen_on(web ? web : "127.0.0.1:0", true, &options.web_fd, &fault);
    if (!err)
        options.past_entry_count = chart_as_of(reader)->newest_entry + 1; /* of none at all: 0 */
    chart_reader_close(reader);
    if (err)
        return command_fail(err, &fault);
    options.past_chart = path;
    describe(options.web_fd, options.web_address, sizeof options.web_address);
    options.unlock = unlocking->unlock;
    return supervisor_run(&options);
}

static bool is_address(const char *text) {
    char host[CONFIG_VALUE_BYTES], port[8];
    if (address_split(text, host, sizeof host, port, sizeof port))
        return true;
    fprintf(stderr, "veilleuse serve: this is no [ADDR:]PORT: %s\n", text);
    return false;
}

int node_serve_command(int argc, char **argv) {
    const char *mllp = NULL, *web = NULL, *chart = NULL;
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"mllp", NULL, &mllp, NULL},
                                        {"web", NULL, &web, NULL},
                                        {"chart", NULL, &chart, NULL},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1 || (chart && mllp))
        return command_usage(serve_usage);
    if ((mllp && !is_address(mllp)) || (web && !is_address(web)))
        return command_usage(serve_usage);
    struct fault fault = {0};
    struct config config;
    struct zone zone;
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = config_read(&config, NULL, argv[1], &fault);
    if (!err)
        err = zone_init(&zone, config.zone, &fault);
    char dir[PATH_MAX];
    if (!err && !realpath(argv[1], dir))
        err = fault_set_errno(&fault, ERR_IO, errno, "the site cannot be reached", argv[1]);
    if (err)
        return command_fail(err, &fault);
    close_in();
    int code = chart ? view(dir, &config, chart, web, &unlocking)
                     : serve(dir, &config, mllp, web, &unlocking);
    unlocking_end(&unlocking);
    return code;
}

/* ---- roles ---- */

static int run_feeds(const struct role_start *start) {
    struct feeds_options options = {
        .sys = start->sys,
        .site_dir = start->site_dir,
        .listener_name = "main",
        .message_bytes_max = (uint64_t)start->config->message_bytes_max,
        .connection_count_max = (uint32_t)start->config->connection_count_max,
        .unknown_is_ae = start->config->unknown_is_ae,
    };
    return feeds_role_main(&options);
}

static int run_folder(const struct role_start *start) {
    struct feeds_folder_options options = {
        .sys = start->sys,
        .site_dir = start->site_dir,
        .folders = start->config->folders,
        .folder_count = start->config->folder_count,
        .message_bytes_max = (uint64_t)start->config->message_bytes_max,
    };
    return feeds_folder_role_main(&options);
}

static int run_web(const struct role_start *start) {
    struct web_options options = {
        .sys = start->sys,
        .site_dir = start->site_dir,
        .site_name = start->config->name,
        .node_name = start->config->node,
        .zone = start->config->zone,
        .late_s = start->config->late_s,
        .silent_s = start->config->silent_s,
        .patience = start->config->feeds,
        .patience_count = start->config->feed_count,
        .otherwise = start->config->characters,
        .message_bytes_max = start->config->message_bytes_max,
        .is_demo = start->config->is_demo,
        .past_chart = start->past_chart,
    };
    return web_role_main(&options);
}

static int run_role(enum role role, const struct role_start *start) {
    switch (role) {
    case ROLE_COMMIT:
        return role_commit_main(start);
    case ROLE_PUBLISH:
        return role_publish_main(start);
    case ROLE_OPEN:
        return role_open_main(start);
    case ROLE_CHART:
        return role_chart_main(start);
    case ROLE_FEEDS:
        return run_feeds(start);
    case ROLE_WEB:
        return run_web(start);
    case ROLE_FOLDER:
        return run_folder(start);
    default:
        return command_usage("role NAME DIR (started by the supervisor)");
    }
}

int node_role_command(int argc, char **argv) {
    struct role_start start = {.set_aside = UINT64_MAX, .below = UINT64_MAX};
    bool has_unlock = false;
    const struct option_spec specs[] = {{"careful", &start.is_careful, NULL, NULL},
                                        {"unlock", &has_unlock, NULL, NULL},
                                        {"set-aside", NULL, NULL, &start.set_aside},
                                        {"chart", NULL, &start.past_chart, NULL},
                                        {"below", NULL, NULL, &start.below},
                                        {0}};
    enum role role;
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 2 || !role_from_name(argv[1], &role))
        return command_usage("role NAME DIR (started by the supervisor)");
    /* Ctrl-C reaches the whole group of processes; the supervisor alone answers it. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    close_in();
    trace_name(argv[1]);
    struct config config;
    struct fault fault = {0};
    start.site_dir = argv[2];
    start.config = &config;
    struct unlocking unlocking = {0};
    enum err err = has_unlock ? unlocking_take(&unlocking, &fault) : ERR_OK;
    start.unlock = unlocking.unlock; /* the role frees it */
    if (!err)
        err = config_read(&config, NULL, argv[2], &fault);
    return err ? command_fail(err, &fault) : run_role(role, &start);
}
