"""What a distribution's package manager must know on the system itself, and what changes a live machine's packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.host.packages.apt.facts import PackageFacts as PackageFacts
    from holdfast.host.packages.change import PackageAction as PackageAction
    from holdfast.host.packages.change import PackageChange as PackageChange
    from holdfast.host.packages.change import PackageOptions as PackageOptions
    from holdfast.host.packages.change import PackageResult as PackageResult
    from holdfast.host.packages.live import apply as apply
    from holdfast.host.packages.live import find_stale as find_stale
    from holdfast.host.packages.live import finish as finish
    from holdfast.host.packages.live import jobs_for as jobs_for
    from holdfast.host.packages.live import plan_packages as plan_packages
    from holdfast.host.packages.live import read_package_facts as read_package_facts
    from holdfast.host.packages.live import recover as recover
    from holdfast.host.packages.live import stale_jobs as stale_jobs
    from holdfast.host.packages.live import undo as undo
    from holdfast.host.packages.wanted import WantedPackages as WantedPackages
    from holdfast.host.packages.wanted import unlocked as unlocked
else:
    _PLACES = {
        "PackageFacts": "apt.facts",
        "PackageAction": "change",
        "PackageChange": "change",
        "PackageOptions": "change",
        "PackageResult": "change",
        "apply": "live",
        "find_stale": "live",
        "finish": "live",
        "jobs_for": "live",
        "plan_packages": "live",
        "read_package_facts": "live",
        "recover": "live",
        "stale_jobs": "live",
        "undo": "live",
        "WantedPackages": "wanted",
        "unlocked": "wanted",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _PLACES:
            return getattr(import_module(f"holdfast.host.packages.{_PLACES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
