"""Sealing a folder into a package, and opening one: every byte is checked, nothing extra is accepted.

`package.json` holds the SHA-256 and the size of every other file; the package is named by the SHA-256 of
`package.json` itself. Symbolic links and special files are refused, and so is a folder that holds no sealed file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import msgspec

from lockgate.blobs import Blobs
from lockgate.errors import InvalidInput, SealBroken
from lockgate.registry.manifest import MANIFEST_NAME, Manifest, SealedFile, canonical

DIGEST_PREFIX = "sha256:"
MAX_FILES = 10_000
MAX_MANIFEST_BYTES = 32 * 1024 * 1024


def seal(folder: Path, manifest: Manifest) -> tuple[str, Manifest]:
    """Write `package.json` into `folder` and return the package's digest and the manifest with `files` filled.

    The same files and the same manifest give the same digest. Raises InvalidInput for an empty folder, for links,
    special files and names that are not UTF-8.
    """
    files = {name: path for name, path in _files(folder, InvalidInput).items() if name != MANIFEST_NAME}
    if not files:
        raise InvalidInput(
            f"there is nothing to seal in {folder}", fix="put the model's files below it first"
        )
    sealed = msgspec.structs.replace(manifest, files={name: _sealed(files[name]) for name in sorted(files)})
    body = canonical(sealed)
    temporary = folder / f".{MANIFEST_NAME}.part"
    temporary.write_bytes(body)
    temporary.rename(folder / MANIFEST_NAME)
    return digest_of_bytes(body), sealed


def store_package(blobs: Blobs, digest: str, folder: Path, cache: Path) -> bool:
    """Store a sealed folder under its digest. A copy that is there already is read whole, and replaced when it is broken.

    True when it was replaced. `cache`: where copies of a far store lie. Raises Unavailable when the store cannot be written.
    """
    name, mended = blob_name(digest), False
    if blobs.exists(name):
        try:
            open_package(blobs.fetch_tree(name, cache), digest)
        except SealBroken:
            blobs.remove_tree(name, cache)
            mended = True
    blobs.put_tree(name, folder)
    return mended


def open_package(folder: Path, digest: str) -> Manifest:
    """The manifest of a sealed package after checking every byte. Raises SealBroken that names the file."""
    manifest = read_manifest(folder, digest)
    found = _files(folder, SealBroken)
    found.pop(MANIFEST_NAME, None)
    for name in sorted(manifest.files.keys() - found.keys()):
        raise _broken(digest, name, "is missing")
    for name in sorted(found.keys() - manifest.files.keys()):
        raise _broken(digest, name, "was added after sealing")
    for name, expected in sorted(manifest.files.items()):
        if _sealed(found[name]) != expected:
            raise _broken(digest, name, "was changed after sealing")
    return manifest


def read_manifest(folder: Path, digest: str) -> Manifest:
    """The manifest alone, checked against the digest; the other files are not looked at. Raises SealBroken."""
    path = folder / MANIFEST_NAME
    if path.is_symlink() or not path.is_file():
        raise _broken(digest, MANIFEST_NAME, "is missing")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise _broken(digest, MANIFEST_NAME, "was changed after sealing")
    body = path.read_bytes()
    if digest_of_bytes(body) != digest:
        raise _broken(digest, MANIFEST_NAME, "was changed after sealing")
    try:
        return msgspec.json.decode(body, type=Manifest)
    except msgspec.MsgspecError as error:
        raise SealBroken(
            f"the package {digest} was sealed in a form that this lockgate does not read",
            got=error,
            fix="use the version of lockgate that sealed it, or submit the model again",
        ) from error


def digest_of_bytes(body: bytes) -> str:
    """`sha256:...` of some bytes.

    >>> digest_of_bytes(b"")[:20]
    'sha256:e3b0c44298fc1'
    """
    return DIGEST_PREFIX + hashlib.sha256(body).hexdigest()


def hex_of(digest: str) -> str:
    """The 64 hexadecimal digits of `sha256:...`. Raises InvalidInput when it is not such a digest.

    >>> hex_of("sha256:" + "0" * 64) == "0" * 64
    True
    """
    digits = digest.removeprefix(DIGEST_PREFIX)
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise InvalidInput("not a digest", got=digest, allowed="sha256: and 64 hexadecimal digits")
    return digits


def blob_name(digest: str) -> str:
    """Where a package lies in the blob store: `packages/<hex>`."""
    return f"packages/{hex_of(digest)}"


def _files(folder: Path, kind: type[InvalidInput | SealBroken]) -> dict[str, Path]:
    """Every regular file below the folder by its relative name. Raises `kind` for whatever else lies there."""
    found: dict[str, Path] = {}
    for root, folders, files in os.walk(folder, followlinks=False):
        here = Path(root)
        if not folders and not files and here != folder:
            raise kind("a package holds no empty folders", got=here.relative_to(folder).as_posix())
        for name in folders + files:
            path = here / name
            mode = path.lstat().st_mode
            relative = path.relative_to(folder).as_posix()
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                raise kind("a package holds regular files only", got=f"{relative} (a link or a special file)")
            found[_checked(relative)] = path
        if len(found) > MAX_FILES:
            raise kind(f"a package holds at most {MAX_FILES} files", got=f"more below {folder.name}")
    return found


def _checked(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("the names of a package's files are UTF-8", got=ascii(name)) from error
    return name


def _sealed(path: Path) -> SealedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return SealedFile(sha256=digest, bytes=file.tell())


def _broken(digest: str, name: str, what: str) -> SealBroken:
    return SealBroken(
        f"the seal of package {digest} is broken: the file '{name}' {what}",
        fix="restore the package from a copy, or submit the model again",
    )
