"""Signed checkpoints of the audit log: what lets `verify` see a chain that was cut off or rewritten as a whole.

A checkpoint is the newest row's number and hash, signed with Ed25519. It is kept twice: in the database, and in the
file `audit/checkpoints.jsonl` of the home, which an auditor may copy elsewhere. The private key lies in `secrets/`.
Whoever holds database, file and key can write history anew, so copies of the file belong outside the box.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import SealBroken, Unavailable
from lockgate.governance.audit import GENESIS, AuditRow, Fault, FaultKind, Head, chain, find_faults, head
from lockgate.governance.tables import audit, audit_checkpoints, audit_head

_FORMAT = "lockgate-checkpoint-1"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The chain's end at one moment. `signature` is base64 of Ed25519 over the rest."""

    seq: int
    hash: str
    at_us: int
    signature: str = ""


@dataclass(frozen=True)
class Verification:
    """What a whole reading of the chain found. `faults` is empty when every row is as it was written."""

    rows: int
    checkpoints: int
    signed_to: int  # rows up to here are held by a signature; later ones by the chain alone
    faults: tuple[Fault, ...]


def checkpoint_file(home: Home) -> Path:
    """Where checkpoints are written beside the database."""
    return home.root / "audit" / "checkpoints.jsonl"


def public_key_file(home: Home) -> Path:
    """The public half of the signing key, for auditors."""
    return home.root / "audit" / "public.pem"


def checkpoint(database: Database, home: Home, *, at_us: int) -> Checkpoint | None:
    """Sign the head of the chain; None when nothing was added since the last time.

    The rows since the last checkpoint are read first: a chain that does not hold is never signed. Raises SealBroken then.
    """
    key = signing_key(home)
    with database.write() as tx:
        # the head is locked, so two checkpoints at once take turns
        tx.execute(sa.select(audit_head.c.seq).where(audit_head.c.id == 1).with_for_update())
        end = head(tx)
        kept = _recover(tx, home, key.public_key())
        last = kept[-1] if kept else Checkpoint(seq=0, hash=GENESIS, at_us=0)
        faults = find_faults(chain(tx, after=last.seq), end, Head(last.seq, last.hash))
        if faults:
            raise SealBroken(f"the audit log does not hold: {faults[0].what}", fix="lockgate audit verify")
        if end.seq == last.seq:
            return None
        made = sign(key, Checkpoint(seq=end.seq, hash=end.hash, at_us=at_us))
        _append_line(
            checkpoint_file(home), made
        )  # before the commit: a line too much is found and entered next time
        tx.execute(sa.insert(audit_checkpoints).values(**msgspec.structs.asdict(made)))
    return made


def verify(database: Database, home: Home) -> Verification:
    """Read the whole chain and every checkpoint, and say what is wrong. Needs no private key."""
    with database.read() as tx:
        return verify_in(tx, home)


def verify_in(tx: sa.Connection, home: Home) -> Verification:
    """`verify` as this transaction sees the log; it must see one consistent snapshot."""
    try:
        public = load_pem_public_key(public_key_file(home).read_bytes())
    except FileNotFoundError:
        public = None  # nothing was ever signed here
    if public is not None and not isinstance(public, Ed25519PublicKey):
        raise SealBroken(f"{public_key_file(home)} is no Ed25519 key", fix="restore it from a copy")
    stored = _stored(tx)
    written, unreadable = read_checkpoints(checkpoint_file(home))
    rows = int(tx.execute(sa.select(sa.func.count()).select_from(audit)).scalar_one())
    signed = {*stored, *written}
    watch = Watch(chain(tx), signed, public)
    faults = [*find_faults(watch, head(tx)), *unreadable, *watch.faults(), *_lost(stored, written)]
    held = watch.held
    return Verification(
        rows, len(signed), max(held, default=0), tuple(sorted(faults, key=lambda f: (f.seq, f.kind)))
    )


class Watch:
    """Passes rows on and compares each with the checkpoints that name it."""

    def __init__(
        self, rows: Iterable[AuditRow], checkpoints: Iterable[Checkpoint], public: Ed25519PublicKey | None
    ) -> None:
        self._rows = rows
        self._faults: list[Fault] = []
        self._waiting: dict[int, list[Checkpoint]] = {}
        self.held: list[int] = []
        for each in checkpoints:
            if public is not None and is_signed(public, each):
                self._waiting.setdefault(each.seq, []).append(each)
            else:
                what = (
                    f"the checkpoint of row {each.seq} was not signed with this home's key, or changed since"
                )
                self._faults.append(Fault(each.seq, FaultKind.FORGED_CHECKPOINT, what))

    def __iter__(self) -> Iterator[AuditRow]:
        for row in self._rows:
            for each in self._waiting.pop(row.seq, []):
                if each.hash == row.hash:
                    self.held.append(row.seq)
                    continue
                what = f"row {row.seq} is not the one that was signed: the log was rewritten up to here"
                self._faults.append(Fault(row.seq, FaultKind.REWRITTEN, what))
            yield row

    def faults(self) -> list[Fault]:
        """What was wrong, once every row has passed: checkpoints whose row never came are the sign of a cut."""
        gone = [
            Fault(seq, FaultKind.CUT_OFF, f"row {seq} was signed and is no longer there")
            for seq in sorted(self._waiting)
        ]
        return [*self._faults, *gone]


def sign(key: Ed25519PrivateKey, made: Checkpoint) -> Checkpoint:
    """The checkpoint with its signature."""
    return msgspec.structs.replace(made, signature=base64.b64encode(key.sign(_signed_bytes(made))).decode())


def is_signed(public: Ed25519PublicKey, found: Checkpoint) -> bool:
    """Whether the signature is that of this key over these values."""
    try:
        public.verify(base64.b64decode(found.signature, validate=True), _signed_bytes(found))
    except (InvalidSignature, ValueError):
        return False
    return True


def signing_key(home: Home) -> Ed25519PrivateKey:
    """The home's private key, made on first use, readable by its owner alone."""
    path, public_path = home.secrets / "audit-signing.pem", public_key_file(home)
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        _write_new(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    key = _load(path)
    if not public_path.exists():
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write_new(public_path, public, 0o644)
    return key


def read_checkpoints(path: Path) -> tuple[list[Checkpoint], list[Fault]]:
    """The file's checkpoints, and a fault for each line that is none."""
    found: list[Checkpoint] = []
    faults: list[Fault] = []
    # a last line without its end was torn by a crash; if it was ever whole, the database has it too and it is missed
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(msgspec.json.decode(line, type=Checkpoint))
        except msgspec.DecodeError:
            seq = found[-1].seq if found else 0
            faults.append(
                Fault(seq, FaultKind.FORGED_CHECKPOINT, f"line {number} of {path.name} is no checkpoint")
            )
    return found, faults


def _recover(tx: sa.Connection, home: Home, public: Ed25519PublicKey) -> list[Checkpoint]:
    """The stored checkpoints, with those entered that a crash left in the file alone."""
    stored = _stored(tx)
    known = {each.seq for each in stored}
    for each in read_checkpoints(checkpoint_file(home))[0]:
        if each.seq not in known and is_signed(public, each):
            known.add(each.seq)
            stored.append(each)
            tx.execute(sa.insert(audit_checkpoints).values(**msgspec.structs.asdict(each)))
    return sorted(stored, key=lambda each: each.seq)


def _stored(tx: sa.Connection) -> list[Checkpoint]:
    query = sa.select(audit_checkpoints).order_by(audit_checkpoints.c.seq)
    return [msgspec.convert(row, Checkpoint, from_attributes=True) for row in tx.execute(query)]


def _lost(stored: Sequence[Checkpoint], written: Sequence[Checkpoint]) -> list[Fault]:
    """Checkpoints that one of the two places no longer has. The file may be one ahead: it is written first."""
    in_file, in_table = {each.seq for each in written}, {each.seq for each in stored}
    newest = max(in_file, default=0)
    faults = [
        Fault(seq, FaultKind.MISSING_CHECKPOINT, f"the checkpoint of row {seq} is gone from the file")
        for seq in sorted(in_table - in_file)
    ]
    return faults + [
        Fault(seq, FaultKind.MISSING_CHECKPOINT, f"the checkpoint of row {seq} is gone from the database")
        for seq in sorted(in_file - in_table)
        if seq != newest
    ]


def _signed_bytes(made: Checkpoint) -> bytes:
    return msgspec.json.encode([_FORMAT, made.seq, made.hash, made.at_us])


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise SealBroken(f"the signing key {path} cannot be read", fix="restore it from a backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SealBroken(f"the signing key {path} is no Ed25519 key", fix="restore it from a backup")
    return key


def _append_line(path: Path, made: Checkpoint) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        whole = path.read_bytes().rfind(b"\n") + 1
        file.truncate(whole)  # what a crash tore is not kept
        file.write(msgspec.json.encode(made) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _write_new(path: Path, body: bytes, mode: int) -> None:
    """Write a file whole; if somebody else was first, theirs stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
        temporary.unlink()
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written", got=error.strerror, fix="see its rights and its space"
        ) from error
