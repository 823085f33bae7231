/*
 * The state as control functions for a terminal of the same size that was just made.
 *
 * Lines are written from the oldest one on, so that they scroll up as they did. Then come what each screen has for
 * itself, titles, colours and modes, and at last the cursor, the pen and a sequence that has not ended: what is written
 * before them moves the cursor.
 */

#include "vt.h"

/* ---- titles, colours, modes */

static void write_string(Writer *w, int command, const char *data, size_t bytes) {
    if (data == NULL) return;
    out_format(w->out, "\x1b]%d;", command);
    out_bytes(w->out, data, bytes);
    out_text(w->out, "\x1b\\");
}

static void write_colours(Writer *w) {
    for (int at = 0; at < COLOURS; at++) {
        uint32_t colour = w->t->colours[at];
        if (colour == 0) continue;
        if (at < PALETTE)
            out_format(w->out, "\x1b]4;%d;", at);
        else
            out_format(w->out, "\x1b]%d;", 10 + at - PALETTE);
        out_format(w->out, "#%06x\x1b\\", (unsigned)COLOUR_VALUE(colour));
    }
}

static void write_mode(Writer *w, int on, int mode) {
    if (on) out_format(w->out, "\x1b[?%dh", mode);
}

/* Modes that neither printing nor the cursor's place depends on. */
static void write_modes(Writer *w) {
    static const int MOUSE_MODES[] = {0, 9, 1000, 1002, 1003}, ENCODINGS[] = {0, 1006, 1016};
    const Modes *modes = &w->t->modes;
    write_mode(w, modes->application_cursor, 1);
    write_mode(w, modes->blink, 12);
    if (modes->hidden) out_text(w->out, "\x1b[?25l");
    write_mode(w, modes->reverse_wrap, 45);
    if (modes->application_keypad) out_text(w->out, "\x1b=");
    write_mode(w, modes->mouse != MOUSE_NONE, MOUSE_MODES[modes->mouse]);
    write_mode(w, modes->mouse_encoding != MOUSE_DEFAULT, ENCODINGS[modes->mouse_encoding]);
    write_mode(w, modes->focus, 1004);
    write_mode(w, modes->bracketed_paste, 2004);
    write_mode(w, modes->synchronized, 2026);
    if (modes->new_line) out_text(w->out, "\x1b[20h");
    if (modes->cursor_blink != 0) {
        int style = modes->cursor_style == 0 ? 7 : modes->cursor_style * 2 - 1;
        out_format(w->out, "\x1b[%d q", modes->cursor_blink == 1 ? style : style + 1);
    }
}

static void write_printing(Writer *w) {
    const Terminal *t = w->t;
    for (int level = 0; level < 4; level++)
        if (t->charsets[level] != 0) out_format(w->out, "\x1b%c%c", "()*+"[level], charset_final(t->charsets[level]));
    if (t->level > 0) out_text(w->out, t->level == 1 ? "\x0e" : t->level == 2 ? "\x1bn" : "\x1bo");
    if (t->modes.insert) out_text(w->out, "\x1b[4h");
    if (t->modes.no_wrap) out_text(w->out, "\x1b[?7l");
}

/* ---- the cursor */

static void place(Writer *w, int x) {
    const Terminal *t = w->t;
    int y = t->buffer->y - (t->modes.origin ? t->buffer->top : 0);
    out_format(w->out, "\x1b[%d;%dH", y + 1, least(x, t->cols - 1) + 1);
}

/* Behind the last column: by printing there, or where the line is empty by erasing it behind the cursor. */
static void write_behind_last(Writer *w, const Line *line) {
    int cols = w->t->cols, x = cols - 1;
    Cell last = line_cell(line, x);
    if (WIDTH_OF(last) == 0 && !HAS_TEXT(last)) last = line_cell(line, --x);
    place(w, x);
    if (HAS_TEXT(last)) {
        pen_direct(w, attributes_at(w, last.attributes));
        out_cell(w->out, w->t, last);
        return;
    }
    for (int at = 0; at < cols; at++)
        if (!is_empty(line_cell(line, at)) || line_cell(line, at).attributes != last.attributes) return;
    Attributes erased = {.bg = attributes_at(w, last.attributes)->bg};
    pen_direct(w, &erased);
    out_text(w->out, "x\x1b[1K");
}

/* Whether these cells are what printing with the pen gives now. */
static int prints_as(const Terminal *t, Cell cell) {
    Attributes pen = t->pen;
    const Attributes *other = &t->attributes.entries[cell.attributes];
    if (!(pen.flags & EXTENDED)) pen.link = pen.underline_colour = pen.underline_style = 0;
    if (pen.fg != other->fg || pen.bg != other->bg || pen.flags != other->flags || pen.link != other->link ||
        pen.underline_style != other->underline_style || pen.underline_colour != other->underline_colour)
        return 0;
    uint32_t text = cell.text & TEXT_MASK;
    const Cluster one = {{text}, 1}, *cluster = text & CLUSTER ? &t->clusters.entries[text & ~CLUSTER] : &one;
    for (uint32_t at = 0; at < cluster->length; at++)
        if (charset_codepoint(t->charset, cluster->codepoints[at]) != cluster->codepoints[at]) return 0;
    return HAS_TEXT(cell) && WIDTH_OF(cell) == t->join >> 1;
}

/* Behind a character that was just printed: it is printed again, so that marks and REP find it. */
static void write_printed(Writer *w, const Line *line, int x) {
    place(w, x);
    Cell last = line_cell(line, x);
    /* What follows comes back with the insertion. */
    if (w->t->modes.insert) out_format(w->out, "\x1b[%dP", columns_of(last));
    out_cell(w->out, w->t, last);
}

/* Only the restored cursor gives some pens, and a charset that is not that of the level. */
static int must_restore(const Terminal *t) {
    const SavedCursor *saved = &t->buffer->saved;
    uint16_t odd = EXTENDED | UNDERLINE;
    int has_pen = (saved->pen.flags & odd) == (t->pen.flags & odd);
    int wants_charset = t->charset != t->charsets[t->level] && saved->charset == t->charset;
    return has_pen && (!is_direct(&t->pen) || wants_charset);
}

static void write_cursor(Writer *w) {
    Terminal *t = w->t;
    const Line *line = current_line(t);
    int printed = t->join > 1 && prints_as(t, line_cell(line, t->buffer->x - (t->join >> 1)));
    int is_behind = t->buffer->x >= t->cols && !printed;
    if (t->modes.origin) out_text(w->out, "\x1b[?6h");
    if (is_behind) {
        write_behind_last(w, line);
        out_text(w->out, "\x1b\\"); /* ends nothing, but no mark joins what was printed */
    }
    write_printing(w);
    if (must_restore(t) && !is_behind)
        pen_by_restoring(w, &t->pen, &t->buffer->saved.pen);
    else
        pen_direct(w, &t->pen);
    int unprinted = t->modes.no_wrap && t->join >> 1 == 2 && t->buffer->x == t->cols - 1 && !printed;
    if (printed)
        write_printed(w, line, t->buffer->x - (t->join >> 1));
    else if (!is_behind)
        place(w, t->buffer->x);
    /* A wide character for which there was no room changes nothing, but a mark would join it. */
    if (unprinted) out_text(w->out, WIDE);
}

int terminal_vt(Terminal *t, int scrollback, Output *out) {
    if (setjmp(t->failed) != 0) return -1;
    Writer w = {.out = out, .t = t};
    out->t = t;
    int first = t->normal.base > scrollback ? t->normal.base - scrollback : 0;
    write_lines(&w, &t->normal, first, t->normal.count);
    if (t->buffer == &t->normal && has_saved(&t->alternate, 0)) {
        int used = w.saved_used;
        out_text(out, "\x1b[?47h");
        write_saved(&w, &t->alternate, 0);
        out_text(out, "\x1b[?47l");
        w.saved_used = used;
    }
    write_own(&w, &t->normal, first);
    if (t->buffer == &t->alternate) {
        out_format(out, "\x1b[%d;1H\x1b[?47h\x1b[H", t->normal.y + 1);
        write_lines(&w, &t->alternate, t->alternate.base, t->alternate.base + t->rows);
        write_own(&w, &t->alternate, t->alternate.base);
    }
    write_string(&w, 2, t->title, t->title_bytes);
    write_string(&w, 1, t->icon, t->icon_bytes);
    write_colours(&w);
    write_modes(&w);
    write_cursor(&w);
    out_parser(out, t);
    return 0;
}
