"""The protocol between a terminal page and the server, without any I/O.

Nothing here awaits, reads a clock, opens a file or draws randomness: bytes and values go in, bytes and values come
out. The tables people read are in ``docs/protocol.md``; tests compare them with the tables here.
"""
