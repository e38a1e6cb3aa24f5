"""Where things are on a machine while its packages change."""

from __future__ import annotations

from pathlib import Path

HOME = Path("/var/lib/holdfast/host/packages")
"""For root alone."""
ARCHIVE = HOME / "archive"
"""Package files of the change under way, and those that bring back what was there before us."""
RECORD = HOME / "transaction.json"
"""The change under way: there from before the first touch until the state says that it is made, or it is undone."""
RUN = Path("/run/holdfast/packages")
"""What a reboot may take away."""
CACHE = Path("/var/cache/apt/archives")
