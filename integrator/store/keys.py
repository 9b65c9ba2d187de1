"""The keys that seal the database: what is wrong with them, and replacing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, exists, select, update

from integrator.errors import SealError
from integrator.store.sealed import Key, Place, Seal, key_file_mode, key_id_of, read_ring
from integrator.store.tables import SEALED


@dataclass(frozen=True, slots=True)
class KeysReport:
    """What `keys doctor` finds. `problems` are sentences; without any, all is well."""

    key_file: Path
    mode: int | None
    keys: tuple[str, ...]
    sealed: dict[str, int]
    unopenable: tuple[Place, ...]
    problems: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As `keys doctor --json` prints it."""
        return {
            "key_file": str(self.key_file),
            "present": self.mode is not None,
            "mode": None if self.mode is None else f"{self.mode:04o}",
            "keys": list(self.keys),
            "sealed": self.sealed,
            "unopenable": [str(place) for place in self.unopenable],
            "problems": list(self.problems),
        }


def any_sealed(connection: Connection) -> bool:
    """Whether the database holds sealed texts."""
    return any(connection.scalar(select(exists().where(table.c[column].is_not(None)))) for table, column in SEALED)


def keys_doctor(connection: Connection, seal: Seal) -> KeysReport:
    """Look at the key file and try every sealed text. Changes nothing, makes nothing."""
    mode = key_file_mode(seal.key_file)
    sealed = list(_sealed(connection))
    problems = list(_file_problems(seal.key_file, mode, bool(sealed)))
    try:
        ring = read_ring(seal.key_file)
    except SealError as error:
        ring = None
        problems.append(str(error))
    unopenable = tuple(place for place, text in sealed if ring is None or not _opens(seal, place, text))
    if unopenable and ring is not None:
        problems.append(
            f"{len(unopenable)} sealed values do not open, the first at {unopenable[0]}: apply their credentials again."
        )
    return KeysReport(
        key_file=seal.key_file,
        mode=mode,
        keys=tuple(key.id for key in ring.keys) if ring else (),
        sealed=dict(sorted(Counter(key_id_of(text) for _, text in sealed).items())),
        unopenable=unopenable,
        problems=tuple(problems),
    )


def rotate(connection: Connection, seal: Seal) -> Key:
    """Add a key and seal every text anew with it, in the caller's transaction. The old keys stay in the file.

    The file comes first: if the transaction is lost, both keys are there and every text still opens.
    Raises SealError, before anything is changed, where a text does not open.
    """
    opened = [(place, seal.open(text, place)) for place, text in _sealed(connection)]
    key = seal.add_key()
    tables = {table.name: table for table, _ in SEALED}
    for place, text in opened:
        table = tables[place.table]
        sealed = seal.seal(text.reveal(), place)
        connection.execute(update(table).where(table.c.id == place.row).values({place.column: sealed}))
    return key


def _sealed(connection: Connection) -> Iterator[tuple[Place, str]]:
    for table, column in SEALED:
        query = select(table.c.id, table.c[column]).where(table.c[column].is_not(None)).order_by(table.c.id)
        for row, text in connection.execute(query):
            yield Place(table.name, row, column), text


def _opens(seal: Seal, place: Place, text: str) -> bool:
    try:
        seal.open(text, place)
    except SealError:
        return False
    return True


def _file_problems(path: Path, mode: int | None, needed: bool) -> Iterator[str]:
    if mode is None and needed:
        yield (
            f"The key file {path} is missing, and this database holds values that only it can open: "
            "put it back from your backup, or set INTEGRATOR_KEY_FILE to where it is."
        )
    if mode is not None and mode & 0o077:
        yield f"The key file {path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`."
