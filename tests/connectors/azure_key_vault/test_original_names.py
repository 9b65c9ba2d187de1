"""Whose name it is: a name that another original has already is told, and nothing else is."""

from __future__ import annotations

import pytest

from connectors.azure_key_vault.writing.original_names import taken_by


@pytest.mark.parametrize(
    ("wanted", "there", "told"),
    [
        ("DB_PASSWORD", "db/password", "db/password"),
        ("Db:Main", "db:main", "db:main"),
        ("DB_PASSWORD", "DB_PASSWORD", None),
        ("DB_PASSWORD", "", None),
        ("DB_PASSWORD", None, None),
        (None, "DB_PASSWORD", None),
        ("", "DB_PASSWORD", None),
    ],
)
def test_a_name_is_taken_where_both_originals_are_known_and_differ(
    wanted: str | None, there: str | None, told: str | None
) -> None:
    tags = {"team": "blue"} if there is None else {"original-name": there}
    assert taken_by(wanted, tags) == told
