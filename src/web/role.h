/* role.h - the inside of the web role: the loop, the chart, the requests that wait. */
#ifndef WEB_ROLE_H
#define WEB_ROLE_H

#include "web/http.h"
#include "web/state.h"
#include "web/views.h"
#include "web/web.h"

#define WAITING_MAX     64u
#define ENTRY_SHOWN_MAX 65536u
#define PAGE_BYTES_MAX  ((size_t)4 << 20)
#define ARENA_BYTES_MAX ((size_t)64 << 20)

/* A document is looked into as a whole: so large may its entry be, and so much is held for all that wait. */
#define DOCUMENT_BYTES_MAX  ((size_t)32 << 20)
#define DOCUMENTS_BYTES_MAX ((size_t)64 << 20)

enum waiting_for { WAITING_ENTRY, WAITING_DOCUMENT /* its page */, WAITING_FILE /* in it, or its bytes */,
                   WAITING_BINARY /* no page: of /fhir */ };

/* A page that waits for an entry from open. */
struct waiting {
    uint64_t token; /* of the request; 0: free */
    int64_t since;
    uint64_t index, at, wanted;
    size_t filled;
    struct entry_view view;
    enum waiting_for what;
    uint64_t patient;
    unsigned file;         /* which of the document's, from 0 */
    bool is_raw, is_inner; /* as bytes to be kept; what a CDA document holds */
    bool is_pretty;        /* a Binary, laid out */
    char language[8], theme[8], path[96];
    char source[200], media_type[FACTS_FILED_TYPE_BYTES_MAX];
    uint8_t *body;         /* ENTRY_SHOWN_MAX, kept */
    uint8_t *large;        /* NULL: body is large enough */
};

/* ---- bodies that come in on /fhir ---- */

#define UPLOADS_MAX       32u
#define UPLOAD_BYTES_MAX  ((size_t)64 << 20) /* of one, and of all that are held at once */

enum upload_phase { UPLOAD_FREE, UPLOAD_COMING, UPLOAD_SENDING /* to commit */, UPLOAD_ASKED };
struct upload {
    uint64_t token; /* of the request */
    enum upload_phase phase;
    int64_t since, received_at;
    uint8_t *body;
    size_t size, room, sent;
    bool is_too_large, is_put, is_lines, is_search, is_begun; /* begun: commit knows of the blob */
    char path[160];
    char source[80];
    unsigned status; /* of the answer once it is durable */
    char location[192];
    char *reply; /* its body */
    size_t reply_bytes;
};
struct uploads {
    struct upload list[UPLOADS_MAX];
    size_t held_bytes;
};

struct web {
    struct role_life life;
    const struct web_options *options;
    struct http *http;
    struct zone zone;
    struct chart_reader *chart;
    uint64_t generation;      /* of the chart that is open */
    struct chart_as_of as_of; /* of a viewer's chart; at INSTANT_NONE in a node */
    struct node_state state;
    struct arena arena;
    struct arena record; /* one patient's record, for /fhir */
    char *page_buffer;   /* PAGE_BYTES_MAX, used again for each page: never zeroed */
    struct text out;
    struct waiting waiting[WAITING_MAX];
    struct uploads uploads;
};

/* pages.c: an answer for each path. */
enum http_step web_answer(void *owner, struct http_request *request, struct http_answer *answer);
/* Set up the page: language, theme, state of the chart and its feeds. */
void web_page_init(struct web *web, struct page *page, const char *language, const char *theme,
                   const char *path);
void web_finish_entry(struct web *web, struct waiting *waiting, unsigned status);
/* The request waits for entry `index`, of which `bytes_max` are wanted; NULL: it cannot. */
struct waiting *web_wait(struct web *web, struct http_request *request, const struct page *page, uint64_t index,
                         uint32_t bytes_max);
struct bytes waiting_body(const struct waiting *waiting);

/* document.c: /patient/<id>/document/<entry>, and the files in it at .../file/<n>[/body][?raw]. */
bool web_is_document_path(const char *rest);
enum http_step web_document(struct web *web, struct http_request *request, struct page *page, const char *rest,
                            bool *is_found, struct fault *fault);
void web_finish_document(struct web *web, struct waiting *waiting, struct page *page, struct http_answer *answer);

/* fhir_in.c: POST and PUT below /fhir. */
extern const struct http_uploads web_fhir_uploads;
/* Once a round: what is to go to commit, and what has waited too long. */
void web_uploads_round(struct web *web);
MUST_CHECK enum err web_uploads_appended(struct web *web, const struct ipc_frame *frame);
void web_uploads_link_lost(struct web *web);
void web_uploads_release(struct web *web);
/* fhir.c: an answer for each path below /fhir. `page` knows the age of the data. */
bool web_is_fhir(const char *path);
enum http_step web_fhir(struct web *web, struct http_request *request, struct http_answer *answer,
                        const struct page *page);
/* The same of POST /fhir/Type/_search: more parameters are in `form`. */
enum http_step web_fhir_search(struct web *web, struct http_request *request, struct bytes form,
                               struct http_answer *answer);
void web_finish_binary(struct web *web, struct waiting *waiting, unsigned status, struct http_answer *answer);

#endif
