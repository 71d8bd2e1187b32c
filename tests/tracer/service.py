"""A web service that asks the next one: run by test_propagation.py as `python service.py HOME NEXT_URL`.

Prints its port. Without a next one it answers itself.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

import weft


@weft.op(kind="retriever")
def look_up(question: str) -> str:
    return question.upper()


def application(following: str) -> FastAPI:
    app = FastAPI()
    app.add_middleware(weft.TraceMiddleware)

    @app.get("/sync")
    @weft.op
    def handle_sync(question: str) -> dict[str, Any]:
        if not following:
            return {"answer": look_up(question)}
        return dict(httpx.get(f"{following}/sync", params={"question": question}, headers=weft.inject()).json())

    @app.get("/async")
    @weft.op
    async def handle_async(question: str) -> dict[str, Any]:
        if not following:
            return {"answer": look_up(question)}
        async with httpx.AsyncClient() as client:
            got = await client.get(f"{following}/async", params={"question": question}, headers=weft.inject())
        return dict(got.json())

    return app


if __name__ == "__main__":
    weft.configure(home=sys.argv[1])
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # from here on a request waits for the server
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(application(sys.argv[2]), log_level="warning")).run(sockets=[listening])
