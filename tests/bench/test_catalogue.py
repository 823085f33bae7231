"""The catalogue of benchmarks, and ``docs/benchmarks.md``, which describes each of them."""

from __future__ import annotations

import pathlib
import re

import pytest

from web_terminal_suite.bench.browser.catalogue import BENCHMARKS
from web_terminal_suite.bench.suites import catalogue

CATALOGUE = (*catalogue.CATALOGUE, *BENCHMARKS)
DOCS = pathlib.Path(__file__).parents[2] / "docs" / "benchmarks.md"
IDS = [benchmark.id for benchmark in CATALOGUE]


def described() -> dict[str, str]:
    """By id, the item of each benchmark: ``* **`name`** ...`` below the heading of its suite."""
    (section,) = re.findall(r"^## Benchmarks by suite\n(.*?)^## ", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    suites = re.split(r"^### `(\w+)`\n", section, flags=re.MULTILINE)[1:]
    found = {}
    for suite, text in zip(suites[::2], suites[1::2], strict=True):
        for name, item in re.findall(r"^\* \*\*`(\w+)`\*\*(.*?)(?=^\S|^\n)", text, re.MULTILINE | re.DOTALL):
            found[f"{suite}/{name}"] = " ".join(item.split())
    return found


def test_the_documentation_describes_the_benchmarks_that_there_are():
    assert sorted(described()) == sorted(IDS)


@pytest.mark.parametrize("benchmark", CATALOGUE, ids=IDS)
def test_the_documentation_of_a_benchmark_is_complete(benchmark):
    """It names the numbers that are parameters, marks a component, and says what the figures do not show."""
    item = described()[benchmark.id]
    for parameter in filter(str.isdecimal, benchmark.parameters):
        assert re.search(rf"\b({parameter}|{int(parameter):,})\b", item), parameter
    assert ("*C*" in item) == benchmark.component
    assert "*Does not show:*" in item


def test_ids_are_unique_and_name_a_suite():
    assert len(set(IDS)) == len(IDS)
    assert all(re.fullmatch(r"\w+/\w+", id) for id in IDS)


@pytest.mark.parametrize("benchmark", CATALOGUE, ids=IDS)
def test_every_benchmark_says_what_it_shows_and_what_not(benchmark):
    assert benchmark.description.endswith(".")
    assert benchmark.limitations.endswith(".")
    assert benchmark.component == ("Component, in this process" in benchmark.description)
    assert benchmark.floor in ("", "null-server", *IDS)


@pytest.mark.parametrize("benchmark", CATALOGUE, ids=IDS)
def test_what_is_said_of_parameters_is_said_of_those_that_there_are(benchmark):
    parameters = set(benchmark.parameters)
    assert len(parameters) == len(benchmark.parameters)
    assert set(benchmark.elements) <= parameters
    assert set(benchmark.full) <= parameters
    assert set(benchmark.one_block) <= parameters
    assert set(benchmark.quick or ()) <= parameters - set(benchmark.full)
    for metric in benchmark.metrics:
        assert {*metric.targets, *metric.floor_targets} <= {"*", *parameters}


def test_a_benchmark_is_kept_in_a_record_as_it_was_declared():
    for benchmark in CATALOGUE:
        facts = benchmark.facts
        assert (facts.id, facts.description, facts.limitations) == (
            benchmark.id, benchmark.description, benchmark.limitations,
        )  # fmt: skip
        assert facts.needs == (() if benchmark.is_floor else tuple(sorted(benchmark.needs)))
