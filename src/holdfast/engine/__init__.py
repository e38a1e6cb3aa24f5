"""The command on the machines that Holdfast looks after, and how it gets there: standard library, jeepney and urllib3 alone."""
