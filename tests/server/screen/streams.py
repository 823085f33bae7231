"""Output that programs could write, made from a seed: of one kind each, and mixed."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.server.screen.oracle import Event, Resize

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "0123456789", "path/to/file.py", "-", "ok"]
WIDE = ["你好", "世界", "日本語", "한글", "🙂", "🚀", "\uff46\uff55\uff4c\uff4c"]
MARKS = ["é", "ä", "ñ́", "क्षि", "👩‍🚀", "❤️", "x̃"]
LARGEST = Resize(140, 50)
NATIONAL = "0AB45CRQKYE6ZH7="


def text(r: random.Random) -> str:
    kind = r.random()
    if kind < 0.8:
        return " ".join(r.choice(WORDS) for _ in range(r.randint(1, 12)))
    return "".join(r.choice(WIDE if kind < 0.92 else MARKS) for _ in range(r.randint(1, 12)))


def colour(r: random.Random, base: int) -> str:
    kind = r.randrange(5)
    if kind == 0:
        return str(base + r.randrange(8))
    if kind == 1:
        return str(base + 60 + r.randrange(8))
    if kind == 2:
        return f"{base + 8};5;{r.randrange(256)}"
    if kind == 3:
        return f"{base + 8}:2::{r.randrange(256)}:{r.randrange(256)}:{r.randrange(256)}"
    return str(base + 9)


def sgr(r: random.Random) -> str:
    flags = [*map(str, (0, 1, 2, 3, 4, 5, 7, 8, 9, 21, 22, 23, 24, 25, 27, 28, 29, 53, 55)), "4:3"]
    underlines = ["58;5;9", "58:2::1:2:3"]
    parts = [r.choice([r.choice(flags), colour(r, 30), colour(r, 40), *underlines]) for _ in range(r.randint(1, 3))]
    return f"\x1b[{';'.join(parts)}m"


def lines(r: random.Random) -> str:
    return "".join(text(r) + "\r\n" for _ in range(r.randint(1, 8)))


def coloured(r: random.Random) -> str:
    return "".join(sgr(r) + text(r) + r.choice(["", "\x1b[K", "\r\n", "\x1b[m\r\n"]) for _ in range(r.randint(1, 6)))


def long_line(r: random.Random) -> str:
    return "".join(text(r) for _ in range(r.randint(4, 30))) + r.choice(["", "\r\n"])


def moves(r: random.Random) -> str:
    steps = []
    for _ in range(r.randint(1, 6)):
        final = r.choice("ABCDEFGHd`aeIZ")
        column = f";{r.randint(1, 90)}" if final == "H" else ""
        steps.append(f"\x1b[{r.choice(['', '0', '1', '2', '5', '99'])}{column}{final}")
        steps.append(r.choice(["", text(r)[:6], "\b", "\t"]))
    return "".join(steps)


def edits(r: random.Random) -> str:
    count = r.choice(["", "1", "2", "3", "7", "200"])
    return r.choice(["", sgr(r)]) + f"\x1b[{count}{r.choice('@PXLMSTb')}" + r.choice(["", text(r)[:5]])


def erases(r: random.Random) -> str:
    return r.choice(["", sgr(r)]) + f"\x1b[{r.choice(['', '?'])}{r.choice(['', '0', '1', '2'])}{r.choice('JK')}"


def region(r: random.Random) -> str:
    top = r.randint(1, 12)
    inside = "".join(
        r.choice([text(r) + "\r\n", "\n", "\x1bM", "\x1bD", "\x1bE", "\x1b[L", "\x1b[2M"])
        for _ in range(r.randint(1, 6))
    )
    start = f"\x1b[{top};{top + r.randint(1, 12)}r{r.choice(['', '', chr(27) + '[?6h'])}\x1b[{r.randint(1, 8)}H"
    return start + inside + r.choice(["", "\x1b[r", "\x1b[?6l\x1b[r"])


def tabs(r: random.Random) -> str:
    return r.choice(["\x1b[3g", f"\x1b[{r.randint(1, 40)}G\x1bH", "\x1b[g"]) + "\t" + text(r)[:4] + "\t"


def charsets(r: random.Random) -> str:
    level = r.choice("()*+")
    shift = r.choice(["", "\x0e", "\x0f", "\x1bn", "\x1bo"])
    return f"\x1b{level}{r.choice(NATIONAL)}{shift}lqqk#[]{{}}~{r.choice(['', chr(27) + '(B' + chr(15)])}"


def saves(r: random.Random) -> str:
    save, restore = r.choice([("\x1b7", "\x1b8"), ("\x1b[s", "\x1b[u"), ("\x1b[?1048h", "\x1b[?1048l")])
    return r.choice(["", sgr(r)]) + save + r.choice([moves(r), lines(r), sgr(r) + text(r)]) + r.choice(["", restore])


def modes(r: random.Random) -> str:
    numbers = [1, 7, 12, 25, 45, 66, 9, 1000, 1002, 1003, 1004, 1006, 1016, 2004, 2026]
    dec = f"\x1b[?{r.choice(numbers)};{r.choice(numbers)}{r.choice('hl')}"
    return r.choice([dec, dec, "\x1b=", "\x1b>", f"\x1b[4{r.choice('hl')}", f"\x1b[{r.randint(0, 7)} q"]) + text(r)[:10]


def strings(r: random.Random) -> str:
    end = r.choice(["\x07", "\x1b\\"])
    link = f"\x1b]8;{r.choice(['', 'id=a', 'id=b'])};http://host/{r.randrange(9)}{end}"
    return r.choice(
        [
            f"\x1b]{r.choice('012')};title {text(r)}{end}",
            link + r.choice(["", sgr(r)]) + text(r) + r.choice(["", f"\x1b]8;;{end}"]),
            f"\x1b]4;{r.randrange(256)};rgb:12/34/{r.randrange(16, 99)}{end}",
            f"\x1b]{r.randint(10, 12)};#a0b0c{r.randrange(10)}{end}",
            f"\x1b]{r.choice(['104', '104;3', '110', '111', '112'])}{end}",
            f"\x1bP$qm{end}",
            "\x1b_ignored\x1b\\",
            f"\x1b]52;c;aGk={end}",
        ]
    )


def full_screen(r: random.Random) -> str:
    """A program on the alternate screen, as editors draw."""
    start, end = r.choice([("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?1047h", "\x1b[?1047l"), ("\x1b[?47h", "\x1b[?47l")])
    drawn = "".join(f"\x1b[{row};1H{sgr(r)}{text(r)}\x1b[K" for row in range(1, r.randint(2, 30)))
    status = f"\x1b[{r.randint(1, 24)};1H\x1b[7m{text(r)}\x1b[m"
    return start + r.choice(["\x1b[2J", "\x1b[1;23r", ""]) + drawn + status + r.choice(["", end, "\x1b[r" + end])


def protects(r: random.Random) -> str:
    return f'\x1b[{r.randrange(3)}"q' + text(r) + r.choice(["", "\x1b[?K", "\x1b[?1J", '\x1b[2"q'])


def columns(r: random.Random) -> str:
    return f"\x1b[{r.choice(['', '2', '5'])}{r.choice([chr(39) + '}', chr(39) + '~', ' @', ' A'])}" + text(r)[:4]


def resets(r: random.Random) -> str:
    return r.choice(["\x1b[!p", "\x1b[!p", "\x1bc", "\x1b#8", "\x1b[3J", "\x1b%G"]) + text(r)


KINDS: dict[str, Callable[[random.Random], str]] = {
    each.__name__: each
    for each in (
        lines, coloured, long_line, moves, edits, erases, region, tabs, charsets, saves, modes, strings, full_screen,
        protects, columns, resets,
    )
}  # fmt: skip


def of_kind(name: str, seed: int, parts: int = 60) -> list[Event]:
    """A stream in which one kind of output prevails."""
    r = random.Random(f"{name} {seed}")
    made = [
        KINDS[name](r) if r.random() < 0.6 else r.choice([lines, coloured, long_line, moves])(r) for _ in range(parts)
    ]
    return ["".join(made).encode()]


def with_resizes(events: list[Event], seed: int, count: int = 8, most: Resize = LARGEST) -> list[Event]:
    """The same output, during which the window changes its size."""
    r = random.Random(seed)
    data = b"".join(event for event in events if isinstance(event, bytes))
    # xterm.js 6.0.0 gives combined characters to the wrong cells when it wraps lines anew.
    for each in MARKS:
        data = data.replace(each.encode(), b"mark")
    places = sorted(r.randrange(len(data) + 1) for _ in range(count))
    mixed: list[Event] = []
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        mixed += [data[start:end], Resize(r.randint(2, most.cols), r.randint(1, most.rows))]
    return mixed[:-1]


def torture(seed: int, parts: int = 60) -> list[Event]:
    """Everything mixed, with bytes that no program would write."""
    r = random.Random(seed)
    made = []
    for _ in range(parts):
        piece = r.choice(list(KINDS.values()))(r).encode()
        if r.random() < 0.1:
            piece = piece[: r.randrange(len(piece) + 1)]
        if r.random() < 0.05:
            piece += bytes(r.randrange(256) for _ in range(r.randint(1, 12)))
        made.append(piece)
    return [b"".join(made)]
