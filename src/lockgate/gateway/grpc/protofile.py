"""Protobuf definitions from tables: no generated code, no compiler to install.

All of them live in one pool of their own, so a client's generated classes may be in the same process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from lockgate.late import late

if TYPE_CHECKING:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
else:
    descriptor_pb2 = late("google.protobuf.descriptor_pb2")
    descriptor_pool = late("google.protobuf.descriptor_pool")
    message_factory = late("google.protobuf.message_factory")


@dataclass(frozen=True, eq=False)
class ProtoFile:
    """One file of definitions.

    `messages`: name -> its fields, parted by commas, each `name kind`, where its number is not the next one or it is one
    of several that exclude each other `name kind number choice`. Kinds: `*` repeated, `{}` a map from text, a capital:
    another message, `#` an enum. `services`: name -> `method asked answered`, parted by commas; `*` a stream.
    """

    name: str
    package: str
    messages: dict[str, str]
    services: dict[str, str]
    enums: dict[str, str] = field(default_factory=dict)  # Message.Enum -> its names, from 0

    def full(self, service: str) -> str:
        """A service's full name."""
        return f"{self.package}.{service}"


@cache
def pool() -> Any:
    """The pool that all definitions go into. Raises ImportError without protobuf."""
    return descriptor_pool.DescriptorPool()


@cache
def classes_of(definitions: ProtoFile) -> dict[str, Any]:
    """The message classes of a file by name, nested ones as attributes of theirs; the file is added to the pool."""
    file = descriptor_pb2.FileDescriptorProto(
        name=definitions.name, package=definitions.package, syntax="proto3"
    )
    made: dict[str, Any] = {}
    for name, fields in definitions.messages.items():
        outer, _, own = name.rpartition(".")
        message = (made[outer].nested_type if outer else file.message_type).add(name=own)
        made[name] = message
        for number, words in enumerate(filter(None, fields.split(", ")), 1):
            _add_field(message, definitions.package, name, number, words)
    for name, values in definitions.enums.items():
        outer, _, own = name.rpartition(".")
        enum = made[outer].enum_type.add(name=own)
        for number, value in enumerate(values.split(" ")):
            enum.value.add(name=value, number=number)
    for name, methods in definitions.services.items():
        service = file.service.add(name=name)
        for method in methods.split(", "):
            _add_method(service, definitions.package, *method.split(" "))
    pool().Add(file)
    return {
        name: message_factory.GetMessageClass(pool().FindMessageTypeByName(f"{definitions.package}.{name}"))
        for name in definitions.messages
        if "." not in name
    }


def _add_field(message: Any, package: str, owner: str, place: int, words: str) -> None:
    name, kind, number, choice = [*words.split(" "), "", ""][:4]
    field_type = descriptor_pb2.FieldDescriptorProto
    mapped, repeated = kind.startswith("{}"), kind.startswith(("*", "{}"))
    label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
    kind = kind.lstrip("*{}")
    made = message.field.add(name=name, number=int(number or place), label=label)
    if choice:
        if choice not in [one.name for one in message.oneof_decl]:
            message.oneof_decl.add(name=choice)
        made.oneof_index = [one.name for one in message.oneof_decl].index(choice)
    if mapped:
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, package, "", 1, "key string")
        _add_field(entry, package, "", 2, f"value {kind}")
        kind = f"{owner}.{entry.name}"
    if kind.startswith("#"):
        made.type, made.type_name = field_type.TYPE_ENUM, f".{package}.{kind[1:]}"
    elif kind[0].isupper():
        made.type, made.type_name = field_type.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        made.type = getattr(field_type, f"TYPE_{kind.upper()}")


def _add_method(service: Any, package: str, name: str, asked: str, answered: str) -> None:
    service.method.add(
        name=name,
        input_type=f".{package}.{asked.lstrip('*')}",
        output_type=f".{package}.{answered.lstrip('*')}",
        client_streaming=asked.startswith("*"),
        server_streaming=answered.startswith("*"),
    )
