"""The tool as `python -m tessera`, for a checkout that is not installed."""

from tessera.cli import main

if __name__ == "__main__":
    main(prog_name="tessera")
