/* Modes of ANSI and DEC (xterm's ctlseqs, "DEC Private Mode Set"). */

#include "emulator.h"

#include <string.h>

enum { ANSI_INSERT = 4, ANSI_NEW_LINE = 20 };

static void mouse_set(Terminal *t, Mouse mouse, int on) { t->modes.mouse = (uint8_t)(on ? mouse : MOUSE_NONE); }

static void mouse_encoding_set(Terminal *t, MouseEncoding encoding, int on) {
    t->modes.mouse_encoding = (uint8_t)(on ? encoding : MOUSE_DEFAULT);
}

static void origin_set(Terminal *t, int on) {
    t->modes.origin = (uint8_t)on;
    cursor_set(t, 0, 0);
}

static void screen_set(Terminal *t, int on) {
    if (on)
        screen_alternate(t);
    else
        screen_normal(t);
}

static void cursor_keep(Terminal *t, int on) {
    if (on)
        cursor_save(t);
    else
        cursor_restore(t);
}

static void dec_mode(Terminal *t, int mode, int on) {
    Modes *modes = &t->modes;
    switch (mode) {
    case 1: modes->application_cursor = (uint8_t)on; break;
    case 2:
        if (on) {
            memset(t->charsets, 0, sizeof t->charsets);
            t->charset = 0;
        }
        break;
    case 6: origin_set(t, on); break;
    case 7: modes->no_wrap = (uint8_t)!on; break;
    case 9: mouse_set(t, MOUSE_X10, on); break;
    case 12: modes->blink = (uint8_t)on; break;
    case 25: modes->hidden = (uint8_t)!on; break;
    case 45: modes->reverse_wrap = (uint8_t)on; break;
    case 47: case 1047: screen_set(t, on); break;
    case 66: modes->application_keypad = (uint8_t)on; break;
    case 1000: mouse_set(t, MOUSE_VT200, on); break;
    case 1002: mouse_set(t, MOUSE_DRAG, on); break;
    case 1003: mouse_set(t, MOUSE_ANY, on); break;
    case 1004: modes->focus = (uint8_t)on; break;
    case 1006: mouse_encoding_set(t, MOUSE_SGR, on); break;
    case 1016: mouse_encoding_set(t, MOUSE_SGR_PIXELS, on); break;
    case 1048: cursor_keep(t, on); break;
    case 1049:
        if (on) cursor_save(t);
        screen_set(t, on);
        if (!on) cursor_restore(t);
        break;
    case 2004: modes->bracketed_paste = (uint8_t)on; break;
    case 2026: modes->synchronized = (uint8_t)on; break;
    default: break;
    }
}

void modes_set(Terminal *t, int dec, int on) {
    for (int at = 0; at < t->parser.params.count; at++) {
        int mode = t->parser.params.values[at];
        if (dec)
            dec_mode(t, mode, on);
        else if (mode == ANSI_INSERT)
            t->modes.insert = (uint8_t)on;
        else if (mode == ANSI_NEW_LINE)
            t->modes.new_line = (uint8_t)on;
    }
}

/* DECSTR. Mouse and cursor blinking stay in xterm.js. */
void modes_soft_reset(Terminal *t) {
    Buffer *b = t->buffer;
    Modes kept = {.new_line = t->modes.new_line, .blink = t->modes.blink, .mouse = t->modes.mouse,
                  .mouse_encoding = t->modes.mouse_encoding};
    t->modes = kept;
    b->top = 0;
    b->bottom = t->rows - 1;
    memset(&t->pen, 0, sizeof t->pen);
    t->pen_changed = 1;
    charsets_reset(t);
    b->saved = (SavedCursor){t->pen, 0, b->base, 0};
}
