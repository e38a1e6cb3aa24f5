"""The host engine: facts, plan, apply. Today offline, on a root file system that is not running."""
