"""The map of the model: drawn from one place, and the book's copy of it is current."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from srvp_lite.notebook import diagram

BOOK_COPY = Path(__file__).resolve().parents[2] / "book" / "_static" / "model_map.svg"


def test_every_part_can_be_lit_and_only_it():
    for part in diagram.PARTS:
        drawing = diagram.svg({part})
        ET.fromstring(drawing)
        assert drawing.count(diagram.LIT) > 1, part  # the arrowhead's own colour and at least one shape
        others = diagram.svg(set(diagram.PARTS) - {part})
        assert drawing.count(f'fill="{diagram.LIT_FILL}"') + others.count(f'fill="{diagram.LIT_FILL}"') == diagram.svg(
            set(diagram.PARTS)
        ).count(f'fill="{diagram.LIT_FILL}"')


def test_words_for_those_who_cannot_see_it():
    picture = diagram.model_map(["f", "y"])
    assert "Lit: the residual function f, the state y." in picture.alt
    with pytest.raises(ValueError, match="no part u; its parts are frames"):
        diagram.model_map(["u"])


def test_the_books_copy_is_current():
    """Written by: python -c "from srvp_lite import diagram; print(diagram.svg(set(diagram.PARTS)))"."""
    assert BOOK_COPY.read_text().strip() == diagram.svg(set(diagram.PARTS))


def test_nothing_is_drawn_outside():
    drawing = diagram.svg(set(diagram.PARTS))
    _, _, width, height = map(float, re.search(r'viewBox="([^"]+)"', drawing)[1].split())
    for x, y in re.findall(r'(?:cx|x)="([\d.]+)" (?:cy|y)="([\d.]+)"', drawing):
        assert 0 <= float(x) <= width and 0 <= float(y) <= height
