/* Pieces of what a state is written with: bytes, cells, attributes, a sequence that has not ended. */

#include "emulator.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_FORMATTED = 128 };

void out_bytes(Output *out, const char *data, size_t bytes) {
    memory_grow(out->t, &out->data, &out->room, out->bytes + bytes);
    memcpy(out->data + out->bytes, data, bytes);
    out->bytes += bytes;
}

void out_text(Output *out, const char *text) { out_bytes(out, text, strlen(text)); }

void out_format(Output *out, const char *format, ...) {
    char text[MOST_FORMATTED];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out_bytes(out, text, (size_t)bytes);
}

size_t utf8_encode(uint32_t codepoint, uint8_t to[4]) {
    if (codepoint < 0x80) {
        to[0] = (uint8_t)codepoint;
        return 1;
    }
    size_t bytes = codepoint < 0x800 ? 2 : codepoint < 0x10000 ? 3 : 4;
    for (size_t at = bytes - 1; at > 0; at--, codepoint >>= 6) to[at] = (uint8_t)(0x80 | (codepoint & 0x3F));
    to[0] = (uint8_t)((bytes == 2 ? 0xC0 : bytes == 3 ? 0xE0 : 0xF0) | codepoint);
    return bytes;
}

void out_codepoint(Output *out, uint32_t codepoint) {
    uint8_t bytes[4];
    out_bytes(out, (const char *)bytes, utf8_encode(codepoint, bytes));
}

void out_cell(Output *out, const Terminal *t, Cell cell) {
    uint32_t text = cell.text & TEXT_MASK;
    if (!(text & CLUSTER)) {
        out_codepoint(out, text);
        return;
    }
    const Cluster *cluster = &t->clusters.entries[text & ~CLUSTER];
    for (uint32_t at = 0; at < cluster->length; at++) out_codepoint(out, cluster->codepoints[at]);
}

static void out_colour(Output *out, uint32_t colour, int base) {
    uint32_t value = COLOUR_VALUE(colour);
    switch (COLOUR_KIND(colour)) {
    case COLOUR_DEFAULT: out_format(out, "%d;", base + 9); break;
    case COLOUR_16: out_format(out, "%u;", (value < 8 ? (uint32_t)base : (uint32_t)base + 60 - 8) + value); break;
    case COLOUR_256: out_format(out, "%d;5;%u;", base + 8, value); break;
    default: out_format(out, "%d;2;%u;%u;%u;", base + 8, value >> 16, value >> 8 & 0xFF, value & 0xFF); break;
    }
}

static void out_underline_colour(Output *out, uint32_t colour) {
    uint32_t value = COLOUR_VALUE(colour);
    if (COLOUR_KIND(colour) == COLOUR_256)
        out_format(out, "58:5:%u;", value);
    else
        out_format(out, "58:2::%u:%u:%u;", value >> 16, value >> 8 & 0xFF, value & 0xFF);
}

typedef struct {
    uint16_t flag;
    uint8_t on, off;
} FlagCodes;

/* Underline is set by its style. */
static const FlagCodes FLAGS[] = {{ITALIC, 3, 23}, {BLINK, 5, 25}, {INVERSE, 7, 27}, {INVISIBLE, 8, 28}, {STRIKE, 9, 29}, {OVERLINE, 53, 55}};

static void out_flags(Output *out, uint16_t from, uint16_t to) {
    uint16_t weights = BOLD | DIM;
    if (from & ~to & weights) {
        out_text(out, "22;");
        from &= (uint16_t)~weights;
    }
    if (to & ~from & BOLD) out_text(out, "1;");
    if (to & ~from & DIM) out_text(out, "2;");
    for (size_t at = 0; at < sizeof FLAGS / sizeof *FLAGS; at++)
        if ((from ^ to) & FLAGS[at].flag) out_format(out, "%d;", to & FLAGS[at].flag ? FLAGS[at].on : FLAGS[at].off);
}

int is_direct(const Attributes *a) {
    int extended = a->underline_style != 0 || a->link != 0;
    return extended == ((a->flags & EXTENDED) != 0) && (a->underline_style != 0) == ((a->flags & UNDERLINE) != 0);
}

static int is_plain(const Attributes *a) {
    return a->fg == 0 && a->bg == 0 && (a->flags & ~EXTENDED) == 0 && a->underline_style == 0 && a->underline_colour == 0;
}

/* Underline and link in a state that only a reset leaves. */
static int must_reset(const Attributes *from, const Attributes *to) {
    if (from->underline_colour != 0 && to->underline_colour == 0) return 1;
    if (is_plain(to) && !is_plain(from)) return 1;
    return !is_direct(from) &&
           (from->underline_style != to->underline_style || ((from->flags ^ to->flags) & (EXTENDED | UNDERLINE)) != 0);
}

/* What makes a pen of `from` one of `to`, but for the link, and where underline and link are direct or remain. */
void out_attributes(Output *out, const Attributes *from, const Attributes *to) {
    Attributes pen = *from;
    size_t start = out->bytes;
    out_text(out, "\x1b[");
    size_t first = out->bytes;
    if (must_reset(from, to)) {
        out_text(out, "0;");
        pen = (Attributes){0};
    }
    out_flags(out, pen.flags, to->flags);
    if (pen.underline_style != to->underline_style)
        out_format(out, to->underline_style == 1 ? "4;" : to->underline_style == 0 ? "24;" : "4:%d;", to->underline_style);
    if (pen.fg != to->fg) out_colour(out, to->fg, 30);
    if (pen.bg != to->bg) out_colour(out, to->bg, 40);
    if (pen.underline_colour != to->underline_colour) out_underline_colour(out, to->underline_colour);
    if (out->bytes == first)
        out->bytes = start;
    else
        out->data[out->bytes - 1] = 'm';
    if ((pen.flags ^ to->flags) & PROTECTED) out_text(out, to->flags & PROTECTED ? "\x1b[1\"q" : "\x1b[0\"q");
}

/* ---- the sequence that is under way */

static void out_collected(Output *out, uint32_t collected, int prefixes) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        char code = (char)(collected >> shift & 0xFF);
        if (code != 0 && (code >= 0x3C) == prefixes) out_bytes(out, &code, 1);
    }
}

static void out_params(Output *out, const Params *params) {
    for (int at = 0; at < params->count; at++) {
        if (at > 0) out_text(out, ";");
        out_format(out, "%d", params->values[at]);
        for (int sub = params->first_sub[at]; sub < params->end_sub[at]; sub++) {
            out_text(out, ":");
            if (params->subvalues[sub] >= 0) out_format(out, "%d", params->subvalues[sub]);
        }
    }
    if (params->sub_full && params->in_sub) out_text(out, ":");
    if (params->full) out_text(out, params->in_sub ? ";:" : ";");
}

static void out_sequence(Output *out, const Parser *parser) {
    out_collected(out, parser->collected, 1);
    if (parser->state != CSI_ENTRY && parser->state != DCS_ENTRY) out_params(out, &parser->params);
    out_collected(out, parser->collected, 0);
}

void out_parser(Output *out, const Terminal *t) {
    const Parser *parser = &t->parser;
    switch (parser->state) {
    case GROUND: break;
    case ESCAPE: case ESCAPE_INTERMEDIATE:
        out_text(out, "\x1b");
        out_collected(out, parser->collected, 0);
        break;
    case CSI_ENTRY: case CSI_PARAM: case CSI_INTERMEDIATE:
        out_text(out, "\x1b[");
        out_sequence(out, parser);
        break;
    case CSI_IGNORE: out_text(out, "\x1b[0<"); break;
    case STRING: out_text(out, "\x1b^"); break;
    case OSC:
        out_text(out, "\x1b]");
        out_bytes(out, parser->string, parser->string_bytes);
        break;
    case DCS_IGNORE: out_text(out, "\x1bP0<"); break;
    case DCS_ENTRY: case DCS_PARAM: case DCS_INTERMEDIATE: case DCS_PASSTHROUGH:
        out_text(out, "\x1bP");
        out_sequence(out, parser);
        if (parser->state != DCS_PASSTHROUGH) break;
        out_codepoint(out, parser->final);
        out_bytes(out, parser->string, parser->string_bytes);
        break;
    }
    out_bytes(out, (const char *)parser->utf8, (size_t)parser->utf8_bytes);
}
