/* What the writing of a state is made of: see vt.c. */

#ifndef WEB_TERMINAL_VT_H
#define WEB_TERMINAL_VT_H

#include "emulator.h"

#define WIDE "\xe4\xb8\x80" /* any wide character */

typedef struct {
    Output *out;
    Terminal *t;
    Attributes pen; /* of the terminal that reads this, with its link */
    int saved_used; /* its saved cursor was used for another purpose */
} Writer;

static inline const Attributes *attributes_at(const Writer *w, uint32_t number) { return &w->t->attributes.entries[number]; }
static inline int is_empty(Cell cell) { return !HAS_TEXT(cell) && WIDTH_OF(cell) == 1; }
/* The columns that a cell takes with the one after it that cannot stand alone. */
static inline int columns_of(Cell cell) { return WIDTH_OF(cell) == 2 ? 2 : 1; }
static inline int least(int a, int b) { return a < b ? a : b; }

/* vt_lines.c: pens, lines, and what each screen has for itself; `first` is its oldest line that is written */
void pen_direct(Writer *w, const Attributes *to);
void pen_by_restoring(Writer *w, const Attributes *to, const Attributes *saved);
void write_lines(Writer *w, Buffer *b, int from, int to);
int has_saved(const Buffer *b, int first);
void write_saved(Writer *w, const Buffer *b, int first);
void write_own(Writer *w, const Buffer *b, int first);

#endif
