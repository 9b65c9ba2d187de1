"""The OpenAPI document: made from the definitions, whole, no larger than needed, and true to what the API does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from api_house import OPENAPI, PUBLIC_URL, ApiHouse
from sqlalchemy import event
from sqlalchemy.engine import Engine

from connectors.registry import connector
from integrator.access import READER
from integrator.api import openapi
from integrator.api.openapi import openapi_of

SCHEMA_KEYS = {
    "type",
    "title",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "enum",
}
SCHEMA_KEYS |= {"pattern", "default", "format", "contentEncoding", "writeOnly", "x-secret", "$ref"}
TYPES = {"object", "array", "string", "integer", "boolean", "null"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def check_schema(document: dict[str, Any], schema: dict[str, Any]) -> None:
    """A part of JSON Schema 2020-12, and of that only what we use."""
    assert schema.keys() <= SCHEMA_KEYS, schema
    if "$ref" in schema:
        assert isinstance(at(document, schema["$ref"]), dict)
    kinds = schema.get("type", [])
    assert {kinds} <= TYPES if isinstance(kinds, str) else {*kinds} <= TYPES
    if "pattern" in schema:
        re.compile(schema["pattern"])
        assert "(?i" not in schema["pattern"]
    assert set(schema.get("required", ())) <= schema.get("properties", {}).keys()
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        check_schema(document, inner)
    if "items" in schema:
        check_schema(document, schema["items"])


def at(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        document = document[part]
    return document


def check(document: dict[str, Any]) -> None:
    """What OpenAPI 3.1 asks of a document, as far as ours goes."""
    assert document.keys() == {"openapi", "info", "servers", "security", "paths", "components"}
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"]) and {"title", "version"} <= document["info"].keys()
    ids, shapes = [], set()
    for path, method, operation in operations(document):
        assert path.startswith("/") and method in ("get", "post")
        ids.append(operation["operationId"])
        shapes.add(re.sub(r"\{[^}]+\}", "{}", path))
        assert {one["name"] for one in operation.get("parameters", ())} == set(re.findall(r"\{([^}]+)\}", path))
        for one in operation.get("parameters", ()):
            assert one["in"] == "path" and one["required"] is True
            check_schema(document, one["schema"])
        assert operation["responses"].keys() == {"200", "default"}
        for answer in operation["responses"].values():
            found = at(document, answer["$ref"]) if "$ref" in answer else answer
            assert found["description"]
            check_schema(document, found["content"]["application/json"]["schema"])
        if method == "post":
            check_schema(document, operation["requestBody"]["content"]["application/json"]["schema"])
    assert len(set(ids)) == len(ids) and len(shapes) == len(document["paths"])
    assert {name for one in document["security"] for name in one} <= document["components"]["securitySchemes"].keys()
    for schema in document["components"]["schemas"].values():
        check_schema(document, schema)


def test_every_action_that_the_caller_may_carry_out_stands_there_once(house: ApiHouse) -> None:
    answer = house.call(OPENAPI, house.token())
    document = json.loads(answer.text)
    check(document)
    assert document["servers"] == [{"url": f"{PUBLIC_URL}/api/v1"}]
    acting = {operation["operationId"]: operation for _, method, operation in operations(document) if method == "post"}
    known = {one.id for kind in ("data", "control") for one in connector("azure-key-vault").actions(kind)}
    assert acting.keys() <= known and acting.keys() >= {one.id for one in connector("azure-key-vault").actions("data")}
    schema = acting["create_secret"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["secretName", "value"] and schema["additionalProperties"] is False
    assert schema["properties"]["value"]["writeOnly"] is True
    outputs = acting["get_secret"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["outputs"]
    assert [name for name, one in outputs["properties"].items() if one.get("x-secret")] == ["value"]
    assert acting["get_secret"]["parameters"][0]["schema"]["enum"] == ["contoso", "fabrikam"]


def test_readers_are_offered_what_they_may_carry_out(house: ApiHouse) -> None:
    document = json.loads(house.call(OPENAPI, house.token("ben", READER)).text)
    check(document)
    ids = {operation["operationId"] for _, _, operation in operations(document)}
    assert {"list_secrets", "get_secret_metadata", "list_definitions"} <= ids
    assert not {"get_secret", "create_secret", "sign"} & ids


def test_an_installation_without_connections_has_a_document_too() -> None:
    made = openapi_of([], lambda name, action: True, "/api/v1")
    check(made)
    assert len(made["paths"]) == 2


def test_two_kinds_of_connection_with_an_action_of_one_name_keep_apart(
    house: ApiHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.installation.store.reading() as stored:
        contoso, fabrikam = (stored.connections.get(name) for name in ("contoso", "fabrikam"))
    known = connector("azure-key-vault").actions("data")
    monkeypatch.setattr(openapi, "_actions_of", lambda connection: known)  # as if another connector had the same names
    other = [replace(fabrikam, connector="other", name="third"), replace(fabrikam, connector="other")]
    made = openapi_of([contoso, *other], lambda name, action: True, "/api/v1")
    check(made)
    assert {f"/connections/{name}/actions/get_secret" for name in ("{name}", "third", "fabrikam")} <= made[
        "paths"
    ].keys()


@contextmanager
def statements(house: ApiHouse) -> Iterator[list[str]]:
    seen: list[str] = []
    engine: Engine = house.installation.store.database.engine

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_many_connections_cost_no_more_statements_and_few_more_bytes(house: ApiHouse) -> None:
    token = house.token()
    house.call(OPENAPI, token)
    sizes, counts = [], []
    for number in range(2):
        with statements(house) as seen:
            sizes.append(len(house.call(OPENAPI, token).data))
        counts.append(len(seen))
        if number == 0:
            with house.installation.store.writing() as stored:
                contoso = stored.connections.get("contoso")
                for more in range(40):
                    stored.connections.save(replace(contoso, name=f"vault{more}"))
    assert counts[0] == counts[1] <= 8
    assert sizes[1] < sizes[0] * 1.5, sizes
    for path in ("/api/v1/connections/contoso/actions", "/api/v1/connections/contoso/actions/get_secret"):
        with statements(house) as seen:
            house.call(path, token)
        assert len(seen) <= 8
