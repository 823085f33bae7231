"""Attachments and follower channels, with a real shell and real sockets; the host is the test's end of the channel."""

from __future__ import annotations

import asyncio
import os
import socket

from tests.server.shells import running
from web_terminal_suite.server import ipc
from web_terminal_suite.server.log import Arena
from web_terminal_suite.server.pty import Pty
from web_terminal_suite.server.session import Session
from web_terminal_suite.server.worker.attachment import Attachment
from web_terminal_suite.server.worker.host_client import HostClient
from web_terminal_suite.server.worker.pause_watch import PauseWatch
from web_terminal_suite.server.worker.scheduler import Scheduler

FACTS = ipc.SessionInfo(
    id="s", name="s", user="u", state="running", pid=1, command=("sh",), cols=80, rows=24, offset=0, viewers=1,
    created=0.0, idle_seconds=0.0,
)  # fmt: skip


async def test_a_follower_is_told_to_look_even_when_all_output_came_before_before_its_channel():
    """What the pump appends between the follower's last look and the link's arrival must not wait for more output."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pump_end, follower_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    follower_end.setblocking(False)
    with running("/bin/sh", "-c", "read x") as shell, far, follower_end:
        scheduler = Scheduler(loop)
        session = Session(Pty(os.dup(shell.fd), shell.pid), Arena.create(64 * 1024).log(0), scheduler)
        pauses = PauseWatch(loop)
        attachment = Attachment(
            FACTS,
            session,
            owner=HostClient(near, loop, lambda: None, scheduler, pauses),
            loop=loop,
            scheduler=scheduler,
            pauses=pauses,
            pumping=True,
        )
        session.log.append(b"before the link")
        attachment.add_follower(pump_end.detach())
        assert follower_end.recv(1)
        attachment.close()
        loop.remove_reader(near.fileno())
        near.close()
