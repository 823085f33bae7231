/*
 * Another size. The lines of the normal screen are wrapped anew, but for the one with the cursor, which its program draws
 * again; those of the alternate screen are cut. The screen keeps its place as far as the lines allow.
 */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>

/* Lines that are one text: [first, end) of a buffer. */
typedef struct {
    int first, end;
} Group;

/* The cells of a group as one row, and where the new lines begin in it. */
typedef struct {
    Cell *cells;
    int count, room;
    int *starts;
    int rows, rows_room;
} Text;

static void text_free(Text *text) {
    free(text->cells);
    free(text->starts);
}

/* A line that was there when wrapping began, although it may have been taken from the end since. */
static Line *line_there(const Buffer *b, int at) { return b->ring[(b->start + at) & (b->room - 1)]; }

/* How many cells of a line are text of its group: without the cell that a wide character did not fit into. */
static int text_cells(const Buffer *b, int at, int end, int cols) {
    const Line *line = line_there(b, at);
    if (at == end - 1) return line_text_length(line);
    Cell last = line_cell(line, cols - 1), next = line_cell(line_there(b, at + 1), 0);
    return !HAS_TEXT(last) && WIDTH_OF(last) == 1 && WIDTH_OF(next) == 2 ? cols - 1 : cols;
}

static void text_gather(Terminal *t, Text *text, const Buffer *b, Group group, int cols) {
    text->count = 0;
    int needed = (group.end - group.first) * (cols + 1);
    if (needed > text->room) {
        text->cells = memory_resize(t, text->cells, (size_t)needed * sizeof(Cell));
        text->room = needed;
    }
    for (int at = group.first; at < group.end; at++) {
        int cells = text_cells(b, at, group.end, cols);
        for (int x = 0; x < cells; x++) text->cells[text->count++] = line_cell(line_there(b, at), x);
    }
}

/* A wide character is not cut: the row before it is one cell shorter. */
static void text_cut(Terminal *t, Text *text, int cols) {
    text->rows = 0;
    for (int start = 0; start < text->count || text->rows == 0;) {
        if (text->rows + 2 > text->rows_room) {
            text->rows_room = text->rows_room * 2 + 8;
            text->starts = memory_resize(t, text->starts, (size_t)text->rows_room * sizeof(int));
        }
        text->starts[text->rows++] = start;
        int end = start + cols;
        if (end < text->count && WIDTH_OF(text->cells[end - 1]) == 2) end--;
        start = end < text->count ? end : text->count;
        text->starts[text->rows] = start;
        if (text->count == 0) break;
    }
}

static void text_put(Terminal *t, const Text *text, int row, Line *line) {
    int start = text->starts[row], count = text->starts[row + 1] - start;
    for (int x = 0; x < count; x++) line_set(t, line, x, text->cells[start + x].text, text->cells[start + x].attributes);
}

static int has_cursor(const Buffer *b, Group group) {
    int at = b->base + b->y;
    return at >= group.first && at < group.end;
}


/* ---- wider: groups take fewer lines */

/* Lines of the group that are not needed any more. */
static int join_group(Terminal *t, Buffer *b, Group group, Text *text, int old_cols, int cols) {
    text_gather(t, text, b, group, old_cols);
    text_cut(t, text, cols);
    int lines = group.end - group.first, unused = 0;
    for (int row = 0; row < text->rows && row < lines; row++) {
        Line *line = buffer_line(b, group.first + row);
        text_put(t, text, row, line);
        int count = text->starts[row + 1] - text->starts[row];
        /* The last cell that a wide character left, and what is behind the text. */
        if (count < cols) line_erase(t, line, count, cols, 0, 0);
    }
    for (int at = lines - 1; at > 0; at--, unused++)
        if (at < text->rows && line_text_length(buffer_line(b, group.first + at)) > 0) break;
    return unused;
}

static void screen_follow_removal(Terminal *t, Buffer *b, int removed, int cols, int rows) {
    for (int at = 0; at < removed; at++) {
        if (b->base > 0) {
            b->base--;
            continue;
        }
        if (b->y > 0) b->y--;
        if (b->count < rows) buffer_push(t, b, line_new(t, cols, 0));
    }
    b->saved.y = b->saved.y > removed ? b->saved.y - removed : 0;
}

static void reflow_wider(Terminal *t, Buffer *b, Text *text, int old_cols, int cols, int rows) {
    int removed = 0, kept = 0, count = b->count, mask = b->room - 1;
    int cursor = b->base + b->y;
    for (int at = 0; at < count;) {
        Group group = {at, at + 1};
        while (group.end < count && buffer_line(b, group.end)->wrapped) group.end++;
        int unused = 0;
        if (group.end - group.first > 1 && !(cursor >= group.first && cursor < group.end))
            unused = join_group(t, b, group, text, old_cols, cols);
        for (int each = group.first; each < group.end; each++) {
            Line *line = buffer_line(b, each);
            if (each < group.end - unused)
                b->ring[(b->start + kept++) & mask] = line;
            else
                line_free(line);
        }
        removed += unused;
        at = group.end;
    }
    b->count = kept;
    screen_follow_removal(t, b, removed, cols, rows);
}

/* ---- narrower: groups take more lines */

/* New lines of a group, which belong after line `after` of the lines that were there. */
typedef struct {
    Line **lines;
    int count, after;
} Insertion;

typedef struct {
    Insertion *entries;
    int count, room, lines;
} Insertions;

static void insertion_add(Terminal *t, Insertions *all, Insertion one) {
    if (all->count == all->room) {
        all->room = all->room * 2 + 16;
        all->entries = memory_resize(t, all->entries, (size_t)all->room * sizeof *all->entries);
    }
    all->entries[all->count++] = one;
    all->lines += one.count;
}

static void screen_follow_insertion(Buffer *b, const Insertions *all, int lines, int rows) {
    for (int at = 0; at < lines; at++) {
        if (b->base == 0 && b->y < rows - 1) {
            b->y++;
            b->count--; /* and is still wrapped in its turn, as by xterm.js */
        } else if (b->base == 0)
            b->base++;
        else {
            int count = b->count + all->lines;
            if (b->base < (count < b->most ? count : b->most) - rows) b->base++;
        }
    }
}

static void split_group(Terminal *t, Buffer *b, Group group, Text *text, Insertions *all, int old_cols, int cols, int rows) {
    text_gather(t, text, b, group, old_cols);
    text_cut(t, text, cols);
    int lines = group.end - group.first, added = text->rows - lines;
    if (added < 0) added = 0;
    int beyond = (b->base == 0 && group.first != b->count - 1 ? b->y : b->count) - b->most + added;
    int trimmed = beyond > 0 ? beyond : 0;
    Insertion insertion = {NULL, added, group.end - 1};
    if (added > 0) insertion.lines = memory_resize(t, NULL, (size_t)added * sizeof(Line *));
    for (int row = 0; row < text->rows; row++) {
        Line *line = row < lines ? line_there(b, group.first + row) : line_new(t, old_cols, 0);
        text_put(t, text, row, line);
        int count = text->starts[row + 1] - text->starts[row];
        if (count < cols) line_set(t, line, count, 0, 0);
        if (row >= lines) {
            line->wrapped = 1;
            insertion.lines[row - lines] = line;
        }
    }
    if (added > 0) insertion_add(t, all, insertion);
    screen_follow_insertion(b, all, added - trimmed, rows);
    int most_saved = b->base + rows - 1;
    b->saved.y = b->saved.y + added < most_saved ? b->saved.y + added : most_saved;
}

/* The lines that were there with those that are new between them; what is too much falls off at the top. */
static void insert_all(Terminal *t, Buffer *b, Insertions *all) {
    int count = b->count + all->lines, next = all->count - 1;
    if (count == b->count) return;
    Line **merged = memory_resize(t, NULL, (size_t)count * sizeof(Line *));
    int at = 0;
    for (int old = 0; old <= b->count; old++) {
        /* Also behind the last line, where those before it were taken away. */
        while (next >= 0 && all->entries[next].after < old) {
            for (int each = 0; each < all->entries[next].count; each++) merged[at++] = all->entries[next].lines[each];
            next--;
        }
        if (old < b->count) merged[at++] = buffer_line(b, old);
    }
    while (next >= 0) {
        for (int each = 0; each < all->entries[next].count; each++) merged[at++] = all->entries[next].lines[each];
        next--;
    }
    int dropped = count > b->most ? count - b->most : 0;
    for (int each = 0; each < dropped; each++) line_free(merged[each]);
    b->count = 0;
    buffer_reserve(t, b, count - dropped);
    for (int each = dropped; each < count; each++) buffer_push(t, b, merged[each]);
    free(merged);
}

static void reflow_narrower(Terminal *t, Buffer *b, Text *text, int old_cols, int cols, int rows) {
    Insertions all = {NULL, 0, 0, 0};
    int count = b->count;
    for (int at = count - 1; at >= 0; at--) {
        Line *line = line_there(b, at);
        if (!line->wrapped && line_text_length(line) <= cols) continue;
        Group group = {at, at + 1};
        while (group.first > 0 && line_there(b, group.first)->wrapped) group.first--;
        at = group.first;
        if (!has_cursor(b, group)) split_group(t, b, group, text, &all, old_cols, cols, rows);
    }
    for (int at = b->count; at < count; at++) line_free(line_there(b, at));
    insert_all(t, b, &all);
    for (int at = 0; at < all.count; at++) free(all.entries[at].lines);
    free(all.entries);
}

/* ---- rows */

/* More rows show lines from above the screen, as far as the cursor's place allows. */
static int rows_grow(Terminal *t, Buffer *b, int cols, int old_rows, int rows) {
    int shown = 0;
    for (int y = old_rows; y < rows; y++) {
        if (b->count >= rows + b->base) continue;
        if (b->base > 0 && b->count <= b->base + b->y + shown + 1) {
            b->base--;
            shown++;
        } else
            buffer_push(t, b, line_new(t, cols, 0));
    }
    return shown;
}

/* Fewer rows take lines below the cursor away, then move lines above the screen. */
static void rows_shrink(Buffer *b, int old_rows, int rows) {
    for (int y = old_rows; y > rows; y--) {
        if (b->count <= rows + b->base) continue;
        if (b->count > b->base + b->y + 1)
            line_free(buffer_line(b, --b->count));
        else
            b->base++;
    }
}

static void limit_lines(Terminal *t, Buffer *b, int most) {
    int extra = b->count - most;
    if (extra > 0) {
        buffer_drop_oldest(t, b, extra);
        b->base = b->base > extra ? b->base - extra : 0;
        b->saved.y = b->saved.y > extra ? b->saved.y - extra : 0;
    }
    b->most = most;
}

static int least(int a, int b) { return a < b ? a : b; }

static void buffer_resize(Terminal *t, Buffer *b, int cols, int rows) {
    int most = rows + (b == &t->normal ? t->scrollback : 0), shown = 0;
    if (most > b->most) b->most = most;
    if (b->count > 0) {
        if (cols > t->cols)
            for (int at = 0; at < b->count; at++) line_resize(t, buffer_line(b, at), cols);
        if (rows > t->rows)
            shown = rows_grow(t, b, cols, t->rows, rows);
        else
            rows_shrink(b, t->rows, rows);
        if (most < b->most) limit_lines(t, b, most);
        b->x = least(b->x, cols - 1);
        b->y = least(b->y, rows - 1) + shown;
        b->saved.x = least(b->saved.x, cols - 1);
        b->top = 0;
    }
    b->bottom = rows - 1;
    if (b != &t->normal || cols == t->cols) return;
    Text text = {NULL, 0, 0, NULL, 0, 0};
    if (cols > t->cols)
        reflow_wider(t, b, &text, t->cols, cols, rows);
    else {
        reflow_narrower(t, b, &text, t->cols, cols, rows);
        for (int at = 0; at < b->count; at++) line_resize(t, buffer_line(b, at), cols);
    }
    text_free(&text);
}

/* The screen is there, and the cursor on it, whatever became of the lines. */
static void check_screen(Terminal *t, Buffer *b, int cols, int rows) {
    if (b->count == 0) return;
    while (b->count < b->base + rows) buffer_push(t, b, line_new(t, cols, 0));
    if (b->y >= rows) b->y = rows - 1;
}

static void resize(Terminal *t, int cols, int rows) {
    buffer_resize(t, &t->normal, cols, rows);
    buffer_resize(t, &t->alternate, cols, rows);
    check_screen(t, &t->normal, cols, rows);
    check_screen(t, &t->alternate, cols, rows);
    buffer_set_tabs(&t->normal, cols, cols);
    buffer_set_tabs(&t->alternate, cols, cols);
    t->cols = cols;
    t->rows = rows;
}

int terminal_resize(Terminal *t, int cols, int rows) {
    if (setjmp(t->failed) != 0) return -1;
    int least_cols = cols < FEWEST_COLS ? FEWEST_COLS : cols;
    if (least_cols != t->cols || rows != t->rows) resize(t, least_cols, rows);
    return 0;
}
