/* Lines of cells. A wide character is a cell of width 2 and one of width 0 after it; half of one is emptied. */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_STEP = 16 };

Line *line_new(Terminal *t, int length, uint32_t fill) {
    Line *line = t->spare;
    if (line != NULL)
        t->spare = NULL;
    else {
        line = memory_resize(t, NULL, sizeof *line);
        line->cells = NULL;
        line->room = 0;
    }
    line_clear(line, length, fill);
    return line;
}

void line_free(Line *line) {
    if (line != NULL) free(line->cells);
    free(line);
}

void line_clear(Line *line, int length, uint32_t fill) {
    line->used = 0;
    line->fill = fill;
    line->length = (uint16_t)length;
    line->wrapped = 0;
}

/* The first `cells` cells are in memory. */
void line_reach(Terminal *t, Line *line, int cells) {
    if (cells > line->room) {
        int room = (cells + cells / 4 + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
        line->cells = memory_resize(t, line->cells, (size_t)room * sizeof *line->cells);
        line->room = (uint16_t)room;
    }
    Cell empty = {0, line->fill};
    while (line->used < cells) line->cells[line->used++] = empty;
}

void line_set(Terminal *t, Line *line, int x, uint32_t text, uint32_t attributes) {
    if (x < 0 || x >= line->length) return;
    line_reach(t, line, x + 1);
    line->cells[x] = (Cell){text, attributes};
}

/* Moves the cells from x on to the right; those that leave the line are lost. */
void line_insert(Terminal *t, Line *line, int x, int count, uint32_t fill) {
    int length = line->length;
    x %= length;
    if (x > 0 && WIDTH_OF(line_cell(line, x - 1)) == 2) line_set(t, line, x - 1, 0, fill);
    line_reach(t, line, length);
    if (count > length - x) count = length - x;
    memmove(line->cells + x + count, line->cells + x, (size_t)(length - x - count) * sizeof(Cell));
    for (int at = x; at < x + count; at++) line->cells[at] = (Cell){0, fill};
    if (WIDTH_OF(line_cell(line, length - 1)) == 2) line_set(t, line, length - 1, 0, fill);
}

void line_delete(Terminal *t, Line *line, int x, int count, uint32_t fill) {
    int length = line->length;
    x %= length;
    line_reach(t, line, length);
    if (count > length - x) count = length - x;
    memmove(line->cells + x, line->cells + x + count, (size_t)(length - x - count) * sizeof(Cell));
    for (int at = length - count; at < length; at++) line->cells[at] = (Cell){0, fill};
    if (x > 0 && WIDTH_OF(line_cell(line, x - 1)) == 2) line_set(t, line, x - 1, 0, fill);
    Cell first = line_cell(line, x);
    if (WIDTH_OF(first) == 0 && !HAS_TEXT(first)) line_set(t, line, x, 0, fill);
}

static int is_protected(const Terminal *t, const Line *line, int x) {
    return t->attributes.entries[line_cell(line, x).attributes].flags & PROTECTED;
}

static void line_empty(Terminal *t, Line *line, int x, uint32_t fill, int spare_protected) {
    if (!spare_protected || !is_protected(t, line, x)) line_set(t, line, x, 0, fill);
}

void line_erase(Terminal *t, Line *line, int from, int to, uint32_t fill, int spare_protected) {
    if (from > 0 && WIDTH_OF(line_cell(line, from - 1)) == 2) line_empty(t, line, from - 1, fill, spare_protected);
    if (to < line->length && to > 0 && WIDTH_OF(line_cell(line, to - 1)) == 2) line_empty(t, line, to, fill, spare_protected);
    if (to > line->length) to = line->length;
    if (!spare_protected && to == line->length) {
        /* The rest of the line is empty in one colour. */
        if (from >= line->used && fill == line->fill) return;
        if (from > line->used) line_reach(t, line, from);
        if (from < line->used) line->used = (uint16_t)from;
        line->fill = fill;
        return;
    }
    for (int x = from; x < to; x++) line_empty(t, line, x, fill, spare_protected);
}

/* New cells are empty and have the default colour. */
void line_resize(Terminal *t, Line *line, int length) {
    if (length > line->length) {
        if (line->fill != 0) line_reach(t, line, line->length);
        line->fill = 0;
    } else if (line->used > length)
        line->used = (uint16_t)length;
    line->length = (uint16_t)length;
}

void line_copy(Terminal *t, Line *to, int to_x, const Line *from, int from_x, int count) {
    for (int at = 0; at < count; at++) {
        Cell cell = line_cell(from, from_x + at);
        line_set(t, to, to_x + at, cell.text, cell.attributes);
    }
}

/* Columns up to the last character. */
int line_text_length(const Line *line) {
    for (int x = line->used - 1; x >= 0; x--)
        if (HAS_TEXT(line->cells[x])) return x + WIDTH_OF(line->cells[x]);
    return 0;
}
