"""Prompts: inert formatting, versions, and which version a call used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.tracking.errors import UsageError
from weft.tracking.store.access import open_store


def test_places_are_filled_and_every_other_brace_is_itself() -> None:
    prompt = weft.Prompt('Answer in {language}: {{language}} {"json": {"a": [1]}} {} {0} { language }')

    assert prompt.variables == ("language",)
    assert prompt.format(language="French") == ('Answer in French: {language} {"json": {"a": [1]}} {} {0} { language }')


def test_braces_around_a_value_are_written_as_three() -> None:
    prompt = weft.Prompt("{{{a}}} {{{{a}}}} {{a}} {a}} {{a} {{{a}}")
    assert prompt.variables == ("a",)
    assert prompt.format(a="x") == "{x} {{x}} {a} x} {x {{a}"
    messages = weft.MessagesPrompt([{"role": "user", "content": "{{{a}}}"}])
    assert messages.format(a=["b"])[0]["content"] == "{['b']}"


def test_a_place_may_be_called_self() -> None:
    assert weft.Prompt("{self}").format(self="x") == "x"
    messages = weft.MessagesPrompt([{"role": "user", "content": "{self}"}])
    assert messages.format(self="x") == [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    "hostile",
    [
        "{x.__class__.__mro__}",
        "{x[0]}",
        "{x!r:>1000000000}",
        "{{ cycler.__init__.__globals__.os.popen('id') }}",
        "{% for i in x %}",
        "${x}",
        "%(x)s",
    ],
)
def test_nothing_is_evaluated(hostile: str) -> None:
    rendered = weft.Prompt(hostile).format(x="value")

    assert rendered.replace("value", "{x}") == hostile


def test_a_value_is_never_a_template() -> None:
    assert weft.Prompt("{a}{b}").format(a="{b}", b="{a}") == "{b}{a}"
    messages = weft.MessagesPrompt([{"role": "user", "content": "{a}{b}"}]).format(a="{b}", b="{a}")
    assert messages == [{"role": "user", "content": "{b}{a}"}]


@given(st.text())
def test_any_template_formats_or_says_what_is_missing(template: str) -> None:
    prompt = weft.Prompt(template)
    values = {name: f"<{name}>" for name in prompt.variables}

    text = prompt.format(**values)

    assert all(value in text for value in values.values())


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match=r"prompt 'style' needs tone, length; given: language, extra"):
        weft.Prompt("{language} {tone} {length}", name="style").format(language="fr", extra=1)


def test_messages_are_filled_in_every_part_but_the_role() -> None:
    prompt = weft.MessagesPrompt(
        [
            {"role": "{role}", "content": "Be {tone}."},
            {"placeholder": "history"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "{question}"},
                    {"type": "image_url", "image_url": {"url": "https://host/{file}.png"}},
                ],
            },
            {"role": "user", "content": "{parts}"},
        ]
    )

    assert prompt.variables == ("tone", "history", "question", "file", "parts")
    assert prompt.format(
        tone="brief",
        history=[{"role": "assistant", "content": "{not a place of ours}"}],
        question=42,
        file="a",
        parts=[{"type": "text", "text": "x"}],
    ) == [
        {"role": "{role}", "content": "Be brief."},
        {"role": "assistant", "content": "{not a place of ours}"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "42"},
                {"type": "image_url", "image_url": {"url": "https://host/a.png"}},
            ],
        },
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
    ]


@pytest.mark.parametrize(
    "wrong", ["text", {"role": "user"}, [{"content": "no role"}], ["text"], [{"role": "user", "content": object()}]]
)
def test_what_are_no_messages_is_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="MessagesPrompt"):
        weft.MessagesPrompt(wrong)  # type: ignore[arg-type]


def test_later_changes_to_the_list_do_not_reach_the_prompt() -> None:
    given = [{"role": "user", "content": "a"}]
    prompt = weft.MessagesPrompt(given)
    given[0]["content"] = "b"
    prompt.format()[0]["content"] = "c"

    assert prompt.format() == [{"role": "user", "content": "a"}]


def test_a_call_tells_which_version_it_formatted(home: Path) -> None:
    prompt = weft.Prompt("Answer in {language}.", name="style")

    @weft.op
    def answer(language: str) -> str:
        return prompt.format(language=language)

    answer("French")
    address = weft.publish(prompt)
    answer("Dutch")

    with open_store() as store:
        before, after = store.reader().spans({"name": answer.name}, payloads=True).rows  # type: ignore[attr-defined]
    assert before.attributes == {}
    assert after.attributes == {"gen_ai.prompt.name": "style", "weft.prompt.style": str(address)}


def test_two_versions_are_compared_line_by_line() -> None:
    old = weft.Prompt("Be kind.\nAnswer {question}", name="style")
    new = weft.Prompt("Be brief.\nAnswer {question}", name="style")

    assert old.diff(new).splitlines()[2:] == ["@@ -1,2 +1,2 @@", "-Be kind.", "+Be brief.", " Answer {question}"]
    assert old.diff(old) == ""
