/* kinds.c - which kind of message each type of MSH-9 is (tables 0076, 0003). */
#include "facts/translate.h"

static const struct kind_of_type kinds[] = {
    {"ORU", KIND_RESULTS, true},       {"ADT", KIND_EVENT, true},
    {"MDM", KIND_DOCUMENT, true},      {"OUL", KIND_RESULTS, true},
    {"ORM", KIND_ORDERS, true},        {"OML", KIND_ORDERS, true},
    {"OMG", KIND_ORDERS, true},        {"OMI", KIND_ORDERS, true},
    {"OMP", KIND_ORDERS, true},        {"OMS", KIND_ORDERS, true},
    {"OMN", KIND_ORDERS, true},        {"OMD", KIND_ORDERS, true},
    {"OMB", KIND_ORDERS, true},        {"ORA", KIND_ANSWER, false},
    {"RDE", KIND_ORDERS, true},        {"RDS", KIND_ORDERS, true},
    {"RAS", KIND_ORDERS, true},        {"RGV", KIND_ORDERS, true},
    {"PPR", KIND_PROBLEMS, true},      {"PGL", KIND_PROBLEMS, true},
    {"PPP", KIND_PROBLEMS, true},      {"SIU", KIND_APPOINTMENT, false},
    {"SRM", KIND_APPOINTMENT, false},  {"VXU", KIND_VACCINATION, false},
    {"BAR", KIND_LATER, false},        {"DFT", KIND_LATER, false},
    {"REF", KIND_LATER, false},        {"RPI", KIND_LATER, false},
    {"CCM", KIND_LATER, false},        {"CCR", KIND_LATER, false},
    {"CCU", KIND_LATER, false},        {"CSU", KIND_LATER, false},
    {"CRM", KIND_LATER, false},        {"PEX", KIND_LATER, false},
    {"ORD", KIND_ORDER_ANSWER, false}, {"ACK", KIND_ANSWER, false},
    {"MCF", KIND_ANSWER, false},       {"ORR", KIND_ORDER_ANSWER, false},
    {"ORL", KIND_ORDER_ANSWER, false}, {"ORG", KIND_ORDER_ANSWER, false},
    {"ORI", KIND_ORDER_ANSWER, false}, {"ORP", KIND_ORDER_ANSWER, false},
    {"ORS", KIND_ORDER_ANSWER, false}, {"ORN", KIND_ORDER_ANSWER, false},
    {"ORB", KIND_ORDER_ANSWER, false}, {"RRE", KIND_ORDER_ANSWER, false},
    {"RRD", KIND_ORDER_ANSWER, false}, {"RRA", KIND_ORDER_ANSWER, false},
    {"RRG", KIND_ORDER_ANSWER, false}, {"RRI", KIND_ANSWER, false},
    {"SRR", KIND_ANSWER, false},       {"MFK", KIND_ANSWER, false},
    {"QCK", KIND_ANSWER, false},       {"QRY", KIND_QUERY, false},
    {"QBP", KIND_QUERY, false},        {"QSB", KIND_QUERY, false},
    {"QVR", KIND_QUERY, false},        {"QCN", KIND_QUERY, false},
    {"RSP", KIND_QUERY, false},        {"RTB", KIND_QUERY, false},
    {"RDY", KIND_QUERY, false},        {"ADR", KIND_QUERY, false},
    {"ORF", KIND_QUERY, false},        {"OSQ", KIND_QUERY, false},
    {"OSR", KIND_QUERY, false},        {"SQM", KIND_QUERY, false},
    {"SQR", KIND_QUERY, false},        {"VXQ", KIND_QUERY, false},
    {"VXR", KIND_QUERY, false},        {"VXX", KIND_QUERY, false},
    {"VQQ", KIND_QUERY, false},        {"SPQ", KIND_QUERY, false},
    {"RQI", KIND_QUERY, false},        {"RQP", KIND_QUERY, false},
    {"RQA", KIND_QUERY, false},        {"DSR", KIND_QUERY, false},
    {"EQQ", KIND_QUERY, false},        {"TBR", KIND_QUERY, false},
    {"MFN", KIND_SYSTEM, false},       {"MFQ", KIND_SYSTEM, false},
    {"MFR", KIND_SYSTEM, false},       {"NMD", KIND_SYSTEM, false},
    {"NMQ", KIND_SYSTEM, false},       {"NMR", KIND_SYSTEM, false},
    {"PMU", KIND_SYSTEM, false},       {"ESU", KIND_SYSTEM, false},
    {"ESR", KIND_SYSTEM, false},       {"EAC", KIND_SYSTEM, false},
    {"EAN", KIND_SYSTEM, false},       {"EAR", KIND_SYSTEM, false},
    {"INU", KIND_SYSTEM, false},       {"INR", KIND_SYSTEM, false},
    {"LSU", KIND_SYSTEM, false},       {"LSR", KIND_SYSTEM, false},
    {"SSU", KIND_SYSTEM, false},       {"SSR", KIND_SYSTEM, false},
    {"TCU", KIND_SYSTEM, false},       {"TCR", KIND_SYSTEM, false},
    {"UDM", KIND_SYSTEM, false},
};

const struct kind_of_type *kind_of_message(struct bytes type) {
    static const struct kind_of_type unknown = {"", KIND_UNKNOWN, false};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (bytes_is(type, kinds[i].type))
            return &kinds[i];
    return &unknown;
}
