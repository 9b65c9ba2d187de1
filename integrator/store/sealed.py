"""Sealed texts: AES-256-GCM, bound to the place where they are stored, under keys that live in a file of their own.

A sealed text is `v1:<key id>:<base64url of nonce and ciphertext>`. Table, row and column are the associated data, so a
sealed text that is copied to another row does not open there. The key file holds any number of keys, newest first,
and a root that never changes, from which the key of fingerprints is derived: rotating keys changes no fingerprint.
Source: NIST SP 800-38D (96-bit random nonces), RFC 5869.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import secrets
import stat
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from iclients.secret import Secret
from integrator.errors import KeyMissing, KeyUnusable, SealBroken

VERSION: Final = "v1"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
FINGERPRINT_INFO: Final = b"integrator fingerprint v1"


class Place(NamedTuple):
    """Where a sealed text belongs."""

    table: str
    row: int
    column: str

    def __str__(self) -> str:
        return f"{self.table}/{self.row}/{self.column}"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it is called, when it was made (Unix seconds), and its bytes, which never print."""

    id: str
    created: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """What the key file holds: keys, newest first, and the root of fingerprints."""

    keys: tuple[Key, ...]
    root: bytes = field(repr=False)

    @classmethod
    def make(cls) -> KeyRing:
        """A ring with one new key."""
        return cls(keys=(_new_key(),), root=secrets.token_bytes(KEY_BYTES))

    def with_new_key(self) -> KeyRing:
        """The same ring with one more key, which seals from now on."""
        return KeyRing(keys=(_new_key(), *self.keys), root=self.root)


class Seal:
    """Seals and opens texts. The key file is read, or made, when it is first needed.

    `any_sealed` says whether sealed texts exist already: then a missing key file is never replaced by a new one.
    """

    def __init__(self, key_file: Path, any_sealed: Callable[[], bool]) -> None:
        self.key_file = key_file
        self._any_sealed = any_sealed
        self._ring: KeyRing | None = None
        self._fingerprint_key: bytes | None = None

    @property
    def ring(self) -> KeyRing:
        """The keys. Raises KeyMissing or KeyUnusable."""
        if self._ring is None:
            self._ring = read_ring(self.key_file) or self._first_ring()
        return self._ring

    @property
    def fingerprint_key(self) -> bytes:
        """The key of fingerprints: the same for ever, however often keys are rotated."""
        if self._fingerprint_key is None:
            derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=FINGERPRINT_INFO)
            self._fingerprint_key = derive.derive(self.ring.root)
        return self._fingerprint_key

    def fingerprint(self, data: bytes) -> str:
        """A keyed digest (HMAC-SHA-256, hexadecimal): tells equal from different, and nothing else."""
        return hmac.digest(self.fingerprint_key, data, "sha256").hex()

    def seal(self, text: str, place: Place) -> str:
        """The text, sealed for this place with the newest key."""
        key = self.ring.keys[0]
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(key.value).encrypt(nonce, text.encode("utf-8", "surrogatepass"), _bound_to(key.id, place))
        return f"{VERSION}:{key.id}:{urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, place: Place) -> Secret:
        """The text that was sealed for this place. Raises SealBroken where it was not, or where its key is gone."""
        version, _, rest = sealed.partition(":")
        key_id, _, body = rest.partition(":")
        key = self._key(key_id)
        if version != VERSION or key is None:
            raise SealBroken(
                f"The value at {place} was sealed with key {key_id}, which {self.key_file} does not hold: "
                "put back the key file that belongs to this database, or apply the credential again."
            )
        try:
            raw = b64decode(body, altchars=b"-_", validate=True)
            text = AESGCM(key.value).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound_to(key_id, place))
        except (InvalidTag, ValueError) as error:
            raise SealBroken(
                f"The value at {place} does not open: it was changed or moved there; apply the credential again."
            ) from error
        return Secret(text.decode("utf-8", "surrogatepass"))

    def add_key(self) -> Key:
        """Put a new key in front; the old ones stay, so that what they sealed still opens."""
        with _alone(self.key_file):
            self._ring = (read_ring(self.key_file) or self.ring).with_new_key()
            _replace(self.key_file, _written(self._ring))
        return self._ring.keys[0]

    def _key(self, key_id: str) -> Key | None:
        found = _find(self.ring, key_id)
        if found is None:
            self._ring = read_ring(self.key_file) or self._ring
            found = _find(self.ring, key_id)
        return found

    def _first_ring(self) -> KeyRing:
        if self._any_sealed():
            raise KeyMissing(
                f"The key file {self.key_file} is missing, and this database holds values that only it can open: "
                "put it back from your backup, or set INTEGRATOR_KEY_FILE to where it is."
            )
        return _make_ring(self.key_file)


def read_ring(path: Path) -> KeyRing | None:
    """The keys in this file, None if there is no file. Raises KeyUnusable."""
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise KeyUnusable(f"The key file {path} cannot be read ({reason}): put it back from your backup.") from error
    try:
        return _parsed(json.loads(text))
    except (KeyError, IndexError, TypeError, ValueError):
        raise KeyUnusable(f"{path} is not a key file of this version: put it back from your backup.") from None


def key_file_mode(path: Path) -> int | None:
    """The permission bits of the key file, None if there is no file."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def key_id_of(sealed: str) -> str:
    """Which key sealed this text."""
    return sealed.split(":", 2)[1] if sealed.count(":") >= 2 else ""


def _new_key() -> Key:
    return Key(id=secrets.token_hex(4), created=int(time.time()), value=secrets.token_bytes(KEY_BYTES))


def _find(ring: KeyRing, key_id: str) -> Key | None:
    return next((key for key in ring.keys if key.id == key_id), None)


def _bound_to(key_id: str, place: Place) -> bytes:
    return json.dumps([VERSION, key_id, *place]).encode()


def _parsed(document: dict[str, Any]) -> KeyRing:
    keys = tuple(Key(entry["id"], entry["created"], _key_bytes(entry["key"])) for entry in document["keys"])
    if document["version"] != 1 or not keys:
        raise ValueError("unknown version")
    return KeyRing(keys=keys, root=_key_bytes(document["root"]))


def _key_bytes(text: str) -> bytes:
    value = urlsafe_b64decode(text)
    if len(value) != KEY_BYTES:
        raise ValueError("wrong length")
    return value


def _written(ring: KeyRing) -> bytes:
    keys = [{"id": key.id, "created": key.created, "key": urlsafe_b64encode(key.value).decode()} for key in ring.keys]
    document = {"version": 1, "root": urlsafe_b64encode(ring.root).decode(), "keys": keys}
    return (json.dumps(document, indent=1) + "\n").encode()


def _make_ring(path: Path) -> KeyRing:
    """A new key file, unless another process makes one at this moment: then that one."""
    temporary = _temporary(path, _written(KeyRing.make()))
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    _sync_folder(path)
    ring = read_ring(path)
    if ring is None:
        raise KeyUnusable(f"The key file {path} vanished while it was made: look who cleans that folder.")
    return ring


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time changes the key file: whoever comes second sees the key that the first one added."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    _temporary(path, content).replace(path)
    _sync_folder(path)


def _temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyUnusable(
            f"The key file {path} cannot be made ({error.strerror}): set INTEGRATOR_KEY_FILE to where it can."
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise KeyUnusable(f"The key file {path} cannot be written ({error.strerror}): nothing was changed.") from error
    return temporary


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
