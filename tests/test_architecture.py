"""Which room may import which, read from the source with ``ast``: inside functions and for typing, too."""

from __future__ import annotations

import ast
import pathlib
import re
from typing import NamedTuple

import pytest

SOURCE = pathlib.Path(__file__).parents[1] / "src" / "web_terminal_suite"
ROOT = "web_terminal_suite"
DOCUMENT = (pathlib.Path(__file__).parents[1] / "ARCHITECTURE.md").read_text()

# What component benchmarks time in-process, as a crate's own benches would: starting a shell, and the table of sessions
# with its messages.
COMPONENTS = ("server.pty", "server.host.table", "server.ipc")

# A room, and what of ours it may import besides itself. The longest prefix that fits a module is its room; what is
# allowed covers everything below it. `package` is the distribution's own name and version.
TABLE: dict[str, tuple[str, ...]] = {
    "package": (),
    "__main__": ("cli",),
    "protocol": (),
    "client": ("protocol",),
    "server": (),
    "server.launch": ("server.settings", "server.stderr"),
    "server.credentials": ("server.settings",),
    "server.tokens_file": ("server.credentials",),
    "server.passwords": (),
    "server.file_watch": (),
    "server.credential_store": (
        "server.credentials", "server.file_watch", "server.launch", "server.settings", "server.tokens_file",
    ),
    "server.stderr": (),
    "server.settings": (),
    "server.environment": ("server.settings",),
    "server.access": (
        "server.credentials", "server.jwt_tokens", "server.login_limits", "server.settings",
    ),
    "server.audit": (),
    "server.log": (),
    "server.pty": ("protocol",),
    "server.screen": (),
    "server.client_input": ("protocol.errors", "server.log", "server.pty"),
    "server.input_queue": ("server.client_input", "server.pty"),
    "server.session": (
        "protocol.window", "server.client_input", "server.input_queue", "server.pty", "server.log",
    ),
    "server.host": (
        "protocol", "server.audit", "server.client_input", "server.control", "server.environment",
        "server.in_place", "server.input_queue", "server.ipc", "server.launch", "server.log", "server.meeting",
        "server.pty", "server.service_manager", "server.session", "server.settings",
    ),
    "server.ipc": ("protocol",),
    "server.control": ("server.ipc",),
    "server.meeting": (),
    "server.arrivals": (
        "server.credentials", "server.ipc", "server.launch", "server.meeting", "server.settings",
    ),
    "server.store": ("server.control", "server.service_store", "server.supervisor_handover"),
    "server.pty_hosts": (
        "server.control", "server.generations", "server.ipc", "server.pty", "server.store",
        "server.supervisor_handover",
    ),
    "server.upgrade": ("server.in_place", "server.pty_hosts"),
    "server.worker": (
        "package", "protocol", "server.access", "server.audit", "server.client_input", "server.credentials",
        "server.environment", "server.input_queue", "server.ipc", "server.jwt_tokens", "server.launch",
        "server.listener", "server.log", "server.login_limits", "server.meeting", "server.network_address",
        "server.passwords", "server.pty", "server.service_manager", "server.session", "server.settings",
        "server.shared_table", "server.tls", "server.tokens_file",
    ),
    "server.generations": (),
    "server.watchdog": (),
    "server.drain": (),
    "server.tls": ("server.settings",),
    "server.network_address": (),
    "server.shared_table": (),
    "server.jwt_tokens": ("server.settings",),
    "server.login_limits": ("server.network_address", "server.shared_table"),
    "server.self_signed": ("server.settings", "server.tls"),
    "server.service_manager": (),
    "server.listener": ("server.settings",),
    "server.processes": (
        "server.host.main", "server.launch", "server.pty_hosts", "server.settings", "server.upgrade",
    ),
    "server.workers": (
        "server.control", "server.credential_store", "server.generations", "server.launch", "server.processes",
        "server.pty_hosts", "server.settings", "server.supervisor_handover", "server.watchdog",
        "server.worker.counters",
    ),
    "server.liveness": ("server.pty_hosts", "server.watchdog", "server.workers"),
    "server.startup": (
        "server.arrivals", "server.credential_store", "server.credentials", "server.launch", "server.listener",
        "server.log", "server.meeting", "server.processes", "server.pty_hosts", "server.service_manager",
        "server.service_store", "server.settings", "server.supervisor_handover",
    ),
    "server.service_store": ("server.control", "server.log", "server.pty"),
    "server.in_place": ("server.launch",),
    "server.supervisor_handover": ("server.in_place",),
    "server.adopted_processes": ("server.launch", "server.meeting"),
    "server.signal_pipe": (),
    "server.supervisor": (
        "server.adopted_processes", "server.arrivals", "server.audit", "server.control",
        "server.drain", "server.in_place", "server.launch",
        "server.listener", "server.liveness", "server.meeting", "server.processes", "server.pty",
        "server.pty_hosts", "server.service_manager", "server.service_store", "server.signal_pipe",
        "server.startup", "server.supervisor_handover", "server.tokens_file", "server.upgrade",
        "server.watchdog", "server.worker.counters", "server.workers",
    ),
    "bench": (
        "bench.benchmark", "bench.clock", "bench.load.behaviour", "bench.load.virtual_user", "bench.samples",
        "bench.terminals",
    ),
    "bench.stats": (),
    "bench.samples": (),
    "bench.files": (),
    "bench.printable": (),
    "bench.errors": (),
    "bench.clock": (),
    "bench.extension_modules": (),
    "bench.extensions": (
        "bench.benchmark", "bench.errors", "bench.extension_modules", "bench.load.behaviour", "bench.load.metrics",
        "bench.load.scenario", "bench.samples", "bench.suites", "bench.terminals",
    ),
    "bench.machine": (),
    "bench.profile": (),
    "bench.plausibility": ("bench.samples",),
    "bench.record": ("bench.errors", "bench.files", "bench.plausibility", "bench.samples"),
    "bench.baselines": ("bench.analysis", "bench.errors", "bench.files", "bench.record", "bench.samples"),
    "bench.terminals": (
        "bench.clock", "bench.machine", "bench.samples", "client", "package", "protocol",
    ),
    "bench.benchmark": ("bench.samples", "bench.stats", "bench.terminals.terminal", "client.marker"),
    "bench.workload": (
        "bench.benchmark", "bench.clock", "bench.extension_modules", "bench.machine", "bench.samples", "bench.stats",
        "bench.terminals", "client",
        "protocol",
    ),
    "bench.suites": (
        "bench.benchmark", "bench.clock", "bench.samples", "bench.stats", "bench.terminals", "bench.workload",
        "client", "protocol", *COMPONENTS,
    ),
    "bench.browser": (
        "bench.benchmark", "bench.clock", "bench.errors", "bench.plan", "bench.samples", "bench.terminals", "client",
    ),
    "bench.network": (
        "bench.clock", "bench.errors", "bench.samples", "bench.stats", "bench.terminals", "client.address",
    ),
    "bench.conformance": (
        "bench.benchmark", "bench.clock", "bench.errors", "bench.network", "bench.printable", "bench.terminals",
        "bench.workload", "client",
    ),
    "bench.plan": (
        "bench.benchmark", "bench.errors", "bench.network.conditions", "bench.samples", "bench.stats",
        "bench.terminals.terminal",
    ),
    "bench.progress": ("bench.plan", "bench.samples"),
    "bench.measurement": (
        "bench.benchmark", "bench.clock", "bench.plan", "bench.samples", "bench.terminals", "client",
    ),
    "bench.calibration": ("bench.samples", "bench.stats", "bench.terminals.delays"),
    "bench.runner": (
        "bench.calibration", "bench.errors", "bench.measurement", "bench.network.terminal", "bench.plan",
        "bench.profile", "bench.progress", "bench.samples", "bench.terminals", "bench.workload.capacity", "client",
    ),
    "bench.load": (
        "bench.clock", "bench.extension_modules", "bench.machine", "bench.samples", "bench.stats", "bench.terminals",
        "bench.workload", "client",
        "package",
    ),
    "bench.analysis": ("bench.samples", "bench.stats"),
    "bench.history": ("bench.analysis", "bench.errors", "bench.samples"),
    # No format knows another: what several say alike is in report.common.
    "bench.report": ("bench.analysis", "bench.printable", "bench.report.common", "bench.samples"),
    "bench.report.redaction": ("bench.analysis", "bench.report.common", "bench.samples"),
    "bench.report.common": ("bench.analysis", "bench.history", "bench.samples", "bench.stats"),
    "bench.report.html": (
        "bench.analysis", "bench.history", "bench.report.common", "bench.report.redaction", "bench.samples",
        "bench.stats",
    ),
    "bench.report.markdown": (
        "bench.analysis", "bench.report.common", "bench.report.redaction", "bench.samples", "bench.stats",
    ),
    "bench.report.text": ("bench.analysis", "bench.history", "bench.report.common", "bench.stats"),
    "bench.report.export": (
        "bench.analysis", "bench.printable", "bench.record", "bench.report.common", "bench.samples",
    ),
    "bench.pipeline": (
        "bench.analysis", "bench.baselines", "bench.benchmark", "bench.browser", "bench.calibration",
        "bench.conformance", "bench.errors", "bench.extensions", "bench.files", "bench.history", "bench.load",
        "bench.machine", "bench.network", "bench.plan", "bench.profile", "bench.progress", "bench.record",
        "bench.report", "bench.runner", "bench.samples", "bench.terminals", "bench.workload", "package",
    ),
    "cli": ("package",),
}  # fmt: skip

# A half of the project is imported by a subcommand once it runs, so inside a function.
HALVES = ("server", "bench", "client", "protocol")

NEVER_AWAIT = (
    "protocol", "server.log", "server.generations", "server.watchdog", "server.drain", "server.worker.protocols",
    "bench.stats", "bench.analysis",
)  # fmt: skip

# The only ones in the server that start a process: shells, and the server's own.
STARTERS = {"server.pty", "server.processes"}
# A host or supervisor that is upgraded executes the installed code in its own process; it starts none.
REPLACED = {"server.in_place": {"execve"}}
STARTING = {
    "posix_spawn", "posix_spawnp", "fork", "forkpty", "system", "popen", "execv", "execve", "execl", "execle", "execlp",
    "execlpe", "execvp", "execvpe", "spawnl", "spawnle", "spawnlp", "spawnv", "spawnve", "spawnvp", "Popen",
    "create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell", "startfile",
}  # fmt: skip
STARTING_MODULES = {"subprocess", "multiprocessing", "pty", "concurrent.futures.process"}

WEB_LIBRARIES = {
    "picows", "uvicorn", "websockets", "aiohttp", "starlette", "httptools", "httpx", "httpx2", "requests", "tornado",
    "wsproto", "h11",
}  # fmt: skip
# The null terminal is a floor: it measures the library itself. terminado is one, so its server is ours to write.
MAY_NAME_WEB_LIBRARIES = (
    "server.worker", "client.connection", "bench.terminals.null_server", "bench.terminals.terminado_server",
    "bench.browser.bare_server",
)  # fmt: skip


class Import(NamedTuple):
    """``of`` is the module imported, as written; ``lazy`` where it stands inside a function or under TYPE_CHECKING."""

    by: str
    line: int
    of: str
    in_function: bool
    for_typing: bool


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name or "package"] = ast.parse(path.read_text(), str(path))
    return found


MODULES = modules()


def imports(name: str, tree: ast.Module) -> list[Import]:
    """Every import of a module, with ``from x import y`` resolved to ``x.y`` where that is a module."""
    found = []

    def visit(node: ast.AST, in_function: bool, for_typing: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            in_function = True
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_typing = True
        if isinstance(node, ast.Import):
            found.extend(Import(name, node.lineno, each.name, in_function, for_typing) for each in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} imports relatively"
            for each in node.names:
                of = f"{node.module}.{each.name}"
                below = of.removeprefix(f"{ROOT}.")
                found.append(
                    Import(name, node.lineno, of if below in MODULES else str(node.module), in_function, for_typing)
                )
        for child in ast.iter_child_nodes(node):
            visit(child, in_function, for_typing)

    visit(tree, False, False)
    return found


ALL = [each for name, tree in MODULES.items() for each in imports(name, tree)]
OURS = [
    each._replace(of="package" if each.of == ROOT else each.of.removeprefix(f"{ROOT}."))
    for each in ALL
    if each.of == ROOT or each.of.startswith(f"{ROOT}.")
]


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def room(name: str) -> str:
    return max((prefix for prefix in TABLE if within(name, prefix)), key=len)


def where(each: Import) -> str:
    return f"{each.by.replace('.', '/')}.py:{each.line} imports {each.of}"


def test_the_table_names_rooms_that_are_there_and_every_module_has_one():
    missing = [prefix for prefix in TABLE if not any(within(name, prefix) for name in MODULES)]
    assert not missing
    assert all(room(name) for name in MODULES)
    # A room of its own for each, so that "bench" and "server" allow nothing by accident.
    assert [name for name in MODULES if room(name) in ("bench", "server") and "." in name] == []


def test_the_document_shows_the_table():
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \|$", DOCUMENT.split("## Who may import whom")[1], re.MULTILINE)
    shown = {of: set(re.findall(r"`([\w.]+)`", allowed)) for of, allowed in rows}
    assert shown == {
        of: set(allowed) for of, allowed in TABLE.items() if of not in ("package", "__main__", "server", "cli")
    }


def test_rooms_import_what_the_table_allows():
    def allowed(each: Import) -> bool:
        at = room(each.by)
        if at == "cli":
            return True  # the halves, but only inside functions: the next test
        # A room's parts know each other, and each may be in a room within a room.
        return any(within(each.of, prefix) for prefix in (at, *TABLE[at]))

    assert [where(each) for each in OURS if not allowed(each)] == []


def test_no_permission_of_the_table_is_unused():
    """What nobody imports is not allowed: a hole in a wall is found by the next one who looks for a short cut."""
    used = {(room(each.by), each.of) for each in OURS}
    unused = [
        (at, prefix)
        for at, allowed in TABLE.items()
        for prefix in allowed
        if not any(by == at and within(of, prefix) for by, of in used)
    ]
    assert unused == []


def test_no_class_name_stands_twice():
    """A name that means two things sends a reader to the wrong one. Private classes are their module's own."""
    found: dict[str, list[str]] = {}
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_server_and_bench_never_meet():
    """One exception, named as such: component benchmarks, which import what they time where they time it."""
    meetings = [
        each for each in OURS
        if (within(each.by, "server") and within(each.of, "bench"))
        or (within(each.by, "bench") and within(each.of, "server"))
    ]  # fmt: skip
    assert [where(each) for each in meetings if each.of not in COMPONENTS] == []
    assert [where(each) for each in meetings if within(each.by, "server")] == []
    assert [where(each) for each in meetings if each.of != "server.pty" and not each.in_function] == []


def test_the_command_line_imports_a_half_only_inside_functions():
    early = [
        where(each)
        for each in OURS
        if within(each.by, "cli") and not each.in_function and not each.for_typing
        and any(within(each.of, half) for half in HALVES)
    ]  # fmt: skip
    assert early == []


def test_a_worker_knows_nothing_of_the_host_but_its_wire():
    assert [
        where(each)
        for each in OURS
        if within(each.by, "server.worker") and within(each.of, "server.host") and each.of != "server.ipc"
    ] == []


@pytest.mark.parametrize("pure", NEVER_AWAIT)
def test_it_never_awaits(pure):
    offenders = []
    for name, tree in MODULES.items():
        if within(name, pure):
            offenders += [
                f"{name}:{node.lineno}"
                for node in ast.walk(tree)
                if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
            ]
            offenders += [where(each) for each in ALL if each.by == name and each.of.split(".")[0] == "asyncio"]
    assert offenders == []


def test_only_pty_and_processes_start_processes_in_the_server():
    offenders = []
    for name, tree in MODULES.items():
        if within(name, "server"):
            calls = {
                node.attr if isinstance(node, ast.Attribute) else node.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute | ast.Name)
            }
            found = sorted(calls & STARTING - REPLACED.get(name, set()))
            found += [each.of for each in ALL if each.by == name and each.of in STARTING_MODULES]
            if found and name not in STARTERS:
                offenders.append((name, found))
    assert offenders == []
    # The rule is alive: the two that may, do.
    for name in STARTERS:
        assert any(isinstance(node, ast.Attribute) and node.attr == "posix_spawn" for node in ast.walk(MODULES[name]))


def test_only_workers_and_the_clients_connection_name_a_web_library():
    offenders = [
        where(each)
        for each in ALL
        if each.of.split(".")[0] in WEB_LIBRARIES and not any(within(each.by, may) for may in MAY_NAME_WEB_LIBRARIES)
    ]
    assert offenders == []


def test_quantiles_are_computed_in_stats_alone():
    """One definition of a percentile: a second one agrees until somebody changes the first."""
    own = re.compile(r"\b(np|numpy)\.(nan)?(quantile|percentile|median)\b|statistics\.quantiles|inverted_cdf")
    offenders = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.parent != SOURCE / "bench" / "stats"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if own.search(line)
    ]
    assert offenders == []


def test_protocol_reads_no_clock_no_file_no_socket_and_draws_nothing():
    banned = {
        "time", "datetime", "os", "io", "socket", "random", "secrets", "asyncio", "threading", "pathlib", "select",
    }  # fmt: skip
    assert [where(each) for each in ALL if within(each.by, "protocol") and each.of.split(".")[0] in banned] == []
    # The server's protocols neither, and of the server they know only each other.
    sans_io = "server.worker.protocols"
    assert [
        where(each) for each in ALL if within(each.by, sans_io) and each.of.split(".")[0] in banned | WEB_LIBRARIES
    ] == []
    assert [
        where(each)
        for each in OURS
        if within(each.by, sans_io) and not any(within(each.of, may) for may in (sans_io, "protocol", "package"))
    ] == []


def test_no_module_imports_itself_by_way_of_others():
    """At module level and inside functions, at run time and for typing: modules of one circle are one module."""
    after = {name: {each.of for each in OURS if each.by == name} for name in MODULES}
    reached: dict[str, set[str]] = {}
    for name in MODULES:
        found: set[str] = set()
        left = [name]
        while left:
            new = after.get(left.pop(), set()) - found
            found |= new
            left += new
        reached[name] = found
    circles = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in MODULES
        if name in reached[name]
    }
    assert sorted(map(sorted, circles)) == []
