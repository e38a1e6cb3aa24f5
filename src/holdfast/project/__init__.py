"""A project: ``systems.py`` and ``holdfast.lock``. Select systems, evaluate them in a child, lock their packages, build them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.project.building import Built as Built
    from holdfast.project.building import build_systems as build_systems
    from holdfast.project.evaluation import EvaluatedSystem as EvaluatedSystem
    from holdfast.project.evaluation import Evaluation as Evaluation
    from holdfast.project.evaluation import evaluate as evaluate
    from holdfast.project.locking import LockReport as LockReport
    from holdfast.project.locking import lock_project as lock_project
else:
    _PLACES = {
        "Built": "building",
        "build_systems": "building",
        "EvaluatedSystem": "evaluation",
        "Evaluation": "evaluation",
        "evaluate": "evaluation",
        "LockReport": "locking",
        "lock_project": "locking",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _PLACES:
            return getattr(import_module(f"holdfast.project.{_PLACES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
