"""The parsers of all commands, those within another included."""

import argparse


def commands_of(whole):
    """Yield each command with its words, such as `roster sync`, and its parser; one that has commands comes first."""
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield name, sub
                yield from ((f"{name} {inner}", parser) for inner, parser in commands_of(sub))
