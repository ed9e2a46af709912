"""The tab *Trajectories*: what TensorBoard asks of a plugin, and the files of the page."""

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from tensorboard.plugins.base_plugin import FrontendMetadata, TBContext, TBLoader, TBPlugin
from werkzeug import Request, Response

from gdlab.console import visible
from gdlab.errors import GdlabError, first_line
from gdlab.viewer.directories import has_runs

if TYPE_CHECKING:
    from gdlab.board.service import Service

PAGE = Path(__file__).resolve().parent.parent / "viewer" / "page"
CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css"}
MESSAGE_TYPE = "application/octet-stream"
ENTRY = "/plugin.js"

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
        root: the directory with the runs; None for TensorBoard's logdir.
        trust: whether a loss that the runs name is imported, where gdlab has no such class.
    """

    plugin_name = "trajectories"

    def __init__(
        self, context: TBContext, root: Path | None = None, *, trust: bool = False
    ) -> None:
        super().__init__(context)
        self._root = Path(context.logdir) if root is None and context.logdir else root
        self._trust = trust
        self._has_runs = False
        self._making, self._made = Lock(), None

    def get_plugin_apps(self) -> Mapping[str, Callable[..., Any]]:
        """Return what answers each path below `/data/plugin/trajectories`."""
        files = {
            f"/{path.name}": _file(path) for path in PAGE.iterdir() if path.suffix in CONTENT_TYPES
        }
        return {**files, "/*": self._answer}

    def is_active(self) -> bool:
        """Tell whether there is a run; that there is one is not asked again."""
        self._has_runs = self._has_runs or (
            self._root is not None and self._root.is_dir() and has_runs(self._root)
        )
        return self._has_runs

    def frontend_metadata(self) -> FrontendMetadata:
        """Return the name of the tab and its module."""
        return FrontendMetadata(es_module_path=ENTRY, tab_name="Trajectories", disable_reload=True)

    def _answer(self, environ: Any, start_response: Any) -> Any:
        """Answer a request for a message, as WSGI has it."""
        request = Request(environ)
        name = request.path.rpartition("/")[2]
        try:
            answer = self._service.answer(name, request.args.to_dict())
            response = respond(answer, MESSAGE_TYPE)
        except GdlabError as error:
            line = visible(first_line(error))
            response = respond(f"{line}\n".encode(), "text/plain; charset=utf-8", 400)
        return response(environ, start_response)

    def prepare(self) -> Thread:
        """Begin to read the runs, so that the page need not wait; return what is at work."""
        thread = Thread(target=self._prepare)
        thread.start()
        return thread

    def _prepare(self) -> None:
        try:
            self._service.prepare()
        except RuntimeError as error:
            # Ctrl-C came first: Python ends, and no longer starts the threads that read.
            if "interpreter shutdown" not in str(error):
                raise

    @property
    def _service(self) -> "Service":
        """What answers; made when it is first asked, since it imports torch."""
        with self._making:
            if self._made is None:
                from gdlab.board.service import Service

                self._made = Service(self._root or Path(), trust=self._trust)
        return self._made


class TrajectoriesLoader(TBLoader):
    """Makes the plugin for a directory that TensorBoard knows by another path, or that is trusted.

    Args:
        root: the directory with the runs.
        trust: whether a loss that the runs name is imported, where gdlab has no such class.
    """

    def __init__(self, root: Path, *, trust: bool = False) -> None:
        self._root, self._trust = root, trust

    def load(self, context: TBContext) -> TrajectoriesPlugin:  # type: ignore[override]
        """Return the plugin, which begins to read the runs."""
        plugin = TrajectoriesPlugin(context, self._root, trust=self._trust)
        plugin.prepare()
        return plugin


def respond(content: bytes, content_type: str, status: int = 200) -> Response:
    """Return a response that a browser takes for nothing but its type."""
    headers = {**_HEADERS, "Content-Type": content_type}
    return Response(content, status, headers)


def _file(path: Path) -> Callable[..., Any]:
    """Return what answers with a file of the page."""

    def answer(environ: Any, start_response: Any) -> Any:
        content_type = f"{CONTENT_TYPES[path.suffix]}; charset=utf-8"
        return respond(path.read_bytes(), content_type)(environ, start_response)

    return answer
