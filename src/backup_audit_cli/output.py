"""What a person sees: text on stdout, in colour where it is a terminal."""

import io
import os
import sys

from backup_audit.text import printable


def say(text: str) -> None:
    """Print to stdout; if its reader, such as head, has seen enough, the rest is dropped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may know less than UTF-8
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print an error to stderr, on one line that steers no terminal."""
    print(printable(text), file=sys.stderr)
