"""Packages of a live machine of the Debian family: apt and dpkg are asked, told, and put right after a crash."""
