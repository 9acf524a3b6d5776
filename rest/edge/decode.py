"""From bytes and query strings to typed values; every refusal says where the fault is.

msgspec does the typing. Around it stand four checks it does not make: no NUL (PostgreSQL text cannot hold
it), no JSON deeper than 16 levels, no instants outside 1970 to 2200 (they overflow when moved to UTC), and
plain numbers in queries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect

from rest.edge.errors import InvalidInput, MalformedJson, UnknownParameter
from storage.base import codec

DEPTH_MAX = 16
INSTANT_MIN = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MAX = datetime(2200, 1, 1, tzinfo=UTC)

_NOT_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+')
_PLACE = re.compile(r"(?P<text>.*?)(?: - at `(?P<path>.*)`)?", re.DOTALL)
_NAMED = re.compile(r"Object (?P<fault>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?")

Check = Callable[[Any, str], None]


class BodyReader:
    """Decodes JSON bodies of one type. Raises MalformedJson, InvalidInput."""

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._check = _instant_check(inspect.type_info(kind))
        self.may_be_absent = not any(field.required for field in msgspec.structs.fields(kind))

    def read(self, raw: bytes) -> Any:  # noqa: ANN401 - the type is the reader's
        if not raw:
            if not self.may_be_absent:
                raise invalid("", "required", "The body is missing.")
            raw = b"{}"
        if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX:
            _refuse_depth(raw)
        if b"\\u0000" in raw:
            _refuse_nul(raw)
        try:
            value = self._decode(raw)
        except msgspec.ValidationError as fault:
            raise _located(str(fault)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise _malformed(str(fault)) from None
        if self._check is not None:
            self._check(value, "")
        return value


class QueryReader:
    """Reads the query string into one type; unknown parameters are refused, lists are comma-separated."""

    def __init__(self, kind: type[msgspec.Struct] | None) -> None:
        self._kind = kind
        fields = {} if kind is None else {f.encode_name: f for f in inspect.type_info(kind).fields}  # type: ignore[attr-defined]
        self._parse = {name: _parser(field.type) for name, field in fields.items()}
        self._check = None if kind is None else _instant_check(inspect.type_info(kind))
        self._empty = self._read_or_none({})

    def read(self, query: Any) -> Any:  # noqa: ANN401 - a multidict in, the reader's type out
        """Raises UnknownParameter, InvalidInput."""
        if not query and self._empty is not None:
            return self._empty
        values: dict[str, Any] = {}
        for name, text in query.items():
            if name not in self._parse:
                raise UnknownParameter(f"There is no parameter {name[:64]!r} here.", parameter=name[:64])
            if name in values:
                raise invalid_parameter(name, "Given more than once.")
            if "\x00" in text:
                raise invalid_parameter(name, "Text must not contain NUL.")
            values[name] = self._parse[name](text)
        return self._convert(values)

    def _read_or_none(self, values: dict[str, Any]) -> Any:  # noqa: ANN401 - see read
        try:
            return self._convert(values)
        except InvalidInput:
            return None

    def _convert(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - see read
        if self._kind is None:
            return None
        try:
            value = msgspec.convert(values, self._kind)
        except msgspec.ValidationError as fault:
            located = _located(str(fault))
            raise invalid_parameter(located.fields["field"].split(".")[0], located.detail) from None
        if self._check is not None:
            try:
                self._check(value, "")
            except InvalidInput as fault:
                raise invalid_parameter(fault.fields["field"], fault.detail) from None
        return value


def invalid(pointer: str, code: str, detail: str) -> InvalidInput:
    """A body fault at an RFC 6901 pointer; `field` repeats it in dots for people."""
    field = pointer.removeprefix("/").replace("/", ".").replace("~1", "/").replace("~0", "~")
    return InvalidInput(detail, field=field, errors=[{"pointer": pointer, "code": code, "detail": detail}])


def invalid_parameter(name: str, detail: str) -> InvalidInput:
    """A query fault."""
    fault = {"parameter": name, "code": "wrong_value", "detail": detail}
    return InvalidInput(detail, field=name, errors=[fault])


def _malformed(text: str) -> MalformedJson:
    detail = text if text.isascii() else "The body is not valid UTF-8."
    return MalformedJson(detail, errors=[{"pointer": "", "code": "malformed_json", "detail": detail}])


def _located(text: str) -> InvalidInput:
    """msgspec says "Expected `int`, got `str` - at `$.lines[0].qty`"; the answer has /lines/0/qty."""
    place = _PLACE.fullmatch(text)
    assert place is not None  # noqa: S101 - the pattern matches any text
    steps = [name or index for name, index in _STEP.findall(place["path"] or "")]
    code, detail = "wrong_value", place["text"]
    named = _NAMED.fullmatch(detail)
    if named is not None:
        steps.append(named["name"][:64])
        is_unknown = named["fault"].startswith("contains")
        code, detail = ("unknown_field", "Unknown field.") if is_unknown else ("required", "Required.")
    return invalid("".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps), code, detail)


def _refuse_depth(raw: bytes) -> None:
    depth = 0
    for byte in _NOT_BRACKETS.sub(b"", raw):
        if byte in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise _malformed(f"The body is nested deeper than {DEPTH_MAX} levels.")
        elif byte in b"]}":
            depth -= 1


def _refuse_nul(raw: bytes) -> None:
    # Found by text, confirmed by value: "\\u0000" inside a string may be an escaped backslash before "u0000".
    try:
        value = codec.loads(raw)
    except ValueError as fault:
        raise _malformed(str(fault)) from None
    pointer = _find_nul(value, "")
    if pointer is not None:
        raise invalid(pointer, "wrong_value", "Text must not contain NUL.")


def _find_nul(value: Any, pointer: str) -> str | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return pointer if "\x00" in value else None
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        if any("\x00" in name for name in value):
            return pointer
        parts = list(value.items())
    elif isinstance(value, list):
        parts = [(str(n), item) for n, item in enumerate(value)]
    for name, item in parts:
        found = _find_nul(item, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
        if found is not None:
            return found
    return None


def _instant_check(info: inspect.Type) -> Check | None:
    """A walk over just the instants of a type; None when it has none."""
    if isinstance(info, inspect.Metadata):
        return _instant_check(info.type)
    if isinstance(info, inspect.DateTimeType):
        return _check_instant
    if isinstance(info, inspect.UnionType):
        return _all_of([check for part in info.types if (check := _instant_check(part))])
    if isinstance(info, inspect.ListType | inspect.VarTupleType):
        return _each(_instant_check(info.item_type))
    if isinstance(info, inspect.StructType):
        return _fields_of(info)
    return None


def _check_instant(value: Any, pointer: str) -> None:  # noqa: ANN401 - union members are told apart here
    if isinstance(value, datetime) and not INSTANT_MIN <= value <= INSTANT_MAX:
        raise invalid(pointer, "wrong_value", "The instant must lie between 1970 and 2200.")


def _all_of(checks: list[Check]) -> Check | None:
    def check_all(value: Any, pointer: str) -> None:  # noqa: ANN401 - see _check_instant
        for check in checks:
            check(value, pointer)

    return check_all if checks else None


def _each(check: Check | None) -> Check | None:
    def check_each(value: Any, pointer: str) -> None:  # noqa: ANN401 - see _check_instant
        if check is not None and isinstance(value, list | tuple):
            for n, item in enumerate(value):
                check(item, f"{pointer}/{n}")

    return check_each if check else None


def _fields_of(info: inspect.StructType) -> Check | None:
    checks = [(f.name, f.encode_name, check) for f in info.fields if (check := _instant_check(f.type))]

    def check_fields(value: Any, pointer: str) -> None:  # noqa: ANN401 - see _check_instant
        if isinstance(value, info.cls):
            for name, wire_name, check in checks:
                check(getattr(value, name), f"{pointer}/{wire_name}")

    return check_fields if checks else None


def _parser(info: inspect.Type) -> Callable[[str], Any]:
    """How the text of a parameter becomes the JSON value its type expects; strict typing comes after."""
    if isinstance(info, inspect.Metadata):
        return _parser(info.type)
    kinds = info.types if isinstance(info, inspect.UnionType) else (info,)
    for kind in kinds:
        if isinstance(kind, inspect.ListType | inspect.VarTupleType):
            parse = _parser(kind.item_type)
            return lambda text: [parse(part) for part in text.split(",")]
        if isinstance(kind, inspect.IntType):
            return lambda text: int(text) if _INT.fullmatch(text) else text
        if isinstance(kind, inspect.FloatType):
            return lambda text: float(text) if _FLOAT.fullmatch(text) else text
        if isinstance(kind, inspect.BoolType):
            return lambda text: {"true": True, "false": False}.get(text, text)
    return lambda text: text
