/* Operating System Commands: titles, links (OSC 8), colours. What an answer is asked for changes nothing here. */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FOREGROUND = PALETTE, RESTORE_ONE = 104, RESTORE_FIRST = 110, MOST_TITLE = 4096 };

typedef struct {
    const char *data;
    size_t bytes;
} Text;

static size_t find(Text text, char wanted) {
    const char *at = memchr(text.data, wanted, text.bytes);
    return at == NULL ? text.bytes : (size_t)(at - text.data);
}

/* What is before the next separator; `rest` goes behind it. */
static Text part(Text *rest, char separator) {
    Text found = {rest->data, find(*rest, separator)};
    size_t skipped = found.bytes < rest->bytes ? found.bytes + 1 : found.bytes;
    rest->data += skipped;
    rest->bytes -= skipped;
    return found;
}

static Text trimmed(Text text) {
    while (text.bytes > 0 && text.data[0] == ' ') text.data++, text.bytes--;
    while (text.bytes > 0 && text.data[text.bytes - 1] == ' ') text.bytes--;
    return text;
}

/* A number of decimal digits; -1 if it is none. */
static int number(Text text) {
    int value = 0;
    if (text.bytes == 0 || text.bytes > 6) return -1;
    for (size_t at = 0; at < text.bytes; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') return -1;
        value = value * 10 + (text.data[at] - '0');
    }
    return value;
}

static void keep(Terminal *t, char **kept, size_t *bytes, Text text) {
    if (text.bytes > MOST_TITLE) {
        text.bytes = MOST_TITLE;
        while (text.bytes > 0 && (text.data[text.bytes] & 0xC0) == 0x80) text.bytes--;
        t->approximate = 1;
    }
    *kept = memory_resize(t, *kept, text.bytes + 1);
    memcpy(*kept, text.data, text.bytes);
    *bytes = text.bytes;
}

/* ---- links */

static void link_use(Terminal *t, uint32_t link) {
    t->pen.link = link;
    if (link == 0 && t->pen.underline_style == 0)
        t->pen.flags &= (uint16_t)~EXTENDED;
    else
        t->pen.flags |= EXTENDED;
    t->pen_changed = 1;
}

static void hyperlink(Terminal *t, Text text) {
    if (find(text, ';') == text.bytes) return;
    Text parameters = trimmed(part(&text, ';')), id = {"", 0};
    if (text.bytes == 0) {
        if (parameters.bytes == 0) link_use(t, 0);
        return;
    }
    while (parameters.bytes > 0) {
        Text each = part(&parameters, ':');
        if (each.bytes < 3 || memcmp(each.data, "id=", 3) != 0) continue;
        id = (Text){each.data + 3, each.bytes - 3};
        break;
    }
    t->pen.link = 0;
    link_use(t, link_number(t, id.data, id.bytes, text.data, text.bytes));
}

/* ---- colours: rgb:R/G/B and #RGB with one to four digits each (XParseColor) */

static int hex(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* One value of 8 bits from `count` digits, scaled where `scales`, else from the most significant ones; -1 if none. */
static int component(const char *digits, size_t count, int scales) {
    int value = 0, most = (1 << 4 * count) - 1;
    for (size_t at = 0; at < count; at++) {
        int digit = hex(digits[at]);
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    if (scales) return (value * 255 * 2 + most) / (most * 2);
    return count == 1 ? value << 4 : value >> 4 * (count - 2);
}

static int colour_of(Text text, uint32_t *colour) {
    size_t digits, step;
    int scales = text.bytes > 4 && strncasecmp(text.data, "rgb:", 4) == 0;
    if (scales) {
        text = (Text){text.data + 4, text.bytes - 4};
        digits = find(text, '/');
        step = digits + 1;
        if (digits < 1 || digits > 4 || text.bytes != 3 * digits + 2 || text.data[2 * digits + 1] != '/') return 0;
    } else {
        if (text.bytes < 4 || text.data[0] != '#' || text.bytes > 13 || text.bytes % 3 != 1) return 0;
        text = (Text){text.data + 1, text.bytes - 1};
        digits = step = text.bytes / 3;
    }
    *colour = 0xFF000000;
    for (size_t at = 0; at < 3; at++) {
        int value = component(text.data + at * step, digits, scales);
        if (value < 0) return 0;
        *colour |= (uint32_t)value << (16 - 8 * at);
    }
    return 1;
}

static void palette(Terminal *t, Text text) {
    while (text.bytes > 0) {
        int index = number(part(&text, ';'));
        uint32_t colour;
        if (text.bytes == 0) return;
        Text given = part(&text, ';');
        if (index >= 0 && index < PALETTE && colour_of(given, &colour)) t->colours[index] = colour;
    }
}

/* Foreground, background, cursor; one after the other from `index` on. */
static void special(Terminal *t, Text text, int index) {
    while (index < COLOURS) {
        int last = find(text, ';') == text.bytes;
        uint32_t colour;
        if (colour_of(part(&text, ';'), &colour)) t->colours[index] = colour;
        if (last) return;
        index++;
    }
}

static void restore(Terminal *t, Text text) {
    if (text.bytes == 0) memset(t->colours, 0, PALETTE * sizeof *t->colours);
    while (text.bytes > 0) {
        int index = number(part(&text, ';'));
        if (index >= 0 && index < PALETTE) t->colours[index] = 0;
    }
}

void osc_end(Terminal *t) {
    Text text = {t->parser.string == NULL ? "" : t->parser.string, t->parser.string_bytes};
    int has_text = find(text, ';') < text.bytes, command = number(part(&text, ';'));
    if (t->parser.string_cut) t->approximate = 1;
    if (command >= RESTORE_FIRST && command <= RESTORE_FIRST + 2) {
        t->colours[FOREGROUND + command - RESTORE_FIRST] = 0;
        return;
    }
    if (command == RESTORE_ONE) restore(t, text);
    if (!has_text) return;
    if (command == 0 || command == 2) keep(t, &t->title, &t->title_bytes, text);
    if (command == 0 || command == 1) keep(t, &t->icon, &t->icon_bytes, text);
    if (command == 4) palette(t, text);
    if (command == 8 && !t->parser.string_cut) hyperlink(t, text);
    if (command >= 10 && command <= 12) special(t, text, FOREGROUND + command - 10);
}
