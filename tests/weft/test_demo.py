"""The demo: its corpus, its retriever, its answerer, its questions, and the command, all on real input."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from weft.demo import suite
from weft.demo.agent import AskPython
from weft.demo.answerer import answer
from weft.demo.connection import ProviderError, connect
from weft.demo.corpus import passages, topic_names, topic_text
from weft.demo.retriever import BM25, terms
from weft.demo.suite import plain, questions
from weft.testing import ChatRequest, LoopbackProvider, captured_spans
from weft.tracer.instrument import instrument, uninstrument
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.store.access import open_store

ROWS = [row.columns for row in questions().rows]
LOOKUP = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"properties": {"topic": {"enum": list(topic_names())}}}},
}


@pytest.fixture
def agent():
    instrument()
    with connect(live=False) as connection:
        yield AskPython(connection.client, connection.model)
    uninstrument()


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


def test_the_agent_answers_and_its_trace_is_nested_and_counted(agent) -> None:
    with captured_spans() as spans:
        found = agent.ask("Can functions created with lambda expressions contain annotations?")
    assert "cannot contain statements or annotations" in found["answer"]
    assert found["topics"][0] == "lambda"
    chat = ["chat gpt-4o-mini"]
    assert spans.tree() == [["ask_python", ["plan", chat], ["retrieve", ["bm25"]], ["read", chat], ["answer", chat]]]
    assert [found.kind for found in spans if found.name in ("ask_python", "retrieve")] == ["agent", "retriever"]
    llm = [found for found in spans if found.kind == "llm"]
    assert all(found.usage and found.model == "gpt-4o-mini" for found in llm)
    assert [found.inputs.get("stream", False) for found in llm] == [False, False, True]


def test_the_agent_really_calls_the_tool_that_the_model_asks_for(agent) -> None:
    with captured_spans() as spans:
        for row in ROWS:
            agent.ask(row["question"])
    looked = [found for found in spans if found.name == "lookup"]
    assert looked
    assert all(
        found.kind == "tool" and found.output.startswith(topic_text(found.inputs["topic"])[:50]) for found in looked
    )


def test_a_tool_call_that_is_wrong_is_told_to_the_model(agent) -> None:
    assert agent._call("lookup", '{"topic": "nosuch"}') == "error: no topic is called 'nosuch'"
    assert agent._call("lookup", "{").startswith("error: ")
    assert agent._call("lookup", '{"x": 1}').startswith("error: ")
    assert agent._call("delete", "{}") == "error: no tool is called delete"


def test_live_names_the_provider_of_the_environment_and_asks_it() -> None:
    with LoopbackProvider(lambda request: "pong") as provider:
        env = {"OPENAI_API_KEY": "sk-mine", "OPENAI_BASE_URL": provider.base_url, "OPENAI_MODEL": "my-model"}
        with connect(live=True, env=env) as connection:
            assert connection.description.startswith(f"127.0.0.1:{provider.port}, model my-model")
            assert "sk-mine" not in connection.description
            AskPython(connection.client, connection.model).plan("Is it up?")
        assert provider.requests[0].body["model"] == "my-model"


def test_live_without_a_key_says_which_variable() -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"), connect(live=True, env={}):
        raise AssertionError


@pytest.mark.parametrize(
    ("model", "key", "words"),
    [
        ("status-429", "k", "too many requests.*Wait a minute"),
        ("status-404", "k", "answered 404.*OPENAI_MODEL"),
        ("m", "bad", "refused the key.*Set OPENAI_API_KEY"),
    ],
)
def test_a_provider_that_refuses_is_one_line_with_a_way_out(model: str, key: str, words: str) -> None:
    with LoopbackProvider() as provider:
        env = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": provider.base_url, "OPENAI_MODEL": model}
        with pytest.raises(ProviderError, match=words) as raised, connect(live=True, env=env) as connection:
            AskPython(connection.client.with_options(max_retries=0), model).ask("Is it up?")
    assert "\n" not in str(raised.value)


def test_a_provider_that_is_down_is_one_line_with_a_way_out() -> None:
    with LoopbackProvider() as provider:
        env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": provider.base_url}
    with pytest.raises(ProviderError, match=r"cannot be reached.*OPENAI_BASE_URL"), connect(live=True, env=env) as gone:
        AskPython(gone.client.with_options(max_retries=0), "m").ask("Is it up?")


def weft(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weft.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **env},
    )


def test_the_command_prints_provider_answers_trees_and_scores_and_records_all_of_it(home) -> None:
    # A proxy that leads nowhere: the demo needs no network, and no proxy either.
    done = weft("demo", "--no-serve", WEFT_HOME=str(home), HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("provider: an extractive answerer on http://127.0.0.1:")
    for words in ("cannot contain statements or annotations", "retriever retrieve", "lookup", "phrase_contained", "$"):
        assert words in " ".join(done.stdout.split())
    with open_store(runtime.active().settings) as store:
        reader = store.reader()
        runs = {run.name: run for run in reader.runs({"project": "ask-python"}).rows}
        assert {run.state for run in runs.values()} == {"finished"}
        evaluation, tuning = runs["ask-python"], runs["bm25-tuning"]
        assert evaluation.summary["rows"] == len(ROWS)
        assert evaluation.summary["errors"] == 0
        assert evaluation.summary["topic_retrieved"]["mean"] > 0.9
        assert evaluation.summary["phrase_contained"]["mean"] > 0.5
        assert evaluation.summary["cost_usd"] > 0
        best = reader.history(tuning.uid)["best_mrr"]
        assert len(best.values) == tuning.config["steps"]
        assert best.values[-1] > best.values[0]
        traces = reader.traces({"run_id": evaluation.id})
        assert traces.total == len(ROWS)
        assert all(trace.cost and trace.input_tokens for trace in traces.rows)


def test_a_taken_port_is_said_before_any_work(home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = weft("demo", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert port in line
    assert "--port" in line


def test_live_trouble_is_one_line_and_an_exit_code(home) -> None:
    missing = weft("demo", "--live", "--no-serve", OPENAI_API_KEY="")
    assert (missing.returncode, len(missing.stderr.splitlines())) == (64, 1)
    with LoopbackProvider() as provider:
        refused = weft("demo", "--live", "--no-serve", OPENAI_API_KEY="bad", OPENAI_BASE_URL=provider.base_url)
    assert refused.stdout.startswith(f"provider: 127.0.0.1:{provider.port}")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert "refused the key" in refused.stderr


def test_the_suite_is_one_that_weft_eval_run_takes(home) -> None:
    done = weft("eval", "run", str(Path(suite.__file__)), WEFT_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert "topic_retrieved" in done.stdout
