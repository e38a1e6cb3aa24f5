"""Holdfast describes Linux systems in typed Python and carries them through their whole life."""
