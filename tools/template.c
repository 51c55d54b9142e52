/* template.c - compiles an HTML page into C that escapes by default: template page.html > page.c
 *
 *   %template SIGNATURE     the C function; its first parameter must be `struct page *page`
 *   %include "FILE"         an include of the C file
 *   % C code                a line of C
 *   {{expression}}          text, escaped
 *   {t "sentence"}          the sentence in the page's language, escaped
 *   {u expression}          a part of an address, percent-encoded
 *
 * The HTML is followed as a browser would: an expression is refused where escaping could not make it safe (in a script,
 * a style, a comment, a tag's or attribute's name, an unquoted value, an event handler), and in an address anything but {u}. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state { IN_TEXT, IN_TAG, IN_NAME, IN_VALUE, IN_COMMENT, IN_RAW };

struct compiler {
    const char *file;
    int line;
    enum state state;
    char quote;            /* of the value */
    char tag[32], name[32]; /* lower case */
    size_t tag_size, name_size, value_size;
    char value_start;
    bool has_function, in_chunk;
};

static void refuse(const struct compiler *c, const char *why) {
    fprintf(stderr, "%s:%d: %s\n", c->file, c->line, why);
    exit(65);
}

/* ---- following the HTML ---- */

static void put_lower(char *to, size_t *size, size_t max, int ch) {
    if (*size + 1 < max)
        to[(*size)++] = (char)tolower(ch);
    to[*size] = 0;
}

static void enter_tag(struct compiler *c) {
    c->state = IN_TAG;
    c->tag_size = c->name_size = 0;
    c->tag[0] = c->name[0] = 0;
}

static void leave_tag(struct compiler *c) {
    bool raw = !strcmp(c->tag, "script") || !strcmp(c->tag, "style");
    c->state = raw ? IN_RAW : IN_TEXT;
}

static bool tag_is_named(const struct compiler *c) {
    return c->tag_size > 0 && c->tag[c->tag_size - 1] == ' ';
}

static void step_tag(struct compiler *c, int ch) {
    if (ch == '>') {
        if (tag_is_named(c))
            c->tag[--c->tag_size] = 0;
        leave_tag(c);
    } else if (isspace(ch)) {
        if (c->tag_size > 0 && !tag_is_named(c))
            put_lower(c->tag, &c->tag_size, sizeof c->tag, ' ');
        c->name_size = 0;
    } else if (!tag_is_named(c)) {
        put_lower(c->tag, &c->tag_size, sizeof c->tag, ch);
    } else if (ch == '=') {
        c->state = IN_NAME; /* a value follows */
    } else if (ch != '/') {
        put_lower(c->name, &c->name_size, sizeof c->name, ch);
    }
}

static void step(struct compiler *c, int ch, const char *rest) {
    switch (c->state) {
    case IN_TEXT:
        if (ch == '<' && !strncmp(rest, "<!--", 4))
            c->state = IN_COMMENT;
        else if (ch == '<')
            enter_tag(c);
        break;
    case IN_TAG:
        step_tag(c, ch);
        break;
    case IN_NAME:
        if (ch != '"' && ch != '\'')
            refuse(c, "attribute values stand in quotes");
        c->quote = (char)ch;
        c->state = IN_VALUE;
        c->value_size = 0;
        break;
    case IN_VALUE:
        if (ch == c->quote) {
            c->state = IN_TAG;
            c->name_size = 0;
        } else if (c->value_size++ == 0) {
            c->value_start = (char)ch;
        }
        break;
    case IN_COMMENT:
        if (ch == '>' && rest[-1] == '-' && rest[-2] == '-')
            c->state = IN_TEXT;
        break;
    case IN_RAW:
        if (ch == '<' && rest[1] == '/')
            enter_tag(c);
        break;
    }
}

static bool is_address(const char *name) {
    static const char *const names[] = {"href", "src", "action", "formaction", "cite", "data", "poster"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

static void check_expression(const struct compiler *c, char kind) {
    if (c->state == IN_TEXT && kind != 'u')
        return;
    if (c->state != IN_VALUE)
        refuse(c, "an expression cannot be made safe here");
    if (!strncmp(c->name, "on", 2) || !strcmp(c->name, "style") || !strcmp(c->name, "srcdoc"))
        refuse(c, "an expression cannot be made safe in this attribute");
    if (is_address(c->name) != (kind == 'u'))
        refuse(c, kind == 'u' ? "{u} is for addresses" : "an address takes {u} only");
    if (kind == 'u' && (c->value_size == 0 || !strchr("/?#", c->value_start)))
        refuse(c, "an address begins with /, ? or # as written here");
}

/* ---- writing C ---- */

static void chunk_begin(struct compiler *c) {
    if (!c->in_chunk)
        printf("    text_put(page->out, BYTES(\"");
    c->in_chunk = true;
}

static void chunk_end(struct compiler *c) {
    if (c->in_chunk)
        printf("\"));\n");
    c->in_chunk = false;
}

static void put_html(struct compiler *c, int ch) {
    chunk_begin(c);
    if (ch == '\n')
        printf("\\n");
    else if (ch == '"' || ch == '\\')
        printf("\\%c", ch);
    else if (ch == '?')
        printf("\\?");
    else if (ch >= 0x80)
        printf("\\%03o", ch);
    else
        putchar(ch);
}

/* {{...}}, {t ...} or {u ...}; gives what follows it, or NULL when it is none. */
static const char *put_expression(struct compiler *c, const char *at) {
    char kind = at[1];
    if (kind != '{' && !((kind == 't' || kind == 'u') && at[2] == ' '))
        return NULL;
    const char *end = strstr(at, kind == '{' ? "}}" : "}");
    if (!end)
        refuse(c, "an expression has no end on its line");
    check_expression(c, kind);
    chunk_end(c);
    const char *from = at + (kind == '{' ? 2 : 3);
    const char *call = kind == '{' ? "html_put" : kind == 't' ? "html_put_sentence" : "html_put_address";
    printf("#line %d \"%s\"\n    %s(page, %.*s);\n", c->line, c->file, call, (int)(end - from), from);
    if (c->state == IN_VALUE)
        c->value_size++;
    return end + (kind == '{' ? 2 : 1);
}

static void compile_html(struct compiler *c, const char *line) {
    if (!c->has_function)
        refuse(c, "HTML before %template");
    while (c->state != IN_RAW && (*line == ' ' || *line == '\t'))
        line++; /* indentation is for the reader of the template */
    while (*line) {
        const char *next = *line == '{' ? put_expression(c, line) : NULL;
        if (next) {
            line = next;
            continue;
        }
        put_html(c, (unsigned char)*line);
        step(c, (unsigned char)*line, line);
        line++;
    }
}

static void compile_line(struct compiler *c, char *line) {
    if (!strncmp(line, "%include ", 9)) {
        printf("#include %s", line + 9);
    } else if (!strncmp(line, "%template ", 10)) {
        if (c->has_function)
            refuse(c, "one template a file");
        c->has_function = true;
        line[strcspn(line, "\n")] = 0;
        printf("\n%s;\n%s {\n", line + 10, line + 10);
    } else {
        const char *start = line + strspn(line, " \t");
        if (*start != '%') {
            compile_html(c, line);
            return;
        }
        chunk_end(c);
        printf("#line %d \"%s\"\n%s", c->line, c->file, start + 1);
    }
}

int main(int argc, char **argv) {
    static char line[65536];
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file) {
        fprintf(stderr, "usage: template PAGE.html\n");
        return 64;
    }
    struct compiler c = {.file = argv[1]};
    printf("/* Made by tools/template from %s. */\n", argv[1]);
    while (fgets(line, sizeof line, file)) {
        c.line++;
        compile_line(&c, line);
    }
    fclose(file);
    if (!c.has_function || c.state != IN_TEXT)
        refuse(&c, c.has_function ? "the page ends inside a tag" : "no %template");
    chunk_end(&c);
    printf("}\n");
    return 0;
}
