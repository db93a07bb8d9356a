"""The user's classes by name, found again without importing anything; used by encode.py and decode.py.

A class is stored as "module:qualname". Reading looks among the classes of the annotation, then among the loaded
modules, then among the local classes that this codec has written itself.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import PurePath
from types import ModuleType
from typing import Annotated, Any, Final, NamedTuple, NewType, TypeVar
from weakref import WeakValueDictionary

from sidework.core.codec.records import is_dataclass_type, record_type
from sidework.core.codec.refusal import Refused, brief, class_title

# A process that multiprocessing spawns knows its parent's __main__ by the second name.
_MAIN_NAMES: Final = ("__main__", "__mp_main__")


class CallHints(NamedTuple):
    """The annotation of a whole call, as a codec's `decode` receives it for the text `[[*args], {**kwargs}]`.

    `hints` maps the name of a parameter (`*name` and `**name` for the variadic ones) to its annotation;
    `positional` are the names of the positional parameters in order.
    """

    hints: Mapping[str, object]
    positional: tuple[str, ...]


class Classes:
    """The classes that one codec can name and find."""

    def __init__(self) -> None:
        self._local: WeakValueDictionary[str, type] = WeakValueDictionary()
        self._annotated: dict[object, dict[str, type]] = {}

    def name(self, cls: type) -> str:
        """The stored name of a class that can be found again; refuses any other."""
        name = stored_name(cls)
        if any(found is cls for found in _loaded(name)):
            return name
        if "<locals>" not in cls.__qualname__:
            raise Refused(
                f"class {class_title(cls)} is not what its module holds under that name, so it could not be found "
                "again; define it at the top level of a module under its own name"
            )
        self._local[name] = cls
        return name

    def find(self, name: str, annotation: object, *, by_annotation: bool) -> type:
        """The class of a stored name; `by_annotation` accepts no class but those of the annotation."""
        found = self._of_annotation(annotation).get(name)
        if found is None and not by_annotation:
            found = next(_loaded(name), None) or self._local.get(name)
        if found is not None:
            return found
        if by_annotation:
            raise Refused(
                f"class {brief(name)} is found by annotation only, and none here names it; annotate the parameter "
                "(or the return type) with the class itself, or send a dict"
            )
        raise Refused(
            f"class {brief(name)} is not an enum or dataclass of a module loaded in this process; let the worker "
            "import its module (App(imports=[...])) or annotate the parameter with it"
        )

    def _of_annotation(self, annotation: object) -> dict[str, type]:
        if isinstance(annotation, CallHints):
            merged: dict[str, type] = {}
            for hint in annotation.hints.values():
                merged.update(self._of_annotation(hint))
            return merged
        try:
            known = self._annotated.get(annotation)
        except TypeError:  # unhashable, such as Annotated[int, []]
            return _mentioned(annotation)
        if known is None:
            known = self._annotated[annotation] = _mentioned(annotation)
        return known


def stored_name(cls: type) -> str:
    """The name under which a class is stored: "module:qualname", with the importable name of a running script."""
    module = cls.__module__
    return f"{(_main_name() or module) if module in _MAIN_NAMES else module}:{cls.__qualname__}"


def _main_name() -> str | None:
    """The name under which another process would import the running script."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return PurePath(file).stem if file else None


def _loaded(name: str) -> Iterator[type]:
    """The enums and dataclasses that loaded modules hold under the name, looked up without running their code."""
    module, _, qualname = name.partition(":")
    main = _main_name()
    names = {name, f"{main}:{qualname}"} if module in _MAIN_NAMES else {name}
    for holder in (module, "__main__") if module in (main, *_MAIN_NAMES) else (module,):
        found = _walk(sys.modules.get(holder), qualname)
        if found is not None and stored_name(found) in names:
            yield found


def _walk(module: ModuleType | None, qualname: str) -> type | None:
    # Through the dictionaries, because getattr can run a module's own __getattr__, or load a lazy module.
    try:
        held: Any = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    target: object = None
    for part in qualname.split("."):
        target = held.get(part)
        if not isinstance(target, type):
            return None
        held = vars(target)
    return target if isinstance(target, type) and _is_stored(target, qualname) else None


def _is_stored(cls: type, qualname: str) -> bool:
    return cls.__qualname__ == qualname and (issubclass(cls, Enum) or is_dataclass_type(cls))


def _mentioned(annotation: object) -> dict[str, type]:
    """Every enum and record class that an annotation mentions, down to the fields of records and typed dicts."""
    found: dict[str, type] = {}
    # The visited objects are kept, since the id of a temporary one could be used again.
    seen: dict[int, object] = {}
    waiting = [annotation]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        waiting.extend(_parts(part))
        if isinstance(part, type) and typing.get_origin(part) is None and (issubclass(part, Enum) or record_type(part)):
            found[stored_name(part)] = part
    return found


def _parts(part: object) -> Iterable[object]:
    if isinstance(part, Enum):  # in a Literal
        return (type(part),)
    if isinstance(part, TypeVar):
        return (part.__bound__, *part.__constraints__)
    if isinstance(part, NewType):
        return (part.__supertype__,)
    if type(part).__name__ == "TypeAliasType":  # Python 3.12
        return (getattr(part, "__value__", None),)
    origin, args = typing.get_origin(part), typing.get_args(part)
    if origin is Annotated:
        return args[:1]
    return (origin, *args, *(_field_hints(part) if isinstance(part, type) else ()))


def _field_hints(cls: type) -> list[object]:
    if record_type(cls) is None and not typing.is_typeddict(cls):
        return []
    model_fields: Mapping[str, Any] = getattr(cls, "model_fields", {})
    resolved = [field.annotation for field in model_fields.values()]
    try:
        return [*resolved, *typing.get_type_hints(cls).values()]
    except Exception:
        return resolved
