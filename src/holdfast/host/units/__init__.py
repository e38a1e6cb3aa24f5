"""Units of systemd: what is declared of them, what a change makes them do, and the conversation with systemd itself."""
