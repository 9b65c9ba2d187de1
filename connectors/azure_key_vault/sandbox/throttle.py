"""Key Vault's published limits: in 10 seconds 300 creates or 4,000 other calls a vault, mixed by weight.

Both kinds draw on one budget, each call its share; five vaults' worth is the subscription's; a call that
is refused costs nothing (Azure reference sheet, section 7.1). Whole numbers, so that shares add up.
"""

from __future__ import annotations

from collections import deque

from connectors.azure_key_vault.sandbox.clock import Clock

WINDOW_SECONDS = 10
CREATE_COST = 40
OTHER_COST = 3
VAULT_BUDGET = 12_000
SUBSCRIPTION_BUDGET = 5 * VAULT_BUDGET
KEY_CREATE_COST = {False: 600, True: 1_200}
"""20 software keys, 10 hardware keys in ten seconds."""
KEY_COST = {(False, 3072): 12, (False, 4096): 24, (True, 2048): 6, (True, 3072): 24, (True, 4096): 48, (True, 0): 6}
"""A call on a key, by whether hardware keeps it and by its size; 0 is a curve, and what is not named costs as others."""


class Window:
    """What was spent in the last ten seconds, in slots of one second."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._spent = 0
        self._slots: deque[list[int]] = deque()

    def wait_seconds(self, cost: int, now: int) -> int:
        """Zero when there is room for the cost, else how long until there may be some."""
        while self._slots and not now - WINDOW_SECONDS < self._slots[0][0] <= now:
            self._spent -= self._slots.popleft()[1]
        if self._spent + cost <= self._budget:
            return 0
        return max(1, self._slots[0][0] + WINDOW_SECONDS - now)

    def spend(self, cost: int, now: int) -> None:
        """Takes the cost off the budget."""
        self._spent += cost
        if self._slots and self._slots[-1][0] == now:
            self._slots[-1][1] += cost
        else:
            self._slots.append([now, cost])


class Throttle:
    """The limits of all vaults of the subscription; off until it is switched on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.on = False
        self.retry_after = True
        self._subscription = Window(SUBSCRIPTION_BUDGET)
        self._vaults: dict[str, Window] = {}

    def __call__(self, on: bool, *, retry_after: bool = True) -> None:
        """Switches it; `retry_after` says whether a 429 names the seconds to wait."""
        self.on, self.retry_after = on, retry_after
        self._subscription = Window(SUBSCRIPTION_BUDGET)
        self._vaults = {}

    def admit(self, vault: str, cost: int) -> int:
        """Zero when a call of this cost may pass (and is then paid for), else the seconds to wait."""
        now = int(self._clock.now())
        windows = (self._subscription, self._vaults.setdefault(vault, Window(VAULT_BUDGET)))
        wait = max(window.wait_seconds(cost, now) for window in windows)
        if wait == 0:
            for window in windows:
                window.spend(cost, now)
        return wait
