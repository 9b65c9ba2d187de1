"""The redirect URI's self-test: whether what people are to register at a provider leads to this installation."""

from __future__ import annotations

from integrator.bootstrap import Installation
from integrator.reaching import reached
from integrator.web.forms.vault_address import Told


def tested(here: Installation) -> Told:
    """What asking the public URL has said."""
    public_url = here.config.public_url
    if not public_url:
        return Told(
            "bad",
            "INTEGRATOR_PUBLIC_URL is not set, so consents come back only to the command line of this machine: set it to the "
            "address at which browsers reach this server.",
        )
    found = reached(here.store, public_url)
    if not found.is_ours:
        return Told(
            "bad",
            f"{public_url} does not reach this installation, {found.why}: correct INTEGRATOR_PUBLIC_URL, or the proxy.",
        )
    return Told("good", f"{public_url} reaches this installation: people who consent come back here.")
