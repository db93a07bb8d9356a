"""Classes stored field by field (dataclasses, pydantic models, msgspec structs); used by encode.py and decode.py.

A record is read and rebuilt from its attributes, so that it arrives equal whatever its constructor and validators do:
dataclasses and pydantic models are rebuilt without running any code of theirs, structs by their constructor.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType, MemberDescriptorType
from typing import Any, Final

from sidework.core.codec.refusal import Refused, class_title, error_title, malformed

_SET, _EXTRA, _PRIVATE = "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"


@dataclasses.dataclass(frozen=True)
class RecordType:
    """One family of classes: `names` are the attributes that make up an instance, `build` makes one from those.

    `default` makes the value of a field that was added since the instance was stored; None where it has no default.
    """

    tag: str
    title: str
    names: Callable[[Any], tuple[str, ...]]
    build: Callable[[Any, dict[str, object]], object]
    default: Callable[[Any, str], Callable[[], object] | None]
    by_annotation: bool = False


def record_type(cls: type) -> RecordType | None:
    """The family of a class, None if it is not a record."""
    if is_dataclass_type(cls):
        return DATACLASS
    if _is_subclass(cls, "pydantic.main", "BaseModel") and hasattr(cls, _SET):
        return MODEL
    if _is_subclass(cls, "msgspec", "Struct"):
        return STRUCT
    return None


def is_dataclass_type(cls: type) -> bool:
    """Like `dataclasses.is_dataclass`, without running what a metaclass answers for unknown attributes."""
    return _static(cls, "__dataclass_fields__") is not None


def read_record(kind: RecordType, value: object) -> dict[str, object]:
    """The attributes to store; an instance with more or less than its fields is refused, it would arrive changed."""
    names = kind.names(type(value))
    fields = {}
    for name in names:
        try:
            fields[name] = getattr(value, name)
        except AttributeError:
            raise Refused(f"field {name!r} of {class_title(type(value))} has no value; give it one") from None
    _refuse_strays(value, names)
    return fields


def build_record(kind: RecordType, cls: type, fields: dict[str, object]) -> object:
    """An instance of the class from its attributes; a field that came with a default since then has its default."""
    names = kind.names(cls)
    defaults = {name: kind.default(cls, name) for name in names if name not in fields}
    missing, unknown = {name for name, make in defaults.items() if make is None}, set(fields).difference(names)
    if missing or unknown:
        raise Refused(
            f"the fields of {class_title(cls)} changed since this was stored: missing {_listed(missing)}, "
            f"unknown {_listed(unknown)}; restore them (a new field needs a default) or enqueue the job again"
        )
    try:
        fields |= {name: make() for name, make in defaults.items() if make is not None}
        return kind.build(cls, fields)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"{class_title(cls)} cannot be rebuilt from what is stored: {error_title(error)}") from error


def _is_subclass(cls: type, module: str, name: str) -> bool:
    # Never imported: whoever holds such a class has loaded the library.
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(base, type) and issubclass(cls, base)


def _refuse_strays(value: object, names: Iterable[str]) -> None:
    held: Mapping[str, object] = getattr(value, "__dict__", {})
    for name in held.keys() - set(names):
        if not isinstance(_static(type(value), name), cached_property):
            raise Refused(
                f"attribute {name!r} of {class_title(type(value))} is not one of its fields and would not arrive; "
                "declare it as a field"
            )


def _static(cls: type, name: str) -> object:
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _dataclass_names(cls: Any) -> tuple[str, ...]:
    names = tuple(field.name for field in dataclasses.fields(cls))
    for name in names:
        held = _static(cls, name)
        if hasattr(type(held), "__set__") and not isinstance(held, MemberDescriptorType):
            raise Refused(f"field {name!r} of {class_title(cls)} is a descriptor, whose code would run; make it plain")
    return names


def _dataclass_default(cls: Any, name: str) -> Callable[[], object] | None:
    field = cls.__dataclass_fields__[name]
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory  # type: ignore[no-any-return]
    return None if field.default is dataclasses.MISSING else lambda: field.default


def _build_dataclass(cls: type, fields: dict[str, object]) -> object:
    value = new_instance(cls)
    for name, item in fields.items():
        object.__setattr__(value, name, item)
    return value


def new_instance(cls: type) -> Any:
    """An instance without its constructor, or a refusal where the class extends a built-in type."""
    try:
        return object.__new__(cls)
    except TypeError as error:
        raise Refused(f"{class_title(cls)} extends a built-in type ({error}); send a plain dataclass") from error


def _model_names(cls: Any) -> tuple[str, ...]:
    special = (_SET,) if cls.__pydantic_root_model__ else (_SET, _EXTRA, _PRIVATE)
    return (*cls.model_fields, *special)


def _model_default(cls: Any, name: str) -> Callable[[], object] | None:
    field = cls.model_fields.get(name)
    if field is None:  # what every stored model has
        return None
    return None if field.is_required() else lambda: field.get_default(call_default_factory=True, validated_data={})


def _build_model(cls: Any, fields: dict[str, object]) -> object:
    special = {name: fields.pop(name) for name in (_SET, _EXTRA, _PRIVATE) if name in fields}
    if not isinstance(special[_SET], set) or not all(
        part is None or isinstance(part, dict) for name, part in special.items() if name != _SET
    ):
        raise malformed(special, f"the state of the pydantic model {class_title(cls)}")
    value = cls.__new__(cls)
    for name, part in {"__dict__": fields, **special}.items():
        object.__setattr__(value, name, part)
    return value


def _struct_names(cls: Any) -> tuple[str, ...]:
    return tuple(cls.__struct_fields__)


def _struct_default(cls: Any, name: str) -> Callable[[], object] | None:
    msgspec: Any = sys.modules["msgspec"]
    field = next(field for field in msgspec.structs.fields(cls) if field.name == name)
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory  # type: ignore[no-any-return]
    return None if field.default is msgspec.NODEFAULT else lambda: field.default


def _build_struct(cls: Any, fields: dict[str, object]) -> object:
    return cls(**fields)


DATACLASS: Final = RecordType("$dataclass", "dataclass", _dataclass_names, _build_dataclass, _dataclass_default)
MODEL: Final = RecordType("$model", "pydantic model", _model_names, _build_model, _model_default, by_annotation=True)
STRUCT: Final = RecordType(
    "$struct", "msgspec struct", _struct_names, _build_struct, _struct_default, by_annotation=True
)

RECORD_TAGS: Final[Mapping[str, RecordType]] = MappingProxyType({kind.tag: kind for kind in (DATACLASS, MODEL, STRUCT)})
