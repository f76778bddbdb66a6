"""The client of one server: its time limit, and every fault told in words without the key."""

from __future__ import annotations

import difflib
import email.utils
import ipaddress
import json
import logging
import socket
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from adapters.engines.openai_api.key import Key
from adapters.engines.openai_api.options import ENGINE
from adapters.interface import (
    ModelError,
    Options,
)

T = TypeVar("T")
OPENAI = "https://api.openai.com/v1"
#: A key this long is no word of a transcript; placeholders such as "EMPTY" may well be.
_UNMISTAKABLE = 16
_QUOTED = 300  # characters of what a server says
_NAMED = 8  # models of the server's that an error names
#: Statuses of GET /models that mean that the server has no such list.
_NO_LIST = (404, 405, 501)


class HttpClient:
    """Asks one server; an adapter sets the attributes when it is loaded."""

    _options: Options
    _model: str
    _url: str
    _key: Key
    _client: Any
    _deadline: float

    def _open(self) -> Any:
        import httpx
        from openai import DefaultHttpxClient, OpenAI

        # OPENAI_LOG=debug would write requests and answers to the model's log.
        for name in ("openai", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        url = urllib.parse.urlsplit(self._url)
        settings: dict[str, Any] = {}
        if _is_local(url.hostname or ""):
            # HTTP_PROXY of a machine is about the world outside it. Only that is left out:
            # certificates that the environment names still count.
            settings["trust_env"] = False
            if url.scheme == "https":
                settings["verify"] = httpx.create_ssl_context()
        client = OpenAI(
            # Never None: the library would look for a key of its own accord.
            api_key=self._key.value or "none",
            base_url=self._url,
            max_retries=self._options["retries"],
            timeout=self._options["timeout"],
            http_client=DefaultHttpxClient(
                # A redirected POST would arrive as a GET, and the key somewhere else.
                follow_redirects=False,
                event_hooks={"request": [self._before], "response": [self._after]},
                **settings,
            ),
        )
        if self._url != OPENAI:  # OPENAI_ORG_ID and OPENAI_PROJECT_ID are nobody else's business
            client.organization = client.project = None
        return client

    def _before(self, request: Any) -> None:
        """Each attempt gets the time that is left, and no header where there is no key."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _OutOfTime
        request.extensions = {
            **request.extensions,
            "timeout": dict.fromkeys(("connect", "read", "write", "pool"), left),
        }
        if not self._key.value:
            request.headers.pop("Authorization", None)

    def _after(self, response: Any) -> None:
        """A body that trickles in is bounded as well, and so is the wait for another attempt."""
        response.stream = _bounded(response.stream, self._deadline)
        wait = _retry_after(response.headers)
        late = wait is not None and time.monotonic() + wait > self._deadline
        if late or response.status_code == 501:
            response.headers["x-should-retry"] = "false"

    def _check_server(self) -> None:
        """Raise ModelError unless the server answers, takes the key and knows the model."""
        import openai

        self._start()
        try:
            answer = self._client.models.with_raw_response.list().http_response
        except openai.APIStatusError as error:
            if error.status_code in _NO_LIST:
                return
            raise
        listed = self._json(answer).get("data")
        names = [row["id"] for row in listed] if isinstance(listed, list) else []
        if self._options["check_model"] and names and self._model not in names:
            close = difflib.get_close_matches(self._model, names, n=_NAMED) or sorted(names)
            known = self._quote(", ".join(close[:_NAMED]))
            raise ModelError(
                f"{self._url} does not list a model {self._model!r}. It has {known}"
                f"{' and others' if len(names) > _NAMED else ''} (check_model: false tries it)"
            )

    def _start(self) -> None:
        self._deadline = time.monotonic() + self._options["timeout"]

    def _json(self, response: Any) -> dict[str, Any]:
        """The object that a whole answer holds. Raises ModelError where it is none."""
        content = response.read()
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            error = answer.get("error")
            if not error:
                return answer
            raise ModelError(f"{self._url}: the server reports: {self._quote(error)}")
        missing = "" if self._url.endswith("/v1") else ' (is "/v1" missing in base_url?)'
        what = self._quote(content) or "nothing"
        raise ModelError(f"{self._url}: a JSON object is expected{missing}, and this came: {what}")

    def _guard(self, step: Callable[[], T]) -> T:
        """What `step` gives; whatever it raises is told in one ModelError without the key."""
        try:
            return step()
        except (Exception, _OutOfTime) as error:
            problem = self._explain(error)
        # Out here, so that no exception that holds the request is kept along.
        raise ModelError(problem)

    def _guarded(self, pieces: Iterator[T]) -> Iterator[T]:
        while (piece := self._guard(lambda: next(pieces, None))) is not None:
            yield piece

    def _explain(self, error: BaseException) -> str:
        import httpx
        import openai

        if isinstance(error, ModelError):
            return str(error)
        if isinstance(error, (_OutOfTime, httpx.TimeoutException, openai.APITimeoutError)):
            return f"{self._url}: no answer within {self._options['timeout']:g} s (option timeout)"
        if isinstance(error, openai.APIStatusError):
            return self._refusal(error)
        if isinstance(error, (openai.APIConnectionError, httpx.TransportError)):
            return self._broken_connection(error)
        if isinstance(error, openai.APIError):  # in the middle of a stream
            return f"{self._url}: the server reports: {self._quote(error.body or error.message)}"
        what = self._quote(f"{type(error).__name__}: {error}")
        if isinstance(error, ImportError):  # a SOCKS proxy without the package that speaks it
            return f"{self._url}: the client cannot start ({what})"
        return f"{self._url}: an answer that is not as the API has it ({what})"

    def _refusal(self, error: Any) -> str:
        status, said = error.status_code, self._quote(error.body)
        variable = self._options["api_key_env"]
        if status == 401:  # without a quotation: it tends to be about the key
            if variable is None:
                return (
                    f"{self._url} wants a key (401): name its environment variable in api_key_env"
                )
            return f"{self._url} does not accept the key in the variable {variable} (401)"
        if status == 429:
            wait = _retry_after(error.response.headers)
            again = f", again in {wait:g} s" if wait is not None else ""
            return f"{self._url} takes no more requests now (429{again}; option retries): {said}"
        if 300 <= status < 400:
            place = self._quote(error.response.headers.get("location", "somewhere else"))
            return f"{self._url} redirects to {place}: give the final address as base_url"
        if status == 413:
            return f"{self._url}: larger than the server takes (413), split the utterance: {said}"
        if status >= 500:
            return f"{self._url} failed ({status}): {said}"
        hint = " (no such model, or a base_url without its /v1?)" if status == 404 else ""
        return f"{self._url} refuses the request ({status}){hint}: {said}"

    def _broken_connection(self, error: BaseException) -> str:
        host = urllib.parse.urlsplit(self._url).hostname
        chain: list[BaseException] = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
            chain.append(cause)
        if any(isinstance(cause, socket.gaierror) for cause in chain):
            through = " and the environment's proxy" if _proxied(self._url) else ""
            return f"{self._url}: no host is called {host!r}: check base_url{through}"
        if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
            through = " or the environment's proxy" if _proxied(self._url) else ""
            return f"{self._url}: connection refused: is the server{through} running?"
        for cause in chain:
            if isinstance(cause, ssl.SSLError):
                return (
                    f"{self._url}: no TLS connection ({self._quote(cause)}): check the server's "
                    "certificate (SSL_CERT_FILE names others), or whether base_url should be http"
                )
        what = self._quote(chain[-1]) or type(chain[-1]).__name__
        return f"{self._url}: the connection broke off: {what}"

    def _quote(self, said: object) -> str:
        """What a server or library said, in one line of bounded length and without the key."""
        if isinstance(said, Mapping):
            told = next((said[k] for k in ("message", "detail", "error") if said.get(k)), said)
            said = told if isinstance(told, str) else json.dumps(told, default=str)
        elif isinstance(said, bytes):
            said = said[: 10 * _QUOTED].decode("utf-8", "replace")
        text = " ".join(str(said if said is not None else "").split())
        text = self._key.strike(text)  # first: half a key would not be recognized
        return text if len(text) <= _QUOTED else text[:_QUOTED] + "..."

    def _refuse_echo(self, text: str) -> None:
        key = self._key.value
        if len(key) >= _UNMISTAKABLE and key in text:
            raise ModelError(f"{self._url}: the server sends the key back in its answer")

    def _refuse_recorded_key(self) -> None:
        """Options and checkpoint end in the scorecard, so the key must not be in them."""
        key = self._key.value
        if len(key) < _UNMISTAKABLE:
            return
        for name, value in {**self._options, "checkpoint": self._model}.items():
            if isinstance(value, str) and key in value:
                raise ModelError(f"{ENGINE}: {name} holds the key, which would be recorded")


class _OutOfTime(BaseException):
    """Not an Exception, which the library would take for a fault of the network and try again."""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait: given as such, or as a date."""
    value = headers.get("retry-after", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _proxied(address: str) -> bool:
    """Whether HTTP_PROXY and the like send requests for an address elsewhere."""
    url = urllib.parse.urlsplit(address)
    host = url.hostname or ""
    proxies = urllib.request.getproxies()
    named = url.scheme in proxies or "all" in proxies
    return named and not _is_local(host) and not urllib.request.proxy_bypass(host)


def _bounded(stream: Any, deadline: float) -> Any:
    """The bytes of an answer, until its time is up. `stream` is an httpx.SyncByteStream."""
    import httpx

    class Bounded(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for data in stream:
                if time.monotonic() > deadline:
                    raise _OutOfTime
                yield data

        def close(self) -> None:
            stream.close()

    return Bounded()
