"""Workflows and the action: valid, safe, pinned, and their scripts do what their outputs say.

The scripts run as GitHub runs them (``bash -eo pipefail``, outputs and summary in files), with steps that belong to
GitHub replaced by the outputs that they would give.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import sysconfig
import threading
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from tests.bench.comparisons import measured
from tests.bench.records import MS, run, samples, trial
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.record import Recorder
from web_terminal_suite.bench.report.export import json as report_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
GUIDE = ROOT / "docs" / "ci.md"

# What GitHub sets for every script, of what ours use.
GITHUBS = ("GITHUB_ACTION_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "RUNNER_TEMP")

TOUCH = "$(touch pwned) `touch pwned` \"; touch pwned; '"


def tool(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A program of the development group, wherever the tests were started from."""
    program = BIN / str(words[0])
    assert program.exists(), f"{words[0]} is missing; install it with: pip install --group dev"
    return subprocess.run([program, *words[1:]], cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@cache
def content(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)


def examples() -> list[str]:
    """Whole workflows in the guide."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return [block.replace("@COMMIT", "@" + "0" * 40) for block in blocks if re.search(r"^jobs:$", block, re.MULTILINE)]


# What checkers say


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.github-actions", [ACTION]),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.github-issue-config", [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"]),
    ],
)
def test_files_keep_their_schemas(schema: str, paths: list[Path]) -> None:
    assert paths
    done = tool("check-jsonschema", "--builtin-schema", schema, *paths)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    done = tool("zizmor", "--offline", "--no-progress", "--strict-collection", ACTION, ROOT / ".github")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout


def test_the_guides_examples_are_whole_and_safe(tmp_path: Path) -> None:
    assert examples()
    directory = tmp_path / ".github" / "workflows"
    directory.mkdir(parents=True)
    for number, example in enumerate(examples()):
        (directory / f"{number}.yml").write_text(example)
    done = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *directory.iterdir())
    assert done.returncode == 0, done.stdout + done.stderr
    done = tool("zizmor", "--offline", "--no-progress", "--strict-collection", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def scripts() -> list[Any]:
    """Every script of every file, with the shell that runs it and the names in its environment."""
    found = []
    for path in (ACTION, *WORKFLOWS):
        jobs = [content(path)["runs"]] if path == ACTION else content(path)["jobs"].values()
        for job in jobs:
            for step in job["steps"]:
                if "run" in step:
                    name = f"{path.stem}: {step['name']}"
                    found.append(pytest.param(step["run"], step.get("shell", "bash"), [*step.get("env", {})], id=name))
    return found


@pytest.mark.parametrize(("script", "shell", "names"), scripts())
def test_scripts_are_clean_and_take_nothing_by_substitution(
    script: str, shell: str, names: list[str], tmp_path: Path
) -> None:
    assert "${{" not in script
    file = tmp_path / "script"
    if shell == "python":
        file.write_text(script)
        done = tool("ruff", "check", "--no-cache", "--config", ROOT / "pyproject.toml", file)
    else:
        assert shell == "bash"
        # A name that nobody set is a finding; `read` is the way to set one to something unknown.
        known = " ".join([*GITHUBS, *names])
        file.write_text(f"#!/bin/bash\nset -eo pipefail\nread -r {known}\nexport {known}\n{script}")
        done = tool("shellcheck", "--enable=all", "--exclude=SC2250,SC2312", file)
    assert done.returncode == 0, done.stdout + done.stderr


# Pins and names


def uses() -> list[tuple[str, str]]:
    """File and reference of each action that is used."""
    texts = [(path.name, path.read_text()) for path in (ACTION, *WORKFLOWS)]
    texts += [(f"{GUIDE.name}, example {number}", text) for number, text in enumerate(examples(), 1)]
    return [(name, line) for name, text in texts for line in re.findall(r"^[ -]*uses: (.*)$", text, re.MULTILINE)]


def test_every_action_is_pinned_by_commit_and_says_its_version() -> None:
    pins: dict[str, set[str]] = {}
    for name, reference in uses():
        if reference.startswith("./"):
            continue
        pinned = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([0-9a-f]{40}) # (v\d+(?:\.\d+)*)", reference)
        assert pinned, f"{name}: {reference}"
        pins.setdefault(pinned[1], set()).add(f"{pinned[2]} {pinned[3]}")
    assert pins
    assert {action: pin for action, pin in pins.items() if len(pin) > 1} == {}


def test_inputs_and_outputs_exist_where_they_are_named() -> None:
    action = content(ACTION)
    text = ACTION.read_text()
    assert set(re.findall(r"\binputs\.([\w-]+)", text)) == set(action["inputs"])
    identifiers = [step.get("id") for step in action["runs"]["steps"]]
    for place, step in enumerate(action["runs"]["steps"]):
        named = re.findall(r"\bsteps\.([\w-]+)\.outputs", json.dumps(step))
        assert set(named) <= set(identifiers[:place]), step["name"]
    for name, output in action["outputs"].items():
        (step, key) = re.fullmatch(r"\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}", output["value"]).groups()
        (found,) = [each for each in action["runs"]["steps"] if each.get("id") == step]
        assert "uses" in found or f"{key}=" in found["run"], name


def test_whoever_uses_the_action_names_what_it_has() -> None:
    action = content(ACTION)
    asked = 0
    for path in (*WORKFLOWS, *range(len(examples()))):
        whole = content(path) if isinstance(path, Path) else YAML(typ="safe").load(examples()[path])
        for job in whole["jobs"].values():
            for step in job["steps"]:
                if re.match(r"\./$|OWNER/web-terminal@", step.get("uses", "")):
                    asked += 1
                    assert set(step.get("with", {})) <= set(action["inputs"])
                    named = re.findall(rf"steps\.{step.get('id')}\.outputs\.([\w-]+)", json.dumps(whole))
                    assert set(named) <= set(action["outputs"])
    assert asked >= 3


def test_workflows_may_do_nothing_that_no_job_asked_for() -> None:
    for path in WORKFLOWS:
        workflow = content(path)
        assert workflow["permissions"] == {}, path.name
        assert "concurrency" in workflow, path.name
        for name, job in workflow["jobs"].items():
            assert "write-all" not in str(job.get("permissions")), f"{path.name}: {name}"
            assert "timeout-minutes" in job, f"{path.name}: {name}"


def test_ci_tests_the_versions_of_python_that_the_package_claims() -> None:
    claimed = re.findall(r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    ci = content(ROOT / ".github" / "workflows" / "ci.yml")
    assert ci["jobs"]["test"]["strategy"]["matrix"]["python"] == claimed


# A runner of composite actions


@dataclass
class Job:
    """A job in which the action is used: a workspace, and what its steps gave."""

    directory: Path
    inputs: dict[str, str]
    event: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    said: str = ""

    def __post_init__(self) -> None:
        declared = content(ACTION)["inputs"]
        assert set(self.inputs) <= set(declared)
        self.inputs = {name: self.inputs.get(name, each.get("default", "")) for name, each in declared.items()}
        self.workspace = self.directory / "workspace"
        self.temporary = self.directory / "temporary"
        for each in (self.workspace, self.temporary):
            each.mkdir()
        self.outputs |= {
            "python": {"python-path": sys.executable},
            "install": {"bin": str(installed(self.directory / "bin"))},
            "upload": {"artifact-url": "https://github.test/artifact"},
        }

    @property
    def summary(self) -> str:
        return (self.directory / "summary").read_text()

    def output(self, name: str) -> str:
        """An output of the action."""
        return self._filled(content(ACTION)["outputs"][name]["value"])

    def step(self, name: str) -> int:
        """Run the step of that name and give its status; its outputs are there for the next."""
        (step,) = [each for each in content(ACTION)["runs"]["steps"] if each["name"] == name]
        script = self.directory / "script"
        script.write_text(step["run"])
        output = self.directory / "output"
        output.write_text("")
        shell = {"bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail"), "python": (sys.executable,)}
        done = subprocess.run(
            [*shell[step["shell"]], script], cwd=self.workspace, env=self._environment(step, output),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=240,
        )  # fmt: skip
        self.said = done.stdout
        pairs = (line.partition("=") for line in output.read_text().splitlines())
        self.outputs.setdefault(step.get("id", name), {}).update({key: value for key, _, value in pairs})
        return done.returncode

    def rest(self, first: str = "Validate") -> int:
        """Run the steps from ``first`` to the end, those whose condition holds; the status of the last."""
        steps = [each for each in content(ACTION)["runs"]["steps"] if "run" in each]
        names = [each["name"] for each in steps]
        status = 0
        for step in steps[names.index(first) :]:
            if self.holds(step.get("if", "true")):
                status = self.step(step["name"])
                assert status == 0 or step is steps[-1], self.said
        return status

    def holds(self, condition: str) -> bool:
        """A condition in the part of the language that the action uses: terms that are joined by ``&&``."""
        return all(self._term(each.strip()) for each in condition.removeprefix("${{").removesuffix("}}").split("&&"))

    def _term(self, term: str) -> bool:
        if term in ("true", "!cancelled()"):
            return True
        if compared := re.fullmatch(r"(\S+) ([!=]=) '(.*)'", term):
            return (self._value(compared[1]) == compared[3]) == (compared[2] == "==")
        return bool(self._value(term))

    def _value(self, path: str) -> str:
        kind, *names = path.split(".")
        if kind == "inputs":
            return self.inputs[names[0]]
        if kind == "steps":
            return self.outputs.get(names[0], {}).get(names[2], "")
        assert kind == "github"
        return self.event.get(".".join(names), "")

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: self._value(found[1]), text)

    def _environment(self, step: Mapping[str, Any], output: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.directory / "summary"),
            "GITHUB_REPOSITORY": "owner/repository",
            **self.environment,
            **{name: self._filled(value) for name, value in step.get("env", {}).items()},
        }


def installed(directory: Path) -> Path:
    """Where the installing step would have put our command."""
    paths = os.pathsep.join(filter(None, sys.path))
    return program(directory, f'PYTHONPATH="{paths}" exec "{sys.executable}" -m web_terminal_suite "$@"')


def program(directory: Path, script: str) -> Path:
    """A directory with a ``web-terminal`` that does what ``script`` says."""
    directory.mkdir(exist_ok=True)
    command = directory / "web-terminal"
    command.write_text(f"#!/bin/bash\n{script}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return directory


def record(path: Path, latency: int, count: int = 100) -> Path:
    made = run(trial(samples([latency] * count)))
    report_json.write(path, made, analyse(made))
    return path


# Its steps


def test_a_run_is_measured_validated_and_summed_up(tmp_path: Path) -> None:
    # In-process and without a target: neither the suite's proof of itself nor a verdict hangs on how busy we are here.
    filters = "\n  session_creation/session_lookup_in_process/1$\n\n"
    job = Job(tmp_path, {"filters": filters, "arguments": "--quick\n --seed=7 \n"})
    assert job.step("Measure") == 0, job.said
    assert job.rest() == 0, job.said
    assert job.output("verdict") == "pass"
    assert job.output("exit-code") == "0"
    assert job.output("comparison") == "none"
    assert job.output("record") == "bench-results/run.json"
    written = json.loads((job.workspace / job.output("record")).read_text())
    assert written["seed"] == 7
    assert [each["id"] for each in written["benchmarks"]] == ["session_creation/session_lookup_in_process"]
    assert job.summary.startswith("## web-terminal benchmarks: pass\n")
    assert "session_lookup_in_process" in job.summary
    markdown = (job.workspace / job.output("markdown")).read_text()
    assert markdown in job.summary
    # The HTML report needs its template, which the build makes of the frontend; without it there is a warning instead.
    assert job.output("report") in ("bench-results/report.html", "")


def test_what_cannot_be_run_has_a_verdict_and_a_summary_all_the_same(tmp_path: Path) -> None:
    job = Job(tmp_path, {"filters": "no_such_benchmark"})
    assert job.step("Measure") == 0
    assert "no_such_benchmark" in job.said
    assert job.rest() == 2
    assert (job.output("verdict"), job.output("exit-code"), job.output("record")) == ("usage", "2", "")
    assert "There is no record: `web-terminal bench` ended with 2." in job.summary


def test_inputs_are_data(tmp_path: Path) -> None:
    job = Job(tmp_path, {"filters": TOUCH, "url": TOUCH, "token": TOUCH, "baseline": TOUCH, "directory": f"d {TOUCH}"})
    assert job.step("Measure") == 0
    assert job.rest() == 2
    assert (job.workspace / f"d {TOUCH}").is_dir()
    assert list(tmp_path.rglob("pwned")) == []


def test_a_filter_that_begins_with_a_dash_is_a_filter(tmp_path: Path) -> None:
    job = Job(tmp_path, {"filters": "--list"})
    assert job.step("Measure") == 0
    assert job.outputs["bench"]["exit-code"] == "2"


@pytest.mark.parametrize(
    ("latency", "count", "verdict", "code", "strict", "status"),
    [
        (MS, 100, "pass", "0", "false", 0),
        (200 * MS, 100, "fail", "1", "false", 1),
        (MS, 20, "undecided", "3", "false", 0),
        (MS, 20, "undecided", "3", "true", 3),
    ],
)
def test_the_verdict_is_that_of_the_samples(
    tmp_path: Path, latency: int, count: int, verdict: str, code: str, strict: str, status: int
) -> None:
    job = Job(tmp_path, {"undecided-fails": strict})
    job.outputs["bench"] = {"exit-code": "0", "record": str(record(tmp_path / "run.json", latency, count))}
    assert job.rest() == status
    assert (job.output("verdict"), job.output("exit-code")) == (verdict, code)
    assert f"benchmarks: {verdict}" in job.summary


def test_a_run_that_was_cut_short_is_judged_by_what_it_left(tmp_path: Path) -> None:
    job = Job(tmp_path, {})
    with Recorder(tmp_path / "left", run()) as left:
        left.append(trial(samples([MS] * 100)))
    job.outputs["install"]["bin"] = str(
        program(tmp_path / "dying", f'cp "{tmp_path}/left" bench-results/run.json.trials\nkill -9 $$')
    )
    assert job.step("Measure") == 0, job.said
    assert job.output("record") == "bench-results/run.json.trials"
    job.outputs["install"]["bin"] = str(tmp_path / "bin")
    assert job.rest() == 4
    assert job.output("verdict") == "error"


def test_a_run_that_left_nothing_has_not_succeeded(tmp_path: Path) -> None:
    job = Job(tmp_path, {})
    job.outputs["install"]["bin"] = str(program(tmp_path / "silent", "exit 0"))
    assert job.step("Measure") == 0
    assert job.rest() == 4
    assert job.output("verdict") == "error"


def test_a_record_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    job = Job(tmp_path, {"filters": "no_such_benchmark"})
    (job.workspace / "bench-results").mkdir()
    record(job.workspace / "bench-results" / "run.json", MS)
    assert job.step("Measure") == 0
    assert job.output("record") == ""


@pytest.mark.parametrize(
    ("code", "comparison", "status"),
    [(0, "no loss", 0), (1, "slower", 1), (2, "refused", 0), (3, "undecided", 0), (4, "incomplete", 0)],
)
def test_a_loss_against_the_baseline_fails_the_job(tmp_path: Path, code: int, comparison: str, status: int) -> None:
    """Whatever the comparison says, only a loss fails: not a baseline of another machine."""
    job = Job(tmp_path, {"baseline": str(record(tmp_path / "base.json", MS))})
    job.outputs["bench"] = {"exit-code": "0", "record": str(record(tmp_path / "run.json", MS))}
    both = f'[[ $1 == compare ]] && {{ echo "compared ${{@:2}}"; exit {code}; }}\nexec {tmp_path}/bin/web-terminal "$@"'
    job.outputs["install"]["bin"] = str(program(tmp_path / "comparing", both))
    assert job.rest() == status
    assert job.output("comparison") == comparison
    assert f"compared -- {tmp_path}/base.json {tmp_path}/run.json" in job.summary


@pytest.mark.parametrize(
    ("scale", "kernel", "noise", "comparison", "status"),
    [
        (1.0, "6", 0.1, "undecided", 0),
        # Noise within which two runs of one distribution are surely equal.
        (1.0, "6", 20, "no loss", 0),
        (90.0, "6", 0.1, "slower", 1),
        (90.0, "7", 0.1, "refused", 0),
    ],
)
def test_the_comparison_is_that_of_the_samples(
    tmp_path: Path, scale: float, kernel: str, noise: float, comparison: str, status: int
) -> None:
    job = Job(tmp_path, {"baseline": "base.json"})
    both = {"base.json": measured(n=400, kernel="6"), "run.json": measured(scale, seed=2, n=400, kernel=kernel)}
    for name, made in both.items():
        report_json.write(job.workspace / name, made, analyse(made))
    job.outputs["bench"] = {"exit-code": "0", "record": "run.json"}
    job.outputs["install"]["bin"] = str(
        program(
            tmp_path / "comparing", f'exec {tmp_path}/bin/web-terminal compare --noise-threshold={noise} "${{@:2}}"'
        )
    )
    assert job.step("Compare with the baseline") == 0, job.said
    assert job.output("comparison") == comparison, job.said
    job.outputs["validate"] = {"exit-code": "0", "verdict": "pass"}
    assert job.rest("Write the report") == status
    assert f"baseline: {comparison}." in job.summary


def test_without_a_baseline_nothing_is_compared(tmp_path: Path) -> None:
    job = Job(tmp_path, {"baseline": "baseline/run.json"})
    job.outputs["bench"] = {"exit-code": "0", "record": str(record(tmp_path / "run.json", MS))}
    assert job.step("Compare with the baseline") == 0
    assert "::notice title=No baseline::there is no baseline/run.json" in job.said
    assert job.output("comparison") == "none"


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("inputs", "is_own", "expected"),
    [
        ({}, True, COMMIT),
        ({}, False, ""),
        ({"against": "none"}, True, ""),
        ({"against": "v0.1.0"}, False, "v0.1.0"),
        ({"baseline": "base.json"}, True, ""),
        ({"url": "http://127.0.0.1:1/"}, True, ""),
        ({"against": f"main\nrecord={TOUCH}"}, True, "main"),
    ],
)
def test_a_pull_request_is_compared_with_its_base(
    tmp_path: Path, inputs: dict[str, str], is_own: bool, expected: str
) -> None:
    git = "#!/bin/bash\n[[ $1 == fetch ]] && echo fetched\n[[ $1 != cat-file ]]\n"
    job = Job(tmp_path, inputs, event={"event.pull_request.base.sha": COMMIT})
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "git").write_text(git)
    (tmp_path / "programs" / "git").chmod(0o755)
    (tmp_path / "elsewhere").mkdir()
    # The two steps are of the action's own repository if that is what the job works in.
    action = job.workspace if is_own else tmp_path / "elsewhere"
    job.environment |= {
        "PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}", "GITHUB_ACTION_PATH": str(action),
    }  # fmt: skip
    assert job.step("Find what to compare with") == 0, job.said
    assert job.outputs["base"] == {"against": expected}
    assert ("fetched" in job.said) == (expected == COMMIT)


def test_the_base_is_handed_to_the_measurement_and_its_record_compared_alone(tmp_path: Path) -> None:
    job = Job(tmp_path, {"baseline": "base.json"})
    job.outputs |= {"base": {"against": "main"}}
    job.outputs["install"]["bin"] = str(program(tmp_path / "saying", 'echo "asked $*"; exit 1'))
    assert job.step("Measure") == 0
    assert "asked bench --against main --json bench-results/run.json" in job.said
    job.outputs["bench"] = {"exit-code": "1", "record": "run.json"}
    assert job.step("Compare with the baseline") == 0
    assert "asked compare -- run.json" in job.said
    assert job.output("comparison") == "slower"


def test_a_long_report_is_cut_to_what_github_takes(tmp_path: Path) -> None:
    job = Job(tmp_path, {})
    (tmp_path / "long.md").write_text("a line\n" * 200_000)
    job.outputs |= {"report": {"markdown": str(tmp_path / "long.md")}, "validate": {"verdict": "pass"}}
    job.outputs["compare"] = {"comparison": "none"}
    assert job.step("Write the summary") == 0, job.said
    assert len(job.summary) == 1_000_000


def test_the_suite_is_installed_from_the_actions_own_checkout(tmp_path: Path) -> None:
    """Its dependencies are lent by this Python, and the page is left out: both take a minute, and are tested apart."""
    lent = os.pathsep.join(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))
    job = Job(tmp_path, {}, environment={"WEB_TERMINAL_SKIP_PAGE": "1", "PYTHONPATH": lent})
    job.environment |= {"PIP_NO_INDEX": "1"}
    assert job.step("Install the suite") == 0, job.said
    command = Path(job.outputs["install"]["bin"], "web-terminal")
    assert command.is_relative_to(job.temporary)
    assert re.search(r"^web-terminal \d", job.said, re.MULTILINE)


# The baseline of main


def workflow_step(name: str, directory: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Outputs of a script of benchmark.yml, run as GitHub runs one that names no shell (``bash -e``)."""
    job = content(ROOT / ".github" / "workflows" / "benchmark.yml")["jobs"]["benchmark"]
    (step,) = [each for each in job["steps"] if each.get("name") == name]
    output = directory / "output"
    output.write_text("")
    environment = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(output), **environment}
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=directory, env=environment, check=True, timeout=60)
    pairs = (line.partition("=") for line in output.read_text().splitlines())
    return {key: value for key, _, value in pairs}


def test_one_kind_of_machine_has_one_name(tmp_path: Path) -> None:
    first, second = (workflow_step("Name this kind of machine", tmp_path, {}) for _ in range(2))
    assert first == second
    assert re.fullmatch(r"[0-9a-f]{16}", first["kind"])


@pytest.mark.parametrize(
    ("verdict", "taken"), [("pass", True), ("fail", True), ("undecided", True), ("error", False), ("usage", False)]
)
def test_a_run_that_failed_is_no_baseline(tmp_path: Path, verdict: str, taken: bool) -> None:
    (tmp_path / "run.json").write_text("{}")
    given = {"VERDICT": verdict, "RECORD": "run.json"}
    assert workflow_step("Take the run as the next baseline", tmp_path, given) == ({"taken": "true"} if taken else {})
    assert (tmp_path / "baseline" / "run.json").exists() is taken


# The comment


@dataclass
class GitHub:
    """Stands in for GitHub's interface: comments of one issue, and a status to refuse with."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    refusal: int = 0
    asked: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def answer(self, method: str, path: str, sent: Any) -> Any:
        self.asked.append(f"{method} {path}")
        if method == "GET":
            page = int(re.search(r"[?&]page=(\d+)", path)[1])
            return self.comments[100 * (page - 1) : 100 * page]
        if method == "PATCH":
            (comment,) = [each for each in self.comments if str(each["id"]) == path.rpartition("/")[2]]
            comment.update(sent)
            return comment
        self.comments.append({"id": len(self.comments) + 1, "user": {"type": "Bot"}, **sent})
        return self.comments[-1]


@pytest.fixture
def github() -> Iterator[GitHub]:
    api = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(length)) if length else None
            api.tokens.add(self.headers["Authorization"])
            refused = api.refusal and self.command != "GET"
            body = b"{}" if refused else json.dumps(api.answer(self.command, self.path, sent)).encode()
            self.send_response(api.refusal if refused else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = handle_any

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def commenting(directory: Path, github: GitHub, text: str = "## verdict: pass\n") -> Job:
    (directory / "summary.md").write_text(text)
    inputs = {"comment": "true", "github-token": "secret-of-the-job"}
    job = Job(directory, inputs, {"event.pull_request.number": "12"}, {"GITHUB_API_URL": github.url})
    job.outputs["summary"] = {"file": str(directory / "summary.md")}
    return job


def test_a_pull_request_gets_one_comment_that_each_run_renews(tmp_path: Path, github: GitHub) -> None:
    stranger = {"id": 1, "user": {"type": "User"}, "body": "<!-- web-terminal benchmarks: web-terminal-bench -->\nhi"}
    github.comments += [stranger, *({"id": 2, "user": {"type": "User"}, "body": "x"} for _ in range(120))]
    before = len(github.comments)
    job = commenting(tmp_path, github)
    assert job.step("Comment on the pull request") == 0, job.said
    assert len(github.comments) == before + 1
    (tmp_path / "summary.md").write_text("## verdict: fail\n")
    assert job.step("Comment on the pull request") == 0, job.said
    assert len(github.comments) == before + 1
    assert "verdict: fail" in github.comments[-1]["body"]
    assert "https://github.test/artifact" in github.comments[-1]["body"]
    assert github.comments[0]["body"].endswith("\nhi")
    assert github.tokens == {"Bearer secret-of-the-job"}
    assert "secret-of-the-job" not in job.said


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_token_that_may_not_comment_fails_nothing(tmp_path: Path, github: GitHub, status: int) -> None:
    github.refusal = status
    job = commenting(tmp_path, github)
    assert job.step("Comment on the pull request") == 0, job.said
    assert f"::notice title=No comment::GitHub answered {status}" in job.said


def test_a_github_that_is_not_there_fails_nothing(tmp_path: Path, github: GitHub) -> None:
    job = commenting(tmp_path, github)
    job.environment["GITHUB_API_URL"] = "http://127.0.0.1:1"
    assert job.step("Comment on the pull request") == 0, job.said
    assert "::warning title=No comment::" in job.said


def test_a_long_report_is_cut_to_what_a_comment_takes(tmp_path: Path, github: GitHub) -> None:
    job = commenting(tmp_path, github, "é line\n" * 20_000)
    assert job.step("Comment on the pull request") == 0, job.said
    assert len(github.comments[0]["body"]) < 65_536
    assert "the job's summary has the rest" in github.comments[0]["body"]


@pytest.mark.parametrize(
    ("wanted", "event", "there"),
    [
        ("true", {"event.pull_request.number": "12"}, True),
        ("false", {"event.pull_request.number": "12"}, False),
        ("true", {}, False),
    ],
)
def test_only_pull_requests_are_commented_on_and_only_if_asked(
    tmp_path: Path, wanted: str, event: dict[str, str], there: bool
) -> None:
    (step,) = [each for each in content(ACTION)["runs"]["steps"] if each.get("id") == "comment"]
    assert Job(tmp_path, {"comment": wanted}, event).holds(step["if"]) is there
