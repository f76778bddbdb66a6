"""`python -m reports`: what can be done with scorecards after a session."""

from __future__ import annotations

import argparse

from reports import scorecard


def main() -> int:
    """Entry point; the exit status is 0 unless argparse refuses the arguments (2)."""
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    schema = commands.add_parser("schema", help="print the JSON Schema of scorecard.json")
    schema.add_argument(
        "--write", action="store_true", help=f"write it to {scorecard.SCHEMA_FILE.name} instead"
    )
    arguments = parser.parse_args()
    if arguments.write:
        scorecard.SCHEMA_FILE.write_text(scorecard.json_schema(), encoding="utf-8")
    else:
        print(scorecard.json_schema(), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
