"""A sandbox with connections to it, flows between them, and a clock on which waiting takes no time."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.model import DEFAULT_API_VERSION, VaultAddress
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.connector import Access, Source, Target
from connectors.model import ApiType, BadRecord, Connection, Known, Limits, Page, ReadOptions, Record, WriteOptions
from flows.engine import Engine
from flows.journal import JournalInMemory
from flows.model import COUNTS, Export, Flow, Import, MappingRule, Outcome, RunStatus
from iclients.clouds import CloudProfile
from iclients.credentials import ClientSecret
from iclients.grants import Grants
from iclients.model import IClient
from iclients.providers.entra import Entra
from iclients.secret import Secret
from iclients.session import AuthorizedSession
from iclients.tokens import TokensInMemory
from iclients.transport import Transport

UNLIMITED = Limits(1_000_000, 10, 32)
LONG_AGO = 1_000
"""Seconds after which a secret counts as settled."""


class SwiftClock:
    """Waits by moving on: its own time, and the sandbox's where it is tied to one."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self.slept: list[float] = []
        self._sandbox = sandbox
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._sandbox.clock.now() if self._sandbox else time.time()

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.slept)

    def check(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            if self._sandbox:
                self._sandbox.clock.advance(seconds)


class Rows(Source):
    """Records that a test made, on one page."""

    def __init__(self, *records: Record | BadRecord) -> None:
        self._records = records

    def pages(self, checkpoint: Any) -> Any:
        yield Page(self._records, None)


class Lab:
    """One sandbox and what is connected to it. The ledgers outlive the runs."""

    def __init__(self, sandbox: Sandbox, *, limits: Limits = UNLIMITED, clock: SwiftClock | None = None) -> None:
        self.sandbox = sandbox
        self.limits = limits
        self.clock = clock or SwiftClock(sandbox)
        self.transport = Transport(sandbox.ca_file, deadline_seconds=5.0)
        self.hosts = tuple(urlsplit(sandbox.vault_url(name)).netloc for name in sandbox.vaults)
        self.ledgers: dict[str, dict[str, Known]] = {}
        self.journal = JournalInMemory(self.ledgers)

    def cloud(self, vaults: Sequence[str] | None = None) -> CloudProfile:
        vault, arm = "https://vault.azure.net", "https://management.azure.com"
        hosts = self.hosts if vaults is None else tuple(vaults)
        return CloudProfile("lab", self.sandbox.authority, self.sandbox.arm, hosts, vault, arm, self.sandbox.ca_file)

    def access(self, cloud: CloudProfile | None = None) -> Access:
        cloud = cloud or self.cloud()
        secret = ClientSecret(Secret(self.sandbox.client_secret))
        iclient = IClient("app", "entra", self.sandbox.client_id, "lab", self.sandbox.tenant, secret)

        def session(scopes: Sequence[str]) -> AuthorizedSession:
            def acquire(old: Any, claims: str) -> Any:
                return Grants(iclient, Entra(), cloud, self.transport, self.clock).client_credentials(tuple(scopes))

            return AuthorizedSession(("app", tuple(scopes)), acquire, TokensInMemory(), self.clock)

        def fingerprint(data: bytes) -> str:
            return hmac.new(b"key", data, hashlib.sha256).hexdigest()

        return Access(self.clock, fingerprint, Path(), cloud, self.transport, session)

    def connection(self, name: str = "contoso", **settings: Any) -> Connection:
        settings = {"vault_url": self.sandbox.vault_url(name), **settings}
        return Connection(name, "azure-key-vault", ApiType.DATA, "client_credentials", "app", (), settings, self.limits)

    def connect(self, name: str = "contoso", cloud: CloudProfile | None = None, **settings: Any) -> AzureKeyVault:
        return AzureKeyVault(self.connection(name, **settings), self.access(cloud))

    def secrets(self, name: str = "contoso") -> VaultSecrets:
        client = self.connect(name)._client
        return VaultSecrets(client, VaultAddress.parse(self.sandbox.vault_url(name)), DEFAULT_API_VERSION)

    def source(self, name: str = "contoso", values: bool = True) -> Source:
        return self.connect(name).source("secrets", ReadOptions(values))

    def target(self, name: str = "contoso", **options: Any) -> Target:
        return self.connect(name).target("secrets", WriteOptions(**options))

    def settle(self) -> None:
        """Let time pass, so that what was written counts as settled."""
        self.sandbox.clock.advance(LONG_AGO)

    def calls(self, name: str = "contoso") -> dict[str, int]:
        return {kind: count for kind, count in self.sandbox.vault(name).calls.items() if kind != "challenge"}

    def write(
        self,
        *records: Record | BadRecord,
        to: str = "contoso",
        fields: Sequence[str] | None = None,
        operation: str = "upsert",
        adopt: bool = False,
        width: int = 4,
        **told: Any,
    ) -> dict[str, int]:
        """A run from records into a vault, `told` its options; gives the counts that are not nothing."""
        if fields is None:
            fields = list(next((record.fields for record in records if isinstance(record, Record)), {}))
        rules = tuple(MappingRule(field, field) for field in fields)
        options = WriteOptions(operation, adopt=adopt, fields=tuple(fields), options=told)
        connector = self.connect(to)
        target = connector.target("secrets", options)
        flow = Flow(
            "f",
            (Export("here", "rows"),),
            (Import(to, "secrets", operation, adopt=adopt, options=told, mapping=rules),),
        )
        return self._run(flow, Rows(*records), target, width)

    def copy(
        self,
        mapping: Sequence[MappingRule] = (),
        *,
        where: str | None = None,
        adopt: bool = False,
        width: int = 4,
        begun: Callable[[], None] = lambda: None,
    ) -> dict[str, int]:
        """A run from contoso to fabrikam."""
        mapping = tuple(mapping) or tuple(MappingRule(name, name) for name in ("name", "value", "content_type", "tags"))
        source = self.source("contoso")
        target = self.target("fabrikam", adopt=adopt, fields=tuple(rule.to for rule in mapping))
        flow = Flow(
            "copy",
            (Export("contoso", "secrets", True, where=where),),
            (Import("fabrikam", "secrets", adopt=adopt, mapping=mapping),),
        )
        begun()
        return self._run(flow, source, target, width)

    def errors(self) -> list[Outcome]:
        return [outcome for outcome in self.journal.outcomes.values() if outcome.is_error]

    def _run(self, flow: Flow, source: Source, target: Target, width: int) -> dict[str, int]:
        self.journal = JournalInMemory(self.ledgers)
        self.status: RunStatus = Engine(flow, source, target, self.journal, self.clock, width=width).run()
        counts = self.journal.progress.counts
        assert counts["read"] == sum(counts[name] for name in COUNTS if name != "read")
        return {name: counts[name] for name in COUNTS if counts[name]}


def row(name: str, value: Any = "v", **fields: Any) -> Record:
    return Record(name, {"name": name, "value": Secret(value) if isinstance(value, str) else value, **fields})
