"""What no checker sees, told with the corrected line: reading an option while a module still records."""

from __future__ import annotations

import ast
import linecache

from holdfast.base.errors import HoldfastError
from holdfast.options.paths import format_path
from holdfast.options.places import format_place
from holdfast.options.words import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from holdfast.options.tree import Node, Slot

    Span = tuple[int, int, int, int]  # first and last line, first and last column

_WHY = "has no value yet: modules run first, and values follow from all of them."


def read_while_recording(frame: FrameType, at: Slot | Node) -> HoldfastError:
    """Error of ``if m[X].enable:``, ``m[A].u = m[B].u``, ``m[X].ports += (1,)`` and other reads."""
    return HoldfastError(
        f"{format_place(frame.f_code, frame.f_lasti)}: {format_path(at.path())} {_WHY}",
        resolution=_corrected(frame, expression(at, "c"))
        or "Read it later: lazy(lambda c: c[...]...) for a value, m.when(lambda c: ...) for a condition.",
    )


def keys_while_recording(frame: FrameType, at: Slot) -> HoldfastError:
    """Error of iterating over a mapping, or asking what is in it."""
    return HoldfastError(
        f"{format_place(frame.f_code, frame.f_lasti)}: which entries {format_path(at.path())} has is not known yet: modules "
        "run first, and keys follow from all of them.",
        resolution=_corrected(frame, expression(at, "c"))
        or "For entries of another mapping: ....each(lambda c: c[...], body); for a condition: m.when(lambda c: key in c[...]).",
    )


def recorder_as_value(frame: FrameType, target: Slot, value: Slot | Node) -> HoldfastError:
    """Error of assigning a mapping or an option set that is still being recorded."""
    return HoldfastError(
        f"{format_place(frame.f_code, frame.f_lasti)}: the value given to {format_path(target.path())} {_WHY}",
        resolution=_corrected(frame, expression(value, "c"), assigned=True)
        or "Read it later: lazy(lambda c: c[...]...).",
    )


def _corrected(frame: FrameType, later: str, *, assigned: bool = False) -> str:
    """Advice with the line as it should be; empty when the source cannot be had.

    ``later`` is how the config says what was read. ``assigned``: the frame is at the assignment itself, not at a read
    inside it.
    """
    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    span = _span(frame)
    if not source or span is None:
        return ""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    statement = _innermost(tree, span)
    if statement is None:
        return ""
    if assigned and isinstance(statement, ast.Assign):
        value = statement.value
        span = (value.lineno, value.end_lineno or value.lineno, value.col_offset, value.end_col_offset or 0)
    line = _rewrite(statement, span, ast.parse(later, mode="eval").body)
    return f"Write instead: {line}" if line else ""


def _span(frame: FrameType) -> Span | None:
    for index, position in enumerate(frame.f_code.co_positions()):
        if index == frame.f_lasti // 2:
            line, end_line, column, end_column = position
            if line is None or end_line is None or column is None or end_column is None:
                return None
            return line, end_line, column, end_column
    return None


def _innermost(tree: ast.AST, span: Span) -> ast.stmt | None:
    found: ast.stmt | None = None
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or node.end_lineno is None:
            continue
        around = node.lineno <= span[0] and span[1] <= node.end_lineno
        if around and (found is None or found.lineno <= node.lineno):
            found = node
    return found


def _rewrite(statement: ast.stmt, span: Span, later: ast.expr) -> str:
    def read(node: ast.expr) -> str:
        """An expression as it is written in a function of the config."""
        return ast.unparse(ast.fix_missing_locations(_FromConfig(span, later).visit(node)))

    if isinstance(statement, ast.AugAssign):
        target, value = ast.unparse(statement.target), ast.unparse(statement.value)
        return f"{target} = {value}    (each assignment is one definition; lists concatenate)"
    if isinstance(statement, (ast.If, ast.While)):
        return f"with {_root(statement.test)}.when(lambda c: {read(statement.test)}):"
    if isinstance(statement, ast.With):
        asked = [item.context_expr for item in statement.items if _within(item.context_expr, span)]
        if asked and isinstance(asked[0], ast.Call) and len(asked[0].args) == 1:
            return f"with {ast.unparse(asked[0].func)}(lambda c: {read(asked[0].args[0])}):"
        return ""
    if isinstance(statement, ast.For):
        key = ast.unparse(statement.target)
        return f"....each(lambda c: {read(statement.iter)}, lambda entry, {key}: ...)"
    if isinstance(statement, ast.Assign):
        if _within(statement.value, span):
            targets = " = ".join(ast.unparse(target) for target in statement.targets)
            return f"{targets} = lazy(lambda c: {read(statement.value)})"
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return f"{ast.unparse(statement.target)} = lazy(lambda c: {read(statement.value)})"
    elif isinstance(statement, (ast.Expr, ast.Return)) and statement.value is not None:
        return f"lazy(lambda c: {ast.unparse(later)})"
    return ""


def _within(node: ast.expr, span: Span) -> bool:
    start, end = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
    return start <= (span[0], span[2]) and (span[1], span[3]) <= end


class _FromConfig(ast.NodeTransformer):
    """What was read, and any other ``m[Set]``, become reads of the config."""

    def __init__(self, span: Span, later: ast.expr) -> None:
        self._span = span
        self._later = later

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr):
            extent = (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
            if extent == self._span:
                if isinstance(node, (ast.Attribute, ast.Subscript, ast.Name)):
                    return self._later
                if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
                    node.comparators[0] = self._later
                    return node
        visited: ast.AST = super().visit(node)
        return visited

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and isinstance(node.slice, (ast.Name, ast.Attribute)):
            return ast.Subscript(ast.Name("c", ast.Load()), node.slice, node.ctx)
        return self.generic_visit(node)


def _root(node: ast.expr) -> str:
    for below in ast.walk(node):
        if (
            isinstance(below, ast.Subscript)
            and isinstance(below.value, ast.Name)
            and isinstance(below.slice, ast.Name)
        ):
            return below.value.id
    return "m"
