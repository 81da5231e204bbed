"""The tool's commands, a file each."""
