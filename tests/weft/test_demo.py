"""The demo: its corpus, its retriever, its answerer, its questions, and the command, all on real input."""

from __future__ import annotations

import json

import pytest

from weft.demo.answerer import answer
from weft.demo.corpus import passages, topic_names, topic_text
from weft.demo.retriever import BM25, terms
from weft.demo.suite import plain, questions
from weft.testing import ChatRequest

ROWS = [row.columns for row in questions().rows]
LOOKUP = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"properties": {"topic": {"enum": list(topic_names())}}}},
}


def request(*messages: dict, **body) -> ChatRequest:
    return ChatRequest("gpt-4o-mini", list(messages), body)


def test_the_corpus_is_the_reference_in_passages() -> None:
    assert len(passages()) > 300
    for topic in ("lambda", "with", "typesseq"):
        whole = plain(topic_text(topic))
        mine = [passage for passage in passages() if passage.topic == topic]
        assert [passage.number for passage in mine] == list(range(len(mine)))
        assert all(plain(line) in whole for passage in mine for line in passage.text.splitlines())


def test_there_are_at_least_40_questions_and_each_answer_is_in_its_topics() -> None:
    assert len(ROWS) >= 40
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert len({row["question"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        for topic in row["topics"]:
            assert plain(row["phrase"]) in plain(topic_text(topic)), row
        assert plain(row["phrase"]) not in plain(row["question"]), row


def test_bm25_puts_the_passage_with_the_rare_words_first() -> None:
    index = BM25(passages())
    assert index.search(terms("Can a lambda contain statements?"))[0].passage.topic == "lambda"
    scores = [hit.score for hit in index.search(terms("the identity of an object"), 10)]
    assert scores == sorted(scores, reverse=True)
    assert index.search([]) == []
    assert index.search(["nosuchword"]) == []


def test_the_answerer_says_only_what_it_was_given() -> None:
    passage = "[pass#0]\nIt is a null operation. When it is executed, nothing happens. Cats are nice."
    reply = answer(request({"role": "user", "content": f"Question: What does the pass operation do?\n\n{passage}"}))
    assert reply.content is not None
    assert all(part in plain(passage) for part in plain(reply.content).split(". "))
    assert "null operation" in reply.content
    assert "Cats" not in reply.content


def test_the_answerer_keeps_to_the_number_of_sentences_it_is_told() -> None:
    system = {"role": "system", "content": "Answer in at most 1 sentences."}
    text = "Question: What yields?\n\n[a]\nIt yields one. It yields two. It yields three."
    assert answer(request(system, {"role": "user", "content": text})).content == "It yields one."


def test_the_answerer_looks_up_what_the_context_lacks_and_then_uses_it() -> None:
    asked = {"role": "user", "content": "Question: What does the pass statement do?\n\n[with#0]\nManagers are entered."}
    (call,) = answer(request(asked, tools=[LOOKUP])).tool_calls
    assert (call.name, json.loads(call.arguments)) == ("lookup", {"topic": "pass"})
    told = {"role": "tool", "tool_call_id": call.id, "content": topic_text("pass")}
    reply = answer(request(asked, {"role": "assistant", "tool_calls": []}, told, tools=[LOOKUP]))
    assert "null operation" in str(reply.content)
    assert not reply.tool_calls


def test_the_answerer_admits_what_it_cannot_say() -> None:
    asked = {"role": "user", "content": "Question: How tall is a giraffe?\n\n[with#0]\nManagers are entered."}
    assert "do not say" in str(answer(request(asked)).content)


def test_asked_for_terms_the_answerer_takes_them_from_the_question() -> None:
    asked = {"role": "user", "content": "Question: What does the pass statement do?"}
    assert answer(request(asked)).content == "pass statement"


@pytest.mark.parametrize("text", ["", "Question: ", "\ud800", "[x]\n"])
def test_the_answerer_has_a_word_for_any_request(text: str) -> None:
    reply = answer(request({"role": "user", "content": text}))
    assert reply.content is not None
