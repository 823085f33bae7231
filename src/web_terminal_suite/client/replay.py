"""A session's replay without its queries, for a terminal that would answer them.

Programs ask a terminal for its state (cursor position, attributes, colours) and read the answer as input. A replay
holds queries of the past. The program that asked has gone on, so an answer would be typed at the prompt.
"""

from __future__ import annotations

import re
from typing import Final

# The most that is held of a sequence that has not ended; more is shown as it is.
_HELD_BYTES: Final = 64 * 1024
# Sources: ECMA-48 and xterm's control sequences (ctlseqs), of which these ask something.
_QUERY: Final = re.compile(
    rb"\x05"  # ENQ
    rb"|\x1bZ"  # DECID
    rb"|\x1b\[[>=]?[0-9;]*c"  # DA1, DA2, DA3
    rb"|\x1b\[\??[0-9;]*n"  # DSR, CPR
    rb"|\x1b\[\??[0-9;]*\$[puw]"  # DECRQM, DECRQTSR, DECRQPSR
    rb"|\x1b\[>[0-9;]*q"  # XTVERSION
    rb"|\x1b\[\?[0-9;]*[um]"  # keyboard protocol and key modifiers in force
    rb"|\x1b\[[0-9;]*(?:x|\*y|'\|)"  # DECREQTPARM, DECRQCRA, DECRQLP
    rb"|\x1b\[(?:1[1-9]|2[01])(?:;[0-9]*)*t"  # window reports
    rb"|\x1bP[$+]q[^\x07\x1b]*\x1b\\"  # DECRQSS, XTGETTCAP
)
_OSC: Final = re.compile(rb"\x1b\]([^\x07\x1b]*)(?:\x07|\x1b\\)")
# Colours, font and clipboard are asked for with a question mark as a field; a title may be one.
_ASKING_OSC: Final = re.compile(rb"4|5|1[0-9]|5[02]|60|61")
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]P][^\x07\x1b]*\x1b?)?\Z")


class Replay:
    """Output before offset ``end`` is a replay."""

    def __init__(self, end: int) -> None:
        self._end = end
        self._held = b""

    def show(self, data: bytes, end: int) -> bytes:
        """What to show of ``data``, which ends at offset ``end``; output that is not replayed comes unchanged.

        A sequence that is not complete waits for its rest. Where the replay ends inside it, it is live.
        """
        replayed = max(0, len(data) - max(0, end - self._end))
        old, live = self._held + data[:replayed], data[replayed:]
        unfinished = _UNFINISHED.search(old)
        at = len(old) if unfinished is None or len(old) - unfinished.start() > _HELD_BYTES else unfinished.start()
        shown, self._held = _OSC.sub(_unless_asking, _QUERY.sub(b"", old[:at])), old[at:]
        if end >= self._end:
            shown, self._held = shown + self._held, b""
        return shown + live


def _unless_asking(osc: re.Match[bytes]) -> bytes:
    number, *fields = osc[1].split(b";")
    return b"" if _ASKING_OSC.fullmatch(number) and b"?" in fields else osc[0]
