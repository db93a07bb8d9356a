"""Every Python block of the README and the documentation runs, and every example in a docstring gives what it shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, PageError, pages, run_page, runnable_blocks

SOURCE = ROOT / "src"


def modules_with_examples() -> list[str]:
    return [
        ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for file in sorted(SOURCE.rglob("*.py"))
        if ">>> " in file.read_text()
    ]


@pytest.fixture(autouse=True)
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's machine: an empty folder and a database file that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIDEWORK_URL", "sqlite:///docs.db")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(page: Path) -> None:
    run_page(page)


def test_the_readme_shows_code_that_runs() -> None:
    assert runnable_blocks(ROOT / "README.md")


def test_the_examples_in_docstrings_give_what_they_show() -> None:
    failures: list[str] = []
    for name in modules_with_examples():
        for example in doctest.DocTestFinder().find(importlib.import_module(name)):
            doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=failures.append)
    assert not failures, "".join(failures)


def test_blocks_share_their_names_and_may_await(reader: Path) -> None:
    page = write(
        reader,
        "```python\nimport asyncio\nx = 1\n```\n"
        "```python\nx = await asyncio.sleep(0, x + 1)\n```\n"
        '1. Then\n\n    ```python title="shop/tasks.py"\n    y = 40\n    ```\n\n'
        "```python\nfrom pathlib import Path\n_ = Path('sum').write_text(str(x + y))\n```\n",
    )
    run_page(page)
    assert (reader / "sum").read_text() == "42"


def test_a_failing_block_names_the_line_of_its_page(reader: Path) -> None:
    page = write(reader, "# Title\n\n```python\nx = 1\nraise RuntimeError\n```\n")
    with pytest.raises(RuntimeError) as failure:
        run_page(page)
    last = failure.traceback[-1]
    assert (Path(last.path), last.lineno + 1) == (page, 5)


def test_a_block_marked_as_not_run_is_left_out(reader: Path) -> None:
    page = write(reader, "<!-- not run: shows a mistake -->\n```python\n1 / 0\n```\n\n```python\nx = 1\n```\n")
    assert [block.code for block in runnable_blocks(page)] == ["x = 1\n"]


def test_a_mark_without_a_reason_is_refused(reader: Path) -> None:
    page = write(reader, "<!-- not run: -->\n```python\n1 / 0\n```\n")
    with pytest.raises(PageError, match=r"page\.md:3: .*without a reason"):
        runnable_blocks(page)


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page
