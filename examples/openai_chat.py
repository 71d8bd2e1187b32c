"""OpenAI calls are traced by themselves: messages, tools, streams, tokens and cost.

With OPENAI_API_KEY set it asks that provider; otherwise a server on this machine that speaks the same protocol.
"""

import os

import openai

import weft
from weft.testing import LoopbackProvider

weft.instrument()


@weft.op(kind="agent")
def ask(client: openai.OpenAI, question: str) -> str:
    stream = client.chat.completions.create(
        model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"),
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    words = []
    for chunk in stream:
        words.append(chunk.choices[0].delta.content or "" if chunk.choices else "")
        print(words[-1], end="", flush=True)
    print()
    return "".join(words)


if __name__ == "__main__":
    if os.environ.get("OPENAI_API_KEY"):
        ask(openai.OpenAI(), "What is a generator, in one sentence?")
    else:
        with (
            LoopbackProvider(lambda request: f"You asked: {request.last_user_text}") as provider,
            openai.OpenAI(base_url=provider.base_url, api_key="any") as client,
        ):
            ask(client, "What is a generator, in one sentence?")
