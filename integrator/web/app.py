"""The web application, put together: views, protection, and pages for what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from flask import Flask, Request, abort, request
from jinja2 import StrictUndefined

from integrator.api.actions import views as api_views
from integrator.bootstrap import Installation
from integrator.errors import defect_sentence
from integrator.local_azure import LocalAzure
from integrator.web.current import AZURE_KEY, KEY, STREAMS_KEY, WATCHED_KEY
from integrator.web.entering import let_in
from integrator.web.layout import add_layout
from integrator.web.live import Streams, Watched
from integrator.web.mistakes import register_mistakes
from integrator.web.protection import protect
from integrator.web.views import (
    account,
    actions,
    audit,
    callback,
    connection_form,
    connections,
    consent,
    flow_form,
    flows,
    health,
    home,
    iclient_form,
    iclients,
    inviting,
    notices,
    picker,
    runs,
    setting_up,
    sign_in,
    theme,
)

_VIEWS: Final = (
    home,
    flows,
    runs,
    connections,
    iclients,
    notices,
    audit,
    health,
    sign_in,
    setting_up,
    account,
    theme,
    callback,
    consent,
)
connections.views.register_blueprint(connection_form.views)
connections.views.register_blueprint(picker.views)
connections.views.register_blueprint(inviting.views)
connections.views.register_blueprint(actions.views)
iclients.views.register_blueprint(iclient_form.views)
flows.views.register_blueprint(flow_form.views)
LONGEST_BODY_BYTES: Final = 64 * 1024
LOG: Final = logging.getLogger("integrator.web")
_REDIRECT: Final = 308

_Caught = tuple[type, BaseException, TracebackType] | tuple[None, None, None]


class Web(Flask):
    """Flask that logs no address: the path may hold a link, the query a code. Nor does its router redirect: it would send
    people, with that path, to a host and a scheme that the request itself names."""

    streams: Streams
    """What holds threads for long: whoever stops the server ends them."""

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """What is nearly the address of a page is no page."""
        told = request.routing_exception
        if told is not None and told.code == _REDIRECT:
            abort(404)
        super().raise_routing_exception(request)

    def log_exception(self, exc_info: _Caught) -> None:
        """One line: where in our code, never where in the web."""
        error = exc_info[1]
        LOG.error("%s %s: %s", request.method, request.endpoint, defect_sentence(error) if error else "no error")


class Prefixed:
    """Serves below the public URL's path, whether a proxy in front takes that path away or not."""

    def __init__(self, app: Any, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            environ["PATH_INFO"] = path[len(self._prefix) :] or "/"
        environ["SCRIPT_NAME"] = self._prefix
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


def create_app(installation: Installation, azure: LocalAzure | None = None) -> Web:
    """The application that serves this installation; with a local Azure, it offers that to newcomers."""
    app = Web("integrator.web")
    app.url_map.merge_slashes = app.url_map.redirect_defaults = False
    app.extensions[KEY] = installation
    app.extensions[AZURE_KEY] = azure
    app.extensions[STREAMS_KEY] = app.streams = Streams()
    app.extensions[WATCHED_KEY] = Watched()
    app.config.update(MAX_CONTENT_LENGTH=LONGEST_BODY_BYTES, PROPAGATE_EXCEPTIONS=False)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for module in _VIEWS:
        app.register_blueprint(module.views)
    app.register_blueprint(api_views)
    protect(app, installation.config.public_url)
    let_in(app)
    add_layout(app)
    register_mistakes(app)
    prefix = urlsplit(installation.config.public_url or "").path.rstrip("/")
    if prefix:
        app.wsgi_app = Prefixed(app.wsgi_app, prefix)  # type: ignore[method-assign]
    return app
