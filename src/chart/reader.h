/* reader.h - the inside of the chart's reader, shared by its questions. */
#ifndef CHART_READER_H
#define CHART_READER_H

#include "chart/fold.h"

struct chart_reader {
    struct db db;
    bool in_read;
    struct chart_as_of as_of;
};

#endif
