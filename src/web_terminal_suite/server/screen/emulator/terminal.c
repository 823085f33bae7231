/* A terminal from its beginning to its end, and the memory it takes. */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>

static int set_up(Terminal *t) {
    if (setjmp(t->failed) != 0) return -1;
    tables_init(t);
    buffer_init(t, &t->normal, t->rows + t->scrollback, t->rows);
    buffer_init(t, &t->alternate, t->rows, t->rows);
    buffer_fill(t, &t->normal, 0);
    return 0;
}

Terminal *terminal_new(int cols, int rows, int scrollback) {
    Terminal *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    t->cols = cols < FEWEST_COLS ? FEWEST_COLS : cols;
    t->rows = rows;
    t->scrollback = scrollback;
    t->pen_changed = t->erase_changed = 1;
    t->buffer = &t->normal;
    params_clear(&t->parser.params);
    if (set_up(t) == 0) return t;
    terminal_free(t);
    return NULL;
}

void terminal_free(Terminal *t) {
    if (t == NULL) return;
    buffer_free(&t->normal);
    buffer_free(&t->alternate);
    line_free(t->spare);
    tables_free(t);
    free(t->parser.string);
    free(t->title);
    free(t->icon);
    free(t);
}

static size_t buffer_memory(const Buffer *b) {
    size_t bytes = (size_t)b->room * sizeof(Line *);
    for (int at = 0; at < b->count; at++) bytes += sizeof(Line) + buffer_line(b, at)->room * sizeof(Cell);
    return bytes;
}

size_t terminal_memory(const Terminal *t) {
    return sizeof *t + buffer_memory(&t->normal) + buffer_memory(&t->alternate) + tables_memory(t) + t->parser.string_room +
           t->title_bytes + t->icon_bytes;
}
