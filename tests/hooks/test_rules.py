"""The list of rules and the functions that answer them belong together."""

from __future__ import annotations

import inspect

import pytest

from hooks.rulebook import load_rules
from hooks.rules import RULES


def test_every_rule_of_the_list_has_a_function_and_every_function_a_row() -> None:
    assert set(RULES) == {row.code for row in load_rules()}


@pytest.mark.parametrize("code", RULES)
def test_a_rule_has_the_name_of_its_code_and_says_what_it_is_about(code: str) -> None:
    check = RULES[code]
    assert inspect.unwrap(check).__name__ == code.replace("-", "_")
    assert inspect.getdoc(check)
