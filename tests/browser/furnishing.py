"""An installation with something of everything that pages show: states of connections, credentials that end, runs of each kind."""

from __future__ import annotations

import copy
import os
import pwd
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from browser_house import House

SCOPE = "https://vault.azure.net/user_impersonation"
LONG_NAME = "Donaudampfschifffahrtsgesellschaft-Geheimnistresor-Wien"
FIELDS = ("name", "value", "content_type", "tags", "enabled")
MOVED = (120, 180, 95, 210, 160, 40, 35)
BAD_NAME = "db password!"
"""What no vault takes as a name."""


def furnish(house: House) -> None:
    """Apply a document, and run its flows once or twice."""
    house.file("settings.csv", rows(*(f"setting-{number},v{number}" for number in range(12)), f"{BAD_NAME},x"))
    house.apply(document(house))
    house("flows", "run", "vault-to-file")
    house("flows", "run", "vault-to-file")
    house("flows", "run", "settings-to-vault", codes=(3,))
    house("flows", "run", "missing-file", codes=(1, 2, 3))
    house("flows", "run", "waits-for-consent", codes=(4,))
    house("flows", "pause", "paused-by-hand")
    for name in ("contoso", "arm", "here"):
        house("connections", "test", name)
    let_two_weeks_pass(house)


def let_two_weeks_pass(house: House) -> None:
    """The runs were some hours ago and took as long as they always do, and there were others before them."""
    now = int(time.time())
    for run, hours in ((1, 26), (2, 7), (3, 5), (4, 4), (5, 3)):
        began = now - hours * 3600 - 120
        house.change("update run_events set at = ? where run_id = ?", began, run)
        house.change("update outcomes set at = ? where run_id = ?", began, run)
        house.change("update runs set started_at = ?, ended_at = ? where id = ?", began, began + 1.4 * run, run)
    house.change("update audit set actor = 'cli:ada' where actor like 'cli:%'")  # whoever runs the tests
    house.change("update runs set started_by = 'cli:ada' where started_by like 'cli:%'")
    house.change(
        "update run_events set detail = replace(detail, ?, 'cli:ada')", f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    )
    for day in range(1, 14):
        moved, failed = MOVED[day % len(MOVED)], 3 if day % 5 == 0 else 0
        told = (now // 3600 - day * 24, 2, moved, moved // 3, failed)
        house.change(
            "insert or ignore into moved_by_hour (hour, runs, moved, unchanged, failed) values (?, ?, ?, ?, ?)", *told
        )


def rows(*lines: str, head: str = "name,value") -> str:
    """A CSV file."""
    return "".join(f"{line}\n" for line in (head, *lines))


def document(house: House) -> dict[str, Any]:
    """What is applied: the sandbox's connections, some beside them, and flows."""
    assert house.lab
    made = copy.deepcopy(house.lab.document)
    soon = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    credential = {"client_secret": house.lab.client_secret, "expires": soon}
    made["iclients"] += [
        {**made["iclients"][0], "name": "contoso-app", "scopes": [SCOPE], "owner": "grace@contoso.test"},
        {**made["iclients"][0], "name": "old-app", "credential": credential, "owner": "grace@contoso.test"},
        {"name": "GitHub", "provider": "github", "client_id": "Iv1.8a61f9b3a7aba766"},
    ]
    consented = {
        "connector": "azure-key-vault",
        "api_type": "data",
        "auth": "authorization_code",
        "iclient": "contoso-app",
    }
    names = (("waiting", "contoso"), ("grace-vault", "contoso"), ("ada-vault", "contoso"), (LONG_NAME, "fabrikam"))
    for name, vault in names:
        settings = {"vault_url": house.lab.urls[vault]}
        made["connections"].append({"name": name, **consented, "settings": settings, "owner": "grace@contoso.test"})
    made["connections"].append({"name": "here", "connector": "files", "settings": {"folder": str(house.files)}})
    vault, file = ("contoso", "secrets"), ("here", "contoso.csv")
    weekdays = {"cron": "30 2 * * mon-fri", "timezone": "Europe/Berlin"}
    made["flows"] = [
        flow("vault-to-file", vault, file, where="enabled", plaintext=True, schedule=weekdays),
        flow("settings-to-vault", ("here", "settings.csv"), ("fabrikam", "secrets"), fields=FIELDS[:2]),
        flow("missing-file", ("here", "nothing.csv"), ("fabrikam", "secrets"), fields=FIELDS[:2]),
        flow("waits-for-consent", ("waiting", "secrets"), ("here", "waiting.csv"), fields=("name",), plaintext=True),
        flow(
            "paused-by-hand",
            vault,
            ("here", "names.csv"),
            fields=("name",),
            values=False,
            schedule={"cron": "0 * * * *"},
        ),
    ]
    return made


def flow(name: str, origin: tuple[str, str], destination: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A flow with values; `fields`, `where`, `schedule` and what the import takes come by name."""
    export: dict[str, Any] = {"connection": origin[0], "resource": origin[1], "values": more.pop("values", True)}
    if where := more.pop("where", None):
        export["where"] = where
    made: dict[str, Any] = {"name": name, "exports": [export]}
    if schedule := more.pop("schedule", None):
        made["schedule"] = schedule
    mapping = [{"to": field, "from": field} for field in more.pop("fields", FIELDS)]
    step = {"connection": destination[0], "resource": destination[1], "mapping": mapping, **more}
    return {**made, "steps": [{"import": step}]}
