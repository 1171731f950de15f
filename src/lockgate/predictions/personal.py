"""Personal inputs, encrypted as they are recorded: with a key of the person they speak of, which can be destroyed.

A key is made the first time that a writer sees a person, and is on file beside the segment (`<segment>.keys`) before the
record is; the archiver takes it into the database (`keyring.py`). Keys are kept encrypted with the home's own secret, on a host
away from the control plane sealed for its home (`far_keys.py`). A row without a business key shares one key with all such
rows of its day.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockgate.clock import DAY_US
from lockgate.late import late
from lockgate.predictions.record import Block, Columns, Record, Sealed, blocks_of, columns_of
from lockgate.predictions.subject import key_text, subject_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import aead
else:
    aead = late("cryptography.hazmat.primitives.ciphers.aead")

KEYS_SUFFIX = ".keys"
NONCE_BYTES, ID_BYTES, KEY_BYTES = 12, 16, 32
MOST_PEOPLE = 50_000  # whose keys a writer remembers
_encoder = msgspec.msgpack.Encoder()
_blocks = msgspec.msgpack.Decoder(list[Block])


class MadeKey(msgspec.Struct, frozen=True, array_like=True):
    """A person's key as it is kept. `subject`: the person, as a keyed hash; `wrapped`: encrypted with the home's secret.

    On a host away from the control plane `subject` is empty, and `wrapped` holds key and person, sealed for the home.
    """

    id: bytes
    model: str
    subject: str
    wrapped: bytes
    made_us: int


@dataclass(frozen=True)
class Personal:
    """Which inputs of a model are personal, and which holds the business key of each row."""

    columns: tuple[str, ...]
    key_field: str | None


KeepKey = Callable[
    [bytes, bytes, str, str, int], MadeKey
]  # number, key, model, who, when made -> as it is kept


def kept_here(secret: bytes) -> KeepKey:
    """How keys are kept at home: encrypted with the home's own secret."""

    def keep(number: bytes, key: bytes, model: str, who: str, made_us: int) -> MadeKey:
        return MadeKey(number, model, subject_of(secret, model, who), wrap(secret, number, key), made_us)

    return keep


class Protector:
    """Encrypts for one writer. `look` says what is personal in a model; None: nothing.

    `keep`: how new keys are kept; None: nobody could read them again, so personal inputs are left out of the record.
    `renew` gives another `keep` for each segment, whose keys are then used in no other.
    """

    def __init__(
        self, keep: KeepKey | None, look: Callable[[str], Personal | None] = lambda _: None,
        *, renew: Callable[[], KeepKey | None] | None = None,
    ) -> None:  # fmt: skip
        self._keep, self.look, self._renew = keep, look, renew
        self._known: OrderedDict[tuple[str, str], tuple[bytes, aead.AESGCM]] = OrderedDict()

    def protect(self, records: Sequence[Record], keys: Path) -> list[Record]:
        """The records with their personal inputs encrypted; new keys are in the file `keys` by then. Raises OSError."""
        made: list[MadeKey] = []
        found = [self._protected(record, made) for record in records]
        if made:
            _append(keys, made)
        return found

    def begin_segment(self) -> None:
        """A new segment was begun, and with it a new file of keys."""
        if self._renew is not None:
            self._keep = self._renew()
            self.forget()

    def forget(self) -> None:
        """Make new keys from now on: somebody's may have been destroyed."""
        self._known.clear()

    def _protected(self, record: Record, made: list[MadeKey]) -> Record:
        personal = self.look(record.model)
        if personal is None or not personal.columns or not record.inputs:
            return record
        rest, mine = _divided(record.inputs, frozenset(personal.columns))
        if not mine:
            return record
        if self._keep is None:
            return msgspec.structs.replace(record, inputs=rest)
        sealed = []
        bodies = _rows(mine, record.rows)
        for row, (who, body) in enumerate(zip(_people(record, personal.key_field), bodies, strict=True)):
            number, cipher = self._key(self._keep, record, who, made)
            nonce = os.urandom(NONCE_BYTES)
            sealed.append(Sealed(row, number, nonce + cipher.encrypt(nonce, body, record.id.encode())))
        return msgspec.structs.replace(record, inputs=rest, sealed=sealed)

    def _key(self, keep: KeepKey, record: Record, who: str, made: list[MadeKey]) -> tuple[bytes, aead.AESGCM]:
        known = self._known.get((record.model, who))
        if known is None:
            number, key = os.urandom(ID_BYTES), os.urandom(KEY_BYTES)
            made.append(keep(number, key, record.model, who, record.at_us))
            known = self._known[record.model, who] = (number, aead.AESGCM(key))
            if len(self._known) > MOST_PEOPLE:
                self._known.popitem(last=False)
        return known


def _people(record: Record, key_field: str | None) -> list[str]:
    """The business key of each row; rows without one share the day's."""
    nobody = f"day {record.at_us // DAY_US}"
    block = next((block for block in record.inputs if key_field in block.names), None)
    cells = [record.key] * record.rows
    if block is not None and key_field is not None:
        cells = columns_of([block])[key_field].tolist()
    return [nobody if cell is None else key_text(cell) for cell in cells]


def _divided(inputs: list[Block], hidden: frozenset[str]) -> tuple[list[Block], list[Block]]:
    """The blocks without and with personal columns; most records have whole blocks of either."""
    rest: list[Block] = []
    mine: list[Block] = []
    for block in inputs:
        own = hidden.intersection(block.names)
        if not own:
            rest.append(block)
        elif len(own) == len(block.names):
            mine.append(block)
        else:
            columns = columns_of([block])
            rest += blocks_of({name: values for name, values in columns.items() if name not in own})
            mine += blocks_of({name: values for name, values in columns.items() if name in own})
    return rest, mine


def _rows(blocks: list[Block], rows: int) -> list[bytes]:
    """Each row's part of the blocks, as msgpack."""
    if rows == 1:
        return [_encoder.encode(blocks)]
    columns = columns_of(blocks)
    return [
        _encoder.encode(blocks_of({name: values[row : row + 1] for name, values in columns.items()}))
        for row in range(rows)
    ]


def wrap(secret: bytes, number: bytes, key: bytes) -> bytes:
    """A person's key, encrypted with the home's secret."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + aead.AESGCM(_master(secret)).encrypt(nonce, key, number)


def unwrap(secret: bytes, made: MadeKey) -> bytes:
    """A person's key. Raises cryptography's InvalidTag when the secret is another."""
    nonce, body = made.wrapped[:NONCE_BYTES], made.wrapped[NONCE_BYTES:]
    return aead.AESGCM(_master(secret)).decrypt(nonce, body, made.id)


def opened(key: bytes, record_id: str, sealed: Sealed) -> Columns:
    """The personal inputs of one row."""
    nonce, body = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
    return columns_of(_blocks.decode(aead.AESGCM(key).decrypt(nonce, body, record_id.encode())))


def read_keys(path: Path) -> list[MadeKey]:
    """The keys in a file; a last one that is half-written was used by no record."""
    body, found, place = path.read_bytes(), [], 0
    while place + 4 <= len(body):
        size = int.from_bytes(body[place : place + 4], "little")
        if place + 4 + size > len(body):
            break
        found.append(msgspec.msgpack.decode(body[place + 4 : place + 4 + size], type=MadeKey))
        place += 4 + size
    return found


def _append(path: Path, made: list[MadeKey]) -> None:
    parts = [_encoder.encode(one) for one in made]
    body = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        before = os.fstat(handle).st_size
        if os.write(handle, body) < len(body):
            os.ftruncate(handle, before)
            raise OSError("no room for the keys of personal inputs")
    finally:
        os.close(handle)


def _master(secret: bytes) -> bytes:
    return sha256(b"lockgate personal keys\0" + secret).digest()
