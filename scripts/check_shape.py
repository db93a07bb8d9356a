"""Fails on a body over 40 lines (its docstring aside) or a file over 400 lines in src/; `make check` runs it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

BODY_LIMIT = 40
FILE_LIMIT = 400


def too_long(path: Path) -> Iterator[str]:
    text = path.read_text()
    lines = len(text.splitlines())
    if lines > FILE_LIMIT:
        yield f"{path}: {lines} lines; a file stops at {FILE_LIMIT}. Give one of its ideas a file of its own."
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > BODY_LIMIT:
            where = f"{path}:{node.lineno}: {node.name}"
            yield f"{where} has {body_lines(node)} lines; a body stops at {BODY_LIMIT}. Name its steps."


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def main() -> int:
    found = [message for path in sorted(Path("src").rglob("*.py")) for message in too_long(path)]
    print("\n".join(found) or f"shape: no body over {BODY_LIMIT} lines, no file over {FILE_LIMIT}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
