"""From figure and limit to verdict."""
