/* node.h - one node of a hospital: its configuration, its supervisor, its roles, and the commands about a site.
 *
 * Shapes     a site is a directory DIR: veilleuse.conf, keys/, vault/, chart/, cache/, run/, lock.
 * Errors     each command returns an exit code of sysexits.h and has printed one clear sentence on stderr.
 * Process    the supervisor (serve), and short-lived commands.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

/* Commands of the table in main.c: argv[0] is the command's name. */
int node_init_command(int argc, char **argv);
int node_serve_command(int argc, char **argv);
int node_status_command(int argc, char **argv);
int node_import_command(int argc, char **argv);
int node_census_command(int argc, char **argv);
int node_retry_command(int argc, char **argv);
int node_verify_command(int argc, char **argv);
int node_prove_command(int argc, char **argv);
int node_key_command(int argc, char **argv);
int node_cat_command(int argc, char **argv);
int node_chart_command(int argc, char **argv);
int node_rebuild_command(int argc, char **argv);
int node_token_command(int argc, char **argv);
/* Not for people: `veilleuse role NAME DIR ...`, started by the supervisor. */
int node_role_command(int argc, char **argv);

#endif
