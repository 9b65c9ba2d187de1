"""Being allowed in: OAuth 2.0 clients, their credentials and tokens, and the providers that issue them.

The lowest floor. It works as a library: no web, no database, nothing above it.
"""

from iclients.clouds import CloudProfile
from iclients.credentials import Certificate, ClientSecret, FederatedAssertion, ManagedIdentity
from iclients.errors import Recovery, RemoteError
from iclients.model import IClient, Token
from iclients.secret import Secret
from iclients.session import AuthorizedSession

__all__ = [
    "AuthorizedSession",
    "Certificate",
    "ClientSecret",
    "CloudProfile",
    "FederatedAssertion",
    "IClient",
    "ManagedIdentity",
    "Recovery",
    "RemoteError",
    "Secret",
    "Token",
]
