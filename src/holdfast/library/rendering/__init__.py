"""The languages of the systems we describe (systemd units, nginx, nftables, tmpfiles.d, data formats) as pure functions to text."""
