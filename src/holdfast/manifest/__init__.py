"""The frozen description of one system: its types, its canonical document and the digest that names it."""
