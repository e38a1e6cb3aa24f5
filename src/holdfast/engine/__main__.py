"""``python -m holdfast.engine``: the engine from a checkout. On machines the archive's own ``__main__.py`` starts it."""

from __future__ import annotations

from holdfast.engine.main import main

main()
