"""Finds the Python blocks of a Markdown page and runs them as its reader would; `test_pages.py` runs every page.

The blocks of one page are one program: they share their names, an empty folder and an event loop, and may `await` at
the top. A block with a file name, as in ```` ```python title="shop/tasks.py" ````, is written there and imported.
A block that cannot run has a comment right above it that says why: `<!-- not run: needs a broker of 2009 -->`.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
import sqlite3
import sys
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"^(?P<indent>[ ]*)```python(?P<info>[^\n]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="(?P<file>[^"]+\.py)"')
_NOT_RUN = re.compile(r"<!--\s*not run:(?P<reason>.*?)-->\s*\Z", re.DOTALL)


class PageError(ValueError):
    """A page marks a block in a way that cannot be understood."""


@dataclass(frozen=True)
class Block:
    """One Python block: where its code begins in the page, the code, and the file that the page gives it."""

    page: Path
    line: int
    code: str
    file: str | None


def pages() -> list[Path]:
    """Every page whose blocks run."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def runnable_blocks(page: Path) -> list[Block]:
    """The blocks of a page that are to run, in order."""
    return list(_blocks(page, page.read_text()))


def run_page(page: Path) -> None:
    """Run the blocks of a page in the current folder; a failure shows the page and its line in the traceback."""
    module = types.ModuleType(_module_name(page))
    # A task is named by its module, and annotations are looked up there.
    sys.modules[module.__name__] = module
    known = set(sys.modules)
    sys.path.insert(0, str(Path.cwd()))
    try:
        with asyncio.Runner() as runner:
            for block in runnable_blocks(page):
                _run(block, module, runner)
    finally:
        sys.path.pop(0)
        for value in vars(module).values():
            if isinstance(value, sqlite3.Connection):
                value.close()  # a page shows what it is about, and Python 3.13 warns of the rest
        for name in {module.__name__, *(set(sys.modules) - known)}:
            if _is_of_page(sys.modules[name], module):
                del sys.modules[name]


def _blocks(page: Path, text: str) -> Iterator[Block]:
    for fence in _FENCE.finditer(text):
        mark = _NOT_RUN.search(text, 0, fence.start())
        line = text.count("\n", 0, fence.start("code")) + 1
        if mark is not None:
            if not mark["reason"].strip():
                raise PageError(
                    f"{page}:{line}: the block is marked as not run without a reason; write it after the colon."
                )
            continue
        title = _TITLE.search(fence["info"])
        yield Block(page, line, textwrap.dedent(fence["code"]), title["file"] if title else None)


def _run(block: Block, module: types.ModuleType, runner: asyncio.Runner) -> None:
    if block.file is not None:
        path = Path(block.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code)
        importlib.invalidate_caches()
        name = ".".join(path.with_suffix("").parts)
        # A page may show a file again, with more in it.
        sys.modules.pop(name, None)
        imported = importlib.import_module(name)
        vars(module).update({name: value for name, value in vars(imported).items() if not name.startswith("__")})
        return
    # Blank lines above the code make the line numbers of the page those of the traceback.
    source = "\n" * (block.line - 1) + block.code
    code = compile(source, str(block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    waiting = eval(code, vars(module))  # noqa: S307 - the pages are ours
    if inspect.iscoroutine(waiting):
        runner.run(waiting)


def _module_name(page: Path) -> str:
    return "page_" + re.sub(r"\W", "_", page.stem).lower()


def _is_of_page(loaded: types.ModuleType, module: types.ModuleType) -> bool:
    file = getattr(loaded, "__file__", None)
    return loaded is module or (file is not None and Path(file).is_relative_to(Path.cwd()))
