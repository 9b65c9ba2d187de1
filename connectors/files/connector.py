"""The files connector: a folder, and the names of the files in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from connectors.connector import Access, Connector
from connectors.descriptor import load
from connectors.errors import SettingsError
from connectors.files.csv_format import CsvFormat
from connectors.files.format import Format
from connectors.files.json_lines import JsonLines
from connectors.files.source import FileSource
from connectors.files.target import FileTarget
from connectors.model import Connection, Ping, ReadOptions, WriteOptions
from iclients.errors import RemoteError

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({".csv": CsvFormat(), ".jsonl": JsonLines()})
_OPERATIONS: Final = ("add", "upsert")


class Files(Connector):
    """One folder. A resource is the name of a file in it."""

    descriptor = load("connectors.files")

    def __init__(self, connection: Connection, access: Access) -> None:
        super().__init__(connection, access)
        self._folder = Path(os.path.realpath(access.folder / str(connection.settings["folder"])))

    def ping(self) -> Ping:
        """Look whether the folder is there and can be written. Raises RemoteError."""
        folder, name = self._folder, self.connection.name
        if not folder.exists() and os.access(folder.parent, os.W_OK | os.X_OK):
            return Ping(f"{folder} is not there yet: the first run that writes to it makes it.")
        if not folder.is_dir():
            raise RemoteError(
                f"There is no folder {folder}: make it, or change settings.folder of connection {name}.",
                code="no_folder",
            )
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise RemoteError(
                f"The folder {folder} of connection {name} cannot be written: change its permissions.",
                code="not_writable",
            )
        count = sum(map(_is_readable, folder.iterdir()))
        return Ping(f"{folder} can be written; {count} {'file' if count == 1 else 'files'} in it can be read.")

    def source(self, resource: str, options: ReadOptions) -> FileSource:
        """Reads a file. Raises SettingsError where there is none of that name."""
        path = self._locate(resource)
        if not path.is_file():
            raise SettingsError(f"There is no file {resource} in {self._folder}.")
        return FileSource(path, FORMATS[path.suffix.lower()])

    def target(self, resource: str, options: WriteOptions) -> FileTarget:
        """Writes a file. Raises SettingsError for a name, an operation or fields that it cannot have."""
        path = self._locate(resource)
        if options.operation not in _OPERATIONS:
            raise SettingsError(
                f"{resource} cannot take operation: {options.operation}; a file is replaced whole: use upsert."
            )
        if path.suffix.lower() == ".csv" and not options.fields:
            raise SettingsError(f"{resource} needs a mapping: its rules name the columns of a CSV file.")
        return FileTarget(path, FORMATS[path.suffix.lower()], options, self.access.fingerprint)

    def _locate(self, resource: str) -> Path:
        """The file that a resource names, links followed, always inside the folder."""
        if not resource or resource in (".", "..") or any(character in resource for character in "/\\\0"):
            raise SettingsError(
                f"{resource!r} is not the name of a file in {self._folder}: use a name like contoso.csv."
            )
        _refuse_unknown(resource, resource)
        path = Path(os.path.realpath(self._folder / resource))
        if not path.is_relative_to(self._folder):
            raise SettingsError(f"{resource} is a link that leaves {self._folder}: name a file that is in the folder.")
        _refuse_unknown(path.name, resource)
        return path


def _refuse_unknown(name: str, resource: str) -> None:
    if Path(name).suffix.lower() not in FORMATS:
        raise SettingsError(f"{resource} is not a file that we can read or write: its name must end in .csv or .jsonl.")


def _is_readable(path: Path) -> bool:
    return path.suffix.lower() in FORMATS and path.is_file() and os.access(path, os.R_OK)
