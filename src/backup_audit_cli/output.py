"""What a person sees: text on stdout, in colour where it is a terminal."""

import io
import os
import sys
from typing import TextIO

from backup_audit.text import printable


def say(text: str) -> None:
    """Print to stdout; if its reader, such as head, has seen enough, the rest is dropped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may know less than UTF-8
    _print(text, sys.stdout)


def hand_over(body: bytes) -> None:
    """Write a document to stdout, byte by byte as it is; the rest is dropped as `say` does."""
    try:
        sys.stdout.buffer.write(body)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)


def complain(text: str) -> None:
    """Print an error to stderr, on one line that steers no terminal."""
    _print(printable(text), sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        _drop(stream)


def _drop(stream: TextIO) -> None:
    """Let nothing be written any more, nor when the stream is closed at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
