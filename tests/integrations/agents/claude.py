"""Claude Code's side of the protocol that the Claude Agent SDK speaks with it on stdin and stdout, without a model.

Started as the SDK starts the real one. What it does is told by the prompt: `fail`, `wait` (for ever, after the first
words), `delegate` (to a subagent); else it asks for the tool `look` of the SDK's server `tools` and is done.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

MODEL = "claude-sonnet-4-5-20250929"
SESSION = "11111111-1111-1111-1111-111111111111"
ids = itertools.count(1)
hooks: dict[str, Any] = {}


def say(kind: str, **message: Any) -> None:
    sys.stdout.write(json.dumps({"type": kind, "session_id": SESSION, **message}) + "\n")
    sys.stdout.flush()


def heard() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit()  # the SDK hung up
    return json.loads(line)


def ask(**request: Any) -> Any:
    number = f"request_{next(ids)}"
    say("control_request", request_id=number, request=request)
    while True:
        message = heard()
        if message["type"] == "control_response" and message["response"]["request_id"] == number:
            return message["response"].get("response")


def hook(name: str, call: dict[str, Any], **more: Any) -> None:
    told = {"hook_event_name": name, "session_id": SESSION, "transcript_path": "", "cwd": "."}
    told |= {"tool_name": call["name"], "tool_input": call["input"], "tool_use_id": call["id"], **more}
    for matcher in hooks.get(name) or ():
        for callback in matcher["hookCallbackIds"]:
            ask(subtype="hook_callback", callback_id=callback, tool_use_id=call["id"], input=told)


def mcp(method: str, **params: Any) -> Any:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications/"):
        message["id"] = next(ids)
    return ask(subtype="mcp_message", server_name="tools", message=message)["mcp_response"]


def usage(fresh: int, out: int, read: int = 0, written: int = 0) -> dict[str, int]:
    counts = {"input_tokens": fresh, "output_tokens": out}
    return {**counts, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}


def assistant(number: str, content: dict[str, Any], used: dict[str, int], parent: str | None = None) -> None:
    said = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": MODEL, "content": [content]}
    say("assistant", parent_tool_use_id=parent, uuid=number, message={**said, "usage": used, "stop_reason": None})


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(number: str, name: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def result(**more: Any) -> None:
    whole = {"subtype": "success", "is_error": False, "result": "done", "num_turns": 2, "total_cost_usd": 9.5}
    say("result", **{**whole, "duration_ms": 10, "duration_api_ms": 9, "usage": usage(1, 1), **more})


def answered(asked: dict[str, Any], content: Any, parent: str | None = None, *, error: bool = False) -> None:
    block = {"type": "tool_result", "tool_use_id": asked["id"], "content": content, "is_error": error}
    say("user", parent_tool_use_id=parent, message={"role": "user", "content": [block]})


def turn(prompt: str) -> None:
    told = {"model": MODEL, "claude_code_version": "2.1.330", "tools": [], "mcp_servers": [], "cwd": "."}
    say("system", subtype="init", **told)
    if "fail" in prompt:
        result(subtype="error_during_execution", is_error=True, errors=["overloaded"], result=None)
        sys.exit(1)
    first = usage(40, 20, read=60, written=30)
    assistant("1", text("ok"), first)  # a message comes in as many parts as it has blocks, each with its usage
    if "wait" in prompt:
        heard()
    if "delegate" in prompt:
        delegated(first)
    else:
        looked(first)
    assistant("2", text("done"), usage(40, 30, read=60))
    result()


def looked(used: dict[str, int]) -> None:
    asked = call("1", "mcp__tools__look", q=1)
    assistant("1", asked, used)
    hook("PreToolUse", asked)
    mcp("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "claude", "version": "2"})
    mcp("notifications/initialized")
    found = mcp("tools/call", name="look", arguments={"q": 1}, _meta={"claudecode/toolUseId": asked["id"]})["result"]
    failed = bool(found.get("isError"))
    if failed:
        hook("PostToolUseFailure", asked, error=found["content"][0]["text"])
    else:
        hook("PostToolUse", asked, tool_response=found["content"])
    answered(asked, found["content"], error=failed)


def delegated(used: dict[str, int]) -> None:
    asked, inner = call("1", "Task", prompt="look"), call("2", "Read", path="a")
    assistant("1", asked, used)
    hook("PreToolUse", asked)
    assistant("3", inner, usage(7, 3), parent=asked["id"])
    answered(inner, "seen", parent=asked["id"])
    hook("PostToolUse", asked, tool_response="found")
    answered(asked, "found")


if __name__ == "__main__":
    if "-v" in sys.argv:
        print("2.1.330 (Claude Code)")
        sys.exit()
    while True:
        message = heard()
        if message["type"] == "control_request":
            if message["request"]["subtype"] == "initialize":
                hooks = message["request"]["hooks"] or {}
            say(
                "control_response", response={"subtype": "success", "request_id": message["request_id"], "response": {}}
            )
        elif message["type"] == "user":
            turn(str(message["message"]["content"]))
