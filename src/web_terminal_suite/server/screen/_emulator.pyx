# cython: language_level=3, boundscheck=False, wraparound=False
"""The emulator of ``emulator/`` as a Python class. Optional: made by the build where there is a C compiler, see ``screen``."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free

from web_terminal_suite.server.screen.character_widths import RANGES

cdef extern from "emulator/emulator.h" nogil:
    ctypedef struct Attributes:
        uint32_t fg, bg, underline_colour, link
        uint16_t flags, underline_style
    ctypedef struct AttributeTable:
        Attributes* entries
    ctypedef struct Link:
        char* uri
        uint32_t uri_bytes
    ctypedef struct LinkTable:
        Link* entries
    ctypedef struct Cell:
        uint32_t text, attributes
    ctypedef struct Line:
        uint8_t wrapped
        uint16_t used
        uint32_t fill
    ctypedef struct Buffer:
        int count, base, x, y
    ctypedef struct Modes:
        uint8_t hidden
    ctypedef struct Output:
        char* data
        size_t bytes, room
        Terminal* t
    ctypedef struct Terminal:
        int cols, rows
        Buffer normal
        Buffer alternate
        Buffer* buffer
        Modes modes
        uint8_t approximate
        char* title
        size_t title_bytes
        AttributeTable attributes
        LinkTable links

    int widths_set(const uint32_t* ranges, size_t count)
    Terminal* terminal_new(int cols, int rows, int scrollback)
    void terminal_free(Terminal* t)
    int terminal_feed(Terminal* t, const uint8_t* data, size_t count)
    int terminal_resize(Terminal* t, int cols, int rows)
    size_t terminal_memory(const Terminal* t)
    int terminal_vt(Terminal* t, int scrollback, Output* out)
    int terminal_text(Terminal* t, int scrollback, Output* out)
    int terminal_run(Terminal* t, int line, int x, Output* out, uint32_t* attributes)
    Line* buffer_line(const Buffer* b, int at)

cdef void _use_widths() except *:
    cdef size_t count = len(RANGES)
    cdef uint32_t* ranges = <uint32_t*>PyMem_Malloc(count * 3 * sizeof(uint32_t))
    cdef size_t at
    if ranges == NULL:
        raise MemoryError
    for at in range(count):
        ranges[at * 3], ranges[at * 3 + 1], ranges[at * 3 + 2] = RANGES[at]
    cdef int failed = widths_set(ranges, count)
    PyMem_Free(ranges)
    if failed:
        raise MemoryError

_use_widths()


cdef class Emulator:
    cdef Terminal* t

    def __cinit__(self, int cols, int rows, int scrollback):
        self.t = terminal_new(cols, rows, scrollback)
        if self.t == NULL:
            raise MemoryError

    def __dealloc__(self):
        terminal_free(self.t)

    def feed(self, const uint8_t[::1] data not None):
        cdef int failed = 0
        cdef size_t count = data.shape[0]
        if count == 0:
            return
        with nogil:
            failed = terminal_feed(self.t, &data[0], count)
        if failed:
            raise MemoryError

    def resize(self, int cols, int rows):
        if terminal_resize(self.t, cols, rows):
            raise MemoryError

    def vt(self, int scrollback):
        cdef Output out = Output(NULL, 0, 0, self.t)
        cdef int failed
        with nogil:
            failed = terminal_vt(self.t, scrollback, &out)
        try:
            if failed:
                raise MemoryError
            return PyBytes_FromStringAndSize(out.data, out.bytes)
        finally:
            free(out.data)

    def text(self, int scrollback):
        cdef Output out = Output(NULL, 0, 0, self.t)
        cdef int failed
        with nogil:
            failed = terminal_text(self.t, scrollback, &out)
        try:
            if failed:
                raise MemoryError
            return PyUnicode_DecodeUTF8(out.data, out.bytes, "replace")
        finally:
            free(out.data)

    def rows(self, int scrollback):
        """Whether each row continues the one before it, and its runs: text, foreground, background, flags, link."""
        cdef Buffer* b = self.t.buffer
        cdef int first = b.base - scrollback if b.base > scrollback else 0
        return [(bool(buffer_line(b, at).wrapped), self._runs(at)) for at in range(first, b.count)]

    cdef list _runs(self, int line):
        cdef Output out = Output(NULL, 0, 0, self.t)
        cdef list runs = []
        cdef uint32_t number = 0
        cdef int x = 0
        cdef Attributes* a
        try:
            while True:
                out.bytes = 0
                x = terminal_run(self.t, line, x, &out, &number)
                if x < 0:
                    raise MemoryError
                if out.bytes == 0:
                    return runs
                a = &self.t.attributes.entries[number]
                text = PyUnicode_DecodeUTF8(out.data, out.bytes, "replace")
                runs.append((text, a.fg, a.bg, a.flags, self._uri(a.link)))
        finally:
            free(out.data)

    cdef str _uri(self, uint32_t link):
        if link == 0:
            return ""
        return PyUnicode_DecodeUTF8(self.t.links.entries[link].uri, self.t.links.entries[link].uri_bytes, "replace")

    @property
    def size(self):
        return self.t.cols, self.t.rows

    @property
    def cursor(self):
        return self.t.buffer.x, self.t.buffer.y

    @property
    def is_cursor_hidden(self):
        return bool(self.t.modes.hidden)

    @property
    def is_alternate(self):
        return self.t.buffer == &self.t.alternate

    @property
    def is_approximate(self):
        return bool(self.t.approximate)

    @property
    def title(self):
        return PyUnicode_DecodeUTF8(self.t.title, self.t.title_bytes, "replace") if self.t.title != NULL else ""

    @property
    def memory(self):
        return terminal_memory(self.t)
