"""The supervisor's PTY hosts: the process in each place, what is kept for it, and when it is started again."""

from __future__ import annotations

import errno
import logging
import os
import selectors
import signal
import socket
import time
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import control, ipc
from web_terminal_suite.server.generations import STEADY_SECONDS, delay_after
from web_terminal_suite.server.pty import child_of_ours
from web_terminal_suite.server.store import DescriptorStore
from web_terminal_suite.server.supervisor_handover import HandedOverProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

log = logging.getLogger("web_terminal_suite.supervisor")

# A host that starts, or executes other code, says by then that it is ready, or is asked whether it runs.
_START_SECONDS = 30.0
# Messages of a host that are read before others have their turn.
_TURN = 32


class PtyHost:
    """One place, with the process in it: ``pid`` is 0 while there is none. ``store`` outlives the processes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.store = DescriptorStore()
        self.started_at = self.due = 0.0
        self.ready_at: float | None = None
        self.hands_over = False
        """Whether it was told to execute the installed code, and has neither done so nor refused."""
        self.refused = False
        """Whether it refused to."""
        self._quiet_until = 0.0
        self.attempts = 0
        self.young_deaths = 0
        self.channel: ipc.Channel | None = None
        self._sender: control.Sender | None = None

    def take(self, pid: int, sock: socket.socket) -> None:
        """A process was started."""
        self.pid, self.started_at = pid, time.monotonic()
        self._quiet_until = self.started_at + _START_SECONDS
        self.channel = ipc.Channel(sock)
        self._sender = control.Sender(self.channel)

    def is_ready(self) -> None:
        """It serves workers, and has adopted what there was."""
        self.ready_at = time.monotonic()
        self.stays()

    def stays(self) -> None:
        """It executes no other code."""
        self.hands_over, self._quiet_until = False, 0.0

    def hand_over(self) -> None:
        """Let it execute the installed code."""
        self.hands_over, self._quiet_until = True, time.monotonic() + _START_SECONDS
        self.refused = False
        self.say([(control.HandOver(), ())])

    def answers(self, now: float) -> bool:
        """Whether it should, unless it hangs: not while an interpreter starts in its process."""
        return self.channel is not None and now >= self._quiet_until

    def say(self, messages: Iterable[control.Lent]) -> None:
        """Send these as soon as there is room; their descriptors are lent until then."""
        if self._sender is not None:
            self._sender.say(messages)

    def say_or_fail(self, message: control.FromSupervisor, fd: int) -> None:
        """Send this now.

        Raises:
            OSError: the host does not read, or it is gone.
        """
        if self.channel is None or self.waits:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        socket.send_fds(self.channel.sock, [control.encode(message)], [fd], socket.MSG_DONTWAIT)

    @property
    def waits(self) -> bool:
        """Whether something could not be sent yet."""
        return self._sender is not None and self._sender.waits

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        if self._sender is not None:
            self._sender.flush()

    @property
    def handed_over(self) -> HandedOverProcess:
        """It, for the code that has the supervisor's process next."""
        assert self.channel is not None  # there is a process
        return HandedOverProcess(self.pid, self.channel.fileno(), self.number)

    def leave(self) -> None:
        """The process is gone."""
        self.pid, self.ready_at, self.hands_over, self._sender = 0, None, False, None
        if self.channel is not None:
            self.channel.close()
            self.channel = None


class PtyHosts:
    """All places.

    ``start`` starts a process in a place that had one. ``introduce`` gives every worker a channel to a host, and yields
    the host's ends. ``silent`` gets the row of a worker that does not report to a host, ``alive`` a host's answer.
    """

    def __init__(
        self,
        hosts: list[PtyHost],
        selector: selectors.BaseSelector,
        *,
        start: Callable[[PtyHost], None],
        introduce: Callable[[PtyHost], Iterator[control.Lent]],
        silent: Callable[[int], None],
        alive: Callable[[PtyHost, control.HostAlive], None],
    ) -> None:
        self.all = hosts
        self._selector = selector
        self._start = start
        self._introduce = introduce
        self._silent = silent
        self._alive = alive
        self._draining = False
        self._stopping = False
        for host in hosts:
            if host.channel is not None:
                self._listen(host)

    def _listen(self, host: PtyHost) -> None:
        assert host.channel is not None
        self._selector.register(host.channel.sock, selectors.EVENT_READ, lambda: self._ready(host))

    def by_pid(self, pid: int) -> PtyHost | None:
        """The host that is this process."""
        return next((host for host in self.all if host.pid == pid), None)

    # --- starts and ends

    def pass_time(self, now: float) -> None:
        """Start what is due."""
        if self._stopping:
            return
        for host in self.all:
            if host.pid or host.due > now:
                continue
            try:
                self._start(host)
            except (OSError, MemoryError) as error:
                delay = delay_after(host.attempts, 0)
                host.attempts += 1
                host.due = now + delay
                log.error("PTY host %d could not be started: %s; trying again in %.1f s", host.number, error, delay)
                continue
            self._listen(host)
            # Workers come last: the host asks them what they are attached to, and must know the sessions then.
            ends = control.AdoptionEnds(serial=host.store.serial), ()
            drain: list[control.Lent] = [(control.BeginDrain(), ())] if self._draining else []
            host.say(chain(drain, host.store.contents(child_of_ours), self._introduce(host), (ends,)))
            self._watch(host)

    def wake_at(self) -> float | None:
        """When a host is due."""
        return min((host.due for host in self.all if not host.pid and not self._stopping), default=None)

    def ended(self, host: PtyHost, how: str, now: float) -> None:
        """A host's process was reaped."""
        self._hear(host, all_of_it=True)
        self._deafen(host)
        young = host.ready_at is None or now - host.ready_at < STEADY_SECONDS
        if not young:
            host.young_deaths = 0
        delay = delay_after(host.attempts, host.young_deaths)
        if host.ready_at is None:
            host.attempts += 1
        host.young_deaths += young
        host.due = now + delay
        pid = host.pid
        host.leave()
        if not self._stopping:
            log.error(
                "PTY host %d (process %d) %s; its %d sessions wait for another one, which is started in %.1f s",
                host.number, pid, how, len(host.store), delay,
            )  # fmt: skip

    def hand_over(self, host: PtyHost) -> bool:
        """Let a host execute the installed code; whether there is a process that can."""
        if host.channel is None or host.ready_at is None:
            return False  # the next process in this place has that code anyway
        host.hand_over()
        self._watch(host)
        return True

    def ask(self, host: PtyHost) -> None:
        """Let a host say that it runs; ``alive`` gets the answer."""
        self._ask(host, control.AskAlive())

    def drain(self) -> None:
        """Let the hosts take no new sessions, those that are started later too, and say how many they have."""
        self._draining = True
        for host in self.all:
            self._ask(host, control.BeginDrain())

    def _ask(self, host: PtyHost, message: control.FromSupervisor) -> None:
        if host.channel is not None and not host.waits:  # else it does not read
            host.say([(message, ())])
            self._watch(host)

    def reaped(self, pid: int, wait_status: int) -> None:
        """A child that is no process of the server was reaped: a shell of a host that died, or an orphan of one."""
        for host in self.all:
            if host.store.reaped(pid, wait_status):
                if host.channel is not None:
                    host.say([(control.ShellEnded(pid=pid, wait_status=wait_status), ())])
                    self._watch(host)
                return

    # --- messages

    def _ready(self, host: PtyHost) -> None:
        host.flush()
        self._hear(host)
        self._watch(host)

    def _watch(self, host: PtyHost) -> None:
        if host.channel is None or host.channel.sock not in self._selector.get_map():
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if host.waits else 0)
        self._selector.modify(host.channel.sock, events, lambda: self._ready(host))

    def _deafen(self, host: PtyHost) -> None:
        if host.channel is not None and host.channel.sock in self._selector.get_map():
            self._selector.unregister(host.channel.sock)

    def _hear(self, host: PtyHost, *, all_of_it: bool = False) -> None:
        turns = 0
        while host.channel is not None and (all_of_it or turns < _TURN):
            turns += 1
            try:
                received = host.channel.receive()
            except ipc.ChannelClosed:
                self._deafen(host)  # SIGCHLD says how it ended
                return
            if received is None:
                return
            packet, fds = received
            try:
                message = control.decode_from_host(packet)
            except msgspec.DecodeError as error:
                log.error("PTY host %d said what this supervisor does not know: %s", host.number, error)
                for fd in fds:
                    os.close(fd)
            else:
                self._obey(host, message, fds)

    def _obey(self, host: PtyHost, message: control.FromHost, fds: list[int]) -> None:
        store = host.store
        match message:
            case control.KeepArena():
                store.keep_arena(message, fds)
            case control.KeepSession():
                store.keep(message, fds)
            case control.RecordChanged():
                store.change(message)
            case control.KeepInput():
                store.keep_input(message, fds)
            case control.ForgetInput():
                store.forget_input(message)
            case control.ForgetSession():
                store.forget(message)
            case control.HostReady():
                host.attempts = 0
                host.is_ready()
                store.is_complete()
                log.info("PTY host %d is ready: %d sessions adopted", host.number, message.sessions)
            case control.HandOverRefused():
                host.stays()
                host.refused = True
                log.error("PTY host %d stays as it is: %s", host.number, message.reason)
            case control.AskStatus():
                if not child_of_ours(message.pid):
                    host.say([(control.ShellEnded(pid=message.pid, wait_status=None), ())])
            case control.WorkerSilent():
                self._silent(message.row)
            case control.HostAlive():
                self._alive(host, message)

    # --- the end

    def stop(self) -> set[int]:
        """Let every host end its sessions and itself; the processes that do."""
        self._stopping = True
        for host in self.all:
            if host.channel is not None:
                host.say([(control.Stop(), ())])
                self._watch(host)
            else:
                for pid in host.store.pids:
                    _signal_group(pid, signal.SIGHUP)
                    _signal_group(pid, signal.SIGCONT)
        return {host.pid for host in self.all if host.pid}

    def kill_rest(self) -> None:
        """End the shells that no host has ended."""
        for host in self.all:
            for pid in host.store.pids:
                _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # it ended, or became another user's
