/* The lines as text, and as runs of one look. */

#include "emulator.h"

/* Columns of a line that count: up to its last character, or all of them where the next line continues it. */
static int text_end(const Terminal *t, const Line *line, const Line *next) {
    int end = line_text_length(line);
    if (next == NULL || !next->wrapped) return end;
    /* The last cell is empty where a wide character did not fit into it. */
    return WIDTH_OF(line_cell(next, 0)) == 2 && end == t->cols - 1 ? end : t->cols;
}

static void out_column(Output *out, const Terminal *t, Cell cell) {
    if (HAS_TEXT(cell))
        out_cell(out, t, cell);
    else if (WIDTH_OF(cell) == 1)
        out_text(out, " ");
}

int terminal_text(Terminal *t, int scrollback, Output *out) {
    if (setjmp(t->failed) != 0) return -1;
    out->t = t;
    const Buffer *b = t->buffer;
    int first = b->base > scrollback ? b->base - scrollback : 0;
    for (int at = first; at < b->count; at++) {
        const Line *line = buffer_line(b, at), *next = buffer_line(b, at + 1);
        int end = text_end(t, line, next);
        for (int x = 0; x < end; x++) out_column(out, t, line_cell(line, x));
        if (next == NULL || !next->wrapped) out_text(out, "\n");
    }
    return 0;
}

int terminal_run(Terminal *t, int at, int x, Output *out, uint32_t *attributes) {
    if (setjmp(t->failed) != 0) return -1;
    const Line *line = buffer_line(t->buffer, at);
    int end = line->fill == 0 ? (line->used < t->cols ? line->used : t->cols) : t->cols;
    if (x >= end) return x;
    *attributes = line_cell(line, x).attributes;
    int last = x;
    while (last < end && line_cell(line, last).attributes == *attributes) last++;
    for (int each = x; each < last; each++) out_column(out, t, line_cell(line, each));
    return last;
}
