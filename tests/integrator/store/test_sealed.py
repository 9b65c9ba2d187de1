from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrator.errors import KeyMissing, KeyUnusable, SealBroken
from integrator.store.sealed import KeyRing, Place, Seal, key_id_of, read_ring

HERE = Place("iclients", 1, "credential")
MakeSeal = Callable[[], Seal]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "seal.key"


@pytest.fixture
def seal(key_file: Path) -> Seal:
    return Seal(key_file, lambda: False)


@pytest.fixture(scope="module")
def shared_seal(tmp_path_factory: pytest.TempPathFactory) -> Seal:
    return Seal(tmp_path_factory.mktemp("keys") / "seal.key", lambda: False)


def test_what_was_sealed_opens_at_its_place(shared_seal: Seal) -> None:
    @given(st.text(st.characters()))
    def opens(text: str) -> None:
        assert shared_seal.open(shared_seal.seal(text, HERE), HERE).reveal() == text

    opens()


def test_the_same_text_never_looks_the_same_twice(seal: Seal) -> None:
    assert seal.seal("x", HERE) != seal.seal("x", HERE)


@pytest.mark.parametrize(
    "elsewhere", [Place("iclients", 2, "credential"), Place("iclients", 1, "other"), Place("clouds", 1, "credential")]
)
def test_a_sealed_text_does_not_open_anywhere_else(seal: Seal, elsewhere: Place) -> None:
    with pytest.raises(SealBroken, match=str(elsewhere)):
        seal.open(seal.seal("hunter2", HERE), elsewhere)


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-6] + "AAAAAA", lambda text: text[:-10], lambda text: text + "!"]
)
def test_a_changed_text_does_not_open(seal: Seal, damage: Callable[[str], str]) -> None:
    with pytest.raises(SealBroken):
        seal.open(damage(seal.seal("hunter2", HERE)), HERE)


@pytest.mark.parametrize("text", ["", "hunter2", "v1:", "v2:abc:def", "v1:00000000:AAAA"])
def test_what_was_never_sealed_does_not_open(seal: Seal, text: str) -> None:
    with pytest.raises(SealBroken):
        seal.open(text, HERE)


def test_the_key_file_is_its_owners_only(seal: Seal, key_file: Path) -> None:
    seal.seal("x", HERE)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [path.name for path in key_file.parent.iterdir()] == ["seal.key"]


def test_nothing_is_made_before_it_is_needed(seal: Seal, key_file: Path) -> None:
    assert seal.key_file == key_file
    assert not key_file.exists()


def test_a_missing_key_file_is_never_replaced_while_sealed_texts_exist(key_file: Path) -> None:
    with pytest.raises(KeyMissing, match=str(key_file)):
        Seal(key_file, lambda: True).seal("x", HERE)
    assert not key_file.exists()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 1, "root": "AA==", "keys": []}', "\x00\xff"])
def test_a_file_that_holds_no_keys_is_refused_and_left_alone(seal: Seal, key_file: Path, content: str) -> None:
    key_file.write_text(content, "utf-8")
    with pytest.raises(KeyUnusable, match=str(key_file)):
        seal.seal("x", HERE)
    assert key_file.read_text("utf-8") == content


def test_processes_that_start_together_share_one_key(key_file: Path) -> None:
    seals = [Seal(key_file, lambda: False) for _ in range(8)]
    sealed: list[str] = []
    threads = [threading.Thread(target=lambda one=one: sealed.append(one.seal("x", HERE))) for one in seals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key_id_of(text) for text in sealed}) == 1
    assert all(seals[0].open(text, HERE).reveal() == "x" for text in sealed)


def test_a_new_key_seals_and_the_old_one_still_opens(seal: Seal, key_file: Path) -> None:
    old = seal.seal("x", HERE)
    key = seal.add_key()
    new = seal.seal("x", HERE)
    assert (key_id_of(old) != key.id, key_id_of(new) == key.id) == (True, True)
    again = Seal(key_file, lambda: True)
    assert again.open(old, HERE) == again.open(new, HERE)


def test_a_process_that_read_the_keys_earlier_opens_what_a_newer_key_sealed(seal: Seal, key_file: Path) -> None:
    seal.seal("x", HERE)
    other = Seal(key_file, lambda: True)
    other.add_key()
    assert seal.open(other.seal("new", HERE), HERE).reveal() == "new"


def test_rotation_changes_no_fingerprint(seal: Seal, key_file: Path) -> None:
    before = seal.fingerprint(b"value")
    seal.add_key()
    assert Seal(key_file, lambda: True).fingerprint(b"value") == before != seal.fingerprint(b"other")


def test_fingerprints_of_two_installations_differ(seal: Seal, tmp_path: Path) -> None:
    assert Seal(tmp_path / "other.key", lambda: False).fingerprint(b"value") != seal.fingerprint(b"value")


def test_keys_never_print(seal: Seal, key_file: Path) -> None:
    ring = seal.ring
    assert ring == read_ring(key_file)
    assert all(repr(secret) not in repr(ring) for secret in (ring.root, ring.keys[0].value))
    assert isinstance(KeyRing.make(), KeyRing)
