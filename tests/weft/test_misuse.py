"""A programming mistake is one clear UsageError at the call, whatever the type of what was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import weft
from weft.tracking.errors import UsageError


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: weft.configure(store_url=3), "store_url is 3"),
        (lambda: weft.configure(store_url="mysql://x"), "store_url is 'mysql://x'"),
        (lambda: weft.configure(home=3), "home is a folder's path, not 3"),
        (lambda: weft.configure(redact=3), "redact is 3"),
        (lambda: weft.configure(exporters=3), "exporters= takes a list"),
        (lambda: weft.score("x", 1, source=3), "source= of a score"),
        (lambda: weft.Content.from_path(3), r"Content.from_path\(\) takes the path of a file, not 3"),
        (lambda: weft.Content.from_path(""), "not ''"),
        (lambda: weft.wrap_context(3), r"wrap_context\(\) takes a function, not 3"),
        (lambda: weft.current_span().set_attribute(3, 4), "an attribute's name is a text, not 3"),
    ],
)
def test_a_wrong_argument_is_told_at_the_call(call: Callable[[], Any], said: str) -> None:
    with weft.span("around"), pytest.raises(UsageError, match=said):
        call()
