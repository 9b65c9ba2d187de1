"""Packages with private keys that somebody hostile made: nobody waits for them long, and no other thread waits at all."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hostile_packages import HOSTILE, locked_bag_in_a_locked_part, locked_pem, scrypt, without_primes
from hypothesis import given, settings
from hypothesis import strategies as st

from iclients import certificates, key_pairs, opener, pfx
from iclients.key_pairs import NoKeyPair
from iclients.secret import Secret
from iclients.unlocking import LARGEST_BYTES, Openers, OutOfReach, PasswordMismatch, Unopened

SHORT_SECONDS = 0.3
PAUSE = threading.Event()
"""Nobody sets it."""
LONGEST_STALL_SECONDS = 0.5
"""Of another thread, on a machine that is busy; what was hostile would stop it for minutes."""


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name.from_rfc4514_string("CN=foreign.test")
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    return built.not_valid_before(begins).not_valid_after(begins + timedelta(days=900)).sign(key, SHA256())


RSA, EC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
RSA_CERTIFICATE, EC_CERTIFICATE = certificate(RSA), certificate(EC)
PUBLIC = EC_CERTIFICATE.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def openers() -> Iterator[Openers]:
    with Openers(patience_seconds=30) as made:
        yield made


@pytest.fixture
def hurried() -> Iterator[Openers]:
    with Openers(patience_seconds=SHORT_SECONDS) as made:
        made.open("pfx", packed())  # started, so that only patience is measured
        yield made


def packed(password: bytes = b"", key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = EC) -> bytes:
    leaf = EC_CERTIFICATE if key is EC else RSA_CERTIFICATE
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"x", key, leaf, None, lock)


# --- what is hostile ---------------------------------------------------------------------------------------------


class Pulse:
    """A thread that does nothing but tell how long it was kept from it."""

    def __enter__(self) -> Pulse:
        self.longest_seconds, self._is_over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._beat)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._is_over.wait(0.005):
            now = time.monotonic()
            self.longest_seconds, last = max(self.longest_seconds, now - last), now


@pytest.mark.parametrize("name", HOSTILE)
def test_no_package_keeps_us_or_other_threads_waiting(hurried: Openers, name: str) -> None:
    text = HOSTILE[name]()
    if text.startswith("-----"):
        text += PUBLIC
    began = time.monotonic()
    with Pulse() as pulse, pytest.raises(NoKeyPair) as caught:
        key_pairs.opened(text, "a password" if "ENCRYPTED" in text else None, hurried)
    assert time.monotonic() - began < SHORT_SECONDS + 1
    assert pulse.longest_seconds < LONGEST_STALL_SECONDS
    assert re.search("takes too long to open|more than 16,384 bits|private key cannot be opened", str(caught.value))
    assert key_pairs.opened(base64.b64encode(packed()).decode(), None, hurried).certificate == EC_CERTIFICATE


def test_equality_and_iclients_refuse_them_too(hurried: Openers) -> None:
    slow = locked_bag_in_a_locked_part()
    with pytest.raises(ValueError, match=r"^the PFX takes too long to open$"):
        pfx.contents(slow, hurried)
    with pytest.raises(ValueError, match=r"^it takes too long to open$"):
        certificates.load(slow, openers=hurried)
    with pytest.raises(ValueError, match=r"^it takes too long to open$"):
        certificates.load((locked_pem() + PUBLIC).encode(), Secret("a password"), openers=hurried)


def test_memory_is_bounded(openers: Openers) -> None:
    """scrypt takes as much as the package says: here 4 GiB."""
    with pytest.raises(Unopened):
        openers.open("pem", locked_pem(scrypt(2**22)).encode(), "a password")


def test_what_is_too_long_is_not_even_sent() -> None:
    with Openers() as openers, pytest.raises(OutOfReach, match="longer than 262,144 bytes"):
        openers.open("pfx", bytes(LARGEST_BYTES + 1))
    assert openers.process_ids() == []


# --- what is honest ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", ["1", "2048", "100000", "1000000"])
def test_what_openssl_writes_is_opened(openers: Openers, rounds: str) -> None:
    pem = EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() + PUBLIC
    command = ["openssl", "pkcs12", "-export", "-passout", "pass:pass word", "-iter", rounds]
    made = subprocess.run(command, input=pem.encode(), capture_output=True, check=True).stdout
    found = key_pairs.opened(base64.b64encode(made).decode(), "pass word", openers)
    assert (found.certificate, found.key.private_numbers()) == (EC_CERTIFICATE, EC.private_numbers())


@pytest.mark.parametrize("key", [RSA, EC], ids=["RSA", "EC"])
def test_what_windows_writes_is_opened(openers: Openers, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """Three times DES and SHA-1, 2,000 rounds, as exports of Windows Server 2016 have."""
    lock = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2000).hmac_hash(SHA1())
    lock = lock.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    leaf = EC_CERTIFICATE if key is EC else RSA_CERTIFICATE
    made = pkcs12.serialize_key_and_certificates(None, key, leaf, [EC_CERTIFICATE], lock.build(b"pw"))
    found = key_pairs.opened(base64.b64encode(made).decode(), "pw", openers)
    assert found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) == key.private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )


def test_a_key_of_rsa_that_is_none_is_refused(openers: Openers) -> None:
    with pytest.raises(NoKeyPair, match="cannot be opened"):
        key_pairs.opened(without_primes(1024) + PUBLIC, None, openers)


def test_a_key_of_another_kind_is_told_by_its_kind(openers: Openers) -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert openers.open("pem", other).private_key() is None
    with pytest.raises(NoKeyPair, match="neither RSA nor of a curve"):
        key_pairs.opened(PUBLIC + other.decode(), None, openers)
    with pytest.raises(ValueError, match="its key is not RSA"):
        certificates.load(PUBLIC.encode() + other, openers=openers)


def test_a_password_that_is_missing_is_told_from_one_that_is_wrong(openers: Openers) -> None:
    locked = EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right"))
    with pytest.raises(PasswordMismatch):
        openers.open("pem", locked)
    with pytest.raises(Unopened) as caught:
        openers.open("pem", locked, "wrong")
    assert not isinstance(caught.value, PasswordMismatch | OutOfReach)
    with pytest.raises(Unopened):
        openers.open("pem", locked, "\ud800")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["pem", "pfx"]), st.binary(max_size=300), st.text(max_size=9))
def test_any_bytes_raise_nothing_but_what_is_promised(kind: str, content: bytes, password: str) -> None:
    armour = content if kind == "pfx" else b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(content)
    said = opener.answer(kind.encode(), armour, password.encode("utf-8", "replace"))
    assert said[0] in (b"broken", b"password")


@settings(max_examples=80, deadline=None)
@given(st.booleans(), st.data())
def test_changed_bytes_raise_nothing_but_what_is_promised(openers: Openers, is_pem: bool, data: st.DataObject) -> None:
    pem = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    content = bytearray(pem + RSA_CERTIFICATE.public_bytes(Encoding.PEM) if is_pem else packed(key=RSA))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert certificates.load(bytes(content), openers=openers).private_key
    with contextlib.suppress(NoKeyPair):
        text = content.decode("utf-8", "replace") if is_pem else base64.b64encode(content).decode()
        assert key_pairs.opened(text, None, openers).key.key_size == 2048


@given(st.lists(st.binary(max_size=400), max_size=6))
def test_a_message_says_what_was_put_in(parts: list[bytes]) -> None:
    made = opener.frame(*parts)
    assert int.from_bytes(made[:4]) == len(made) - 4
    assert opener.parts_of(made[4:]) == parts


# --- the process -------------------------------------------------------------------------------------------------


def test_the_process_is_used_again_and_one_that_was_ended_is_replaced_unseen(openers: Openers) -> None:
    first = openers.open("pfx", packed())
    before = openers.process_ids()
    assert openers.open("pfx", packed()) == first
    assert openers.process_ids() == before
    for process_id in before:
        os.kill(process_id, signal.SIGKILL)
        os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)
    assert openers.open("pfx", packed()) == first
    assert not {*before} & {*openers.process_ids()}


def test_a_process_that_dies_in_a_request_is_replaced_once(openers: Openers) -> None:
    slow = locked_bag_in_a_locked_part()
    with Openers(patience_seconds=30, processes=1) as single, ThreadPoolExecutor(1) as pool:
        single.open("pfx", packed())
        waiting = pool.submit(single.open, "pfx", slow)
        killed: set[int] = set()
        while not PAUSE.wait(0.01) and not waiting.done():
            for process_id in {*single.process_ids()} - killed:
                if _has_worked(process_id):
                    os.kill(process_id, signal.SIGKILL)
                    killed.add(process_id)
        with pytest.raises(OutOfReach, match="ended twice"):
            waiting.result()
        assert len(killed) == 2
        assert single.open("pfx", packed()) == openers.open("pfx", packed())


def _has_worked(process_id: int) -> bool:
    """For more than half a second of processor time: starting takes less."""
    try:
        ticks = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[11]
    except OSError:
        return False
    return int(ticks) > os.sysconf("SC_CLK_TCK") // 2


def test_many_threads_get_their_own_answers(openers: Openers) -> None:
    contents = [packed(), packed(key=RSA)] * 20
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda der: openers.open("pfx", der), contents))
    assert [one.sort for one in found] == ["EC", "RSA"] * 20
    assert len(openers.process_ids()) <= 2


def test_a_process_that_nobody_needs_ends_by_itself_and_is_not_missed() -> None:
    with Openers(idle_seconds=0.05, processes=1) as idle:
        first = idle.open("pfx", packed())
        (process_id,) = idle.process_ids()
        os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)
        assert idle.open("pfx", packed()) == first
        assert idle.process_ids() != [process_id]


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_where_no_process_starts_that_is_told(python: str) -> None:
    with Openers(python=python) as openers:
        with pytest.raises(NoKeyPair, match=r"^cannot be opened: the process that opens it does not start \(.+\)$"):
            key_pairs.opened(base64.b64encode(packed()).decode(), None, openers)
        assert openers.process_ids() == []


def test_whoever_waits_when_it_is_closed_goes_on(openers: Openers) -> None:
    closing = Openers(patience_seconds=30, processes=1)
    closing.open("pfx", packed())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(closing.open, "pfx", locked_bag_in_a_locked_part())
        while not PAUSE.wait(0.01) and not _has_worked(closing.process_ids()[0]):
            pass
        closing.close()
        with pytest.raises(OutOfReach, match="whoever would open it ends"):
            waiting.result(10)
    assert closing.process_ids() == []


PROGRAM = """
    import base64, os, signal, sys, threading, time
    from iclients.unlocking import OPENERS, Openers
    openers = OPENERS if sys.argv[1] == "end" else Openers(patience_seconds=1)
    assert OPENERS.process_ids() == []
    short, long = (base64.b64decode(line) for line in sys.stdin)
    openers.open("pfx", short, "a password")
    (process_id,) = openers.process_ids()
    with open(f"/proc/{process_id}/environ", "rb") as file: environ = file.read()
    with open(f"/proc/{process_id}/cmdline", "rb") as file: command = file.read()
    print(process_id, b"planted" in environ + command or b"a password" in environ + command, flush=True)
    if sys.argv[1] == "busy":
        threading.Thread(target=openers.open, args=("pfx", long), daemon=True).start()
        time.sleep(0.3)
    if sys.argv[1] != "end": os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("way", ["end", "killed", "busy"])
def test_it_ends_with_us_without_noise_and_knows_nothing_of_ours(way: str, tmp_path: Path) -> None:
    """In another folder, with the libraries named by a variable, as a test or a tool may have it."""
    where = [str(Path(opener.__file__).parent.parent), *filter(None, sys.path)]
    packages = [packed(b"a password"), locked_bag_in_a_locked_part()]
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(PROGRAM), way],
        input=b"\n".join(map(base64.b64encode, packages)),
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(where), "SECRET": "planted"},
        timeout=60,
        check=False,
    )
    assert ended.stderr == b""
    process_id, is_told = ended.stdout.split()
    assert is_told == b"False"
    assert ended.returncode == (0 if way == "end" else -signal.SIGKILL)
    assert _has_ended(int(process_id), patience_seconds=20)


def _has_ended(process_id: int, patience_seconds: float) -> bool:
    try:
        watched = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], patience_seconds)[0])
    finally:
        os.close(watched)
