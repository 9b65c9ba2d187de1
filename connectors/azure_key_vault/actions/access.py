"""Actions on the access policies of a vault. What they take and give: `access.toml`.

Never a blind replace: what is there is read, the difference worked out and given back, and just before writing it is read
again, because Resource Manager has no etag for vaults: whoever changes in the moment between is not seen, so the answer
is compared, too. Changes of one principal are merged by Azure and leave the others alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.azure_key_vault.control import access_change
from connectors.azure_key_vault.control.access_change import COLLECTIONS, WORDS, Policies, Rights, Whose
from connectors.azure_key_vault.control.arm import Arm, Inputs, Performer, VaultPlace
from connectors.azure_key_vault.documents import Outputs, part, parts
from connectors.errors import BadInput, Conflict

MOST_POLICIES: Final = 1_024


def list_all(arm: Arm, inputs: Inputs) -> Outputs:
    """Every entry of the vault."""
    place = arm.vault(inputs)

    def entries(document: Any) -> list[Mapping[str, Any]]:
        return parts(part(document, "properties"), "accessPolicies")

    return arm.entries("vault_get", place.path, entries, _described, inputs)


def add(arm: Arm, inputs: Inputs) -> Outputs:
    """Give a principal these rights besides those that it has."""
    return _change_one(arm, inputs, "add", access_change.added)


def replace(arm: Arm, inputs: Inputs) -> Outputs:
    """Give a principal these rights instead of those that it has."""
    return _change_one(arm, inputs, "replace", access_change.replaced)


def remove(arm: Arm, inputs: Inputs) -> Outputs:
    """Take these rights from a principal, or all of them where none are named."""
    return _change_one(arm, inputs, "remove", access_change.removed)


def replace_all(arm: Arm, inputs: Inputs) -> Outputs:
    """Put these entries in place of all. Refused where somebody would lose every right who is not named."""
    place = arm.vault(inputs)
    entries = _entries(inputs["accessPolicies"])
    document = arm.ask("vault_get", place.path)
    told = [{"tenantId": _tenant(document), **one} for one in entries]
    before, after = access_change.in_vault(document), access_change.policies_of(told)
    if len({access_change.whose_of(one) for one in told}) < len(told):
        raise BadInput("accessPolicies has two entries for one principal.", parameter="accessPolicies")
    _refuse_drops(place, access_change.dropped(before, after), inputs.get("dropped") or [])
    wire = [_wire(whose, rights) for whose, rights in sorted(after.items())]
    body = {"properties": {"accessPolicies": wire}}
    return _carried_out(arm, place, inputs, document, after, ("PATCH", place.path, body))


def _change_one(arm: Arm, inputs: Inputs, word: str, change: Callable[[Rights, Rights], Rights]) -> Outputs:
    place, told = arm.vault(inputs), _rights(inputs)
    if not told and word != "remove":
        raise BadInput(f"No right is named: give {', '.join(COLLECTIONS)} or several of them.")
    document = arm.ask("vault_get", place.path)
    before = access_change.in_vault(document)
    whose = Whose(_tenant(document).lower(), inputs["principalId"].lower(), (inputs.get("applicationId") or "").lower())
    had = before.get(whose, {})
    after = access_change.with_rights({**before, whose: change(had, told)}.items())
    body = {"properties": {"accessPolicies": [_wire(whose, told or had)]}}
    path = f"{place.path}/accessPolicies/{word}"
    return _carried_out(arm, place, inputs, document, after, ("PUT", path, body))


def _carried_out(
    arm: Arm,
    place: VaultPlace,
    inputs: Inputs,
    document: Any,
    after: Policies,
    write: tuple[str, str, Mapping[str, Any]],
) -> Outputs:
    """Make the change, unless it is none, or only asked about."""
    before = access_change.in_vault(document)
    changes = access_change.changes(before, after)
    _check_seen(place, access_change.digest_of(before), inputs.get("seen"))
    is_dry = bool(inputs.get("dryRun"))
    if changes and not is_dry:
        _write(arm, place, before, after, write)
    return {
        "changes": changes,
        "isDryRun": is_dry,
        "isInForce": not part(document, "properties").get("enableRbacAuthorization"),
        "seen": access_change.digest_of(before if is_dry else after),
    }


def _write(
    arm: Arm,
    place: VaultPlace,
    before: Policies,
    after: Policies,
    write: tuple[str, str, Mapping[str, Any]],
) -> None:
    method, path, body = write
    if access_change.in_vault(arm.ask("vault_get", place.path)) != before:
        raise changed_meanwhile(place)
    everybody = {*before, *after}
    touched = everybody if method == "PATCH" else {one for one in everybody if before.get(one) != after.get(one)}

    def is_so(found: Policies) -> bool:
        return all(found.get(whose) == after.get(whose) for whose in touched)

    def is_done() -> bool:
        return is_so(access_change.in_vault(arm.ask("vault_get", place.path)))

    what = f"the access policies of vault {place.name}"
    reply = arm.once(lambda: arm.send("policies_change", method, path, body), is_done, what)
    if reply is not None and not is_so(access_change.in_vault(reply.document)):
        raise changed_meanwhile(place)


def changed_meanwhile(place: VaultPlace) -> Conflict:
    """Somebody else was there at the same time."""
    message = f"Vault {place.name} was changed by somebody else at the same time: look at it, and do it again."
    return Conflict(message, code="changed_meanwhile")


def _check_seen(place: VaultPlace, now: str, seen: str | None) -> None:
    if seen is not None and seen != now:
        message = f"Vault {place.name} is not as it was when `seen` was given: look at what is there now."
        raise Conflict(message, code="changed_meanwhile")


def _refuse_drops(place: VaultPlace, lost: list[Whose], named: list[str]) -> None:
    allowed = {name.strip().lower() for name in named}
    missing = [whose.label for whose in lost if not {whose.label, whose.principal} & allowed]
    if missing:
        who = "1 principal" if len(missing) == 1 else f"{len(missing)} principals"
        message = f"{who} of vault {place.name} would lose every right: {', '.join(missing)}."
        raise Conflict(f"{message} Nothing was changed; name them in dropped, or keep them.", code="would_drop")


def _entries(told: Any) -> list[dict[str, Any]]:
    """The entries that were given, in Azure's words or in those of a list action."""
    if not isinstance(told, list) or len(told) > MOST_POLICIES or not all(isinstance(one, dict) for one in told):
        message = f"accessPolicies is not a list of at most {MOST_POLICIES:,} objects."
        raise BadInput(message, parameter="accessPolicies")
    return [_entry(one, number) for number, one in enumerate(told, 1)]


def _entry(told: dict[str, Any], number: int) -> dict[str, Any]:
    principal = told.get("principalId") or told.get("objectId")
    if not isinstance(principal, str):
        raise BadInput(f"Entry {number} of accessPolicies has no principalId.", parameter="accessPolicies")
    permissions = told["permissions"] if isinstance(told.get("permissions"), dict) else told
    rights = {name: permissions.get(name) or [] for name in COLLECTIONS}
    if not all(isinstance(words, list) for words in rights.values()):
        raise BadInput(f"Entry {number} of accessPolicies has rights that are no lists.", parameter="accessPolicies")
    _check_words(rights)
    return {"objectId": principal, "applicationId": told.get("applicationId"), "permissions": rights}


def _rights(inputs: Inputs) -> Rights:
    told = {name: inputs.get(name) or [] for name in COLLECTIONS}
    _check_words(told)
    return access_change.rights_of(told)


def _check_words(told: Mapping[str, list[Any]]) -> None:
    for name, words in told.items():
        wrong = [word for word in words if str(word).lower() not in WORDS[name]]
        if wrong:
            there = ", ".join(sorted(WORDS[name]))
            raise BadInput(f"{name} has a word that is no right; there are: {there}.", parameter=name)


def _wire(whose: Whose, rights: Rights) -> dict[str, Any]:
    who = {"tenantId": whose.tenant, "objectId": whose.principal}
    through = {"applicationId": whose.application} if whose.application else {}
    return {**who, **through, "permissions": access_change.shown(rights) or {}}


def _tenant(document: Any) -> str:
    return str(part(document, "properties").get("tenantId") or "")


def _described(entry: Mapping[str, Any]) -> Outputs:
    whose, rights = access_change.whose_of(entry), access_change.rights_of(part(entry, "permissions"))
    words = {name: sorted(rights.get(name, ())) for name in COLLECTIONS}
    return {"principalId": whose.principal, "applicationId": whose.application or None, **words, "tenant": whose.tenant}


ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "list_access_policies": list_all,
        "add_access_policy": add,
        "replace_access_policy": replace,
        "remove_access_policy": remove,
        "replace_access_policies": replace_all,
    }
)
