"""The author's command: parse arguments, call one function of the library, render what it returns, choose the exit code."""
