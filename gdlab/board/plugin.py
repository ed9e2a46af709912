"""The tab *Trajectories*: what TensorBoard asks of a plugin, and the files of the page."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tensorboard.plugins.base_plugin import FrontendMetadata, TBContext, TBLoader, TBPlugin
from werkzeug import Request, Response

from gdlab.board.late_service import LateService
from gdlab.console import visible
from gdlab.errors import GdlabError, first_line
from gdlab.viewer.directories import has_runs
from gdlab.viewer.embedding import PAGE, module

CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css"}
MESSAGE_TYPE = "application/octet-stream"
ENTRY = "/trajectories.js"

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class TrajectoriesPlugin(TBPlugin):
    """Shows the paths of runs on the landscape of their loss.

    Args:
        context: of TensorBoard.
        given: what answers for another directory than TensorBoard's logdir.
    """

    plugin_name = "trajectories"

    def __init__(self, context: TBContext, given: LateService | None = None) -> None:
        super().__init__(context)
        self._service = given or LateService(Path(context.logdir or ""))
        self._has_root = given is not None or bool(context.logdir)
        self._has_runs = False

    def get_plugin_apps(self) -> Mapping[str, Callable[..., Any]]:
        """Return what answers each path below `/data/plugin/trajectories`."""
        files = {
            f"/{path.name}": _file(path) for path in PAGE.iterdir() if path.suffix in CONTENT_TYPES
        }
        return {**files, ENTRY: _entry, "/*": self._answer}

    def is_active(self) -> bool:
        """Tell whether there is a run; that there is one is not asked again."""
        root = self._service.root
        self._has_runs = self._has_runs or (self._has_root and root.is_dir() and has_runs(root))
        return self._has_runs

    def frontend_metadata(self) -> FrontendMetadata:
        """Return the name of the tab and its module."""
        return FrontendMetadata(es_module_path=ENTRY, tab_name="Trajectories", disable_reload=True)

    def _answer(self, environ: Any, start_response: Any) -> Any:
        """Answer a request for a message, as WSGI has it."""
        request = Request(environ)
        name = request.path.rpartition("/")[2]
        try:
            answer = self._service.get().answer(name, request.args.to_dict())
            response = respond(answer, MESSAGE_TYPE)
        except GdlabError as error:
            line = visible(first_line(error))
            response = respond(f"{line}\n".encode(), "text/plain; charset=utf-8", 400)
        return response(environ, start_response)


class TrajectoriesLoader(TBLoader):
    """Makes the plugin for a directory that TensorBoard knows by another path, or that is trusted.

    Args:
        service: what answers for the directory.
    """

    def __init__(self, service: LateService) -> None:
        self._service = service

    def load(self, context: TBContext) -> TrajectoriesPlugin:  # type: ignore[override]
        """Return the plugin."""
        return TrajectoriesPlugin(context, self._service)


def respond(content: bytes, content_type: str, status: int = 200) -> Response:
    """Return a response that a browser takes for nothing but its type."""
    headers = {**_HEADERS, "Content-Type": content_type}
    return Response(content, status, headers)


def _entry(environ: Any, start_response: Any) -> Any:
    """Answer with the modules of the page joined into one: each would be a request of its own."""
    content_type = f"{CONTENT_TYPES['.js']}; charset=utf-8"
    return respond(module("plugin", "render").encode(), content_type)(environ, start_response)


def _file(path: Path) -> Callable[..., Any]:
    """Return what answers with a file of the page."""

    def answer(environ: Any, start_response: Any) -> Any:
        content_type = f"{CONTENT_TYPES[path.suffix]}; charset=utf-8"
        return respond(path.read_bytes(), content_type)(environ, start_response)

    return answer
