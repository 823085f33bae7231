/* Select Graphic Rendition: ECMA-48 8.3.117, colours as in ITU-T T.416 13.1.8 and xterm, underline styles as in kitty. */

#include "emulator.h"

enum { STYLE_NONE = 0, STYLE_SINGLE = 1, STYLE_DOUBLE = 2, STYLE_LAST = 5 };
enum { FORM_RGB = 2, FORM_256 = 5, COLOUR_PARTS = 6 };

static void extended_update(Attributes *pen) {
    if (pen->underline_style == STYLE_NONE && pen->link == 0)
        pen->flags &= (uint16_t)~EXTENDED;
    else
        pen->flags |= EXTENDED;
}

static void underline(Attributes *pen, int style) {
    pen->underline_style = (uint16_t)(style < 0 || style > STYLE_LAST ? STYLE_SINGLE : style);
    if (style == STYLE_NONE)
        pen->flags &= (uint16_t)~UNDERLINE;
    else
        pen->flags |= UNDERLINE;
    extended_update(pen);
}

static void reset(Attributes *pen) {
    pen->fg = pen->bg = pen->underline_colour = 0;
    pen->flags = 0;
    pen->underline_style = STYLE_NONE;
    extended_update(pen);
}

/*
 * The parts of a colour: target, form, colour space, and the values. With semicolons there is no colour space. How many
 * parameters after the first belong to it.
 */
static int colour_parts(const Params *params, int first, int32_t parts[COLOUR_PARTS]) {
    int used = 0, slot = 0;
    parts[2] = -1;
    for (;;) {
        parts[slot] = params->values[first + used];
        int sub = params->first_sub[first + used], end = params->end_sub[first + used];
        if (sub < end) {
            for (slot++; sub < end && slot < COLOUR_PARTS; sub++, slot++) {
                if (parts[1] == FORM_256 && slot == 2) slot = 3;
                parts[slot] = params->subvalues[sub];
            }
            return used;
        }
        if ((parts[1] == FORM_256 && slot >= 3) || (parts[1] == FORM_RGB && slot >= 5)) return used;
        slot += slot == 1 && parts[1] != 0 ? 2 : 1;
        used++;
        if (first + used >= params->count || slot >= COLOUR_PARTS) return used;
    }
}

static uint32_t colour_of(uint32_t old, const int32_t parts[COLOUR_PARTS]) {
    if (parts[1] == FORM_RGB)
        return COLOUR(COLOUR_RGB, (parts[3] & 0xFF) << 16 | (parts[4] & 0xFF) << 8 | (parts[5] & 0xFF));
    return parts[1] == FORM_256 ? COLOUR(COLOUR_256, parts[3] & 0xFF) : old;
}

static int colour(Attributes *pen, const Params *params, int at) {
    int32_t parts[COLOUR_PARTS] = {0};
    int used = colour_parts(params, at, parts);
    for (int each = 2; each < COLOUR_PARTS; each++)
        if (parts[each] == -1) parts[each] = 0;
    if (parts[0] == 38) pen->fg = colour_of(pen->fg, parts);
    if (parts[0] == 48) pen->bg = colour_of(pen->bg, parts);
    if (parts[0] == 58) {
        pen->underline_colour = colour_of(pen->underline_colour, parts);
        extended_update(pen);
    }
    return used;
}

static void flag(Attributes *pen, int32_t value) {
    static const uint16_t SET[] = {0, BOLD, DIM, ITALIC, 0, BLINK, 0, INVERSE, INVISIBLE, STRIKE};
    if (value >= 0 && value <= 9)
        pen->flags |= SET[value];
    else if (value == 22)
        pen->flags &= (uint16_t)~(BOLD | DIM);
    else if (value >= 23 && value <= 29 && value != 24 && value != 26)
        pen->flags &= (uint16_t)~SET[value - 20];
}

static void one(Attributes *pen, const Params *params, int at) {
    int32_t value = params->values[at];
    if (value == 0)
        reset(pen);
    else if (value == 4)
        underline(pen, params->first_sub[at] < params->end_sub[at] ? params->subvalues[params->first_sub[at]] : STYLE_SINGLE);
    else if (value == 21)
        underline(pen, STYLE_DOUBLE);
    else if (value == 24)
        underline(pen, STYLE_NONE);
    else if (value < 30)
        flag(pen, value);
    else if (value >= 30 && value <= 37)
        pen->fg = COLOUR(COLOUR_16, value - 30);
    else if (value >= 40 && value <= 47)
        pen->bg = COLOUR(COLOUR_16, value - 40);
    else if (value >= 90 && value <= 97)
        pen->fg = COLOUR(COLOUR_16, value - 90 + 8);
    else if (value >= 100 && value <= 107)
        pen->bg = COLOUR(COLOUR_16, value - 100 + 8);
    else if (value == 39)
        pen->fg = 0;
    else if (value == 49)
        pen->bg = 0;
    else if (value == 53)
        pen->flags |= OVERLINE;
    else if (value == 55)
        pen->flags &= (uint16_t)~OVERLINE;
    else if (value == 59) {
        /* "Default" is stored as white by xterm.js 6.0.0. */
        pen->underline_colour = COLOUR(COLOUR_RGB, 0xFFFFFF);
        extended_update(pen);
    }
}

void sgr_apply(Terminal *t) {
    const Params *params = &t->parser.params;
    t->pen_changed = 1;
    for (int at = 0; at < params->count; at++) {
        int32_t value = params->values[at];
        if (value == 38 || value == 48 || value == 58)
            at += colour(&t->pen, params, at);
        else
            one(&t->pen, params, at);
    }
}
