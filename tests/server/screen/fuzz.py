"""Fuzzing for as long as asked: ``python -m tests.server.screen.fuzz --minutes 10``.

Each seed makes a mix of everything, half of them with resizes, and restores it at random bytes as the tests do; a seed
that fails is printed. With ``--sanitize`` the emulator is compiled with AddressSanitizer and UndefinedBehaviorSanitizer
and fed without the oracle: any fault ends the process.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[3]
DIRECTORY = "src/web_terminal_suite/server/screen"
MODULE = "web_terminal_suite.server.screen._emulator"
SANITIZED = "SANITIZED_EMULATOR"
FLAGS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined"
SIZES = (1, 2, 3, 20, 80, 200, 500)


def against_oracle(ends: float, seed: int) -> int:
    """Compares with xterm.js until ``ends``; the exit status."""
    from tests.server.screen import recordings, streams
    from tests.server.screen.oracle import Oracle

    restores = failed = 0
    node = shutil.which("node")
    assert node is not None, "there is no node"
    with Oracle(node) as oracle:
        while time.monotonic() < ends:
            events = streams.torture(seed)
            if seed % 2:
                events = streams.with_resizes(events, seed)
            length = sum(len(event) for event in events if isinstance(event, bytes))
            cuts = random.Random(seed).sample(range(length + 1), min(20, length))
            for cut, differences in oracle.restores(events, cuts, recordings.SIZE, 200):
                restores += 1
                if differences:
                    failed += 1
                    print(f"seed {seed}, cut {cut}: {differences[0][:200]}", flush=True)
            seed += 1
    print(f"{restores} restores, {restores - failed} exact ({100 * (1 - failed / max(restores, 1)):.2f} %)")
    return int(failed > 0.01 * restores)


def alone(ends: float, seed: int) -> int:
    """Feeds, resizes, writes and reads again until ``ends``."""
    from tests.server.screen import streams
    from web_terminal_suite.server.screen.screen import Screen

    first = seed
    while time.monotonic() < ends:
        r = random.Random(seed)
        screen = Screen(r.choice(SIZES), r.choice(SIZES[:-1]), r.choice((0, 5, 200)))
        for _ in range(20):
            data = streams.torture(r.randrange(10**9), 5)[0] if r.random() < 0.8 else r.randbytes(500)
            while data:
                step = r.randint(1, 200)
                screen.feed(data[:step])
                data = data[step:]
            if r.random() < 0.5:
                screen.resize(r.choice(SIZES), r.choice(SIZES[:-1]))
            screen.text(200)
            screen.rows(200)
            again = Screen(*screen.size, 200)
            again.feed(screen.vt())
            if r.random() < 0.3:
                screen = again
        seed += 1
    print(f"{seed - first} terminals")
    return 0


def run_sanitized(arguments: list[str]) -> int:
    """This program again, with an emulator that was compiled for it."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hatch_build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hatch_build)
    with tempfile.TemporaryDirectory() as made:
        shutil.copytree(ROOT / DIRECTORY, pathlib.Path(made, DIRECTORY), ignore=shutil.ignore_patterns("*.so"))
        os.environ["CFLAGS"] = os.environ["LDFLAGS"] = FLAGS
        compiled = hatch_build.compile_emulator(pathlib.Path(made))
        library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
        environment = {
            **os.environ,
            SANITIZED: str(compiled),
            "LD_PRELOAD": library.stdout.strip(),
            # CPython itself leaks at its end.
            "ASAN_OPTIONS": "detect_leaks=0",
        }
        return subprocess.run(
            [sys.executable, "-m", "tests.server.screen.fuzz", *arguments], env=environment
        ).returncode


def use_sanitized(path: str) -> None:
    """The compiled module of ``path`` is the emulator of this process."""
    spec = importlib.util.spec_from_file_location(MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sanitize", action="store_true")
    given = parser.parse_args()
    if given.sanitize and SANITIZED not in os.environ:
        return run_sanitized(sys.argv[1:])
    ends = time.monotonic() + given.minutes * 60
    if not given.sanitize:
        return against_oracle(ends, given.seed)
    use_sanitized(os.environ[SANITIZED])
    return alone(ends, given.seed)


if __name__ == "__main__":
    sys.exit(main())
