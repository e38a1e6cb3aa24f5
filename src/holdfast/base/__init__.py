"""Errors, events, digests, codec, processes, atomic files and file locks: what every other package stands on."""
