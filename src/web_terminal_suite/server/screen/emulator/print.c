/* Printing characters: widths, wrapping, marks that join the character before them. */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>

enum { CODEPOINTS = 0x110000, ASCII_END = 0x7F };

/*
 * `t->join` after a character: twice its width, and one more if it joined the character before it. Control functions
 * reset it to 0; a mark that follows has no width of its own then.
 */
enum { JOINED = 1 };

static uint8_t *widths; /* two bits for each code point */

int widths_set(const uint32_t *ranges, size_t count) {
    uint8_t *table = malloc(CODEPOINTS / 4);
    if (table == NULL) return -1;
    memset(table, 0x55, CODEPOINTS / 4);
    for (size_t at = 0; at < count; at++)
        for (uint32_t each = ranges[at * 3]; each <= ranges[at * 3 + 1] && each < CODEPOINTS; each++) {
            table[each / 4] &= (uint8_t) ~(3u << each % 4 * 2);
            table[each / 4] |= (uint8_t)(ranges[at * 3 + 2] << each % 4 * 2);
        }
    free(widths);
    widths = table;
    return 0;
}

int codepoint_width(uint32_t codepoint) {
    return codepoint < CODEPOINTS ? widths[codepoint / 4] >> codepoint % 4 * 2 & 3 : 1;
}

/* Half of a wide character before the cursor is emptied when the other half is overwritten. */
static void begin_run(Terminal *t) {
    if (t->printing) return;
    t->printing = 1;
    Line *line = current_line(t);
    if (t->buffer->x > 0 && WIDTH_OF(line_cell(line, t->buffer->x - 1)) == 2)
        line_set(t, line, t->buffer->x - 1, 0, pen_number(t));
}

/* And so is half of one after the last character of a run. */
void print_end(Terminal *t) {
    t->printing = 0;
    Line *line = current_line(t);
    int x = t->buffer->x;
    if (x >= t->cols || x >= line->used) return;
    Cell next = line->cells[x];
    if (WIDTH_OF(next) == 0 && !HAS_TEXT(next)) line_set(t, line, x, 0, pen_number(t));
}

/* To the first column of the next line, which continues this one. */
static void wrap(Terminal *t) {
    Buffer *b = t->buffer;
    Line *line = current_line(t);
    for (int x = b->x; x < t->cols; x++) line_set(t, line, x, 0, pen_number(t));
    b->x = 0;
    b->y++;
    if (b->y == b->bottom + 1) {
        b->y--;
        buffer_scroll(t, erase_number(t), 1);
    } else {
        if (b->y >= t->rows) b->y = t->rows - 1;
        current_line(t)->wrapped = 1;
    }
}

/* Puts the code point into the cell before the cursor. */
static void join(Terminal *t, uint32_t codepoint, int width) {
    if (t->clusters.index.count >= t->clusters.index.limit) tables_collect(t);
    Line *line = current_line(t);
    int x = t->buffer->x - (WIDTH_OF(line_cell(line, t->buffer->x - 1)) > 0 ? 1 : 2);
    if (x < 0 || x >= line->length) return;
    Cell cell = line_cell(line, x);
    uint32_t text = cell.text & TEXT_MASK, bits = cell.text & ~TEXT_MASK;
    if (text == 0) {
        text = codepoint;
        bits = 0;
    } else {
        Cluster cluster = {{text, codepoint}, 2};
        if (text & CLUSTER) {
            cluster = t->clusters.entries[text & ~CLUSTER];
            if (cluster.length == MOST_MARKS) {
                t->approximate = 1;
                return;
            }
            cluster.codepoints[cluster.length++] = codepoint;
        }
        text = CLUSTER | cluster_number(t, &cluster);
    }
    if (width > 0) bits = width == 2 ? WIDTH_2 : 0;
    line_set(t, line, x, text | bits, cell.attributes);
}

void print_codepoint(Terminal *t, uint32_t codepoint) {
    Buffer *b = t->buffer;
    begin_run(t);
    codepoint = charset_codepoint(t->charset, codepoint);
    int width = codepoint_width(codepoint), joins = width == 0, joined_width = 0;
    if (joins) width = joined_width = t->join >> 1;
    t->join = (uint8_t)(width << 1 | (joins ? JOINED : 0));
    if (b->x + width - joined_width > t->cols) {
        if (!t->modes.no_wrap)
            wrap(t);
        else {
            b->x = t->cols - 1;
            if (width == 2) return;
        }
    }
    if (joins && b->x > 0) {
        join(t, codepoint, width);
        return;
    }
    uint32_t attributes = pen_number(t);
    Line *line = current_line(t);
    if (t->modes.insert && width > joined_width) line_insert(t, line, b->x, width - joined_width, attributes);
    line_set(t, line, b->x++, codepoint | (width == 0 ? WIDTH_0 : width == 2 ? WIDTH_2 : 0), attributes);
    if (width == 2) line_set(t, line, b->x++, WIDTH_0, attributes);
}

/* Prints characters from 0x20 to 0x7E; how many. */
size_t print_ascii(Terminal *t, const uint8_t *data, size_t bytes) {
    size_t count = 0;
    while (count < bytes && data[count] >= 0x20 && data[count] < ASCII_END) count++;
    if (count == 0) return 0;
    if (t->charset != 0 || t->modes.insert) {
        for (size_t at = 0; at < count; at++) print_codepoint(t, data[at]);
        return count;
    }
    begin_run(t);
    Buffer *b = t->buffer;
    uint32_t attributes = pen_number(t);
    for (size_t at = 0; at < count;) {
        if (b->x >= t->cols) {
            /* The character that wraps, or that takes the last cell again and again. */
            if (t->modes.no_wrap) at = count - 1;
            print_codepoint(t, data[at++]);
            continue;
        }
        size_t room = (size_t)(t->cols - b->x), run = count - at < room ? count - at : room;
        Line *line = current_line(t);
        int end = b->x + (int)run;
        if (line->used < b->x) line_reach(t, line, b->x);
        if (line->room < end) {
            int used = line->used;
            line_reach(t, line, end);
            line->used = (uint16_t)used;
        }
        Cell *cells = line->cells + b->x;
        for (size_t each = 0; each < run; each++) cells[each] = (Cell){data[at + each], attributes};
        if (line->used < end) line->used = (uint16_t)end;
        b->x = end;
        at += run;
    }
    t->join = 1 << 1;
    return count;
}

/* Repeats what stands before the cursor, if nothing but printing happened since (ECMA-48 8.3.103). */
void print_repeat(Terminal *t, int count) {
    if (t->join == 0) return;
    int most = t->cols * t->rows;
    if (count > most) count = most;
    Line *line = current_line(t);
    int x = t->buffer->x - (t->join >> 1);
    if (x < 0 || x >= line->length) return;
    uint32_t text = line_cell(line, x).text & TEXT_MASK;
    Cluster repeated = {{text}, text == 0 ? 0 : 1};
    if (text & CLUSTER) repeated = t->clusters.entries[text & ~CLUSTER];
    for (int at = 0; at < count; at++)
        for (uint32_t each = 0; each < repeated.length; each++) print_codepoint(t, repeated.codepoints[each]);
    print_end(t);
}
