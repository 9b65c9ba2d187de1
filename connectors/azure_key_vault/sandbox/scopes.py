"""What an app asks for: scopes of resources, and the scopes of OpenID (Azure reference sheet, 3.1 and 1.9).

A scope without a resource in front is Microsoft Graph's. `.default` stands for what the app has registered
and is never mixed with named scopes. An authorization request may name several resources, a token request one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.clouds import CLOUDS, PUBLIC, Cloud

DEFAULT = ".default"

Permission = tuple[str, str]
Permissions = dict[str, tuple[str, ...]]


class Delegated(NamedTuple):
    """A delegated permission: what the consent page says, and whether only an administrator may grant it."""

    words: str
    administrators_only: bool = False


OPENID_SCOPES = {
    "openid": Delegated("Sign you in"),
    "profile": Delegated("View your basic profile"),
    "email": Delegated("View your email address"),
    "offline_access": Delegated("Maintain access to data you have given it access to"),
}
_IMPERSONATION = "user_impersonation"
SIGN_IN = PUBLIC.graph
"""Under which resource the consents to OpenID's scopes are remembered, in every cloud."""


def _catalogue(cloud: Cloud) -> dict[Permission, Delegated]:
    impersonation = "Have full access to the Azure Key Vault service on your behalf"
    return {
        (cloud.vault_audience, _IMPERSONATION): Delegated(impersonation),
        (cloud.arm_audience, _IMPERSONATION): Delegated("Access Azure Resource Manager as you"),
        (cloud.graph, "User.Read"): Delegated("Sign you in and read your profile"),
        (cloud.graph, "Directory.Read.All"): Delegated("Read directory data", administrators_only=True),
        **{(cloud.graph, name): delegated for name, delegated in OPENID_SCOPES.items()},
    }


CATALOGUE = {permission: told for cloud in CLOUDS.values() for permission, told in _catalogue(cloud).items()}


def registered(cloud: Cloud) -> Permissions:
    """What an app of this cloud has registered to begin with."""
    return {
        cloud.vault_audience: (_IMPERSONATION,),
        cloud.arm_audience: (_IMPERSONATION,),
        cloud.graph: ("User.Read",),
    }


class Scope(NamedTuple):
    """One scope of a resource: the audience of its tokens, its name, and the text that was asked."""

    audience: str
    name: str
    text: str


class Scopes(NamedTuple):
    """What one request asks for."""

    resources: tuple[Scope, ...]
    openid: frozenset[str]
    cloud: Cloud = PUBLIC

    @property
    def audiences(self) -> list[str]:
        """The audiences in the order in which they were asked."""
        return list(dict.fromkeys(scope.audience for scope in self.resources))

    def permissions(self, registered: Permissions) -> dict[Permission, Delegated]:
        """What must be consented to; `.default` is what the app has registered (650057 if nothing)."""
        wanted: dict[Permission, Delegated] = {}
        for scope in self.resources:
            audience = canonical(scope.audience, self.cloud)
            names = (scope.name,) if scope.name != DEFAULT else registered.get(audience, ())
            if not names:
                raise TokenError(650057, f"The resource {audience} is not among the app's requested permissions.")
            wanted |= {(audience, name): CATALOGUE[audience, name] for name in names}
        openid = {name: OPENID_SCOPES[name] for name in OPENID_SCOPES if name in self.openid}
        return wanted | {(SIGN_IN, name): delegated for name, delegated in openid.items()}

    def only_resource(self) -> Scopes:
        """The same, if it names at most one resource; 28000 otherwise."""
        if len(self.audiences) > 1:
            text = f"The input parameter scope contains more than one resource: {' '.join(self.audiences)}."
            raise TokenError(28000, text)
        return self

    def granted_names(self, registered: Permissions) -> list[str]:
        """The names that go into a token's `scp`; without any resource those of OpenID."""
        if not self.resources:
            return [name for name in OPENID_SCOPES if name in self.openid and name != "offline_access"]
        names: list[str] = []
        for scope in self.resources:
            names += (
                (scope.name,) if scope.name != DEFAULT else registered.get(canonical(scope.audience, self.cloud), ())
            )
        return list(dict.fromkeys(names))

    def echo(self, registered: Permissions) -> str:
        """The `scope` of a token response: what was granted, and `.default` if that was asked."""
        if not self.resources:
            return " ".join(self.granted_names(registered))
        texts: list[str] = []
        for scope in self.resources:
            if scope.name == DEFAULT:
                prefix = scope.text.rpartition("/")[0]
                texts += [f"{prefix}/{name}" for name in self.granted_names(registered)]
            texts.append(scope.text)
        return " ".join(dict.fromkeys(texts))


def parse(text: str, *, strict: bool = False, cloud: Cloud = PUBLIC) -> Scopes:
    """The scopes of a space-separated list; 70011, 500011 or 650053 when it is none."""
    if not _SCOPE_LIST.fullmatch(text):
        raise TokenError(70011, "The input parameter 'scope' has characters that no scope has.")
    words = list(dict.fromkeys(text.split()))
    openid = frozenset(word.lower() for word in words if word.lower() in OPENID_SCOPES)
    resources = tuple(_scope(word, strict=strict, cloud=cloud) for word in words if word.lower() not in OPENID_SCOPES)
    if len(resources) > 1 and any(scope.name == DEFAULT for scope in resources):
        raise TokenError(70011, "The scope .default cannot be combined with other scopes of resources.")
    return Scopes(resources, openid, cloud)


def of_resource(resource: str, *, strict: bool = False, cloud: Cloud = PUBLIC) -> Scopes:
    """What the v1 parameter `resource` asks for: all that is registered, with a refresh token and an id token."""
    audience = audience_of(resource, strict=strict, cloud=cloud)
    return Scopes((Scope(audience, DEFAULT, f"{resource}/{DEFAULT}"),), frozenset(OPENID_SCOPES), cloud)


def for_application(text: str, *, strict: bool = False, cloud: Cloud = PUBLIC) -> str:
    """The audience of a client credentials request: exactly one resource with `/.default`."""
    scopes = [scope for scope in text.split() if scope not in OPENID_SCOPES]
    if len(scopes) != 1:
        raise TokenError(70011, "The input parameter 'scope' is not valid: one resource is needed.")
    resource, separator, _ = scopes[0].rpartition(f"/{DEFAULT}")
    if not separator or not scopes[0].endswith(f"/{DEFAULT}"):
        raise TokenError(1002012)
    return audience_of(resource, strict=strict, cloud=cloud)


def audience_of(resource: str, *, strict: bool = False, cloud: Cloud = PUBLIC) -> str:
    """The audience for a resource: the cloud's, without the trailing slash, or a vault suffix on localhost.

    The slash is overlooked unless `strict`; 500011 for what is no resource, or one of another cloud.
    """
    audience = resource.rstrip("/").lower()
    if audience == cloud.classic_arm_audience:
        return f"{audience}/"
    known = audience in cloud.audiences or _LOCAL_RESOURCE.fullmatch(audience)
    if not known or (strict and resource.endswith("/")):
        raise TokenError(500011, f"The resource principal named {resource[:100]} was not found in the tenant.")
    return audience


def canonical(audience: str, cloud: Cloud) -> str:
    """The resource that an audience belongs to, as consents and registrations name it."""
    if audience.rstrip("/") == cloud.classic_arm_audience:
        return cloud.arm_audience
    return cloud.vault_audience if _LOCAL_RESOURCE.fullmatch(audience) else audience


def _scope(word: str, *, strict: bool, cloud: Cloud) -> Scope:
    if "://" in word:
        prefix, _, name = word.rpartition("/")
    else:
        prefix, name = cloud.graph, word
    audience = audience_of(prefix, strict=strict, cloud=cloud)
    names = {known.lower(): known for resource, known in CATALOGUE if resource == canonical(audience, cloud)}
    if name.lower() == DEFAULT:
        return Scope(audience, DEFAULT, word)
    if name.lower() not in names:
        raise TokenError(650053, f"The application asked for scope '{name[:100]}' that doesn't exist on {audience}.")
    return Scope(audience, names[name.lower()], word)


_LOCAL_RESOURCE = re.compile(r"https://vault\.localhost(:[0-9]{1,5})?")
_SCOPE_LIST = re.compile(r"[\x21\x23-\x5B\x5D-\x7E \t]*")
