"""What the tests here call of Microsoft's SDKs, and which errors reach them, noted while they run.

Each public method of the clients in `CLIENTS` is wrapped. An operation is `Client.method`, `aio.Client.method` where it is
asynchronous; an error is the operation that it came from, its class, its status and its code. What an SDK calls of itself
on the way is not noted. `sdk_calls.json` says for each operation and error a test that holds it, and the fixture
`sdk_record` of `conftest.py` asks each test for what it is said to hold.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import azure.keyvault.administration as administration
import azure.keyvault.certificates as certificates
import azure.keyvault.certificates.aio as aio_certificates
import azure.keyvault.keys as keys
import azure.keyvault.keys.aio as aio_keys
import azure.keyvault.keys.crypto as crypto
import azure.keyvault.keys.crypto.aio as aio_crypto
import azure.keyvault.secrets as secrets
import azure.keyvault.secrets.aio as aio_secrets
from azure.core.async_paging import AsyncItemPaged
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.paging import ItemPaged
from azure.core.polling import AsyncLROPoller, LROPoller
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.aio import AuthorizationManagementClient as AioAuthorization
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault.aio import KeyVaultManagementClient as AioKeyVault
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient as AioResources
from azure.mgmt.subscription import SubscriptionClient
from azure.mgmt.subscription.aio import SubscriptionClient as AioSubscriptions

CALLS: dict[str, Any] = json.loads(Path(__file__).with_name("sdk_calls.json").read_text("utf-8"))
"""`operations`: by name a test that calls it. `errors`: operation, class, status, code, and a test that meets it."""
NO_CALLS = frozenset({"close", "send_request", "from_jwk"})
SYNC, AIO = "", "aio."
VAULT_CLIENTS = (
    (SYNC, secrets.SecretClient),
    (SYNC, keys.KeyClient),
    (SYNC, crypto.CryptographyClient),
    (SYNC, certificates.CertificateClient),
    (SYNC, administration.KeyVaultAccessControlClient),
    (SYNC, administration.KeyVaultBackupClient),
    (SYNC, administration.KeyVaultSettingsClient),
    (AIO, aio_secrets.SecretClient),
    (AIO, aio_keys.KeyClient),
    (AIO, aio_crypto.CryptographyClient),
    (AIO, aio_certificates.CertificateClient),
)
MANAGEMENT: tuple[tuple[str, Any, str, tuple[str, ...]], ...] = tuple(
    (place, client, name, groups)
    for name, groups, both in (
        (
            "keyvault",
            ("vaults", "secrets", "keys", "private_endpoint_connections", "private_link_resources", "operations"),
            (KeyVaultManagementClient, AioKeyVault),
        ),
        (
            "authorization",
            ("role_assignments", "role_definitions", "permissions"),
            (AuthorizationManagementClient, AioAuthorization),
        ),
        ("resource", ("resource_groups", "providers", "resources"), (ResourceManagementClient, AioResources)),
        ("subscription", ("subscriptions", "tenants"), (SubscriptionClient, AioSubscriptions)),
    )
    for place, client in zip((SYNC, AIO), both, strict=True)
)
_AADSTS = re.compile(r"AADSTS\d+")

Error = tuple[str, str, int, str]


class Record:
    """What one test did: operations, and errors with where they came from."""

    def __init__(self) -> None:
        self.operations: set[str] = set()
        self.errors: set[Error] = set()
        self._last = ""

    def called(self, operation: str) -> None:
        """The test calls this."""
        self.operations.add(operation)
        self._last = operation

    def failed(self, error: AzureError, operation: str = "") -> None:
        """This error reaches the test; pages and waits belong to the operation that was called last."""
        status = getattr(error, "status_code", None) or 0
        self.errors.add((operation or self._last, type(error).__name__, status, _code(error)))


def missing(test: str, record: Record) -> list[str]:
    """What this test is said to hold and has not done."""
    operations_said = {name for name, holder in CALLS["operations"].items() if holder == test}
    errors_said = {tuple(one[:-1]) for one in CALLS["errors"] if one[-1] == test}
    return [*sorted(operations_said - record.operations), *map(str, sorted(errors_said - record.errors))]


_inside: ContextVar[bool] = ContextVar("_inside", default=False)


@contextmanager
def recording(current: Callable[[], Record]) -> Iterator[None]:
    """Wraps all clients until the end; `current` is the record of the test that runs now."""
    wrapped = [(owner, name, owner.__dict__.get(name)) for _, owner in clients().items() for name in operations(owner)]
    for label, owner in clients().items():
        for name in operations(owner):
            setattr(owner, name, _noted(getattr(owner, name), f"{label}.{name}", current))
    late = ((ItemPaged, "__next__"), (LROPoller, "result"), (AsyncItemPaged, "__anext__"), (AsyncLROPoller, "result"))
    wrapped += [(owner, name, owner.__dict__[name]) for owner, name in late]
    for owner, name in late:
        setattr(owner, name, _noted(owner.__dict__[name], "", current))
    try:
        yield
    finally:
        for owner, name, original in wrapped:
            delattr(owner, name) if original is None else setattr(owner, name, original)


@functools.cache
def clients() -> dict[str, type[Any]]:
    """All whose methods are operations, by the name that the table has."""
    found = {f"{place}{kind.__name__}": kind for place, kind in VAULT_CLIENTS}
    for place, kind, name, groups in MANAGEMENT:
        told = () if name == "subscription" else ("none",)
        client = kind(_Nobody(), *told, base_url="https://nowhere.invalid", credential_scopes=["none"])
        found |= {f"{place}{name}.{group}": type(getattr(client, group)) for group in groups}
    return found


def operations(client: type[Any]) -> set[str]:
    """Its public methods that call something."""
    members = inspect.getmembers(client, inspect.isfunction)
    return {name for name, _ in members if not name.startswith("_")} - NO_CALLS


class _Nobody:
    """A credential for clients that are only looked at."""

    def get_token(self, *scopes: str, **options: Any) -> Any:
        raise AssertionError("nobody asks")


def _noted(original: Any, operation: str, current: Callable[[], Record]) -> Any:
    @functools.wraps(original)
    def watched(self: Any, *positional: Any, **named: Any) -> Any:
        if _inside.get():
            return original(self, *positional, **named)
        if operation:
            current().called(operation)
        with _watching(operation, current):
            result = original(self, *positional, **named)
        return _awaited(result, operation, current) if inspect.iscoroutine(result) else result

    return watched


async def _awaited(result: Any, operation: str, current: Callable[[], Record]) -> Any:
    with _watching(operation, current):
        return await result


@contextmanager
def _watching(operation: str, current: Callable[[], Record]) -> Iterator[None]:
    token = _inside.set(True)
    try:
        yield
    except AzureError as error:
        current().failed(error, operation)
        raise
    finally:
        _inside.reset(token)


def _code(error: AzureError) -> str:
    """The inner code where there is one, the code, or Entra's number."""
    told = getattr(error, "error", None) if isinstance(error, HttpResponseError) else None
    if told is not None and getattr(told, "code", None):
        inner = getattr(told, "innererror", None)
        return str((inner or {}).get("code") or told.code)
    found = _AADSTS.search(str(error))
    return found[0] if found else ""
