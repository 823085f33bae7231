"""What will be measured, in which order: frozen before anything starts, the same for the same seed.

A plan is blocks of *slots*. In each block every cell comes once, terminals and floors mixed in an order drawn from the
seed, so that what the machine does meanwhile falls on all of them alike. Pure: starts nothing and reads no clock.
"""

from __future__ import annotations

import difflib
import math
import random
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS, TooFewBlocks
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from web_terminal_suite.bench.benchmark import Benchmark
    from web_terminal_suite.bench.network.conditions import Network
    from web_terminal_suite.bench.terminals.terminal import Terminal

_T = TypeVar("_T")
# A benchmark's id and a parameter.
_Group = tuple[str, str]

# The benchmark whose truth is known, and its floor: measured first, or the rest means nothing.
_PROOF: Final = ("floors/null_server", "floors/known_delay")
# A quick run must be proven as well as a long one.
_PROOF_SECONDS: Final = 10.0
_PROOF_PARAMETERS: Final = ("echo", "command")
# Five blocks of an exchange of microseconds bound its ratio to a bare loopback's by 25 %, twenty by 8 %.
_MORE: Final = 4

DESIGN: Final = 2
"""Of the measurement, as a record states it: 2 has every cell in several blocks, while in 1 half of them had one."""


class NothingMatches(OptionsError, ValueError):
    """No benchmark matches a filter; the text names some that are near."""


class NothingFits(OptionsError, ValueError):
    """This machine can hold nothing of what was asked for; the text says which limit binds and what raises it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much to measure. Times in seconds, for each cell in all its blocks together."""

    sample_size: int = 400
    warm_up_seconds: float = 0.1
    measurement_seconds: float = 1.0
    blocks: int = 5
    """Rounds; a parameter of which one operation takes seconds has one, unless terminals are compared."""
    cell_seconds: float = 0.0
    """Time for everything that a cell does, preparing too, after which it gets no further block; 0 for no limit."""
    quick: bool = False
    full: bool = False
    """Also the parameters that take minutes."""
    confidence_level: float = 0.95
    seed: int = 0
    precision: float = 0.0
    """Wanted width of the deciding interval over its estimate; with 0 the sample size decides instead."""
    adaptive: bool = True
    """Less of what is clear after some blocks, more of what is not; with false the sample size whatever is found."""
    design: int = DESIGN

    @property
    def shortage(self) -> str:
        """What a run of so few blocks cannot say; empty where there are enough."""
        if self.blocks >= FEWEST_BLOCKS:
            return ""
        return (
            f"{TooFewBlocks(self.blocks)}: no figure of this run has one, targets are judged by their readings, and no "
            "comparison with another run can tell a change"
        )


QUICK: Final = Options(sample_size=100, warm_up_seconds=0.1, measurement_seconds=0.5, blocks=2, quick=True)


@dataclass(frozen=True)
class Slot:
    """One trial: a block of a cell."""

    block: int
    cell: Cell
    benchmark: Benchmark
    operations: int
    """Enough of them."""
    least: int
    """As many in any case."""
    warm_up_seconds: float
    measurement_seconds: float
    shortest_seconds: float = 0.0
    """Further operations are done until then, within the time for measuring."""


@dataclass(frozen=True)
class Plan:
    """``proof`` comes before all blocks; in a block ``together`` come in order, then each of ``alone`` by itself."""

    options: Options
    benchmarks: tuple[Benchmark, ...]
    terminals: tuple[Terminal, ...]
    proof: tuple[Slot, ...]
    together: tuple[tuple[Slot, ...], ...]
    alone: tuple[tuple[Slot, ...], ...]
    infeasible: tuple[tuple[Cell, str], ...] = ()
    """What this machine cannot hold, and why: planned, not measured."""
    extensions: tuple[str, ...] = ()
    """Files and packages that benchmarks or terminals come from, beside the suite's own."""
    network: Network | None = None
    """What clients reach the terminals through; ``None`` for nothing but the loopback."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        blocks = zip(self.together, self.alone, strict=True)
        return (*self.proof, *(slot for first, then in blocks for slot in (*first, *then)))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Each once, in the order of the catalogue."""
        found = dict.fromkeys((*(slot.cell for slot in self.slots), *(cell for cell, _ in self.infeasible)))
        places = {benchmark.id: place for place, benchmark in enumerate(self.benchmarks)}
        return tuple(sorted(found, key=lambda cell: places[cell.benchmark]))


def select(catalogue: Sequence[Benchmark], filters: Sequence[str]) -> list[tuple[Benchmark, str]]:
    """Benchmarks and parameters of which ``suite/benchmark/parameter`` matches a filter, as Criterion does.

    A filter is a regular expression found anywhere in the name, or where it is none, a plain part of the name. Of
    several filters any may match; but those that match within a suite whose name is a filter too select within it, and
    the name then selects nothing by itself.

    Raises:
        NothingMatches: a filter that selects nothing.
    """
    names = {name(benchmark, parameter): (benchmark, parameter) for benchmark, parameter in _all(catalogue)}
    if not filters:
        return list(names.values())
    known = {_suite(benchmark.id) for benchmark in catalogue}
    matching = {text: _matching(text, names, catalogue) for text in filters}
    suites = {text.rstrip("/"): text for text in filters if text.rstrip("/") in known}
    chosen: set[str] = set()
    narrowed: set[str] = set()
    for text in set(filters).difference(suites.values()):
        within = {each for each in matching[text] if _suite(each) in suites}
        chosen |= within or matching[text]
        narrowed |= {_suite(each) for each in within}
    for suite in suites.keys() - narrowed:
        chosen |= matching[suites[suite]]
    return [pair for each, pair in names.items() if each in chosen]


def _matching(text: str, names: Iterable[str], catalogue: Sequence[Benchmark]) -> set[str]:
    """The names that one filter matches.

    Raises:
        NothingMatches
    """
    pattern = _pattern(text)
    found = {each for each in names if pattern.search(each)}
    if not found:
        raise NothingMatches(f"no benchmark matches {text!r}{_nearest(text, catalogue)}")
    return found


def _suite(name: str) -> str:
    return name.partition("/")[0]


def name(benchmark: Benchmark, parameter: str) -> str:
    """``suite/benchmark/parameter``, what filters match."""
    return f"{benchmark.id}/{parameter}" if parameter else benchmark.id


def make_plan(
    catalogue: Sequence[Benchmark],
    terminals: Sequence[Terminal],
    filters: Sequence[str],
    options: Options,
    shortage: Callable[[int], str] = lambda sessions: "",
) -> Plan:
    """The plan for what the filters select, with the floors it is compared with and the proof of the suite itself.

    Args:
        shortage: why this machine cannot hold this many sessions at once; empty where it can.

    Raises:
        NothingMatches, NothingFits
    """
    selected = select(catalogue, filters)
    if not options.full:
        selected = _without_full(selected)
    if options.quick and not filters:
        selected = [(each, parameter) for each, parameter in selected if _in_quick(each, parameter)]
    wanted = _with_floors(catalogue, selected)
    pairs = [
        (benchmark, Cell(benchmark.id, parameter, terminal.name))
        for benchmark, parameter in wanted
        for terminal in terminals
        if terminal.can(benchmark.needs) and not terminal.missing()
    ]
    pairs, infeasible = _that_fit(pairs, selected, terminals, shortage)
    proof: list[Slot] = []
    if any(terminal.role == "subject" for terminal in terminals) and any(not each.facts.component for each, _ in pairs):
        proof = _proof(catalogue, terminals, options)
        pairs = [(each, cell) for each, cell in pairs if each.id != _PROOF[1]]
    # Several terminals are compared block by block, so then an expensive benchmark keeps all of its blocks.
    several = len({cell.terminal for _, cell in pairs if _is_subject(cell.terminal, terminals)}) > 1
    neighbours = _neighbours([cell for _, cell in pairs], {each.id: each.facts.floor for each, _ in pairs})
    together, alone = [], []
    for block in range(options.blocks):
        planned = []
        for benchmark, cell in pairs:
            blocks = _blocks(benchmark, cell.parameter, options, several)
            planned += [
                _slot(benchmark, cell, number, blocks, options) for number in range(block, blocks, options.blocks)
            ]
        slots = _mixed(planned, neighbours, options.blocks, random.Random(f"{options.seed}/{block}"))
        together.append(tuple(slot for slot in slots if not slot.benchmark.isolated))
        alone.append(tuple(slot for slot in slots if slot.benchmark.isolated))
    used = {cell.benchmark for cell in (*(cell for _, cell in pairs), *(cell for cell, _ in infeasible))}
    used |= {slot.cell.benchmark for slot in proof}
    lacking = {benchmark.id for benchmark, _ in wanted}
    benchmarks = tuple(each for each in catalogue if each.id in used | lacking)
    names = {cell.terminal for _, cell in pairs} | {slot.cell.terminal for slot in proof}
    kept = tuple(each for each in terminals if each.name in names or each.role == "subject")
    return Plan(options, benchmarks, kept, tuple(proof), tuple(together), tuple(alone), infeasible)


def _all(catalogue: Sequence[Benchmark]) -> list[tuple[Benchmark, str]]:
    return [(benchmark, parameter) for benchmark in catalogue for parameter in benchmark.facts.parameters]


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))


def _nearest(text: str, catalogue: Sequence[Benchmark]) -> str:
    known = [part for benchmark in catalogue for part in (benchmark.id, *benchmark.id.split("/"))]
    close = difflib.get_close_matches(text, list(dict.fromkeys(known)), n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else "; see --list"


def _without_full(selected: Sequence[tuple[Benchmark, str]]) -> list[tuple[Benchmark, str]]:
    """What a run measures that is not asked for everything.

    Raises:
        NothingMatches: all that was selected takes minutes.
    """
    kept = [(each, parameter) for each, parameter in selected if parameter not in each.full]
    if not kept:
        raise NothingMatches(f"{name(*selected[0])} takes minutes and is measured with --full only")
    return kept


def _that_fit(
    pairs: Sequence[tuple[Benchmark, Cell]],
    selected: Sequence[tuple[Benchmark, str]],
    terminals: Sequence[Terminal],
    shortage: Callable[[int], str],
) -> tuple[list[tuple[Benchmark, Cell]], tuple[tuple[Cell, str], ...]]:
    """The pairs this machine can hold, and the cells it cannot, with the reason.

    Raises:
        NothingFits: none of what was selected, floors that came with it apart.
    """
    # Of a terminal elsewhere the limits are not known.
    here = {terminal.name for terminal in terminals if terminal.can(frozenset({Capability.PROCESSES}))}
    reasons = {
        cell: reason
        for benchmark, cell in pairs
        if benchmark.sessions is not None
        and cell.terminal in here
        and (reason := shortage(benchmark.sessions(cell.parameter)))
    }
    asked_for = {(benchmark.id, parameter) for benchmark, parameter in selected}
    asked = [cell for _, cell in pairs if (cell.benchmark, cell.parameter) in asked_for]
    if asked and reasons.keys() >= set(asked):
        raise NothingFits("; ".join(f"{cell}: {reasons[cell]}" for cell in asked))
    return [(benchmark, cell) for benchmark, cell in pairs if cell not in reasons], tuple(reasons.items())


def _in_quick(benchmark: Benchmark, parameter: str) -> bool:
    return benchmark.quick is None or parameter in benchmark.quick


def _with_floors(
    catalogue: Sequence[Benchmark], selected: Sequence[tuple[Benchmark, str]]
) -> list[tuple[Benchmark, str]]:
    """What was selected, and the benchmarks that are floors of it: the parameter of the same name, else all."""
    wanted = {name(benchmark, parameter): (benchmark, parameter) for benchmark, parameter in selected}
    by_id = {benchmark.id: benchmark for benchmark in catalogue}
    for benchmark, parameter in selected:
        floor = by_id.get(benchmark.facts.floor)
        if floor is not None:
            same = [each for each in floor.facts.parameters if each == parameter] or floor.facts.parameters
            wanted.update({name(floor, each): (floor, each) for each in same})
    return list(wanted.values())


def _proof(catalogue: Sequence[Benchmark], terminals: Sequence[Terminal], options: Options) -> list[Slot]:
    by_id = {benchmark.id: benchmark for benchmark in catalogue}
    slots = [
        replace(
            _slot(
                by_id[id],
                Cell(id, parameter, terminal.name),
                0,
                _blocks(by_id[id], parameter, options, several=False),
                options,
            ),
            measurement_seconds=_PROOF_SECONDS,
        )
        for id in _PROOF
        if id in by_id
        for terminal in terminals
        if terminal.can(by_id[id].needs)
        for parameter in _PROOF_PARAMETERS
    ]
    # Every exchange with the reference server counts, so none is spent on warming up.
    slots = [replace(each, warm_up_seconds=0.0) if each.cell.benchmark == _PROOF[1] else each for each in slots]
    random.Random(f"{options.seed}/proof").shuffle(slots)
    return slots


def _is_subject(name: str, terminals: Sequence[Terminal]) -> bool:
    return any(each.name == name and each.role == "subject" for each in terminals)


def _blocks(benchmark: Benchmark, parameter: str, options: Options, several: bool) -> int:
    if parameter in benchmark.one_block and not several:
        return 1
    return options.blocks * (_MORE if parameter in benchmark.more_blocks else 1)


def _neighbours(cells: Sequence[Cell], floors: Mapping[str, str]) -> dict[_Group, _Group]:
    """By benchmark and parameter the floor that they are measured next to, themselves where they have none."""
    groups = dict.fromkeys((cell.benchmark, cell.parameter) for cell in cells)
    found = {}
    for group in groups:
        benchmark, parameter = group
        floor = floors[benchmark]
        candidates = [(floor, each) for each in (parameter, "")]
        found[group] = next((each for each in candidates if each in groups), group)
    return found


def _mixed(
    slots: Sequence[Slot], neighbours: Mapping[_Group, _Group], blocks: int, source: random.Random
) -> list[Slot]:
    """The slots in an order out of ``source``.

    Those of one benchmark and parameter, which are compared, come in a row; next to them their floor, with whatever
    else has the same one. Blocks beyond the usual number, ``blocks``, come at other moments of the round.
    """
    clusters: dict[tuple[_Group, int], dict[_Group, list[Slot]]] = {}
    for slot in slots:
        group = (slot.cell.benchmark, slot.cell.parameter)
        clusters.setdefault((neighbours[group], slot.block // blocks), {}).setdefault(group, []).append(slot)
    mixed = []
    for cluster in _shuffled(list(clusters.values()), source):
        for group_slots in _shuffled(list(cluster.values()), source):
            mixed += _shuffled(group_slots, source)
    return mixed


def _shuffled(things: list[_T], source: random.Random) -> list[_T]:
    source.shuffle(things)
    return things


def _slot(benchmark: Benchmark, cell: Cell, block: int, blocks: int, options: Options) -> Slot:
    blocks = min(blocks, options.blocks)  # further ones are as long as the usual
    least = benchmark.operations_needed(cell.parameter)
    enough = max(least, benchmark.repeats or options.sample_size)
    return Slot(
        block,
        cell,
        benchmark,
        operations=-(-enough // blocks),
        least=-(-least // blocks),
        warm_up_seconds=options.warm_up_seconds / blocks,
        measurement_seconds=min(benchmark.seconds or math.inf, options.measurement_seconds) / blocks,
        shortest_seconds=benchmark.block_seconds,
    )
