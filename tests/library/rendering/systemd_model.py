"""What systemd does to a command line, written from its sources: extract_first_word, specifiers, variables.

A second implementation to hold ours against; it reads, ours writes.
"""

from __future__ import annotations

WHITESPACE = " \t\n\r"
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "s": " ",
    "$": "$",
    "`": "`",
}


def split_words(text: str, *, semicolons: bool = True) -> list[str]:
    """``extract_first_word(EXTRACT_UNQUOTE | EXTRACT_CUNESCAPE)`` until the end; a lone ``;`` must not occur."""
    words: list[str] = []
    at = 0
    while True:
        while at < len(text) and text[at] in WHITESPACE:
            at += 1
        if at == len(text):
            return words
        if semicolons and text[at] == ";" and (at + 1 == len(text) or text[at + 1] in WHITESPACE):
            raise AssertionError("an unquoted semicolon starts a second command")
        word, at = _word(text, at)
        words.append(word)


def _word(text: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    quote = ""
    while at < len(text):
        char = text[at]
        if char == "\\":
            piece, at = _unescape(text, at + 1)
            out.append(piece)
            continue
        at += 1
        if quote:
            if char == quote:
                quote = ""
            else:
                out.append(char)
        elif char in "'\"":
            quote = char
        elif char in WHITESPACE:
            break
        else:
            out.append(char)
    assert not quote, "unbalanced quotes"
    return "".join(out), at


def _unescape(text: str, at: int) -> tuple[str, int]:
    char = text[at]
    if char in _SIMPLE:
        return _SIMPLE[char], at + 1
    if char in "0123":
        return chr(int(text[at : at + 3], 8)), at + 3
    assert char == "x", f"unknown escape \\{char}"
    value = int(text[at + 1 : at + 3], 16)
    assert 0 < value < 0x80
    return chr(value), at + 3


def expand_specifiers(word: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(word):
        if word[at] == "%":
            assert word[at + 1 : at + 2] == "%", f"a specifier in {word!r}"
            at += 1
        out.append(word[at])
        at += 1
    return "".join(out)


def expand_variables(word: str) -> str:
    """``replace_env_argv`` with an empty environment, in which any expansion would lose text."""
    assert not (word.startswith("$") and word[1:2] not in ("{", "$")), f"{word!r} is split as a variable"
    out: list[str] = []
    at = 0
    while at < len(word):
        if word[at] == "$" and word[at + 1 : at + 2] == "$":
            at += 1
        elif word[at] == "$":
            assert word[at + 1 : at + 2] != "{", f"a variable in {word!r}"
        out.append(word[at])
        at += 1
    return "".join(out)


def parse_exec(line: str) -> tuple[str, str, list[str]]:
    """Prefixes, executable and argv that ``ExecStart=line`` runs."""
    assert "\n" not in line and not line.endswith("\\")
    first, *rest = split_words(line.strip(WHITESPACE))
    executable = first.lstrip("@-:+!|")
    prefixes = first[: len(first) - len(executable)]
    executable = expand_specifiers(executable)
    argv = [expand_specifiers(word) for word in rest]
    argv = argv if "@" in prefixes else [executable, *argv]
    if ":" not in prefixes:
        argv = [expand_variables(word) for word in argv]
    return prefixes, executable, argv
