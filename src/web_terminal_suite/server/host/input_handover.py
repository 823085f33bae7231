"""Whose numbered input which worker types, and the input that no worker types any more.

A client of a session belongs to one worker at a time. A worker that loses a viewer hands over what still waits for the
program, and the host types that before anything else. It lies in a file that the supervisor has open as well.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.server import ipc
from web_terminal_suite.server.client_input import ClientInput, place_of, unread_in
from web_terminal_suite.server.host.input_file import BadInputFile, InputFile
from web_terminal_suite.server.host.session_input import SessionInput
from web_terminal_suite.server.host.table import Refusal
from web_terminal_suite.server.host.worker_channels import WorkerChannel, WorkerChannels
from web_terminal_suite.server.input_queue import NO_PLACE
from web_terminal_suite.server.log import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.host.store_client import StoreClient
    from web_terminal_suite.server.host.table import SessionEntry, SessionTable

log = logging.getLogger("web_terminal_suite.host")


class InputHandover:
    """Hands clients from worker to worker, and types what they left.

    ``watch`` is called when a session begins or ends to have something for the host to type.
    """

    def __init__(
        self,
        table: SessionTable,
        workers: WorkerChannels,
        store: StoreClient,
        watch: Callable[[SessionEntry], None],
    ) -> None:
        self._table = table
        self._workers = workers
        self._store = store
        self._watch = watch
        self.types = True
        """Whether the host types; not while it takes over sessions, since workers may do it."""

    def claim(self, worker: WorkerChannel, request: ipc.ClaimInput) -> None:
        """Give a client to ``worker``, now or when the worker that has it lets go.

        Raises:
            Refusal: the worker is not attached to the session.
        """
        entry = worker.attached.get(request.session)
        if entry is None or entry.session is None:
            raise Refusal(ErrorCode.NO_SUCH_SESSION, f"no session has the id {request.session!r}")
        held = self.of(entry)
        free = set(range(CLIENTS)) - held.owners.keys() - _clients_of(held).keys()
        place = place_of(entry.session.log, request.key, free)
        owner = held.owners.get(place)
        if isinstance(owner, WorkerChannel) and owner is not worker and owner in self._workers:
            held.waiting.setdefault(place, []).append((worker, request.id))
            self._workers.answer(owner, ipc.TakeInput(session=entry.id, place=place))
        else:
            self._give(entry, place, worker, request.id)

    def _give(self, entry: SessionEntry, place: int, worker: WorkerChannel, request_id: int) -> None:
        held = entry.input
        assert held is not None  # it is there since the claim
        accepted = 0
        if place != NO_PLACE:
            held.owners[place] = worker
            accepted = self._client(entry, place).accepted
        answer = ipc.InputClaimed(id=request_id, place=place, accepted=accepted, held_input=entry.held_input)
        self._workers.answer(worker, answer)

    def _client(self, entry: SessionEntry, place: int) -> ClientInput:
        assert entry.session is not None
        return _clients_of(entry.input).get(place) or ClientInput(entry.session.log, place)

    def hand_over(self, worker: WorkerChannel, notice: ipc.HandOverInput) -> None:
        """A worker has no viewer any more for what it still had to type."""
        entry = self._entry(worker, notice.session)
        if entry is not None and entry.session is not None and entry.session.pty.fd >= 0:
            self._keep(entry, notice)
        self._workers.answer(worker, ipc.InputKept(id=notice.id))

    def _keep(self, entry: SessionEntry, notice: ipc.HandOverInput) -> None:
        held = self.of(entry)
        if held.file is not None and notice.id in held.file:
            return  # it told the host before, which died before it could say so
        data, skip, client = notice.data, notice.skip, None
        if notice.place != NO_PLACE:
            client = self._client(entry, notice.place)
            if notice.start > client.accepted:
                return  # what comes before it was lost: its client sends both again
            known = client.accepted - notice.start
            data, skip = data[known:], skip - max(0, known - len(data))
            if not data and skip <= 0:
                return
        try:
            if held.file is None:
                held.file = InputFile.create()
                self._store.keep_input(entry)
            held.file.keep(notice.id, client, data, skip)
        except OSError as error:
            log.error(
                "session %s: %d bytes of input cannot be kept: %s; a client that numbers its input sends them again",
                entry.id, len(data), (error.strerror or "").lower(),
            )  # fmt: skip
        self._note(entry)

    def _entry(self, worker: WorkerChannel, session: str) -> SessionEntry | None:
        """A session that ``worker`` is attached to, or was attached to under the host before this one."""
        return worker.attached.get(session) or self._table.get(session)

    def _note(self, entry: SessionEntry) -> None:
        if self.types:
            self._tell_held(entry)
            self._watch(entry)

    def release(self, worker: WorkerChannel, notice: ipc.ReleaseInput) -> None:
        """A worker types no more for a client: the next one may."""
        entry = self._entry(worker, notice.session)
        if entry is not None:
            self._release(entry, notice.place, worker)

    def _release(self, entry: SessionEntry, place: int, worker: WorkerChannel) -> None:
        held = entry.input
        if held is None or held.owners.get(place) is not worker:
            return
        del held.owners[place]
        self._give_next(entry, held, place)

    def _give_next(self, entry: SessionEntry, held: SessionInput, place: int) -> None:
        waiting = held.waiting.pop(place, [])
        heirs = [(each, id_) for each, id_ in waiting if isinstance(each, WorkerChannel) and each in self._workers]
        if heirs and entry.session is not None:
            (heir, request_id), *others = heirs
            self._give(entry, place, heir, request_id)
            if others:
                held.waiting[place] = list(others)
                self._workers.answer(heir, ipc.TakeInput(session=entry.id, place=place))

    def drop(self, worker: WorkerChannel, notice: ipc.DropInput) -> None:
        """Ctrl-C was typed ahead of what the host has."""
        entry = self._entry(worker, notice.session)
        if entry is not None:
            if entry.input is not None and entry.input.file is not None:
                entry.input.file.drop()
            self._typed(entry)
        self._workers.answer(worker, ipc.InputKept(id=notice.id))

    def type(self, entry: SessionEntry) -> None:
        """The terminal is writable."""
        assert entry.session is not None  # its terminal is watched
        assert entry.input is not None  # it has something to type
        assert entry.input.file is not None
        entry.input.file.write(entry.session.pty)
        if not entry.input.file:
            self._typed(entry)

    def _typed(self, entry: SessionEntry) -> None:
        """Everything was typed or dropped."""
        if entry.input is not None and entry.input.file is not None:
            self._store.forget_input(entry)
            entry.input.close()
        self._note(entry)

    def _tell_held(self, entry: SessionEntry) -> None:
        notice = ipc.InputHeld(session=entry.id, bytes=entry.held_input)
        for worker in entry.attachments:
            if isinstance(worker, WorkerChannel):
                self._workers.answer(worker, notice)

    def leave(self, worker: WorkerChannel, entry: SessionEntry) -> None:
        """``worker`` has no viewer of the session any more, or is gone."""
        if entry.input is not None:
            for place in [place for place, owner in entry.input.owners.items() if owner is worker]:
                self._release(entry, place, worker)

    def lose(self, worker: WorkerChannel) -> None:
        """``worker`` is gone, perhaps between typing and counting what it typed: count it."""
        unread = unread_in(worker.input_pipe)
        for entry in self._table:
            if entry.input is not None and entry.session is not None:
                for place in [place for place, owner in entry.input.owners.items() if owner is worker]:
                    ClientInput(entry.session.log, place).settle_claim(unread)
                    self._release(entry, place, worker)
        if worker.input_pipe >= 0:
            os.close(worker.input_pipe)
            worker.input_pipe = -1

    # --- from the host before

    def adopt(self, entry: SessionEntry, fd: int) -> None:
        """Type what the host before had to type; owns ``fd``."""
        assert entry.session is not None  # it was adopted
        try:
            self.of(entry).file = InputFile.adopt(fd, entry.session.log)
        except BadInputFile as error:
            log.error("session %s: the input that waits is lost: %s", entry.id, error)

    def report(self, worker: WorkerChannel, entry: SessionEntry, state: ipc.AttachmentState) -> None:
        """What a worker types, as it told this host."""
        held = self.of(entry)
        held.owners.update((place, worker) for place, _offset in state.clients)
        held.reports.append((worker, state))

    def of(self, entry: SessionEntry) -> SessionInput:
        """Whose numbered input of the session which worker types."""
        entry.input = entry.input or SessionInput()
        return entry.input

    def resume(self, entry: SessionEntry) -> None:
        """Go on, once every worker has reported."""
        session, held = entry.session, entry.input
        if session is None or session.pty.fd < 0:
            return
        if session.log.has_clients:
            for place in range(CLIENTS):
                if held is None or place not in held.owners:
                    # Its worker was killed when no host had its pipe: most likely the terminal took what was claimed.
                    ClientInput(session.log, place).settle_claim(0)
        if held is not None:
            for place in held.waiting.keys() - held.owners.keys():
                self._give_next(entry, held, place)
            self._answer_reports(entry, held)
        if entry.input_waits:
            self._note(entry)

    def _answer_reports(self, entry: SessionEntry, held: SessionInput) -> None:
        """Tell workers that wait for input what there is of it, and whose was lost with the host before."""
        reports, held.reports = held.reports, []
        for worker, state in reports:
            if not isinstance(worker, WorkerChannel) or worker not in self._workers:
                continue
            for place, offset in state.clients:
                if self._client(entry, place).accepted < offset:
                    self._workers.answer(worker, ipc.InputLost(session=entry.id, place=place))
            if state.waits:
                self._workers.answer(worker, ipc.InputHeld(session=entry.id, bytes=entry.held_input))


def _clients_of(held: SessionInput | None) -> dict[int, ClientInput]:
    """Clients of whom the host has something to type."""
    return {} if held is None or held.file is None else held.file.clients
