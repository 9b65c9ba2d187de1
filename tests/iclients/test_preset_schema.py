"""What a preset's file may say, and what is told where it says something else."""

from __future__ import annotations

from importlib.resources import files

import pytest

from iclients.preset import filled, preset_names
from iclients.presets.schemas import loaded


def test_there_are_at_least_forty() -> None:
    assert len(preset_names()) >= 40
    assert sorted(f"{one}.toml" for one in preset_names()) == sorted(
        entry.name for entry in files("iclients.presets").iterdir() if entry.name.endswith(".toml")
    )


GOOD = 'title = "T"\ndocumentation = "https://t.test/"\n[endpoints]\ntoken_endpoint = "https://{host}/token"\n'
HOST = '[settings.host]\ntitle = "H"\nexample = "h.test"\npattern = "[a-z.]+"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD, "holes without settings: host"),
        (GOOD.replace("https://{host}", "http://x.test"), "not an https address"),
        (GOOD.replace("https://{host}", "https://u:p@{host}"), "not an https address"),
        (GOOD.replace("https://{host}", "https://{host}:0"), "not an https address"),
        (GOOD + HOST + '[token]\nmethod = "GET"\n', "has method, which the request has itself"),
        (GOOD + HOST + '[token]\nclient_id = "x"\n', "has client_id, which the request has itself"),
        (GOOD + HOST + '[authorization]\nstate = "x"\n', "has state, which the request has itself"),
        (GOOD + HOST + '[authorization]\nresponse_mode = "form_post"\n', "has response_mode, which the request"),
        (GOOD + HOST + '[client]\npkce = "s256"\n', "pkce"),
        (GOOD + HOST + "surprise = 1\n", "surprise"),
        (GOOD + HOST.replace("[a-z.]+", "["), "regular expression"),
    ],
)
def test_a_preset_that_is_wrong_says_what_is(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        loaded("t", text)


def test_holes_are_filled_and_nothing_else() -> None:
    assert filled("https://{host}/a", {"host": "h.test"}) == "https://h.test/a"
