"""Every page that there is, by the name of its picture. A page that is in no list fails a test: whoever adds one adds it here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from browser_house import House
from furnishing import LONG_NAME
from people import swapping
from playwright.sync_api import Page

EDITED_FLOW = "/flows/vault-to-file/edit"
ACTIONS = "/connections/contoso/actions"
KEY_VAULT = "/new/connection?connector=azure-key-vault"
A_SECRET = "ledger-prod-token-00001"
"""One of those that the sandbox makes up, the same each time."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One page: where it is, which view answers, and what is done there before one looks."""

    name: str
    view: str
    path: str | Callable[[House], str]
    prepare: Callable[[Page], None] | None = None
    is_public: bool = False
    is_empty: bool = False
    """In an installation where nothing was made yet."""
    status: int = 200
    is_telling: bool = False
    """One of the pages whose pictures stand beside each other in the light and in the dark, wide and narrow."""

    def __str__(self) -> str:
        return self.name


def _press(name: str) -> Callable[[Page], None]:
    def pressed(page: Page) -> None:
        with page.expect_navigation():
            page.get_by_role("button", name=name).click()

    return pressed


def _unfold(label: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_label(label).click()


def _with_iclient(page: Page) -> None:
    with swapping(page, "**/new/connection/scopes"):
        page.get_by_label("OAuth 2.0 client").first.select_option("contoso-app")


def _filled(page: Page) -> None:
    _with_iclient(page)
    page.get_by_label("Name your connection").fill("contoso-vault")
    with swapping(page, "**/new/connection/scopes"):
        page.get_by_role("radio", name="Data plane").check()
    page.get_by_role("button", name=re.compile("^Remove ")).wait_for()
    with swapping(page, "**/new/connection/vault-url*"):
        page.get_by_label("Vault URL").press_sequentially("https://contoso.vault.azure.net")
    page.get_by_label("Vault URL").blur()


def _picking(page: Page) -> None:
    _with_iclient(page)
    page.get_by_role("button", name="Choose scopes").click()


def _beside(name: str) -> Callable[[Page], None]:
    def pressed(page: Page) -> None:
        page.get_by_role("button", name=name).click()
        page.get_by_role("dialog").wait_for()

    return pressed


def _iclient_beside(page: Page) -> None:
    _beside("Add an OAuth 2.0 client")(page)
    page.get_by_role("dialog").get_by_role("link", name="Microsoft Entra ID", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Save").wait_for()


def _get_secret(page: Page) -> None:
    page.get_by_label("Secret name").fill(A_SECRET)
    _press("Get secret")(page)


def _ask_to_delete(page: Page) -> None:
    page.get_by_label("Secret name").fill(A_SECRET)
    _press("Delete secret …")(page)


def _part(name: str) -> Callable[[Page], None]:
    def opened(page: Page) -> None:
        parts = page.get_by_role("navigation", name="Parts of the flow")
        parts.get_by_role("link", name=re.compile(f"^{name}")).click()
        page.get_by_role("region", name=name).wait_for()

    return opened


def _mapping(page: Page) -> None:
    _part("Mapping")(page)
    page.get_by_role("region", name="Mapping").get_by_text("••••").first.wait_for()


def run_of(flow: str, query: str = "") -> Callable[[House], str]:
    """The address of the last run of a flow."""
    return lambda house: f"/runs/{house.last_run(flow)}{query}"


PAGES = (
    Shown("sign-in", "sign_in.form", "/sign-in", is_public=True, is_telling=True),
    Shown("set-up", "setting_up.form", lambda house: house.link_of("new-person"), is_public=True),
    Shown("set-up-used", "setting_up.form", "/set-up/" + "x" * 43, is_public=True, status=410),
    Shown(
        "consent-link", "consent.shown", lambda house: house.consent_link("waiting"), is_public=True, is_telling=True
    ),
    Shown("consent-nobody-waits", "callback.ended", "/callback?code=c&state=s", is_public=True, status=400),
    Shown("home", "home.shown", "/", is_telling=True),
    Shown("home-empty", "home.shown", "/", is_empty=True, is_telling=True),
    Shown("search", "home.searched", "/search?q=co"),
    Shown("search-nothing", "home.searched", "/search?q=zzz"),
    Shown("flows", "flows.listed", "/flows", is_telling=True),
    Shown("flows-empty", "flows.listed", "/flows", is_empty=True),
    Shown("flow", "flows.shown", "/flows/vault-to-file", is_telling=True),
    Shown("flow-paused", "flows.shown", "/flows/waits-for-consent"),
    Shown("flow-form", "flows.form.new", "/new/flow", is_telling=True),
    Shown("flow-form-empty", "flows.form.new", "/new/flow", is_empty=True),
    Shown("flow-edit", "flows.form.edited", EDITED_FLOW),
    Shown("flow-edit-mapping", "flows.form.edited", EDITED_FLOW, prepare=_mapping, is_telling=True),
    Shown("flow-edit-destination", "flows.form.edited", EDITED_FLOW, prepare=_part("Destination")),
    Shown("flow-edit-schedule", "flows.form.edited", EDITED_FLOW, prepare=_part("Schedule"), is_telling=True),
    Shown("flow-delete", "flows.form.asked_to_delete", "/flows/paused-by-hand/delete"),
    Shown("runs", "runs.listed", "/runs", is_telling=True),
    Shown("runs-empty", "runs.listed", "/runs", is_empty=True),
    Shown("run", "runs.shown", run_of("vault-to-file")),
    Shown("run-with-errors", "runs.shown", run_of("settings-to-vault"), is_telling=True),
    Shown("run-steps", "runs.shown", run_of("settings-to-vault", "?tab=steps")),
    Shown("run-events", "runs.shown", run_of("settings-to-vault", "?tab=events")),
    Shown("run-document", "runs.shown", run_of("settings-to-vault", "?tab=document")),
    Shown("run-failed", "runs.shown", run_of("missing-file")),
    Shown("connections", "connections.listed", "/connections", is_telling=True),
    Shown("connections-menu", "connections.listed", "/connections", prepare=_unfold("Actions for contoso")),
    Shown("connections-empty", "connections.listed", "/connections", is_empty=True),
    Shown("connection", "connections.shown", "/connections/contoso", is_telling=True),
    Shown("connection-waiting", "connections.shown", "/connections/waiting"),
    Shown("connection-long-name", "connections.shown", f"/connections/{LONG_NAME}"),
    Shown("connection-delete", "connections.asked_to_delete", "/connections/arm/delete"),
    Shown("connection-delete-refused", "connections.asked_to_delete", "/connections/contoso/delete"),
    Shown("connectors", "connections.form.new", "/new/connection", is_telling=True),
    Shown("connection-form", "connections.form.new", KEY_VAULT, prepare=_filled, is_telling=True),
    Shown("connection-form-http", "connections.form.new", KEY_VAULT, prepare=_press("HTTP")),
    Shown("connection-form-scopes", "connections.form.new", KEY_VAULT, prepare=_picking, is_telling=True),
    Shown(
        "connection-form-panel",
        "connections.form.new",
        KEY_VAULT,
        prepare=_beside("Add an OAuth 2.0 client"),
        is_telling=True,
    ),
    Shown("connection-form-panel-iclient", "connections.form.new", KEY_VAULT, prepare=_iclient_beside),
    Shown("connection-form-wrong", "connections.form.new", KEY_VAULT, prepare=_press("Save & authorize"), status=422),
    Shown("connection-form-files", "connections.form.new", "/new/connection?connector=files"),
    Shown("actions", "connections.actions.listed", "/connections/contoso/actions", is_telling=True),
    Shown("actions-search", "connections.actions.listed", "/connections/contoso/actions?q=rotat"),
    Shown("actions-none", "connections.actions.listed", "/connections/here/actions"),
    Shown("action", "connections.actions.shown", "/connections/contoso/actions/create_secret", is_telling=True),
    Shown(
        "action-wrong",
        "connections.actions.shown",
        f"{ACTIONS}/import_certificate",
        prepare=_press("Import certificate"),
        status=422,
    ),
    Shown("action-secret", "connections.actions.shown", f"{ACTIONS}/get_secret", prepare=_get_secret, is_telling=True),
    Shown(
        "action-list",
        "connections.actions.shown",
        f"{ACTIONS}/list_secrets",
        prepare=_press("List secrets"),
        is_telling=True,
    ),
    Shown("action-question", "connections.actions.shown", f"{ACTIONS}/delete_secret", prepare=_ask_to_delete),
    Shown(
        "action-refused",
        "connections.actions.shown",
        "/connections/waiting/actions/list_secrets",
        prepare=_press("List secrets"),
    ),
    Shown("connection-consent-link", "connections.inviting.form", "/connections/waiting/link"),
    Shown("connection-edit", "connections.form.edited", "/connections/waiting/edit"),
    Shown("iclients", "iclients.listed", "/iclients"),
    Shown("iclients-empty", "iclients.listed", "/iclients", is_empty=True),
    Shown("iclient", "iclients.shown", "/iclients/old-app", is_telling=True),
    Shown("iclient-delete", "iclients.asked_to_delete", "/iclients/GitHub/delete"),
    Shown("providers", "iclients.form.new", "/new/iclient"),
    Shown("iclient-form", "iclients.form.new", "/new/iclient?provider=entra", is_telling=True),
    Shown("iclient-form-generic", "iclients.form.new", "/new/iclient?provider=generic"),
    Shown("iclient-edit", "iclients.form.edited", "/iclients/contoso-app/edit"),
    Shown("notices", "notices.listed", "/notices"),
    Shown("notices-empty", "notices.listed", "/notices", is_empty=True),
    Shown("audit", "audit.listed", "/audit"),
    Shown("health", "health.shown", "/health", is_telling=True),
    Shown("account", "account.shown", "/account"),
    Shown("not-found", "", "/nothing-here", status=404),
)

NO_PAGES = {
    "static": "styles, scripts, icons",
    "health.live": "for probes",
    "health.ready": "for probes",
    "health.proven": "for the self-test of the public URL",
    "flows.runs_of": "leads to the list of runs",
    "runs.live": "a stream for the page of a run",
    "health.checked": "a part of the page Health",
    "iclients.form.redirect_uri_tested": "a part of the iClient's form",
    "connections.picker.vault_url": "a part of the connection's form",
    "api.described": "for programs",
    "api.listed": "for programs",
    "api.shown": "for programs",
}
"""What GET answers that nobody looks at by itself."""
