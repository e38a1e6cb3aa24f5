"""What `holdfast init` writes, one file per template. They are ordinary definitions: checked by types and built by tests."""
