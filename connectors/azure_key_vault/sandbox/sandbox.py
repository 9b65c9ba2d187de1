"""The sandbox as Python uses it: a local Azure on TLS in a thread of this process.

    with Sandbox.start(vaults={"contoso": 500}) as sandbox:
        sandbox.vault_url("contoso"), sandbox.authority, sandbox.ca_file

It listens on 127.0.0.1 only: Entra on the first port, ARM on the next, then one port for each vault; and on
any free port, without TLS, the endpoint of managed identities.
"""

from __future__ import annotations

import asyncio
import atexit
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.arm.site import ArmSite
from connectors.azure_key_vault.sandbox.arm.subscription import Subscription
from connectors.azure_key_vault.sandbox.authority import Authority
from connectors.azure_key_vault.sandbox.challenge import Guard
from connectors.azure_key_vault.sandbox.channel import Channel
from connectors.azure_key_vault.sandbox.client_certificates import ClientCertificate, make_certificate
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.clouds import cloud_named
from connectors.azure_key_vault.sandbox.control import ControlSite
from connectors.azure_key_vault.sandbox.demands import Demands
from connectors.azure_key_vault.sandbox.document import document
from connectors.azure_key_vault.sandbox.entra import EntraSite
from connectors.azure_key_vault.sandbox.exchange import Site
from connectors.azure_key_vault.sandbox.faults import Faults
from connectors.azure_key_vault.sandbox.managed_identity import APP_SERVICE_PATH, ManagedIdentitySite
from connectors.azure_key_vault.sandbox.ports import ADDRESS, BACKLOG, bound_sockets
from connectors.azure_key_vault.sandbox.rendering import Renderer
from connectors.azure_key_vault.sandbox.seed import make_secrets
from connectors.azure_key_vault.sandbox.server import Connection, Settings, Sites
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.throttle import Throttle
from connectors.azure_key_vault.sandbox.tls import make_certificates, server_context
from connectors.azure_key_vault.sandbox.vault import VaultSite
from connectors.azure_key_vault.sandbox.visitor import consent

CLOSING_SECONDS = 10
LOCAL_NAMES = ("vault.localhost", "vault.lab.test")
APPLICATION = "sandbox-app"


class Sandbox:
    """A running local Azure. Made by `Sandbox.start`, ended by `close`."""

    def __init__(self, vaults: Mapping[str, int], *, port: int, seed: int, folder: Path | None, cloud: str) -> None:
        self.profile = cloud_named(cloud)
        self.clock = Clock()
        self.throttle = Throttle(self.clock)
        self.vaults = {name: _vault(name, count, seed, self.clock) for name, count in vaults.items()}
        self.entra = Authority(self.clock, seed, self.profile)
        self.application = self.entra.register(APPLICATION)
        self.tenant = self.entra.home.tenant
        self.other_tenant = self.entra.other.tenant
        self.subscription = self.entra.home.subscription
        self.client_id = self.application.client_id
        self.client_secret = self.application.secrets[0].value
        certificates = make_certificates()
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._sockets = bound_sockets(port, 2 + len(self.vaults))
        self._identity_socket = bound_sockets(0, 1)[0]
        self.ports: list[int] = [bound.getsockname()[1] for bound in self._sockets]
        self._identity_port: int = self._identity_socket.getsockname()[1]
        self.authority = f"https://{ADDRESS}:{self.ports[0]}"
        self.arm = f"https://{ADDRESS}:{self.ports[1]}"
        self._own_folder = None if folder else Path(tempfile.mkdtemp(prefix="integrator-sandbox-"))
        self.ca_file = (folder or self._own_folder or Path()) / "ca.pem"
        self.ca_file.write_bytes(certificates.authority)
        self.demands = Demands(self.clock, ["arm", *self.vaults])
        self._guard = Guard(self.entra.home, self.authority, self.demands)
        entra = EntraSite(self.entra)
        self._settings = Settings(Renderer(self.clock), self._guard.claims_challenge, entra.delay_seconds)
        self._sites = self._make_sites(entra)
        self._identities = ManagedIdentitySite(self.entra)
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._channels: set[Channel] = set()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._serve(server_context(certificates))
        atexit.register(self.close)

    @classmethod
    def start(
        cls,
        vaults: Mapping[str, int],
        *,
        port: int = 0,
        latency_seconds: float = 0.0,
        throttle: bool = False,
        seed: int = 1,
        folder: Path | None = None,
        cloud: str = "public",
    ) -> Self:
        """A sandbox that answers from now on, in a daemon thread.

        Args:
            vaults: how many secrets each vault is seeded with, by name.
            port: Entra's port, the others follow; 0 takes any that are free.
            latency_seconds: what every answer waits.
            throttle: whether Azure's limits apply.
            seed: the same seed gives the same contents and identifiers.
            folder: where `ca.pem` goes; None is a temporary folder that `close` removes.
            cloud: which one it is: `public`, `usgov` or `china`.

        Raises:
            PortTaken: an OSError that names the port.
            ValueError: a vault's name breaks Azure's rule, or there is no such cloud.
        """
        sandbox = cls(vaults, port=port, seed=seed, folder=folder, cloud=cloud)
        sandbox.latency_seconds = latency_seconds
        sandbox.throttle(throttle)
        return sandbox

    @property
    def faults(self) -> Faults:
        """Plants faults: `sandbox.faults.add("429", host="contoso", times=2, retry_after=1)`."""
        return self._settings.faults

    @property
    def latency_seconds(self) -> float:
        """What every answer waits."""
        return self._settings.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, seconds: float) -> None:
        self._settings.latency_seconds = seconds

    def vault(self, name: str) -> Vault:
        """The contents and switches of a vault; KeyError when there is none of that name."""
        return self.vaults[name]

    def vault_url(self, name: str) -> str:
        """Where a vault answers."""
        return f"https://{ADDRESS}:{self.port(name)}"

    def port(self, label: str) -> int:
        """The port of `entra`, `arm` or a vault."""
        return self.ports[["entra", "arm", *self.vaults].index(label)]

    def calls(self) -> dict[str, dict[str, int]]:
        """How many requests of each kind each vault, Entra and ARM have had."""
        calls = {label: dict(site.calls) for label, site in self._sites.items()}
        identities = self._identities
        return calls | ({identities.label: dict(identities.calls)} if identities.calls else {})

    def reset_calls(self) -> None:
        """Starts counting anew."""
        for site in (*self._sites.values(), self._identities):
            site.calls.clear()

    def revoke_tokens(self) -> None:
        """No access token that was issued until now is accepted any more."""
        self.entra.tokens.revoke()

    @property
    def identity_host(self) -> str:
        """Where the machine's metadata service answers (AZURE_POD_IDENTITY_AUTHORITY_HOST)."""
        return f"http://{ADDRESS}:{self._identity_port}"

    @property
    def identity_endpoint(self) -> str:
        """Where App Service's form answers (IDENTITY_ENDPOINT)."""
        return f"{self.identity_host}{APP_SERVICE_PATH}"

    @property
    def identity_header(self) -> str:
        """The secret that App Service's form wants (IDENTITY_HEADER)."""
        return self._identities.header

    def certificate(
        self, application: Application | None = None, *, days: float = 365, password: str = "", register: bool = True
    ) -> ClientCertificate:
        """A new certificate with its key, registered for an app (the sandbox's own unless told otherwise)."""
        application = application or self.application
        made = make_certificate(application.name, now=self.clock.now(), days=days, password=password)
        if register:
            application.certificates.append(made.certificate)
        return made

    def consent(self, url: str, user: str = "ada", decision: str = "accept", *, organization: bool = False) -> str:
        """Walks an authorization URL as a user would and gives the redirect to the app, not followed.

        Raises:
            visitor.Stopped: the pages end without a redirect.
        """
        return consent(url, user, decision, ca_file=self.ca_file, organization=organization)

    def document(self) -> dict[str, Any]:
        """The document for `integrator apply` that reaches everything here."""
        return document(self)

    def close(self) -> None:
        """Ends every connection and the thread; may be called twice."""
        atexit.unregister(self.close)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSING_SECONDS)
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_sites(self, entra: EntraSite) -> dict[str, Site]:
        home = self.entra.home
        self.cloud = Subscription(self.subscription, self.tenant, self.clock, self._open_vault)
        sites: dict[str, Site] = {"entra": entra}
        sites["arm"] = ArmSite(self.cloud, home, self.authority, self.demands, self.throttle)
        for name, vault in self.vaults.items():
            sites[name] = VaultSite(vault, self._guard, self.throttle)
            self.cloud.seed(name, vault, self.vault_url(name))
        return sites

    def _open_vault(self, name: str) -> tuple[Vault, str]:
        """A vault that is made while the sandbox runs, on a port of its own. To be called in the sandbox's thread."""
        vault, bound = Vault(name, self.clock), bound_sockets(0, 1)[0]
        self.vaults[name] = vault
        self.ports.append(bound.getsockname()[1])
        self._sites[name] = site = VaultSite(vault, self._guard, self.throttle)
        self._name(name, site)
        opening = self._loop.create_task(self._listen(bound, self._context, Sites(site, self._by_name, None)))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return vault, self.vault_url(name)

    def _name(self, name: str, site: Site) -> None:
        for suffix in (self.profile.vault_suffix, *LOCAL_NAMES):
            self._by_name[f"{name}.{suffix}".lower().encode()] = site

    def _serve(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._opening: set[asyncio.Task[None]] = set()
        by_name = self._by_name = {login.encode(): self._sites["entra"] for login in self.profile.logins}
        by_name[self.profile.arm_host.encode()] = self._sites["arm"]
        for name in self.vaults:
            self._name(name, self._sites[name])
        control = ControlSite(self)
        for bound, (label, site) in zip(self._sockets, self._sites.items(), strict=True):
            sites = Sites(site, by_name, control if label == "entra" else None)
            self._loop.run_until_complete(self._listen(bound, context, sites))
        sites = Sites(self._identities, {})
        self._loop.run_until_complete(self._listen(self._identity_socket, None, sites))
        self._thread.start()

    async def _listen(self, bound: socket.socket, context: ssl.SSLContext | None, sites: Sites) -> None:
        def connection() -> Connection:
            return Connection(context, self._channels, sites, self._settings)

        self._servers.append(await self._loop.create_server(connection, sock=bound, backlog=BACKLOG))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for channel in list(self._channels):
            if channel.transport is not None:
                channel.transport.abort()
        while self._channels:
            await asyncio.sleep(0)


def _vault(name: str, count: int, seed: int, clock: Clock) -> Vault:
    vault = Vault(name, clock)
    vault.fill(make_secrets(count, f"{seed}/{name}"))
    return vault
