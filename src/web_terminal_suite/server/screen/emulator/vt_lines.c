/* Lines as control functions, and tab stops, saved cursor and scroll region of a screen. */

#include "vt.h"

#include <string.h>

/* ---- the pen */

static void link_to(Writer *w, uint32_t link) {
    if (w->pen.link == link) return;
    const Link none = {"", "", 0, 0};
    const Link *wanted = link == 0 ? &none : &w->t->links.entries[link];
    out_text(w->out, "\x1b]8;");
    if (wanted->id_bytes > 0) out_text(w->out, "id=");
    out_bytes(w->out, wanted->id, wanted->id_bytes);
    out_text(w->out, ";");
    out_bytes(w->out, wanted->uri, wanted->uri_bytes);
    out_text(w->out, "\x1b\\");
    w->pen.link = link;
}

void pen_direct(Writer *w, const Attributes *to) {
    link_to(w, to->link);
    out_attributes(w->out, &w->pen, to);
    w->pen = *to;
}

/* The saved cursor has the flags that are wanted; restoring it leaves style, colour and link of the underline. */
void pen_by_restoring(Writer *w, const Attributes *to, const Attributes *saved) {
    Attributes remembered = {.underline_style = to->underline_style, .underline_colour = to->underline_colour, .link = to->link};
    pen_direct(w, &remembered);
    out_text(w->out, "\x1b""8");
    w->pen = *saved;
    w->pen.underline_style = to->underline_style;
    w->pen.underline_colour = to->underline_colour;
    w->pen.link = to->link;
    out_attributes(w->out, &w->pen, to);
    w->pen = *to;
}

/* While lines are written the saved cursor is free. */
static void pen_to(Writer *w, const Attributes *to) {
    static const Attributes plain;
    if (is_direct(to)) {
        pen_direct(w, to);
        return;
    }
    if (memcmp(&w->pen, to, sizeof *to) == 0) return;
    Attributes saved = {.flags = to->flags & (EXTENDED | UNDERLINE)};
    pen_direct(w, &plain);
    if (to->flags & UNDERLINE)
        out_text(w->out, "\x1b[4m\x1b""7\x1b[m");
    else if (to->flags & EXTENDED)
        out_text(w->out, "\x1b]8;;-\x1b\\\x1b""7\x1b]8;;\x1b\\");
    else
        out_text(w->out, "\x1b""7");
    w->saved_used = 1;
    pen_by_restoring(w, to, &saved);
}

static void pen_plain(Writer *w) {
    static const Attributes plain;
    pen_direct(w, &plain);
}

/* ---- lines */

/* Empty, with more than a background: no erasing leaves this, only a wide character of which one half was written over. */
static int is_odd(const Writer *w, Cell cell) {
    const Attributes *a = attributes_at(w, cell.attributes);
    return !HAS_TEXT(cell) && WIDTH_OF(cell) == 1 && (a->fg != 0 || a->flags != 0);
}

static void column(Writer *w, int x) { out_format(w->out, "\x1b[%dG", x + 1); }

static void write_run_of_empty(Writer *w, Cell first, int x, int count, int cols) {
    Attributes erased = {.bg = attributes_at(w, first.attributes)->bg};
    if (first.attributes == 0) return;
    pen_direct(w, &erased);
    if (x + count == cols && x > 0)
        out_text(w->out, "\x1b[K");
    else
        out_format(w->out, "\x1b[%dX", count);
}

/* One cell again. */
static void write_again(Writer *w, const Line *line, int x) {
    Cell cell = line_cell(line, x);
    if (x > 0 && WIDTH_OF(cell) == 0) cell = line_cell(line, --x);
    column(w, x);
    if (is_empty(cell)) {
        Attributes erased = {.bg = attributes_at(w, cell.attributes)->bg};
        pen_direct(w, &erased);
        out_text(w->out, "\x1b[X");
        return;
    }
    pen_to(w, attributes_at(w, cell.attributes));
    out_cell(w->out, w->t, cell);
}

/* The first half of a wide character without the second: a smaller size cut it. Nothing else leaves that, so it is empty. */
static int is_cut(const Line *line, int x, int cols) {
    if (WIDTH_OF(line_cell(line, x)) != 2) return 0;
    Cell next = line_cell(line, x + 1);
    return x + 1 >= cols || WIDTH_OF(next) != 0 || HAS_TEXT(next);
}

static int is_half(const Line *line, int x) {
    Cell cell = line_cell(line, x);
    return WIDTH_OF(cell) == 0 && !HAS_TEXT(cell) && (x == 0 || WIDTH_OF(line_cell(line, x - 1)) != 2);
}

/* The second half of a wide character without the first: cells were inserted between them. What is behind is not written yet. */
static int write_half(Writer *w, const Line *line, int x) {
    if (x < 2 || !is_empty(line_cell(line, x - 1)) || is_half(line, x - 2)) return 0;
    column(w, x - 2);
    pen_to(w, attributes_at(w, line_cell(line, x).attributes));
    out_text(w->out, WIDE);
    column(w, x - 1);
    out_text(w->out, "\x1b[@");
    write_again(w, line, x - 2);
    write_again(w, line, x - 1);
    column(w, x + 1);
    return 1;
}

/* The cells [x, end) of a line; the cursor is at x before and after the last one that is not empty then. */
static int write_cells(Writer *w, const Line *line, int x, int end, int cols) {
    int cursor = x;
    while (x < end) {
        Cell cell = line_cell(line, x);
        if (is_empty(cell)) {
            int count = 1;
            while (x + count < end && is_empty(line_cell(line, x + count)) && line_cell(line, x + count).attributes == cell.attributes) count++;
            if (cursor < x && cell.attributes != 0) {
                out_format(w->out, "\x1b[%dC", x - cursor);
                cursor = x;
            }
            write_run_of_empty(w, cell, x, count, cols);
            x += count;
            continue;
        }
        if (is_half(line, x) && write_half(w, line, x)) {
            cursor = ++x;
            continue;
        }
        /* A mark that was printed in the first column and moved since cannot be printed here. */
        if (is_cut(line, x, cols) || (x > 0 && WIDTH_OF(cell) == 0 && HAS_TEXT(cell))) {
            x++;
            continue;
        }
        if (cursor < x) out_format(w->out, "\x1b[%dC", x - cursor);
        pen_to(w, attributes_at(w, cell.attributes));
        if (HAS_TEXT(cell))
            out_cell(w->out, w->t, cell);
        else
            out_text(w->out, " ");
        x += columns_of(cell);
        cursor = x;
    }
    return cursor;
}

/* Half a wide character, of which the other one is written over with the attributes of the empty cell. */
static void write_odd(Writer *w, const Line *line, int x) {
    int wide = x > 0 ? x - 1 : 0, over = x > 0 ? x - 1 : 1;
    column(w, wide);
    out_text(w->out, WIDE);
    column(w, over);
    pen_to(w, attributes_at(w, line_cell(line, x).attributes));
    out_text(w->out, "x");
    if (!is_odd(w, line_cell(line, over)) || over > x) write_again(w, line, over);
}

/* From the last one on, because each spoils the cell before it. */
static void write_all_odd(Writer *w, const Line *line, int cols) {
    for (int x = (line->used < cols ? line->used : cols) - 1; x >= 0; x--)
        if (is_odd(w, line_cell(line, x))) write_odd(w, line, x);
}

static int has_odd(const Writer *w, const Line *line, int cols) {
    for (int x = 0; x < line->used && x < cols; x++)
        if (is_odd(w, line->cells[x])) return 1;
    return is_odd(w, line_cell(line, cols - 1));
}

/* The last cell of a line is empty because the wide character that begins the next one did not fit. */
static int wraps_wide(const Writer *w, const Line *line, const Line *next, int cols) {
    Cell last = line_cell(line, cols - 1), first = line_cell(next, 0);
    return is_empty(last) && WIDTH_OF(first) == 2 && HAS_TEXT(first) && last.attributes == first.attributes &&
           attributes_at(w, first.attributes)->bg == 0 && is_direct(attributes_at(w, first.attributes));
}

/* The first character of a line that continues the one before; whether it is there for good, or the cursor before it. */
static int write_first(Writer *w, const Line *line, int cols) {
    Cell first = line_cell(line, 0);
    /* A new line has the background of the pen. */
    if (HAS_TEXT(first) && !is_cut(line, 0, cols) && attributes_at(w, first.attributes)->bg == 0) {
        pen_to(w, attributes_at(w, first.attributes));
        out_cell(w->out, w->t, first);
        return 1;
    }
    pen_plain(w);
    out_text(w->out, "x\r");
    if (is_empty(first) || is_cut(line, 0, cols)) out_text(w->out, "\x1b[X");
    return 0;
}

/* A line from x on, and how the next one continues it: the last cell must be written for that, and emptied after it. */
static int write_wrapping(Writer *w, const Line *line, const Line *next, int x, int cols) {
    Cell last = line_cell(line, cols - 1);
    int wide = wraps_wide(w, line, next, cols), end = wide ? cols - 1 : cols;
    int empties = (is_empty(last) || is_cut(line, cols - 1, cols)) && !wide;
    int cursor = write_cells(w, line, x, end, cols);
    if (cursor < end) column(w, cols - 1);
    if (cursor < end && !wide) out_text(w->out, "x");
    int written = write_first(w, next, cols);
    if (!empties && !has_odd(w, line, end)) return written;
    out_text(w->out, "\r\x1b[A");
    if (empties) {
        column(w, cols - 1);
        Attributes erased = {.bg = attributes_at(w, last.attributes)->bg};
        pen_direct(w, &erased);
        out_text(w->out, "\x1b[X");
    }
    write_all_odd(w, line, end);
    out_text(w->out, "\x1b[B\r");
    return 0;
}

/* ---- what each screen has for itself */

static void write_tabs(Writer *w, const Buffer *b) {
    int cols = w->t->cols, same = 1;
    for (int x = 0; x < cols; x++)
        if (b->tabs[x] != (x % TAB_WIDTH == 0)) same = 0;
    if (same) return;
    out_text(w->out, "\x1b[3g");
    for (int x = 0; x < cols; x++)
        if (b->tabs[x]) {
            column(w, x);
            out_text(w->out, "\x1bH");
        }
}

static int saved_row(const Writer *w, const Buffer *b) {
    int y = b->saved.y - b->base;
    return y < 0 ? 0 : least(y, w->t->rows - 1);
}

/* Whether the saved cursor is another than that of a new terminal, whose oldest line is `first`. */
int has_saved(const Buffer *b, int first) {
    const SavedCursor *saved = &b->saved;
    return saved->x != 0 || saved->y > first || saved->charset != 0 || saved->pen.fg != 0 || saved->pen.bg != 0 ||
           saved->pen.flags != 0;
}

/* Saves the cursor in the row in which it is. */
static void write_saved_here(Writer *w, const Buffer *b) {
    const SavedCursor *saved = &b->saved;
    Attributes pen = saved->pen;
    pen.underline_colour = pen.link = 0;
    pen.underline_style = pen.flags & UNDERLINE ? 1 : 0;
    int links = (pen.flags & (EXTENDED | UNDERLINE)) == EXTENDED;
    column(w, least(saved->x, w->t->cols - 1));
    pen_plain(w);
    if (links) out_text(w->out, "\x1b]8;;-\x1b\\");
    pen_direct(w, &pen);
    if (saved->charset != 0) out_format(w->out, "\x1b(%c", charset_final(saved->charset));
    out_text(w->out, "\x1b""7");
    if (saved->charset != 0) out_text(w->out, "\x1b(B");
    if (links) out_text(w->out, "\x1b]8;;\x1b\\");
    pen_plain(w);
    out_text(w->out, "\r");
    w->saved_used = 0;
}

/* Unless that was done when the line was written that is now above the screen. */
void write_saved(Writer *w, const Buffer *b, int first) {
    if ((!has_saved(b, first) || (b->saved.y < b->base && b->saved.y >= first)) && !w->saved_used) return;
    out_format(w->out, "\x1b[%d;1H", saved_row(w, b) + 1);
    write_saved_here(w, b);
}

/* The oldest line continues one that is gone: one that wraps into it is written and deleted. */
static void write_continued(Writer *w) {
    column(w, w->t->cols - 1);
    out_text(w->out, "xx\x1b[H\x1b[M\x1b[X");
}

void write_lines(Writer *w, Buffer *b, int from, int to) {
    int cols = w->t->cols, x = 0;
    if (buffer_line(b, from)->wrapped && w->t->rows > 1) write_continued(w);
    for (int at = from; at < to; at++) {
        const Line *line = buffer_line(b, at), *next = at + 1 < to ? buffer_line(b, at + 1) : NULL;
        if (at == b->saved.y && at < b->base && has_saved(b, from)) {
            write_saved_here(w, b);
            x = 0;
        }
        /* With a single row there is no way back to the line before. */
        if (next != NULL && next->wrapped && w->t->rows > 1) {
            x = write_wrapping(w, line, next, x, cols) ? columns_of(line_cell(next, 0)) : 0;
            continue;
        }
        write_cells(w, line, x, cols, cols);
        x = 0;
        if (has_odd(w, line, cols)) write_all_odd(w, line, cols);
        if (next == NULL) break;
        if (w->pen.bg != 0) pen_plain(w);
        out_text(w->out, "\r\n");
    }
    pen_plain(w);
}

void write_own(Writer *w, const Buffer *b, int first) {
    write_tabs(w, b);
    write_saved(w, b, first);
    if (b->top != 0 || b->bottom != w->t->rows - 1) out_format(w->out, "\x1b[%d;%dr", b->top + 1, b->bottom + 1);
}
