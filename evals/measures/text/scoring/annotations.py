"""Brackets that mark what is no speech: a documented list; all other brackets hold words."""

from __future__ import annotations

import regex

#: What annotators and recognizers put into brackets for sounds and for what they could not hear.
EVENTS = frozenset(
    word.strip()
    for line in """
    noise, noises, background noise, nonspeech, non speech, nonspeech noise, vocalized noise, nsn, spn, sound, sounds
    music, music playing, singing, song, instrumental, applause, applauding, cheering, cheers, clapping
    laughter, laughs, laugh, laughing, chuckle, chuckles, chuckling, giggles, giggling
    silence, sil, sp, pause, long pause, short pause, blank, blank audio, no audio, no speech, empty, eps
    unk, unknown, oov, inaudible, unintelligible, indiscernible, incomprehensible, indistinct, unclear
    speaking foreign language, foreign language, speaking in foreign language, speaking foreign, foreign
    crosstalk, cross talk, overlap, overlapping, overlapping speech, background speech, background talk, chatter
    breath, breathing, breathes, inhale, inhales, exhale, exhales, sniff, sniffs, sigh, sighs, sighing, gasp, gasps
    cough, coughs, coughing, sneeze, sneezes, clears throat, throat clearing, lipsmack, lip smack, smack, yawn, yawns
    crying, cries, sobbing, sobs, groans, screams, screaming, whistling, humming, mumbles, mumbling, grunts
    beep, beeps, beeping, bleep, click, clicks, clicking, static, typing, ringing, phone ringing, ring, bell rings
    door closes, door slams, knocking, footsteps, engine, wind, dog barking, birds chirping, dtmf, pad, s, hes
    geräusch, geräusche, rauschen, störgeräusch, lärm, musik, applaus, beifall, lachen, lacht, gelächter, stille
    pause, räuspern, räuspert sich, husten, hustet, atmen, atmet, einatmen, ausatmen, seufzt, seufzen
    unverständlich, hintergrundgeräusch, hintergrundgeräusche
    bruit, bruits, bruit de fond, musique, rire, rires, il rit, elle rit, applaudissements, silence, toux, il tousse
    soupir, soupirs, respiration, inaudible, incompréhensible, inintelligible
    ruido, ruidos, ruido de fondo, música, risa, risas, ríe, aplausos, silencio, tos, tose, suspiro, suspira
    respiración, inaudible, ininteligible, incomprensible, pausa
    rumore, rumori, musica, risa, risate, risata, ride, applausi, silenzio, tosse, sospiro, respiro
    incomprensibile, inudibile
    barulho, ruído, ruídos, música, riso, risos, risada, risadas, ri, aplausos, silêncio, tosse, suspiro, respiração
    inaudível, ininteligível, incompreensível
    ruis, geluid, lawaai, achtergrondgeluid, muziek, gelach, lacht, applaus, stilte, hoest, kucht, zucht
    onverstaanbaar
    шум, шумы, музыка, смех, смеётся, смеется, аплодисменты, тишина, пауза, кашель, вздох, неразборчиво
    szum, hałas, muzyka, śmiech, śmieje się, oklaski, brawa, cisza, kaszel, westchnienie, niezrozumiałe
    gürültü, müzik, gülme, kahkaha, gülüyor, alkış, sessizlik, öksürük, anlaşılmıyor
    brus, ljud, oljud, skratt, skrattar, applåder, tystnad, hosta, ohörbart
    शोर, संगीत, हँसी, हंसी, तालियाँ, तालियां, खाँसी, खांसी, मौन, सन्नाटा, अस्पष्ट
    噪音, 噪声, 雜音, 杂音, 音乐, 音樂, 笑, 笑声, 笑聲, 掌声, 掌聲, 鼓掌, 静音, 沉默, 咳嗽, 听不清, 聽不清
    雑音, ノイズ, 音楽, 笑い, 笑い声, 拍手, 無音, 沈黙, 咳, ため息, 聞き取れず, 聞き取り不能
    소음, 잡음, 음악, 웃음, 웃음소리, 박수, 침묵, 기침, 한숨, 알아들을 수 없음
    ضوضاء, ضجيج, موسيقى, ضحك, تصفيق, صمت, سعال, غير مسموع, غير واضح
    """.splitlines()
    for word in line.split(",")
    if word.strip()
)
#: Words that say more of a sound: [loud music], [background noise], [laughter and applause].
_BESIDE = frozenset(
    "background loud soft softly quiet faint upbeat dramatic tense playing continues begins starts stops ends "
    "stopped indistinct distant heavy light brief audience crowd speaker man woman child people and both all "
    "of in the a foreign language speaking sound sounds".split()
)
_BRACKETED = regex.compile(
    r"\[([^\[\]]*)\]|\(([^()]*)\)|<\|([^|<>]*)\|>|<(/?[^<>]*)>|\{([^{}]*)\}|\*([^*\s][^*]*)\*"
    r"|【([^【】]*)】|（([^（）]*)）|［([^［］]*)］|〔([^〔〕]*)〕|\+\+([^+]+)\+\+"
)
_OPENING = frozenset("[(<{*【（［〔♪♫+")
#: Tags of subtitles that style a text, and Whisper's tokens of languages, tasks and times.
_STYLE = regex.compile(r"/?(?:[ibus]|em|strong|font.*|c(?:\..*)?|v .*|br ?/?)$", regex.IGNORECASE)
_NOTES = regex.compile(r"[♪♫♬♩]+")


def without_annotations(text: str) -> tuple[str, int]:
    """A text without its annotations, and how many there were.

    An annotation is one of EVENTS in brackets of any kind, such as [noise], (laughs), <unk>,
    *coughs* or 【音乐】; a special token of Whisper (<|en|>); a note sign. Styles of subtitles
    (<i>) go without being counted. Everything else stays, its brackets included.
    """
    if _OPENING.isdisjoint(text):
        return text, 0
    count = 0

    def replaced(found: regex.Match[str]) -> str:
        nonlocal count
        inside = next(g for g in found.groups() if g is not None)
        if found[3] is not None:
            count += 1
            return " "
        if found[4] is not None and _STYLE.match(inside):
            return ""
        if is_event(inside):
            count += 1
            return " "
        return found[0]

    text = _BRACKETED.sub(replaced, text)
    text, notes = _NOTES.subn(" ", text)
    return text, count + notes


def is_event(inside: str) -> bool:
    """Whether what stands in brackets is a sound or a remark of this list."""
    words = " ".join(regex.findall(r"[\p{L}\p{M}]+", inside.casefold()))
    if not words or regex.search(r"\d", inside):
        return False
    if words in EVENTS:
        return True
    single = words.split()
    return (
        len(single) <= 6
        and any(w in EVENTS for w in single)
        and all(w in EVENTS or w in _BESIDE for w in single)
    )
