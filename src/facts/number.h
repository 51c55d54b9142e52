/* number.h - what a patient's number is of, by its type (HL7 table 0203, IHE PAM.fr) and its authority's OID. */
#ifndef FACTS_NUMBER_H
#define FACTS_NUMBER_H

#include "base/bytes.h"

enum identifier_role {
    ROLE_UNKNOWN,
    ROLE_BEST,      /* a hospital's own: PI, MR, MRN, PT */
    ROLE_STATE,     /* of a State or an insurer: of the person, but not the number a hospital knows them by */
    ROLE_NO_PERSON, /* of a stay, or for billing, which a family shares */
    ROLE_INS
};
enum ins_kind { INS_NONE, INS_NIR, INS_NIA, INS_TEST, INS_DEMONSTRATION };
/* Types that are not known may be anything. */
enum identifier_role number_role(struct bytes type);
/* The French national identity number: which of them its authority's OID says. */
enum ins_kind number_ins(struct bytes oid);
/* Does a text or code, as the whole of it, say that no allergy is known? */
bool says_none_known(struct bytes text);

#endif
