"""One full and one bare example of every message, and the list of all of them."""

from __future__ import annotations

import typing

import msgspec

from web_terminal_suite.protocol import messages as m

CLIENT = typing.get_args(m.ClientMessage)
SERVER = typing.get_args(m.ServerMessage)

_LIMITS = m.ResourceLimits(cpu_seconds=1, memory_bytes=2, open_files=3, processes=4, file_bytes=5)
_SPEC = m.SessionSpec(
    name="näme", shell="/bin/sh", args=("-c", "exit"), cwd="/", env={"A": "ü"}, cols=2, rows=1, limits=_LIMITS, key="k"
)

FULL: tuple[msgspec.Struct, ...] = (
    m.Authenticate(token="secret"),
    m.Attach(
        session="a",
        spec=_SPEC,
        cols=1,
        rows=2,
        resume_from=3,
        mode="read",
        window=4096,
        usage_interval=1.5,
        input_key="0123456789abcdef",
    ),
    m.Input(data="AAE=", encoding="base64", offset=1),
    m.Command(line="ls"),
    m.Resize(cols=1, rows=2),
    m.Signal(name="SIGINT"),
    m.Ack(offset=2**60),
    m.Ping(id=7),
    m.Echo(data="\u20ac\x00\U0001f600"),
    m.Close(destroy=True),
    m.ConnectionStatus(status="ready", subprotocol="web-terminal.v1", version="1", limits=m.Limits(cols=3)),
    m.ConnectionStatus(
        status="ready", subprotocol="web-terminal.v1", version="1", limits=m.Limits(), draining=True, ends_in=1.5
    ),
    m.Authenticated(user="u", role="viewer"),
    m.Attached(session="a", name="n", offset=1, end=2, cols=3, rows=4, mode="read", window=5, input=6),
    m.Gap(start=1, end=2**60),
    m.InputAck(offset=2**60),
    m.ProcessStarted(session="a", pid=1, command=("sh", "-c")),
    m.ProcessExited(session="a", offset=1, status=0, signal=None),
    m.ProcessExited(session="a", offset=1, signal="SIGHUP"),
    m.Pong(id=7),
    m.Error(code="c", message="m", fatal=True),
    m.FlowControl(direction="input", state="resumed"),
    m.ResourceUsage(cpu_seconds=0.5, memory_bytes=1, processes=2),
    m.Resized(cols=1, rows=2),
)
BARE: tuple[msgspec.Struct, ...] = (
    m.Attach(), m.Input(data=""), m.Ping(), m.Close(), m.Pong(), m.Error(code="", message=""),
)  # fmt: skip
