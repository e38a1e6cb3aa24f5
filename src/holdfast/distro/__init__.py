"""Distributions on the author's side: which packages, pinned how, fetched from where, and unpacked into a bootable tree."""
