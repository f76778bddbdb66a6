"""The page's utterances that went wrong."""
