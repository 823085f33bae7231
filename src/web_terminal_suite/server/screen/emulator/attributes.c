/* Tables of attributes, combined characters and links, and the collection of what no cell uses any more. */

#include "emulator.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_LIMIT = 1024, FIRST_SLOTS = 64, CELLS_PER_ENTRY = 16 };

void *memory_resize(Terminal *t, void *old, size_t bytes) {
    void *grown = realloc(old, bytes);
    if (grown == NULL) longjmp(t->failed, 1);
    return grown;
}

void memory_grow(Terminal *t, char **data, size_t *room, size_t bytes) {
    if (bytes <= *room) return;
    size_t wanted = *room * 2 > bytes ? *room * 2 : bytes;
    *data = memory_resize(t, *data, wanted);
    *room = wanted;
}

/* FNV-1a over words. */
static uint32_t hash_of(const uint32_t *words, size_t count) {
    uint32_t hash = 2166136261u;
    for (size_t at = 0; at < count; at++) {
        hash = (hash ^ words[at]) * 16777619u;
        hash ^= hash >> 15;
    }
    return hash;
}

static uint32_t attributes_hash(const Attributes *a) {
    uint32_t words[] = {a->fg, a->bg, a->underline_colour, a->link, a->flags | (uint32_t)a->underline_style << 16};
    return hash_of(words, 5);
}

static uint32_t cluster_hash(const Cluster *cluster) { return hash_of(cluster->codepoints, cluster->length); }

static int attributes_equal(const Attributes *a, const Attributes *b) {
    return a->fg == b->fg && a->bg == b->bg && a->flags == b->flags && a->link == b->link &&
           a->underline_style == b->underline_style && a->underline_colour == b->underline_colour;
}

static void index_insert(Index *index, uint32_t hash, uint32_t number) {
    uint32_t at = hash & index->slot_mask;
    while (index->slots[at] != 0) at = (at + 1) & index->slot_mask;
    index->slots[at] = number + 1;
}

/* Empty, with at least twice as many slots as entries. */
static void index_clear(Terminal *t, Index *index, uint32_t entries) {
    uint32_t slots = FIRST_SLOTS;
    while (slots < entries * 2) slots *= 2;
    if (index->slots == NULL || slots != index->slot_mask + 1) {
        index->slots = memory_resize(t, index->slots, slots * sizeof *index->slots);
        index->slot_mask = slots - 1;
    }
    memset(index->slots, 0, slots * sizeof *index->slots);
}

static void attributes_rehash(Terminal *t) {
    AttributeTable *table = &t->attributes;
    index_clear(t, &table->index, table->index.room);
    for (uint32_t at = 0; at < table->index.count; at++)
        index_insert(&table->index, attributes_hash(&table->entries[at]), at);
}

static void clusters_rehash(Terminal *t) {
    ClusterTable *table = &t->clusters;
    index_clear(t, &table->index, table->index.room);
    for (uint32_t at = 0; at < table->index.count; at++)
        index_insert(&table->index, cluster_hash(&table->entries[at]), at);
}

uint32_t attributes_number(Terminal *t, const Attributes *wanted) {
    AttributeTable *table = &t->attributes;
    Attributes stored = *wanted;
    if (!(stored.flags & EXTENDED)) stored.link = stored.underline_colour = stored.underline_style = 0;
    uint32_t hash = attributes_hash(&stored);
    for (uint32_t at = hash & table->index.slot_mask; table->index.slots[at] != 0; at = (at + 1) & table->index.slot_mask)
        if (attributes_equal(&table->entries[table->index.slots[at] - 1], &stored)) return table->index.slots[at] - 1;
    if (table->index.count == table->index.room) {
        uint32_t room = table->index.room * 2;
        table->entries = memory_resize(t, table->entries, room * sizeof *table->entries);
        table->index.room = room;
        attributes_rehash(t);
    }
    table->entries[table->index.count] = stored;
    index_insert(&table->index, hash, table->index.count);
    return table->index.count++;
}

uint32_t cluster_number(Terminal *t, const Cluster *cluster) {
    ClusterTable *table = &t->clusters;
    uint32_t hash = cluster_hash(cluster);
    for (uint32_t at = hash & table->index.slot_mask; table->index.slots[at] != 0; at = (at + 1) & table->index.slot_mask) {
        const Cluster *known = &table->entries[table->index.slots[at] - 1];
        if (known->length == cluster->length &&
            memcmp(known->codepoints, cluster->codepoints, cluster->length * sizeof(uint32_t)) == 0)
            return table->index.slots[at] - 1;
    }
    if (table->index.count == table->index.room) {
        uint32_t room = table->index.room * 2;
        table->entries = memory_resize(t, table->entries, room * sizeof *table->entries);
        table->index.room = room;
        clusters_rehash(t);
    }
    table->entries[table->index.count] = *cluster;
    index_insert(&table->index, hash, table->index.count);
    return table->index.count++;
}

static void link_free(LinkTable *links, uint32_t number) {
    Link *link = &links->entries[number];
    links->bytes -= link->id_bytes + link->uri_bytes;
    free(link->id);
    memset(link, 0, sizeof *link);
}

uint32_t link_number(Terminal *t, const char *id, size_t id_bytes, const char *uri, size_t uri_bytes) {
    LinkTable *links = &t->links;
    if (id_bytes > 0)
        for (uint32_t at = 1; at < links->count; at++) {
            const Link *known = &links->entries[at];
            if (known->id_bytes == id_bytes && known->uri_bytes == uri_bytes && memcmp(known->id, id, id_bytes) == 0 &&
                memcmp(known->uri, uri, uri_bytes) == 0)
                return at;
        }
    if (links->bytes + id_bytes + uri_bytes > links->limit || links->count == links->room) tables_collect(t);
    if (links->bytes + id_bytes + uri_bytes > MOST_LINK_BYTES || links->count >= MOST_LINKS) {
        t->approximate = 1;
        return 0;
    }
    /* Half of it free, or the next collection would be due at once. */
    if (links->count * 2 >= links->room) {
        uint32_t room = links->room == 0 ? 16 : links->room * 2;
        links->entries = memory_resize(t, links->entries, room * sizeof *links->entries);
        links->room = room;
        if (links->count == 0) {
            memset(links->entries, 0, sizeof *links->entries);
            links->count = 1;
        }
    }
    char *both = memory_resize(t, NULL, id_bytes + uri_bytes + 1);
    memcpy(both, id, id_bytes);
    memcpy(both + id_bytes, uri, uri_bytes);
    links->entries[links->count] = (Link){both, both + id_bytes, (uint32_t)id_bytes, (uint32_t)uri_bytes};
    links->bytes += id_bytes + uri_bytes;
    return links->count++;
}

void tables_init(Terminal *t) {
    static const Attributes plain;
    AttributeTable *attributes = &t->attributes;
    attributes->index.limit = t->clusters.index.limit = FIRST_LIMIT;
    attributes->entries = memory_resize(t, NULL, 16 * sizeof *attributes->entries);
    attributes->index.room = 16;
    index_clear(t, &attributes->index, 16);
    attributes_number(t, &plain);
    t->clusters.entries = memory_resize(t, NULL, 2 * sizeof *t->clusters.entries);
    t->clusters.index.room = 2;
    index_clear(t, &t->clusters.index, 2);
    t->links.limit = MOST_LINK_BYTES / 4;
}

void tables_free(Terminal *t) {
    for (uint32_t at = 1; at < t->links.count; at++) link_free(&t->links, at);
    free(t->links.entries);
    free(t->attributes.entries);
    free(t->attributes.index.slots);
    free(t->clusters.entries);
    free(t->clusters.index.slots);
}

size_t tables_memory(const Terminal *t) {
    return t->links.bytes + t->links.room * sizeof(Link) +
           t->attributes.index.room * sizeof(Attributes) + (t->attributes.index.slot_mask + 1) * sizeof(uint32_t) +
           t->clusters.index.room * sizeof(Cluster) + (t->clusters.index.slot_mask + 1) * sizeof(uint32_t);
}

void pen_use(Terminal *t) {
    AttributeTable *attributes = &t->attributes;
    if (attributes->index.count >= attributes->index.limit) tables_collect(t);
    t->pen_number = attributes_number(t, &t->pen);
    t->pen_changed = 0;
}

/* Collects nothing: callers may hold the number of the pen. */
void erase_use(Terminal *t) {
    Attributes erased = {.bg = t->pen.bg};
    t->erase_number = attributes_number(t, &erased);
    t->erase_bg = t->pen.bg;
    t->erase_changed = 0;
}

/* ---- collection: numbers are given anew, to those that a cell or the pen has */

typedef struct {
    uint32_t *attributes, *clusters, *links; /* new number + 1, by old number */
} Renumbering;

static void mark_attributes(Terminal *t, Renumbering *new, uint32_t number, uint32_t *next) {
    if (new->attributes[number] != 0) return;
    new->attributes[number] = ++*next;
    uint32_t link = t->attributes.entries[number].link;
    if (link != 0) new->links[link] = 1;
}

static void mark_buffer(Terminal *t, Buffer *b, Renumbering *new, uint32_t *next_attributes, uint32_t *next_cluster) {
    for (int at = 0; at < b->count; at++) {
        Line *line = buffer_line(b, at);
        mark_attributes(t, new, line->fill, next_attributes);
        for (int x = 0; x < line->used; x++) {
            mark_attributes(t, new, line->cells[x].attributes, next_attributes);
            uint32_t text = line->cells[x].text & TEXT_MASK;
            if (text & CLUSTER && new->clusters[text & ~CLUSTER] == 0) new->clusters[text & ~CLUSTER] = ++*next_cluster;
        }
    }
}

static void renumber_buffer(Buffer *b, const Renumbering *new) {
    for (int at = 0; at < b->count; at++) {
        Line *line = buffer_line(b, at);
        line->fill = new->attributes[line->fill] - 1;
        for (int x = 0; x < line->used; x++) {
            Cell *cell = &line->cells[x];
            cell->attributes = new->attributes[cell->attributes] - 1;
            uint32_t text = cell->text & TEXT_MASK;
            if (text & CLUSTER) cell->text = (cell->text & ~TEXT_MASK) | CLUSTER | (new->clusters[text & ~CLUSTER] - 1);
        }
    }
}

static void renumber_attributes(Terminal *t, const Renumbering *new, uint32_t live) {
    AttributeTable *table = &t->attributes;
    uint32_t room = 16;
    while (room < live * 2) room *= 2;
    Attributes *entries = memory_resize(t, NULL, room * sizeof *entries);
    for (uint32_t at = 0; at < table->index.count; at++)
        if (new->attributes[at] != 0) {
            entries[new->attributes[at] - 1] = table->entries[at];
            uint32_t link = table->entries[at].link;
            if (link != 0) entries[new->attributes[at] - 1].link = new->links[link];
        }
    free(table->entries);
    table->entries = entries;
    table->index.room = room;
    table->index.count = live;
    attributes_rehash(t);
}

static void renumber_clusters(Terminal *t, const Renumbering *new, uint32_t live) {
    ClusterTable *table = &t->clusters;
    uint32_t room = 2;
    while (room < live * 2) room *= 2;
    Cluster *entries = memory_resize(t, NULL, room * sizeof *entries);
    for (uint32_t at = 0; at < table->index.count; at++)
        if (new->clusters[at] != 0) entries[new->clusters[at] - 1] = table->entries[at];
    free(table->entries);
    table->entries = entries;
    table->index.room = room;
    table->index.count = live;
    clusters_rehash(t);
}

static uint32_t renumber_links(Terminal *t, const Renumbering *new) {
    LinkTable *links = &t->links;
    uint32_t live = 1;
    for (uint32_t at = 1; at < links->count; at++) {
        if (new->links[at] == 0) {
            link_free(links, at);
            continue;
        }
        Link kept = links->entries[at];
        memset(&links->entries[at], 0, sizeof kept);
        links->entries[live] = kept;
        new->links[at] = live++;
    }
    return links->count == 0 ? 0 : live;
}

static uint32_t later(uint32_t live, uint32_t cells) {
    uint32_t limit = live * 2 > FIRST_LIMIT ? live * 2 : FIRST_LIMIT;
    return limit > cells / CELLS_PER_ENTRY ? limit : cells / CELLS_PER_ENTRY;
}

void tables_collect(Terminal *t) {
    uint32_t attributes = 0, clusters = 0;
    /* One piece of memory, so that nothing is lost where there is none. */
    size_t entries = (size_t)t->attributes.index.count + t->clusters.index.count + t->links.count + 1;
    uint32_t *numbers = memory_resize(t, NULL, entries * sizeof *numbers);
    memset(numbers, 0, entries * sizeof *numbers);
    Renumbering new = {numbers, numbers + t->attributes.index.count,
                       numbers + t->attributes.index.count + t->clusters.index.count};
    mark_attributes(t, &new, 0, &attributes);
    if (t->pen.link != 0) new.links[t->pen.link] = 1;
    mark_buffer(t, &t->normal, &new, &attributes, &clusters);
    mark_buffer(t, &t->alternate, &new, &attributes, &clusters);
    t->links.count = renumber_links(t, &new);
    if (t->pen.link != 0) t->pen.link = new.links[t->pen.link];
    renumber_buffer(&t->normal, &new);
    renumber_buffer(&t->alternate, &new);
    if (t->spare != NULL) line_clear(t->spare, t->spare->length, 0);
    renumber_attributes(t, &new, attributes);
    renumber_clusters(t, &new, clusters);
    free(numbers);
    uint32_t cells = (uint32_t)(t->normal.count + t->alternate.count) * (uint32_t)t->cols;
    t->attributes.index.limit = later(attributes, cells);
    t->clusters.index.limit = later(clusters, cells);
    t->links.limit = t->links.bytes * 2 > MOST_LINK_BYTES / 4 ? t->links.bytes * 2 : MOST_LINK_BYTES / 4;
    t->pen_changed = t->erase_changed = 1;
}
