"""Whether a document fits its schema."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for


def assert_fits(document: Any, schema: Path) -> None:  # noqa: ANN401
    """Compare a document with the schema in a file."""
    _validator(schema).validate(document)


@cache
def _validator(schema: Path) -> Validator:
    """A schema is looked at itself once: that takes longer than most comparisons."""
    described = json.loads(schema.read_text("utf-8"))
    kind = validator_for(described)
    kind.check_schema(described)
    return kind(described)
