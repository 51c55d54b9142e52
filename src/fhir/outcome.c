/* outcome.c - OperationOutcome for every error, Binary of an entry, and JSON laid out for people. */
#include "fhir/put.h"

#include <stdio.h>

void fhir_put_outcome(struct text *out, const char *severity, const char *code, const char *what) {
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    json_member_string(&json, "resourceType", "OperationOutcome");
    json_name(&json, "issue");
    json_array_begin(&json);
    json_object_begin(&json);
    json_member_string(&json, "severity", severity);
    json_member_string(&json, "code", code);
    put_text(&json, "diagnostics", bytes_from_string(what));
    json_object_end(&json);
    json_array_end(&json);
    json_object_end(&json);
}

void fhir_put_binary(struct text *out, uint64_t entry, struct bytes media_type, struct bytes body) {
    struct json json;
    char id[40];
    snprintf(id, sizeof id, "entry-%llu", (unsigned long long)entry);
    json_init(&json, out);
    json_object_begin(&json);
    json_member_string(&json, "resourceType", "Binary");
    json_member_string(&json, "id", id);
    json_member_bytes(&json, "contentType", media_type);
    json_name(&json, "data");
    text_put_char(out, '"');
    text_put_base64(out, body);
    text_put_char(out, '"');
    text_put_char(out, '}');
}

static void new_line(struct text *out, unsigned depth) {
    text_put_char(out, '\n');
    for (unsigned i = 0; i < depth; i++)
        text_put_string(out, "  ");
}

void fhir_put_pretty(struct text *out, struct bytes json) {
    unsigned depth = 0;
    bool is_text = false;
    for (size_t i = 0; i < json.size; i++) {
        char c = (char)json.data[i];
        bool is_empty = i + 1 < json.size && (json.data[i + 1] == '}' || json.data[i + 1] == ']');
        if (is_text) {
            text_put_char(out, c);
            if (c == '\\' && i + 1 < json.size)
                text_put_char(out, (char)json.data[++i]);
            is_text = c != '"';
        } else if (c == '{' || c == '[') {
            text_put_char(out, c);
            depth++;
            if (!is_empty)
                new_line(out, depth);
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            if (i > 0 && json.data[i - 1] != '{' && json.data[i - 1] != '[')
                new_line(out, depth);
            text_put_char(out, c);
        } else {
            text_put_char(out, c);
            is_text = c == '"';
            if (c == ',')
                new_line(out, depth);
            else if (c == ':')
                text_put_char(out, ' ');
        }
    }
}
