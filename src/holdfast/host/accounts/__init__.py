"""Accounts and groups: what is declared of them, what becomes of those that go, and whether anybody can still get in."""
