"""The sandbox as a process of its own, for the command line: start, say so, wait for the signal to end."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from connectors.azure_key_vault.sandbox.sandbox import Sandbox


def serve(
    vaults: Mapping[str, int],
    port: int = 0,
    write: Path | None = None,
    latency_seconds: float = 0.0,
    throttle: bool = False,
    seed: int = 1,
    on_ready: Callable[[str], None] = print,
    cloud: str = "public",
) -> None:
    """Runs a sandbox until SIGTERM or SIGINT. To be called in the main thread.

    Args:
        write: where the document for `apply` goes (mode 0600); the CA lies beside it as `<stem>-ca.pem`.
        on_ready: gets one line when everything answers.

    Raises:
        PortTaken: an OSError that names the port.
        OSError: the document cannot be written.
        ValueError: a vault's name breaks Azure's rule, or there is no such cloud.
    """
    with _signal_to_end() as ended:
        sandbox = Sandbox.start(
            vaults, port=port, latency_seconds=latency_seconds, throttle=throttle, seed=seed, cloud=cloud
        )
        with sandbox:
            if write is not None:
                write_document(sandbox, write)
            on_ready(_ready_line(sandbox, write))
            ended.wait()


def write_document(sandbox: Sandbox, path: Path) -> None:
    """Writes the document and, beside it, the CA that it names; both appear whole or not at all."""
    ca_file = path.with_name(f"{path.stem}-ca.pem")
    _replace(ca_file, sandbox.ca_file.read_bytes(), mode=0o644)
    document = sandbox.document()
    document["clouds"][0]["ca_file"] = ca_file.name
    _replace(path, _yaml(document), mode=0o600)


def _yaml(document: dict[str, Any]) -> bytes:
    text: bytes = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, encoding="utf-8")
    return text


def _replace(path: Path, content: bytes, mode: int) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _ready_line(sandbox: Sandbox, write: Path | None) -> str:
    vaults = ", ".join(f"{name} {sandbox.vault_url(name)}" for name in sandbox.vaults)
    line = f"sandbox ready: Entra {sandbox.authority}, ARM {sandbox.arm}, vaults {vaults or 'none'}"
    return line if write is None else f"{line}; document {write}"


@contextlib.contextmanager
def _signal_to_end() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the handlers from before come back afterwards."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
