"""What a machine is, with nothing declared and nothing changed."""
