"""The channel between a worker and the host: packets, descriptors, and what waits when the socket is full."""

from __future__ import annotations

import fcntl
import os
import socket

import pytest

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.messages import ResourceLimits, SessionSpec
from web_terminal_suite.server import ipc
from web_terminal_suite.server.ipc import Caller, Channel, ChannelClosed, PacketTooBig

CALLER = Caller("ann", "user")


@pytest.fixture
def pair():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channels = Channel(near), Channel(far)
    yield channels
    for each in channels:
        each.close()


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def fill(channel: Channel) -> int:
    """Send until something waits; how many packets were sent or queued."""
    sent = 0
    while not channel.waits:
        channel.send(ipc.TouchSession(id=sent, caller=CALLER, session="x" * 500))
        sent += 1
    return sent


INFO = ipc.SessionInfo(
    id="a", name="n", user="u", state="running", pid=1, command=("sh",), cols=1, rows=2, offset=2**60, viewers=0,
    created=0.5, idle_seconds=0.0,
)  # fmt: skip
SPEC = SessionSpec(args=("a", "b"), env={"A": "\u00fc"}, limits=ResourceLimits(cpu_seconds=2**63))
FROM_WORKER = (
    ipc.CreateSession(id=1, caller=CALLER, spec=SPEC, attach=True),
    ipc.AttachSession(id=1, caller=CALLER, session="s"),
    ipc.GetSession(id=1, caller=CALLER, session="s"),
    ipc.ListSessions(id=1, caller=CALLER, limit=5, after=None),
    ipc.UpdateSession(id=1, caller=CALLER, session="s", cols=5),
    ipc.TouchSession(id=1, caller=CALLER, session="s"),
    ipc.SignalSession(id=1, caller=CALLER, session="s", number=15),
    ipc.DestroySession(id=1, caller=CALLER, session="s"),
    ipc.GetStats(id=1),
    ipc.ViewerCount(session="s", count=0),
    ipc.PumpDrained(session="s"),
    ipc.SizeSet(session="s", cols=1, rows=2),
    ipc.AttachmentReport(
        attachments=(
            ipc.AttachmentState(
                session="s", viewers=2, pumping=True, sized=False, offset=2**60, clients=((7, 2**60),), waits=True
            ),
        ),
        arenas=(0, 3),
        last=True,
    ),
    ipc.ClaimInput(id=1, session="s", key=2**64 - 1),
    ipc.LendPipe(),
    ipc.HandOverInput(id=2**56, session="s", place=-1, start=0, data=b"\x00\xff", skip=3),
    ipc.ReleaseInput(session="s", place=7),
    ipc.DropInput(id=2, session="s"),
)
FROM_HOST = (
    ipc.AttachReply(
        id=1, info=INFO, arena=0, slot=1, log_size=4096, pumping=True, brings_master=True, brings_arena=False,
        brings_channel=True, held_input=5,
    ),
    ipc.InputClaimed(id=1, place=7, accepted=2**60, held_input=5),
    ipc.InfoReply(id=1, info=INFO),
    ipc.ListReply(id=1, sessions=(INFO, INFO), total=2, next="a"),
    ipc.Ok(id=1),
    ipc.StatsReply(id=1, states={"running": 1}, created=1, failed=2, expired=3),
    ipc.ErrorReply(id=1, code=ErrorCode.NO_PTY, message="m"),
    ipc.BecomePump(session="s"),
    ipc.FollowerAdded(session="s"),
    ipc.PumpChanged(session="s"),
    ipc.ShellExited(session="s"),
    ipc.SessionEnded(session="s", offset=2**60, reason="exited", status=0),
    ipc.SessionUpdated(session="s", name="n", cols=1, rows=2),
    ipc.SizeReleased(session="s"),
    ipc.ReportAttachments(),
    ipc.TakeInput(session="s", place=7),
    ipc.InputHeld(session="s", bytes=5),
    ipc.InputKept(id=2**56),
    ipc.InputLost(session="s", place=7),
)  # fmt: skip


@pytest.mark.parametrize("message", FROM_WORKER, ids=lambda each: type(each).__name__)
def test_a_workers_message_comes_back_as_it_went(message):
    assert ipc.decode_from_worker(ipc.encode(message)) == message


@pytest.mark.parametrize("message", FROM_HOST, ids=lambda each: type(each).__name__)
def test_a_hosts_message_comes_back_as_it_went(message):
    assert ipc.decode_from_host(ipc.encode(message)) == message


def test_every_message_is_among_the_examples():
    import typing

    for union, examples in ((ipc.FromWorker, FROM_WORKER), (ipc.FromHost, FROM_HOST)):
        flat = {inner for each in typing.get_args(union) for inner in (typing.get_args(each) or (each,))}
        assert {type(each) for each in examples} == flat


def test_nothing_to_receive_is_none_and_a_closed_end_is_said(pair):
    near, far = pair
    assert near.receive() is None
    far.close()
    with pytest.raises(ChannelClosed):
        near.receive()
    # What is sent to nobody is dropped; receive() says why.
    near.send(ipc.GetStats(id=1))
    assert not near.waits


def test_an_end_that_closes_with_something_unread_is_gone_too(pair):
    near, far = pair
    near.send(ipc.GetStats(id=1))
    far.close()
    with pytest.raises(ChannelClosed):
        near.receive()


def test_descriptors_arrive_as_new_ones_that_close_on_exec(pair):
    """Or every shell the host starts would hold them: ``socket.recv_fds`` ignores its flags in Python 3.11."""
    near, far = pair
    before = open_descriptors()
    receiver, sender = os.pipe()
    near.send(ipc.Ok(id=1), lent=(receiver,), owned=(sender,))
    assert len(open_descriptors()) == len(before) + 1
    packet, fds = far.receive()
    assert ipc.decode_from_host(packet) == ipc.Ok(id=1)
    try:
        assert len(fds) == 2
        assert all(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fd in fds)
        os.write(fds[1], b"through")
        assert os.read(receiver, 7) == b"through"
    finally:
        for fd in (receiver, *fds):
            os.close(fd)


def test_packets_wait_in_order_when_the_socket_is_full_and_keep_their_descriptors(pair):
    near, far = pair
    before = open_descriptors()
    sent = fill(near)
    receiver, sender = os.pipe()
    near.send(ipc.TouchSession(id=sent, caller=CALLER, session="last"), lent=(receiver,), owned=(sender,))
    # Lent descriptors are the owner's to close at any time, also while the packet waits.
    os.close(receiver)
    got, found = [], []
    while len(got) <= sent:
        near.flush()
        while (received := far.receive()) is not None:
            packet, fds = received
            got.append(ipc.decode_from_worker(packet).id)
            found += fds
    assert got == list(range(sent + 1))
    assert not near.waits
    os.write(found[1], b"ok")
    assert os.read(found[0], 2) == b"ok"
    for fd in found:
        os.close(fd)
    assert open_descriptors() == before


def test_closing_closes_the_descriptors_that_still_wait():
    before = open_descriptors()
    near, far = (Channel(each) for each in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    fill(near)
    receiver, sender = os.pipe()
    near.send(ipc.Ok(id=1), lent=(receiver,), owned=(sender,))
    near.close()
    far.close()
    os.close(receiver)
    assert open_descriptors() == before


def test_what_waits_when_the_other_end_goes_is_dropped_with_its_descriptors(pair):
    near, far = pair
    before = open_descriptors()
    fill(near)
    receiver, sender = os.pipe()
    near.send(ipc.Ok(id=1), owned=(receiver, sender))
    far.close()
    near.flush()
    assert not near.waits
    assert open_descriptors() <= before


def test_a_packet_has_a_limit_which_the_kernel_would_take(pair):
    near, far = pair
    room = ipc.PACKET_BYTES - len(ipc.encode(ipc.TouchSession(id=1, caller=CALLER, session=""))) - 10
    near.send(ipc.TouchSession(id=1, caller=CALLER, session="x" * room))
    packet, _ = far.receive()
    assert len(ipc.decode_from_worker(packet).session) == room
    with pytest.raises(PacketTooBig, match=str(ipc.PACKET_BYTES)):
        near.send(ipc.TouchSession(id=1, caller=CALLER, session="x" * ipc.PACKET_BYTES))
