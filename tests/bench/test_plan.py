"""A plan is fixed by its seed, holds the floors, and says what it does not find."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from web_terminal_suite.bench.analysis.floors import floor_cell
from web_terminal_suite.bench.plan import QUICK, NothingFits, NothingMatches, Options, make_plan, name, select
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.suites.catalogue import CATALOGUE
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.raw_pty import RawPty
from web_terminal_suite.bench.terminals.reference_server import ReferenceServer
from web_terminal_suite.bench.terminals.registry import UnknownTerminal, choose
from web_terminal_suite.bench.terminals.terminado import Terminado
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal

ROOT = Path(__file__).parents[2]
TERMINALS = choose((), "", "", 1)


def plan_for(*filters, options=None, shortage=lambda sessions: ""):
    return make_plan(CATALOGUE, TERMINALS, filters, options or Options(seed=1), shortage)


def test_the_same_seed_gives_the_same_plan_and_another_one_another_order():
    def order(seed):
        return [slot.cell for slot in plan_for(options=Options(seed=seed)).slots]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert set(order(1)) == set(order(2))


def test_every_block_holds_every_cell_once_and_mixes_the_terminals():
    plan = plan_for()
    for block in plan.together:
        usual = [slot for slot in block if slot.block < plan.options.blocks]
        assert len({slot.cell for slot in usual}) == len(usual)
        changes = sum(a.cell.terminal != b.cell.terminal for a, b in itertools.pairwise(block))
        assert changes > 5
    orders = [[slot.cell for slot in block] for block in plan.together]
    assert orders[0] != orders[1]


def test_terminals_that_are_compared_are_measured_in_every_block_and_in_a_row():
    terminals = (WebTerminal(), Terminado(), RawPty(), NullServer(), ReferenceServer(1))
    plan = make_plan(CATALOGUE, terminals, ["keystroke_echo", "paste"], Options(seed=3))
    for block in plan.together:
        names = [(slot.cell.benchmark, slot.cell.parameter) for slot in block]
        subjects = [slot for slot in block if slot.cell.terminal in ("web-terminal", "terminado")]
        assert len(subjects) == 2 * 5  # three parameters of one, two of the other
        assert len([name for name, _ in itertools.groupby(names)]) == len(set(names))
    firsts = {next(s.cell.terminal for s in block if s.cell.parameter == "tty") for block in plan.together}
    assert firsts == {"web-terminal", "terminado"}


@pytest.mark.parametrize("blocks", [1, 2, 5, 10])
def test_every_cell_has_as_many_blocks_as_the_run_and_one_with_long_operations_has_one(blocks):
    plan = plan_for(options=Options(seed=3, blocks=blocks, full=True))
    found = Counter(slot.cell for slot in plan.slots if slot not in plan.proof)
    for benchmark in plan.benchmarks:
        for cell in (each for each in found if each.benchmark == benchmark.id):
            several = 4 if cell.parameter in benchmark.more_blocks else 1
            assert found[cell] == (1 if cell.parameter in benchmark.one_block else several * blocks), cell
    several = make_plan(
        CATALOGUE, (WebTerminal(), Terminado(), RawPty()), ["stalled_reader/2s"], Options(blocks=blocks)
    )
    assert {cell.terminal for cell in several.cells} == {"web-terminal", "terminado"}
    assert len(several.slots) == 2 * blocks


def test_blocks_beyond_the_usual_number_come_at_other_moments_together_with_their_floor():
    plan = plan_for()
    for together in plan.together:
        names = [slot.cell.benchmark for slot in together]
        places = [
            place for place, slot in enumerate(together)
            if (slot.cell.benchmark, slot.cell.parameter) == ("floors/null_server", "echo")
        ]  # fmt: skip
        assert len(places) == 4
        assert max(places) - min(places) > 20
        for place in places:
            assert any(names[each] == "floors/loopback_ping_pong" for each in range(max(0, place - 8), place + 9))


def test_only_what_takes_seconds_has_one_block():
    """Whoever adds to this list takes intervals away: say in docs/benchmarks.md what has its place."""
    names = {name(each, parameter).partition("/")[2] for each in CATALOGUE for parameter in each.one_block}
    assert names == {
        "session_memory_footprint/1000", "memory_usage_1000_sessions/1000", "session_cycles/2000",
        "concurrent_sessions_scale/500", "concurrent_sessions_scale/1000", "concurrent_sessions_scale/2000",
        "concurrent_sessions_scale/10000", "sustained_throughput_100_sessions_10s",
        "cleanup_1000_sessions/polite close", "cleanup_1000_sessions/socket loss", "cleanup_1000_sessions/SIGTERM",
        "stalled_reader/2s", "stalled_reader/60s", "known_delay/echo", "known_delay/command",
    }  # fmt: skip


def test_a_floor_is_measured_as_long_as_its_cells_and_next_to_them():
    plan = plan_for()
    measured = {slot.cell: slot for slot in plan.slots if slot.block == 4}
    facts = {each.id: each.facts for each in plan.benchmarks}
    compared = 0
    for cell, slot in measured.items():
        base = floor_cell(cell, facts[cell.benchmark], set(measured))
        if base is None:
            continue
        compared += 1
        floor = measured[base]
        assert floor.measurement_seconds >= slot.measurement_seconds or base.benchmark == cell.benchmark, cell
        assert floor.operations >= slot.operations, cell
        for block in plan.together:
            cells = [each.cell for each in block if each.block < plan.options.blocks]
            groups = [group for group, _ in itertools.groupby((each.benchmark, each.parameter) for each in cells)]
            begin, end = sorted(groups.index((each.benchmark, each.parameter)) for each in (cell, base))
            # Between the two is nothing but what has the same floor.
            for other in groups[begin:end]:
                of = Cell(*other, cell.terminal)
                assert base in (floor_cell(of, facts[other[0]], set(measured)), of) or other == (
                    base.benchmark, base.parameter
                ), (cell, other)  # fmt: skip
    assert compared > 20


def test_the_design_is_kept_in_the_options():
    assert (Options().design, QUICK.design) == (2, 2)


def test_a_run_of_few_blocks_says_what_it_cannot_say():
    assert Options().shortage == Options(blocks=10).shortage == ""
    assert QUICK.shortage.startswith("2 blocks, an interval needs 5: ")
    assert Options(blocks=1).shortage.startswith("1 block, ")


def test_enough_operations_for_every_target():
    for slot in plan_for(options=replace(QUICK, seed=1)).slots:
        least = slot.benchmark.operations_needed(slot.cell.parameter)
        blocks = 1 if slot.cell.parameter in slot.benchmark.one_block else QUICK.blocks
        assert slot.least * blocks >= least
        assert slot.operations >= slot.least


def test_a_benchmark_brings_its_floor_and_the_proof():
    plan = plan_for("execute_echo_simple")
    assert {cell.benchmark for cell in plan.cells} == {
        "command_execution/execute_echo_simple",
        "floors/bare_shell_command",
        "floors/null_server",
        "floors/known_delay",
    }
    assert {slot.cell.terminal for slot in plan.proof} == {"known", "null-server"}
    assert {terminal.name for terminal in plan.terminals} == {"web-terminal", "raw-pty", "null-server", "known"}


def test_the_null_server_brings_the_bare_loopback_only_where_it_is_asked_for():
    cells = {cell.benchmark for cell in plan_for("floors/null_server").cells}
    assert cells == {"floors/null_server", "floors/known_delay", "floors/loopback_ping_pong"}


def above(most: int):
    return lambda sessions: f"{most} of {sessions}" if sessions > most else ""


def test_what_the_machine_cannot_hold_is_planned_with_its_reason_and_not_measured():
    plan = plan_for("concurrent_sessions_scale", "bare_spawn", shortage=above(500))
    scale = "concurrent_load/concurrent_sessions_scale"
    assert plan.infeasible == ((Cell(scale, "1000", "web-terminal"), "500 of 1000"),)
    assert {slot.cell.parameter for slot in plan.slots if slot.cell.benchmark == scale} == {"100"}
    assert [cell.parameter for cell in plan.cells if cell.benchmark == scale] == ["100", "1000"]
    assert scale in {each.id for each in plan_for("scale/1000", "bare_spawn", shortage=above(500)).benchmarks}


def test_a_filter_that_selects_only_what_does_not_fit_is_refused_whatever_floors_come_with_it():
    with pytest.raises(NothingFits, match=r"scale/1000 \[web-terminal\]: 500 of 1000"):
        plan_for("concurrent_sessions_scale/1000$", shortage=above(500))
    with pytest.raises(NothingFits, match="lookup/1000"):
        plan_for("lookup/1000$", "cleanup", shortage=above(500))


def test_a_terminal_elsewhere_is_not_held_to_the_limits_of_this_machine():
    elsewhere = choose((), ["http://127.0.0.1:1/"], "", 1)
    plan = make_plan(CATALOGUE, elsewhere, ["concurrent_sessions_scale"], Options(), above(500))
    assert plan.infeasible == ()


def test_components_need_no_proof():
    assert plan_for("lookup_in_process").proof == ()


def test_what_is_alone_comes_by_itself():
    plan = plan_for("memory_footprint")
    assert not any(plan.together)
    assert [len(block) for block in plan.alone] == [2, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("filters", "count"),
    [(("session_lookup/",), 2), (("session_lookup/1$",), 1), (("^floors/loop",), 2), (("by_shell/(sh|bash)",), 2)],
)
def test_filters_are_criterions(filters, count):
    assert len(select(CATALOGUE, filters)) == count


def selected(*filters):
    return [name(*each) for each in select(CATALOGUE, filters)]


@pytest.mark.parametrize(
    ("filters", "same_as"),
    [
        (("session_creation", "create_session_basic"), ("create_session_basic",)),
        (("create_session_basic", "session_creation/"), ("create_session_basic",)),
        (("session_creation", "lookup", "basic"), ("session_creation.*(lookup|basic)",)),
        (("interactive", "echo"), ("^interactive/.*echo",)),
        (("session_creation", "interactive", "keystroke"), ("session_creation/|interactive/keystroke",)),
    ],
)
def test_the_name_of_a_suite_is_narrowed_by_the_filters_that_match_in_it(filters, same_as):
    assert selected(*filters) == selected(*same_as) != []


@pytest.mark.parametrize(
    ("filters", "same_as"),
    [
        (("session_creation", "interactive"), ("session_creation/|interactive/",)),
        (("interactive", "execute_echo_simple"), ("interactive/|execute_echo_simple",)),
        (("keystroke_echo", "time_to_prompt/warm", "paste"), ("keystroke_echo|time_to_prompt/warm|paste",)),
        # A pattern is no suite's name.
        (("^session_creation/", "create_session_basic"), ("session_creation/",)),
    ],
)
def test_of_other_filters_any_may_match(filters, same_as):
    assert selected(*filters) == selected(*same_as) != []


def test_the_filters_of_the_comparison_select_each_of_theirs():
    (line,) = re.findall(r"^COMPARED := (.*?[^\\])\n", (ROOT / "Makefile").read_text(), re.DOTALL | re.MULTILINE)
    filters = line.replace("\\\n", " ").split()
    assert len(filters) > 5
    assert set(selected(*filters)) == {each for text in filters for each in selected(text)}


def test_a_filter_that_is_no_regular_expression_is_plain_text():
    with pytest.raises(NothingMatches):
        select(CATALOGUE, ["size+env+cwd["])
    assert [parameter for _, parameter in select(CATALOGUE, [r"size\+env"])] == ["size+env+cwd"]


def test_a_filter_that_matches_nothing_names_what_is_near():
    with pytest.raises(NothingMatches, match="create_session_basic"):
        select(CATALOGUE, ["create_sesion_basic"])
    with pytest.raises(NothingMatches, match="--list"):
        select(CATALOGUE, ["qqqqqqqq"])


def test_a_terminal_nobody_knows_is_named():
    with pytest.raises(UnknownTerminal, match="there are: web-terminal"):
        choose(("xterm",), "", "", 1)


def test_a_server_elsewhere_has_no_processes_to_look_at():
    terminals = choose((), ["http://example.org:80/#token=x"], "", 1)
    ids = {cell.benchmark for cell in make_plan(CATALOGUE, terminals, (), Options()).cells}
    assert "command_execution/execute_echo_simple" in ids
    assert not ids & {
        "session_creation/session_memory_footprint",
        "session_creation/destroy_session",
        "command_execution/pty_spawn_time",
    }


def test_names_are_unique():
    names = [name(benchmark, parameter) for benchmark in CATALOGUE for parameter in benchmark.facts.parameters]
    assert len(set(names)) == len(names)
