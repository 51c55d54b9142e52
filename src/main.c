/* main.c - the table of commands. */
#include "feeds/feeds.h"
#include "node/node.h"
#include "simulate/simulate.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage; /* NULL: not for people */
    const char *what;
} commands[] = {
    {"init", node_init_command, "init DIR --site ID [--name TEXT] [--shares K/N] [--sheets FILE.pdf]",
     "make a new site: vault, keys, configuration; gives out the recovery key's shares"},
    {"serve", node_serve_command, "serve DIR [--mllp [ADDR:]PORT] [--web [ADDR:]PORT] [--chart FILE] [--passphrase-file FILE]",
     "run the node, in the foreground; with --chart only pages of the past, beside a node that may run"},
    {"status", node_status_command, "status DIR [--json]",
     "how the node is; nonzero when something is wrong"},
    {"send", feeds_send_command,
     "send HOST:PORT FILE... [--connections N] [--rate N] [--repeat N] [--json]",
     "send HL7 messages and wait for each answer"},
    {"simulate", simulate_command,
     "simulate [--beds N] [--seed N] [--speed X] [--hours H] (HOST:PORT | --out FILE)",
     "a synthetic hospital, as HL7 messages"},
    {"import", node_import_command, "import DIR PATH... [--source NAME]",
     "take in files of HL7 messages and of FHIR: Bundles, resources, NDJSON"},
    {"census", node_census_command, "census DIR FILE.csv --as-of TIME [--authority NAME]",
     "hold a list of who is present against the chart: who is missing is added as from the census, who is too many is marked"},
    {"verify", node_verify_command,
     "verify PATH [--quick] [--key VERIFIER | --key-file FILE] [--json]",
     "check a vault, or the proof of an entry; 65 and the first damaged place if it does not hold"},
    {"prove", node_prove_command, "prove DIR INDEX [--out FILE]",
     "the proof that one entry stands in the vault, to be verified without it"},
    {"key", node_key_command,
     "key list|rotate|add-recipient|remove-recipient|new-recovery|drop-epoch|retain|export|passphrase|backup|restore|recover ...",
     "the keys a vault is sealed under, who may read, how long; a passphrase on them, their backup, recovery from a copy"},
    {"cat", node_cat_command, "cat DIR [--from N] [--to N] [--raw | --mllp]",
     "print entries; --to is exclusive"},
    {"chart", node_chart_command,
     "chart DIR census|patient|results|moves|allergies|diagnoses|documents|orders|medication|administrations|appointments|feeds|aside|state|digest [--json]",
     "ask the chart"},
    {"rebuild", node_rebuild_command, "rebuild DIR [[--until TIME] [--until-entry N] --out FILE]",
     "make the chart again from the vault; or, into FILE, as of a moment of the past: both limits are inclusive"},
    {"retry", node_retry_command, "retry DIR [ENTRY...] [--dry-run] [--json]",
     "translate again what was set aside; if some of it is understood now, the chart is made again with it"},
    {"token", node_token_command,
     "token DIR create --name NAME --scope SCOPE[,SCOPE...] [--days D] | list | revoke ID",
     "who may ask the FHIR pages; a token is shown once"},
    {"role", node_role_command, NULL, NULL},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int help(FILE *out) {
    fprintf(out, "Veilleuse keeps a hospital working when its information system is gone.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].usage)
            fprintf(out, "  veilleuse %s\n      %s\n", commands[i].usage, commands[i].what);
    fprintf(out, "  veilleuse help, veilleuse --version\n\n"
                 "Exit codes are those of sysexits.h. The manual: man veilleuse.\n");
    return 0;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
        return help(stdout);
    if (!strcmp(name, "--version")) {
        printf("veilleuse " VEILLEUSE_VERSION "\n");
        return 0;
    }
    if (sodium_init() < 0) {
        fprintf(stderr, "veilleuse: the cryptographic library cannot start\n");
        return 71;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "veilleuse: no command `%s`\n\n", name);
    help(stderr);
    return 64;
}
