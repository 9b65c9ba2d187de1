"""Several processes and one vault under Azure's throttle: ours share a budget, the SDK's do not know of each other.

    python -m benchmarks.budgets [secrets] [processes]

Each process reads every secret of the vault once. Told are the time until the last one is done, and how many calls the vault
refused with 429.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

from benchmarks.lab import INTEGRATOR, Lab, lab

THREADS = 16
VAULT = "many"


def section(secrets: int = 1_500, processes: int = 4) -> str:
    """Both, measured one after the other, as a part of the report."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, run in (("Integrator, one database", _ours), ("official SDK", _sdk)):
            with lab(Path(folder) / name.split()[0], {VAULT: secrets}, "--latency=20", "--throttle") as here:
                rows.append((name, *run(here, processes), _refused(here)))
    lines = [
        f"## {processes} processes at one vault, under Azure's throttle",
        "",
        f"Each process reads {secrets:,} secrets. The published budget alone takes {secrets * processes / 400:.1f} s; the",
        "sandbox lets whoever does not pace himself have ten seconds' worth at once. Ours share one budget through the",
        "database ([throttling.md](throttling.md)), the SDK's processes do not know of each other.",
        "",
        "| | seconds | processes that failed | refused with 429 |",
        "|---|---|---|---|",
        *(f"| {name} | {seconds:.1f} | {failed} | {refused:,} |" for name, seconds, failed, refused in rows),
        "",
    ]
    return "\n".join(lines)


def _ours(here: Lab, processes: int) -> tuple[float, int]:
    """One flow for each process: a flow has one run at a time."""
    document = here.folder / "more.yaml"
    mapping = [{"to": name, "from": name} for name in ("name", "value")]
    flows = [
        {
            "name": f"export{number}",
            "exports": [{"connection": VAULT, "resource": "secrets", "values": True, "where": "enabled"}],
            "steps": [
                {
                    "import": {
                        "connection": "here", "resource": f"{number}.jsonl", "plaintext": True, "mapping": mapping
                    }
                }
            ],
        }
        for number in range(processes)
    ]  # fmt: skip
    document.write_text(yaml.safe_dump({"version": 1, "flows": flows}))
    here.integrator("apply", str(document))
    return _timed(here, [[*INTEGRATOR, "flows", "run", flow["name"]] for flow in flows])


def _sdk(here: Lab, processes: int) -> tuple[float, int]:
    script = Path(__file__).with_name("contenders") / "sdk.py"
    outputs = [str(here.folder / f"sdk{number}.jsonl") for number in range(processes)]
    return _timed(
        here, [[sys.executable, str(script), str(here.document), VAULT, output, str(THREADS)] for output in outputs]
    )


def _timed(here: Lab, commands: list[list[str]]) -> tuple[float, int]:
    began = time.perf_counter()
    environment = {**os.environ, **here.environment}
    with (here.folder / "log").open("ab") as log:
        running = [subprocess.Popen(one, env=environment, stdout=log, stderr=log) for one in commands]
        failed = sum(one.wait() not in (0, 3) for one in running)
    return time.perf_counter() - began, failed


def _refused(here: Lab) -> int:
    cloud = yaml.safe_load(here.document.read_text())["clouds"][0]
    trusted = ssl.create_default_context(cafile=str(here.document.parent / cloud["ca_file"]))
    origin = "/".join(cloud["authority"].split("/")[:3])
    with urllib.request.urlopen(f"{origin}/sandbox/calls", context=trusted) as answer:
        return int(json.load(answer)[VAULT].get("throttled", 0))


if __name__ == "__main__":
    print(section(*map(int, sys.argv[1:3])))
