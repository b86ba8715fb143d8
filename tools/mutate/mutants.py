"""The mutants of a module: each changes one expression or statement of one function.

Mutants are built from the syntax tree and keep the positions of the source, so that coverage, the stack frames that the
provider reads, and tracebacks are those of the original.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Function = ast.FunctionDef | ast.AsyncFunctionDef
    Path_ = tuple[str | int, ...]

PARTS = ("dynamic", "cloud", "resources")
"""The parts of the package that are mutated."""
_IMPORTANT = re.compile(
    r"(^|_)((re)?creat|delet|detach|remov|retr[iy]|replac|resum|taint|transient|repeat|lost|orphan|may_have_taken)"
    r"|(^|_)(diff|busy|once|effect)(_|$)"
)
_HARMLESS_CALLS = {"replace", "remove", "removeprefix", "removesuffix", "created"}
"""Methods of texts, lists and records, whose names say nothing about the cloud."""
_UNCHANGED_FIELDS = {"annotation", "returns", "decorator_list", "ctx", "type_params", "format_spec"}
_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change of one function.

    Attributes:
        module: The path of the module below `ecs_pulumi`, such as `cloud/polling.py`.
        function: The qualified name of the function or method; a nested function belongs to the outer one.
        change: The original and the changed code.
        line: The line of the change.
        lines: The lines of the changed code.
        statement: The lines of the statement that contains it; of a compound statement, those of its head.
        number: The position among the mutants of the module.
        important: Whether the function creates, deletes, retries or decides on a replacement.
    """

    module: str
    function: str
    change: str
    line: int
    lines: range
    statement: range
    number: int
    important: bool

    @property
    def name(self) -> str:
        """The mutant in one line, independent of its position in the module."""
        return f"{self.module} {self.function}: {self.change}"


class Module:
    """A module and its mutants.

    Args:
        path: The source file.
        name: The name of the module in the mutants.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._source = path.read_text()
        self._tree = ast.parse(self._source)

    @cached_property
    def mutants(self) -> list[Mutant]:
        """All mutants, in the order of the source."""
        counts: Counter[str] = Counter()
        created = []
        statements = {key_of(each): sorted(_statements(each), key=len) for _, each in _functions(self._tree, "")}
        important = {key_of(each): _is_important(self.name, name, each) for name, each in _functions(self._tree, "")}
        for number, (name, function, original, changed) in enumerate(self._changes()):
            change = _describe(original, changed)
            counts[f"{name}: {change}"] += 1
            if (count := counts[f"{name}: {change}"]) > 1:
                change += f" (no. {count})"
            placed = next(each for each in (*_placed(original), function) if each.lineno)
            statement = next((each for each in statements[key_of(function)] if placed.lineno in each), None)
            # Of a statement that is left out, its beginning shows which tests reach it.
            end = (placed.end_lineno or placed.lineno) if isinstance(original, ast.expr) else placed.lineno
            lines = range(placed.lineno, end + 1)
            is_important = important[key_of(function)]
            created.append(
                Mutant(self.name, name, change, placed.lineno, lines, statement or lines, number, is_important)
            )
        return created

    @cached_property
    def functions(self) -> dict[str, tuple[int, int, str]]:
        """The first and the last line of each function, and a fingerprint of its text, by its name."""
        lines = self._source.splitlines()
        found = {}
        for name, function in _functions(self._tree, ""):
            start, end = key_of(function)[1], function.end_lineno or function.lineno
            found[name] = start, end, hashlib.sha256("\n".join(lines[start - 1 : end]).encode()).hexdigest()[:16]
        return found

    def codes(self, mutant: Mutant) -> dict[tuple[str, int], tuple[CodeType, CodeType]]:
        """Return the original and the changed code of the function and of those nested in it, by `key`."""
        original = dict(_codes(compile(self._tree, str(self.path), "exec")))
        for number, (_, function, _, _) in enumerate(self._changes()):
            if number == mutant.number:
                outer = original[key_of(function)]
                changed = dict(_codes(compile(self._tree, str(self.path), "exec")))[key_of(function)]
                if changed.co_freevars != outer.co_freevars:
                    changed = self._with_variables(function, outer)
                keys = dict(_codes(changed)), dict(_codes(outer))
                pairs = {key: (code, keys[0][key]) for key, code in keys[1].items() if key in keys[0]}
                return {key_of(function): (outer, changed), **pairs}
        raise LookupError(mutant.name)

    def _with_variables(self, function: Function, original: CodeType) -> CodeType:
        """Compile the function with an unused lambda that refers to the variables of the outer scopes."""
        names: list[ast.expr] = [ast.Name(name, ast.Load()) for name in original.co_freevars]
        arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        unused = ast.Expr(ast.Lambda(arguments, ast.Tuple(names, ast.Load())))
        function.body.append(ast.fix_missing_locations(ast.copy_location(unused, function.body[-1])))
        try:
            return dict(_codes(compile(self._tree, str(self.path), "exec")))[key_of(function)]
        finally:
            function.body.pop()

    def _changes(self) -> Iterator[tuple[str, Function, ast.AST, ast.AST]]:
        """Make each change in the tree, yield it, and take it back.

        Yields:
            The name of the function, the function, and the original and the changed node.
        """
        for name, function in _functions(self._tree, ""):
            body = function.body
            start = 1 if ast.get_docstring(function, clean=False) is not None else 0
            for index in range(start, len(body)):
                for original, changed in _visit(body[index], _setter(body, index), function):
                    yield name, function, original, changed


def modules(package: Path) -> list[Module]:
    """Return the modules that are mutated."""
    files = [path for part in PARTS for path in sorted((package / part).rglob("*.py"))]
    return [Module(path, str(path.relative_to(package))) for path in files]


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            # The setter of a property has the name of its getter.
            is_setter = any(isinstance(each, ast.Attribute) and each.attr == "setter" for each in child.decorator_list)
            yield f"{prefix}{child.name}{'.setter' * is_setter}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")


def key_of(function: Function | CodeType) -> tuple[str, int]:
    """Return the name and the first line of a function."""
    if isinstance(function, CodeType):
        return function.co_name, function.co_firstlineno
    return function.name, min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _placed(node: ast.AST) -> Iterator[ast.expr | ast.stmt | ast.ExceptHandler]:
    """Yield the parts of a node that have a position in the source."""
    return (each for each in ast.walk(node) if isinstance(each, ast.expr | ast.stmt | ast.ExceptHandler))


def _statements(function: Function) -> Iterator[range]:
    for node in ast.walk(function):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            yield range(node.lineno, max(end, node.lineno) + 1)


def _codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield key_of(constant), constant
            yield from _codes(constant)


def _is_important(module: str, name: str, function: Function) -> bool:
    """Whether the module, the function or a function that it calls is named after a create, a delete and so on."""
    words = [*re.split(r"[/.]", module.removesuffix(".py")), *name.split(".")[-1:]]
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            words += [called] if called not in _HARMLESS_CALLS else []
    return any(_IMPORTANT.search(word) for word in words)


def _describe(original: ast.AST, changed: ast.AST) -> str:
    """Describe the change in one line; of a compound statement, the first line is enough."""
    if isinstance(changed, ast.If) and changed.body == [original]:
        return f"{_shorten(original)} -> pass"
    if isinstance(original, ast.ExceptHandler) and isinstance(changed, ast.ExceptHandler):
        same = original.type is changed.type
        return f"{_shorten(original)} -> {'except …: raise' if same else _shorten(changed)}"
    return f"{_shorten(original)} -> {_shorten(changed)}"


def _shorten(node: ast.AST) -> str:
    text = ast.unparse(node)
    if isinstance(node, ast.If | ast.While | ast.For | ast.ExceptHandler):
        text = text.partition(":\n")[0]
    text = " ".join(text.split())
    return text if len(text) <= 100 else f"{text[:70]}…{text[-28:]}"  # noqa: PLR2004  (one line of a table)


def _setter(container: object, place: str | int) -> Callable[[ast.AST], None]:
    def put(node: ast.AST) -> None:
        if isinstance(container, list) and isinstance(place, int):
            container[place] = node
        else:
            setattr(container, str(place), node)

    return put


def _visit(node: ast.AST, put: Callable[[ast.AST], None], parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Make each change of the node and of its children; `put` replaces the node."""
    for changed in () if _is_redundant(node, parent) else _variants(node):
        for each in ast.walk(changed):
            if isinstance(each, ast.expr | ast.stmt | ast.ExceptHandler) and not hasattr(each, "lineno"):
                ast.copy_location(each, node)
        put(changed)
        try:
            yield node, changed
        finally:
            put(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    for name, value in ast.iter_fields(node):
        if name in _UNCHANGED_FIELDS:
            continue
        if isinstance(value, list):
            for index, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield from _visit(child, _setter(value, index), node)
        elif isinstance(value, ast.AST):
            yield from _visit(value, _setter(node, name), node)


def _is_redundant(node: ast.AST, parent: ast.AST) -> bool:
    """Whether a test that kills the mutants of the parent kills those of the node."""
    if isinstance(parent, ast.If | ast.IfExp) and node is parent.test:
        # The parent is changed to both outcomes of its condition.
        return not isinstance(node, ast.BoolOp) and not (
            isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
        )
    # A condition that is never met leaves out the only statement.
    return (
        isinstance(parent, ast.If) and parent.body == [node] and not parent.orelse and not isinstance(node, ast.Return)
    )


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _without(items: list[ast.AST], index: int) -> list[ast.AST]:
    return [*items[:index], *items[index + 1 :]]


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the changed forms of one node."""
    for kinds, variants in _RULES:
        if isinstance(node, kinds):
            yield from variants(node)


def _of_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for index, operator in enumerate(node.ops):
        yield _with(node, ops=[*node.ops[:index], _SWAPPED[type(operator)](), *node.ops[index + 1 :]])


def _of_boolean_operation(node: ast.BoolOp) -> Iterator[ast.AST]:
    for index in range(len(node.values)):
        rest = _without(list(node.values), index)
        yield rest[0] if len(rest) == 1 else _with(node, values=rest)


def _of_condition(node: ast.If | ast.IfExp | ast.While) -> Iterator[ast.AST]:
    if isinstance(node.test, ast.Constant):
        return
    yield _with(node, test=ast.Constant(value=False))
    # A loop without an end only costs time.
    if not isinstance(node, ast.While):
        yield _with(node, test=ast.Constant(value=True))


def _of_comprehension(node: ast.comprehension) -> Iterator[ast.AST]:
    for index in range(len(node.ifs)):
        yield _with(node, ifs=_without(list(node.ifs), index))


def _of_negation(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not):
        yield node.operand


def _of_arithmetic(node: ast.BinOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.BitOr | ast.BitAnd):
        yield node.left
        yield node.right
    elif type(node.op) in _SWAPPED:
        yield _with(node, op=_SWAPPED[type(node.op)]())


def _of_constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(value=not node.value)
    elif isinstance(node.value, int | float):
        yield ast.Constant(value=node.value + 1)
    elif isinstance(node.value, str) and " " not in node.value:
        # A text with a space is part of a message. Other characters may be a set of characters to strip.
        yield ast.Constant(value=f"{node.value if node.value.isidentifier() else ''}XX")


def _of_keywords(node: ast.Call) -> Iterator[ast.AST]:
    for index in range(len(node.keywords)):
        yield _with(node, keywords=_without(list(node.keywords), index))


def _of_return(node: ast.Return) -> Iterator[ast.AST]:
    # A caller does not distinguish False from None.
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value in (None, False)):
        yield _with(node, value=ast.Constant(value=None))


def _of_handler(node: ast.ExceptHandler) -> Iterator[ast.AST]:
    if not isinstance(node.body[0], ast.Raise):
        yield _with(node, body=[ast.Raise(), *node.body])
    if isinstance(node.type, ast.Tuple):
        for index in range(len(node.type.elts)):
            yield _with(node, type=_with(node.type, elts=_without(list(node.type.elts), index)))


def _of_statement(node: ast.stmt) -> Iterator[ast.AST]:
    """Leave out the statement; its names stay, so that the function has the same variables."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets):
        return
    yield ast.If(test=ast.Constant(value=False), body=[node], orelse=[])


_RULES: list[tuple[tuple[type[ast.AST], ...], Callable[..., Iterator[ast.AST]]]] = [
    ((ast.Compare,), _of_comparison),
    ((ast.BoolOp,), _of_boolean_operation),
    ((ast.If, ast.IfExp, ast.While), _of_condition),
    ((ast.comprehension,), _of_comprehension),
    ((ast.UnaryOp,), _of_negation),
    ((ast.BinOp,), _of_arithmetic),
    ((ast.Constant,), _of_constant),
    ((ast.Call,), _of_keywords),
    ((ast.Return,), _of_return),
    ((ast.ExceptHandler,), _of_handler),
    ((ast.Expr, ast.Raise, ast.Continue, ast.Break, ast.For, ast.AugAssign, ast.Assign, ast.Delete), _of_statement),
]
