# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The fast path of a keystroke: from the socket to the terminal and back, for a session's only viewer on our binary
subprotocol. Optional: made by the build where there is a C compiler, see ``outbox``.

The slow path (``ServerConnection``, ``Attachment``, ``Session.pump``) serves any number of viewers on any protocol,
however far behind. Most sessions have one viewer that has seen everything, and then each key passes through some forty
calls that decide nothing. Here the same is done in one step each way. Any other message is left,
untouched, to the slow path. ``tests/server/worker/test_path_conformance.py`` holds both to the same.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.memoryview cimport PyMemoryView_GET_BUFFER
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp, memcpy
from picows.picows cimport MemoryBuffer, WSFrame, WSListener, WSMsgType, WSTransport
from picows.picows import WSProtocol
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport read, write

from web_terminal_suite.protocol.codec import ACK_HEAD, NUMBERED_HEAD_BYTES, OUTPUT_HEAD_BYTES, Kind
from web_terminal_suite.server.log import OPENING_BYTES
from web_terminal_suite.server.pty import FULL_READ_BYTES, INTERRUPT
from web_terminal_suite.server.session import BULK_BYTES, SHARED_TURN_BYTES, TURN_BYTES, TYPING_SECONDS
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.input_acks import ACK_INPUT_SECONDS
from web_terminal_suite.server.worker.protocols import protocol
from web_terminal_suite.server.worker.turn import BULK_READ_BYTES, FEW_FRAMES
from web_terminal_suite.server.worker.turn import READ_BYTES as MOST_READ_BYTES

cdef extern from "fcntl.h":
    ssize_t splice(int fd_in, void* off_in, int fd_out, void* off_out, size_t size, unsigned int flags)
    unsigned int SPLICE_F_NONBLOCK

cdef enum:
    HEAD_ROOM = 14
    OUTPUT_HEAD = 9
    NUMBERED_HEAD = 9
    # A frame's own head, kind and offset.
    INPUT_ACK_FRAME = 11
    FRAME_BYTES = 32768
    SHARED_BYTES = 8192
    OPENING = 448
    BULK = 4096
    GATHERED_BYTES = 32768
    # As many digits cannot overflow.
    OFFSET_DIGITS = 18

# What a person types at once; a paste goes through the slow path.
cdef Py_ssize_t KEY_BYTES = 64
cdef double TYPING = TYPING_SECONDS
# A read from a pseudo-terminal gives less than this.
cdef Py_ssize_t READ_BYTES = FULL_READ_BYTES + 1
cdef uint8_t INPUT = Kind.INPUT
cdef uint8_t NUMBERED_INPUT = Kind.NUMBERED_INPUT
cdef uint8_t INPUT_ACK = Kind.INPUT_ACK
cdef uint8_t OUTPUT = Kind.OUTPUT
cdef double ACK_INPUT = ACK_INPUT_SECONDS
cdef char CTRL_C = INTERRUPT[0]
cdef Py_ssize_t MESSAGES_RECEIVED = Counters.MESSAGES_RECEIVED
cdef Py_ssize_t MESSAGES_SENT = Counters.MESSAGES_SENT
cdef Py_ssize_t INPUT_BYTES = Counters.INPUT_BYTES
cdef Py_ssize_t OUTPUT_BYTES = Counters.OUTPUT_BYTES

# The sizes a compiler must know are those of the modules that own them, or this one is not to be used.
if (HEAD_ROOM, OUTPUT_HEAD, NUMBERED_HEAD, FRAME_BYTES, SHARED_BYTES, OPENING, BULK) != (
    protocol.HEAD_ROOM, OUTPUT_HEAD_BYTES, NUMBERED_HEAD_BYTES, TURN_BYTES, SHARED_TURN_BYTES, OPENING_BYTES, BULK_BYTES
):
    raise ImportError("the fast path was compiled for other sizes than these modules have")

cdef Py_ssize_t MOST_READ = MOST_READ_BYTES
cdef Py_ssize_t MOST_BULK_READ = BULK_READ_BYTES
cdef Py_ssize_t FEW = FEW_FRAMES
cdef object ws_get_buffer = WSProtocol.get_buffer
cdef object ws_buffer_updated = WSProtocol.buffer_updated

cdef char* ack_head = ACK_HEAD
cdef Py_ssize_t ACK_HEAD_BYTES = len(ACK_HEAD)

# A worker has one thread: every frame of every session is put together here.
cdef uint8_t frame_space[HEAD_ROOM + OUTPUT_HEAD + FRAME_BYTES]

# What was sent to a client while more of its messages lay in the buffer they came in; ``gatherer`` is that client.
cdef char gathered[GATHERED_BYTES]
cdef Py_ssize_t gathered_bytes = 0
cdef WSTransport gatherer = None


cdef void* address_of(memory) except NULL:
    """Where a writable view begins; it stays there while the view lives."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(memory, &buffer, PyBUF_WRITABLE)
    PyBuffer_Release(&buffer)
    return buffer.buf


def lighten(WSTransport transport not None):
    """Let a connection drop what is not needed after its handshake: both messages of it, and a buffer of its own.

    What is sent is put together in that buffer and has left it when ``send`` returns, so all connections of the one
    thread share one. Saves 1.9 kB of thousands.
    """
    global shared_buffer
    if shared_buffer is None:
        shared_buffer = transport._write_buffer
    transport._write_buffer = shared_buffer
    transport.request = None
    transport.response = None


cdef MemoryBuffer shared_buffer = None

# As in `outbox`: what the last `get_buffer` gave.
cdef Py_ssize_t offered = 0


cdef Py_ssize_t frames = 0
cdef void* bulky = NULL


def get_buffer(websocket, size_hint):
    global offered
    cdef Py_ssize_t most = MOST_BULK_READ if <void*>websocket == bulky else MOST_READ
    room = ws_get_buffer(websocket, size_hint)
    offered = PyMemoryView_GET_BUFFER(room).len
    if offered > most:
        room = room[:most]
        offered = most
    return room


def buffer_updated(websocket, Py_ssize_t count):
    global bulky, frames
    cdef bint full = count == offered
    frames = 0
    ws_buffer_updated(websocket, count)
    if full:
        if frames <= FEW:
            bulky = <void*>websocket
        elif bulky == <void*>websocket:
            bulky = NULL
        websocket.filled()


cdef class MessageListener(WSListener):
    """As ``outbox.SlowListener``, but ``fast`` is offered each frame first, and replies are gathered."""

    cdef public FastPath fast
    cdef public bint heard

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        global frames
        frames += 1
        self.heard = True
        if frame.rsv1 | frame.rsv2 | frame.rsv3:
            self.on_reserved_bits()
            return
        if not frame.last_in_buffer and gatherer is not transport:
            self.gather(transport)
        try:
            if self.fast is None or not self.fast.took(frame):
                self.on_frame(transport, frame)
        finally:
            if frame.last_in_buffer and gatherer is transport:
                self.flush(transport)

    def on_frame(self, transport, frame):
        raise NotImplementedError

    def on_reserved_bits(self):
        raise NotImplementedError

    cpdef gather(self, WSTransport transport, bytes head=b""):
        global gatherer, gathered_bytes
        if len(head) > GATHERED_BYTES:
            raise ValueError(f"{len(head)} bytes to gather from; at most {GATHERED_BYTES}")
        gatherer = transport
        gathered_bytes = len(head)
        memcpy(gathered, <const char*>head, gathered_bytes)

    cpdef put(self, WSTransport transport, WSMsgType kind, bytearray buffer):
        if transport is None or buffer is None:
            raise TypeError("a transport and a buffer are needed")
        global gathered_bytes
        cdef char* message = PyByteArray_AS_STRING(buffer) + HEAD_ROOM
        cdef Py_ssize_t size = PyByteArray_GET_SIZE(buffer) - HEAD_ROOM
        cdef Py_ssize_t head
        if gatherer is transport and not (transport.is_close_frame_sent or transport.is_disconnected):
            head = transport._get_header_size(size)
            if gathered_bytes + head + size > GATHERED_BYTES:
                send_gathered()
            if head + size <= GATHERED_BYTES:
                transport._prepare_header(<uint8_t*>gathered + gathered_bytes, kind, size, True, False, False, False)
                memcpy(gathered + gathered_bytes + head, message, size)
                gathered_bytes += head + size
                return
        transport.send_reuse_external_buffer(kind, message, size)

    cpdef flush(self, WSTransport transport):
        global gatherer
        if gatherer is transport:
            send_gathered()
            gatherer = None


cdef int send_gathered() except -1:
    global gathered_bytes
    cdef Py_ssize_t size = gathered_bytes
    gathered_bytes = 0
    # A message that breaks the protocol is answered with a close frame before those in front of it are.
    if size and not (gatherer.is_disconnected or gatherer.is_close_frame_sent):
        gatherer._fast_write(gathered, size)
    return 0


cdef class FastPath:
    """The fast path of one viewer who may write and is its session's only one, until ``end`` is called.

    ``write`` and ``pump`` are the slow path of input and output. ``flooded`` is called when there is more to read than
    one turn's share, and ``coalesce`` when much was read and nothing is left; on the slow path ``pump`` sees to both.
    ``client`` is whose input is numbered, if it is; ``note`` is called with it when there is something to acknowledge.
    While it lives nothing else reads the terminal, writes the log or moves the window forward.
    """

    cdef:
        int _fd
        object _session
        object _budget
        object _pid
        object _window
        WSTransport _transport
        object _write
        object _pump
        object _flooded
        object _coalesce
        object _client
        object _note
        int _pipe_out
        int _pipe_in
        uint64_t* _taken
        uint64_t* _client_claimed
        bint _unacked
        double _typed_at
        double _acked_at
        uint64_t* _words
        uint8_t* _opening
        uint8_t* _ring
        uint64_t* _counters
        Py_ssize_t _end
        Py_ssize_t _claimed
        Py_ssize_t _capacity

    def __init__(self, session, window, WSTransport transport not None, counters, write, pump, flooded, coalesce, client, note):
        cdef uint8_t* view
        places = session.log.places
        view = <uint8_t*>address_of(places.view)
        # Both views live as long as the session and the worker, whose memory they are.
        self._words = <uint64_t*>address_of(places.words)
        self._opening = view + <Py_ssize_t>places.opening
        self._ring = view + <Py_ssize_t>places.ring
        self._counters = <uint64_t*>address_of(counters)
        self._end = places.end
        self._claimed = places.claimed
        self._capacity = session.log.capacity
        self._session = session
        self._budget = session.budget
        self._pid = session.pty.pid
        self._window = window
        self._transport = transport
        self._write = write
        self._pump = pump
        self._flooded = flooded
        self._coalesce = coalesce
        self._client = client
        self._note = note
        if client is not None and session.pipe is not None:
            self._pipe_out, self._pipe_in = session.pipe.receiver, session.pipe.sender
            self._taken = self._words + <Py_ssize_t>client.taken_at
            self._client_claimed = self._taken + 1
        self._fd = session.pty.fd

    def __cinit__(self):
        self._fd = -1
        self._taken = NULL

    def end(self):
        """There is another viewer, or none, or no terminal: from now on everything takes the slow path."""
        self._fd = -1

    cpdef bint took(self, WSFrame frame) except -1:
        """Type what ``frame`` holds, or note what it acknowledges. ``False``: nothing was done."""
        cdef Py_ssize_t size, taken, head = 1
        cdef timespec now
        if self._fd < 0 or not frame.fin:
            return False
        if frame.msg_type != WSMsgType.BINARY:
            return frame.msg_type == WSMsgType.TEXT and self._acknowledged(frame)
        size = frame.payload_size - 1
        if size < 1:
            return False
        if <uint8_t>frame.payload_ptr[0] == NUMBERED_INPUT:
            head = NUMBERED_HEAD
            size -= NUMBERED_HEAD - 1
        elif <uint8_t>frame.payload_ptr[0] != INPUT:
            return False
        if size < 1 or size > KEY_BYTES or self._session.input_waits:
            return False
        if size == 1 and frame.payload_ptr[head] == CTRL_C:
            return False  # it passes input that the program does not read
        if head == NUMBERED_HEAD:
            taken = self._type_numbered(frame.payload_ptr, size)
        else:
            taken = write(self._fd, frame.payload_ptr + 1, size)
        if taken < 0:
            return False  # full or gone
        clock_gettime(CLOCK_MONOTONIC, &now)
        self._typed_at = now.tv_sec + now.tv_nsec * 1e-9
        self._budget.typed = self._pid
        self._budget.typed_at = self._typed_at
        self._counters[MESSAGES_RECEIVED] += 1
        self._counters[INPUT_BYTES] += size
        if head == NUMBERED_HEAD:
            self._unacked = True
            if not self._client.noted:
                self._note(self._client)
            if taken < size:
                self._write(frame.get_payload_as_bytes()[head + taken :], self._client)
        elif taken < size:
            self._write(frame.get_payload_as_bytes()[head + taken :])
        return True

    cdef Py_ssize_t _type_numbered(self, char* payload, Py_ssize_t size) noexcept:
        """As ``ClientInput.type``: how much the terminal took of the input that is due next. -1: nothing was done."""
        cdef uint64_t offset = 0
        cdef Py_ssize_t taken
        cdef int i
        cdef char rest[64]
        if self._taken == NULL:
            return -1
        for i in range(8):
            offset = offset << 8 | <uint8_t>payload[1 + i]
        if offset != self._taken[0] or write(self._pipe_in, payload + NUMBERED_HEAD, size) != size:
            return -1  # up to PIPE_BUF all or nothing is written (pipe(7))
        self._client_claimed[0] = offset + size
        taken = splice(self._pipe_out, NULL, self._fd, NULL, size, SPLICE_F_NONBLOCK)
        if taken > 0:
            self._taken[0] = offset + taken
        self._client_claimed[0] = 0
        if taken < size:
            read(self._pipe_out, rest, sizeof(rest))
        return taken if taken > 0 else -1

    cdef bint _acknowledged(self, WSFrame frame) except -1:
        """Note an acknowledgement in the form every client writes it in, if nothing else follows from it."""
        cdef Py_ssize_t digits = frame.payload_size - ACK_HEAD_BYTES - 1
        cdef char* at = frame.payload_ptr + ACK_HEAD_BYTES
        cdef uint64_t offset = 0
        cdef Py_ssize_t i
        if digits < 1 or digits > OFFSET_DIGITS or at[digits] != b"}" or at[0] == b"0" or self._window.skipped:
            return False
        if memcmp(frame.payload_ptr, ack_head, ACK_HEAD_BYTES) != 0:
            return False
        for i in range(digits):
            if at[i] < b"0" or at[i] > b"9":
                return False
            offset = offset * 10 + (at[i] - 48)
        sent = self._window.sent
        acked = self._window.acked
        if offset < acked or offset > sent or self._words[self._end] != sent:
            return False
        if self._window.limit - sent + acked < READ_BYTES:
            return False  # the program may wait for it
        self._window.acked = offset
        self._counters[MESSAGES_RECEIVED] += 1
        return True

    def readable(self):
        """Read the terminal into the log and send it, if the viewer has everything else and takes this."""
        cdef uint64_t sent = self._window.sent
        cdef Py_ssize_t room = self._window.limit - sent + self._window.acked + self._window.skipped
        cdef uint8_t* head = frame_space + HEAD_ROOM
        cdef uint8_t* data = head + OUTPUT_HEAD
        cdef Py_ssize_t count = 0, got = 0, wanted = READ_BYTES
        cdef int number, i
        cdef bint flooded, more
        if self._words[self._end] != sent or room < READ_BYTES:
            self._pump()
            return
        while count + READ_BYTES <= wanted:
            # Claimed before it is read: if this process is killed in between, the next one knows that something is lost.
            self._words[self._claimed] = sent + count + READ_BYTES
            got = read(self._fd, data + count, READ_BYTES)
            if got <= 0:
                self._words[self._claimed] = sent + count
                break
            self._append(data + count, got)
            count += got
            # A short read: asking again only costs a call, unless the kernel is refilling what was just emptied.
            if got < READ_BYTES - 1 and (count < BULK or wanted <= SHARED_BYTES):
                break
            if wanted == READ_BYTES:
                wanted = min(room, self._share())
        number = errno
        flooded = self._session.floods
        # The share is used up; a short read in the middle of a turn does not mean that the terminal is empty.
        more = got == READ_BYTES - 1 or (got > 0 and count >= BULK and wanted > SHARED_BYTES)
        if more != flooded:
            self._session.note_flood(more)
        if count > 0:
            self._window.sent = sent + count
            head[0] = OUTPUT
            for i in range(8):
                head[1 + i] = (sent >> (56 - 8 * i)) & 0xFF
            self._counters[MESSAGES_SENT] += 1
            self._counters[OUTPUT_BYTES] += count
            if not (self._unacked and count <= BULK and self._sent_with_ack(<char*>head, OUTPUT_HEAD + count)):
                self._transport.send_reuse_external_buffer(WSMsgType.BINARY, <char*>head, OUTPUT_HEAD + count)
        if got < 0 and number == EAGAIN:
            if count >= BULK and not flooded:
                self._coalesce()
            return
        if got <= 0:  # the end
            self._pump()
        elif more:
            # A session that goes on flooding alone is read whenever its terminal is ready: there is nothing to schedule.
            if not flooded or <Py_ssize_t>self._budget.floods > 1:
                self._flooded()
        elif count >= BULK and not flooded:
            self._coalesce()

    cdef bint _sent_with_ack(self, char* message, Py_ssize_t size) except -1:
        """Send ``message`` behind an acknowledgement of input, in one write. ``False``: nothing was done."""
        cdef WSTransport transport = self._transport
        cdef uint64_t taken = self._taken[0]
        cdef Py_ssize_t head
        cdef int i
        if self._typed_at - self._acked_at < ACK_INPUT or gatherer is not None:
            return False
        self._unacked = False
        if self._client.acked == taken or transport.is_disconnected or transport.is_close_frame_sent:
            return False
        self._client.acked = taken
        self._client.acked_at = self._acked_at = self._typed_at
        gathered[0] = <char>0x82  # whole and binary, not masked (RFC 6455 section 5.2)
        gathered[1] = INPUT_ACK_FRAME - 2
        gathered[2] = <char>INPUT_ACK
        for i in range(8):
            gathered[3 + i] = <char>((taken >> (56 - 8 * i)) & 0xFF)
        head = INPUT_ACK_FRAME + transport._get_header_size(size)
        transport._prepare_header(
            <uint8_t*>gathered + INPUT_ACK_FRAME, WSMsgType.BINARY, size, True, False, False, False
        )
        memcpy(gathered + head, message, size)
        self._counters[MESSAGES_SENT] += 1
        transport._fast_write(gathered, head + size)
        return True

    cdef Py_ssize_t _share(self) except -1:
        """As ``ReadBudget.share``, without a Python call in every turn of a flood."""
        cdef timespec now
        if <Py_ssize_t>self._budget.floods > 1:
            return SHARED_BYTES
        if self._budget.typed != self._pid:
            clock_gettime(CLOCK_MONOTONIC, &now)
            if now.tv_sec + now.tv_nsec * 1e-9 - <double>self._budget.typed_at < TYPING:
                return SHARED_BYTES
        return FRAME_BYTES

    cdef inline void _append(self, uint8_t* data, Py_ssize_t count) noexcept:
        """Write what was claimed, and publish it, as ``Log.fill`` does."""
        cdef uint64_t end = self._words[self._end]
        cdef Py_ssize_t at, part
        if end < OPENING:
            part = min(count, <Py_ssize_t>(OPENING - end))
            memcpy(self._opening + end, data, part)
            data += part
            count -= part
            end += part
        if count > 0:
            at = (end - OPENING) % <uint64_t>self._capacity
            part = min(count, self._capacity - at)
            memcpy(self._ring + at, data, part)
            if part < count:
                memcpy(self._ring, data + part, count - part)
            end += count
        self._words[self._end] = end
        self._words[self._claimed] = end
