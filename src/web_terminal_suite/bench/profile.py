"""Where a server's time goes: its processes under py-spy during a benchmark, one file of stacks and one picture each.

py-spy reads another process's stacks from outside, some hundred times a second, and stops it for the moment of reading:
a profiled run shows where time goes, and its latencies are not to be judged. Moments count in which a thread used or
waited for the processor. What waits for something else does not show, but for the few samples in which it had just been
woken, by py-spy too: an idle process shows the function that it waits in.

Stacks come and stay in the collapsed format (a line each: frames from the outermost, ``;`` between them, then a
number), which speedscope.app and flamegraph.pl read too. Reading, adding up and drawing them is pure.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sysconfig
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

DEFAULT_RATE: Final = 200
"""Samples a second. py-spy needs well below a millisecond for one, so a process is stopped for a few per cent."""

# How long py-spy may take to find the interpreter's structures, and to write its file; both take well below a second.
_START_SECONDS: Final = 20.0
_END_SECONDS: Final = 20.0
_READY: Final = b"Sampling process"
_MISSING: Final = "py-spy is missing: install it with: pip install 'web-terminal-suite[profile]'"


class ProfileError(Exception):
    """No profile: what happened, and the remedy where there is one."""


class ProfilerMissing(ProfileError):
    """py-spy is not installed."""


class TracingForbidden(ProfileError):
    """This system lets us not look into that process."""


@dataclass(frozen=True)
class Profile:
    """One process during one benchmark. The files are there once the recording is over."""

    process: str
    pid: int
    rate: int
    stacks: Path
    picture: Path


@dataclass(frozen=True)
class Stack:
    """A way down the program, and how often it was seen."""

    frames: tuple[str, ...]
    samples: int


# Recording

SERVER_PROCESSES: Final = {
    "web_terminal_suite.server.supervisor": "supervisor",
    "web_terminal_suite.server.host.main": "host",
    "web_terminal_suite.server.worker.main": "worker",
}
"""By the module that a process of our server runs, as its command line names it. The suite does not import the server,
so a test compares this with the modules that the server starts."""


def processes_of(pids: Iterable[int]) -> dict[str, int]:
    """Those of ``pids`` that run Python, by a name: of ours the part they play, else their program; numbered if needed.

    Others have no Python stacks to read. Processes that ended meanwhile are left out.
    """
    found: dict[str, int] = {}
    for pid in pids:
        try:
            program = os.readlink(f"/proc/{pid}/exe")
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended, or is not ours to look at, which py-spy would say of it too
        if not Path(program).name.startswith("python"):
            continue
        name = _part(words)
        number = sum(other.partition("-")[0] == name for other in found)
        found[f"{name}-{number + 1}" if number else name] = pid
    return found


@asynccontextmanager
async def recorded(
    processes: Mapping[str, int], directory: Path, rate: int = DEFAULT_RATE
) -> AsyncIterator[tuple[Profile, ...]]:
    """Record ``processes`` for the length of the block; sampling has begun when the block does.

    At its end ``directory`` holds ``NAME.folded`` and ``NAME.svg`` for each; ``directory`` is made where it is missing.
    A process that ends within the block leaves what was seen of it until then.

    Args:
        rate: samples a second.

    Raises:
        ProfilerMissing, TracingForbidden: before the block.
        ProfileError: py-spy did not start or gave no file, or the files cannot be written.
    """
    program = find_profiler()
    profiles = tuple(
        Profile(name, pid, rate, directory / f"{name}.folded", directory / f"{name}.svg")
        for name, pid in processes.items()
    )
    _make(directory)
    async with AsyncExitStack() as stack:
        for each in profiles:
            await stack.enter_async_context(_sampled(program, each))
        yield profiles
    for each in profiles:
        _draw(each)


def read_stacks(profile: Profile) -> tuple[Stack, ...]:
    """What was recorded; nothing where the process did nothing.

    Raises:
        ProfileError: there is no such file, or it holds something else.
    """
    try:
        text = profile.stacks.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ProfileError(f"{profile.stacks}: {(error.strerror or str(error)).lower()}") from error
    return parse_stacks(text)


def find_profiler() -> str:
    """The program of py-spy.

    Raises:
        ProfilerMissing
    """
    installed = Path(sysconfig.get_path("scripts"), "py-spy")
    program = str(installed) if installed.exists() else shutil.which("py-spy")
    if program is None:
        raise ProfilerMissing(_MISSING)
    return program


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProfileError(f"{directory}: {(error.strerror or str(error)).lower()}") from error


def _part(words: Sequence[str]) -> str:
    for word in words:
        if word in SERVER_PROCESSES:
            return SERVER_PROCESSES[word]
    named = [word for word in words[1:] if word and not word.startswith("-")]
    name = Path(named[0]).name if named else "python"
    return re.sub(r"[^\w.]+", "_", name)


@asynccontextmanager
async def _sampled(program: str, profile: Profile) -> AsyncIterator[None]:
    """py-spy on one process, from its first sample to its file.

    It gets a session of its own: Ctrl-C does not reach it, and it is not taken for one of our shells.
    """
    process = await asyncio.create_subprocess_exec(
        program, "record", "--pid", str(profile.pid), "--format", "raw", "--rate", str(profile.rate),
        "--output", str(profile.stacks),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True, env={**os.environ, "RUST_BACKTRACE": "0"},
    )  # fmt: skip
    recorder = _Recorder(process)
    try:
        if not await recorder.says(_READY, _START_SECONDS):
            raise refusal(profile, recorder.said)
        yield
        await recorder.heeds(signal.SIGINT, _START_SECONDS)
        recorder.send(signal.SIGINT)
        status = await recorder.end(_END_SECONDS)
    finally:
        await recorder.kill()
    if status != 0:
        raise refusal(profile, recorder.said)


class _Recorder:
    """A process, and what it says: read to its end, so that it never waits for us."""

    _LIMIT_BYTES: Final = 65536

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said = b""
        try:
            self._pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            self._pidfd = -1  # it has ended, and asyncio has collected its status

    @property
    def said(self) -> str:
        return self._said.decode(errors="replace")

    async def says(self, wanted: bytes, timeout: float) -> bool:
        """Whether it said ``wanted`` before it ended and within ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while wanted not in self._said and await self._read():
                    pass
        except TimeoutError:
            self._said += f"\nError: said nothing more within {timeout:g} s".encode()
        return wanted in self._said

    async def end(self, timeout: float) -> int | None:
        """Its status, or nothing if it is still there after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while await self._read():
                    pass
                return await self._process.wait()
        except TimeoutError:
            self._said += f"\nError: wrote no file within {timeout:g} s".encode()
            return None

    async def heeds(self, number: signal.Signals, timeout: float) -> None:
        """Return once it handles ``number`` or has ended: py-spy says that it is ready a moment before it does."""
        deadline = asyncio.get_running_loop().time() + timeout
        while self._pidfd >= 0 and not _catches(self._process.pid, number):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.005)  # /proc offers no event for another process's signal handlers

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it has not ended.

        Not by asyncio: its ``send_signal`` looks whether the process has ended, which takes the status away from
        the caller that waits for it.
        """
        if self._pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            pass  # it ended while we looked

    async def kill(self) -> None:
        """End it, if it has not ended."""
        self.send(signal.SIGKILL)
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        while await self._read():
            pass
        await self._process.wait()

    async def _read(self) -> bytes:
        assert self._process.stdout is not None  # asked for when it was started
        data = await self._process.stdout.read(4096)
        self._said = (self._said + data)[-self._LIMIT_BYTES :]
        return data


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal (``proc_pid_status(5)``, ``SigCgt``), or is gone or a zombie."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    return fields["State"].startswith("Z") or bool(int(fields["SigCgt"], 16) >> (number - 1) & 1)


def refusal(profile: Profile, said: str) -> ProfileError:
    """The error that py-spy's own words amount to."""
    who = f"{profile.process} (process {profile.pid})"
    began = _READY.decode() in said
    if not began and re.search(r"permission denied|operation not permitted|EPERM|EACCES", said, re.IGNORECASE):
        return TracingForbidden(
            f"cannot profile {who}: this system does not let one process look into another; allow it with: "
            "sudo sysctl kernel.yama.ptrace_scope=0, in a container with: --cap-add SYS_PTRACE, or run as root"
        )
    errors = [line.removeprefix("Error: ") for line in said.splitlines() if line.startswith("Error: ")]
    words = errors[-1] if errors else (said.strip().splitlines() or ["it said nothing"])[-1]
    return ProfileError(f"cannot profile {who}: py-spy: {words[:1].lower()}{words[1:].rstrip('.')}")


def _draw(profile: Profile) -> None:
    try:
        stacks = read_stacks(profile)
        title = f"{profile.process}: {_total(stacks)} samples, {profile.rate} a second"
        profile.picture.write_text(flame_graph(stacks, title), encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"{profile.picture}: {(error.strerror or str(error)).lower()}") from error


# Reading and adding up


def parse_stacks(text: str) -> tuple[Stack, ...]:
    """Stacks of the collapsed format; lines for one function become one (py-spy tells its lines apart).

    Raises:
        ProfileError: a line that is no stack.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        path, _, count = line.rpartition(" ")
        if not path or not (count.isascii() and count.isdecimal()):
            raise ProfileError(f"line {number} is no stack with a number of samples: {line[:80]!r}")
        seen[tuple(_without_line(frame) for frame in path.split(";"))] += int(count)
    return tuple(Stack(frames, samples) for frames, samples in seen.items())


def _without_line(frame: str) -> str:
    return re.sub(r":\d+\)$", ")", frame)


def _total(stacks: Iterable[Stack]) -> int:
    return sum(stack.samples for stack in stacks)


# Drawing


@dataclass
class _Branch:
    """A function below those that called it."""

    samples: int = 0
    below: dict[str, _Branch] = field(default_factory=dict)


_WIDTH: Final = 1200.0
_ROW: Final = 18
_TOP: Final = 30
# Of the 11-pixel monospaced letters that names are written in.
_LETTER: Final = 6.7
# Narrower boxes cannot be seen; those below them are narrower still.
_NARROWEST: Final = 0.3
_OURS: Final = ("#ffc078", "#ffb366", "#ffa94d", "#ffbe85", "#ffcc99")
_OTHERS: Final = ("#c5d3e0", "#b8cadb", "#cfd9e4", "#bccbd9", "#d6dee7")


def flame_graph(stacks: Sequence[Stack], title: str) -> str:
    """An SVG of its own: callers above what they called, as wide as their samples; each box says its name and share.

    No script and no style sheet, so that it shows under any policy, in a page or alone; names come up as tool tips.
    """
    root = _Branch(_total(stacks))
    for stack in stacks:
        branch = root
        for frame in stack.frames:
            branch = branch.below.setdefault(frame, _Branch())
            branch.samples += stack.samples
    boxes: list[str] = []
    rows = 1
    waiting = [(root, 0.0, 0)]
    while waiting:
        branch, left, depth = waiting.pop()
        for function, each in sorted(branch.below.items()):
            width = _WIDTH * each.samples / root.samples
            if width >= _NARROWEST:
                boxes.append(_box(function, each.samples, root.samples, left, width, depth))
                waiting.append((each, left, depth + 1))
                rows = max(rows, depth + 1)
            left += width
    height = _TOP + rows * _ROW + 10
    text = boxes or [f'<text x="8" y="{_TOP + 14}">no samples: the process did nothing</text>']
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height}" width="100%" role="img" '
            'font-family="ui-monospace, monospace" font-size="11" fill="#222222">',
            f"<title>{_xml(title)}</title>",
            f'<rect width="{_WIDTH:g}" height="{height}" fill="#fffdf8"/>',
            f'<text x="8" y="19" font-size="13">{_xml(title)}</text>',
            *text,
            "</svg>\n",
        ]
    )


def _box(function: str, samples: int, everything: int, left: float, width: float, depth: int) -> str:
    top = _TOP + depth * _ROW
    letters = int((width - 6) / _LETTER)
    shown = function if len(function) <= letters else function[: max(0, letters - 1)] + "…"
    label = f'<text x="{left + 3:.1f}" y="{top + 13}">{_xml(shown)}</text>' if letters >= 3 else ""
    share = f"{samples} samples, {samples / everything:.1%}"
    return (
        f"<g><title>{_xml(function)}: {share}</title>"
        f'<rect x="{left:.2f}" y="{top}" width="{max(0.2, width - 0.5):.2f}" height="{_ROW - 1}" '
        f'fill="{_colour(function)}"/>{label}</g>'
    )


def _colour(function: str) -> str:
    """Warm for our own functions, cool for others'; the shade depends on the name alone."""
    shades = _OURS if "web_terminal_suite/" in function else _OTHERS
    return shades[sum(function.encode()) % len(shades)]


def _xml(text: str) -> str:
    """``text`` in XML, which has no way to write most control characters."""
    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))
