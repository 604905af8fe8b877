"""A reason in two languages is one text on its way and two on the screen; a person's words stay as they are."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from controller.api.body import Line
from controller.point.model import Name
from controller.point.reason import LONGEST, both, english, spoken


def test_a_programs_reason_comes_back_in_both_languages() -> None:
    said = Name("辦公區空調：使用（國定假日 / 補班）", "Office air: occupied (holiday / make-up day)")
    assert spoken(both(said)) == said
    assert english(both(said)) == said.en


def test_a_persons_words_are_never_taken_apart() -> None:
    words = "議會參訪 / council visits the west wing"
    assert spoken(words) == Name(words, words)
    with pytest.raises(ValidationError):
        TypeAdapter(Line).validate_python("議會參訪\ncouncil")


@pytest.mark.parametrize(("zh", "en"), [(10, 900), (900, 10), (900, 900), (300, 150)])
def test_what_is_too_long_is_cut_and_both_languages_are_there(zh: int, en: int) -> None:
    text = both(Name("字" * zh, "e" * en))
    assert len(text) <= LONGEST
    said = spoken(text)
    assert (len(said.zh) >= min(zh, 200), len(said.en) >= min(en, 10)) == (True, True)
    if zh + en < LONGEST:
        assert (len(said.zh), len(said.en)) == (zh, en)


def test_a_line_break_inside_a_program_does_not_shift_the_languages() -> None:
    assert spoken(both(Name("一\n二", "one\ntwo"))) == Name("一 二", "one two")
