"""faster-whisper: Whisper in CTranslate2."""
