"""The mutants of `make mutate`, and the list of those that no test can kill."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING, cast

import coverage
import pytest

from tools.mutate.__main__ import EXPLAINED, PACKAGE, PAGE, explained, select
from tools.mutate.mutants import Module, key_of, modules
from tools.mutate.recording import Recording
from tools.mutate.report import survivors, table
from tools.mutate.trials import Trial, Trials

if TYPE_CHECKING:
    from pathlib import Path


def module(folder: Path, source: str) -> Module:
    """Write a module and return it."""
    path = folder / "example.py"
    path.write_text(textwrap.dedent(source))
    return Module(path, "cloud/example.py")


@pytest.mark.parametrize(
    ("statement", "changes"),
    [
        ("return a < b", {"return a < b -> return None", "a < b -> a <= b"}),
        ("if a == b: f()", {"if a == b -> if False", "if a == b -> if True"}),
        ("if a < b: f()", {"if a < b -> if False", "if a < b -> if True", "a < b -> a <= b"}),
        ("x = a and b", {"a and b -> a", "a and b -> b"}),
        ("x = not a", {"not a -> a"}),
        ("x = 1", {"1 -> 2"}),
        ("x = True", {"True -> False"}),
        ("x = 'ACTIVE'", {"'ACTIVE' -> 'ACTIVEXX'"}),
        ("x = a.strip('.')", {"'.' -> 'XX'"}),
        ("x = 'no flavor'", set()),
        ("x = a + b", {"a + b -> a - b"}),
        ("x = A | B", {"A | B -> A", "A | B -> B"}),
        ("f(a, key=b)", {"f(a, key=b) -> pass", "f(a, key=b) -> f(a)"}),
        ("a.b = c", {"a.b = c -> pass"}),
        ("x = [a for a in b if c]", {"for a in b if c -> for a in b"}),
        (
            "try: x = a\n    except (A, B): x = b",
            {"except (A, B) -> except …: raise", "except (A, B) -> except (B,)", "except (A, B) -> except (A,)"},
        ),
    ],
)
def test_changes_of_statement(tmp_path: Path, statement: str, changes: set[str]) -> None:
    """Each kind of statement and expression is changed in the ways that the documentation lists."""
    example = module(tmp_path, f"def f(a, b):\n    {statement}\n")
    assert {" ".join(mutant.change.split()) for mutant in example.mutants} == changes


def test_mutant_is_active_in_method_that_calls_super(tmp_path: Path) -> None:
    """The code of a method can be exchanged although the mutant no longer refers to the class of the method."""
    example = module(
        tmp_path,
        """
        class Base:
            def value(self):
                return 1

        class Derived(Base):
            def value(self):
                return super().value()
        """,
    )
    names: dict[str, type] = {}
    exec(compile(example.path.read_text(), str(example.path), "exec"), names)  # noqa: S102
    mutant = next(each for each in example.mutants if each.change == "return super().value() -> return None")
    derived = names["Derived"]
    function = vars(derived)["value"]
    function.__code__ = example.codes(mutant)[key_of(function.__code__)][1]
    assert derived().value() is None
    assert names["Base"]().value() == 1


def test_getter_and_setter_of_a_property_are_two_functions(tmp_path: Path) -> None:
    """They have one name in the source, and each has mutants and lines of its own."""
    getter = "    @property\n    def x(self):\n        return 1\n"
    text = f"class A:\n{getter}    @x.setter\n    def x(self, y):\n        f(y)\n"
    example = module(tmp_path, text)
    assert list(example.functions) == ["A.x", "A.x.setter"]
    assert {mutant.function for mutant in example.mutants} == {"A.x", "A.x.setter"}


def test_tree_is_unchanged_after_its_mutants(tmp_path: Path) -> None:
    """Every change is taken back before the next one."""
    example = module(tmp_path, "def f(a):\n    if a and not f(a, b=1):\n        return a + 1\n    raise a\n")
    assert [each.change for each in example.mutants] == [each.change for each in Module(example.path, "x").mutants]
    original = {code for code, _ in example.codes(example.mutants[0]).values()}
    assert original == {code for code, _ in example.codes(example.mutants[-1]).values()}


def test_functions_that_create_or_delete_are_tried_in_full(tmp_path: Path) -> None:
    """All mutants of such a function are selected, and a share of the others that depends on the seed only."""
    others = "\n".join(f"def other{number}(a):\n    return a" for number in range(10))
    example = module(tmp_path, f"def delete_port(a):\n    return a\ndef g(a):\n    return a.create(1)\n{others}\n")
    selected = select(example, 1.0, 0.2, 1)
    assert [each.function for each in selected if each.important] == ["delete_port", "g", "g"]
    assert len(selected) == 3 + 2
    assert set(selected) < set(select(example, 1.0, 0.5, 1))
    assert [each.function for each in select(example, 0.4, 0.0, 1)] in (["delete_port", "g"], ["g", "g"])


@pytest.fixture
def trials(tmp_path: Path) -> Trials:
    """A runner without tests of its own, whose recording has tests of two folders that reach a function."""
    runner = object.__new__(Trials)
    runner._folder = tmp_path
    runner._functions = {}
    example = module(tmp_path, "def detach(a):\n    f(a)\n    return a\n")
    runner._modules = {example.name: example}
    seconds = {
        "tests/unit/test_a.py::test_quick[1]": 0.1,
        "tests/unit/test_a.py::test_quick[2]": 0.2,
        "tests/unit/test_a.py::test_slow": 3.0,
        "tests/unit/test_b.py::test_detach": 0.5,
        "tests/fields/test_c.py::test_field": 0.1,
        "tests/fields/test_c.py::test_elsewhere": 0.1,
    }
    runner._recording = Recording(
        seconds=seconds,
        tests=list(seconds),
        reached={example.name: {"detach": {"1": "1f"}}},
        versions={example.name: {"detach": example.functions["detach"][2]}},
    )
    runner._items = dict.fromkeys(seconds, cast("pytest.Item", None))
    return runner


def test_tests_of_a_mutant(trials: Trials) -> None:
    """Tests that reach the line run: one of each function before another, those with a similar name first."""
    first, second = trials._modules["cloud/example.py"].mutants
    unit, fields = trials.tests_of(first, 1.0)
    assert [test.partition("::")[2] for test in unit] == ["test_detach", "test_quick[1]", "test_quick[2]"]
    assert fields == ["tests/fields/test_c.py::test_field"]
    # No test reaches the second line.
    assert trials.tests_of(second, 1.0) == []
    assert trials.attempt(second, []).outcome == "uncovered"
    trials._recording.seconds = {"tests/unit/test_a.py::test_slow": 3.0}
    assert trials.tests_of(first, 1.0) == [["tests/unit/test_a.py::test_slow"]]


def test_changed_function_is_tried_with_all_its_tests(trials: Trials, tmp_path: Path) -> None:
    """The lines of a function that has changed since the recording are not comparable."""
    changed = module(tmp_path, "def detach(a):\n    g(a)\n    return a\n")
    trials._modules = {changed.name: changed}
    assert [len(group) for group in trials.tests_of(changed.mutants[-1], 1.0)] == [3, 1]


def test_recording_keeps_the_tests_of_other_files_of_a_changed_function(tmp_path: Path) -> None:
    """A recording of one file leaves what other tests reach; of a changed function, any line may be theirs."""
    kept, new = "tests/unit/test_a.py::test_kept", "tests/unit/test_b.py::test_new"
    example = module(tmp_path, "def detach(a):\n    f(a)\n    return a\n")
    recording = Recording(
        seconds={kept: 1.0},
        tests=[kept],
        reached={example.name: {"detach": {"1": "1"}}},
        versions={example.name: {"detach": "as it was"}},
    )
    data = tmp_path / "data"
    measured = coverage.CoverageData(basename=str(data))
    measured.set_context(new)
    measured.add_lines({str(example.path): [2, 3]})
    measured.write()
    recording.add("tests/unit/test_b.py", "1", {new: 1.0}, data, {example.name: example})
    assert recording.reached[example.name]["detach"] == {"0": "1", "1": "3", "2": "3"}


@pytest.mark.parametrize(
    ("outcomes", "outcome", "count"),
    [([True, True, True], "survived", 4), ([True, False, True], "killed", 2), ([True, None], "timeout", 1)],
)
def test_outcome_of_a_mutant(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, outcomes: list[bool | None], outcome: str, count: int
) -> None:
    """A mutant is killed by a test that fails, or that does not end."""
    remaining = list(outcomes)
    monkeypatch.setattr("tools.mutate.trials._STALL_SECONDS", 0.2)

    def passes(_test: str, _following: str | None) -> bool:
        passed = remaining.pop(0)
        while passed is None:
            time.sleep(1)
        return passed

    monkeypatch.setattr(trials, "_passes", passes)
    trials._recording.seconds = dict.fromkeys(trials._recording.seconds, 0.01)
    mutant = trials._modules["cloud/example.py"].mutants[0]
    trial = trials.attempt(mutant, trials.tests_of(mutant, 0.035))
    assert (trial.outcome, trial.tests) == (outcome, count)


def test_fork_that_spins_ends(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU time of each test is limited."""
    monkeypatch.setattr("tools.mutate.trials._MIN_CPU_SECONDS", 1)

    def passes(_test: str, _following: str | None) -> bool:
        while True:
            pass

    monkeypatch.setattr(trials, "_passes", passes)
    trials._recording.seconds = dict.fromkeys(trials._recording.seconds, 0.01)
    assert trials.attempt(None, [list(trials._items)[:1]]).outcome == "timeout"


def test_explained_mutants_exist() -> None:
    """Each entry of the list is a mutant of the code, and has a reason."""
    known = {mutant.name for each in modules(PACKAGE) for mutant in each.mutants}
    assert sorted(explained().keys() - known) == [], EXPLAINED
    assert all(explained().values())


def test_table_counts_outcomes(tmp_path: Path) -> None:
    """A timeout counts as killed, an explained mutant not at all, and one that no test reaches as survived."""
    example = module(tmp_path, "def delete(a, b):\n    f(a)\n    g(b)\n    h(a)\n    i(a)\n    j(a)\n")
    outcomes = ["killed", "timeout", "survived", "uncovered"]
    trials = {each.name: Trial(outcome) for each, outcome in zip(example.mutants, outcomes, strict=False)}
    known = {example.mutants[4].name}
    assert "| 5 | 5 | 1 | 1 | 2 | 1 | 50 % |" in table([example], example.mutants, trials, known)
    assert "**50.0 % ± 0.0**" in table([example], example.mutants, trials, known)
    assert survivors(example.mutants, trials, known).splitlines() == [
        "! survived: line 4, cloud/example.py delete: h(a) -> pass",
        "! uncovered: line 5, cloud/example.py delete: i(a) -> pass",
    ]


def test_page_has_a_place_for_the_table() -> None:
    """`--page` replaces the table of the page."""
    assert "<!-- measured: mutants -->" in PAGE.read_text()
