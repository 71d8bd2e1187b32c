"""Nested calls become a trace. Run it, then: weft traces ls, or weft ui."""

import weft


@weft.op
def tokenize(text: str) -> list[str]:
    return text.lower().split()


@weft.op(kind="retriever")
def search(words: list[str], corpus: dict[str, str]) -> list[str]:
    with weft.span("rank", inputs={"words": words}) as span:
        scores = {name: sum(word in text for word in words) for name, text in corpus.items()}
        span.set_output(scores)
    return sorted((name for name, score in scores.items() if score), key=lambda name: -scores[name])


@weft.op(kind="agent")
def answer(question: str) -> str:
    corpus = {"yield": "yield makes a function a generator", "lambda": "lambda makes an anonymous function"}
    found = search(tokenize(question), corpus)
    return corpus[found[0]] if found else "I do not know."


if __name__ == "__main__":
    with weft.thread("example-session", user_id="ada"), weft.attributes({"release": "example"}):
        print(answer("what makes a generator"))
        print(answer("giraffes?"))
