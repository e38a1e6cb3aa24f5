"""The environment that programs and definitions see unless somebody chooses otherwise."""

from __future__ import annotations

from collections.abc import Mapping

BASE_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
"""Nothing leaks in from the person's shell."""
