"""Others' words, fit for a report and a terminal."""


def one_line(text: str, length_max: int) -> str:
    """The text on one line, without control characters, cut to so many characters."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= length_max else line[: length_max - 1] + "…"
