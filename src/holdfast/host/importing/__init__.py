"""Taking over machines from other tools, on the machine itself: what they manage becomes managed by us, and nothing else changes."""
