"""How much of one connection is read in one turn of the event loop."""

from __future__ import annotations

# 340 empty frames, or as many chunks of one byte, which are handled in about a millisecond. If a read was filled, there
# may be more: every other connection has its turn before the next read.
READ_BYTES = 2 * 1024
# The last WebSocket that filled a read with at most FEW_FRAMES, as a paste does, may fill one of this size. A client
# that then sends small frames gets one such read: some four milliseconds.
BULK_READ_BYTES = 8 * 1024
FEW_FRAMES = 8
