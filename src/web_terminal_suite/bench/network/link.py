"""When a segment of one direction of a TCP connection arrives at the far side of a network. Pure and seeded.

The model, for segments of at most ``SEGMENT_BYTES`` payload, each counted with ``HEADER_BYTES`` of headers:

* **Rate.** A token bucket that holds one full segment: a segment leaves once the bucket has its bits.
* **Delay.** Half a round trip, plus or minus up to half the jitter, drawn evenly for each segment.
* **Order.** As TCP delivers: no segment arrives before the one that was sent before it.
* **Loss.** Each transmission is lost with the same probability. The sender sends it again one round trip after the
  third later segment left that is not lost itself (RFC 6675 section 5, RFC 8985), or when its timer runs out, whichever
  is first. The timer is a round trip plus four times its mean deviation, at least ``TIMER_NS``
  (RFC 6298 with Linux's minimum). A segment that is lost again waits for the timer, which doubles each time.
* **Start.** The handshake takes a round trip; each lost part of it costs a second, doubled each time (RFC 6298).

Not modelled: slow start and congestion control, lost or delayed acknowledgements, reordering, a queue shared with other
connections, TLS.
"""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from web_terminal_suite.bench.network.conditions import NetworkConditions

SEGMENT_BYTES: Final = 1448
"""Payload of a full segment: 1,500 bytes of Ethernet payload without the headers below."""
HEADER_BYTES: Final = 52
"""IPv4 (20) and TCP with time stamps (32)."""
TIMER_NS: Final = 200_000_000
"""Least difference between round trip and retransmission timer: ``TCP_RTO_MIN`` of Linux."""
FIRST_TIMER_NS: Final = 1_000_000_000
"""Before a round trip was measured: RFC 6298 section 2.1, ``TCP_TIMEOUT_INIT`` of Linux."""
LONGEST_TIMER_NS: Final = 120_000_000_000
"""``TCP_RTO_MAX`` of Linux."""
_LATER_SEGMENTS: Final = 3
_WINDOW_BYTES: Final = (64 << 10, 4 << 20)
"""Least and most that is on its way; a window of Linux grows to about the larger."""
_BITS: Final = 8
_SECOND_NS: Final = 1_000_000_000


class Segment:
    """What was sent at once. ``due_ns`` may still get earlier while it is a lost one that later segments reveal."""

    __slots__ = ("data", "due_ns", "later", "left_ns", "lost")

    def __init__(self, data: memoryview, left_ns: int, due_ns: int, lost: int) -> None:
        self.data = data
        self.left_ns = left_ns
        self.due_ns = due_ns
        self.lost = lost
        """How often it was lost."""
        self.later = 0
        """Segments that left after it and arrive, as far as they count."""


class Link:
    """One direction of one connection. ``open_at`` comes first; ``send`` and ``arrived`` take times that ascend."""

    def __init__(self, conditions: NetworkConditions, seed: str) -> None:
        self._conditions = conditions
        self._random = random.Random(seed)
        self._oneway_ns = conditions.rtt_ns // 2
        self._timer_ns = conditions.rtt_ns + max(TIMER_NS, 4 * conditions.jitter_ns // 3)
        self._bucket_bits = (SEGMENT_BYTES + HEADER_BYTES) * _BITS
        self._tokens = float(self._bucket_bits)
        self._filled_ns = 0
        self._opened_ns = 0
        self._last_due_ns = 0
        self._waiting: deque[Segment] = deque()
        self._missing: list[Segment] = []
        self.bytes_waiting = 0
        self.sent = 0
        """Segments."""
        self.lost = 0
        """Transmissions."""

    @property
    def window_bytes(self) -> int:
        """How much may be on its way: two products of rate and round trip, within limits; then the sender waits."""
        least, most = _WINDOW_BYTES
        rate = self._conditions.rate_bits
        if not rate:
            return most
        return max(least, min(most, 2 * rate * self._conditions.rtt_ns // _SECOND_NS // _BITS))

    def handshake_ns(self) -> int:
        """How long the handshake takes of which this is the side that dials."""
        taken, timer = self._delay_ns() + self._delay_ns(), FIRST_TIMER_NS
        for _ in range(2):
            while self._is_lost():
                taken += timer
                timer = min(2 * timer, LONGEST_TIMER_NS)
        return taken

    def open_at(self, moment_ns: int) -> None:
        """Nothing leaves before."""
        self._opened_ns = self._filled_ns = moment_ns

    def send(self, data: bytes, now_ns: int) -> None:
        """Take ``data`` from the sender; nothing of it ends the direction (FIN)."""
        view = memoryview(data)
        self.bytes_waiting += len(data)
        for at in range(0, len(data) or 1, SEGMENT_BYTES):
            self._send_one(view[at : at + SEGMENT_BYTES], now_ns)

    def next_due_ns(self) -> int | None:
        """When the next segment arrives, as far as it is known now."""
        return max(self._waiting[0].due_ns, self._last_due_ns) if self._waiting else None

    def arrived(self, now_ns: int) -> list[memoryview]:
        """What has arrived by now, in order; an empty one is the end."""
        found = []
        while self._waiting and (due_ns := max(self._waiting[0].due_ns, self._last_due_ns)) <= now_ns:
            self._last_due_ns = due_ns
            segment = self._waiting.popleft()
            self.bytes_waiting -= len(segment.data)
            found.append(segment.data)
        return found

    def _send_one(self, data: memoryview, now_ns: int) -> None:
        left_ns = self._leave(len(data), max(now_ns, self._opened_ns))
        self.sent += 1
        lost = 0
        while self._is_lost():
            lost += 1
        self.lost += lost
        if not lost:
            self._reveal(left_ns)
        segment = Segment(data, left_ns, left_ns + self._delay_ns(), lost)
        self._waiting.append(segment)
        if lost:
            segment.due_ns += sum(self._timer(number) for number in range(lost))
            self._missing.append(segment)

    def _leave(self, size: int, now_ns: int) -> int:
        """When a segment that is ready now leaves, once the bucket has its bits."""
        rate = self._conditions.rate_bits
        if not rate:
            return now_ns
        begin_ns = max(now_ns, self._filled_ns)
        self._tokens = min(self._bucket_bits, self._tokens + (begin_ns - self._filled_ns) * rate / _SECOND_NS)
        bits = (size + HEADER_BYTES) * _BITS
        wait_ns = 0
        if bits > self._tokens:
            wait_ns = round((bits - self._tokens) * _SECOND_NS / rate)
            self._tokens = float(bits)
        self._tokens -= bits
        self._filled_ns = begin_ns + wait_ns
        return self._filled_ns

    def _reveal(self, left_ns: int) -> None:
        """Count a segment that arrives behind lost ones: after the third those are sent again without the timer."""
        for segment in self._missing:
            segment.later += 1
            if segment.later == _LATER_SEGMENTS:
                again_ns = left_ns + self._conditions.rtt_ns
                early_ns = segment.left_ns + self._timer(0) - again_ns
                # One that is there already was sent again by the timer.
                segment.due_ns -= max(0, early_ns)
        self._missing = [each for each in self._missing if each.later < _LATER_SEGMENTS]

    def _timer(self, number: int) -> int:
        return int(min(self._timer_ns * 2**number, LONGEST_TIMER_NS))

    def _delay_ns(self) -> int:
        jitter_ns = self._conditions.jitter_ns
        return self._oneway_ns + (round(self._random.uniform(-jitter_ns / 2, jitter_ns / 2)) if jitter_ns else 0)

    def _is_lost(self) -> bool:
        return bool(self._conditions.loss) and self._random.random() < self._conditions.loss
