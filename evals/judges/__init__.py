"""Models that judge the answers of others."""
