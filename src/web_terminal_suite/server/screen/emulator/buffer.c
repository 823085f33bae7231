/* The lines of a screen and above it, in a ring; scrolling; tab stops. */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>

void buffer_init(Terminal *t, Buffer *b, int most, int rows) {
    memset(b, 0, sizeof *b);
    b->most = most;
    b->bottom = rows - 1;
    buffer_set_tabs(b, 0, t->cols);
}

void buffer_free(Buffer *b) {
    for (int at = 0; at < b->count; at++) line_free(buffer_line(b, at));
    free(b->ring);
    b->ring = NULL;
    b->room = b->count = b->start = 0;
}

/* As new, but for the saved cursor. */
void buffer_empty(Terminal *t, Buffer *b) {
    buffer_free(b);
    b->most = t->rows + (b == &t->normal ? t->scrollback : 0);
    b->base = b->x = b->y = b->top = 0;
    b->bottom = t->rows - 1;
    memset(b->tabs, 0, sizeof b->tabs);
    buffer_set_tabs(b, 0, t->cols);
}

/* Gives a buffer without lines those of the screen. */
void buffer_fill(Terminal *t, Buffer *b, uint32_t fill) {
    if (b->count > 0) return;
    for (int y = 0; y < t->rows; y++) buffer_push(t, b, line_new(t, t->cols, fill));
}

void buffer_reserve(Terminal *t, Buffer *b, int lines) {
    if (lines <= b->room) return;
    int room = b->room > 0 ? b->room : 8;
    while (room < lines) room *= 2;
    Line **ring = memory_resize(t, NULL, (size_t)room * sizeof(Line *));
    for (int at = 0; at < b->count; at++) ring[at] = buffer_line(b, at);
    free(b->ring);
    b->ring = ring;
    b->room = room;
    b->start = 0;
}

void buffer_push(Terminal *t, Buffer *b, Line *line) {
    buffer_reserve(t, b, b->count + 1);
    b->ring[(b->start + b->count) & (b->room - 1)] = line;
    b->count++;
}

static Line *take_oldest(Buffer *b) {
    Line *oldest = b->ring[b->start];
    b->start = (b->start + 1) & (b->room - 1);
    b->count--;
    return oldest;
}

void buffer_drop_oldest(Terminal *t, Buffer *b, int count) {
    for (; count > 0 && b->count > 0; count--) {
        Line *oldest = take_oldest(b);
        if (t->spare == NULL)
            t->spare = oldest;
        else
            line_free(oldest);
    }
}

/* Moves the lines of the buffer [from, to) up by `count`, or down where it is negative; the lines freed are empty. */
void buffer_rotate(Terminal *t, int from, int to, int count, uint32_t fill) {
    Buffer *b = t->buffer;
    int height = to - from, mask = b->room - 1;
    if (height <= 0 || count == 0) return;
    int up = count > 0, steps = up ? count : -count;
    if (steps > height) steps = height;
    Line *freed[MOST_ROWS];
    int kept = height - steps;
    for (int at = 0; at < steps; at++) freed[at] = buffer_line(b, (up ? from : to - steps) + at);
    if (up)
        for (int at = 0; at < kept; at++) b->ring[(b->start + from + at) & mask] = buffer_line(b, from + steps + at);
    else
        for (int at = kept - 1; at >= 0; at--) b->ring[(b->start + from + steps + at) & mask] = buffer_line(b, from + at);
    for (int at = 0; at < steps; at++) {
        line_clear(freed[at], t->cols, fill);
        b->ring[(b->start + (up ? to - steps : from) + at) & mask] = freed[at];
    }
}

/* Scrolls the region up by a line. Lines leave the top of the screen into the scrollback, those of a lower region do not. */
void buffer_scroll(Terminal *t, uint32_t fill, int wrapped) {
    Buffer *b = t->buffer;
    int last = b->base + b->bottom;
    if (b->top > 0) {
        buffer_rotate(t, b->base + b->top, last + 1, 1, fill);
        buffer_line(b, last)->wrapped = (uint8_t)wrapped;
        return;
    }
    Line *line;
    if (b->count >= b->most) {
        line = take_oldest(b);
        line_clear(line, t->cols, fill);
        last--;
    } else {
        line = line_new(t, t->cols, fill);
        b->base++;
    }
    line->wrapped = (uint8_t)wrapped;
    buffer_push(t, b, line);
    for (int at = b->count - 1; at > last + 1; at--)
        b->ring[(b->start + at) & (b->room - 1)] = buffer_line(b, at - 1);
    b->ring[(b->start + last + 1) & (b->room - 1)] = line;
}

int buffer_next_tab(const Terminal *t, int x) {
    do x++;
    while (x < t->cols && !t->buffer->tabs[x]);
    return x >= t->cols ? t->cols - 1 : x;
}

int buffer_previous_tab(const Terminal *t, int x) {
    do x--;
    while (x > 0 && !t->buffer->tabs[x]);
    return x >= t->cols ? t->cols - 1 : x < 0 ? 0 : x;
}

/* Tab stops from the last one at or before `from` on. */
void buffer_set_tabs(Buffer *b, int from, int cols) {
    while (from > 0 && !b->tabs[from]) from--;
    for (; from < cols; from += TAB_WIDTH) b->tabs[from] = 1;
}
