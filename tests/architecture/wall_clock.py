"""Finds where times of day are subtracted or compared: intervals that a set clock falsifies."""

import ast
from collections.abc import Iterator
from pathlib import Path

READS = {"timezone.now", "datetime.now", "datetime.utcnow", "time.time", "datetime.datetime.now"}
NOW = "now"  # by this name services are handed the time of day


def places(path: Path) -> Iterator[str]:
    """Yield the functions of a file that subtract or compare times of day of this machine."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            known = {NOW} | set(_assigned(node))
            if any(_measures(inner, known) for inner in _own(node)):
                yield node.name


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own(child)


def _assigned(function: ast.AST) -> Iterator[str]:
    """Yield the names that hold a time of day."""
    for node in _own(function):
        if isinstance(node, ast.Assign) and _reads(node.value):
            for target in node.targets:
                yield from (leaf.id for leaf in ast.walk(target) if isinstance(leaf, ast.Name))


def _reads(node: ast.AST) -> bool:
    return any(
        isinstance(inner, ast.Call) and ast.unparse(inner.func) in READS for inner in ast.walk(node)
    )


def _measures(node: ast.AST, known: set[str]) -> bool:
    """Whether the expression is a difference or an order of times of day."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        sides = [node.left, node.right]
    elif isinstance(node, ast.Compare) and any(
        isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops
    ):
        sides = [node.left, *node.comparators]
    else:
        return False
    return any(_is_time(side, known) for side in sides)


def _is_time(node: ast.AST, known: set[str]) -> bool:
    named = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return bool(named & known) or _reads(node)
