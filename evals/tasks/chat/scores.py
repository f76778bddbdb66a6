"""From answers to figures: a pure function of `Replied` lines and what the dialogues expect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from evals.judges.llm_judge import Judged
from evals.measures.run_conditions import PROVIDED
from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import difference, rate, share
from evals.measures.text.alignment import align
from evals.measures.unanswered import why_unanswered
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from evals.records.replied import Replied
from evals.tasks.asr.scores import latency
from evals.tasks.chat.answer_text import count_words
from evals.tasks.chat.expectations import Context, Outcome, check_all, succeeded
from evals.tasks.chat.user_hearing import LOSSES, loss_by_cause
from evals.tasks.tts.clips import Clip
from evals.tasks.tts.intelligibility import intelligibility
from evals.tasks.tts.scores import answers, signal
from fixtures.dialogues.dialogues import Dialogues

#: Dialogues are what turns hang together in; two of them differ at least a little.
FEWEST_DIALOGUES = 2

#: Kinds of expectations that say in which form to answer, not what.
FORM = ("words", "sentences", "starts_with", "ends_with", "language", "not_contains", "regex")


def outcomes(lines: Sequence[Replied], dialogues: Dialogues) -> list[list[Outcome]]:
    """Of each line, what became of each expectation; a line with an error fails all of them."""
    expected = {
        (dialogue.id, number): (exchange.assistant.expect, dialogue.lang)
        for dialogue in dialogues
        for number, exchange in enumerate(dialogue.exchanges, start=1)
    }
    found = []
    for line in lines:
        expect, lang = expected[line.dialogue, line.turn]
        found.append(check_all(expect, line.answer, Context(lang or "en")))
    return found


def success(lines: Sequence[Replied], dialogues: Dialogues) -> Mapping[str, Figure]:
    """Task success per turn and dialogue, and the share of expectations of some kinds that hold.

    A turn succeeds where all that is expected of it holds, a dialogue where all its turns do.
    Intervals are over dialogues, whose turns hang together.
    """
    judged = outcomes(lines, dialogues)
    ids = [line.dialogue for line in lines]
    good = [succeeded(one) for one in judged]
    whole = [all(g for g, i in zip(good, ids, strict=True) if i == d) for d in dict.fromkeys(ids)]
    n = len(whole)
    answered = sum(line.error is None for line in lines)
    return {
        "turn_success_rate": _share(good, ids, "there is no turn"),
        "dialogue_success_rate": share(sum(whole), n),
        "instruction_following": _of_kinds(judged, ids, FORM),
        "memory_rate": _of_kinds(judged, ids, ("memory",)),
        "success_rate": share(
            answered, len(lines), why_unanswered(lines, len(lines) - answered, len(lines))
        ),
    }


def propagation(
    spoken: Sequence[Replied],
    typed: Sequence[Replied],
    dialogues: Dialogues,
    normalizer_name: str,
    apart: Mapping[str, str | None] | None = None,
) -> Mapping[str, Figure]:
    """What mishearing costs: success with the user's words as text, and how much less with sound.

    typed_success_rate: of turns. hearing_loss: it minus turn_success_rate, paired, over dialogues.
    user_wer: of the words that the assistant went by, where it has them in text.
    apart: as for `loss_by_cause`; None: of a run in which no judge heard the user.
    """
    if not typed:  # of answers from elsewhere, which are to what was spoken alone
        none = Figure(None, 0, reason="no answers to typed turns were provided")
        none = replace(none, conditions=(PROVIDED,))
        figures = {"typed_success_rate": none, "hearing_loss": none}
        return {**figures, **_user_wer(spoken, normalizer_name)}
    right = [succeeded(one) for one in outcomes(typed, dialogues)]
    heard = [succeeded(one) for one in outcomes(spoken, dialogues)]
    ids = [line.dialogue for line in typed]
    failed = sum(line.error is not None for line in typed)
    if failed:
        reason = f"{failed} of {len(typed)} turns were not answered as text: {_first_error(typed)}"
        figures = {
            name: Figure(None, len(typed), reason=reason)
            for name in ("typed_success_rate", "hearing_loss", *(LOSSES if apart else ()))
        }
    else:
        change = np.array(right, float) - np.array(heard, float)
        ones = np.ones(len(change))
        figures = {
            "typed_success_rate": _share(right, ids, "there is no turn"),
            "hearing_loss": difference(
                float(change.mean()),
                len(change),
                difference_interval(change, ones, ids, least=1.0),
            ),
        }
        if apart is not None:
            figures |= loss_by_cause(spoken, change.tolist(), apart, normalizer_name)
    return {**figures, **_user_wer(spoken, normalizer_name)}


def _user_wer(spoken: Sequence[Replied], normalizer_name: str) -> Mapping[str, Figure]:
    """Of the words that the assistant went by, where it has them in text."""
    known = [line for line in spoken if line.understood is not None]
    figures: dict[str, Figure] = {}
    if known:
        aligned = align([_understood(line) for line in known], normalizer_name)
        errors = aligned.words[:, 1:].sum(axis=1).astype(float)
        words = aligned.words[:, :3].sum(axis=1).astype(float)
        figures["user_wer"] = rate(
            errors,
            words,
            [line.dialogue for line in known],
            otherwise="the user says no words",
            fewest_clusters=FEWEST_DIALOGUES,
        )
    return figures


def spoken_answers(
    lines: Sequence[Replied],
    sounds: Sequence[Clip],
    judge: str,
    normalizer_name: str,
    second: Sequence[str] | None = None,
    *,
    provided: bool = False,
) -> Mapping[str, Figure]:
    """Whether what is said is what is written, and whether it can be speech at all.

    speech_text_wer: of what a judge heard of the spoken answer against its text; an answer with
    text and no sound is all deletions. provided: the answers were made elsewhere, and may be a
    transcript alone. second, judge_floor: as in `intelligibility`.
    """
    if not any(line.audio for line in lines):
        nothing = Figure(None, len(lines), reason="the answers have no sound")
        if provided:
            nothing = replace(nothing, conditions=(PROVIDED,))
        return dict.fromkeys(("speech_text_wer", "usable_rate", "speaking_rate"), nothing)
    silent = {judge: ""}
    told = [line for line in lines if line.error is None and line.answer.strip()]
    agreed = [
        line.as_spoken() if line.audio else _with_heard(line, silent).as_spoken() for line in told
    ]
    wave = signal(sounds)
    heard = intelligibility(agreed, judge, normalizer_name, second)
    floor = {"judge_floor": heard["judge_floor"]} if "judge_floor" in heard else {}
    return {
        "speech_text_wer": heard["wer"],
        **floor,
        "usable_rate": answers(agreed, sounds)["usable_rate"],
        "speaking_rate": wave["speaking_rate"],
        "loudness": wave["loudness"],
        "clipped_rate": wave["clipped_rate"],
    }


def chat_speed(lines: Sequence[Replied]) -> Mapping[str, Figure]:
    """How long the user waits, in s: for the first text, the first sound, and the whole answer.

    A spoken answer that is not streamed is first heard when it is there.
    """
    done = [line for line in lines if line.processing_seconds is not None]
    figures: dict[str, Figure] = {}

    def over(name: str, of: Callable[[Replied], float | None], percentiles: Iterable[int]) -> None:
        known = [line for line in done if of(line) is not None]
        if known:
            times = latency([of(x) or 0.0 for x in known], [x.waited_seconds for x in known])
            figures.update({f"{name}_p{p}": times[f"latency_p{p}"] for p in percentiles})
        elif name == "first_audio":
            silent = Figure(None, len(done), reason="no answer has sound")
            figures.update({f"{name}_p{p}": silent for p in percentiles})

    over("latency", lambda line: line.processing_seconds, (50, 95, 99))
    over("first_token", lambda line: line.first_token_seconds, (50, 95))
    over("first_audio", _first_audio, (50, 95))
    if "latency_p95" not in figures:
        missing = Figure(None, 0, reason=f"no turn was answered: {_first_error(lines)}")
        figures.update(dict.fromkeys(("latency_p50", "latency_p95", "latency_p99"), missing))
    return figures


def answer_length(lines: Sequence[Replied]) -> Mapping[str, Figure]:
    """answer_words: the median length of an answer."""
    words = [count_words(line.answer) for line in lines if line.error is None]
    if not words:
        return {"answer_words": Figure(None, 0, reason="no turn was answered")}
    return {"answer_words": Figure(float(np.median(words)), len(words))}


def llm_judged(
    lines: Sequence[Replied], dialogues: Dialogues, judged: Sequence[Judged]
) -> Mapping[str, Figure]:
    """What an LLM judge thinks of the answers, and how far it can be believed.

    lines: of spoken turns, judged: of the same. llm_judged_rate: the share of all turns that it
    calls right, so that what it was not sent (empty answers) and what it said unintelligibly are
    not right. llm_unparsable: how many of the latter. llm_agreement, llm_kappa: of the answers
    that it was sent, with the verdict of the expectations; intervals over dialogues.
    Where any turn was not judged there is none of them: servers refuse some answers more than
    others, so the rest would be no fair sample.
    """
    verdicts = {one.id: one for one in judged}
    lost = [
        verdicts[line.id].reason if line.id in verdicts else "the run has no verdict on it"
        for line in lines
        if line.id not in verdicts or verdicts[line.id].verdict == "not_judged"
    ]
    names = ("llm_judged_rate", "llm_agreement", "llm_kappa", "llm_unparsable")
    if lost or not lines:
        reason = f"{len(lost)} of {len(lines)} turns were not judged: {lost[0]}" if lost else ""
        return dict.fromkeys(names, Figure(None, len(lines), reason=reason or "there is no turn"))
    by = verdicts[lines[0].id]
    note = f"judge {by.judge}, prompt {by.prompt_version} (SHA-256 {by.prompt_sha256})"
    said = [verdicts[line.id].verdict for line in lines]
    ids = [line.dialogue for line in lines]
    rules = [succeeded(one) for one in outcomes(lines, dialogues)]
    sent = [
        (verdict == "yes", rule, dialogue)
        for verdict, rule, dialogue in zip(said, rules, ids, strict=True)
        if verdict != "not_sent"
    ]
    rated = _share([verdict == "yes" for verdict in said], ids, "there is no turn")
    agreement = _share(
        [yes == right for yes, right, _ in sent],
        [dialogue for *_, dialogue in sent],
        "every answer is empty",
    )
    unparsable = Figure(float(said.count("unparsable")), len(sent))
    figures = (rated, agreement, _kappa([(a, b) for a, b, _ in sent], agreement), unparsable)
    return {
        name: figure if figure.value is None else replace(figure, reason=note)
        for name, figure in zip(names, figures, strict=True)
    }


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa (1960) of two raters' yes (True) and no: (p_o - p_e) / (1 - p_e).

    p_o: the share of cases on which they agree. p_e: that on which they would by chance, had
    each said yes as often as it did: p1 p2 + (1 - p1)(1 - p2). From -1 to 1; 0 is chance. None
    where p_e is 1: both always said the same, so chance alone explains it.
    """
    chance = _chance(pairs)
    if chance is None or chance == 1.0:
        return None
    observed = sum(a == b for a, b in pairs) / len(pairs)
    return (observed - chance) / (1 - chance)


def _chance(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    n = len(pairs)
    if not n:
        return None
    first, second = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    # In whole numbers up to the last step: 1 is to be 1.
    return (first * second + (n - first) * (n - second)) / n**2


def _kappa(pairs: Sequence[tuple[bool, bool]], agreement: Figure) -> Figure:
    """With the interval that the agreement's ends give; p_e stays, as in Cohen's standard error."""
    value, chance = kappa(pairs), _chance(pairs)
    if value is None or chance is None:
        reason = "the judge and the expectations say one and the same of every answer"
        return Figure(None, len(pairs), reason=reason if pairs else agreement.reason)
    ci = agreement.ci
    if ci is not None:
        low, high = ((min(end, 1.0) - chance) / (1 - chance) for end in ci)
        ci = (max(low, -1.0), high)
    return Figure(value, len(pairs), ci)


def _share(good: Sequence[bool], ids: Sequence[str], otherwise: str) -> Figure:
    return rate(
        np.array(good, float),
        np.ones(len(good)),
        ids,
        otherwise=otherwise,
        fewest_clusters=FEWEST_DIALOGUES,
    )


def _of_kinds(
    judged: Sequence[Sequence[Outcome]], ids: Sequence[str], kinds: Sequence[str]
) -> Figure:
    pairs = [
        (outcome.passed, i)
        for one, i in zip(judged, ids, strict=True)
        for outcome in one
        if outcome.kind in kinds
    ]
    passed, of = [p for p, _ in pairs], [i for _, i in pairs]
    return _share(passed, of, f"nothing of the kind is expected: {', '.join(kinds)}")


def _first_audio(line: Replied) -> float | None:
    if line.first_audio_seconds is not None:
        return line.first_audio_seconds
    return line.processing_seconds if line.audio is not None else None


def _first_error(lines: Sequence[Replied]) -> str:
    return next((line.error for line in lines if line.error), "no reason given")


def _understood(line: Replied) -> Prediction:
    return Prediction(line.id, line.user, line.understood or "", 0.0, None, lang=line.lang)


def _with_heard(line: Replied, heard: Mapping[str, str]) -> Replied:
    return replace(line, heard=heard)
