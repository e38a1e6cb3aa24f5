"""Bringing systems to the machines they are for: this one, or others over ssh, one or many."""
