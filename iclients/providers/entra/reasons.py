"""Why Entra refuses, by its AADSTS number or by error and suberror, and what to do about it.

One number, one cause, one next step: in Entra's portal, in our document, or with the connection. Where Entra's error
blames the credential and another one would not help, or the other way round, the kind says so. Source: Microsoft
identity platform, "Authentication and authorization error codes", "Certificate credentials", "Workload identity
federation".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iclients.errors import CredentialRefused, NotAuthorized, ScopeRefused
from iclients.providers.entra.consent_reasons import CONSENT_REASONS
from iclients.reasons import Reason

CERTIFICATE_REFUSED: Final = 700027
"""One number for a certificate that Entra does not know, and for one that has ended: its words tell them apart."""

CERTIFICATE_ENDED: Final = ("invalid_client", "certificate_ended")
"""Error and suberror, as we call it, of the latter."""

LOOP_SECONDS: Final = 300.0
"""How long Entra does not want to hear from a client that asked the same thing too often."""

_SECRETS: Final = "in Entra under App registrations → Certificates & secrets"
_SIGN_IN_PAGE: Final = "in Entra under App registrations → Authentication"
_PERMISSIONS: Final = "in Entra under App registrations → API permissions"
_FEDERATED: Final = "in Entra under App registrations → Certificates & secrets → Federated credentials"

_CREDENTIAL: Final[dict[int | str, Reason]] = {
    7000215: Reason(
        "Entra refused the client secret of iClient {iclient}",
        "set the secret's value, not its ID, as credential.client_secret in the document and apply it again",
        CredentialRefused,
    ),
    7000222: Reason(
        "The client secret of iClient {iclient} has expired",
        f"make a new one {_SECRETS}, and apply it as credential.client_secret",
        CredentialRefused,
    ),
    7000218: Reason(
        "iClient {iclient} has no credential, and app {client_id} must prove itself",
        "set credential.client_secret or credential.certificate in the document and apply it again",
        CredentialRefused,
    ),
    70002: Reason(
        "Entra could not check the credential of iClient {iclient}",
        f"compare credential in the document with what app {{client_id}} has {_SECRETS}",
        CredentialRefused,
    ),
    700025: Reason(
        "App {client_id} is public, so iClient {iclient} may have no credential",
        "remove credential from the document and apply it again, or register a confidential app",
        NotAuthorized,
    ),
    CERTIFICATE_REFUSED: Reason(
        "Entra does not know the certificate of iClient {iclient}",
        f"upload it {_SECRETS}, for app {{client_id}}",
        CredentialRefused,
    ),
    "/".join(CERTIFICATE_ENDED): Reason(
        "The certificate of iClient {iclient} has expired",
        f"make a new one, upload it {_SECRETS}, and apply it as credential.certificate",
        CredentialRefused,
    ),
    700024: Reason(
        "Entra finds the assertion of iClient {iclient} outside its time",
        "set this machine's clock right, or look at what writes the federated assertion",
        CredentialRefused,
    ),
    50027: Reason(
        "Entra cannot read the assertion of iClient {iclient}",
        "check credential.certificate, or the file of credential.federated_assertion, in the document",
        CredentialRefused,
    ),
    700021: Reason(
        "The assertion of iClient {iclient} speaks for another app than {client_id}",
        "correct client_id in the document and apply it again",
        CredentialRefused,
    ),
    700023: Reason(
        "The assertion of iClient {iclient} is meant for another address than that of tenant {tenant}",
        "check tenant and cloud in the document",
        CredentialRefused,
    ),
    700211: Reason(
        "App {client_id} trusts no federated credential with the issuer that iClient {iclient} shows",
        f"add the assertion's iss {_FEDERATED}",
        CredentialRefused,
    ),
    700212: Reason(
        "App {client_id} trusts no federated credential with the audience that iClient {iclient} shows",
        f"add the assertion's aud {_FEDERATED}",
        CredentialRefused,
    ),
    700213: Reason(
        "App {client_id} trusts no federated credential with the subject that iClient {iclient} shows",
        f"add the assertion's sub {_FEDERATED}",
        CredentialRefused,
    ),
}

_APP: Final[dict[int | str, Reason]] = {
    700016: Reason(
        "Entra knows no app {client_id} in tenant {tenant}",
        "check client_id and tenant of iClient {iclient} in the document",
        NotAuthorized,
    ),
    7000112: Reason(
        "The app {client_id} of iClient {iclient} is disabled in tenant {tenant}",
        "enable it in Entra under Enterprise applications → Properties",
        NotAuthorized,
    ),
    90002: Reason(
        "Entra knows no tenant {tenant}", "check tenant and cloud of iClient {iclient} in the document", NotAuthorized
    ),
    900023: Reason(
        "{tenant} is not a tenant's ID or domain", "correct tenant of iClient {iclient} in the document", NotAuthorized
    ),
    50049: Reason(
        "Entra does not know the authority that iClient {iclient} asks",
        "correct the authority of its cloud in the document",
        NotAuthorized,
    ),
    50194: Reason(
        "App {client_id} belongs to one tenant only, and iClient {iclient} names tenant {tenant}",
        "set tenant to the ID of the app's own tenant",
        NotAuthorized,
    ),
    9001023: Reason(
        "Tenant {tenant} of iClient {iclient} stands for many tenants, and this grant needs one",
        "set tenant to one tenant's ID or domain",
        NotAuthorized,
    ),
    50011: Reason(
        "The redirect URI of iClient {iclient} is not one of those that app {client_id} has registered",
        f"register it, letter by letter, {_SIGN_IN_PAGE}",
        NotAuthorized,
    ),
    500112: Reason(
        "The redirect URI of iClient {iclient} changed between the sign-in and the exchange of its code",
        "start the consent again from the address that is registered",
        NotAuthorized,
    ),
    500113: Reason(
        "App {client_id} of iClient {iclient} has no redirect URI", f"register ours {_SIGN_IN_PAGE}", NotAuthorized
    ),
    900971: Reason(
        "The consent of iClient {iclient} named no redirect URI",
        "check the public address of this installation and start the consent again",
        NotAuthorized,
    ),
    700009: Reason(
        "The redirect URI was missing when iClient {iclient} exchanged its code",
        "start the consent again",
        NotAuthorized,
    ),
    700051: Reason(
        "App {client_id} of iClient {iclient} may not be given what the sign-in page was asked for",
        f"add the platform Web {_SIGN_IN_PAGE}",
        NotAuthorized,
    ),
    700054: Reason(
        "App {client_id} of iClient {iclient} may not be given id tokens by the sign-in page",
        f"enable ID tokens {_SIGN_IN_PAGE}",
        NotAuthorized,
    ),
    70003: Reason(
        "Entra does not offer app {client_id} the grant that iClient {iclient} uses",
        "choose another auth for the connection",
        NotAuthorized,
    ),
}

_SCOPE: Final[dict[int | str, Reason]] = {
    70011: Reason(
        "Entra does not accept the scopes of iClient {iclient}",
        "use the scopes of one resource, either named ones or one that ends in /.default",
        ScopeRefused,
    ),
    28000: Reason(
        "iClient {iclient} asks for scopes of several resources in one token",
        "choose the scopes of one resource",
        ScopeRefused,
    ),
    1002012: Reason(
        "iClient {iclient} asks for a named scope, and client credentials take none",
        "use one scope that ends in /.default",
        ScopeRefused,
    ),
    500011: Reason(
        "Tenant {tenant} has no service for the scope that iClient {iclient} asks for",
        "check its scopes, settings.resource and its cloud",
        ScopeRefused,
    ),
    650057: Reason(
        "App {client_id} of iClient {iclient} may not ask for this resource at all",
        f"add the resource {_PERMISSIONS}",
        ScopeRefused,
    ),
    650053: Reason(
        "iClient {iclient} asks for a scope that its resource does not have",
        "correct scopes in the document",
        ScopeRefused,
    ),
    901002: Reason(
        "iClient {iclient} sent a resource to an endpoint that takes scopes",
        "remove resource from its authorization_parameters and token_parameters",
        NotAuthorized,
    ),
}


_REQUEST: Final[dict[int | str, Reason]] = {
    90013: Reason(
        "Entra does not take a value that iClient {iclient} sent", "check settings and scopes in the document"
    ),
    90023: Reason(
        "Entra does not support a value that iClient {iclient} sent", "compare settings with what Entra documents"
    ),
    900144: Reason("Entra misses a parameter in the request of iClient {iclient}", "check client_id in the document"),
    90014: Reason(
        "Entra misses a field in the request of iClient {iclient}", "check client_id and scopes in the document"
    ),
    900561: Reason(
        "The request of iClient {iclient} arrived at Entra in another form than it left",
        "look for a proxy that redirects or rewrites requests",
    ),
    50196: Reason(
        "Entra has stopped iClient {iclient} for a while, because it asked for the same thing too often",
        "wait five minutes, and look for something else that uses app {client_id}",
        NotAuthorized,
        LOOP_SECONDS,
    ),
    90055: Reason(
        "Entra gets too many requests from iClient {iclient}",
        "wait a minute, and run fewer flows at once",
        NotAuthorized,
        60.0,
    ),
}

REASONS: Final[Mapping[int | str, Reason]] = {**_CREDENTIAL, **_APP, **_SCOPE, **_REQUEST, **CONSENT_REASONS}
"""Number, `error/suberror` or error → cause and next step."""
