"""Debian: releases as a table, apt as the resolver, our own bootstrap."""
