"""Benchmarks, terminals and behaviours of others: from files, and from installed packages.

A file or a module declares them in tuples: ``BENCHMARKS``, ``TERMINALS``, ``BEHAVIOURS``. ``docs/extending.md`` has an
example of each. What cannot be used is an error that names file, line and remedy; nothing of it is used then.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from web_terminal_suite.bench import extension_modules
from web_terminal_suite.bench.benchmark import Benchmark
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.load.behaviour import Behaviour
from web_terminal_suite.bench.samples import BenchmarkFacts
from web_terminal_suite.bench.terminals.terminal import Capability, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

GROUP: Final = "web_terminal_suite.extensions"
"""Entry points of this group name a module."""

KINDS: Final = {"BENCHMARKS": Benchmark, "TERMINALS": Terminal, "BEHAVIOURS": Behaviour}
"""The tuples that a module declares, and what is in them; of terminals the classes."""

_BENCHMARK_ID: Final = re.compile(r"[\w.-]+/[\w.-]+")
_BEHAVIOUR_NAME: Final = re.compile(r"[A-Za-z]\w*")


class ExtensionError(OptionsError, ValueError):
    """A file or a package whose declarations cannot be used."""


@dataclass(frozen=True)
class Extensions:
    """Everything that was declared. ``names``: of the files and packages; ``origins``: which one, by benchmark."""

    benchmarks: tuple[Benchmark, ...] = ()
    terminals: tuple[type[Terminal], ...] = ()
    behaviours: tuple[Behaviour, ...] = ()
    names: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


class _Module:
    """A module with declarations, and what an error says of where they are."""

    def __init__(self, module: ModuleType, path: str, label: str) -> None:
        self.module = module
        self.path = path
        self.label = label
        try:
            self._tree = ast.parse(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError):  # a compiled module has no lines
            self._tree = ast.Module([], [])

    def error(self, text: str, *, of: str, kind: str) -> ExtensionError:
        """An error in the line that has the text ``of`` as a value, or else in that of the tuple ``kind``."""
        return ExtensionError(f"{self.path}:{self._line(of) or self._assignment(kind)}: {text}")

    def _line(self, value: str) -> int:
        constants = (node for node in ast.walk(self._tree) if isinstance(node, ast.Constant))
        return next((node.lineno for node in constants if value and node.value == value), 0)

    def _assignment(self, name: str) -> int:
        for node in self._tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(each, ast.Name) and each.id == name for each in targets):
                return node.lineno
        return 1

    def declared(self, kind: str) -> tuple[Any, ...]:
        """What is in the tuple ``kind``.

        Raises:
            ExtensionError: it is no tuple, or has something else in it.
        """
        found = getattr(self.module, kind, ())
        wanted = KINDS[kind]
        what = f"classes of {wanted.__name__}" if wanted is Terminal else f"{wanted.__name__} objects"
        if not isinstance(found, (tuple, list)):
            raise self.error(f"{kind} is {_kind(found)}; make it a tuple of {what}", of="", kind=kind)
        for each in found:
            fits = (
                inspect.isclass(each) and issubclass(each, Terminal) if wanted is Terminal else isinstance(each, wanted)
            )
            if not fits:
                raise self.error(f"{kind} has {_kind(each)} in it; it takes {what} only", of="", kind=kind)
        return tuple(found)


def load_extensions(files: Sequence[Path | str] = ()) -> Extensions:
    """What ``files`` and the installed packages declare.

    Raises:
        ExtensionError
    """
    modules = [_from_file(Path(each)) for each in dict.fromkeys(files)]
    modules += _installed()
    if not modules:
        return Extensions()
    taken = _built_in()
    benchmarks: list[Benchmark] = []
    terminals: list[type[Terminal]] = []
    behaviours: list[Behaviour] = []
    origins: dict[str, str] = {}
    for module in modules:
        if not any(hasattr(module.module, kind) for kind in KINDS):
            raise module.error(f"it declares nothing; assign {', '.join(KINDS)} or one of them", of="", kind="")
        for benchmark in module.declared("BENCHMARKS"):
            _check_benchmark(module, benchmark)
            _claim(module, "BENCHMARKS", "benchmark", benchmark.id, taken)
            benchmarks.append(benchmark)
            origins[benchmark.id] = module.label
        for terminal in module.declared("TERMINALS"):
            _check_terminal(module, terminal)
            _claim(module, "TERMINALS", "terminal", terminal.name, taken)
            terminals.append(terminal)
        for behaviour in module.declared("BEHAVIOURS"):
            _check_behaviour(module, behaviour)
            _claim(module, "BEHAVIOURS", "behaviour", behaviour.name, taken)
            behaviours.append(behaviour)
    names = tuple(module.label for module in modules)
    return Extensions(tuple(benchmarks), tuple(terminals), tuple(behaviours), names, origins)


def _from_file(path: Path) -> _Module:
    try:
        return _Module(extension_modules.load(path), str(path), path.name)
    except (OSError, UnicodeDecodeError) as error:
        if _raised_in(path, error):
            raise _import_error(path, error, "mend it, or leave --extension out") from error
        reason = getattr(error, "strerror", None) or str(error)
        raise ExtensionError(f"{path}: {reason}; name a Python file with --extension") from error
    except (Exception, SystemExit) as error:  # a script that ends the program is no reason to end this one
        raise _import_error(path, error, "mend it, or leave --extension out") from error


def _installed() -> list[_Module]:
    if not _has_entry_points():
        return []
    from importlib.metadata import entry_points

    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        package = point.dist.name if point.dist is not None else point.name
        try:
            module = point.load()
        except (Exception, SystemExit) as error:
            remedy = f"mend it, or uninstall {package}"
            raise _import_error(Path(point.value.replace(".", "/") + ".py"), error, remedy) from error
        if not inspect.ismodule(module):
            raise ExtensionError(
                f"{package}: the entry point {point.name} = {point.value} is {_kind(module)}; name a module"
            )
        found.append(_Module(module, getattr(module, "__file__", None) or point.value, package))
    return found


def _has_entry_points() -> bool:
    """Whether an installed package may have some; ``importlib.metadata`` takes longer to import than this takes."""
    for directory in sys.path:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue
        for name in names:
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            try:
                text = Path(directory, name, "entry_points.txt").read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if f"[{GROUP}]" in text:
                return True
    return False


def _built_in() -> dict[tuple[str, str], str]:
    """By kind and name, where what the suite has itself is declared."""
    from web_terminal_suite.bench.load.metrics import METRICS
    from web_terminal_suite.bench.load.scenario import Role
    from web_terminal_suite.bench.suites.catalogue import CATALOGUE
    from web_terminal_suite.bench.terminals.registry import EVERY, FLOORS, SUBJECTS

    words = {*Role, *(name.partition(".")[0] for name in METRICS), "course"}
    return {
        **{("benchmark", each.id): "the suite" for each in CATALOGUE},
        **{("terminal", each): "the suite" for each in (*SUBJECTS, *FLOORS, EVERY)},
        **{("behaviour", each): "the suite" for each in words},
    }


def _claim(module: _Module, kind: str, what: str, name: str, taken: dict[tuple[str, str], str]) -> None:
    """Note a name, or refuse it because another has it.

    Raises:
        ExtensionError
    """
    if (what, name) in taken:
        text = f"there is a {what} {name!r} already, of {taken[what, name]}; give this one another name"
        raise module.error(text, of=name, kind=kind)
    taken[what, name] = module.path


def _check_benchmark(module: _Module, benchmark: Benchmark) -> None:
    name = str(benchmark.id)
    for problem in _benchmark_problems(benchmark):
        raise module.error(f"benchmark {name!r}: {problem}", of=name, kind="BENCHMARKS")


def _benchmark_problems(benchmark: Benchmark) -> Iterator[str]:
    if not isinstance(benchmark.id, str) or _BENCHMARK_ID.fullmatch(benchmark.id) is None:
        yield "its id must be suite/name, of letters, digits, '_', '-' and '.'"
    yield from _prepare_problems(benchmark.prepare)
    yield from _needs_problems(benchmark.needs)
    for name in ("parameters", "full", "quick"):
        value = getattr(benchmark, name)
        if not (name == "quick" and value is None) and not _are_texts(value):
            yield f"{name} must be a tuple of texts, such as ('10', '100')"
    if not benchmark.parameters:
        yield "parameters is empty; leave it out for a benchmark without any"
    for parameter in (*benchmark.full, *(benchmark.quick or ())):
        if parameter not in benchmark.parameters:
            yield f"{parameter!r} is none of its parameters"
    try:
        msgspec.convert(msgspec.to_builtins(benchmark.facts), BenchmarkFacts)
    except (msgspec.MsgspecError, TypeError, AttributeError) as error:
        yield f"a record cannot hold it: {error}"


def _check_terminal(module: _Module, terminal: type[Terminal]) -> None:
    def refuse(text: str) -> ExtensionError:
        return module.error(f"terminal {terminal.__name__}: {text}", of=getattr(terminal, "name", ""), kind="TERMINALS")

    missing = sorted(getattr(terminal, "__abstractmethods__", ()))
    if missing:
        raise refuse(f"it lacks {', '.join(missing)}; define them")
    if not isinstance(getattr(terminal, "name", None), str) or not terminal.name or "=" in terminal.name:
        raise refuse("its name must be a text without '='; write: name = \"mine\"")
    try:
        made = terminal()
    except (Exception, SystemExit) as error:
        raise refuse(f"it cannot be made without arguments: {type(error).__name__}: {error}") from error
    if made.role != "subject":
        raise refuse("its role must be 'subject'; leave role out")
    for problem in _needs_problems(getattr(made, "capabilities", None), "capabilities"):
        raise refuse(problem)


def _check_behaviour(module: _Module, behaviour: Behaviour) -> None:
    name = str(behaviour.name)
    for problem in _behaviour_problems(behaviour):
        raise module.error(f"behaviour {name!r}: {problem}", of=name, kind="BEHAVIOURS")


def _behaviour_problems(behaviour: Behaviour) -> Iterator[str]:
    if not isinstance(behaviour.name, str) or _BEHAVIOUR_NAME.fullmatch(behaviour.name) is None:
        yield "its name must be letters, digits and '_'"
    if not _are_texts((behaviour.description, behaviour.limitations)):
        yield "description and limitations must be texts"
    yield from _prepare_problems(behaviour.prepare)
    yield from _needs_problems(behaviour.needs)
    if not isinstance(behaviour.every, (int, float)) or not 0 < behaviour.every < float("inf"):
        yield f"every = {behaviour.every!r}; it must be a number of seconds above 0"
    try:
        extension_modules.dumps(behaviour)
    except (Exception, SystemExit) as error:
        yield f"it cannot be sent to a load generator ({error}); prepare must be a function of the module"


def _prepare_problems(prepare: Any) -> Iterator[str]:
    if not callable(prepare):
        yield f"prepare is {_kind(prepare)}; make it a function"
    elif inspect.isasyncgenfunction(prepare) or inspect.iscoroutinefunction(prepare):
        yield "prepare must give a context manager; put @asynccontextmanager above it"


def _needs_problems(needs: Any, field: str = "needs") -> Iterator[str]:
    if not isinstance(needs, (frozenset, set)) or not all(isinstance(each, Capability) for each in needs):
        yield f"{field} must be a frozenset of Capability, such as frozenset({{Capability.SHELL}})"


def _are_texts(values: Any) -> bool:
    return isinstance(values, (tuple, list)) and all(isinstance(each, str) for each in values)


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    return f"{value!r} of type {type(value).__name__}" if _is_short(value) else f"a {type(value).__name__}"


def _is_short(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool)) and len(repr(value)) < 40


def _import_error(path: Path, error: BaseException, remedy: str) -> ExtensionError:
    """The last line of the file that was running, or could not be read."""
    if isinstance(error, SyntaxError) and error.filename:
        return ExtensionError(f"{error.filename}:{error.lineno}: {error.msg}; {remedy}")
    places = _raised_in(path, error)
    place = places[-1] if places else str(path)
    text = " ".join(str(error).split()) or "no message"
    return ExtensionError(f"{place}: {type(error).__name__}: {text}; {remedy}")


def _raised_in(path: Path, error: BaseException) -> list[str]:
    """The lines of the file ``path`` that an error passed, outermost first."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name == str(path.resolve()) or name.endswith(f"/{path}"):
            found.append(f"{name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found


def all_benchmarks(extensions: Extensions, more: Iterable[Benchmark] = ()) -> tuple[Benchmark, ...]:
    """Those of the suite, of ``extensions``, and ``more``."""
    from web_terminal_suite.bench.suites.catalogue import CATALOGUE

    return (*CATALOGUE, *extensions.benchmarks, *more)
