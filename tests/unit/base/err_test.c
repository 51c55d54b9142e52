/* err_test.c - the table of errors and the detail of a failure. */
#include "base/err.h"
#include "tap.h"
#include <errno.h>

static void test_table(void) {
    is_int(ERR_OK, 0);
    is_int(err_exit_code(ERR_CONFIG), 78);
    is_int(err_http_status(ERR_FULL), 507);
    is_string(err_name(ERR_CORRUPT), "CORRUPT");
    is_string(err_hl7_code(ERR_OK), "AA");
    is_string(err_sentence(ERR_FULL, true), "le disque est plein");
    is_string(err_sentence(ERR_FULL, false), "the disk is full");
    unsigned whole = 0;
    for (enum err err = ERR_OK; err < ERR_COUNT; err++)
        whole += err_name(err) && err_sentence(err, true) && err_sentence(err, false) &&
                 err_http_status(err) >= 200 && err_hl7_code(err)[0] == 'A';
    is_int(whole, ERR_COUNT);
}

static void test_fault(void) {
    char line[256];
    struct fault fault = {0};
    is_int(fault_set_errno(&fault, ERR_IO, ENOENT, "cannot open", "/a/b"), ERR_IO);
    fault_format(&fault, line, sizeof line);
    is_string(line, "cannot open: /a/b: No such file or directory");
    is_int(fault_set(&fault, ERR_CORRUPT, "later"), ERR_CORRUPT);
    is_string(fault.what, "cannot open");
    is_int(fault_set_errno(NULL, ERR_IO, EDQUOT, "x", NULL), ERR_FULL);

    fault = (struct fault){0};
    is_int(fault_set_at(&fault, ERR_INPUT, "a bad byte", 12), ERR_INPUT);
    fault_format(&fault, line, sizeof line);
    is_string(line, "a bad byte (at 12)");

    fault = (struct fault){0};
    char subject[400];
    memset(subject, 'x', sizeof subject - 1);
    subject[sizeof subject - 1] = 0;
    is_int(fault_set_subject(&fault, ERR_LIMIT, "too long", subject), ERR_LIMIT);
    is_int(strlen(fault.subject), sizeof fault.subject - 1);
    char small[4];
    fault_format(&fault, small, sizeof small);
    ok(strlen(small) < sizeof small, "a short line is not overrun");
}

int main(void) {
    test_table();
    test_fault();
    return done();
}
