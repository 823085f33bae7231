/* Control characters and escape sequences: cursor, lines, tab stops, charsets, the two screens. */

#include "emulator.h"

#include <string.h>

static int clamp(int value, int least, int most) { return value < least ? least : value > most ? most : value; }

void cursor_clamp(Terminal *t, int most_x) {
    Buffer *b = t->buffer;
    b->x = clamp(b->x, 0, most_x);
    b->y = t->modes.origin ? clamp(b->y, b->top, b->bottom) : clamp(b->y, 0, t->rows - 1);
}

/* In origin mode rows count from the top of the scroll region. */
void cursor_set(Terminal *t, int x, int y) {
    t->buffer->x = x;
    t->buffer->y = t->modes.origin ? t->buffer->top + y : y;
    cursor_clamp(t, t->cols - 1);
}

void cursor_save(Terminal *t) {
    Buffer *b = t->buffer;
    b->saved = (SavedCursor){t->pen, b->x, b->base + b->y, t->charset};
}

/* Underline style, its colour and the link are not saved, but whether they count is. */
void cursor_restore(Terminal *t) {
    Buffer *b = t->buffer;
    b->x = b->saved.x;
    b->y = clamp(b->saved.y - b->base, 0, t->rows);
    t->pen.fg = b->saved.pen.fg;
    t->pen.bg = b->saved.pen.bg;
    t->pen.flags = b->saved.pen.flags;
    t->pen_changed = 1;
    t->charset = b->saved.charset;
    cursor_clamp(t, t->cols - 1);
}

/* A line down; at the end of the region it scrolls. Whether the cursor came to a line that was there. */
static int line_down(Terminal *t) {
    Buffer *b = t->buffer;
    b->y++;
    if (b->y == b->bottom + 1) {
        b->y--;
        buffer_scroll(t, erase_number(t), 0);
        return 0;
    }
    if (b->y < t->rows) return 1;
    b->y = t->rows - 1;
    return 0;
}

void line_feed(Terminal *t) {
    if (t->modes.new_line) t->buffer->x = 0;
    if (line_down(t)) current_line(t)->wrapped = 0;
    if (t->buffer->x >= t->cols) t->buffer->x--;
}

static void index_line(Terminal *t) {
    cursor_clamp(t, t->cols - 1);
    line_down(t);
    cursor_clamp(t, t->cols - 1);
}

static void reverse_index(Terminal *t) {
    Buffer *b = t->buffer;
    cursor_clamp(t, t->cols - 1);
    if (b->y == b->top)
        buffer_rotate(t, b->base + b->top, b->base + b->bottom + 1, -1, erase_number(t));
    else {
        b->y--;
        cursor_clamp(t, t->cols - 1);
    }
}

static void backspace(Terminal *t) {
    Buffer *b = t->buffer;
    if (!t->modes.reverse_wrap) {
        cursor_clamp(t, t->cols - 1);
        if (b->x > 0) b->x--;
        return;
    }
    cursor_clamp(t, t->cols);
    if (b->x > 0)
        b->x--;
    else if (b->y > b->top && b->y <= b->bottom && current_line(t)->wrapped) {
        current_line(t)->wrapped = 0;
        b->y--;
        b->x = t->cols - 1;
        /* A wide character did not fit into the last cell. */
        Cell last = line_cell(current_line(t), b->x);
        if (WIDTH_OF(last) > 0 && !HAS_TEXT(last)) b->x--;
    }
    cursor_clamp(t, t->cols - 1);
}

static void charset_level(Terminal *t, uint8_t level) {
    t->level = level;
    t->charset = t->charsets[level];
}

static void charset_designate(Terminal *t, int level, uint8_t charset) {
    t->charsets[level] = charset;
    if (t->level == level) t->charset = charset;
}

void charsets_reset(Terminal *t) {
    memset(t->charsets, 0, sizeof t->charsets);
    t->charset = t->level = 0;
}

void control_execute(Terminal *t, uint32_t code) {
    Buffer *b = t->buffer;
    switch (code) {
    case 0x08: backspace(t); break;
    case 0x09:
        if (b->x < t->cols) b->x = buffer_next_tab(t, b->x);
        break;
    case 0x0A: case 0x0B: case 0x0C: line_feed(t); break;
    case 0x0D: b->x = 0; break;
    case 0x0E: charset_level(t, 1); break;
    case 0x0F: charset_level(t, 0); break;
    case 0x84: index_line(t); break;
    case 0x85:
        b->x = 0;
        index_line(t);
        break;
    case 0x88: b->tabs[b->x] = 1; break;
    default: break;
    }
}

/* DECALN: the screen full of E (VT510 manual). */
static void alignment_pattern(Terminal *t) {
    Attributes pattern = t->pen;
    pattern.link = pattern.underline_colour = pattern.underline_style = 0;
    if (t->attributes.index.count >= t->attributes.index.limit) tables_collect(t);
    uint32_t number = attributes_number(t, &pattern);
    cursor_set(t, 0, 0);
    Buffer *b = t->buffer;
    for (int y = b->y; y < t->rows + b->y && b->base + y < b->count; y++) {
        Line *line = buffer_line(b, b->base + y);
        line_clear(line, line->length, 0);
        line_reach(t, line, line->length);
        for (int x = 0; x < line->length; x++) line->cells[x] = (Cell){'E', number};
    }
    cursor_set(t, 0, 0);
}

void screen_alternate(Terminal *t) {
    if (t->buffer == &t->alternate) return;
    buffer_fill(t, &t->alternate, erase_number(t));
    t->alternate.x = t->normal.x;
    t->alternate.y = t->normal.y;
    t->buffer = &t->alternate;
}

void screen_normal(Terminal *t) {
    if (t->buffer == &t->normal) return;
    t->normal.x = t->alternate.x;
    t->normal.y = t->alternate.y;
    buffer_empty(t, &t->alternate);
    t->buffer = &t->normal;
}

/* RIS. Title, colours, line feed mode and whether the cursor is hidden are not reset by xterm.js. */
void control_reset(Terminal *t) {
    Modes kept = {.new_line = t->modes.new_line, .hidden = t->modes.hidden, .blink = t->modes.blink};
    t->modes = kept;
    parser_reset(&t->parser);
    memset(&t->pen, 0, sizeof t->pen);
    t->pen_changed = 1;
    charsets_reset(t);
    buffer_empty(t, &t->alternate);
    buffer_empty(t, &t->normal);
    memset(&t->alternate.saved, 0, sizeof t->alternate.saved);
    memset(&t->normal.saved, 0, sizeof t->normal.saved);
    t->buffer = &t->normal;
    buffer_fill(t, &t->normal, 0);
}

static void designate(Terminal *t, uint32_t collected, uint32_t final) {
    static const char LEVELS[] = "()*+-.";
    const char *at = collected > 0 && collected < 0x80 ? strchr(LEVELS, (int)collected) : NULL;
    uint8_t charset = charset_of(final);
    /* 96-character sets go to the levels from G1 on. */
    if (at != NULL && charset != NO_CHARSET) charset_designate(t, (int)(at - LEVELS) % 4 + (at - LEVELS >= 4), charset);
}

void control_escape(Terminal *t, uint32_t collected, uint32_t final) {
    if (collected == '#' && final == '8') alignment_pattern(t);
    if (collected == '%' && (final == '@' || final == 'G')) {
        charset_level(t, 0);
        charset_designate(t, 0, 0);
    }
    if (collected != 0) {
        designate(t, collected, final);
        return;
    }
    switch (final) {
    case '7': cursor_save(t); break;
    case '8': cursor_restore(t); break;
    case '=': t->modes.application_keypad = 1; break;
    case '>': t->modes.application_keypad = 0; break;
    case 'D': control_execute(t, 0x84); break;
    case 'E': control_execute(t, 0x85); break;
    case 'H': control_execute(t, 0x88); break;
    case 'M': reverse_index(t); break;
    case 'c': control_reset(t); break;
    case 'n': case '}': charset_level(t, 2); break;
    case 'o': case '|': charset_level(t, 3); break;
    case '~': charset_level(t, 1); break;
    default: break;
    }
}
