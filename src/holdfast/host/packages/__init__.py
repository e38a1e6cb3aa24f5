"""What a distribution's package manager must know on the system itself, one module per family."""
