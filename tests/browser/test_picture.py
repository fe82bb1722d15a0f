"""The picture that the README shows."""

import pytest

from tools.picture import PICTURE, fingerprint, fingerprint_of, the_page

pytestmark = pytest.mark.loopback


def test_the_picture_is_of_todays_page() -> None:
    assert fingerprint_of(PICTURE) == fingerprint(the_page()), "make picture draws it anew"


def test_the_picture_is_light_enough_for_a_first_screen() -> None:
    assert PICTURE.stat().st_size <= 100_000
