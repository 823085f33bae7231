"""How the server is, for probes and people: a word for anybody, reasons for users.

``GET /health`` answers 200 as long as new sessions are taken, ``GET /health/live`` as long as this worker answers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import msgspec

from web_terminal_suite import __version__
from web_terminal_suite.server.worker.http.auth_middleware import PRINCIPAL
from web_terminal_suite.server.worker.http.operation import CONTEXT, JSONResponse, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from web_terminal_suite.server.launch import ServerState
    from web_terminal_suite.server.worker.context import WorkerContext

# Probes are patient for a second or more; a host answers in less than a millisecond.
HOST_SECONDS = 0.8

Status = Literal["ok", "degraded", "draining", "stopping"]


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """``reasons`` are sentences, for users only; none where the status is ``ok``."""

    status: Status
    version: str
    reasons: tuple[str, ...] = ()


class Alive(msgspec.Struct, frozen=True):
    status: Literal["alive"]


class Assessment(msgspec.Struct, frozen=True):
    """What is known of the server; ``takes_sessions`` is whether a new one can be had."""

    status: Status
    reasons: tuple[str, ...]
    takes_sessions: bool


def assess(
    server: ServerState | None, silent_hosts: Sequence[int], hosts: int, now: float, *, leaving: bool
) -> Assessment:
    """The status from what the supervisor said, and from which of the PTY hosts do not answer."""
    if leaving:
        return Assessment("stopping", ("this worker stops: the server ends or is upgraded",), False)
    draining = server is not None and server.draining
    reasons = [] if server is None or not server.draining else [_drain_text(server.ends_in(now))]
    reasons += [
        f"PTY host {number} does not answer: its sessions cannot be created, attached, listed or ended"
        for number in silent_hosts
    ]
    if server is not None and server.serving < server.workers:
        reasons.append(f"{server.serving} of {server.workers} workers serve")
    status: Status = "draining" if draining else "degraded" if reasons else "ok"
    return Assessment(status, tuple(reasons), not draining and len(silent_hosts) < hosts)


def _drain_text(ends_in: float | None) -> str:
    latest = "" if ends_in is None else f", in {ends_in:.0f} s at the latest"
    return f"no new sessions are taken; the server ends with the last one{latest}"


async def assessment(context: WorkerContext) -> Assessment:
    """The server's status now; asks every host, and waits for none longer than ``HOST_SECONDS``."""
    counts = await context.hosts.counts(HOST_SECONDS)
    silent = [number for number, count in enumerate(counts) if count is None]
    return assess(context.server, silent, len(counts), time.monotonic(), leaving=context.leaving is not None)


async def health(request: Request) -> Response:
    found = await assessment(request.scope[CONTEXT])
    knows_client = request.scope[PRINCIPAL] is not None
    answer = Health(found.status, __version__, found.reasons if knows_client else ())
    return JSONResponse(answer, 200 if found.takes_sessions else 503)


async def live(_request: Request) -> Alive:
    return Alive("alive")


OPERATIONS = (
    Operation("GET", "/health", health, "Whether this server takes sessions", Health, errors=(503,)),
    Operation("GET", "/health/live", live, "Whether this server answers", Alive),
)
