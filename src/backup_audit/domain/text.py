"""Texts of others in texts of ours: they stay on their line, and show all that is there."""


def printable(text: str, instead: str = " ") -> str:
    """Replace what breaks a line, steers a terminal, turns the direction, or shows nothing.

    A blank of ASCII is the only white space that stays; emoji stay, what joins them does not.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else instead for char in text)


def one_line(text: str, longest: int) -> str:
    """A text of a stranger, cut to so many characters.

    Blanks in a row become one: enough of them, and a mail program breaks the line where the
    stranger wants a line of ours to begin.
    """
    line = " ".join(printable(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
