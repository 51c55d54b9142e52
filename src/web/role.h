/* role.h - the inside of the web role: the loop, the chart, the requests that wait. */
#ifndef WEB_ROLE_H
#define WEB_ROLE_H

#include "web/http.h"
#include "web/state.h"
#include "web/views.h"
#include "web/web.h"

#define WAITING_MAX      64u
#define ENTRY_SHOWN_MAX  65536u
#define PAGE_BYTES_MAX   ((size_t)4 << 20)
#define ARENA_BYTES_MAX  ((size_t)64 << 20)

/* A page that waits for an entry from open. */
struct waiting {
    uint64_t token; /* of the request; 0: free */
    int64_t since;
    uint64_t index, at, wanted;
    size_t filled;
    struct entry_view view;
    char language[8], theme[8], path[64];
    char source[200], media_type[100];
    uint8_t *body;
};

struct web {
    struct role_life life;
    const struct web_options *options;
    struct http *http;
    struct zone zone;
    struct chart_reader *chart;
    struct chart_as_of as_of; /* of a viewer's chart; at INSTANT_NONE in a node */
    struct node_state state;
    struct arena arena;
    char *page_buffer; /* PAGE_BYTES_MAX, used again for each page: never zeroed */
    struct text out;
    struct waiting waiting[WAITING_MAX];
};

/* pages.c: an answer for each path. */
enum http_step web_answer(void *owner, struct http_request *request, struct http_answer *answer);
/* Set up the page: language, theme, state of the chart and its feeds. */
void web_page_init(struct web *web, struct page *page, const char *language, const char *theme,
                   const char *path);
void web_finish_entry(struct web *web, struct waiting *waiting, unsigned status);

#endif
