"""The PTY host: the one process that starts shells, keeps their terminals and logs, and owns the table of sessions.

It is not on the data path of a session that has viewers. It runs one small ``epoll`` loop without asyncio, because
every answer is computed at once and a small process costs little memory.
"""
