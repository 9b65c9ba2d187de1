"""A bad day at the other end: what passes is waited out without a failed record, what does not is told."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from acceptance_house import (
    Ended,
    House,
    Lab,
    check_run,
    csv_text,
    finish,
    flow,
    running_lab,
    standard,
    undisturbed,
)

pytestmark = pytest.mark.acceptance

PASSING: list[tuple[str, dict[str, Any]]] = [
    ("429", {"retry_after": 1}),
    ("429", {}),
    ("500", {}),
    ("503", {}),
    ("html", {}),
    ("reset", {}),
    ("lost", {}),
    ("truncated", {}),
    ("slow", {"seconds": 0.5}),
    ("broken-json", {}),
]
NOT_CARRIED_OUT = ("429", "500", "503", "html", "reset")
NAMES = [f"{kind} after {options['retry_after']} s" if "retry_after" in options else kind for kind, options in PASSING]
ROWS = {f"name-{number}": f"value {number}" for number in range(12)}


@pytest.fixture(scope="module", autouse=True)
def patient(
    furnished_house: House, module_lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Commands that wait for systems that do not answer: begun first, looked at last."""
    folder = tmp_path_factory.mktemp("patient")
    house = House(folder / "home", folder)
    cloud, connection = dict(module_lab.cloud), dict(module_lab.document["connections"][0])
    with socket.socket() as closed, socket.socket() as deaf:
        closed.bind(("127.0.0.1", 0))
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        hosts = {"closed": f"127.0.0.1:{closed.getsockname()[1]}", "deaf": f"127.0.0.1:{deaf.getsockname()[1]}"}
        cloud["vaults"] = [*hosts.values()]
        connections = [
            {**connection, "name": name, "settings": {"vault_url": f"https://{host}"}} for name, host in hosts.items()
        ]
        house.apply(
            {
                "version": 1,
                "clouds": [cloud],
                "iclients": [module_lab.iclient],
                "connections": [
                    *connections,
                    {"name": "here", "connector": "files", "settings": {"folder": str(folder)}},
                ],
                "flows": [
                    {
                        "name": "unanswered",
                        "exports": [{"connection": "closed", "resource": "secrets"}],
                        "steps": [
                            {
                                "import": {
                                    "connection": "here",
                                    "resource": "x.csv",
                                    "mapping": [{"to": "name", "from": "name"}],
                                }
                            }
                        ],
                    }
                ],
            }
        )
        started = {
            "run": house.start("flows", "run", "unanswered", "--json"),
            "closed": house.start("connections", "test", "closed", "--json"),
            "deaf": house.start("connections", "test", "deaf"),
        }
        yield started
        for process in started.values():
            if process.stdout is not None and not process.stdout.closed:
                process.kill()
                process.communicate()


class FaultHouse:
    """An installation in which every fault strikes an export and an import of its own, all at the same time."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        files = folder / "files"
        files.mkdir()
        self.house = House(folder / "home", files)
        document = standard(lab, files)
        for number in range(len(PASSING)):
            document["flows"] += [
                flow(
                    f"export-{number}",
                    (f"source{number}", "secrets"),
                    ("here", f"{number}.jsonl"),
                    where="enabled",
                    plaintext=True,
                ),
                flow(f"import-{number}", ("here", "in.csv"), (f"target{number}", "secrets"), fields=("name", "value")),
            ]
        self.house.apply(document)
        self.house.file("in.csv", csv_text(*(f"{name},{value}" for name, value in ROWS.items())))
        for number, (kind, options) in enumerate(PASSING):
            lab.fault(kind, host=f"source{number}", path="^/secrets\\?", **options)
            lab.fault(kind, host=f"source{number}", path="^/secrets/", after=3, times=3, **options)
            lab.fault(kind, host=f"target{number}", path="^/secrets\\?", **options)
            lab.fault(kind, host=f"target{number}", method="PUT", after=3, times=4, **options)
        with ThreadPoolExecutor(5) as pool:
            flows = [f"{what}-{number}" for what in ("export", "import") for number in range(len(PASSING))]
            self.ended = dict(zip(flows, pool.map(self._run, flows), strict=True))
        lab.control("DELETE", "faults")

    def _run(self, flow: str) -> Ended:
        return self.house("flows", "run", flow, "--json", code=None)


@pytest.fixture(scope="module")
def fault_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultHouse]:
    vaults = {
        f"{kind}{number}": count for number in range(len(PASSING)) for kind, count in (("source", 30), ("target", 0))
    }
    folder = tmp_path_factory.mktemp("faults")
    with running_lab(folder, contoso=1, fabrikam=0, **vaults) as lab:
        yield FaultHouse(lab, folder)


@pytest.mark.parametrize("number", range(len(PASSING)), ids=NAMES)
def test_an_export_waits_out_what_passes(fault_house: FaultHouse, number: int) -> None:
    run = check_run(fault_house.ended[f"export-{number}"].ended(0).json)
    vault = f"source{number}"
    there = {name: one["value"] for name, one in fault_house.lab.secrets(vault).items() if one["enabled"]}
    text = (fault_house.house.files / f"{number}.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.split("\n") if line]
    assert {line["name"]: line["value"] for line in lines} == there
    assert (run["counts"]["created"], run["counts"]["failed"]) == (len(there), 0)
    assert fault_house.lab.calls(vault).get("faulted", 0) == (4 if PASSING[number][0] in NOT_CARRIED_OUT else 0)


@pytest.mark.parametrize("number", range(len(PASSING)), ids=NAMES)
def test_an_import_waits_out_what_passes_and_writes_nothing_twice(fault_house: FaultHouse, number: int) -> None:
    run = check_run(fault_house.ended[f"import-{number}"].ended(0).json)
    lab, vault = fault_house.lab, f"target{number}"
    assert (run["counts"]["created"], run["counts"]["failed"]) == (len(ROWS), 0)
    assert {name: one["value"] for name, one in lab.secrets(vault).items()} == ROWS
    assert {name: lab.versions(vault, name) for name in ROWS} == dict.fromkeys(ROWS, 1)
    assert lab.calls(vault).get("faulted", 0) == (5 if PASSING[number][0] in NOT_CARRIED_OUT else 0)


@pytest.mark.parametrize("kind", ["429", "503", "reset", "broken-json"])
def test_a_token_endpoint_that_is_busy_is_asked_again(house: House, lab: Lab, kind: str) -> None:
    lab.fault(kind, host="entra", method="POST", path="token", **({"retry_after": 1} if kind.isdigit() else {}))
    assert house.run("export-names")["counts"]["created"] == 60


def test_a_token_that_is_revoked_in_the_middle_is_replaced(house: House, lab: Lab) -> None:
    lab.fault("claims", host="contoso", path="^/secrets/", after=5)
    assert house.run("export-csv")["counts"]["failed"] == 0


def test_a_vault_that_throttles_without_end_loses_nothing(house: House, lab: Lab) -> None:
    lab.fault("429", host="contoso", path="^/secrets/", every=20, times=2, retry_after=1)
    run = house.run("export-csv")
    assert run["counts"]["failed"] == 0
    assert lab.calls("contoso")["faulted"] == 2


def test_a_disabled_secret_whose_answer_was_lost_is_written_once(house: House, lab: Lab) -> None:
    head = "name,value,content_type,tags,enabled,not_before,expires"
    house.file("out.csv", csv_text("off,1,,,false,,", "on,2,,,true,,", head=head))
    lab.fault("lost", host="fabrikam", method="PUT", times=2)
    run = house.run("back-csv")
    assert run["counts"]["created"] == 2
    assert lab.names("fabrikam") == {"off": False, "on": True}
    assert [lab.versions("fabrikam", name) for name in ("off", "on")] == [1, 1]


def test_a_vault_that_fails_in_the_middle_ends_the_run_and_a_resume_leaves_nothing_out(house: House, lab: Lab) -> None:
    whole = undisturbed(house)
    lab.fault("404", host="contoso", path="^/secrets\\?.*skiptoken", every=1)
    ended = house("flows", "run", "slow-csv", "--json", code=1)
    assert ended.sentence
    lab.control("DELETE", "faults")
    house("runs", "resume", str(ended.json["run"]), "--json")
    assert (house.files / "slow.csv").read_bytes() == whole


def test_a_flow_that_is_running_is_not_started_again(house: House, lab: Lab) -> None:
    lab.settings(latency_seconds=0.1)
    process = house.start("flows", "run", "slow-csv", "--json")
    time.sleep(1.2)
    second = house("flows", "run", "slow-csv", "--json", code=1)
    assert "run 1" in second.sentence
    resumed = house("runs", "resume", "1", "--json", code=1)
    assert "run 1" in resumed.sentence.lower()
    lab.settings(latency_seconds=0)
    assert finish(process, ("flows", "run", "slow-csv", "--json")).ended(0).json["run"] == 1


def test_a_vault_that_does_not_answer_is_named(patient: dict[str, subprocess.Popen[str]]) -> None:
    for name, process in patient.items():
        ended = finish(process, (name, *(["--json"] if name != "deaf" else []))).ended(1)
        assert "127.0.0.1:" in ended.sentence


def test_records_that_failed_before_the_run_was_given_up_are_not_lost_to_a_resume(house: House, lab: Lab) -> None:
    few = flow("few", ("narrow", "secrets"), ("here", "few.csv"), fields=("name", "value"), plaintext=True)
    few["exports"][0]["where"] = "enabled && length(name) < `27`"
    house.apply({"version": 1, "flows": [few]})
    lab.deny("contoso", "get")
    ended = house("flows", "run", "few", "--json", code=1)
    lab.deny("contoso")
    resumed = check_run(house("runs", "resume", str(ended.json["run"]), "--json").json)
    assert resumed["counts"]["created"] > 25
