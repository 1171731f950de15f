"""YAML text as typed values, with errors that name the line, what was found and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
import yaml

from lockgate.errors import InvalidInput

T = TypeVar("T")
ANY_ENTRY = "..."  # how msgspec writes "one of the entries of this mapping"
MOST_VALUES = 1_000_000  # of a file, written out
HELP = "docs/configuration.md lists every key with its default"
_PLAIN = (  # of words without quotes, in the order of asking: how they look, and with which signs they begin
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0o?_*[0-7][0-7_]*|[1-9][0-9_]*|0|0x_*[0-9a-fA-F][0-9a-fA-F_]*|0b_*[01][01_]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
              r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)", list("-+0123456789.")),
    ("merge", r"<<", ["<"]),
)  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Reads words as YAML 1.2 does: `on`, `no` and `12:30` are text; keys of mappings are text however they look.

    PyYAML by itself follows YAML 1.1, where `on: key` is True: key. Days stay text, too: whoever expects one reads it.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name, of this class alone

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are the words that were written."""
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


for _kind, _looks, _first in _PLAIN:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_looks})$"), _first)


def load_yaml(text: str) -> Any:
    """Plain values of YAML text. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


def read_yaml(path: Path, kind: type[T]) -> T:
    """A YAML file as a value of `kind`. Raises InvalidInput that names the line, or says that it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read as text", got=error) from error
    return parse_yaml(text, kind, str(path))


def parse_yaml(text: str, kind: type[T], source: str) -> T:
    """YAML text as a value of `kind`. Raises InvalidInput that names the line."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        _refuse_twins(node, source, {})
        value = load_yaml(text)
    except RecursionError as error:
        raise InvalidInput(f"{source}: lists and mappings stand in each other far too deep") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}, line {mark.line + 1}" if mark else source
        raise InvalidInput(f"{where}: not valid YAML", got=getattr(error, "problem", error)) from error
    return convert({} if value is None else value, kind, source, node)


def convert(value: object, kind: type[T], source: str, node: yaml.Node | None = None) -> T:
    """Plain values as a value of `kind`. Raises InvalidInput that names the place, and the line when a node is given."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), value, kind, node, source) from error


def schema_of(kind: Any, title: str) -> dict[str, Any]:
    """The JSON Schema of a file, for editors: they complete keys and mark mistakes while one types."""
    schema = msgspec.json.schema(kind)
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **plain}


def _refuse_twins(node: yaml.Node | None, source: str, walked: dict[int, int]) -> int:
    """YAML parsers keep the last of two equal keys without a word; a setting would be lost. Nor may anything hold itself.

    Returns how many values it is, written out: one with a name (`&name`) may stand in many places, and a few lines make billions.
    `walked`: the same by the id of each node, 0 while it is being walked.
    """
    if not isinstance(node, yaml.CollectionNode):
        return 1
    line = f"{source}, line {node.start_mark.line + 1}"
    if id(node) not in walked:
        walked[id(node)] = 0
        inside = node.value
        if isinstance(node, yaml.MappingNode):
            _refuse_equal(node, source)
            inside = [value for _, value in node.value]
        walked[id(node)] = 1 + sum(_refuse_twins(each, source, walked) for each in inside)
    if not walked[id(node)]:
        raise InvalidInput(f"{line}: a list or a mapping holds itself")
    if walked[id(node)] > MOST_VALUES:
        raise InvalidInput(
            f"{line}: too many values", got=walked[id(node)], allowed=f"at most {MOST_VALUES:,}"
        )
    return walked[id(node)]


def _refuse_equal(node: yaml.MappingNode, source: str) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise InvalidInput(f"{source}, line {line}: a key is a word", got="a list or a mapping", fix=HELP)
        if key.value in seen:
            raise InvalidInput(
                f"{source}, line {line}: '{key.value}' was set before, in line {seen[key.value]}",
                fix="keep one of the two",
            )
        seen[key.value] = line


def _explain(message: str, value: object, kind: Any, node: yaml.Node | None, source: str) -> InvalidInput:
    """msgspec says ``Expected `int` - at `$.models[...].x` ``: find that place's line, and what is allowed there."""
    text, _, path = message.partition(" - at `")
    path = path.removeprefix("key` in `").rstrip("`").removeprefix("$")
    steps = [name or index for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", path)]
    steps = _resolve(steps, message, value, kind)
    here = _type_at(kind, steps)
    got: object
    allowed: str | None
    unknown = re.search(r"unknown field `([^`]+)`", text)
    fix = HELP
    if unknown:
        name, known = unknown.group(1), _keys(here)
        near = difflib.get_close_matches(name, known, n=1)
        text, fix = f"unknown key '{name}'", f"did you mean '{near[0]}'? {HELP}" if near else HELP
        got, allowed = None, ", ".join(sorted(known))
        steps = [*steps, name]
    else:
        got, allowed = _value_at(value, steps), ", ".join(_choices(here)) or None
    place = ".".join(steps[:-1] if unknown else steps)
    where = f"{source}: " if node is None else f"{source}, line {_line_of(node, steps)}: "
    return InvalidInput(where + text + (f" at '{place}'" if place else ""), got=got, allowed=allowed, fix=fix)


def _resolve(steps: list[str], message: str, value: object, kind: Any) -> list[str]:
    """The steps with every `...` replaced by the entry that is wrong: the one that fails with the same message alone."""
    found: list[str] = []
    for place, step in enumerate(steps):
        here = _value_at(value, found)
        if step == ANY_ENTRY and isinstance(here, dict):
            wrong = (str(key) for key in here if _fails_alone(found, key, message, value, kind))
            found.append(next(wrong, ANY_ENTRY))
        else:
            found.append(step)
        if found[-1] == ANY_ENTRY:
            return found + steps[place + 1 :]
    return found


def _fails_alone(steps: list[str], key: object, message: str, value: object, kind: Any) -> bool:
    try:
        msgspec.convert(_only(value, steps, key), kind)
    except msgspec.ValidationError as error:
        return str(error) == message
    return False


def _only(value: Any, steps: list[str], key: object) -> Any:
    if not steps:
        return {key: value[key]}
    if isinstance(value, list):
        return [_only(item, steps[1:], key) if str(i) == steps[0] else item for i, item in enumerate(value)]
    return {k: _only(v, steps[1:], key) if str(k) == steps[0] else v for k, v in value.items()}


def _value_at(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = next((v for k, v in value.items() if str(k) == step), None)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _type_at(kind: Any, steps: list[str]) -> Any:
    for step in steps:
        kind = next(_inner(kind, step), None)
    return kind


def _inner(kind: Any, step: str) -> Iterator[Any]:
    """What may stand one step below a type: a field of a struct, the values of a mapping, the items of a tuple."""
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            yield from (field.type for field in msgspec.structs.fields(option) if field.encode_name == step)
        elif get_origin(option) is dict:
            yield get_args(option)[1]
        elif get_origin(option) in (list, tuple):
            yield get_args(option)[0]


def _options(kind: Any) -> list[Any]:
    """The members of a union, without the notes that `Annotated` adds."""
    if get_origin(kind) is Annotated:
        return _options(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [inner for option in get_args(kind) for inner in _options(option)]
    return [kind]


def _choices(kind: Any) -> list[str]:
    return [
        str(m.value)
        for option in _options(kind)
        if isinstance(option, type) and issubclass(option, Enum)
        for m in option
    ]


def _keys(kind: Any) -> list[str]:
    return [
        field.encode_name
        for option in _options(kind)
        if isinstance(option, type) and issubclass(option, msgspec.Struct)
        for field in msgspec.structs.fields(option)
    ]


def _line_of(node: yaml.Node, steps: list[str]) -> int:
    line = node.start_mark.line + 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = node.start_mark.line + 1
    return line
