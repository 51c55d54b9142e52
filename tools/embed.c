/* embed.c - turns files into C arrays: embed NAME FILE... > out.c; see src/base/embedded.h. */
#include <stdio.h>
#include <string.h>

static int put_file(const char *path, int number) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "embed: cannot read %s\n", path);
        return 1;
    }
    printf("static const uint8_t file%d[] = {", number);
    int c, column = 0;
    while ((c = getc(file)) != EOF)
        printf("%s%d,", column++ % 20 ? "" : "\n    ", c);
    printf("0};\n");
    return fclose(file);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: embed NAME FILE...\n");
        return 64;
    }
    printf("/* Made by tools/embed. */\n#include \"base/embedded.h\"\n\n");
    for (int i = 2; i < argc; i++)
        if (put_file(argv[i], i))
            return 66;
    printf("extern const struct embedded %s[];\nextern const size_t %s_count;\n", argv[1], argv[1]);
    printf("const struct embedded %s[] = {\n", argv[1]);
    for (int i = 2; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        printf("    {\"%s\", {file%d, sizeof file%d - 1}},\n", slash ? slash + 1 : argv[i], i, i);
    }
    printf("};\nconst size_t %s_count = %d;\n", argv[1], argc - 2);
    return 0;
}
