"""Tokens: without a vocabulary on the machine a count is a marked estimate, at once, with one log line."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from weft.tracer.money.tokens import count_tokens, vocabulary_file


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("counting tokens touched the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


def test_without_a_vocabulary_it_estimates_and_says_so_once(empty_cache, caplog) -> None:
    with caplog.at_level(logging.WARNING, "weft.tokens"):
        assert count_tokens("four bytes a token", "gpt-4o-mini") == (5, "estimate")
        assert count_tokens("again", "gpt-4o-mini").source == "estimate"
    assert len(caplog.records) == 1
    assert "tiktoken.get_encoding('o200k_base')" in caplog.text


def test_a_damaged_vocabulary_is_left_alone_and_estimated(empty_cache) -> None:
    file = vocabulary_file("o200k_base")
    file.write_bytes(b"half a download")
    assert count_tokens("text", "gpt-4o").source == "estimate"
    assert file.read_bytes() == b"half a download"


def test_a_model_that_is_not_openais_is_estimated_without_a_word(empty_cache, caplog) -> None:
    assert count_tokens("bonjour", "mistral-large") == (2, "estimate")
    assert not caplog.records


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("\ud800", 1), ("日本語", 3)])
def test_any_text_has_an_estimate(text: str, tokens: int) -> None:
    assert count_tokens(text, "unknown").tokens == tokens
