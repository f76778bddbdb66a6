"""A conversation out of a recognizer, a responder and a synthesizer."""
