"""A language model behind an OpenAI-compatible endpoint that judges what an assistant answers.

Never the only gate: thresholds.yaml may limit its figures only beside the verifiable ones, and
how far it agrees with those is reported with it. Its verdicts are kept in the run, so
that figures can be made again without the endpoint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias

from adapters.engines.openai_api.adapter import OpenAIApi
from adapters.interface import LoadSpec, ModelError, Options, Reply, Turn
from evals.judges import llm_prompt as prompt
from evals.judges.llm_prompt import Asked
from evals.records.jsonl_writer import LineFile
from evals.records.replied import Replied
from fixtures.dialogues.dialogues import Dialogues

KEY = "OPENAI_API_KEY"
URL = "OPENAI_BASE_URL"

#: yes, no: the judge's. unparsable: it said something else. not_sent: there is no answer to
#: judge. not_judged: the request failed. None but "yes" is ever counted as right.
Said: TypeAlias = Literal["yes", "no", "unparsable", "not_sent", "not_judged"]

_SEED = 0  # of the judge alone: another seed of the session is not another judge
_MOST_TOKENS = 32
_TIMEOUT = 60.0
#: Failed requests in a row after which no more are made.
_GIVE_UP = 3
#: What servers refuse by its name, and how to do without.
_REFUSED: Sequence[tuple[str, Options]] = (
    ("seed", {"send_seed": False}),
    ("max_completion_tokens", {"token_limit_name": "max_tokens"}),
)
_KEY_LENGTH = 16  # shorter ones are placeholders, which may well be part of an address
#: The whole reply, but for the marks with which models make a line bold or a quotation.
_VERDICT = re.compile(r"[\s*_\"'`]*verdict:[\s*_]*(yes|no)[\s*_\"'`.]*", re.IGNORECASE)
_LIKE_A_VERDICT = re.compile(r"verdict\W{0,9}(?:yes|no)\b", re.IGNORECASE)


class JudgeError(ValueError):
    """The judge cannot be asked as it is configured; the message begins with the option."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One line of `runs/<run>/<model>/chat/<corpus>.llm-judge.jsonl`, of one spoken turn.

    id: of the `Replied` line. said: the judge's reply, raw. reason: why there is none, or none
    that counts. judge: the model's name at the server. seed: None where the server takes none.
    """

    id: str
    dialogue: str
    turn: int
    verdict: Said
    said: str | None
    reason: str | None
    judge: str
    url: str | None
    prompt_version: int
    prompt_sha256: str
    temperature: float
    seed: int | None


class LlmJudge:
    """The client. It connects with the first answer that it is asked about."""

    def __init__(self, model: str, url: str | None = None, *, timeout: float = _TIMEOUT) -> None:
        """model: as the server names it. url: with its "/v1"; None: OPENAI_BASE_URL, or OpenAI's.

        timeout: seconds for one verdict, a second attempt included. Raises JudgeError.
        """
        self.model = model
        self.url = url or os.environ.get(URL) or None
        self._timeout = timeout
        self._adjusted: dict[str, object] = {}
        self._client: OpenAIApi | None = None
        self._unreachable: str | None = None
        self._check("--llm-judge-url" if url else f"--llm-judge-url (here {URL})")

    def _check(self, url_option: str) -> None:
        if any(find_spec(name) is None for name in OpenAIApi.modules):
            install = f"uv sync --inexact --extra {OpenAIApi.extra}"
            raise JudgeError(
                f"--llm-judge: its client is not installed; install it with: {install}"
            )
        if not self.model.strip():
            raise JudgeError("--llm-judge: the name of a model at the server is expected")
        key = os.environ.get(KEY, "")
        if len(key) >= _KEY_LENGTH and key in self.model:
            raise JudgeError(f"--llm-judge: a model's name is expected; the key belongs into {KEY}")
        if len(key) >= _KEY_LENGTH and key in (self.url or ""):
            raise JudgeError(f"{url_option}: the key belongs into {KEY}, not into the address")
        try:
            OpenAIApi.check(self._options())
        except ModelError as error:
            # Only the address is the user's to get wrong.
            said = str(error).partition("must be ")[2]
            raise JudgeError(f"{url_option}: {said} is expected") from None
        if self.url is None and not key:
            raise JudgeError(
                f"--llm-judge: OpenAI's own endpoint wants a key in the environment variable {KEY} "
                "(or name another with --llm-judge-url)"
            )

    def _options(self) -> Options:
        return {
            **OpenAIApi.options,
            "base_url": self.url,
            "api_key_env": KEY if os.environ.get(KEY) else None,
            "timeout": self._timeout,
            "retries": 1,
            "stream": False,
            "temperature": 0.0,
            "system_prompt": prompt.SYSTEM,
            "max_new_tokens": _MOST_TOKENS,
            **self._adjusted,
        }

    @property
    def seed(self) -> int | None:
        """What it is asked with; None where the server takes none."""
        return _SEED if self._options()["send_seed"] else None

    def ask(self, asked: Asked) -> str:
        """The judge's raw reply. Raises ModelError."""
        while True:
            client = self._connected()
            try:
                answer = client.reply([Turn("user", asked.material())])
            except ModelError as error:
                if not self._adjust(str(error)):
                    raise
                self.close()
                continue
            if isinstance(answer, Reply):
                return answer.text
            return "".join(piece.text or "" for piece in answer)

    def _connected(self) -> OpenAIApi:
        if self._unreachable is not None:
            raise ModelError(self._unreachable)
        if self._client is None:
            client = OpenAIApi()
            try:
                client.load(LoadSpec(self.model, seed=_SEED, options=self._options()))
            except ModelError as error:
                self._unreachable = str(error)
                raise
            self._client = client
        return self._client

    def _adjust(self, refusal: str) -> bool:
        """Whether the request can be made without what this server refuses."""
        for name, instead in _REFUSED:
            known = all(self._adjusted.get(key) == value for key, value in instead.items())
            if not known and "refuses the request (4" in refusal and name in refusal:
                self._adjusted.update(instead)
                return True
        return False

    def close(self) -> None:
        """Let go of the connection; the next question opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None


def judge_answers(
    judge: LlmJudge,
    lines: Sequence[Replied],
    dialogues: Dialogues,
    file: LineFile[Judged],
    *,
    advance: Callable[[], None] = lambda: None,
) -> Sequence[Judged]:
    """One verdict per line, in order, appended to `file` as made.

    lines: of spoken turns; those that `file` has verdicts of are left. After some failed
    requests in a row the rest is not judged either, so that a server that is down costs no
    time-out per turn.
    """
    found: list[Judged] = []
    failures = 0
    for line, asked in questions(lines, dialogues):
        if line.id in file:
            advance()
            continue
        verdict: Said
        said = reason = None
        if line.error is not None:
            verdict, reason = "not_sent", f"the turn was not answered: {line.error}"
        elif is_empty(line.answer):
            verdict, reason = "not_sent", "the answer is empty"
        elif failures >= _GIVE_UP:
            verdict, reason = "not_judged", f"not tried after {failures} failed requests"
        else:
            try:
                said = judge.ask(asked)
            except ModelError as error:
                verdict, reason = "not_judged", str(error)
                failures += 1
            else:
                failures = 0
                verdict, reason = parse(said, asked.said_by_assistant())
        one = Judged(
            id=line.id,
            dialogue=line.dialogue,
            turn=line.turn,
            verdict=verdict,
            said=said,
            reason=reason,
            judge=judge.model,
            url=judge.url,
            prompt_version=prompt.VERSION,
            prompt_sha256=prompt.SHA256,
            temperature=0.0,
            seed=judge.seed,
        )
        file.append(one)
        found.append(one)
        advance()
    return found


def questions(lines: Sequence[Replied], dialogues: Dialogues) -> Iterator[tuple[Replied, Asked]]:
    """Each line with what the judge is asked about it.

    Exchanges that failed are left out of what was said before, as the assistant was not told
    of them either.
    """
    by_id = {dialogue.id: dialogue for dialogue in dialogues}
    before: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        dialogue = by_id[line.dialogue]
        told = before.setdefault(line.dialogue, [])
        expected = dialogue.exchanges[line.turn - 1].assistant.expect
        yield line, Asked(dialogue.system, tuple(told), line.user, expected, line.answer)
        if line.error is None:
            told += [("user", line.user), ("assistant", line.answer)]


def parse(said: str, by_assistant: Iterable[str]) -> tuple[Said, str | None]:
    """The verdict in a judge's reply, and why there is none where there is none.

    by_assistant: what the judge was shown of the assistant's. Where a verdict stands in it,
    that of the judge may be a copy, and counts as none.
    """
    found = _VERDICT.fullmatch(said)
    if found is None:
        return "unparsable", "the judge's reply is not one line with a verdict"
    if any(_LIKE_A_VERDICT.search(text) for text in by_assistant):
        return "unparsable", "what the assistant said has a verdict in it"
    return ("yes" if found[1].lower() == "yes" else "no"), None


def is_empty(answer: str) -> bool:
    """Whether there is no letter or digit in it, as evals/tasks/chat/expectations.py has it."""
    return not any(character.isalnum() for character in answer)
