"""Logging in at an OpenID provider: where a browser begins, and where the provider sends it back to."""

from __future__ import annotations

import hmac
import html
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import HTMLResponse, RedirectResponse

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.server.access import Denied, Principal
from web_terminal_suite.server.jwt_tokens import NotAccepted, named
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.http.api import address_of, context_of, set_login_cookie
from web_terminal_suite.server.worker.http.operation import Operation
from web_terminal_suite.server.worker.oidc_client import Attempt, OidcClient, ProviderFailed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from web_terminal_suite.server.worker.context import WorkerContext

# As long as somebody may take at the provider's page.
ATTEMPT_SECONDS = 600


class Returned(msgspec.Struct, frozen=True):
    """What the provider sends a browser back with."""

    state: str = ""
    code: str = ""
    error: str = ""
    error_description: str = ""


def _client(context: WorkerContext) -> OidcClient:
    assert context.oidc is not None  # these operations are there only with it
    return context.oidc


def _place(context: WorkerContext) -> str:
    return f"{context.settings.base_path}/api/v1/login/oidc"


async def begin_login(request: Request) -> Response:
    context = context_of(request)
    try:
        url, attempt = await _client(context).begin()
    except ProviderFailed as error:
        raise TheirError(ErrorCode.NO_ANSWER, str(error)) from error
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        context.access.attempt_cookie_name,
        context.access.sign_attempt(msgspec.structs.asdict(attempt)),
        path=_place(context),
        max_age=ATTEMPT_SECONDS,
        httponly=True,
        samesite="lax",  # the provider's page sends the browser back
        secure=context.settings.is_https,
    )
    return response


async def finish_login(request: Request, query: Returned) -> Response:
    context = context_of(request)
    client = _client(context)
    try:
        attempt = Attempt(**context.access.read_attempt(request.headers.get("cookie"), ATTEMPT_SECONDS))
        if not hmac.compare_digest(attempt.state.encode(), query.state.encode()):
            raise Denied("this is not the login that this browser began; begin again")
        if query.error:
            raise Denied(f"the provider refuses the login: {query.error} {query.error_description}"[:300])
        claims = await client.finish(attempt, query.code)
        user, role = named(claims, client.rules)
    except ProviderFailed as error:
        raise TheirError(ErrorCode.NO_ANSWER, str(error)) from error
    except (Denied, NotAccepted) as error:
        context.counters.row[Counters.AUTHENTICATIONS_FAILED] += 1
        context.audit.note("refused", address=address_of(request), how="oidc", reason=str(error))
        raise TheirError(ErrorCode.AUTHENTICATION_FAILED, str(error)) from error
    context.audit.note("login", address=address_of(request), user=user, role=role, how="oidc")
    # A page of ours that goes on by itself: the strict cookie is not sent on a way that began at another site.
    page = html.escape(f"{context.settings.base_path}/", quote=True)
    response = HTMLResponse(
        f'<!doctype html><meta http-equiv="refresh" content="0;url={page}"><title>Logged in</title>'
    )
    set_login_cookie(request, response, Principal(user, role, time.time() + context.settings.login_seconds))
    response.delete_cookie(context.access.attempt_cookie_name, path=_place(context), secure=context.settings.is_https)
    return response


OPERATIONS = (
    Operation("GET", "/login/oidc", begin_login, "Log in at the OpenID provider", status=303, errors=(503,)),
    Operation(
        "GET", "/login/oidc/callback", finish_login, "Come back from the OpenID provider", str,
        query=Returned, errors=(503,), media_type="text/html",
    ),
)  # fmt: skip
