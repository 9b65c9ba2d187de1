"""The preflight of a vault: what stands between a connection and its objects, looked at in the order of the way there.

Token, address, reach, firewall, permission model, then each right. No value is read and nothing is changed: a list of
one item, and calls on a name that nothing has, which a vault answers 404 (or 400) where it allows them and 403 where
not. Source: Key Vault REST API error codes; Azure RBAC guide and "Diagnose private links" for Key Vault.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from connectors.azure_key_vault.errors import MissingRight
from connectors.azure_key_vault.model import VaultAddress
from connectors.azure_key_vault.reading.secrets import ONLY_READ
from connectors.azure_key_vault.rights import collection_of, smallest_roles
from connectors.checks import with_checks
from connectors.errors import BadRequest, Conflict, NotFound
from connectors.model import Check, Need, Ping
from connectors.rest import Call, RestClient
from iclients.addresses import Resolve
from iclients.answers import Answer
from iclients.errors import NotAuthorized, NotSent, RemoteError, TransportError
from iclients.session import AuthorizedSession

_BY_DEFAULT: Final = ("secrets/list", "secrets/get")
_NO_VERSION: Final = "0" * 32
_ROLES_HEADER: Final = "x-ms-keyvault-rbac-assignment-id"
_SHUT: Final = frozenset({"forbidden_by_firewall", "forbidden_by_connection"})
_USES_OF_KEYS: Final = ("encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify")
_CALLS: Final = {
    "list": ("list", "GET", "/{place}{query}&maxresults=1"),
    "get": ("get", "GET", "/{place}/{name}{query}"),
    "set": ("put", "PUT", "/{place}/{name}{query}"),
    "update": ("patch", "PATCH", f"/{{place}}/{{name}}/{_NO_VERSION}{{query}}"),
    "import": ("import", "POST", "/{place}/{name}/import{query}"),
    "delete": ("delete", "DELETE", "/{place}/{name}{query}"),
    "recover": ("recover", "POST", "/deleted{place}/{name}/recover{query}"),
    "purge": ("purge", "DELETE", "/deleted{place}/{name}{query}"),
    "backup": ("backup", "POST", "/{place}/{name}/backup{query}"),
    **{
        word: (word.lower(), "POST", f"/{{place}}/{{name}}/{_NO_VERSION}/{word.lower()}{{query}}")
        for word in _USES_OF_KEYS
    },
}
"""Kind, method and place of a call that needs this right and can do nothing: what takes a body comes with an empty one."""
_BY_DOING: Final = frozenset({"keys/import"})
_PREFIXES: Final = {"secrets": "", "keys": "key_", "certificates": "cert_"}
_RIGHTS: Final = {
    "list": ("list",),
    "get": ("list", "get"),
    "add": ("list", "get", "set"),
    "update": ("list", "get", "set"),
    "upsert": ("list", "get", "set"),
    "delete": ("list", "delete"),
}
_UNBLOCKING: Final = ("recover", "purge")
"""What an import may be told to do about a name that a deleted object blocks."""
_IMPORTING: Final = ("list", "get", "import", "update")
_OF_CERTIFICATES: Final = {**_RIGHTS, **dict.fromkeys(("add", "update", "upsert"), _IMPORTING)}


def rights_for(needs: Collection[Need]) -> tuple[str, ...]:
    """The rights that these verbs of the data plane's resources take, and these actions, each once.

    What can be found out only by doing it (to create, to import, to rotate) is left out.
    """
    found = {right for need in needs for right in _rights_of(need)} | {
        need.right for need in needs if need.right.partition("/")[2] in _CALLS and need.right not in _BY_DOING
    }
    order = list(_CALLS)
    return tuple(sorted(found, key=lambda right: (right.partition("/")[0], order.index(right.partition("/")[2]))))


def _rights_of(need: Need) -> set[str]:
    """The key of a certificate lies in the secret of its name: whoever looks at `value` reads that, too."""
    collection = collection_of(need.resource)
    is_certificates = need.resource == "certificates"
    verb = "list" if need.verb == "get" and not _takes_a_read(need) else need.verb
    words = (_OF_CERTIFICATES if is_certificates else _RIGHTS).get(verb, ())
    words = (*words, *(word for name, word in need.options if name == "deleted" and word in _UNBLOCKING))
    takes_key = is_certificates and need.verb == "get" and (need.fields is None or "value" in need.fields)
    return {f"{collection}/{word}" for word in words} | ({"secrets/get"} if takes_key else set())


def _takes_a_read(need: Need) -> bool:
    """Of a secret a list tells all but value and version: a flow that looks at neither reads none."""
    return need.resource != "secrets" or need.fields is None or not need.fields.isdisjoint(ONLY_READ)


class Preflight:
    """One look at one vault. `needs` are rights; without any, listing and reading secrets are looked at."""

    def __init__(
        self,
        client: RestClient,
        session: AuthorizedSession,
        vault: VaultAddress,
        api_version: str,
        resolve: Resolve,
        needs: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._session = session
        self._vault = vault
        self._query = f"?api-version={api_version}"
        self._resolve = resolve
        self._needs = needs
        self._checks: list[Check] = []
        self._is_private = False
        self._tells_roles = False

    def watch(self, answer: Answer) -> None:
        """Take note of what an answer's headers tell: a vault that goes by roles names the assignment."""
        self._tells_roles = self._tells_roles or _ROLES_HEADER in answer.headers

    def run(self) -> Ping:
        """All checks. Raises the RemoteError of the first that keeps the connection from its work, with the checks."""
        self._look("token", self._session.token)
        self._told("token", f"A token for {self._vault.host} was given.")
        self._look("address", self._address)
        refused = self._rights()
        missing = [error for right, error in refused.items() if right in (self._needs or _BY_DEFAULT[:1])]
        if missing:
            raise with_checks(self._refusal(refused), self._checks)
        done = f"{self._vault.host} let the connection in and listed its {self._listed}."
        if refused:
            done = f"{done[:-1]}. It may not {_spelled(refused)}: {self._way_out(refused)}."
        return Ping(done, tuple(self._checks))

    @property
    def _listed(self) -> str:
        return " and ".join(dict.fromkeys(right.partition("/")[0] for right in self._needs or _BY_DEFAULT))

    def _look(self, name: str, ask: Callable[[], object]) -> None:
        try:
            ask()
        except RemoteError as error:
            self._checks.append(Check(name, False, str(error)))
            raise with_checks(error, self._checks) from None

    def _told(self, name: str, sentence: str, *, ok: bool = True) -> None:
        self._checks.append(Check(name, ok, sentence))

    def _address(self) -> None:
        host = urlsplit(self._vault.url).hostname or ""
        addresses = self._resolve(host)
        if not addresses:
            raise NotSent(
                f"The host {host} has no address: check the vault's name, and this machine's DNS. A vault with a private "
                "endpoint needs the zone privatelink.vaultcore.azure.net in the network that this machine is in.",
                code="host_not_found",
            )
        self._is_private = not ip_address(addresses[0].partition("%")[0]).is_global
        kind = "a private address: calls stay in the network" if self._is_private else "a public address"
        shown = "" if list(addresses) == [host] else f" {', '.join(addresses)},"
        self._told("address", f"{host} is{shown} {kind}.")

    def _rights(self) -> dict[str, MissingRight]:
        """The rights that are refused. Ends with the first answer that is about something else."""
        wanted = self._needs or _BY_DEFAULT
        refused: dict[str, MissingRight] = {}
        for right in wanted:
            try:
                self._try(right)
            except MissingRight as error:
                refused[right] = error
            except RemoteError as error:
                raise with_checks(self._on_the_way(error), self._checks) from error
        self._told("reach", f"{self._vault.host} answers over TLS.")
        seen = "lets this machine in" if len(refused) < len(wanted) else "has not been reached: permissions come first"
        self._told("firewall", f"The firewall {seen}.")
        self._told("permission model", self._model(refused))
        for right in wanted:
            self._told(right.replace("/", " "), self._sentence(right, refused), ok=right not in refused)
        return refused

    def _try(self, right: str) -> None:
        place, _, word = right.partition("/")
        kind, method, path = _CALLS[word]
        has_body = method in ("PUT", "PATCH") or word in (*_USES_OF_KEYS, "import")
        kind = f"{_PREFIXES[place]}{kind}"
        name = f"integrator-preflight-{randomness.token_hex(8)}"
        url = f"{self._vault.url}{path.format(place=place, name=name, query=self._query)}"
        try:
            self._client.json(Call(kind, method, url, {} if has_body else None))
        except (NotFound, BadRequest, Conflict) as error:
            if error.code == "vault_not_found" or word == "list":
                raise

    def _on_the_way(self, error: RemoteError) -> RemoteError:
        if isinstance(error, NotAuthorized):
            self._told("token", str(error), ok=False)
        elif isinstance(error, TransportError):
            self._told("reach", str(error), ok=False)
        else:
            self._told("reach", f"{self._vault.host} answers over TLS.", ok=error.code in _SHUT)
            self._told("firewall" if error.code in _SHUT else "answer", self._hinted(error), ok=False)
        return error

    def _hinted(self, error: RemoteError) -> str:
        if error.code == "forbidden_by_connection" and not self._is_private:
            return f"{error} This machine's DNS gives its public address: link the private zone to this network."
        return str(error)

    def _model(self, refused: dict[str, MissingRight]) -> str:
        if self._tells_roles or any(error.by_role for error in refused.values()):
            return "Roles (Azure RBAC) say who may do what."
        if refused:
            return "Access policies say who may do what."
        return "The vault does not say whether roles or access policies count; nothing was refused."

    def _sentence(self, right: str, refused: dict[str, MissingRight]) -> str:
        collection, _, word = right.partition("/")
        if right not in refused:
            return f"The app may {word} {collection}."
        return f"The app may not {word} {collection}: {self._way_out({right: refused[right]})}."

    def _way_out(self, refused: dict[str, MissingRight]) -> str:
        """The least that must be given: one role for all that is wanted, or the permissions that lack."""
        if not any(error.by_role for error in refused.values()):
            lacking = ", ".join(right.replace("/", " ") for right in refused)
            return f"add to its access policy: {lacking}"
        collections = {right.partition("/")[0] for right in refused}
        wanted = [right for right in self._needs or _BY_DEFAULT if right.partition("/")[0] in collections]
        return f"give it the role {' and '.join(smallest_roles(wanted))} on the vault"

    def _refusal(self, refused: dict[str, MissingRight]) -> MissingRight:
        where = self._vault.host
        sentence = f"The app of this connection may not {_spelled(refused)} in {where}: {self._way_out(refused)}."
        first = next(iter(refused.values()))
        if first.by_role and len(refused) == len(self._needs or _BY_DEFAULT):
            sentence += " A role that was given in the last ten minutes may still be propagating: test again then."
        return MissingRight(sentence, first.right, by_role=first.by_role)


def _spelled(rights: Collection[str]) -> str:
    """`list and get secrets, list keys`."""
    by_collection: dict[str, list[str]] = {}
    for right in rights:
        collection, _, word = right.partition("/")
        by_collection.setdefault(collection, []).append(word)
    return ", ".join(f"{' and '.join(words)} {collection}" for collection, words in by_collection.items())
