import re
from base64 import b32encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.errors import RecordError
from flows.errors import FlowDefinitionError
from flows.names import CODECS, LONGEST_NAME_CHARACTERS, codec

TEXTS = st.text(min_size=1, max_size=40) | st.text("aAbB-_./: ", min_size=1, max_size=20)
WORDS = st.from_regex(r"[0-9A-Za-z]{1,5}(-[0-9A-Za-z]{1,5}){0,2}", fullmatch=True)
DOMAINS = {
    "env": st.text("ABCXYZ019_", min_size=1, max_size=40),
    "dotnet": st.lists(WORDS, min_size=1, max_size=4).map(":".join),
    "dotnet-env": st.lists(WORDS, min_size=1, max_size=4).map("__".join),
    "path": st.tuples(st.sampled_from(["", "/"]), st.lists(WORDS.map(str.lower), min_size=1, max_size=4)).map(
        lambda drawn: drawn[0] + "/".join(drawn[1])
    ),
    "escaped": TEXTS,
    "base32": TEXTS,
}
NAMES = st.from_regex(r"[0-9A-Za-z-]{1,20}", fullmatch=True)
every = pytest.mark.parametrize("name", CODECS)


def encoded(name, original):
    try:
        return CODECS[name].encode(original)
    except RecordError as error:
        assert error.code == "name_not_encodable"
        return None


def cased(data, text):
    """As a vault may give it back: somebody wrote it with other capitals."""
    return "".join(data.draw(st.sampled_from([each.lower(), each.upper()])) for each in text)


@every
@given(data=st.data())
def test_what_a_codec_takes_it_gives_back(name, data):
    original = data.draw(DOMAINS[name])
    made = encoded(name, original)
    assume(made is not None)
    assert re.fullmatch(r"[0-9A-Za-z-]{1,127}", made)
    assert CODECS[name].decode(made) == original
    again = CODECS[name].decode(cased(data, made))
    assert again == original or (not CODECS[name].is_cased and again.lower() == original.lower())


@every
@given(original=TEXTS)
def test_whatever_is_typed_comes_back_or_is_refused(name, original):
    made = encoded(name, original)
    assert made is None or CODECS[name].decode(made) == original


@every
@given(data=st.data())
def test_two_originals_never_get_names_that_are_equal_without_case(name, data):
    one, other = data.draw(DOMAINS[name] | TEXTS), data.draw(DOMAINS[name] | TEXTS)
    assume(one != other and (CODECS[name].is_cased or one.lower() != other.lower()))
    first, second = encoded(name, one), encoded(name, other)
    assert first is None or second is None or first.casefold() != second.casefold()


@every
@given(made=NAMES)
def test_a_name_that_a_codec_did_not_make_is_refused(name, made):
    try:
        original = CODECS[name].decode(made)
    except RecordError as error:
        assert error.code == "name_not_decodable"
        assert repr(made) in str(error)
    else:
        assert CODECS[name].encode(original).lower() == made.lower()


@every
def test_the_example_of_the_help_is_true(name):
    original, made = CODECS[name].example
    assert CODECS[name].encode(original) == made
    assert CODECS[name].decode(made) == original
    assert CODECS[name].help.endswith(".")
    assert CODECS[name].name == name


@every
@pytest.mark.parametrize("odd", ["", "a" * 128, "ä", "a b", "a_b", "a\n", "\u212a"], ids=ascii)
def test_what_is_no_name_of_a_vault_is_not_decoded(name, odd):
    with pytest.raises(RecordError) as refused:
        CODECS[name].decode(odd)
    assert refused.value.code == "name_not_decodable"


@every
@pytest.mark.parametrize("odd", ["", "A" * 200, "a" * 5_000, "\ud800"], ids=["empty", "long", "very long", "half"])
def test_what_has_no_name_is_told_in_a_sentence(name, odd):
    with pytest.raises(RecordError) as refused:
        CODECS[name].encode(odd)
    assert refused.value.code == "name_not_encodable"
    assert len(str(refused.value)) < 350


@pytest.mark.parametrize(
    ("name", "original", "told"),
    [
        ("env", "Db_Password", "'Db_Password' makes no name with codec env: it takes A-Z, 0-9 and _ only"),
        (
            "env",
            "A" * 128,
            "A text of 128 characters makes a name of 128 characters with codec env; a vault takes at most 127: shorten it.",
        ),
        ("dotnet", "Section__Key", "codec dotnet-env takes __ between them"),
        ("dotnet-env", "Section:Key", "codec dotnet takes : between them"),
        ("dotnet", "a::b", "single hyphens with : between them"),
        ("dotnet", "a--b", "single hyphens"),
        ("path", "a//b", "small letters, digits and single hyphens with / between them"),
        ("path", "a/b/", "small letters"),
        ("path", "/", "small letters"),
        ("path", "a/B", "small letters"),
        ("base32", "x" * 80, "makes a name of 128 characters"),
    ],
)
def test_a_refusal_says_what_the_codec_takes(name, original, told):
    with pytest.raises(RecordError) as refused:
        codec(name).encode(original)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("dotnet", "a---b"),
        ("dotnet", "-a"),
        ("dotnet", "a--"),
        ("path", "a----b"),
        ("path", "-a"),
        ("escaped", "a-"),
        ("escaped", "a-z"),
        ("escaped", "-k1"),
        ("escaped", "-x41-"),
        ("escaped", "-x00e9-"),
        ("escaped", "-xd800-"),
        ("escaped", "-x110000-"),
        ("escaped", "-xe9"),
        ("base32", "a"),
        ("base32", "a1"),
        ("base32", "mf"),
        ("base32", "77"),
    ],
)
def test_names_that_no_original_gets_are_refused(name, made):
    with pytest.raises(RecordError, match="cannot be made what it was") as refused:
        codec(name).decode(made)
    assert refused.value.code == "name_not_decodable"


def test_the_longest_names_fit():
    assert len(codec("env").encode("A" * LONGEST_NAME_CHARACTERS)) == 127
    assert len(codec("base32").encode("x" * 79)) == 127
    assert codec("base32").decode(b32encode(b"x" * 79).decode().rstrip("=")) == "x" * 79


def test_an_unknown_codec_is_told_with_those_that_there_are():
    with pytest.raises(FlowDefinitionError, match=r"^There is no codec rot13; there are: env, dotnet, "):
        codec("rot13")
