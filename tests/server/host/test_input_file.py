"""The file of input that a host types: what another process that has it finds, wherever the one before was killed."""

from __future__ import annotations

import os

import pytest

from tests.server.shells import read_until, running
from web_terminal_suite.server.client_input import ClientInput, place_of
from web_terminal_suite.server.host.input_file import BadInputFile, InputFile
from web_terminal_suite.server.log import CLIENTS, PAGE_BYTES, Arena

DEAF = ("/bin/sh", "-c", "stty raw -echo; echo go; sleep 60")


@pytest.fixture
def log():
    arena = Arena.create(16 * PAGE_BYTES)
    yield arena.log(3)
    arena.close()


@pytest.fixture
def client(log):
    found = ClientInput(log, place_of(log, 1, set(range(CLIENTS))))
    found.settle(7)
    return found


@pytest.fixture
def file():
    made = InputFile.create()
    yield made
    made.close()


def heir(file: InputFile, log) -> InputFile:
    """The file as another host has it: the same open file."""
    return InputFile.adopt(os.dup(file.fd), log)


def head_of(count: int) -> tuple[str, ...]:
    return ("/bin/sh", "-c", f"stty raw -echo; echo go; head -c {count}; sleep 60")


def test_pieces_are_typed_in_order_and_counted_with_what_was_refused_behind_them(file, client):
    with running(*head_of(11)) as pty:
        read_until(pty, b"go\n")
        file.keep(1, client, b"one", 0)
        file.keep(2, None, b"two", 0)
        file.keep(3, client, b"three", 10)
        assert (file.held_bytes, client.accepted, client.taken) == (11, 7 + 18, 7)
        file.write(pty)
        assert read_until(pty, b"three") == b"onetwothree"
        assert (len(file), file.held_bytes, client.taken) == (0, 0, 7 + 18)


def test_another_host_goes_on_at_the_byte(file, client, log):
    """What the first one typed and had no time to count is counted."""
    data = bytes(range(256)) * 400
    with running(*head_of(len(data))) as pty:
        read_until(pty, b"go\n")
        file.keep(1, client, data, 3)
        os.lseek(file.fd, 64 + 40, os.SEEK_SET)
        typed = os.sendfile(pty.fd, file.fd, None, 1000)  # and here it was killed
        next_ = heir(file, log)
        assert (client.taken, next_.held_bytes) == (7 + typed, len(data) - typed)
        assert next_.clients[client.place].accepted == 7 + len(data) + 3
        seen = b""
        while len(seen) < len(data):
            next_.write(pty)
            buffer = bytearray(65536)
            try:
                count = pty.read_into([memoryview(buffer)])
            except BlockingIOError:
                continue
            seen += buffer[:count]
        assert seen == data
        assert client.taken == 7 + len(data) + 3
        next_.close()


def test_what_was_dropped_is_typed_by_nobody(file, client, log):
    file.keep(1, client, b"one", 4)
    file.keep(2, None, b"two", 0)
    os.lseek(file.fd, file._end, os.SEEK_SET)  # as in ``drop``, in which the host was killed
    next_ = heir(file, log)
    assert (len(next_), next_.held_bytes, client.taken) == (0, 0, 7 + 7)
    file.drop()
    assert (len(file), file.held_bytes, client.taken) == (0, 0, 7 + 7)
    next_.close()


def test_a_piece_that_was_handed_over_before_is_known(file, log):
    file.keep(5, None, b"one", 0)
    next_ = heir(file, log)
    assert 5 in next_
    assert 6 not in next_
    next_.close()


def test_a_record_that_was_not_finished_does_not_count(file, log):
    file.keep(1, None, b"one", 0)
    os.pwrite(file.fd, b"its bytes", file._end + 40)
    next_ = heir(file, log)
    assert (len(next_), next_.held_bytes) == (1, 3)
    next_.keep(2, None, b"two", 0)
    assert next_.held_bytes == 6
    next_.close()


def test_memory_of_what_was_typed_is_given_back(file, log):
    """A program that reads slowly, and clients that come and go: the file grows, its memory does not."""
    with running("/bin/sh", "-c", "stty raw -echo; echo go; exec cat > /dev/null") as pty:
        read_until(pty, b"go\n")
        file.keep(1, None, b"x" * 300_000, 0)
        for number in range(2, 18):
            file.keep(number, None, b"x" * 300_000, 0)
            while len(file) > 1:
                file.write(pty)
        assert os.fstat(file.fd).st_size > 4 << 20
        assert os.fstat(file.fd).st_blocks * 512 < 3 << 20
        next_ = heir(file, log)
        assert next_.held_bytes == file.held_bytes
        next_.close()


def test_a_terminal_without_a_program_takes_everything(file):
    with running("/bin/sh", "-c", "exit 0") as pty:
        read_until(pty, None)
        file.keep(1, None, b"one", 0)
        file.write(pty)
        assert not file


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 200, b"@" + bytes(7) + bytes(56) + b"\x01" * 100])
def test_a_file_of_somebody_else_is_refused_and_closed(log, content):
    fd = os.memfd_create("other")
    os.write(fd, content)
    with pytest.raises(BadInputFile):
        InputFile.adopt(fd, log)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
