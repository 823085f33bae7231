"""A network that the suite makes: round trip, jitter, loss and rate between its clients and a terminal.

``terminal.Distant`` puts it in front of a terminal; ``dialled.dialled`` gives the address to dial instead of another.
It is a TCP proxy on the loopback in a process of its own, so it needs no privileges. It knows no protocol.
"""
