"""From what is declared and what is there to a plan: reading facts is all that this does to a machine."""
