/*
 * A terminal emulator: bytes of a program in, the state of a terminal out.
 *
 * Written from ECMA-48, xterm's "Control Sequences", the VT220, VT420 and VT510 manuals and the parser of vt100.net.
 * Where they leave something open, xterm.js 6.0.0 decides, because the state is for its users: the tests compare both.
 *
 * Attributes and combined characters are stored once per terminal; a cell has their numbers. Lines store the cells up to
 * the last one that was written, the rest are empty in one colour. Memory errors leave through `terminal->failed`.
 */

#ifndef WEB_TERMINAL_EMULATOR_H
#define WEB_TERMINAL_EMULATOR_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FEWEST_COLS = 2,
    MOST_COLS = 1000,
    MOST_ROWS = 1000,
    TAB_WIDTH = 8,
    MOST_PARAMS = 32,
    MOST_MARKS = 32,          /* code points that join one cell */
    MOST_STRING = 64 * 1024,  /* bytes of an OSC or DCS that are kept */
    MOST_LINK_BYTES = 4 * 1024 * 1024,
    MOST_LINKS = 8192,
    PALETTE = 256,
    COLOURS = PALETTE + 3,    /* and foreground, background, cursor */
};

/* ---- colours and attributes */

enum { COLOUR_DEFAULT = 0, COLOUR_16 = 1, COLOUR_256 = 2, COLOUR_RGB = 3, COLOUR_SHIFT = 24 };
#define COLOUR(kind, value) (((uint32_t)(kind) << COLOUR_SHIFT) | (uint32_t)(value))
#define COLOUR_KIND(colour) ((colour) >> COLOUR_SHIFT)
#define COLOUR_VALUE(colour) ((colour) & 0xFFFFFF)

enum {
    BOLD = 1 << 0,
    DIM = 1 << 1,
    ITALIC = 1 << 2,
    UNDERLINE = 1 << 3,
    BLINK = 1 << 4,
    INVERSE = 1 << 5,
    INVISIBLE = 1 << 6,
    STRIKE = 1 << 7,
    OVERLINE = 1 << 8,
    PROTECTED = 1 << 9,
    /* Underline style, its colour and the link count; without it they are remembered only. */
    EXTENDED = 1 << 10,
};

typedef struct {
    uint32_t fg, bg, underline_colour;
    uint32_t link; /* number of a link, 0 for none */
    uint16_t flags;
    uint16_t underline_style;
} Attributes;

/* Sequences of code points or bytes, stored once each. */
typedef struct {
    uint32_t *slots; /* hash table of numbers, 0 for empty */
    uint32_t slot_mask;
    uint32_t count, room, limit; /* entries, memory for entries, and how many make a collection due */
} Index;

typedef struct {
    Index index;
    Attributes *entries; /* number 0 is the default */
} AttributeTable;

typedef struct {
    uint32_t codepoints[MOST_MARKS];
    uint32_t length;
} Cluster;

typedef struct {
    Index index;
    Cluster *entries;
} ClusterTable;

typedef struct {
    char *id, *uri; /* UTF-8 */
    uint32_t id_bytes, uri_bytes;
} Link;

typedef struct {
    Link *entries; /* number 0 is unused */
    uint32_t count, room;
    size_t bytes, limit;
} LinkTable;

/* ---- cells and lines */

/* `text`: a code point, or CLUSTER and the number of a cluster; 0 is empty. The other bits are the width, 0 being one. */
typedef struct {
    uint32_t text, attributes;
} Cell;

#define CLUSTER 0x80000000u
#define WIDTH_0 0x20000000u
#define WIDTH_2 0x40000000u
#define TEXT_MASK 0x9FFFFFFFu
#define WIDTH_OF(cell) ((cell).text & WIDTH_2 ? 2 : (cell).text & WIDTH_0 ? 0 : 1)
#define HAS_TEXT(cell) (((cell).text & TEXT_MASK) != 0)

typedef struct {
    Cell *cells;
    uint32_t fill;   /* attributes of the cells from `used` on, which are empty */
    uint16_t used;   /* cells in memory that count */
    uint16_t room;
    uint16_t length; /* columns; more than the terminal has where the alternate screen became narrower */
    uint8_t wrapped; /* continues the line before it */
} Line;

typedef struct {
    Attributes pen;
    int x, y; /* y counts from the oldest line */
    uint8_t charset;
} SavedCursor;

typedef struct {
    Line **ring; /* oldest line at `start` */
    int room, start, count;
    int most;     /* lines kept */
    int base;     /* lines above the screen */
    int x, y;     /* of the cursor on the screen; x may be the number of columns: the next character wraps */
    int top, bottom;
    SavedCursor saved;
    uint8_t tabs[MOST_COLS + 1];
} Buffer;

/* ---- parser */

typedef enum {
    GROUND, ESCAPE, ESCAPE_INTERMEDIATE, CSI_ENTRY, CSI_PARAM, CSI_INTERMEDIATE, CSI_IGNORE, STRING, OSC,
    DCS_ENTRY, DCS_PARAM, DCS_IGNORE, DCS_INTERMEDIATE, DCS_PASSTHROUGH
} ParserState;

typedef struct {
    int32_t values[MOST_PARAMS];
    int32_t subvalues[MOST_PARAMS]; /* -1 for an empty one */
    uint8_t first_sub[MOST_PARAMS], end_sub[MOST_PARAMS];
    int count, sub_count;
    uint8_t full, sub_full, in_sub;
} Params;

typedef struct {
    ParserState state;
    uint32_t collected; /* the last four prefixes and intermediates */
    uint32_t final;     /* of a DCS */
    Params params;
    char *string; /* of OSC, DCS */
    size_t string_bytes, string_room;
    uint8_t string_cut;
    uint8_t utf8[4]; /* an incomplete character */
    int utf8_bytes;
} Parser;

typedef enum { MOUSE_NONE, MOUSE_X10, MOUSE_VT200, MOUSE_DRAG, MOUSE_ANY } Mouse;
typedef enum { MOUSE_DEFAULT, MOUSE_SGR, MOUSE_SGR_PIXELS } MouseEncoding;

typedef struct {
    uint8_t insert, new_line;
    uint8_t application_cursor, application_keypad, bracketed_paste, origin, reverse_wrap, focus, synchronized, no_wrap;
    uint8_t hidden, blink;
    /* Of DECSCUSR: block, underline, bar and blinking, steady; 0 is the viewer's own. */
    uint8_t cursor_style, cursor_blink;
    uint8_t mouse, mouse_encoding;
} Modes;

typedef struct Terminal {
    int cols, rows, scrollback;
    Buffer normal, alternate;
    Buffer *buffer; /* the one that is shown */
    Attributes pen;
    uint32_t pen_number, erase_number; /* of the pen, and of what it erases with */
    uint32_t erase_bg;
    uint8_t pen_changed, erase_changed;
    uint8_t charset;         /* in use: index into the table of charsets */
    uint8_t charsets[4], level;
    uint8_t join;            /* how a mark joins the last character, see print.c */
    uint8_t printing;        /* inside a run of characters */
    uint8_t approximate;     /* a limit was met: what is written may differ from what was fed */
    Modes modes;
    Parser parser;
    char *title, *icon;
    size_t title_bytes, icon_bytes;
    uint32_t colours[COLOURS]; /* 0xFF000000 and RGB where set */
    AttributeTable attributes;
    ClusterTable clusters;
    LinkTable links;
    Line *spare;             /* one line for reuse */
    jmp_buf failed;
} Terminal;

/* ---- interface: -1 where memory ran out; such a terminal can only be freed */

/* Widths of code points as ranges: first, last, width, in order. Once per process, before all else. */
int widths_set(const uint32_t *ranges, size_t count);

Terminal *terminal_new(int cols, int rows, int scrollback);
void terminal_free(Terminal *t);
int terminal_feed(Terminal *t, const uint8_t *data, size_t bytes);
int terminal_resize(Terminal *t, int cols, int rows);
size_t terminal_memory(const Terminal *t);

/* A growing piece of bytes; the caller frees `data`. */
typedef struct {
    char *data;
    size_t bytes, room;
    Terminal *t;
} Output;

/* The state for a terminal of this size that was just made; at most `scrollback` lines of it. */
int terminal_vt(Terminal *t, int scrollback, Output *out);
/* Lines of the screen that is shown, after at most `scrollback` older ones; lines that were wrapped are one. */
int terminal_text(Terminal *t, int scrollback, Output *out);
/* Appends the cells from x on that have the same attributes, and says which; the column behind them. */
int terminal_run(Terminal *t, int line, int x, Output *out, uint32_t *attributes);

/* ---- between the files */

void *memory_resize(Terminal *t, void *old, size_t bytes);
void memory_grow(Terminal *t, char **data, size_t *room, size_t bytes);

/* attributes.c */
uint32_t attributes_number(Terminal *t, const Attributes *attributes);
uint32_t cluster_number(Terminal *t, const Cluster *cluster);
uint32_t link_number(Terminal *t, const char *id, size_t id_bytes, const char *uri, size_t uri_bytes);
void tables_init(Terminal *t);
void tables_free(Terminal *t);
void tables_collect(Terminal *t);
size_t tables_memory(const Terminal *t);
void pen_use(Terminal *t);
void erase_use(Terminal *t);
static inline uint32_t pen_number(Terminal *t) {
    if (t->pen_changed) pen_use(t);
    return t->pen_number;
}
static inline uint32_t erase_number(Terminal *t) {
    if (t->erase_changed || t->erase_bg != t->pen.bg) erase_use(t);
    return t->erase_number;
}

/* lines.c */
Line *line_new(Terminal *t, int length, uint32_t fill);
void line_free(Line *line);
void line_clear(Line *line, int length, uint32_t fill);
void line_reach(Terminal *t, Line *line, int cells);
void line_set(Terminal *t, Line *line, int x, uint32_t text, uint32_t attributes);
void line_insert(Terminal *t, Line *line, int x, int count, uint32_t fill);
void line_delete(Terminal *t, Line *line, int x, int count, uint32_t fill);
void line_erase(Terminal *t, Line *line, int from, int to, uint32_t fill, int spare_protected);
void line_resize(Terminal *t, Line *line, int length);
void line_copy(Terminal *t, Line *to, int to_x, const Line *from, int from_x, int count);
int line_text_length(const Line *line);
static inline Cell line_cell(const Line *line, int x) {
    Cell empty = {0, line->fill};
    return x >= 0 && x < line->used ? line->cells[x] : empty;
}

/* buffer.c */
void buffer_init(Terminal *t, Buffer *b, int most, int rows);
void buffer_free(Buffer *b);
void buffer_empty(Terminal *t, Buffer *b);
void buffer_fill(Terminal *t, Buffer *b, uint32_t fill);
void buffer_reserve(Terminal *t, Buffer *b, int lines);
void buffer_push(Terminal *t, Buffer *b, Line *line);
void buffer_scroll(Terminal *t, uint32_t fill, int wrapped);
void buffer_rotate(Terminal *t, int from, int to, int count, uint32_t fill);
void buffer_drop_oldest(Terminal *t, Buffer *b, int count);
int buffer_next_tab(const Terminal *t, int x);
int buffer_previous_tab(const Terminal *t, int x);
void buffer_set_tabs(Buffer *b, int from, int cols);
static inline Line *buffer_line(const Buffer *b, int at) {
    return at >= 0 && at < b->count ? b->ring[(b->start + at) & (b->room - 1)] : NULL;
}
static inline Line *current_line(const Terminal *t) {
    return buffer_line(t->buffer, t->buffer->base + t->buffer->y);
}

/* print.c */
int codepoint_width(uint32_t codepoint);
size_t print_ascii(Terminal *t, const uint8_t *data, size_t bytes);
void print_codepoint(Terminal *t, uint32_t codepoint);
void print_end(Terminal *t);
void print_repeat(Terminal *t, int count);

/* charsets.c: 0 is ASCII */
enum { NO_CHARSET = 0xFF };
uint8_t charset_of(uint32_t final);
char charset_final(uint8_t charset);
uint32_t charset_codepoint(uint8_t charset, uint32_t codepoint);

/* parser.c */
void parser_reset(Parser *parser);
void params_clear(Params *params);

/* control.c, csi.c, sgr.c, osc.c */
void cursor_clamp(Terminal *t, int most_x);
void cursor_set(Terminal *t, int x, int y);
void control_execute(Terminal *t, uint32_t code);
void control_escape(Terminal *t, uint32_t collected, uint32_t final);
void control_reset(Terminal *t);
void charsets_reset(Terminal *t);
void cursor_save(Terminal *t);
void cursor_restore(Terminal *t);
void screen_alternate(Terminal *t);
void screen_normal(Terminal *t);
void line_feed(Terminal *t);
void csi_dispatch(Terminal *t, uint32_t collected, uint32_t final);
void modes_set(Terminal *t, int dec, int on);
void modes_soft_reset(Terminal *t);
void sgr_apply(Terminal *t);
void osc_end(Terminal *t);

/* writer.c */
void out_bytes(Output *out, const char *data, size_t bytes);
void out_text(Output *out, const char *text);
void out_codepoint(Output *out, uint32_t codepoint);
void out_format(Output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_cell(Output *out, const Terminal *t, Cell cell);
/* Whether underline and link are as SGR and OSC 8 leave them. After DECRC, which restores one part of them, they need not be. */
int is_direct(const Attributes *attributes);
void out_attributes(Output *out, const Attributes *from, const Attributes *to);
size_t utf8_encode(uint32_t codepoint, uint8_t to[4]);
void out_parser(Output *out, const Terminal *t);

#endif
