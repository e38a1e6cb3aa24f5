"""How many examples hypothesis tries: fewer in the fast suite, which is run again and again."""

from __future__ import annotations

import os
from collections.abc import Collection

from hypothesis import HealthCheck, settings

FEW = "HOLDFAST_TEST_FEW_EXAMPLES"
"""Set by ``tests/conftest.py`` where slow tests are left out."""
_FEWEST = 5


def at_most(count: int, *, suppress: Collection[HealthCheck] = ()) -> settings:
    """``count`` examples of a test, or a quarter of them in the fast suite; each as long as it takes."""
    chosen = max(min(count, _FEWEST), count // 4) if os.environ.get(FEW) else count
    return settings(max_examples=chosen, deadline=None, suppress_health_check=suppress)
