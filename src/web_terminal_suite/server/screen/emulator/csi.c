/* Control sequences: cursor, erasing, editing, scrolling, tab stops. Counts are bounded by what they can change. */

#include "emulator.h"

#include <string.h>

enum { MOST_COUNT = 100 * 1000 };

static int32_t value(const Terminal *t, int at) { return at < t->parser.params.count ? t->parser.params.values[at] : 0; }

/* A parameter that counts: 0 and none are 1. */
static int count(const Terminal *t, int at) {
    int32_t given = value(t, at);
    return given == 0 ? 1 : given > MOST_COUNT ? MOST_COUNT : given;
}

static void cursor_move(Terminal *t, int columns, int rows) {
    cursor_clamp(t, t->cols - 1);
    cursor_set(t, t->buffer->x + columns, t->buffer->y + rows);
}

static void cursor_up(Terminal *t) {
    int rows = count(t, 0), most = t->buffer->y - t->buffer->top;
    cursor_move(t, 0, most >= 0 && rows > most ? -most : -rows);
}

static void cursor_down(Terminal *t) {
    int rows = count(t, 0), most = t->buffer->bottom - t->buffer->y;
    cursor_move(t, 0, most >= 0 && rows > most ? most : rows);
}

/* ---- erasing */

static void erase_in_line(Terminal *t, int y, int from, int to, int unwrap, int spare_protected) {
    Line *line = buffer_line(t->buffer, t->buffer->base + y);
    line_erase(t, line, from, to, erase_number(t), spare_protected);
    if (unwrap) line->wrapped = 0;
}

static void erase_whole_line(Terminal *t, int y, int spare_protected) {
    Line *line = buffer_line(t->buffer, t->buffer->base + y);
    if (spare_protected)
        line_erase(t, line, 0, line->length, erase_number(t), 1);
    else
        line_clear(line, line->length, erase_number(t));
    line->wrapped = 0;
}

static void erase_display(Terminal *t, int spare_protected) {
    Buffer *b = t->buffer;
    cursor_clamp(t, t->cols);
    int what = value(t, 0), last = b->x + 1 >= t->cols;
    /* xterm.js fails here without scrollback, and the page erases everything instead (frontend/src/guards.ts). */
    if (what == 1 && last && b->y + 1 >= b->count) what = 2;
    if (what == 0) {
        erase_in_line(t, b->y, b->x, t->cols, b->x == 0, spare_protected);
        for (int y = b->y + 1; y < t->rows; y++) erase_whole_line(t, y, spare_protected);
    } else if (what == 1) {
        erase_in_line(t, b->y, 0, b->x + 1, 1, spare_protected);
        /* The line after it, but counted from the oldest one (xtermjs/xterm.js#5785). */
        if (last) buffer_line(b, b->y + 1)->wrapped = 0;
        for (int y = 0; y < b->y; y++) erase_whole_line(t, y, spare_protected);
    } else if (what == 2) {
        for (int y = 0; y < t->rows; y++) erase_whole_line(t, y, spare_protected);
    } else if (what == 3) {
        int above = b->count - t->rows;
        buffer_drop_oldest(t, b, above);
        if (above > 0) b->base = b->base > above ? b->base - above : 0;
    }
}

static void erase_line(Terminal *t, int spare_protected) {
    cursor_clamp(t, t->cols);
    int x = t->buffer->x, y = t->buffer->y;
    switch (value(t, 0)) {
    case 0: erase_in_line(t, y, x, t->cols, x == 0, spare_protected); break;
    case 1: erase_in_line(t, y, 0, x + 1, 0, spare_protected); break;
    case 2: erase_in_line(t, y, 0, t->cols, 1, spare_protected); break;
    default: break;
    }
}

/* ---- editing and scrolling */

static int in_region(const Terminal *t) {
    return t->buffer->y >= t->buffer->top && t->buffer->y <= t->buffer->bottom;
}

static void insert_lines(Terminal *t, int lines) {
    Buffer *b = t->buffer;
    cursor_clamp(t, t->cols - 1);
    if (!in_region(t)) return;
    buffer_rotate(t, b->base + b->y, b->base + b->bottom + 1, lines, erase_number(t));
    b->x = 0;
}

static void scroll(Terminal *t, int lines, uint32_t fill) {
    Buffer *b = t->buffer;
    buffer_rotate(t, b->base + b->top, b->base + b->bottom + 1, lines, fill);
}

static void edit_cells(Terminal *t, uint32_t final) {
    cursor_clamp(t, t->cols - 1);
    Line *line = current_line(t);
    int x = t->buffer->x, cells = count(t, 0);
    uint32_t fill = erase_number(t);
    if (final == '@')
        line_insert(t, line, x, cells, fill);
    else if (final == 'P')
        line_delete(t, line, x, cells, fill);
    else
        line_erase(t, line, x, x + cells, fill, 0);
}

/* Columns from x on of all lines of the region. */
static void edit_columns(Terminal *t, int x, int inserts) {
    Buffer *b = t->buffer;
    if (!in_region(t)) return;
    uint32_t fill = erase_number(t);
    for (int y = b->top; y <= b->bottom; y++) {
        Line *line = buffer_line(b, b->base + y);
        if (inserts)
            line_insert(t, line, x, count(t, 0), fill);
        else
            line_delete(t, line, x, count(t, 0), fill);
        line->wrapped = 0;
    }
}

static void set_region(Terminal *t) {
    int top = count(t, 0), bottom = value(t, 1);
    if (bottom == 0 || bottom > t->rows) bottom = t->rows;
    if (bottom <= top) return;
    t->buffer->top = top - 1;
    t->buffer->bottom = bottom - 1;
    cursor_set(t, 0, 0);
}

static void tabs_forward(Terminal *t) {
    Buffer *b = t->buffer;
    if (b->x >= t->cols) return;
    for (int tabs = count(t, 0); tabs > 0 && b->x < t->cols - 1; tabs--) b->x = buffer_next_tab(t, b->x);
}

static void tabs_backward(Terminal *t) {
    Buffer *b = t->buffer;
    if (b->x >= t->cols) return;
    for (int tabs = count(t, 0); tabs > 0 && b->x > 0; tabs--) b->x = buffer_previous_tab(t, b->x);
}

static void tab_clear(Terminal *t) {
    Buffer *b = t->buffer;
    if (value(t, 0) == 0) b->tabs[b->x] = 0;
    if (value(t, 0) == 3) memset(b->tabs, 0, sizeof b->tabs);
}

/* ---- the table */

static void cursor_style(Terminal *t) {
    int style = value(t, 0);
    if (style == 0) {
        t->modes.cursor_style = t->modes.cursor_blink = 0;
        return;
    }
    if (style <= 6) t->modes.cursor_style = (uint8_t)((style + 1) / 2);
    t->modes.cursor_blink = style % 2 == 1 ? 1 : 2;
}

static void protect(Terminal *t) {
    int what = value(t, 0);
    if (what == 1) t->pen.flags |= PROTECTED;
    if (what == 0 || what == 2) t->pen.flags &= (uint16_t)~PROTECTED;
    t->pen_changed = 1;
}

static void plain(Terminal *t, uint32_t final) {
    Buffer *b = t->buffer;
    switch (final) {
    case '@': case 'P': case 'X': edit_cells(t, final); break;
    case 'A': cursor_up(t); break;
    case 'B': cursor_down(t); break;
    case 'C': case 'a': cursor_move(t, count(t, 0), 0); break;
    case 'D': cursor_move(t, -count(t, 0), 0); break;
    case 'E': cursor_down(t); b->x = 0; break;
    case 'F': cursor_up(t); b->x = 0; break;
    case 'G': case '`': cursor_set(t, count(t, 0) - 1, b->y); break;
    case 'H': case 'f': cursor_set(t, count(t, 1) - 1, count(t, 0) - 1); break;
    case 'I': tabs_forward(t); break;
    case 'J': erase_display(t, 0); break;
    case 'K': erase_line(t, 0); break;
    case 'L': insert_lines(t, -count(t, 0)); break;
    case 'M': insert_lines(t, count(t, 0)); break;
    case 'S': scroll(t, count(t, 0), erase_number(t)); break;
    case 'T': scroll(t, -count(t, 0), 0); break;
    case 'Z': tabs_backward(t); break;
    case 'b': print_repeat(t, count(t, 0)); break;
    case 'd': cursor_set(t, b->x, count(t, 0) - 1); break;
    case 'e': cursor_move(t, 0, count(t, 0)); break;
    case 'g': tab_clear(t); break;
    case 'h': modes_set(t, 0, 1); break;
    case 'l': modes_set(t, 0, 0); break;
    case 'm': sgr_apply(t); break;
    case 'r': set_region(t); break;
    case 's': cursor_save(t); break;
    case 'u': cursor_restore(t); break;
    default: break;
    }
}

static void dec_private(Terminal *t, uint32_t final) {
    switch (final) {
    case 'J': erase_display(t, 1); break;
    case 'K': erase_line(t, 1); break;
    case 'h': modes_set(t, 1, 1); break;
    case 'l': modes_set(t, 1, 0); break;
    default: break;
    }
}

void csi_dispatch(Terminal *t, uint32_t collected, uint32_t final) {
    if (collected == 0)
        plain(t, final);
    else if (collected == '?')
        dec_private(t, final);
    else if (collected == ' ' && (final == '@' || final == 'A'))
        edit_columns(t, 0, final == 'A');
    else if (collected == '\'' && (final == '}' || final == '~'))
        edit_columns(t, t->buffer->x, final == '}');
    else if (collected == ' ' && final == 'q')
        cursor_style(t);
    else if (collected == '"' && final == 'q')
        protect(t);
    else if (collected == '!' && final == 'p')
        modes_soft_reset(t);
}
