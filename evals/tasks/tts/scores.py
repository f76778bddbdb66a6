"""From what voices said to figures: a pure function of `Spoken` lines and the audio they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evals.measures.sound.distill_mos import distill_mos
from evals.measures.sound.mos import dnsmos, utmos
from evals.measures.sound.optional import LibraryMissing, NotMeasured
from evals.measures.sound.reference_similarity import ReferenceSimilarity, reference_similarity
from evals.measures.sound.speaker_similarity import any_encoder, cosine
from evals.measures.sound.world import pitch, spread_cents
from evals.measures.speed.cpu_contention import marked, share_waited
from evals.measures.speed.energy import energy_use
from evals.measures.statistics.intervals import ratio_interval
from evals.measures.statistics.rates import rate, share
from evals.measures.unanswered import why_unanswered
from evals.records.measurement import Figure
from evals.records.spoken import Spoken
from evals.tasks.asr.scores import PERCENTILES, latency
from evals.tasks.tts.clips import CLIPPED_SHARE, Clip, problem
from fixtures.audio.read import SAMPLE_RATE, AudioError
from fixtures.corpora.sentences import Sentences


@dataclass(frozen=True)
class Listeners:
    """The networks that rate voices and come with no package.

    utmos: UTMOS's TorchScript file, where one was named. speakers: the checkpoint that tells
    speakers apart, a folder or a name on the hub.
    """

    utmos: Path | None
    speakers: str


def answers(lines: Sequence[Spoken], sounds: Sequence[Clip]) -> Mapping[str, Figure]:
    """How many sentences got audio, and how many of them audio that can be speech.

    Sentences without a word are left out: to refuse them, or to be silent, is right.
    usable_rate: of all sentences with words, those whose audio is finite, not silent, no
    noise, and comes to an end.
    """
    spoken = [line for line in lines if any(c.isalnum() for c in line.text)]
    n = len(spoken)
    answered = sum(line.error is None for line in spoken)
    wanted = {line.id for line in spoken}
    usable = sum(problem(clip) is None for clip in sounds if clip.line.id in wanted)
    if not n:
        nothing = Figure(None, 0, reason="no sentence holds a word")
        return {"success_rate": nothing, "usable_rate": nothing}
    return {
        "success_rate": share(answered, n, why_unanswered(spoken, n - answered, n)),
        "usable_rate": share(usable, n),
    }


def signal(sounds: Sequence[Clip]) -> Mapping[str, Figure]:
    """What the wave itself tells, over the clips that are speech.

    Silences are 95th percentiles in s; loudness is the median in LUFS (ITU-R BS.1770);
    speaking rate the median of written words per second without the silences; clipped_rate
    the share of clips with flat tops; dc_offset the largest, in parts of full scale.
    """
    speech = [clip.quality for clip in sounds if problem(clip) is None]

    def over(name: str, of: Callable[[Sequence[float]], float]) -> Figure:
        values = [v for q in speech if (v := getattr(q, name)) is not None]
        if not values:
            reasons = [q.reasons[name] for q in speech if name in q.reasons]
            return Figure(None, len(speech), reason=reasons[0] if reasons else _NO_SPEECH)
        return Figure(float(of(values)), len(values))

    def p95(values: Sequence[float]) -> float:
        return float(np.percentile(values, 95))

    def median(values: Sequence[float]) -> float:
        return float(np.median(values))

    clipped = sum((q.clipped_share or 0.0) > CLIPPED_SHARE for q in speech)
    n = len(speech)
    return {
        "clipped_rate": share(clipped, n) if n else Figure(None, 0, reason=_NO_SPEECH),
        "dc_offset": over("dc_offset", lambda values: max(map(abs, values))),
        "leading_silence_p95": over("leading_silence", p95),
        "trailing_silence_p95": over("trailing_silence", p95),
        "longest_pause_p95": over("longest_pause", p95),
        "loudness": over("loudness", median),
        "speaking_rate": over("words_per_second", median),
    }


def intonation(sounds: Sequence[Clip]) -> Mapping[str, Figure]:
    """f0_spread, in cents: the mean over the clips of how much the F0 of each varies.

    That of a robot that speaks on one note is next to none, whatever it says and however
    clearly; see `voice_analysis.spread_cents`. Clips with hardly a voiced frame are left out.
    """
    speech = [clip for clip in sounds if problem(clip) is None]
    return {
        "f0_spread": _over_clips(
            speech, lambda clip: spread_cents(pitch(clip.samples, clip.sample_rate))
        )
    }


def ratings(sounds: Sequence[Clip], most: int) -> Mapping[str, Figure]:
    """DNSMOS P.835 and P.808 (Reddy et al. 2022) of at most that many clips, evenly spread; 1 to 5.

    9 s of each are rated, which costs half a second of one core.
    """
    speech = [clip for clip in sounds if problem(clip) is None]
    names = ("dnsmos_overall", "dnsmos_speech", "dnsmos_background", "dnsmos_p808")
    if not speech:
        return {name: Figure(None, 0, reason=_NO_SPEECH) for name in names}
    if not most:
        return {name: Figure(None, 0, reason=_NONE_RATED) for name in names}
    chosen = _spread(speech, most)
    try:
        rated = [dnsmos(clip.samples, clip.sample_rate, most_segments=1) for clip in chosen]
    except NotMeasured as error:
        return {name: Figure(None, len(chosen), reason=str(error)) for name in names}
    return {
        name: _mean([float(getattr(r, name.removeprefix("dnsmos_"))) for r in rated])
        for name in names
    }


def naturalness(sounds: Sequence[Clip], most: int, network: Path | None) -> Mapping[str, Figure]:
    """UTMOS (Saeki et al. 2022) of at most that many clips, evenly spread; about 1 to 5.

    network: its TorchScript file; None where none was named.
    """
    if network is None:
        reason = "not measured: name UTMOS's TorchScript file with --utmos or MODEL_LAB_UTMOS"
        return {"utmos": Figure(None, 0, reason=reason)}
    if not most:
        return {"utmos": Figure(None, 0, reason=_NONE_RATED)}
    speech = _spread([clip for clip in sounds if problem(clip) is None], most)
    try:
        listener = utmos(network)
    except NotMeasured as error:
        return {"utmos": Figure(None, len(speech), reason=str(error))}
    return {
        "utmos": _over_clips(speech, lambda clip: listener.rate(clip.samples, clip.sample_rate))
    }


def quality(sounds: Sequence[Clip], most: int) -> Mapping[str, Figure]:
    """Distill-MOS (Stahl and Gamper 2025) of at most that many clips, evenly spread; 1 to 5."""
    if not most:
        return {"distill_mos": Figure(None, 0, reason=_NONE_RATED)}
    speech = _spread([clip for clip in sounds if problem(clip) is None], most)
    return {"distill_mos": _over_clips(speech, lambda c: distill_mos(c.samples, c.sample_rate))}


def speaker_similarity(
    sounds: Sequence[Clip], sentences: Sentences, checkpoint: str, most: int
) -> Mapping[str, Figure]:
    """Whether the voice sounds like the person who was recorded; nothing without recordings.

    The mean cosine of the embeddings of clip and recording, of at most that many clips, evenly
    spread; those that the encoder finds too short are left out, which the reason counts.
    checkpoint: the speaker verification model (see `any_encoder`).
    """
    recordings = {row.id: row.recording for row in sentences if row.recording is not None}
    if not recordings:
        return {}
    if not most:
        return {"speaker_similarity": Figure(None, 0, reason=_NONE_RATED)}
    speech = _spread(
        [clip for clip in sounds if clip.line.id in recordings and problem(clip) is None], most
    )
    try:
        listener = any_encoder(checkpoint)
    except NotMeasured as error:
        return {"speaker_similarity": Figure(None, len(speech), reason=str(error))}

    def of(clip: Clip) -> float:
        try:
            person = recordings[clip.line.id].load()
        except AudioError as error:  # it was readable when the session began
            raise NotMeasured(f"{recordings[clip.line.id].path} {error}") from None
        return cosine(
            listener.embed(clip.samples, clip.sample_rate), listener.embed(person, SAMPLE_RATE)
        )

    found = _over_clips(speech, of)
    said = f"by {listener.name}" + (f"; {found.reason}" if found.reason else "")
    return {"speaker_similarity": replace(found, by=listener.name, reason=said)}


def similarity(sounds: Sequence[Clip], sentences: Sentences) -> Mapping[str, Figure]:
    """How close the voice is to the recordings of people; nothing where there are none.

    mcd, f0_rmse and voicing_error_rate are over aligned frames, stoi and pesq the mean over clips
    of the recording's timing (see `reference_similarity`).
    """
    recordings = {row.id: row.recording for row in sentences if row.recording is not None}
    if not recordings:
        return {}
    found: list[ReferenceSimilarity] = []
    for clip in sounds:
        recording = recordings.get(clip.line.id)
        if recording is None or problem(clip) is not None:
            continue
        try:
            person = recording.load()
        except AudioError:  # it was readable when the session began
            continue
        found.append(reference_similarity(clip.samples, clip.sample_rate, person, SAMPLE_RATE))
    if not found:
        names = ("mcd", "f0_rmse", "voicing_error_rate", "stoi", "pesq")
        return {name: Figure(None, 0, reason=_NO_SPEECH) for name in names}

    def over_frames(
        name: str, attribute: str, top: Callable[[ReferenceSimilarity], float], bottom: str,
        finish: Callable[[float], float] = float,
    ) -> Figure:  # fmt: skip
        known = [s for s in found if getattr(s, attribute) is not None]
        if not known:
            return Figure(None, len(found), reason=found[0].reasons.get(attribute, _NO_SPEECH))
        tops = np.array([top(s) for s in known])
        bottoms = np.array([float(getattr(s, bottom)) for s in known])
        ci = ratio_interval(tops, bottoms, proportion=name == "voicing_error_rate")
        value = finish(float(tops.sum()) / float(bottoms.sum()))
        return Figure(value, len(known), (finish(ci[0]), finish(ci[1])) if ci else None)

    def over_clips(name: str) -> Figure:
        values = [v for s in found if (v := getattr(s, name)) is not None]
        if not values:
            return Figure(None, len(found), reason=found[0].reasons.get(name, _NO_SPEECH))
        return _mean(values)

    return {
        "mcd": over_frames("mcd", "mcd", lambda s: (s.mcd or 0.0) * s.pairs, "pairs"),
        "f0_rmse": over_frames(
            "f0_rmse",
            "f0_rmse_cents",
            lambda s: (s.f0_rmse_cents or 0.0) ** 2 * s.voiced_pairs,
            "voiced_pairs",
            lambda square: float(np.sqrt(max(0.0, square))),
        ),
        "voicing_error_rate": over_frames(
            "voicing_error_rate", "voicing_error_rate", lambda s: float(s.voicing_errors), "pairs"
        ),
        "stoi": over_clips("stoi"),
        "pesq": over_clips("pesq"),
    }


def tts_speed(lines: Sequence[Spoken]) -> Mapping[str, Figure]:
    """RTF, RTFx, the latency of whole sentences, and of the first audio of engines that stream.

    RTF = sum of processing seconds / sum of the seconds of audio made. Lines whose audio is empty
    took time for no audio, and count in it.
    """
    done = [line for line in lines if line.processing_seconds is not None]
    seconds = np.array([line.processing_seconds or 0.0 for line in done])
    audio = np.array([line.audio_seconds or 0.0 for line in done])
    waited = [line.waited_seconds for line in done]
    spent, made = float(seconds.sum()), float(audio.sum())
    if spent <= 0 or made <= 0:
        names = ["rtf", "rtfx", *(f"latency_p{p}" for p in PERCENTILES)]
        return {name: Figure(None, len(done), reason=_NO_AUDIO) for name in names}
    share = share_waited(seconds, waited)
    n = len(done)
    figures = {
        "rtf": marked(rate(seconds, audio, otherwise=_NO_AUDIO, proportion=False), share),
        "rtfx": marked(rate(audio, seconds, otherwise=_NO_AUDIO, proportion=False), share),
        "processing_time": marked(Figure(spent, n), share),
        **energy_use((x.audio_seconds or 0.0, x.joules, x.energy_method) for x in done),
        **latency(seconds, waited),
    }
    streamed = [line for line in done if line.first_audio_seconds is not None]
    if streamed:
        times = latency(
            [line.first_audio_seconds or 0.0 for line in streamed],
            [line.waited_seconds for line in streamed],
        )
        figures |= {f"first_audio_p{p}": times[f"latency_p{p}"] for p in (50, 95)}
    return figures


_NO_AUDIO = "no audio was made"
_NO_SPEECH = "no clip is speech"
_NONE_RATED = "no clips were to be rated"


def _spread(sounds: Sequence[Clip], most: int) -> Sequence[Clip]:
    """At most that many of the clips, evenly spread."""
    if len(sounds) <= most:
        return sounds
    return [sounds[i] for i in np.linspace(0, len(sounds) - 1, most).round().astype(int)]


def _over_clips(sounds: Sequence[Clip], of: Callable[[Clip], float]) -> Figure:
    """The mean over the clips that have the figure; those without one are counted in the reason."""
    if not sounds:
        return Figure(None, 0, reason=_NO_SPEECH)
    values: list[float] = []
    reasons: list[str] = []
    for clip in sounds:
        try:
            values.append(of(clip))
        except LibraryMissing as error:
            # No clip will fare better.
            return Figure(None, len(sounds), reason=str(error))
        except NotMeasured as error:
            reasons.append(str(error))
    if not values:
        return Figure(None, len(sounds), reason=reasons[0])
    if not reasons:
        return _mean(values)
    left_out = f"{len(reasons)} of {len(sounds)} clips are left out: {reasons[0]}"
    return replace(_mean(values), reason=left_out)


def _mean(values: Iterable[float]) -> Figure:
    array = np.array(list(values), float)
    return rate(array, np.ones(len(array)), otherwise=_NO_SPEECH, proportion=False)
