/* folder_test.c - the patient number in a file's name. */
#include "feeds/feeds.h"
#include "tap.h"

static void gives(const char *pattern, const char *name, const char *wanted) {
    struct bytes number = feeds_folder_number(pattern, name);
    tap_ok(bytes_is(number, wanted), name, __FILE__, __LINE__, name);
}

int main(void) {
    gives("<IPP>_*.pdf", "4711_scanner.pdf", "4711");
    gives("<IPP>_*.pdf", "A12b_.pdf", "A12b");
    gives("<IPP>_*.pdf", "4711.pdf", "");
    gives("<IPP>_*.pdf", "_scanner.pdf", "");
    gives("<IPP>_*.pdf", "4711_scanner.pdf.exe", "");
    gives("<IPP>_*.pdf", "47 11_scanner.pdf", "");
    gives("<IPP>_*.pdf", "sans_numero.pdf", ""); /* words are no number */
    gives("<IPP>_*.pdf", "", "");
    gives("<IPP>.pdf", "4711.pdf", "4711");
    gives("<IPP>.pdf", "4711x.pdf", "4711x");
    gives("CR-<IPP>-??.pdf", "CR-4711-01.pdf", "4711");
    gives("CR-<IPP>-??.pdf", "cr-4711-01.pdf", "");
    gives("<IPP>*", "4711", "4711");
    gives("", "4711_scanner.pdf", "");
    return done();
}
