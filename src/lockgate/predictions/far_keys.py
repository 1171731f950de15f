"""Keys of personal inputs that are made on a gateway host away from the control plane, and can be read at home alone.

The host seals each key, together with whose it is, for the public key of its home: X25519 with a fresh pair for each segment,
HKDF-SHA256, AES-256-GCM. At home they are opened and kept as if they had been made there, so an erasure finds them by
the person. The host keeps no key: what it has recorded, and what is stolen from its disk, it cannot read.
"""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockgate.late import late
from lockgate.predictions.personal import NONCE_BYTES, KeepKey, MadeKey, kept_here

if TYPE_CHECKING:
    from cryptography import exceptions
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import x25519
    from cryptography.hazmat.primitives.ciphers import aead
    from cryptography.hazmat.primitives.kdf import hkdf
else:
    exceptions = late("cryptography.exceptions")
    hashes, serialization = (
        late("cryptography.hazmat.primitives.hashes"),
        late("cryptography.hazmat.primitives.serialization"),
    )
    x25519 = late("cryptography.hazmat.primitives.asymmetric.x25519")
    aead, hkdf = (
        late("cryptography.hazmat.primitives.ciphers.aead"),
        late("cryptography.hazmat.primitives.kdf.hkdf"),
    )

PUBLIC_NAME = "log.public"
PUBLIC_BYTES = 32
_ABOUT = b"lockgate far keys\0"


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What a host seals: a person's key, and the person."""

    key: bytes
    who: str


def public_key(secret: bytes) -> bytes:
    """The public key of a home, out of its log's secret."""
    return _public_bytes(_private_key(secret).public_key())


def keep_public(folder: Path, public: bytes) -> None:
    """Put the home's public key into a host's `secrets/`, if another or none is there. Raises OSError."""
    if public_in(folder) == public:
        return
    temporary = folder / f"{PUBLIC_NAME}.{secrets.token_hex(4)}"
    temporary.write_bytes(public)
    temporary.replace(folder / PUBLIC_NAME)


def public_in(folder: Path) -> bytes | None:
    """The home's public key as this host knows it; None before the first contact."""
    try:
        return (folder / PUBLIC_NAME).read_bytes()
    except FileNotFoundError:
        return None


def kept_at_home(public: bytes) -> KeepKey:
    """How a host keeps the keys that it makes for one segment: sealed for its home."""
    own = x25519.X25519PrivateKey.generate()
    shared = own.exchange(x25519.X25519PublicKey.from_public_bytes(public))
    sender = _public_bytes(own.public_key())
    cipher = _cipher(shared, sender + public)

    def keep(number: bytes, key: bytes, model: str, who: str, made_us: int) -> MadeKey:
        nonce = os.urandom(NONCE_BYTES)
        body = cipher.encrypt(nonce, msgspec.msgpack.encode(_Sealed(key, who)), number + model.encode())
        return MadeKey(number, model, "", sender + nonce + body, made_us)

    return keep


def opened_at_home(secret: bytes, made: MadeKey) -> MadeKey | None:
    """A key that a host sealed, as this home keeps its own; None when it was sealed for another home, or is damaged."""
    sender, nonce = made.wrapped[:PUBLIC_BYTES], made.wrapped[PUBLIC_BYTES : PUBLIC_BYTES + NONCE_BYTES]
    body = made.wrapped[PUBLIC_BYTES + NONCE_BYTES :]
    private = _private_key(secret)
    try:
        shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(sender))
        cipher = _cipher(shared, sender + _public_bytes(private.public_key()))
        sealed = msgspec.msgpack.decode(
            cipher.decrypt(nonce, body, made.id + made.model.encode()), type=_Sealed
        )
    except (ValueError, exceptions.InvalidTag, msgspec.DecodeError):
        return None
    return kept_here(secret)(made.id, sealed.key, made.model, sealed.who, made.made_us)


def _private_key(secret: bytes) -> x25519.X25519PrivateKey:
    return x25519.X25519PrivateKey.from_private_bytes(sha256(_ABOUT + secret).digest())


def _public_bytes(key: x25519.X25519PublicKey) -> bytes:
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return key.public_bytes(*raw)


def _cipher(shared: bytes, parties: bytes) -> aead.AESGCM:
    derived = hkdf.HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_ABOUT + parties).derive(shared)
    return aead.AESGCM(derived)
