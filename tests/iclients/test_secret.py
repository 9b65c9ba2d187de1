"""A Secret shows itself to nobody who does not ask by name."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iclients.credentials import ClientSecret
from iclients.model import IClient, Token
from iclients.secret import MASK, Secret, revealed

VALUE = "canary-8f3a-вірш"
SECRET = Secret(VALUE)


@dataclass
class _Holder:
    held: Secret


@pytest.mark.parametrize(
    "shown",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET!r}",
        f"{SECRET:>10}",
        "%s" % SECRET,  # noqa: UP031
        "%r" % (SECRET,),  # noqa: UP031
        format(SECRET, "^12"),
        repr([SECRET, {"value": SECRET}]),
        repr(_Holder(SECRET)),
        repr(ClientSecret(SECRET)),
        repr(IClient("a", "entra", "id", credential=ClientSecret(SECRET))),
        repr(Token(SECRET, 1.0, 1.0, refresh_token=SECRET)),
        str(ValueError("refused", SECRET)),
        repr(ValueError(SECRET)),
    ],
)
def test_text_made_of_a_secret_shows_dots(shown: str) -> None:
    assert VALUE not in shown
    assert MASK in shown


def test_a_log_line_shows_dots(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("here").warning("the value is %s", SECRET)
    assert VALUE not in caplog.text
    assert MASK in caplog.text


def test_a_traceback_shows_dots() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert VALUE not in text.replace(f"VALUE = {VALUE!r}", "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(SECRET, protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_secret_is_not_copied(duplicate: object) -> None:
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        duplicate(SECRET)  # type: ignore[operator]


def test_json_refuses_a_secret() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"value": SECRET})
    assert VALUE not in str(caught.value)


def test_json_with_a_default_writes_dots() -> None:
    assert json.loads(json.dumps({"value": SECRET}, default=str)) == {"value": MASK}


def test_a_secret_has_no_hash() -> None:
    with pytest.raises(TypeError, match="not a key"):
        hash(SECRET)
    with pytest.raises(TypeError):
        _ = {SECRET: 1}


def test_a_secret_has_no_dictionary_and_no_length() -> None:
    assert not hasattr(SECRET, "__dict__")
    with pytest.raises(TypeError):
        len(SECRET)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, 1, b"bytes", ["a"]])
def test_a_secret_holds_only_text(value: object) -> None:
    with pytest.raises(TypeError, match="holds text"):
        Secret(value)  # type: ignore[arg-type]


def test_a_secret_is_never_equal_to_its_text() -> None:
    assert SECRET != VALUE
    assert SECRET.__eq__(VALUE) is NotImplemented


@given(st.text(), st.text())
def test_two_secrets_are_equal_as_their_texts_are(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) == Secret(one)
    assert bool(Secret(one)) is bool(one)


def test_a_lone_surrogate_is_compared_too() -> None:
    assert Secret("\ud800") == Secret("\ud800")


@given(st.text())
def test_reveal_gives_the_text_back(text: str) -> None:
    assert Secret(text).reveal() == text
    assert revealed(Secret(text)) == text
    assert revealed(text) == text


@given(st.text(min_size=5))
def test_the_length_is_hidden(text: str) -> None:
    assert (str(Secret(text)), repr(Secret(text))) == (MASK, f"Secret({MASK})")
