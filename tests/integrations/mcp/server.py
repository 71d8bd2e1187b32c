"""An MCP server on stdio, recording into the home of its first argument. Run by the tests, never imported."""

from __future__ import annotations

import sys
from typing import Any

import weft

try:
    from mcp.server.mcpserver import Context, MCPServer
except ImportError:  # the SDK of major 1
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as MCPServer

weft.configure(home=sys.argv[1])
server = MCPServer("shop")


@weft.op(kind="tool")
def look_up(sku: str) -> str:
    return f"{sku} costs 12"


@server.tool()
async def price(sku: str, ctx: Context[Any, Any]) -> str:
    with weft.extract(ctx.request_context.meta):
        return look_up(sku)


@server.tool()
async def unaware(sku: str) -> str:
    return look_up(sku)


if __name__ == "__main__":
    server.run("stdio")
