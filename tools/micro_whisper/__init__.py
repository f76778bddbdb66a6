"""How the micro Whisper is made: synthesis, augmentation, training, packing, evaluation."""
