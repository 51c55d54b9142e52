/* ucum.c - is a unit one of UCUM's, written as UCUM writes it? Only of the units of clinical practice.
 *
 * A hospital's own "MG/DL" must not become a megagauss per something: what is not surely UCUM is given as text alone. So the atoms
 * are those that are used in care, and the prefixes those that are used with them.
 * Source: UCUM 2.1, section 2 (case sensitive form).
 */
#include "fhir/put.h"

struct atom {
    const char *name;
    bool is_metric; /* may have a prefix */
};
static const struct atom atoms[] = {
    {"m", true},        {"s", true},        {"g", true},       {"L", true},
    {"l", true},        {"mol", true},      {"U", true},       {"[iU]", true},
    {"[IU]", true},     {"osm", true},      {"eq", true},      {"kat", true},
    {"cal", true},      {"J", true},        {"W", true},       {"Pa", true},
    {"bar", true},      {"Bq", true},       {"Gy", true},      {"Sv", true},
    {"V", true},        {"Hz", true},       {"A", true},       {"m[Hg]", true},
    {"m[H2O]", true},   {"%", false},       {"Cel", false},    {"[degF]", false},
    {"K", false},       {"min", false},     {"h", false},      {"d", false},
    {"wk", false},      {"mo", false},      {"a", false},      {"[pH]", false},
    {"[lb_av]", false}, {"[oz_av]", false}, {"[in_i]", false}, {"[ft_i]", false},
    {"[drp]", false},   {"[ppm]", false},   {"[ppb]", false},  {"[HPF]", false},
    {"[LPF]", false},   {"[arb'U]", false}, {"[CFU]", true},   {"[PFU]", true},
    {"deg", false},     {"[diop]", false},
};

static bool is_atom(struct bytes name) {
    static const char prefixes[] = "kdcmunpf";
    for (size_t i = 0; i < sizeof atoms / sizeof atoms[0]; i++) {
        if (bytes_is(name, atoms[i].name))
            return true;
        bool has_prefix = name.size > 1 && name.data[0] && strchr(prefixes, name.data[0]);
        if (atoms[i].is_metric && has_prefix && bytes_is(bytes_skip(name, 1), atoms[i].name))
            return true;
    }
    return bytes_is(name, "hPa") || bytes_is(name, "MU") || bytes_is(name, "M[iU]") ||
           bytes_is(name, "MBq") || bytes_is(name, "GBq");
}

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* {text} at the end: an annotation. *bare gets what stands before it. */
static bool take_annotation(struct bytes component, struct bytes *bare) {
    size_t open = bytes_find(component, '{');
    *bare = component;
    if (open == BYTES_NOT_FOUND)
        return bytes_find(component, '}') == BYTES_NOT_FOUND;
    *bare = bytes_first(component, open);
    for (size_t i = open + 1; i < component.size; i++)
        if (component.data[i] <= ' ' || component.data[i] > '~' || component.data[i] == '{')
            return false;
        else if (component.data[i] == '}')
            return i == component.size - 1 && i > open + 1;
    return false;
}

/* 10*3, 10*-3, 10^9: UCUM's powers of ten. */
static bool is_power_of_ten(struct bytes component) {
    if (!bytes_starts_with(component, BYTES("10*")) && !bytes_starts_with(component, BYTES("10^")))
        return false;
    struct bytes exponent = bytes_skip(component, 3);
    if (exponent.size && (exponent.data[0] == '-' || exponent.data[0] == '+'))
        exponent = bytes_skip(exponent, 1);
    return exponent.size > 0 && exponent.size <= 2 && bytes_is_digits(exponent);
}

/* An atom with its exponent, a number, an annotation. */
static bool is_component(struct bytes component) {
    struct bytes bare;
    if (!component.size || !take_annotation(component, &bare))
        return false;
    if (!bare.size || is_power_of_ten(bare) || bytes_is_digits(bare))
        return true;
    size_t end = bare.size;
    while (end > 0 && is_digit(bare.data[end - 1]))
        end--;
    if (end < bare.size && end > 0 && (bare.data[end - 1] == '-' || bare.data[end - 1] == '+'))
        end--;
    return is_atom(bytes_first(bare, end));
}

bool is_ucum(struct bytes unit) {
    size_t from = unit.size && unit.data[0] == '/' ? 1 : 0;
    bool is_inside = false;
    if (unit.size == 0 || unit.size > 40)
        return false;
    for (size_t i = from; i <= unit.size; i++) {
        if (i < unit.size && unit.data[i] == '{')
            is_inside = true;
        if (i < unit.size && unit.data[i] == '}')
            is_inside = false;
        if (i < unit.size && (is_inside || (unit.data[i] != '.' && unit.data[i] != '/')))
            continue;
        if (!is_component(bytes_from(unit.data + from, i - from)))
            return false;
        from = i + 1;
    }
    return true;
}
