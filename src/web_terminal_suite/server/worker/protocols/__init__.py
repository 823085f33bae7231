"""The server's side of each protocol, without I/O: payloads to actions, and events to frames.

``connection.ServerConnection`` drives them. None of them knows a transport, a clock or the event loop.
"""
