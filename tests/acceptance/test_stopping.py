"""Stopping a run, gently and at once; and going on with it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from acceptance_house import House, Lab, check_run, csv_text, finish, flow, running_lab, standard, undisturbed, until

pytestmark = pytest.mark.acceptance

KILLS = int(os.environ.get("INTEGRATOR_KILLS", "20"))
SEED = int(os.environ.get("INTEGRATOR_KILLS_SEED", "20261121"))
LATENCY_SECONDS = 0.02
AT_ONCE = 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_export_after_its_pages_and_names_the_command_that_goes_on(
    house: House, lab: Lab, number: signal.Signals
) -> None:
    whole = undisturbed(house)
    lab.settings(latency_seconds=0.1)
    lab.control("POST", "calls/reset")
    process = house.start("flows", "run", "slow-csv", "--json")
    until(lambda: lab.calls("contoso").get("get", 0) > 5)
    process.send_signal(number)
    started = time.monotonic()
    ended = finish(process, ("flows", "run", "slow-csv", "--json")).ended(130)
    assert time.monotonic() - started < 5
    run = check_run(ended.json)
    assert run["status"] == "cancelled"
    assert ended.last_line.endswith(f"integrator runs resume {run['run']}")
    assert not (house.files / "slow.csv").exists()
    lab.settings(latency_seconds=0)
    resumed = check_run(house("runs", "resume", str(run["run"]), "--json").json)
    assert resumed["run"] == run["run"]
    assert (house.files / "slow.csv").read_bytes() == whole


def test_ctrl_c_ends_an_import_and_a_resume_writes_the_rest_once(house: House, lab: Lab) -> None:
    undisturbed(house)
    lab.settings(latency_seconds=0.1)
    process = house.start("flows", "run", "slow-import")
    until(lambda: lab.calls("fabrikam").get("put", 0) > 5)
    process.send_signal(signal.SIGINT)
    ended = finish(process, ("flows", "run", "slow-import")).ended(130)
    assert ended.last_line.endswith("integrator runs resume 2")
    lab.settings(latency_seconds=0)
    check_run(house("runs", "resume", "2", "--json").json)
    assert lab.secrets("fabrikam") == {name: one for name, one in lab.secrets("contoso").items() if one["enabled"]}
    assert {lab.versions("fabrikam", name) for name in lab.names("fabrikam")} == {1}


def test_ctrl_c_while_a_vault_makes_us_wait_ends_the_run_at_once(house: House, lab: Lab) -> None:
    lab.fault("429", host="contoso", path="^/secrets\\?", retry_after=60)
    process = house.start("flows", "run", "export-csv", "--json")
    until(lambda: lab.calls("contoso").get("faulted", 0))
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    ended = finish(process, ("flows", "run", "export-csv", "--json")).ended(130)
    assert time.monotonic() - started < 5
    assert ended.json["status"] == "cancelled"
    house("runs", "resume", str(ended.json["run"]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_target_is_listed_ends_the_run_soon(house: House, lab: Lab, number: signal.Signals) -> None:
    for one in range(60):
        lab.put("fabrikam", f"there-{one}", "x")
    house.file("in.csv", csv_text("a,1"))
    lab.settings(latency_seconds=0.4)
    lab.control("POST", "calls/reset")
    process = house.start("flows", "run", "import-csv", "--json")
    until(lambda: lab.calls("fabrikam").get("list", 0))
    process.send_signal(number)
    ended = finish(process, ("flows", "run", "import-csv", "--json")).ended(130)
    assert ended.json["status"] == "cancelled"
    lab.settings(latency_seconds=0)
    house("runs", "resume", str(ended.json["run"]))
    assert lab.secret("fabrikam", "a")["value"] == "1"


class KillHouse:
    """One installation in which many runs are killed, each of a flow of its own."""

    def __init__(self, house: House, lab: Lab, whole: bytes, there: dict[str, dict[str, Any]]) -> None:
        self.house, self.lab, self.whole, self.there = house, lab, whole, there
        self.seconds = {"export": 0.0, "import": 0.0}


@pytest.fixture(scope="module")
def kill_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillHouse]:
    folder = tmp_path_factory.mktemp("kill")
    count = (KILLS + 1) // 2 + 1
    vaults = {f"copy{number}": 0 for number in range(count)}
    with running_lab(folder, contoso=120, fabrikam=0, **vaults) as lab:
        files = folder / "files"
        files.mkdir()
        house = House(folder / "home", files)
        document = standard(lab, files)
        for connection in document["connections"]:
            if "limits" in connection:
                connection["limits"] = {"calls": 1_000_000, "period_seconds": 10, "concurrency": 4}
        for number in range(count):
            document["flows"] += [
                flow(
                    f"export-{number}",
                    ("contoso", "secrets"),
                    ("here", f"{number}.csv"),
                    where="enabled",
                    plaintext=True,
                ),
                flow(f"import-{number}", ("here", "out.csv"), (f"copy{number}", "secrets")),
            ]
        house.apply(document)
        whole = undisturbed(house)
        there = {name: one for name, one in lab.secrets("contoso").items() if one["enabled"]}
        lab.settings(latency_seconds=LATENCY_SECONDS)
        killing = KillHouse(house, lab, whole, there)
        for kind in killing.seconds:
            killing.seconds[kind] = house.run(f"{kind}-{count - 1}")["seconds"]
        yield killing


@pytest.mark.kill
def test_a_killed_export_is_resumed_to_exactly_the_right_file(kill_house: KillHouse) -> None:
    results = _kill_many(kill_house, "export", _right_file)
    assert sum(results) >= len(results) // 2, "too few runs were killed while they worked"


@pytest.mark.kill
def test_a_killed_import_is_resumed_to_exactly_the_right_vault(kill_house: KillHouse) -> None:
    results = _kill_many(kill_house, "import", _right_vault)
    assert sum(results) >= len(results) // 2, "too few runs were killed while they worked"


def _kill_many(killing: KillHouse, kind: str, judge: Callable[[KillHouse, int], None]) -> list[bool]:
    """Kill many runs: the first before it begins, the last ones as they end, the others at random moments between.

    Gives which of them were still running.
    """
    count = KILLS // 2 if kind == "export" else KILLS - KILLS // 2
    chance = random.Random(f"{SEED} {kind}")
    moments = [chance.uniform(0, killing.seconds[kind]) for _ in range(count)]

    def one(number: int) -> bool:
        near_end = number >= count - max(1, count // 5)
        return _killed(killing, kind, number, None if near_end else moments[number])

    killing.lab.settings(latency_seconds=LATENCY_SECONDS)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        were_running = list(pool.map(one, range(count)))
    killing.lab.settings(latency_seconds=0)
    for number in range(count):
        judge(killing, number)
    return were_running


def _killed(killing: KillHouse, kind: str, number: int, moment: float | None) -> bool:
    """Start a run, kill it at this moment (None: as it ends), and bring it to its end."""
    house, name = killing.house, f"{kind}-{number}"
    process = house.start("flows", "run", name, "--json")
    if number == 0:
        time.sleep(random.Random(SEED).uniform(0.05, 0.5))
    elif moment is None:
        until(lambda: _is_ending(killing, kind, number) or process.poll() is not None, every=0.001)
    else:
        until(lambda: _has_begun(killing, kind, number), every=0.002)
        time.sleep(moment)
    process.kill()
    process.communicate()
    listed = house("runs", "list", "--flow", name, "--json").json
    if not listed:
        house.run(name)
        return False
    run = check_run(listed[0])
    if process.returncode == 0 or run["status"] == "succeeded":
        return False
    assert run["status"] == "running"
    resumed = check_run(house("runs", "resume", str(run["run"]), "--json").json)
    assert (resumed["run"], resumed["status"]) == (run["run"], "succeeded")
    assert resumed["counts"]["created"] == len(killing.there), resumed
    assert resumed["counts"]["read"] == (120 if kind == "export" else len(killing.there))
    return True


def _has_begun(killing: KillHouse, kind: str, number: int) -> bool:
    if kind == "export":
        return any(killing.house.files.glob(f".{number}.csv.*.partial"))
    return bool(killing.lab.calls(f"copy{number}"))


def _is_ending(killing: KillHouse, kind: str, number: int) -> bool:
    if kind == "export":
        return (killing.house.files / f"{number}.csv").exists()
    return _puts(killing, number) >= len(killing.there)


def _puts(killing: KillHouse, number: int) -> int:
    return killing.lab.calls(f"copy{number}").get("put", 0)


def _right_file(killing: KillHouse, number: int) -> None:
    assert (killing.house.files / f"{number}.csv").read_bytes() == killing.whole
    assert not [path for path in killing.house.files.iterdir() if f".{number}.csv." in path.name]


def _right_vault(killing: KillHouse, number: int) -> None:
    lab = killing.lab
    assert lab.secrets(f"copy{number}") == killing.there
    versions = {name: lab.versions(f"copy{number}", name) for name in killing.there}
    assert versions == dict.fromkeys(killing.there, 1), "a secret was written twice"


@pytest.mark.kill
def test_a_killed_run_stands_as_running_until_it_is_resumed_once(house: House, lab: Lab) -> None:
    lab.settings(latency_seconds=0.1)
    process = house.start("flows", "run", "slow-csv", "--json")
    until(lambda: lab.calls("contoso").get("get", 0) > 3)
    assert "1" in house("runs", "resume", "1", "--json", code=1).sentence
    process.kill()
    process.communicate()
    assert house("runs", "show", "1", "--json").json["status"] == "running"
    doctor = house("doctor", "--json", code=1).json
    assert any("runs resume 1" in finding["sentence"] for finding in doctor if not finding["is_ok"])
    assert "run 1" in house("flows", "run", "slow-csv", code=1).sentence
    lab.settings(latency_seconds=0)
    house("runs", "resume", "1")
    assert "over" in house("runs", "resume", "1", "--json", code=1).sentence
    house("doctor")


@pytest.mark.kill
def test_a_killed_run_can_be_cancelled_and_then_goes_on_all_the_same(house: House, lab: Lab) -> None:
    whole = undisturbed(house)
    lab.settings(latency_seconds=0.1)
    lab.control("POST", "calls/reset")
    process = house.start("flows", "run", "slow-csv", "--json")
    until(lambda: lab.calls("contoso").get("get", 0) > 3)
    process.kill()
    process.communicate()
    assert house("runs", "cancel", "2", "--json").json["status"] == "cancelled"
    lab.settings(latency_seconds=0)
    house("runs", "resume", "2")
    assert (house.files / "slow.csv").read_bytes() == whole


@pytest.mark.kill
def test_a_killed_import_of_disabled_secrets_knows_its_own_work(house: House, lab: Lab) -> None:
    head = "name,value,content_type,tags,enabled,not_before,expires"
    rows = [f"s-{number},old,,,{'false' if number % 2 else 'true'},," for number in range(12)]
    house.file("out.csv", csv_text(*rows, head=head))
    lab.settings(latency_seconds=0.1)
    process = house.start("flows", "run", "slow-import", "--json")
    until(lambda: lab.calls("fabrikam").get("put", 0) > 5)
    process.kill()
    process.communicate()
    lab.settings(latency_seconds=0)
    resumed = check_run(house("runs", "resume", "1", "--json").json)
    assert resumed["counts"]["created"] == 12
    assert {lab.versions("fabrikam", f"s-{number}") for number in range(12)} == {1}


@pytest.mark.kill
def test_rows_that_were_edited_after_a_kill_are_not_taken_for_somebody_elses(house: House, lab: Lab) -> None:
    head = "name,value,content_type,tags,enabled,not_before,expires"
    house.file("out.csv", csv_text(*(f"s-{number},old,,,true,," for number in range(12)), head=head))
    lab.settings(latency_seconds=0.1)
    process = house.start("flows", "run", "slow-import", "--json")
    until(lambda: lab.calls("fabrikam").get("put", 0) > 5)
    process.kill()
    process.communicate()
    lab.settings(latency_seconds=0)
    house.file("out.csv", csv_text(*(f"s-{number},edited,,,true,," for number in range(12)), head=head))
    resumed = check_run(house("runs", "resume", "1", "--json").json)
    assert resumed["counts"]["conflicts"] == 0
    assert {one["value"] for one in lab.secrets("fabrikam").values()} == {"edited"}
