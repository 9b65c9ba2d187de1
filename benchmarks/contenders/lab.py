"""The lab that every contender works in, from the document that the sandbox wrote."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Lab:
    vault_url: str
    authority: str
    tenant: str
    client_id: str
    client_secret: str
    ca_file: str
    output: Path
    threads: int


def from_arguments() -> Lab:
    """Arguments: document, vault's name, output file, threads."""
    document_path, vault, output, threads = sys.argv[1:5]
    document = yaml.safe_load(Path(document_path).read_text())
    cloud, iclient = document["clouds"][0], document["iclients"][0]
    connection = next(item for item in document["connections"] if item["name"] == vault)
    return Lab(
        vault_url=connection["settings"]["vault_url"],
        authority=cloud["authority"],
        tenant=iclient["tenant"],
        client_id=iclient["client_id"],
        client_secret=iclient["credential"]["client_secret"],
        ca_file=str(Path(document_path).parent / cloud["ca_file"]),
        output=Path(output),
        threads=int(threads),
    )


def line(name: str, value: str, content_type: str | None, tags: dict[str, str] | None) -> str:
    """What a record becomes in the file: the same fields for everybody."""
    return json.dumps({"name": name, "value": value, "content_type": content_type, "tags": tags or {}}) + "\n"
