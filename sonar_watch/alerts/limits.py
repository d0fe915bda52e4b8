"""How much anybody may ask: token buckets, one for each client and one for all of them."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 1024
"""Clients whose buckets are kept; who has not asked for longest is forgotten first."""


class TokenBucket:
    """An allowance that fills up steadily and may run into debt.

    Parameters
    ----------
    per_s : float
        Tokens that come in a second, above 0.
    burst : float
        Most tokens that wait to be spent; as many at the start.
    clock : callable
        Returns seconds that never go back.

    Examples
    --------
    >>> bucket = TokenBucket(2.0, 1.0, clock=lambda: 0.0)
    >>> bucket.spend(1.0), bucket.spend(1.0), bucket.wait_s(), bucket.wait_s(1.0)
    (0.0, -1.0, 0.5, 1.0)
    """

    def __init__(
        self, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._tokens, self._at_s = burst, clock()

    @property
    def level(self) -> float:
        """Tokens there are now; negative is debt."""
        now_s = self._clock()
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return self._tokens

    def wait_s(self, cost: float = 0.0) -> float:
        """Return the seconds until `cost` can be spent without debt; 0.0: until there is none."""
        return max(0.0, (cost - self.level) / self._per_s)

    def spend(self, cost: float, floor: float = -math.inf) -> float:
        """Take `cost` tokens, though not below `floor`; return what is left."""
        self._tokens = max(self.level - cost, min(floor, self._tokens))
        return self._tokens


class ClientBuckets:
    """A bucket for each client; forgets who has not asked for longest.

    Parameters
    ----------
    per_s, burst, clock
        Of each bucket.
    """

    def __init__(
        self, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._buckets: OrderedDict[bytes, TokenBucket] = OrderedDict()

    def of(self, client: bytes) -> TokenBucket:
        """Return the bucket of `client`, a full one for a new one."""
        bucket = self._buckets.pop(client, None) or TokenBucket(
            self._per_s, self._burst, self._clock
        )
        self._buckets[client] = bucket
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return bucket

    def __len__(self) -> int:
        return len(self._buckets)
