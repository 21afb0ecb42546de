"""Serves the tools of MCP servers. The MCP SDK is imported only where tools are served."""

from switchboard.mcp_server import McpServer
from switchboard.runtime.serve import Models, Served

EXTRA = "MCP servers need the extra `mcp`: pip install 'switchboard-mesh[mcp]'"


class McpTools:
    """Serves the tools of an MCP server: an argument for `serve`, which needs the extra `mcp`.

    ```python
    serve(orders, McpTools(SHOP))
    ```

    Args:
        server: The declaration, with all tools that any agent may call.
    """

    def __init__(self, server: McpServer) -> None:
        self.server = server

    def served(self, models: Models) -> Served:
        """Return the service for `serve`. Raises ValueError if the extra is not installed."""
        try:
            from switchboard.toolkit.mcp.service import ForeignService  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ValueError(f"{EXTRA}. There is no module {error.name}") from error
        service = ForeignService(self.server)
        return Served(service.services(), (service.report,))
