/*
 * Bytes to characters and control functions: UTF-8 (RFC 3629), and Paul Williams' state machine (vt100.net/emu/dec_ansi_parser)
 * over code points. As in xterm.js, C1 controls are U+0080 to U+009F, parameters may have parts (ITU-T T.416), and what is
 * beyond ASCII ends a sequence.
 */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>

enum { BEL = 0x07, CAN = 0x18, SUB = 0x1A, ESC = 0x1B, DEL = 0x7F, DCS = 0x90, SOS = 0x98, CSI = 0x9B, ST = 0x9C, OSC_C1 = 0x9D,
       PM = 0x9E, APC = 0x9F, C1_END = 0xA0 };

static const int32_t MOST_VALUE = INT32_MAX;

void params_clear(Params *params) {
    params->count = 1;
    params->values[0] = 0;
    params->first_sub[0] = params->end_sub[0] = 0;
    params->sub_count = 0;
    params->full = params->sub_full = params->in_sub = 0;
}

void parser_reset(Parser *parser) {
    parser->state = GROUND;
    parser->collected = 0;
    params_clear(&parser->params);
    parser->string_bytes = 0;
    parser->string_cut = 0;
}

static void clear(Parser *parser, ParserState state) {
    parser_reset(parser);
    parser->state = state;
}

static void next_param(Params *params) {
    params->in_sub = 0;
    if (params->count == MOST_PARAMS) {
        params->full = 1;
        return;
    }
    params->values[params->count] = 0;
    params->first_sub[params->count] = params->end_sub[params->count] = (uint8_t)params->sub_count;
    params->count++;
}

static void next_sub(Params *params) {
    params->in_sub = 1;
    if (params->full || params->sub_count == MOST_PARAMS) {
        params->sub_full = 1;
        return;
    }
    params->subvalues[params->sub_count++] = -1;
    params->end_sub[params->count - 1] = (uint8_t)params->sub_count;
}

static void digit(Params *params, int value) {
    if (params->full || (params->in_sub && (params->sub_full || params->sub_count == 0))) return;
    int32_t *number = params->in_sub ? &params->subvalues[params->sub_count - 1] : &params->values[params->count - 1];
    int64_t grown = *number < 0 ? value : (int64_t)*number * 10 + value;
    *number = grown > MOST_VALUE ? MOST_VALUE : (int32_t)grown;
}

static void parameter(Params *params, uint32_t code) {
    if (code == ';')
        next_param(params);
    else if (code == ':')
        next_sub(params);
    else
        digit(params, (int)(code - '0'));
}

static void collect(Parser *parser, uint32_t code, ParserState state) {
    parser->collected = parser->collected << 8 | code;
    parser->state = state;
}

static void put(Terminal *t, uint32_t codepoint) {
    Parser *parser = &t->parser;
    if (parser->string_bytes + 4 > MOST_STRING) {
        parser->string_cut = 1;
        return;
    }
    memory_grow(t, &parser->string, &parser->string_room, parser->string_bytes + 4);
    parser->string_bytes += utf8_encode(codepoint, (uint8_t *)parser->string + parser->string_bytes);
}

static void execute(Terminal *t, uint32_t code) {
    t->join = 0;
    control_execute(t, code);
}

/* What ends or begins a sequence in any state; whether it was that. */
static int anywhere(Terminal *t, uint32_t code) {
    Parser *parser = &t->parser;
    if (code == ESC)
        clear(parser, ESCAPE);
    else if (code == CAN || code == SUB) {
        parser->state = GROUND;
        execute(t, code);
    } else if (code < 0x80 || code >= C1_END)
        return 0;
    else if (code == DCS)
        clear(parser, DCS_ENTRY);
    else if (code == CSI)
        clear(parser, CSI_ENTRY);
    else if (code == OSC_C1)
        clear(parser, OSC);
    else if (code == SOS || code == PM || code == APC)
        parser->state = STRING;
    else {
        parser->state = GROUND;
        if (code != ST) execute(t, code);
    }
    return 1;
}

static void in_escape(Terminal *t, uint32_t code) {
    Parser *parser = &t->parser;
    if (code < 0x30) {
        collect(parser, code, ESCAPE_INTERMEDIATE);
        return;
    }
    if (parser->state == ESCAPE) {
        if (code == 'P') { clear(parser, DCS_ENTRY); return; }
        if (code == '[') { clear(parser, CSI_ENTRY); return; }
        if (code == ']') { clear(parser, OSC); return; }
        if (code == 'X' || code == '^' || code == '_') { parser->state = STRING; return; }
    }
    parser->state = GROUND;
    t->join = 0;
    control_escape(t, parser->collected, code);
}

static void in_csi(Terminal *t, uint32_t code) {
    Parser *parser = &t->parser;
    if (code >= 0x40) {
        int ignored = parser->state == CSI_IGNORE;
        parser->state = GROUND;
        if (ignored) return;
        csi_dispatch(t, parser->collected, code);
        t->join = 0;
    } else if (parser->state == CSI_IGNORE)
        return;
    else if (code < 0x30)
        collect(parser, code, CSI_INTERMEDIATE);
    else if (parser->state == CSI_INTERMEDIATE)
        parser->state = CSI_IGNORE;
    else if (code < 0x3C) {
        parameter(&parser->params, code);
        parser->state = CSI_PARAM;
    } else if (parser->state == CSI_ENTRY)
        collect(parser, code, CSI_PARAM);
    else
        parser->state = CSI_IGNORE;
}

static void in_dcs(Parser *parser, uint32_t code) {
    if (parser->state == DCS_IGNORE)
        return;
    if (code >= 0x40) {
        parser->final = code;
        parser->state = DCS_PASSTHROUGH;
        parser->string_bytes = 0;
    } else if (code < 0x30)
        collect(parser, code, DCS_INTERMEDIATE);
    else if (parser->state == DCS_INTERMEDIATE)
        parser->state = DCS_IGNORE;
    else if (code < 0x3C) {
        parameter(&parser->params, code);
        parser->state = DCS_PARAM;
    } else if (parser->state == DCS_ENTRY)
        collect(parser, code, DCS_PARAM);
    else
        parser->state = DCS_IGNORE;
}

/* The strings of OSC and DCS; whether the code was theirs. */
static int in_string(Terminal *t, uint32_t code) {
    Parser *parser = &t->parser;
    int osc = parser->state == OSC, cancelled = code == CAN || code == SUB;
    if (cancelled || code == ESC || code == ST || (osc && code == BEL)) {
        parser->state = GROUND;
        t->join = 0;
        if (osc && !cancelled) osc_end(t);
        clear(parser, code == ESC ? ESCAPE : GROUND);
        return 1;
    }
    if (code >= 0x80 && code < C1_END) return 0;
    /* The answer to a DCS is not ours; a few bytes are kept for the viewer that gives it. */
    if (osc ? code >= 0x20 : code != DEL) put(t, code);
    return 1;
}

static void parse(Terminal *t, uint32_t code) {
    Parser *parser = &t->parser;
    if (parser->state == GROUND && ((code >= 0x20 && code < DEL) || code >= C1_END)) {
        print_codepoint(t, code);
        return;
    }
    if ((parser->state == CSI_ENTRY || parser->state == CSI_PARAM) && code >= 0x30 && code < DEL) {
        in_csi(t, code);
        return;
    }
    if (t->printing) print_end(t);
    if ((parser->state == OSC || parser->state == DCS_PASSTHROUGH) && in_string(t, code)) return;
    if (anywhere(t, code)) return;
    int ignores = parser->state == STRING || parser->state == DCS_IGNORE || parser->state == DCS_ENTRY ||
                  parser->state == DCS_PARAM || parser->state == DCS_INTERMEDIATE;
    if (code < 0x20) {
        if (!ignores) execute(t, code);
        return;
    }
    if (code >= C1_END) {
        if (parser->state != CSI_IGNORE && parser->state != DCS_IGNORE) parser->state = GROUND;
        return;
    }
    if (code == DEL) return;
    switch (parser->state) {
    case ESCAPE: case ESCAPE_INTERMEDIATE: in_escape(t, code); break;
    case CSI_ENTRY: case CSI_PARAM: case CSI_INTERMEDIATE: case CSI_IGNORE: in_csi(t, code); break;
    case DCS_ENTRY: case DCS_PARAM: case DCS_INTERMEDIATE: case DCS_IGNORE: in_dcs(parser, code); break;
    default: break;
    }
}

/* ---- UTF-8 */

static int length_of(uint8_t lead) {
    return lead >= 0xC2 && lead <= 0xDF ? 2 : lead >= 0xE0 && lead <= 0xEF ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 1;
}

/* The character in these bytes, which all but the lead continue; 0 for none that is to be shown. */
static uint32_t decoded(const uint8_t *bytes, int length) {
    uint32_t codepoint = length == 2 ? bytes[0] & 0x1F : length == 3 ? bytes[0] & 0x0F : bytes[0] & 0x07;
    for (int at = 1; at < length; at++) codepoint = codepoint << 6 | (bytes[at] & 0x3F);
    if (length == 3 && (codepoint < 0x800 || (codepoint >= 0xD800 && codepoint < 0xE000) || codepoint == 0xFEFF)) return 0;
    if (length == 4 && (codepoint < 0x10000 || codepoint > 0x10FFFF)) return 0;
    return codepoint;
}

/* A byte of a character beyond ASCII, or one that may end an incomplete one. */
static void utf8_byte(Terminal *t, uint8_t byte) {
    Parser *parser = &t->parser;
    if (parser->utf8_bytes > 0 && (byte & 0xC0) != 0x80) parser->utf8_bytes = 0; /* incomplete: nothing is shown for it */
    if (parser->utf8_bytes == 0) {
        if (byte < 0x80)
            parse(t, byte);
        else if (length_of(byte) > 1)
            parser->utf8[parser->utf8_bytes++] = byte;
        return;
    }
    parser->utf8[parser->utf8_bytes++] = byte;
    if (parser->utf8_bytes < length_of(parser->utf8[0])) return;
    uint32_t codepoint = decoded(parser->utf8, parser->utf8_bytes);
    parser->utf8_bytes = 0;
    if (codepoint != 0) parse(t, codepoint);
}

static void feed(Terminal *t, const uint8_t *data, size_t bytes) {
    Parser *parser = &t->parser;
    for (size_t at = 0; at < bytes;) {
        if (parser->utf8_bytes == 0 && data[at] < 0x80) {
            size_t printed = parser->state == GROUND ? print_ascii(t, data + at, bytes - at) : 0;
            if (printed == 0) parse(t, data[at]);
            at += printed == 0 ? 1 : printed;
        } else
            utf8_byte(t, data[at++]);
    }
    if (t->printing) print_end(t);
}

int terminal_feed(Terminal *t, const uint8_t *data, size_t bytes) {
    if (setjmp(t->failed) != 0) return -1;
    feed(t, data, bytes);
    return 0;
}
