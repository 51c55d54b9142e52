/* catalogue.c - turns gettext catalogues into C tables: catalogue lang/en.po lang/fr.po > catalogue.c
 *
 * Reads msgid and msgstr with their continued lines; other lines are passed over. The first file is no more than the
 * others: a page's language is looked up by the name of the file. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4096

struct entry {
    char *id, *text;
};

static char *append(char *to, const char *quoted) {
    const char *from = strchr(quoted, '"');
    const char *end = from ? strrchr(quoted, '"') : NULL;
    if (!from || end == from)
        return to;
    size_t old = to ? strlen(to) : 0, size = (size_t)(end - from - 1);
    char *joined = realloc(to, old + size + 1);
    if (!joined)
        exit(71);
    memcpy(joined + old, from + 1, size);
    joined[old + size] = 0;
    return joined;
}

static int compare(const void *a, const void *b) {
    return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

static size_t read_file(const char *path, struct entry *entries) {
    FILE *file = fopen(path, "r");
    char line[8192];
    size_t count = 0;
    bool in_text = false, in_id = false;
    if (!file) {
        fprintf(stderr, "catalogue: cannot read %s\n", path);
        exit(66);
    }
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, "msgid ", 6)) {
            if (count == ENTRIES_MAX)
                exit(65);
            entries[count++] = (struct entry){append(calloc(1, 1), line), calloc(1, 1)};
            in_id = true;
            in_text = false;
        } else if (!strncmp(line, "msgstr ", 7) && count) {
            entries[count - 1].text = append(entries[count - 1].text, line);
            in_text = true;
            in_id = false;
        } else if (line[0] == '"' && in_id) {
            entries[count - 1].id = append(entries[count - 1].id, line);
        } else if (line[0] == '"' && in_text) {
            entries[count - 1].text = append(entries[count - 1].text, line);
        } else if (line[0] == '\n') {
            in_id = in_text = false;
        }
    }
    fclose(file);
    qsort(entries, count, sizeof *entries, compare);
    return count;
}

static void name_of(const char *path, char *name, size_t size) {
    const char *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : path);
    name[strcspn(name, ".")] = 0;
}

int main(int argc, char **argv) {
    static struct entry entries[ENTRIES_MAX];
    char name[32];
    printf("/* Made by tools/catalogue. */\n#include \"web/catalogue.h\"\n\n");
    for (int i = 1; i < argc; i++) {
        size_t count = read_file(argv[i], entries);
        name_of(argv[i], name, sizeof name);
        printf("static const struct sentence %s[] = {\n", name);
        for (size_t k = 0; k < count; k++)
            if (entries[k].id[0] && entries[k].text[0])
                printf("    {\"%s\", \"%s\"},\n", entries[k].id, entries[k].text);
        printf("};\n");
    }
    printf("const struct catalogue catalogues[] = {\n");
    for (int i = 1; i < argc; i++) {
        name_of(argv[i], name, sizeof name);
        printf("    {\"%s\", %s, sizeof %s / sizeof %s[0]},\n", name, name, name, name);
    }
    printf("};\nconst size_t catalogue_count = %d;\n", argc - 1);
    return 0;
}
