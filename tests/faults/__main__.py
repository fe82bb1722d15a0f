"""Tries all faults and writes docs/faults.md: `make faults`."""

from tests.faults.catalogue import FAULTS
from tests.faults.page import PAGE, page, row
from tests.faults.trial import try_out

if __name__ == "__main__":
    PAGE.write_text(page({name: row(it, try_out(it)) for name, it in FAULTS.items()}), "utf-8")
