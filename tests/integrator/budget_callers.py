"""A process that calls one vault as fast as its budget lets it: `python budget_callers.py HOME CONNECTION SECONDS THREADS`.

It prints READY, begins when a line comes on standard input, and prints as JSON when its calls were answered (Unix
seconds), how many calls it made, and what CPU they took.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from integrator.bootstrap import Installation
from integrator.config import Config


def main(home: str, name: str, seconds: float, threads: int) -> None:
    with Installation(Config.from_environment({"INTEGRATOR_HOME": home})) as installation:
        connector = installation.connector(name)
        secret = connector.act("list_secrets", {"top": 1})["items"][0]["name"]
        print("READY", flush=True)
        sys.stdin.readline()
        ends_at, answered, lock = time.time() + seconds, [], threading.Lock()

        def call() -> None:
            while time.time() < ends_at:
                connector.act("get_secret_metadata", {"secretName": secret})
                with lock:
                    answered.append(time.time())

        cpu, calls = time.process_time(), sum(connector.calls.values())
        working = [threading.Thread(target=call) for _ in range(threads)]
        for one in working:
            one.start()
        for one in working:
            one.join()
        calls = sum(connector.calls.values()) - calls
        told = {"answered": answered, "calls": calls, "cpu": time.process_time() - cpu}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
