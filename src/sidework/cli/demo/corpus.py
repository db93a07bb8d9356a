"""The demo's input: the source files of the running interpreter's standard library."""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = frozenset({"site-packages", "dist-packages", "__pycache__"})
MADE_UP = (b"# Gr\xfc\xdfe\n", b"name = 'Z\xfcrich'\n", b"\xff\xfe\x00\n")


@dataclass(frozen=True)
class Corpus:
    """The files to count; `unreadable` are those that are not UTF-8, so that their jobs must fail."""

    root: Path
    files: tuple[Path, ...]
    unreadable: frozenset[Path]
    made_up: int = 0


def standard_library(limit: int | None, folder: Path) -> Corpus:
    """Every .py file of it, or `limit` of them with the unreadable ones.

    Where an interpreter came without the tests that hold such files, some are made up in `folder`.
    """
    root = Path(sysconfig.get_path("stdlib"))
    found = sorted(path for path in root.rglob("*.py") if not LEFT_OUT & set(path.relative_to(root).parts))
    unreadable = [path for path in found if not _is_utf8(path)]
    made_up = [] if unreadable else _make_up(folder)
    bad = frozenset([*unreadable, *made_up])
    readable = [path for path in found if path not in bad]
    if limit is not None:
        wanted = max(limit - len(bad), 1)
        readable = readable[:: max(len(readable) // wanted, 1)][:wanted]
    return Corpus(root, tuple(sorted([*readable, *bad])), bad, len(made_up))


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _make_up(folder: Path) -> list[Path]:
    paths = [folder / f"not_utf8_{number}.py" for number in range(1, len(MADE_UP) + 1)]
    for path, data in zip(paths, MADE_UP, strict=True):
        path.write_bytes(data)
    return paths
