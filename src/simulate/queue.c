/* queue.c - the order of things to come: a binary heap.
 *
 * Invariant: no event is sooner than its parent at (i - 1) / 2. */
#include "simulate/queue.h"

static bool is_sooner(const struct event *a, const struct event *b) {
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void swap(struct event *a, struct event *b) {
    struct event kept = *a;
    *a = *b;
    *b = kept;
}

void event_queue_release(struct event_queue *queue) {
    memory_free(queue->heap);
    *queue = (struct event_queue){0};
}

enum err event_queue_put(struct event_queue *queue, const struct event *event) {
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity ? queue->capacity * 2 : 1024;
        struct event *heap = memory_grow(queue->heap, capacity, sizeof *heap);
        if (!heap)
            return ERR_MEMORY;
        queue->heap = heap;
        queue->capacity = capacity;
    }
    size_t i = queue->count++;
    queue->heap[i] = *event;
    queue->heap[i].sequence = queue->sequence++;
    for (; i > 0 && is_sooner(&queue->heap[i], &queue->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&queue->heap[i], &queue->heap[(i - 1) / 2]);
    return ERR_OK;
}

bool event_queue_take(struct event_queue *queue, struct event *event) {
    if (queue->count == 0)
        return false;
    *event = queue->heap[0];
    queue->heap[0] = queue->heap[--queue->count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < queue->count && is_sooner(&queue->heap[left], &queue->heap[least]))
            least = left;
        if (right < queue->count && is_sooner(&queue->heap[right], &queue->heap[least]))
            least = right;
        if (least == i)
            return true;
        swap(&queue->heap[i], &queue->heap[least]);
        i = least;
    }
}
