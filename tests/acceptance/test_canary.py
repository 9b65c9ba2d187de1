"""The canary: recognisable values are planted, a whole story is told with faults, and the values are hunted everywhere.

Only two places may hold them: the vaults themselves, and the files that an import with `plaintext: true` was asked for.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from acceptance_house import House, Lab, csv_text, finish, furnished, running_lab, until

pytestmark = pytest.mark.acceptance

VALUES = {
    "canary-plain": "CanaryPlainQx7v9Zr2",
    "canary-marks": 'Canary+/="&% Ümlaut%41\\Qx7',
    "canary-lines": "-----CanaryBegin\nQx7v9Zr3\r\nCanaryEnd-----",
    "canary-formula": "=CanaryFormula(Qx7v9Zr4)",
    "canary-json": '{"password": "CanaryJsonQx7v9Zr5"}',
}


def forms(value: str) -> dict[str, bytes]:
    """Every way in which a value could leak that we know of; base64 at each of the three places it can begin."""
    raw = value.encode()
    found = {
        "plain": raw,
        "percent-encoded": quote(value, safe="").encode(),
        "percent-encoded, lower": quote(value, safe="").lower().encode(),
        "form-encoded": quote_plus(value).encode(),
        "JSON": json.dumps(value)[1:-1].encode(),
        "JSON, readable": json.dumps(value, ensure_ascii=False)[1:-1].encode(),
        "repr": repr(value)[1:-1].encode(),
        "UTF-16": value.encode("utf-16-le"),
        "UTF-16, big": value.encode("utf-16-be"),
        "hex": raw.hex().encode(),
        "hex, upper": raw.hex().upper().encode(),
        "reversed": raw[::-1],
        "first half": raw[: len(raw) // 2],
        "second half": raw[len(raw) // 2 :],
    }
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[(0, 2, 3)[shift] : len(whole) - (0 if not (shift + len(raw)) % 3 else 4)]
        found[f"base64 at {shift}"] = inner
        found[f"base64url at {shift}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return found


@dataclass
class Hunter:
    """Looks for values in bytes, files and folders; remembers where one was."""

    values: dict[str, str]
    finds: list[str] = field(default_factory=list)
    looked_at: int = 0

    def __post_init__(self) -> None:
        self._wanted = [
            (f"{name} ({form})", text)
            for name, value in self.values.items()
            for form, text in forms(value).items()
            if len(text) >= 8
        ]

    def look(self, place: str, content: bytes | str) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.looked_at += 1
        self.finds += [f"{what} in {place}" for what, text in self._wanted if text in data]

    def look_into(self, folder: Path, but: tuple[str, ...] = ()) -> None:
        for path in sorted(folder.rglob("*")):
            self.look(f"the name {path.name}", path.name)
            if path.is_file() and path.name not in but:
                self.look(str(path), path.read_bytes())

    def look_at_process(self, number: int) -> None:
        """Its command line, its environment, and those of its children."""
        for each in (number, *_children(number)):
            for part in ("cmdline", "environ"):
                try:
                    self.look(f"{part} of a process", Path(f"/proc/{each}/{part}").read_bytes())
                except OSError:
                    continue


@pytest.mark.parametrize("name", VALUES)
def test_the_hunter_finds_every_form_in_a_file(name: str, tmp_path: Path) -> None:
    for form, text in forms(VALUES[name]).items():
        if len(text) < 8:
            continue
        hunter = Hunter(VALUES)
        (tmp_path / "sink").write_bytes(b"before " + text + b" after")
        hunter.look_into(tmp_path)
        assert hunter.finds, form
    for before in (b"", b"a", b"ab", b"user:"):
        hunter = Hunter(VALUES)
        hunter.look("Basic", base64.b64encode(before + VALUES[name].encode() + b":after"))
        assert hunter.finds, before


def test_the_hunter_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    hunter = Hunter(VALUES)
    (tmp_path / "sink").write_bytes(os.urandom(1_000_000) + "".join(VALUES).encode())
    hunter.look_into(tmp_path)
    assert not hunter.finds
    assert hunter.looked_at == 2


@pytest.fixture(scope="module")
def canary_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), contoso=0, fabrikam=0) as lab:
        for name, value in VALUES.items():
            lab.put("contoso", name, value)
        for number in range(40):
            lab.put("contoso", f"many-{number}", f"{VALUES['canary-plain']}-{number}")
        yield lab


@pytest.fixture
def nest(canary_lab: Lab, tmp_path: Path) -> House:
    canary_lab.calm()
    canary_lab.empty("fabrikam")
    (tmp_path / "nest").mkdir()
    house = furnished(canary_lab, tmp_path / "nest")
    house.environ = {"PYTHONFAULTHANDLER": "1", "LOGLEVEL": "DEBUG", "INTEGRATOR_LOG": "debug"}
    return house


def hunter_of(lab: Lab) -> Hunter:
    return Hunter({**VALUES, "client secret": lab.client_secret})


def test_no_value_is_left_anywhere_by_a_whole_story_on_a_bad_day(nest: House, canary_lab: Lab) -> None:
    lab, hunter = canary_lab, hunter_of(canary_lab)

    def told(*arguments: str | Path, code: int | None = None) -> None:
        ended = nest(*arguments, code=code)
        hunter.look(f"what {arguments} printed", ended.out + ended.err)
        hunter.look_into(nest.home)

    for kind in ("broken-json", "truncated", "lost", "403", "500", "html", "reset", "claims", "429"):
        lab.fault(kind, host="contoso", path="^/secrets/", after=2)
        lab.fault(kind, host="fabrikam", method="PUT", after=2)
    told("flows", "run", "export-csv", "--json")
    told("flows", "run", "back-csv")
    lab.control("DELETE", "faults")
    for kind in ("broken-json", "400", "409"):
        lab.fault(kind, host="contoso", path="^/secrets/canary", every=1, times=8)
        lab.fault(kind, host="fabrikam", method="PUT", every=1, times=8)
        told("flows", "run", "copy", "--json")
        lab.control("DELETE", "faults")
    told("flows", "run", "export-jsonl", code=0)
    told("flows", "run", "back-jsonl", "--json")
    told("flows", "run", "export-unsaid", "--json", code=5)
    wrong = {"mapping": [{"to": "name", "from": "name"}, {"to": "value", "template": "{{ value }}{{ value + 1 }}"}]}
    flow = nest("flows", "show", "copy", "--json").json
    flow["steps"][0]["import"] |= wrong
    nest.apply({"version": 1, "flows": [flow]})
    told("flows", "run", "copy", code=3)
    swapped = [{"to": "name", "from": "value"}, {"to": "value", "from": "value"}, {"to": "expires", "from": "value"}]
    flow["steps"][0]["import"]["mapping"] = swapped
    nest.apply({"version": 1, "flows": [flow]})
    told("flows", "run", "copy", "--json")
    for run in nest("runs", "list", "--json").json:
        if run["counts"]["failed"]:
            told("runs", "errors", str(run["run"]), "--json", code=0)
    for arguments in (("runs", "list"), ("doctor",), ("keys", "doctor", "--json"), ("dump",)):
        told(*arguments)
    hunter.look_into(nest.files, but=("out.csv", "out.jsonl"))
    assert not hunter.finds, sorted(set(hunter.finds))
    assert hunter.looked_at > 100


def test_what_actions_of_a_flow_take_and_give_is_left_nowhere(nest: House, canary_lab: Lab) -> None:
    lab, hunter = canary_lab, hunter_of(canary_lab)
    nest("action", "contoso", "create_key", "keyName=canaries", "keyType=RSA", code=None)
    ways = [
        ("encrypt", "rawData", "value", "text.encryptedData"),
        ("decrypt", "encryptedData", "value", "text.rawData"),
    ]
    flows = []
    for number, (action, parameter, origin, made) in enumerate(ways):
        fixed = {"keyName": "canaries", "algorithm": "RSA-OAEP-256"}
        inputs = [*({"to": to, "template": text} for to, text in fixed.items()), {"to": parameter, "from": origin}]
        step = {"connection": "contoso", "action": action, "into": "text", "inputs": inputs}
        mapping = [{"to": "name", "from": "name"}, {"to": "value", "from": made}]
        end = {
            "connection": "here",
            "resource": f"way-{number}.csv",
            "plaintext": True,
            "adopt": True,
            "mapping": mapping,
        }
        source = {"connection": "contoso", "resource": "secrets", "values": True}
        export = {"connection": "here", "resource": "way-0.csv"} if number else source
        flows.append({"name": f"way-{number}", "exports": [export], "steps": [{"action": step}, {"import": end}]})
    wrong = {**flows[0], "name": "wrong"}
    wrong["steps"] = [{"action": {**flows[0]["steps"][0]["action"], "inputs": [{"to": name, "from": "value"} for name in
                      ("keyName", "algorithm", "rawData", "rawDataEncoding")]}}, flows[0]["steps"][1]]  # fmt: skip
    nest.apply({"version": 1, "flows": [*flows, wrong]})

    def told(*arguments: str, code: int | None = None) -> None:
        ended = nest(*arguments, code=code)
        hunter.look(f"what {arguments} printed", ended.out + ended.err)
        hunter.look_into(nest.home)

    told("flows", "run", "wrong", "--json")
    for kind in ("broken-json", "truncated", "lost", "403", "500", "html", "claims", "400"):
        for path in ("/encrypt", "/decrypt"):
            lab.fault(kind, host="contoso", path=path, every=3, times=6)
        told("flows", "run", "way-0", "--json")
        told("flows", "run", "way-1")
        lab.control("DELETE", "faults")
    told("flows", "run", "way-0", "--json", code=0)
    told("flows", "run", "way-1", "--json", code=0)
    with (nest.files / "way-1.csv").open(newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} >= set(VALUES)
    for run in nest("runs", "list", "--json").json:
        told("runs", "errors", str(run["run"]), "--json")
    told("dump")
    told("flows", "show", "way-1")
    hunter.look_into(nest.files, but=("way-1.csv",))
    assert not hunter.finds, sorted(set(hunter.finds))


def test_what_a_file_that_cannot_be_read_holds_is_not_told(nest: House, canary_lab: Lab) -> None:
    hunter = hunter_of(canary_lab)
    plain = VALUES["canary-plain"]
    texts = {
        "in.csv": csv_text(f"bad name,{plain}", f"a,{plain},more", f'b,"{plain}') + f'c,{plain}"x',
        "in.jsonl": f'{{"name": "a", "value": "{plain}", "value": 1}}\n["{plain}"]\n{{"name": 1, "value": {{"{plain}": NaN}}}}\n'
        f'{{"name": "d", "value": ["{plain}"]}}\n{{"name": "{"x" * 200}", "value": "{plain}"}}\n{{"value": "{plain}',
    }
    for name, flow in (("in.csv", "import-csv"), ("in.jsonl", "import-jsonl")):
        nest.file(name, texts[name])
        ended = nest("flows", "run", flow, "--json", code=3)
        hunter.look(name, ended.out + ended.err)
        hunter.look("errors", nest("runs", "errors", str(ended.json["run"]), "--json").out)
        hunter.look_into(nest.home)
    assert not hunter.finds, sorted(set(hunter.finds))


def test_the_client_secret_is_told_nowhere(nest: House, canary_lab: Lab) -> None:
    canary = 'CanarySecret~+/="&% Qx7v9Zr6'
    hunter = Hunter({"client secret": canary, "the right one": canary_lab.client_secret})
    iclient = {**canary_lab.iclient, "credential": {"client_secret": {"env": "CANARY"}}}
    nest.environ["CANARY"] = canary
    ended = nest.apply({"version": 1, "iclients": [iclient]})
    del nest.environ["CANARY"]
    hunter.look("apply", ended.out + ended.err)
    for arguments in (
        ("connections", "test", "contoso"),
        ("connections", "test", "arm", "--json"),
        ("flows", "run", "export-csv", "--json"),
        ("iclients", "show", "sandbox-app", "--json"),
        ("iclients", "list"),
        ("dump",),
        ("keys", "rotate"),
        ("keys", "doctor"),
        ("doctor", "--json"),
    ):
        ended = nest(*arguments, code=None)
        assert ended.code in (0, 1, 4)  # the doctor tells that a connection needs authorization
        hunter.look(" ".join(arguments), ended.out + ended.err)
    (nest.home.parent / "doc.yaml").unlink()
    hunter.look_into(nest.home.parent)
    assert not hunter.finds, sorted(set(hunter.finds))
    typo = {"version": 1, "iclients": [{**canary_lab.iclient, "credential": {"client_secrte": canary}}]}
    hunter.look("a typo", nest.apply(typo, code=2).err)
    nest.apply({"version": 1, "iclients": [{**canary_lab.iclient, "credential": canary}]}, "bare.yaml", code=2)
    assert not hunter.finds


def test_while_it_works_only_a_file_of_its_owner_holds_values(nest: House, canary_lab: Lab) -> None:
    lab, hunter = canary_lab, hunter_of(canary_lab)
    lab.settings(latency_seconds=0.06)
    process = nest.start("flows", "run", "slow-csv", "--json")
    partials: set[str] = set()

    def written() -> bool:
        hunter.look_at_process(process.pid)
        for path in nest.files.iterdir():
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            assert stat.S_IMODE(status.st_mode) == 0o600, path.name
            partials.add(path.name)
        return process.poll() is not None

    until(written, every=0.02)
    finish(process, ("flows", "run", "slow-csv", "--json")).ended(0)
    assert any(name.endswith(".partial") for name in partials)
    assert "slow.csv" in partials
    hunter.look_into(nest.home)
    assert not hunter.finds, sorted(set(hunter.finds))
    assert hunter.looked_at > 20


def test_a_killed_run_leaves_values_in_its_partial_alone(nest: House, canary_lab: Lab) -> None:
    lab, hunter = canary_lab, hunter_of(canary_lab)
    lab.settings(latency_seconds=0.1)
    process = nest.start("flows", "run", "slow-csv")
    until(lambda: any(path.stat().st_size > 500 for path in nest.files.iterdir()))
    time.sleep(0.1)
    process.kill()
    process.communicate()
    [partial] = nest.files.iterdir()
    assert stat.S_IMODE(partial.stat().st_mode) == 0o600
    hunter.look_into(nest.home)
    assert not hunter.finds
    lab.settings(latency_seconds=0)
    nest("runs", "resume", "1")
    assert [path.name for path in nest.files.iterdir()] == ["slow.csv"]


def test_the_demo_puts_no_secret_on_a_command_line(new_house: House) -> None:
    process = new_house.start("demo", "--json")
    lines: set[bytes] = set()

    def watched() -> bool:
        for number in _children(process.pid):
            try:
                lines.add(Path(f"/proc/{number}/cmdline").read_bytes())
            except OSError:
                continue
        return process.poll() is not None

    until(watched, seconds=60, every=0.02)
    finish(process, ("demo", "--json")).ended(0)
    assert any(b"sandbox" in line for line in lines)
    assert not [line for line in lines if b"secret" in line.lower()]


def _children(number: int) -> list[int]:
    try:
        found = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, found) for each in (child, *_children(child))]
