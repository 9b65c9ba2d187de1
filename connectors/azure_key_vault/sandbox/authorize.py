"""The authorization endpoints: what an app may ask of a browser, and how it is answered (sheet, section 1.3).

What cannot be trusted (tenant, app, redirect URI) ends on a page of Entra's own; every other error goes back
to the app.
"""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass

from connectors.azure_key_vault.sandbox import pages
from connectors.azure_key_vault.sandbox import scopes as asked
from connectors.azure_key_vault.sandbox.aadsts import ON_PAGE, TokenError, described
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.authority import PERSONAL_TENANT, Authority
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.exchange import Answer, Request
from connectors.azure_key_vault.sandbox.forms import claims_of, correlation_of, pairs_of, required
from connectors.azure_key_vault.sandbox.scopes import Scopes
from connectors.azure_key_vault.sandbox.signin import Interaction, SignIn
from connectors.azure_key_vault.sandbox.user_tokens import client_info

PROMPTS = frozenset({"", "login", "none", "consent", "select_account", "admin_consent"})
RESPONSE_MODES = frozenset({"query", "fragment", "form_post"})
CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")
TRUSTED_FIELDS = ("client_id", "redirect_uri")


@dataclass(slots=True, eq=False)
class Reply:
    """Where and how an app is answered."""

    authority: Authority
    redirect_uri: str
    mode: str
    state: str | None
    correlation: str

    def send(self, parameters: dict[str, str]) -> Answer:
        """The answer with its `state`."""
        parameters |= {} if self.state is None else {"state": self.state}
        if self.mode == "form_post":
            return pages.posted(self.redirect_uri, parameters)
        return pages.redirect(self.redirect_uri, parameters, "#" if self.mode == "fragment" else "")

    def send_error(self, error: TokenError, *, name: str = "", **more: str) -> Answer:
        """The error, as the endpoint names it, with more parameters."""
        return self.send(error_parameters(error, self.authority.clock.now(), self.correlation, name) | more)


@dataclass(slots=True, eq=False)
class CodeWanted:
    """The purpose of an authorization request: a code for the app."""

    reply: Reply
    challenge: str
    method: str
    nonce: str | None
    wants_client_info: bool
    always_asks: bool = False
    for_everybody: bool = False

    def accepted(self, interaction: Interaction) -> Answer:
        """Back to the app with a code."""
        grants, reply = self.reply.authority.grants, self.reply
        grant = interaction.begin(grants)
        code = grants.new_code(grant, reply.redirect_uri, self.challenge, self.method, self.nonce)
        parameters = {"code": code}
        if self.wants_client_info:
            parameters["client_info"] = client_info(grant)
        return reply.send(parameters | {"session_state": interaction.session.id})

    def refused(self, interaction: Interaction, error: TokenError) -> Answer:
        """Back to the app with an error."""
        return self.reply.send_error(error)


class AuthorizeEndpoint:
    """Answers authorization requests."""

    def __init__(self, authority: Authority, signin: SignIn) -> None:
        self._authority = authority
        self._signin = signin

    def answer(self, request: Request, tenant: str, *, v2: bool) -> Answer:
        """A page, or a redirect to the app."""
        text = request.query if request.method == "GET" else request.body.decode("latin-1")
        pairs = pairs_of(text)
        form = dict(pairs)
        repeated = {name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1}
        directory = self._authority.resolve(tenant)
        if tenant.lower() == PERSONAL_TENANT:
            raise TokenError(700016, "The client does not exist or is not enabled for consumers.")
        if repeated & set(TRUSTED_FIELDS):
            raise TokenError(90013, "A parameter was sent more than once.")
        application = self._authority.known_application(required(form, "client_id"), directory)
        uri = redirect_uri(application, form.get("redirect_uri", ""))
        mode = form.get("response_mode", "query")
        mode = mode if mode in RESPONSE_MODES else "query"
        reply = Reply(self._authority, uri, mode, form.get("state"), correlation_of(request))
        try:
            if repeated:
                raise TokenError(90013, "A parameter was sent more than once.")
            self._authority.refusals.check("authorize")
            return self._begin(request, reply, directory, application, form, v2=v2)
        except TokenError as refused:
            if refused.number in ON_PAGE:
                raise
            return reply.send_error(refused)

    def _begin(
        self,
        request: Request,
        reply: Reply,
        directory: Directory | None,
        application: Application,
        form: dict[str, str],
        *,
        v2: bool,
    ) -> Answer:
        _check_response(form)
        claims = claims_of(form)
        challenge, method = _challenge(form)
        prompt = form.get("prompt", "")
        if prompt not in PROMPTS or (prompt == "admin_consent" and v2):
            raise TokenError(90023, f"Unsupported 'prompt' value '{prompt[:40]}'.")
        purpose = CodeWanted(reply, challenge, method, form.get("nonce"), form.get("client_info") == "1")
        purpose.for_everybody = prompt == "admin_consent"
        session, now = self._signin.session(request), self._authority.clock.now()
        scopes = self._scopes(form, v2=v2)
        interaction = Interaction(purpose, directory, application, scopes, session, now)
        interaction.prompt, interaction.hint = prompt, form.get("login_hint", "")
        interaction.claims = claims
        return self._signin.begin(interaction)

    def _scopes(self, form: dict[str, str], *, v2: bool) -> Scopes:
        strict, cloud = self._authority.policy.strict_resources, self._authority.cloud
        if not v2:
            return asked.of_resource(required(form, "resource"), strict=strict, cloud=cloud)
        if "resource" in form:
            raise TokenError(901002)
        return asked.parse(required(form, "scope"), strict=strict, cloud=cloud)


def redirect_uri(application: Application, sent: str) -> str:
    """Where the app is answered: 500113, 900971 or 50011 when that is not registered."""
    if not application.redirect_uris:
        raise TokenError(500113)
    if not sent and len(application.redirect_uris) == 1:
        return application.redirect_uris[0]
    if not sent:
        raise TokenError(900971)
    if not application.redirects_to(sent):
        text = f"The redirect URI '{sent[:256]}' specified in the request does not match those configured for the "
        raise TokenError(50011, f"{text}application '{application.client_id}'.")
    return sent


def error_parameters(error: TokenError, now: float, correlation: str, name: str = "") -> dict[str, str]:
    """An error as parameters of a redirect; with `interaction_required` the claims for the next sign-in."""
    moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    parameters = {
        "error": name or error.on_redirect,
        "error_description": described(error, moment, str(uuid.uuid4()), correlation),
        "error_uri": f"https://login.microsoftonline.com/error?code={error.number}",
    }
    if error.claims and parameters["error"] == "interaction_required":
        parameters |= {"suberror": error.suberror, "claims": error.claims}
    return parameters | ({"error_subcode": error.subcode} if error.subcode else {})


def _check_response(form: dict[str, str]) -> None:
    kind = required(form, "response_type")
    if "id_token" in kind.split():
        raise TokenError(700054)
    if kind != "code":
        raise TokenError(700051, f"response_type '{kind[:40]}' is not enabled for the application.")
    if form.get("response_mode", "query") not in RESPONSE_MODES:
        raise TokenError(90023, "The 'response_mode' is not supported.")


def _challenge(form: dict[str, str]) -> tuple[str, str]:
    """The PKCE challenge and its method, `plain` if none is named; 50147 when malformed."""
    challenge = form.get("code_challenge", "")
    method = form.get("code_challenge_method", "plain")
    if not challenge:
        if "code_challenge_method" in form or "code_challenge" in form:
            raise TokenError(50147)
        return "", ""
    is_whole = CHALLENGE.fullmatch(challenge) and (method != "S256" or len(challenge) == 43)
    if method not in ("S256", "plain") or not is_whole:
        raise TokenError(50147)
    return challenge, method
