import json
import subprocess
import textwrap
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.equality import DEEPEST_JSON, LARGEST_CHARACTERS, canonical, equal
from iclients import pfx
from iclients.unlocking import Openers

JSON, PFX, PEM = "application/json", "application/x-pkcs12", "application/x-pem-file"


def certificate(key, name="leaf"):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(start)
    return built.not_valid_after(start + timedelta(days=90)).sign(key, SHA256())


KEY, OTHER_KEY = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
LEAF, OTHER, ISSUER = certificate(KEY), certificate(OTHER_KEY), certificate(OTHER_KEY, "issuer")


def packed(key=KEY, leaf=LEAF, chain=(), name=b"a", lock=None):
    der = pkcs12.serialize_key_and_certificates(name, key, leaf, list(chain), lock or NoEncryption())
    return b64encode(der).decode()


def rehashed(pem, *options):
    """The same content in another PFX: salts and iterations are OpenSSL's, the password is empty."""
    command = ["openssl", "pkcs12", "-export", "-passout", "pass:", *options]
    return b64encode(subprocess.run(command, input=pem.encode(), capture_output=True, check=True).stdout).decode()


def pem_of(thing):
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(Encoding.PEM).decode()
    return thing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# --- one relation ------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [
        "",
        "\n",
        "{",
        '{"a":1,"a":2}',
        "[" * 90,
        "-----BEGIN A-----",
        "-----BEGIN A-----\nQQ==\n-----END A-----\n",
        "QQ==",
    ]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
VALUES = st.text(st.characters(), max_size=30) | ODD | TREES.map(json.dumps)
TYPES = st.sampled_from([None, "", "text/plain", JSON, "application/vnd.ours+json; v=1", PEM, PFX])
LINES = st.sampled_from(["exact", "any"])


@given(VALUES, VALUES, TYPES, LINES)
def test_equality_is_reflexive_and_symmetric_and_agrees_with_the_canonical_form(a, b, content_type, newlines):
    assert equal(a, a, content_type, newlines=newlines)
    assert canonical(a, content_type, newlines) == canonical(a, content_type, newlines)
    forward = equal(a, b, content_type, newlines=newlines)
    assert forward == equal(b, a, content_type, newlines=newlines)
    assert forward == (canonical(a, content_type, newlines) == canonical(b, content_type, newlines))


def test_a_surrogate_pair_is_not_the_character_that_it_would_make():
    joined, apart = '"\U0001f600"', '"\ud83d\ude00"'
    assert not equal(joined, apart, JSON)
    assert canonical(joined, JSON) != canonical(apart, JSON)
    assert equal(joined, '"\\ud83d\\ude00"', JSON)


# --- text --------------------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_text_is_compared_as_it_is(a, b):
    assert equal(a, b) == (a == b)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n")), min_size=1), st.sampled_from(["\n", "\r", "\r\n"]))
def test_line_ends_are_overlooked_only_where_that_is_declared(lines, end):
    lines = [*lines, "the last"]
    unix, other = "\n".join(lines), end.join(lines) + end
    assert equal(unix, other, newlines="any")
    assert not equal(unix, other)


def test_one_newline_at_the_end_is_overlooked_and_not_two():
    assert equal("a", "a\n", newlines="any")
    assert not equal("a", "a\n\n", newlines="any")


# --- JSON --------------------------------------------------------------------------------------------------------


def shuffled(tree, random):
    if isinstance(tree, dict):
        items = [(key, shuffled(value, random)) for key, value in tree.items()]
        random.shuffle(items)
        return dict(items)
    return [shuffled(each, random) for each in tree] if isinstance(tree, list) else tree


@given(TREES, st.randoms(use_true_random=False), st.sampled_from([None, 1, 4]), st.booleans())
def test_key_order_white_space_and_escapes_do_not_matter(tree, random, indent, ascii_only):
    other = json.dumps(shuffled(tree, random), indent=indent, ensure_ascii=ascii_only)
    assert equal(json.dumps(tree), other, JSON)
    assert canonical(json.dumps(tree), JSON) == canonical(other, JSON)


@given(TREES, TREES)
def test_json_with_another_content_is_different(a, b):
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert equal(json.dumps(a), json.dumps(b), JSON) == same


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1", "1.0"),
        ("1e2", "100"),
        ("0", "-0"),
        ("0.1", "0.10"),
        ("12345678901234567890", "12345678901234567891"),
        ("0.30000000000000004", "0.300000000000000041"),
        ("1", '"1"'),
        ("[1]", "1"),
        ("true", "1"),
        ('{"a":[1,2]}', '{"a":[2,1]}'),
        ('[["1"]]', "[[1]]"),
        ("{}", "[]"),
        ("null", '"null"'),
    ],
)
def test_numbers_and_kinds_are_what_is_written(a, b):
    assert not equal(a, b, JSON)
    assert canonical(a, JSON) != canonical(b, JSON)


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":1}', "{a:1}", "[1,]", "[NaN]", "[Infinity]", '{"a":1}{', "", '"\t"', "\ufeff{}"]
)
def test_what_is_no_json_or_has_a_key_twice_is_text(text):
    assert not equal(text, text + " ", JSON)
    assert equal(text, text, JSON)


def test_json_is_json_only_where_the_content_type_says_so():
    a, b = '{"a":1,"b":2}', '{"b":2, "a":1}'
    assert equal(a, b, "Application/JSON; charset=utf-8")
    assert equal(a, b, "application/problem+json")
    assert not equal(a, b)
    assert not equal(a, b, "text/plain")


def test_depth_is_counted_and_brackets_in_texts_are_not():
    deep = "[" * DEEPEST_JSON + "]" * DEEPEST_JSON
    assert equal(deep, deep + " ", JSON)
    assert not equal(f"[{deep}]", f"[{deep}] ", JSON)
    many = json.dumps({"a": "[{" * 900 + '"', "b": [[]] * 900})
    assert equal(many, " " + many, JSON)


# --- PEM ---------------------------------------------------------------------------------------------------------

BLOCKS = st.lists(
    st.tuples(st.sampled_from(["CERTIFICATE", "PRIVATE KEY", "PUBLIC KEY"]), st.binary(min_size=1)), min_size=1
)


def armoured(blocks, width=64, end="\n", between=""):
    made = []
    for label, der in blocks:
        body = end.join(textwrap.wrap(b64encode(der).decode(), width))
        made.append(f"-----BEGIN {label}-----{end}{body}{end}-----END {label}-----{end}{between}")
    return "".join(made)


@given(BLOCKS, st.integers(1, 90), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "\n", " \t\r\n"]))
def test_the_wrapping_of_pem_does_not_matter(blocks, width, end, between):
    assert equal(armoured(blocks), armoured(blocks, width, end, between))
    assert canonical(armoured(blocks)) == canonical(armoured(blocks, width, end, between))


@given(BLOCKS, st.data())
def test_pem_with_another_byte_is_different(blocks, data):
    at = data.draw(st.integers(0, len(blocks) - 1))
    label, der = blocks[at]
    changed = [*blocks]
    changed[at] = (label, bytes([der[0] ^ 1]) + der[1:])
    assert not equal(armoured(blocks), armoured(changed), PEM)
    assert not equal(armoured(blocks), armoured([*blocks, ("CERTIFICATE", b"one more")]), PEM)


def test_the_private_key_stands_where_it_wants_and_a_chain_keeps_its_order():
    key, leaf, issuer = pem_of(KEY), pem_of(LEAF), pem_of(ISSUER)
    assert equal(key + leaf + issuer, leaf + key + issuer, PEM)
    assert equal(key + leaf + issuer, leaf + issuer + key)
    assert not equal(key + leaf + issuer, key + issuer + leaf, PEM)
    assert not equal(key + leaf, leaf, PEM)
    assert not equal(key + leaf, pem_of(OTHER_KEY) + leaf, PEM)


def test_text_around_blocks_is_explanation_only_where_the_content_type_says_pem():
    explained = "subject=CN = leaf\n" + pem_of(LEAF)
    assert equal(explained, pem_of(LEAF), PEM)
    assert equal(explained, pem_of(LEAF), "application/pem-certificate-chain")
    assert not equal(explained, pem_of(LEAF))
    assert not equal(pem_of(LEAF) + "-----END", pem_of(LEAF), PEM)


@pytest.mark.parametrize(
    "odd",
    [
        pem_of(LEAF).replace("M", "*", 1),
        pem_of(LEAF)[:-30],
        pem_of(LEAF).replace("END CERTIFICATE", "END PRIVATE KEY"),
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nQQ==\n-----END RSA PRIVATE KEY-----\n",
        OTHER_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode(),
        "no PEM at all",
        "",
    ],
    ids=["broken base64", "cut", "other end", "locked", "locked PKCS #8", "words", "nothing"],
)
def test_odd_pem_is_text(odd):
    odd = odd.rstrip()
    assert equal(odd, odd, PEM)
    assert not equal(odd, odd + "\n", PEM)
    assert equal(odd, odd + "\n", PEM, newlines="any")


# --- PFX ---------------------------------------------------------------------------------------------------------


def test_another_packing_of_a_pfx_is_equal():
    one = packed(chain=[ISSUER])
    with_salts = rehashed(pem_of(KEY) + pem_of(LEAF) + pem_of(ISSUER))
    again = rehashed(pem_of(KEY) + pem_of(LEAF) + pem_of(ISSUER), "-name", "b", "-iter", "3000")
    wrapped = "\r\n".join(textwrap.wrap(with_salts, 76))
    assert with_salts != again
    for other in (with_salts, again, wrapped, packed(chain=[ISSUER], name=b"b")):
        assert equal(one, other, PFX)
        assert canonical(one, PFX) == canonical(other, PFX)


def test_a_pfx_with_another_content_is_different():
    made = [
        packed(),
        packed(leaf=certificate(KEY)),
        packed(OTHER_KEY, OTHER),
        packed(None, LEAF),
        packed(chain=[ISSUER]),
        packed(chain=[ISSUER, OTHER]),
    ]
    assert len({canonical(each, PFX) for each in made}) == len(made)
    assert not any(equal(made[0], each, PFX) for each in made[1:])


def test_the_order_of_other_certificates_in_a_pfx_has_no_meaning():
    assert equal(packed(chain=[ISSUER, OTHER]), packed(chain=[OTHER, ISSUER]), PFX)


def test_a_pfx_is_one_only_where_the_content_type_says_so():
    a, b = packed(name=b"a"), packed(name=b"b")
    assert equal(a, b, PFX)
    assert not equal(a, b)


@pytest.mark.parametrize(
    "odd",
    [
        packed(lock=BestAvailableEncryption(b"a password")),
        packed()[:-40],
        "!" + packed(),
        b64encode(b"0\x80" + b64decode(packed())[4:]).decode(),
        b64encode(b"0\x84\xff\xff\xff\xff\x04").decode(),
        b64encode(LEAF.public_bytes(Encoding.DER)).decode(),
        "",
    ],
    ids=["a password", "cut", "no base64", "BER", "a length that lies", "a certificate alone", "nothing"],
)
def test_odd_pfx_is_text(odd):
    assert equal(odd, odd, PFX)
    assert not equal(odd, odd + "\n", PFX)


@given(st.binary(max_size=200))
def test_a_pfx_that_is_any_bytes_raises_nothing_but_what_is_promised(content):
    with pytest.raises(ValueError, match=r"PFX"):
        pfx.contents(content)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pfx_with_changed_bytes_raises_nothing_but_what_is_promised(data):
    content = bytearray(b64decode(packed()))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    text = b64encode(content).decode()
    assert equal(text, text + "\n", PFX) in (True, False)


def test_who_wrote_a_pfx_cannot_keep_us_busy():
    """Another process opens it, and is not waited for long."""
    slow = b64decode(rehashed(pem_of(KEY) + pem_of(LEAF), "-iter", "3000000", "-nomac"))
    before = time.thread_time()
    with Openers(patience_seconds=0.2) as openers, pytest.raises(ValueError, match="takes too long"):
        pfx.contents(slow, openers)
    assert time.thread_time() - before < 0.5


# --- bounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[" * LARGEST_CHARACTERS,
        "[[]," * (LARGEST_CHARACTERS // 4),
        '"\\' * (LARGEST_CHARACTERS // 2),
        "9" * LARGEST_CHARACTERS,
        "-----BEGIN A-----" * (LARGEST_CHARACTERS // 17),
        "-----BEGIN A-----" + "A" * (LARGEST_CHARACTERS - 17),
    ],
    ids=["deep", "wide", "escapes", "a long number", "blocks without an end", "a block without an end"],
)
@pytest.mark.parametrize("content_type", [None, JSON, PEM, PFX])
def test_no_value_takes_long(text, content_type):
    before = time.thread_time()
    equal(text, text[:-1], content_type, newlines="any")
    assert time.thread_time() - before < 2


def test_what_is_very_large_is_text():
    large = json.dumps(["x" * LARGEST_CHARACTERS])
    assert not equal(large, large + " ", JSON)
