"""The program's door: ``quintet`` and ``python -m quintet``.

It stands on top of both the command line and the composition root, which must not know each other.
What a command does belongs to ``quintet.admin.cli``; what a server consists of belongs to ``quintet.app``.
"""

from quintet.admin.cli import main as cli


def main() -> None:
    """Run the command line; the exit code is the one the command documents."""
    cli()


if __name__ == "__main__":
    main()
