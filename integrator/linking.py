"""Consent links: an address that lets somebody else consent for a connection, once, within some days.

A link that went astray is taken back together with the others of its connection: only hashes are kept, so nobody can say
which one it was.
"""

from __future__ import annotations

from typing import Final

from integrator.bootstrap import Installation
from integrator.consenting import Consenting
from integrator.errors import UserError
from integrator.preflight import refuse_hopeless
from integrator.return_urls import allowed

PATH: Final = "/consent/"


def make_link(
    installation: Installation, name: str, made_for: str, lifetime_seconds: float, return_to: str = ""
) -> str:
    """The link's address; it is shown once, and only its hash is kept.

    Raises NotFoundHere; SettingsError where nobody needs to consent; UserError where the address of this installation or
    the one to return to is not fit; ConsentCannotEnd where the consent could not end well.
    """
    public_url = installation.config.public_url
    if not public_url:
        raise UserError("A link needs a server: set INTEGRATOR_PUBLIC_URL and start `integrator serve`.")
    if return_to and not allowed(return_to, installation.config.return_urls):
        raise UserError(
            f"{return_to} is not among the addresses that people may return to: add it to INTEGRATOR_RETURN_URLS."
        )
    Consenting(installation).auth_of(name)
    refuse_hopeless(installation, name)
    with installation.store.writing() as stored:
        token = stored.consent_links.make(
            name,
            made_for=made_for,
            return_to=return_to,
            now=installation.clock.now(),
            lifetime_seconds=lifetime_seconds,
        )
    return f"{public_url}{PATH}{token}"


def revoke_links(installation: Installation, name: str) -> int:
    """Take back the links of this connection that nobody has used; gives how many. Raises NotFoundHere."""
    with installation.store.writing() as stored:
        return stored.consent_links.revoke(name, installation.clock.now())
