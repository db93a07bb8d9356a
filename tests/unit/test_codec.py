from __future__ import annotations

import collections
import dataclasses
import importlib
import json
import subprocess
import sys
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, localcontext
from enum import Enum, IntEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidework.core.codec import CallHints, JsonCodec, decode_call, encode_call, encode_result
from sidework.errors import InvalidPayload
from tests.strategies import Access, Box, Colour, Level, Line, Mode, Unit, payloads, same

OSLO = ZoneInfo("Europe/Oslo")


class MyStr(str):
    __slots__ = ()


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyList(list[int]):
    pass


class MyDateTime(datetime):
    pass


class Point(NamedTuple):
    x: int


class OddZone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    dst = utcoffset

    def tzname(self, moment: datetime | None) -> str:
        return "odd"


@dataclasses.dataclass
class Guarded:
    name: str

    def __post_init__(self) -> None:
        if self.name == "forbidden":
            raise ValueError(self.name)


@dataclasses.dataclass
class Measured:
    side: int

    @cached_property
    def area(self) -> int:
        return self.side**2


@dataclasses.dataclass
class Failure(Exception):
    code: int


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    id: int
    at: datetime | None = None
    lines: list[Item] = []
    _note: str = pydantic.PrivateAttr(default="n")


class Item(pydantic.BaseModel):
    name: str = pydantic.Field(alias="itemName")
    price: Decimal


class Numbers(pydantic.RootModel[list[int]]):
    pass


class Basket(TypedDict):
    order: Order


class Packet(msgspec.Struct, frozen=True):
    body: bytes
    inner: Packet | None = None


Order.model_rebuild()


def round_trip(value: object, annotation: object = object) -> object:
    codec = JsonCodec()
    return codec.decode(codec.encode(value), annotation)


def refusal(value: object, **limits: int) -> str:
    with pytest.raises(InvalidPayload) as caught:
        JsonCodec(**limits).encode(value)
    return str(caught.value)


def unreadable(text: str, annotation: object = object) -> str:
    with pytest.raises(InvalidPayload) as caught:
        JsonCodec().decode(text, annotation)
    return str(caught.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payloads())
def test_every_accepted_value_arrives_equal_and_of_equal_type(value: object) -> None:
    codec = JsonCodec()
    text = codec.encode(value)
    assert same(codec.decode(text), value)
    assert codec.encode(codec.decode(text)) == text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(payloads(), max_size=3), st.dictionaries(st.text("abc$", min_size=1), payloads(), max_size=2))
def test_every_accepted_call_arrives_equal(args: list[object], kwargs: dict[str, object]) -> None:
    codec = JsonCodec()
    call = decode_call(codec, encode_call(codec, tuple(args), kwargs), {}, ())
    assert same(call, (tuple(args), kwargs))


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "$tuple",
                        "$set",
                        "$dict",
                        "$bytes",
                        "$datetime",
                        "$time",
                        "$enum",
                        "$flag",
                        "$dataclass",
                        "$model",
                        "$struct",
                        "$decimal",
                        "$int",
                        "$uuid",
                        "$date",
                        "a",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_any_json_is_read_or_refused_and_nothing_else(tree: object) -> None:
    text = json.dumps(tree)
    codec = JsonCodec()
    try:
        value = codec.decode(text)
    except InvalidPayload:
        return
    assert same(codec.decode(codec.encode(value)), value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1e16, "1e+16"),
        (-0.0, "-0.0"),
        (2**63 - 1, "9223372036854775807"),
        (2**63, '{"$int":"8000000000000000"}'),
        (-(2**64), '{"$int":"-10000000000000000"}'),
        ("søt 🍓", '"søt 🍓"'),
        ((1, [2]), '{"$tuple":[1,[2]]}'),
        ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
        ({1: "x"}, '{"$dict":[[1,"x"]]}'),
        ({"$bytes": "aGk="}, '{"$dict":[["$bytes","aGk="]]}'),
        ({"$bytes": 1, "other": 2}, '{"$bytes":1,"other":2}'),
        (b"hi", '{"$bytes":"aGk="}'),
        ({3, 20, 1}, '{"$set":[1,20,3]}'),
        (frozenset({"b", "a"}), '{"$frozenset":["a","b"]}'),
        (date(2026, 1, 31), '{"$date":"2026-01-31"}'),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), '{"$datetime":["2026-01-31T12:00:00",[0],0]}'),
        (datetime(2026, 10, 25, 2, 30, tzinfo=OSLO, fold=1), '{"$datetime":["2026-10-25T02:30:00","Europe/Oslo",1]}'),
        (time(1, 2, tzinfo=timezone(timedelta(hours=1), "CET")), '{"$time":["01:02:00",[3600000000,"CET"],0]}'),
        (timedelta(days=-1, microseconds=3), '{"$timedelta":[-1,0,3]}'),
        (Decimal("-1.500E+9"), '{"$decimal":"-1.500E+9"}'),
        (UUID(int=1), '{"$uuid":"00000000-0000-0000-0000-000000000001"}'),
        (Colour.CRIMSON, '{"$enum":["tests.strategies:Colour","RED"]}'),
        (Level.HIGH, '{"$enum":["tests.strategies:Level","HIGH"]}'),
        (Unit.METRE, '{"$enum":["tests.strategies:Unit","METRE"]}'),
        (Access.READ | Access.WRITE, '{"$flag":["tests.strategies:Access",3]}'),
        (Mode(0), '{"$flag":["tests.strategies:Mode",0]}'),
        (Box([1]), '{"$dataclass":["tests.strategies:Box",{"content":[1]}]}'),
    ],
)  # fmt: skip
def test_the_stored_form_stays(value: object, text: str) -> None:
    assert JsonCodec().encode(value) == text
    assert same(JsonCodec().decode(text), value)


def test_a_set_has_one_text_whatever_the_order_of_its_elements() -> None:
    names = [f"name-{number}" for number in range(50)]
    assert JsonCodec().encode(set(names)) == JsonCodec().encode({*names[25:], *names[:25]})


def test_the_decimal_context_changes_nothing() -> None:
    with localcontext() as context:
        context.prec = 3
        context.capitals = 0
        text = JsonCodec().encode(Decimal("1.23456789E+50"))
        assert JsonCodec().decode(text) == Decimal("1.23456789E+50")
    assert text == '{"$decimal":"1.23456789E+50"}'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, {"when": float("nan")}], 'value[1]["when"]: NaN cannot be stored'),
        (float("inf"), "value: Infinity cannot be stored"),
        ([Box(-float("inf"))], "value[0].content: -Infinity cannot be stored"),
        (Decimal("NaN"), "value: Decimal('NaN') cannot be stored"),
        ((Decimal("sNaN"),), "value[0]: Decimal('sNaN') cannot be stored"),
        (["a\0b"], "value[0]: the NUL character"),
        ({"a\0": 1}, 'value["a\\u0000"]: the NUL character'),
        (["\ud800"], "value[0]: the lone surrogate '\\ud800' at index 0"),
        ({"\udfff": 1}, 'value["\\udfff"]: the lone surrogate'),
        ({(1, float("nan")): 1}, "value.keys()[0][1]: NaN"),
        ({1: {2: object()}}, "value[1][2]: builtins.object is not a type that can be stored"),
        ({float("nan")}, "value[<element>]: NaN"),
        (MyStr("x"), "test_codec.MyStr is a subclass of str"),
        ({MyStr("x"): 1}, "value.keys()[0]: tests.unit.test_codec.MyStr is a subclass of str"),
        (MyInt(1), "MyInt is a subclass of int"),
        (MyFloat(1), "MyFloat is a subclass of float"),
        ([MyList()], "value[0]: tests.unit.test_codec.MyList is a subclass of list"),
        (collections.OrderedDict(a=1), "OrderedDict is a subclass of dict"),
        (collections.defaultdict(int), "defaultdict is a subclass of dict"),
        (Point(1), "Point is a subclass of tuple"),
        (MyDateTime(2026, 1, 1), "MyDateTime is a subclass of datetime"),
        (Path("x"), "is not a type that can be stored"),
        (bytearray(b"x"), "bytearray is not a type"),
        (1j, "complex is not a type"),
        (int, "type is not a type"),
        (test_the_stored_form_stays, "function is not a type"),
        (datetime(2026, 1, 1, tzinfo=OddZone()), "OddZone) cannot be stored; use ZoneInfo"),
        (Failure(1), "Failure extends a built-in type"),
    ],
)
def test_what_cannot_arrive_is_refused_with_its_path(value: object, message: str) -> None:
    assert message in refusal(value)


def test_a_zone_that_no_key_gives_is_refused() -> None:
    path = next(path for folder in zoneinfo.TZPATH if (path := Path(folder, "Europe/Oslo")).exists())
    for key, message in (
        (None, "cannot be stored; use ZoneInfo"),
        ("No/Where", "time zone 'No/Where' is not known here"),
    ):
        with path.open("rb") as file:
            assert message in refusal(time(1, tzinfo=ZoneInfo.from_file(file, key=key)))
    assert "'No/Where' is not known here; correct it or install tzdata" in unreadable(
        '{"$time":["01:00:00","No/Where",0]}'
    )


def test_the_path_of_a_refused_argument_begins_with_its_place() -> None:
    codec = JsonCodec()
    for args, kwargs, path in (
        ((1, Box([float("nan")])), {}, "args[1].content[0]: NaN"),
        ((1,), {"when": {"x": float("nan")}}, 'kwargs["when"]["x"]: NaN'),
        (("x" * 600_000, "y" * 600_000), {}, "arguments"),
    ):
        with pytest.raises(InvalidPayload) as caught:
            encode_call(codec, args, kwargs)
        assert str(caught.value).startswith(path)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_the_depth_has_a_limit_on_both_sides() -> None:
    assert same(round_trip(nested(64)), nested(64))
    assert refusal(nested(65)).startswith("value" + "[0]" * 64 + ": nested deeper than 64 levels")
    assert "nested deeper than 64 levels" in unreadable("[" * 65 + "]" * 65)
    assert same(round_trip([[]] * 200), [[]] * 200)


def test_depth_counts_levels_of_the_value_and_not_of_its_text() -> None:
    value: object = {(1,): 1}
    for _ in range(62):
        value = {0: value}
    assert JsonCodec().encode(value).count("[") > 100
    assert same(round_trip(value), value)
    assert "nested deeper than 64 levels" in refusal({0: {0: value}})


def test_the_size_is_limited_in_bytes_of_utf_8() -> None:
    assert round_trip("x") == "x"
    codec = JsonCodec(max_bytes=12)
    assert codec.decode(codec.encode("øøøøø")) == "øøøøø"
    for value in ("øøøøøø", "x" * 11, b"123456789", list(range(10)), 2**100):
        with pytest.raises(InvalidPayload, match=r"the limit is 12; store the data elsewhere"):
            codec.encode(value)
    with pytest.raises(InvalidPayload, match="the limit is 12"):
        codec.decode('"øøøøøø"')


def test_a_cycle_is_refused_where_it_closes() -> None:
    loop: dict[str, Any] = {"a": [1]}
    loop["a"].append(loop)
    assert (
        refusal([loop]) == 'value[0]["a"][1]: contains itself; send a reference (such as an id) instead of the object'
    )
    box: Box[Any] = Box(None)
    box.content = box
    assert refusal(box).startswith("value.content: contains itself")


def test_a_small_graph_that_unfolds_into_a_huge_tree_is_refused_at_once() -> None:
    value: list[Any] = ["x" * 60]
    for _ in range(50):
        value = [value, value]
    assert "the limit is 1,048,576" in refusal(value)
    assert "the limit is 1,048,576" in refusal(["y" * 1_000_000] * 100_000)


def test_a_limit_beyond_pythons_own_still_ends_in_a_refusal() -> None:
    assert "recursion limit" in refusal(nested(5000), max_depth=100_000)
    with pytest.raises(InvalidPayload):
        JsonCodec(max_depth=100_000).decode('{"$tuple":[' * 5000 + "]}" * 5000)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "nul", "[1,]", "'a'", "\ufeff1", "1 2", '"\n"',
        "NaN", "[Infinity]", "-Infinity", "1e400", "[-1e400]", "9" * 5000, "-" + "9" * 5000,
        "[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"a":1,"a":2}', '{"$bytes":"aGk=","$bytes":"aGk="}',
        '"\\u0000"', '{"\\u0000":1}', '"\\ud800"', '{"\\udc00":[]}', '"\ud800"',
        '{"$":1}', '{"$nothing":1}', '{"$eval":"1"}', '{"\\u0024eval":"1"}', '{ "$eval" : 1 }',
        '{"$bytes":1}', '{"$bytes":"a"}', '{"$bytes":"a GVs"}', '{"$bytes":"aGk=\\n"}', '{"$bytes":null}',
        '{"$int":1}', '{"$int":"0x1f"}', '{"$int":"1_0"}', '{"$int":" 1"}', '{"$int":""}',
        '{"$decimal":"NaN"}', '{"$decimal":"Infinity"}', '{"$decimal":1}', '{"$decimal":"1e5"}',
        '{"$decimal":[0,[1],0]}',
        '{"$decimal":"1E+99999999999999999999"}', '{"$decimal":" 1"}',
        '{"$uuid":"x"}', '{"$uuid":1}', '{"$uuid":"{00000000-0000-0000-0000-000000000001}"}',
        '{"$date":"2026-02-30"}', '{"$date":"2026-W01-1"}', '{"$date":20260101}',
        '{"$datetime":"2026-01-01T00:00:00"}', '{"$datetime":["2026-01-01T00:00:00+01:00",null,0]}',
        '{"$datetime":["2026-01-01T00:00:00","../../etc/passwd",0]}',
        '{"$datetime":["2026-01-01T00:00:00","/etc/passwd",0]}',
        '{"$datetime":["2026-01-01T00:00:00","Europe",0]}', '{"$datetime":["2026-01-01T00:00:00","Mars/Base",0]}',
        '{"$datetime":["2026-01-01T00:00:00","",0]}', '{"$datetime":["2026-01-01T00:00:00",null,2]}',
        '{"$datetime":["2026-01-01T00:00:00",[99999999999999],0]}', '{"$datetime":["2026-01-01T00:00:00",[0,1],0]}',
        '{"$datetime":["2026-01-01T00:00:00",[],0]}', '{"$datetime":["2026-01-01T00:00:00",7,0]}',
        '{"$time":["25:00:00",null,0]}',
        '{"$timedelta":[1]}', '{"$timedelta":[0,90000,0]}', '{"$timedelta":[99999999999,0,0]}', '{"$timedelta":"abc"}',
        '{"$tuple":1}', '{"$tuple":{"a":1}}', '{"$set":[[]]}', '{"$set":[1,1]}', '{"$set":"ab"}', '{"$frozenset":[{}]}',
        '{"$dict":{}}', '{"$dict":[1]}', '{"$dict":[[1]]}', '{"$dict":[[[],1]]}', '{"$dict":[[1,2],[1,3]]}',
        '{"$enum":1}', '{"$enum":["tests.strategies:Colour"]}', '{"$enum":["tests.strategies:Colour","BLUE"]}',
        '{"$enum":["tests.strategies:Colour",1]}', '{"$enum":["tests.strategies:Colour","__class__"]}',
        '{"$enum":["tests.strategies:Money","amount"]}', '{"$enum":["enum:Enum","x"]}', '{"$enum":[1,2]}',
        '{"$enum":["",""]}',
        '{"$flag":["tests.strategies:Access",8]}', '{"$flag":["tests.strategies:Access","READ"]}',
        '{"$flag":["tests.strategies:Access",true]}', '{"$flag":["tests.strategies:Level",1]}',
        '{"$dataclass":["os:system",{}]}', '{"$dataclass":["builtins:object",{}]}',
        '{"$dataclass":["tests.strategies:Colour",{}]}',
        '{"$dataclass":["tests.strategies:Box",[]]}', '{"$dataclass":["tests.strategies:dataclasses.dataclass",{}]}',
        '{"$dataclass":["tests.unit.test_codec:Box",{"content":1}]}',
        '{"$dataclass":["tests.unit.test_codec:Failure",{"code":1}]}',
        '{"$model":["tests.unit.test_codec:Numbers",{}]}',
        '{"$struct":["tests.unit.test_codec:Packet",{"body":1,"inner":null}]}',
    ],
    ids=lambda text: text[:60].encode("unicode_escape").decode(),
)  # fmt: skip
def test_hostile_text_is_refused(text: str) -> None:
    assert unreadable(text)


@pytest.mark.parametrize(
    "text", ["1", "null", "{}", "[]", "[1]", "[[],[]]", "[[],{},1]", "[{},[]]", '[[],{"$dict":[[1,2]]}]']
)
def test_text_that_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(InvalidPayload, match="expected the text of a call"):
        decode_call(JsonCodec(), text, {}, ())


def test_the_path_of_an_unreadable_argument_begins_with_its_place() -> None:
    with pytest.raises(InvalidPayload, match=r'^args\[0\]\["x"\]: unknown tag'):
        decode_call(JsonCodec(), '[[{"x":{"$no":1}}],{}]', {}, ())
    with pytest.raises(InvalidPayload, match=r'^kwargs\["x"\]: unknown tag'):
        decode_call(JsonCodec(), '[[],{"x":{"$no":1}}]', {}, ())


def test_reading_imports_nothing() -> None:
    name = "xml.sax.handler"
    assert name not in sys.modules
    assert f"class '{name}:Thing'" in unreadable(f'{{"$dataclass":["{name}:Thing",{{}}]}}')
    assert name not in sys.modules


def test_the_codec_loads_neither_pydantic_nor_msgspec() -> None:
    program = (
        "import sys; from sidework.core.codec import JsonCodec; JsonCodec().decode(JsonCodec().encode([(1,), {2}]))\n"
        "try: JsonCodec().encode(object())\n"
        "except ValueError: print(sorted({'pydantic', 'msgspec'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_reading_runs_neither_constructors_nor_module_getattr(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(name: str) -> object:
        raise AssertionError(name)

    monkeypatch.setattr(sys.modules[__name__], "__getattr__", explode, raising=False)
    text = f'{{"$dataclass":["{__name__}:Guarded",{{"name":"forbidden"}}]}}'
    assert getattr(JsonCodec().decode(text), "name", None) == "forbidden"
    assert "is not an enum or dataclass" in unreadable(f'{{"$dataclass":["{__name__}:Absent",{{}}]}}')


def test_a_dataclass_whose_fields_changed_is_refused_and_says_which() -> None:
    message = unreadable('{"$dataclass":["tests.strategies:Money",{"amount":1,"unit":"x"}]}')
    assert (
        "the fields of tests.strategies.Money changed since this was stored: missing currency, unknown unit" in message
    )


def test_an_attribute_beside_the_fields_is_refused_but_a_cached_property_is_not() -> None:
    square = Measured(3)
    assert square.area == 9
    assert round_trip(square) == square
    square.colour = "red"  # type: ignore[attr-defined]
    assert "attribute 'colour' of tests.unit.test_codec.Measured is not one of its fields" in refusal(square)


def test_a_field_without_a_value_is_refused() -> None:
    assert "field 'item' of tests.strategies.Line has no value" in refusal(object.__new__(Line))


def test_a_field_behind_a_descriptor_is_refused() -> None:
    @dataclasses.dataclass
    class Odd:
        x: int

    Odd.x = property(lambda _: 1)  # type: ignore[assignment]
    assert "field 'x' of" in refusal(object.__new__(Odd))
    assert "is a descriptor" in refusal(object.__new__(Odd))


def test_local_classes_arrive_through_the_codec_that_wrote_them_or_the_annotation() -> None:
    class Size(Enum):
        S = 1

    @dataclasses.dataclass(frozen=True)
    class Shirt:
        size: Size

    codec = JsonCodec()
    text = codec.encode({Shirt(Size.S): Size.S})
    assert same(codec.decode(text), {Shirt(Size.S): Size.S})
    assert same(JsonCodec().decode(text, tuple[Shirt, Size]), {Shirt(Size.S): Size.S})
    assert "is not an enum or dataclass of a module loaded" in unreadable(text)


def test_a_class_that_its_module_does_not_hold_is_refused() -> None:
    hidden = dataclasses.make_dataclass("Hidden", ["x"])
    assert "is not what its module holds under that name" in refusal(hidden(1))


def test_a_class_of_a_running_script_arrives_as_the_imported_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "codec_shop.py"
    script.write_text(
        "import dataclasses, enum\n"
        "from sidework.core.codec import JsonCodec\n"
        "@dataclasses.dataclass\nclass Sale:\n    n: int\n"
        "class Kind(enum.Enum):\n    A = 1\n"
        "if __name__ == '__main__':\n"
        "    codec = JsonCodec()\n"
        "    text = codec.encode([Sale(1), Kind.A])\n"
        "    assert codec.decode(text) == [Sale(1), Kind.A]\n"
        "    assert codec.decode(text.replace('codec_shop', '__main__')) == [Sale(1), Kind.A]\n"
        "    print(text)\n"
    )
    text = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.syspath_prepend(tmp_path)
    shop = importlib.import_module("codec_shop")
    assert same(JsonCodec().decode(text), [shop.Sale(1), shop.Kind.A])


def an_order() -> Order:
    line = Item(itemName="x", price=Decimal("1.50"))
    order = Order(id=7, at=datetime(2026, 1, 1, tzinfo=OSLO), lines=[line])
    order._note = "changed"
    return order


@pytest.mark.parametrize(
    ("annotation", "wrap"),
    [
        (Order, lambda value: value),
        (Optional[Order], lambda value: value),  # noqa: UP045 - this spelling too
        (Order | int, lambda value: value),
        (list[Order], lambda value: [value]),
        (dict[str, list[Order]], lambda value: {"a": [value]}),
        (Annotated[Order, []], lambda value: value),
        (Box[Order], Box),
        (tuple[Literal[1], Order], lambda value: (1, value)),
        (Basket, lambda value: {"order": value}),
    ],
)
def test_a_pydantic_model_arrives_by_annotation(annotation: object, wrap: Callable[[object], object]) -> None:
    order = an_order()
    arrived = round_trip(wrap(order), annotation)
    assert arrived == wrap(order)
    assert type(arrived) is type(wrap(order))


def test_a_pydantic_model_keeps_its_private_extra_and_set_fields() -> None:
    arrived = round_trip(Order.model_validate({"id": 1, "more": b"x"}), Order)
    assert isinstance(arrived, Order)
    assert arrived.model_fields_set == {"id", "more"}
    assert arrived.model_extra == {"more": b"x"}
    assert arrived._note == "n"
    assert type(round_trip(Numbers([1]), Numbers)) is Numbers


def test_a_msgspec_struct_arrives_by_annotation() -> None:
    packet = Packet(b"x", Packet(b"y"))
    assert same(round_trip([packet], list[Packet]), [packet])
    assert "missing body, unknown none" in unreadable(f'{{"$struct":["{__name__}:Packet",{{"inner":1}}]}}', Packet)


class Parcel(pydantic.BaseModel):
    weight: int
    labels: list[str] = pydantic.Field(default_factory=lambda: ["new"])
    sender: str = "shop"


class Letter(msgspec.Struct):
    text: str
    stamps: list[int] = msgspec.field(default_factory=lambda: [1])
    colour: str = "white"


@dataclasses.dataclass(frozen=True)
class Crate:
    weight: int
    labels: list[str] = dataclasses.field(default_factory=lambda: ["new"])
    sender: str = "shop"


@pytest.mark.parametrize(
    ("tag", "stored", "today"),
    [
        ("$dataclass", {"weight": 3}, Crate(3)),
        ("$dataclass", {"weight": 3, "sender": "me"}, Crate(3, sender="me")),
        ("$struct", {"text": "hi"}, Letter("hi")),
        ("$struct", {"text": "hi", "colour": "blue"}, Letter("hi", colour="blue")),
    ],
)
def test_a_field_that_was_added_with_a_default_since_then_has_it(
    tag: str, stored: dict[str, object], today: object
) -> None:
    text = json.dumps({tag: [f"{__name__}:{type(today).__name__}", stored]})
    assert JsonCodec().decode(text, type(today)) == today


def test_a_pydantic_model_that_gained_fields_with_defaults_has_them() -> None:
    state = {"__pydantic_fields_set__": {"$set": ["weight"]}, "__pydantic_extra__": None, "__pydantic_private__": None}
    text = json.dumps({"$model": [f"{__name__}:Parcel", {"weight": 3, **state}]})
    assert JsonCodec().decode(text, Parcel) == Parcel(weight=3)
    assert "missing weight" in unreadable(json.dumps({"$model": [f"{__name__}:Parcel", state]}), Parcel)
    assert "unknown height" in unreadable(
        json.dumps({"$model": [f"{__name__}:Parcel", {"weight": 3, "height": 1, **state}]}), Parcel
    )


@pytest.mark.parametrize("value", [an_order(), Packet(b"x")])
def test_a_model_is_refused_at_once_where_no_annotation_gives_its_class(value: object) -> None:
    codec = JsonCodec()
    for hints in (None, {}, {"order": object}, {"order": "unresolved"}, {"order": dict[str, int]}):
        with pytest.raises(InvalidPayload, match=r"^args\[0\]: class .* is found by annotation only"):
            encode_call(codec, (value,), {}, hints, ("order",))
    with pytest.raises(InvalidPayload, match=r"^result: .* is found by annotation only"):
        encode_result(codec, value)


def test_models_arrive_in_a_call_by_the_hints_of_its_parameters() -> None:
    codec = JsonCodec()
    hints = {"order": Order | None, "*rest": Packet, "**more": Annotated[Item, "x"]}
    args, kwargs = (an_order(), Packet(b"x")), {"item": Item(itemName="x", price=Decimal(1))}
    text = encode_call(codec, args, kwargs, hints, ("order",))
    assert decode_call(codec, text, hints, ("order",)) == (args, kwargs)
    assert codec.decode(encode_result(codec, [Packet(b"x")], list[Packet]), list[Packet]) == [Packet(b"x")]


def test_a_users_dict_cannot_forge_a_tag() -> None:
    forged = {"$dataclass": ["tests.strategies:Money", {"amount": 1, "currency": "x"}]}
    values: list[object] = [[forged], [{"$dict": [[1, 2]]}], [{"$": {"$": {"$tuple": []}}}], [{"$enum": ["a:b", "c"]}]]
    for value in values:
        assert same(round_trip(value), value)
    assert decode_call(JsonCodec(), encode_call(JsonCodec(), (), {"$bytes": "aGk="}), {}, ()) == (
        (),
        {"$bytes": "aGk="},
    )


def test_an_integer_of_any_size_arrives() -> None:
    assert round_trip([10**5000, -(10**100_000)]) == [10**5000, -(10**100_000)]
    assert "is no combination of" in unreadable(f'{{"$flag":["tests.strategies:Access",{{"$int":"{"f" * 5000}"}}]}}')
    assert "different elements" in unreadable(f'{{"$set":[{{"$int":"{"f" * 5000}"}},{{"$int":"{"f" * 5000}"}}]}}')


def test_an_int_enum_is_not_taken_for_an_int_nor_a_bool_for_one() -> None:
    class Local(IntEnum):
        ONE = 1

    codec = JsonCodec()
    value: list[object] = [1, True, 1.0, Local.ONE]
    assert same(codec.decode(codec.encode(value)), value)


def test_a_codec_of_the_user_sees_the_whole_call_and_its_hints() -> None:
    seen: list[object] = []

    class Reversed:
        def encode(self, value: object, *, what: str = "value") -> str:
            return JsonCodec().encode(JsonCodec().encode(value, what=what)[::-1])

        def decode(self, text: str, annotation: object = object) -> object:
            seen.append(annotation)
            inner = JsonCodec().decode(text)
            assert isinstance(inner, str)
            return JsonCodec().decode(inner[::-1], annotation)

    codec = Reversed()
    text = encode_call(codec, (7,), {"template": "hello"})
    assert decode_call(codec, text, {"user_id": int}, ["user_id"]) == ((7,), {"template": "hello"})
    assert seen == [CallHints({"user_id": int}, ("user_id",))]
    with pytest.raises(InvalidPayload, match=r"^args\[0\]: NaN"):
        encode_call(codec, (float("nan"),), {})
